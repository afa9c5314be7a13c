//! `report.html`: everything about a run on one page that needs nothing beside itself, neither files nor a network.
//!
//! Every text goes through the template's escaping; the two places that bypass it (drawings and the numbers of a chart) are
//! written so that no text of a user can end them.

use std::path::PathBuf;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::json;

use super::Standing;
use super::chart::Chart;
use super::curves::{self, CHARTS, Frame};
use super::gallery::{self, Gallery};
use crate::fit::Description;
use crate::fit::events::{Event, Kind};

/// Sizes of a chart for wide and for narrow windows: shrunk letters would be too small to read.
const WIDE: (u32, u32) = (960, 340);
const NARROW: (u32, u32) = (400, 280);
/// Characters of what the compiler tells, at most; entries of a list, at most.
const EXPLANATION: usize = 200_000;
const ENTRIES: usize = 100;
/// Grids narrower than this are pictures of few pixels, which stay sharp when they are enlarged.
const SHARP: u32 = 480;

/// What a report is made from.
pub(super) struct Page<'a> {
    pub standing: &'a Standing<'a>,
    pub description: &'a Description,
    pub charts: Vec<Chart>,
    pub galleries: Vec<Gallery>,
    pub checkpoints: Vec<PathBuf>,
    /// The data sources with their numbers of samples.
    pub samples: Vec<(String, usize)>,
}

