//! Charts as pictures: the files beside the log (PNG and SVG), and the drawings inside of the report.

use std::path::Path;
use std::sync::OnceLock;

use image::ExtendedColorType;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use plotters::style::register_font;

use super::chart::Chart;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::picture::save_png;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 560;
/// Charts of one file, at most: more would be too small to read.
pub(super) const CHARTS: usize = 24;
/// Colours that colour-blind readers tell apart too, after Okabe and Ito, dark enough for lines on white.
pub(super) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(199, 83, 0),
    RGBColor(0, 128, 96),
    RGBColor(184, 87, 140),
    RGBColor(43, 140, 196),
    RGBColor(168, 111, 0),
    RGBColor(90, 90, 90),
];
/// The lines behind the curves.
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
pub(super) const FONT: &str = "sans-serif";

/// How a chart is drawn.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// Title above, legend inside; the report writes both as text.
    lettering: bool,
    font: u32,
    step_marks: usize,
}

/// An axis with marks of our choice.
struct Axis {
    range: (f64, f64),
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.range.0) / (self.range.1 - self.range.0);
        (f64::from(limit.0) + part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.0..self.range.1
    }
}

/// Where the curves of a drawing lie, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub left: i32,
    pub right: i32,
    pub top: i32,
    pub bottom: i32,
}

/// Writes the charts, one above or beside the other, as PNG and as SVG.
pub(super) fn save(charts: &[Chart], png: &Path, svg: &Path) -> Result<()> {
    let charts = &charts[..charts.len().min(CHARTS)];
    let across = if charts.len() > 1 { 2 } else { 1 };
    let down = charts.len().div_ceil(across);
    if down == 0 {
        return Ok(());
    }
    let (width, height) = match across {
        1 => (WIDTH, HEIGHT),
        _ => (2 * 700, 400 * down as u32),
    };
    let style = Style { lettering: true, font: 16, step_marks: 8 };
    let failed = |path: &Path, message: String| Error::io(path, std::io::Error::other(message));
    let mut pixels = vec![255; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw_all(&area, charts, (down, across), style).map_err(|message| failed(png, message))?;
    }
    save_png(png, width as usize, height as usize, ExtendedColorType::Rgb8, &pixels)?;
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw_all(&area, charts, (down, across), style).map_err(|message| failed(svg, message))?;
    }
    write_atomically(svg, text.as_bytes())
}

/// One chart as the text of an SVG element, and where its curves lie in it.
pub(super) fn inline(chart: &Chart, width: u32, height: u32) -> std::result::Result<(String, Frame), String> {
    let mut text = String::new();
    let frame = {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        let style = Style { lettering: false, font: 13, step_marks: (width / 110) as usize };
        register()?;
        let frame = draw(&area, chart, style)?;
        area.present().map_err(said)?;
        frame
    };
    // What comes before the element is a declaration that a page has no use for.
    let at = text.find("<svg").ok_or("the drawing has no SVG element")?;
    Ok((text[at..].to_string(), frame))
}

fn draw_all<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    charts: &[Chart],
    shape: (usize, usize),
    style: Style,
) -> std::result::Result<(), String> {
    register()?;
    area.fill(&WHITE).map_err(said)?;
    for (chart, part) in charts.iter().zip(area.split_evenly(shape)) {
        draw(&part, chart, style)?;
    }
    area.present().map_err(said)
}

fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &Chart,
    style: Style,
) -> std::result::Result<Frame, String> {
    let (value_ticks, step_ticks) = (chart.value_ticks(), chart.step_ticks(style.step_marks));
    let mut builder = ChartBuilder::on(area);
    builder.margin(8).margin_right(16).x_label_area_size(style.font * 11 / 4).y_label_area_size(style.font * 4);
    if style.lettering {
        builder.caption(&chart.title, (FONT, style.font + 6));
    }
    let marks = |ticks: &[(f64, String)]| ticks.iter().map(|tick| tick.0).collect::<Vec<_>>();
    let steps = Axis { range: chart.steps, marks: marks(&step_ticks) };
    let values = (chart.place(chart.values.0), chart.place(chart.values.1));
    let values = Axis { range: values, marks: marks(&value_ticks) };
    let mut context = builder.build_cartesian_2d(steps, values).map_err(said)?;
    let label = |ticks: &[(f64, String)], at: f64| {
        ticks.iter().find(|tick| tick.0 == at).map(|tick| tick.1.clone()).unwrap_or_default()
    };
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_desc(if chart.cut { "step (far values are cut off)" } else { "step" })
        .label_style((FONT, style.font))
        .x_label_formatter(&|step| label(&step_ticks, *step))
        .y_label_formatter(&|value| label(&value_ticks, *value))
        .draw()
        .map_err(said)?;
    for (index, curve) in chart.curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let placed = |points: &[(f64, f64)]| points.iter().map(|point| (point.0, chart.place(point.1))).collect::<Vec<_>>();
        context.draw_series(LineSeries::new(placed(&curve.raw), colour.mix(0.3))).map_err(said)?;
        let smooth = LineSeries::new(placed(&curve.smooth), colour.stroke_width(2));
        let drawn = context.draw_series(smooth).map_err(said)?;
        if style.lettering {
            let sample = move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3));
            drawn.label(&curve.name).legend(sample);
        }
    }
    if style.lettering && chart.curves.len() > 1 {
        context
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font((FONT, style.font + 1))
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .margin(10)
            .draw()
            .map_err(said)?;
    }
    let (across, down) = context.plotting_area().get_pixel_range();
    Ok(Frame { left: across.start, right: across.end, top: down.start, bottom: down.end })
}

/// An error of the drawing library in words.
pub(super) fn said(error: impl std::fmt::Display) -> String {
    format!("drawing: {error}")
}

/// Registers the embedded font: a machine that trains often has none.
pub(super) fn register() -> std::result::Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let bytes = include_bytes!("../../../assets/font/DejaVuSans-subset.ttf");
    match REGISTERED.get_or_init(|| register_font(FONT, FontStyle::Normal, bytes).is_ok()) {
        true => Ok(()),
        false => Err("the embedded font cannot be read".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::log::History;

    fn chart(count: u64) -> Chart {
        let value = |step: u64| (step as f32 * 0.37).sin() + 2.0 / (1.0 + step as f32);
        let points = (0..count).map(|step| (step * 10, vec![Some(value(step)), Some(-value(step))])).collect();
        let history = History { names: vec!["D".into(), "G".into()], points, seconds: 0.0 };
        Chart::new(&history, 0..2, "losses of <Dcgan>").unwrap()
    }

    #[test]
    fn the_png_has_both_colours_axes_and_text() {
        let folder = tempfile::tempdir().unwrap();
        let (png, svg) = (folder.path().join("losses.png"), folder.path().join("losses.svg"));
        save(&[chart(500)], &png, &svg).unwrap();
        let picture = image::open(&png).unwrap().to_rgb8();
        let has = |colour: RGBColor| picture.pixels().filter(|pixel| pixel.0 == [colour.0, colour.1, colour.2]).count();
        assert!(has(COLOURS[0]) > 200 && has(COLOURS[1]) > 200);
        // The numbers of the vertical axis: dark pixels left of it.
        let dark = |x: u32, y: u32| picture.get_pixel(x, y).0.iter().all(|&channel| channel < 100);
        assert!((0..HEIGHT).flat_map(|y| (5..70).map(move |x| (x, y))).filter(|&(x, y)| dark(x, y)).count() > 50);
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(text.contains("losses of &lt;Dcgan&gt;") && text.contains("#0072B2") && text.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn several_charts_lie_side_by_side_and_none_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (png, svg) = (folder.path().join("metrics.png"), folder.path().join("metrics.svg"));
        save(&[], &png, &svg).unwrap();
        assert!(!png.exists() && !svg.exists());
        save(&[chart(1), chart(9), chart(30)], &png, &svg).unwrap();
        assert_eq!(image::open(&png).unwrap().width(), 1400);
        assert_eq!(image::open(&png).unwrap().height(), 800);
    }

    #[test]
    fn an_inline_drawing_is_one_element_and_says_where_its_curves_lie() {
        let (text, frame) = inline(&chart(40), 400, 260).unwrap();
        assert!(text.starts_with("<svg width=\"400\" height=\"260\"") && text.trim_end().ends_with("</svg>"));
        assert!(frame.left > 20 && frame.right <= 400 && frame.top >= 0 && frame.bottom < 260 && frame.left < frame.right);
    }
}