impl Page<'_> {
    /// The page's text.
    pub(super) fn render(&self) -> Result<String, String> {
        let charts = self.charts.iter().take(CHARTS).enumerate();
        let charts = charts.map(|(number, chart)| chart_figure(number, chart)).collect::<Result<Vec<_>, _>>()?;
        let model = self.standing.model;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy"
                        content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";
                    title { (model) " – training report" }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(include_str!("page.css"))) }
                }
                body {
                    header {
                        h1 { (model) }
                        (self.standing())
                    }
                    main {
                        (self.warnings())
                        section { h2 { "Curves" }
                            @if charts.is_empty() { p { "Nothing has been logged yet." } }
                            @for chart in &charts { (chart) }
                            @if self.charts.len() > CHARTS {
                                p.note { (CHARTS) " of " (self.charts.len()) " charts are shown; all values are in metrics.jsonl." }
                            }
                        }
                        @if !self.galleries.is_empty() {
                            section { h2 { "Samples" }
                                @for gallery in &self.galleries { (gallery_figure(gallery)) }
                            }
                        }
                        (self.model())
                        (self.run())
                        (self.checkpoints())
                        (self.events())
                        (self.explanation())
                    }
                    footer { p.note {
                        "Written by saddlepoint " (env!("CARGO_PKG_VERSION")) ". To stay small, this page holds at most "
                        (gallery::FRAMES) " pictures an output of at most " (gallery::SIDE) " pixels a side, "
                        (gallery::BYTES >> 20) " MB of pictures in all, and at most " (CHARTS) " charts. Everything is in the run folder."
                    } }
                    script { (PreEscaped(include_str!("page.js"))) }
                }
            }
        };
        Ok(page.into_string())
    }

    /// How the run stands, the reason on top where it ended badly.
    fn standing(&self) -> Markup {
        let standing = self.standing;
        let last = standing.events.iter().rev().find(|event| event.event != Kind::Warning);
        let (class, word) = match last.map(|event| event.event) {
            Some(Kind::Finished) => ("good", "Finished"),
            Some(Kind::Interrupted) => ("fair", "Interrupted"),
            Some(Kind::Diverged) => ("bad", "Diverged"),
            Some(Kind::Failed) => ("bad", "Ended with an error"),
            _ => ("fair", "Training when this was written"),
        };
        let text = last.filter(|event| !matches!(event.event, Kind::Began | Kind::Resumed)).map(|event| event.text.as_str());
        let made = standing.step.saturating_sub(standing.first);
        let all = standing.end.saturating_sub(standing.first);
        html! {
            div class={ "status " (class) } role="status" {
                p { strong { (word) } ", step " (made) " of " (all) ", " (utc(standing.time)) }
                @if let Some(text) = text.filter(|text| !text.is_empty()) { p { (text) } }
            }
        }
    }

    fn warnings(&self) -> Markup {
        let warnings: Vec<&Event> = self.standing.events.iter().filter(|event| event.event == Kind::Warning).collect();
        html! { @if !warnings.is_empty() {
            section.warnings { h2 { "Warnings" }
                ul { @for event in warnings.iter().take(ENTRIES) { li { "Step " (event.step) ": " (event.text) } } }
                @if warnings.len() > ENTRIES { p.note { (warnings.len() - ENTRIES) " more are in events.jsonl." } }
            }
        } }
    }

    fn model(&self) -> Markup {
        let description = self.description;
        let total: u64 = description.nets.iter().map(|net| net.parameters).sum();
        let history = self.standing.history;
        let last = |player: usize| {
            let value = history.points.last().and_then(|(_, values)| values.get(player).copied().flatten());
            value.map_or("–".to_string(), |value| format!("{value:.4}"))
        };
        html! { @if !(description.nets.is_empty() && description.players.is_empty()) {
            section { h2 { "Model" }
                div.scroll { table {
                    caption { "Nets" }
                    thead { tr { th scope="col" { "Net" } th scope="col" { "Type" } th.number scope="col" { "Parameters" } } }
                    tbody { @for net in &description.nets { tr {
                        th scope="row" { (net.name) }
                        td { code { (net.signature) } }
                        td.number { (grouped(net.parameters)) @if net.statistics > 0 { " (+ " (grouped(net.statistics)) " statistics)" } }
                    } } }
                    tfoot { tr { th scope="row" { "All" } td {} td.number { (grouped(total)) } } }
                } }
                div.scroll { table {
                    caption { "Players" }
                    thead { tr {
                        th scope="col" { "Player" } th scope="col" { "Updates" } th scope="col" { "Optimiser" }
                        th.number scope="col" { "Steps a turn" } th.number scope="col" { "Objective, last" }
                    } }
                    tbody { @for (index, player) in description.players.iter().enumerate() { tr {
                        th scope="row" { (player.name) @if player.maximizes { " maximizes" } @else { " minimizes" } }
                        td { (player.updates.join(", ")) }
                        td.wide { (player.optimiser) }
                        td.number { (player.steps) }
                        td.number { (last(index)) }
                    } } }
                } }
            }
        } }
    }

    fn run(&self) -> Markup {
        let standing = self.standing;
        let mut rows: Vec<(String, String)> =
            vec![("Seed".into(), standing.seed.to_string()), ("Samples a batch".into(), standing.batch.to_string())];
        rows.extend(self.description.settings.iter().cloned());
        rows.extend(
            self.samples.iter().map(|(name, count)| ("Data".to_string(), format!("{}, {name}", grouped(*count as u64)))),
        );
        let (steps, seconds) = standing.speed;
        if steps > 0 && seconds > 0.0 {
            rows.push(("Speed".into(), format!("{:.1} steps/s, everything included", steps as f64 / seconds)));
        }
        rows.push(("Time trained".into(), duration(standing.seconds)));
        rows.extend(self.description.build_seconds.map(|seconds| ("Time to build".to_string(), format!("{seconds:.2} s"))));
        rows.extend([("Machine".to_string(), machine()), ("Versions".to_string(), versions())]);
        html! {
            section { h2 { "Run" }
                div.scroll { table { tbody { @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } } } } }
            }
        }
    }

    fn checkpoints(&self) -> Markup {
        let newest = self.checkpoints.iter().rev().take(ENTRIES);
        html! { @if !self.checkpoints.is_empty() {
            section { h2 { "Checkpoints" }
                ul { @for path in newest { li {
                    code { "checkpoints/" (path.file_name().unwrap_or_default().to_string_lossy()) }
                    @if let Ok(data) = path.metadata() { ", " (size(data.len())) }
                } } }
                @if self.checkpoints.len() > ENTRIES { p.note { (self.checkpoints.len() - ENTRIES) " older ones are not listed." } }
            }
        } }
    }

    fn events(&self) -> Markup {
        let events: Vec<&Event> = self.standing.events.iter().filter(|event| event.event != Kind::Warning).collect();
        html! {
            details {
                summary { "What happened when" }
                ul { @for event in events.iter().rev().take(ENTRIES) { li {
                    (utc(event.time)) ", step " (event.step) ": " (word(event.event)) @if !event.text.is_empty() { ". " (event.text) }
                } } }
            }
        }
    }

    fn explanation(&self) -> Markup {
        let text = &self.description.explanation;
        let shown: String = text.chars().take(EXPLANATION).collect();
        html! { @if !text.is_empty() {
            details {
                summary { "What the compiler made of the model" }
                pre tabindex="0" { (shown) @if shown.len() < text.len() { "\n… and more: see explain()" } }
            }
        } }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Began => "began",
        Kind::Resumed => "resumed",
        Kind::Warning => "warning",
        Kind::Interrupted => "interrupted",
        Kind::Diverged => "diverged",
        Kind::Failed => "ended with an error",
        Kind::Finished => "finished",
    }
}

/// A chart for wide and for narrow windows, with the numbers that the pointer reads out.
fn chart_figure(number: usize, chart: &Chart) -> Result<Markup, String> {
    let (wide, wide_frame) = curves::inline(chart, WIDE.0, WIDE.1)?;
    let (narrow, narrow_frame) = curves::inline(chart, NARROW.0, NARROW.1)?;
    let alt = alternative(chart);
    let drawing = |text: String, class: &str| {
        html! { span role="img" class={ "drawing " (class) } aria-label=(alt) { (PreEscaped(text)) } }
    };
    let data = numbers(chart, wide_frame, narrow_frame);
    Ok(html! {
        figure.chart id={ "chart-" (number) } {
            figcaption { (chart.title) @if chart.logarithmic { span.note { " (logarithmic)" } } }
            ul.legend { @for (index, curve) in chart.curves.iter().enumerate() {
                li { span class={ "swatch c" (index % curves::COLOURS.len()) } {} (curve.name) }
            } }
            div.plot tabindex="0" role="group" aria-label="Chart; left and right arrows read out values" {
                (drawing(wide, "wide")) (drawing(narrow, "narrow"))
                div.cursor hidden {}
            }
            output aria-live="polite" { (last_values(chart)) }
            script type="application/json" { (PreEscaped(data)) }
        }
    })
}

/// What a chart says to whom does not see it.
fn alternative(chart: &Chart) -> String {
    let curves = chart.curves.iter().filter_map(|curve| {
        let (first, last) = (curve.smooth.first()?, curve.smooth.last()?);
        Some(format!(
            "{} goes from {:.4} at step {:.0} to {:.4} at step {:.0}",
            curve.name, first.1, first.0, last.1, last.0
        ))
    });
    format!("{}: {}", chart.title, curves.collect::<Vec<_>>().join("; "))
}

fn last_values(chart: &Chart) -> String {
    let values = chart.curves.iter().filter_map(|curve| Some(format!("{} {:.4}", curve.name, curve.raw.last()?.1)));
    format!("step {:.0}: {}", chart.steps.1, values.collect::<Vec<_>>().join(", "))
}

/// The numbers of a chart as JSON that stands in a script element: `<` is written so that nothing can end it.
fn numbers(chart: &Chart, wide: Frame, narrow: Frame) -> String {
    let mut steps: Vec<f64> = chart.curves.iter().flat_map(|curve| curve.raw.iter().map(|point| point.0)).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    let values = |points: &[(f64, f64)]| {
        let mut points = points.iter().peekable();
        let value = |step: &f64| points.next_if(|point| point.0 == *step).map(|point| point.1 as f32);
        steps.iter().map(value).collect::<Vec<Option<f32>>>()
    };
    let frame = |frame: Frame, size: (u32, u32)| json!({ "left": frame.left, "right": frame.right, "width": size.0 });
    let data = json!({
        "from": chart.steps.0,
        "to": chart.steps.1,
        "wide": frame(wide, WIDE),
        "narrow": frame(narrow, NARROW),
        "names": chart.curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>(),
        "raw": chart.curves.iter().map(|curve| values(&curve.raw)).collect::<Vec<_>>(),
        "smooth": chart.curves.iter().map(|curve| values(&curve.smooth)).collect::<Vec<_>>(),
        "steps": steps,
    });
    data.to_string().replace('<', "\\u003c")
}

/// The pictures of an output with a slider over the steps. Without scripts the last one shows.
fn gallery_figure(gallery: &Gallery) -> Markup {
    let last = gallery.frames.len().saturating_sub(1);
    let sharp = |width: u32| if width < SHARP { "sharp" } else { "" };
    html! { @if let Some(newest) = gallery.frames.last() {
        figure.gallery {
            figcaption { "Output " code { (gallery.output) } }
            div.controls {
                @if last > 0 {
                    button type="button" { "Play" }
                    input type="range" min="0" max=(last) value=(last) aria-label={ "Step of the samples of " (gallery.output) };
                }
                output { "step " (newest.step) }
                @if gallery.all > gallery.frames.len() {
                    span.note { (gallery.frames.len()) " of " (gallery.all) " pictures; all are in samples/" }
                }
            }
            div.pictures {
                div {
                    @for (index, frame) in gallery.frames.iter().enumerate() {
                        img class=(sharp(frame.width)) src=(frame.address) width=(frame.width) height=(frame.height)
                            data-step=(frame.step) hidden[index != last]
                            alt={ "Samples of the output " (gallery.output) " after step " (frame.step) };
                    }
                    p.note { "Generated, always from the same noise" }
                }
                @if let Some(real) = &gallery.real {
                    div {
                        img class=(sharp(real.width)) src=(real.address) width=(real.width) height=(real.height)
                            alt="Samples of the data";
                        p.note { "From the data" }
                    }
                }
            }
        }
    } }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join("\u{202f}")
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=119 => format!("{seconds:.1} s"),
        120..=7_199 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// A time as a person reads it: the Gregorian calendar from a count of days, after Hinnant's `civil_from_days`.
fn utc(time: u64) -> String {
    let (days, rest) = ((time / 86_400) as i64, time % 86_400);
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3_600, rest % 3_600 / 60)
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let name = name.map(|(_, name)| format!("{}, ", name.trim())).unwrap_or_default();
    format!("{name}{cores} cores, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

fn versions() -> String {
    let build = if cfg!(debug_assertions) { "with debug assertions" } else { "release build" };
    format!("saddlepoint {}, {build}", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::log::History;
    use crate::fit::{NetDescription, PlayerDescription};

    const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&";

    fn event(event: Kind, text: &str) -> Event {
        Event { time: 1_700_000_000, step: 7, event, text: text.to_string() }
    }

    /// The page of a run whose every text is `text`.
    fn page(text: &str, events: &[Event], values: usize) -> String {
        let names: Vec<String> = (0..values).map(|value| format!("{text}{value}")).collect();
        let points = (0..30).map(|step| (step, vec![Some(1.0 + step as f32); values])).collect();
        let history = History { names, points, seconds: 1.0 };
        let standing = Standing {
            model: text,
            history: &history,
            players: 1,
            events,
            first: 0,
            step: 30,
            end: 40,
            seed: 7,
            batch: 64,
            seconds: 4_000.0,
            speed: (30, 2.0),
            time: 1_700_000_000,
        };
        let name = || text.to_string();
        let net = NetDescription { name: name(), signature: name(), parameters: 1_234_567, statistics: 1 };
        let player = PlayerDescription { name: name(), maximizes: true, updates: vec![name()], optimiser: name(), steps: 5 };
        let description = Description {
            nets: vec![net],
            players: vec![player],
            settings: vec![(name(), name())],
            build_seconds: Some(0.25),
            explanation: name(),
        };
        let (objectives, metrics) = super::super::charts(&standing);
        let frame = |step| gallery::Frame { step, address: "data:image/png;base64,AA".into(), width: 9, height: 9 };
        let frames = vec![frame(10), frame(20)];
        let page = Page {
            standing: &standing,
            description: &description,
            charts: objectives.into_iter().chain(metrics).collect(),
            galleries: vec![Gallery { output: name(), frames, all: 5, real: Some(frame(0)) }],
            checkpoints: vec![PathBuf::from(format!("checkpoints/{}", text.replace('/', "")))],
            samples: vec![(name(), 6_000)],
        };
        page.render().unwrap()
    }

    #[test]
    fn no_text_of_a_user_becomes_markup() {
        let events = [event(Kind::Began, ""), event(Kind::Warning, HOSTILE), event(Kind::Failed, HOSTILE)];
        let text = page(HOSTILE, &events, 3);
        assert!(!text.contains("<img src=x") && !text.contains("<img src=\"x"), "{text}");
        // The scripts that are there: the numbers of three charts, and the page's own.
        assert_eq!((text.matches("<script").count(), text.matches("</script>").count()), (4, 4));
        assert!(text.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;"));
        assert!(text.contains("\\u003c/script>\\u003cimg"));
    }

    #[test]
    fn a_page_refers_to_nothing_outside_and_every_picture_has_words() {
        let text = page("Fake", &[event(Kind::Finished, "")], 2);
        for attribute in ["src=\"", "href=\""] {
            let addresses = text.split(attribute).skip(1).map(|rest| &rest[..rest.find('"').unwrap()]);
            assert!(addresses.clone().count() > 0 && addresses.clone().all(|address| address.starts_with("data:")));
        }
        assert!(!text.contains("@import") && !text.contains("url("));
        assert_eq!(text.matches("<img").count(), text.matches(" alt=\"").count());
        assert_eq!(text.matches("<svg").count(), text.matches("role=\"img\" class=\"drawing").count());
        assert!(text.contains("Fake0 goes from 1.0000 at step 0"));
        // Without scripts the newest picture shows, and no other.
        assert!(text.contains("data-step=\"10\" hidden") && !text.contains("data-step=\"20\" hidden"));
        assert!(text.contains("2 of 5 pictures") && text.contains("1\u{202f}234\u{202f}567"));
    }

    #[test]
    fn how_the_run_ended_stands_on_top_and_warnings_before_the_curves() {
        let reason = "training diverged at step 7: its objective is NaN";
        let events = [event(Kind::Began, ""), event(Kind::Warning, "it stands still"), event(Kind::Diverged, reason)];
        let text = page("Fake", &events, 2);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing"));
        assert!(at("Diverged") < at(reason) && at(reason) < at("it stands still") && at("it stands still") < at("Curves"));
        assert!(page("Fake", &events[..2], 2).contains("Training when this was written"));
    }

    #[test]
    fn more_charts_than_a_page_takes_are_counted() {
        let text = page("Fake", &[], CHARTS + 9);
        assert_eq!(text.matches("<figure class=\"chart\"").count(), CHARTS);
        assert!(text.contains(&format!("{CHARTS} of {} charts", CHARTS + 9)));
    }

    #[test]
    fn times_and_sizes_are_words() {
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(utc(1_709_210_096), "2024-02-29 12:34 UTC");
        assert_eq!(
            (duration(3.21), duration(125.0), duration(7_322.0)),
            ("3.2 s".into(), "2 min 5 s".into(), "2 h 2 min".into())
        );
        assert_eq!((grouped(7), grouped(1_000)), ("7".into(), "1\u{202f}000".into()));
        assert_eq!((size(999), size(14_000_000)), ("999 bytes".into(), "14 MB".into()));
    }
}
