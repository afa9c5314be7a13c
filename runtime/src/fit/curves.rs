//! The curves of a run as a picture: each value over the steps, as logged (faint) and averaged (strong).

use std::path::Path;
use std::sync::OnceLock;

use image::ExtendedColorType;
use plotters::prelude::*;
use plotters::style::register_font;

use super::log::History;
use crate::error::{Error, Result};
use crate::picture::save_png;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 560;
/// Curves have at most this many points; longer ones are averaged down to it.
const POINTS: usize = 1000;
/// Colours that colour-blind readers tell apart too, after Okabe and Ito.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
];

/// Draws the values `which` of the history, with axes and a legend. Nothing is drawn where nothing was logged.
pub(super) fn draw(history: &History, which: std::ops::Range<usize>, title: &str, path: &Path) -> Result<()> {
    let curves: Vec<(&str, Vec<(f64, f64)>)> =
        which.map(|index| (history.names[index].as_str(), points(history, index))).collect();
    let all = || curves.iter().flat_map(|(_, points)| points.iter().copied());
    let Some((steps, values)) = extent(all()) else { return Ok(()) };
    let mut pixels = vec![255; (WIDTH * HEIGHT * 3) as usize];
    render(&mut pixels, &curves, title, steps, values).map_err(|message| Error::io(path, std::io::Error::other(message)))?;
    save_png(path, WIDTH as usize, HEIGHT as usize, ExtendedColorType::Rgb8, &pixels)
}

fn render(
    pixels: &mut [u8],
    curves: &[(&str, Vec<(f64, f64)>)],
    title: &str,
    steps: (f64, f64),
    values: (f64, f64),
) -> std::result::Result<(), String> {
    register()?;
    let text = |error: &dyn std::fmt::Display| format!("drawing the curves: {error}");
    let area = BitMapBackend::with_buffer(pixels, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| text(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, (FONT, 22))
        .margin(14)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(steps.0..steps.1, values.0..values.1)
        .map_err(|error| text(&error))?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .x_desc("step")
        .label_style((FONT, 16))
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|value| short(*value))
        .draw()
        .map_err(|error| text(&error))?;
    for (index, (name, points)) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let faint = LineSeries::new(points.iter().copied(), colour.mix(0.25));
        chart.draw_series(faint).map_err(|error| text(&error))?;
        chart
            .draw_series(LineSeries::new(smooth(points), colour.stroke_width(2)))
            .map_err(|error| text(&error))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font((FONT, 17))
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .margin(10)
        .draw()
        .map_err(|error| text(&error))?;
    area.present().map_err(|error| text(&error))
}

const FONT: &str = "sans-serif";

/// Registers the embedded font: a machine that trains often has none.
fn register() -> std::result::Result<(), String> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let bytes = include_bytes!("../../assets/font/DejaVuSans-subset.ttf");
    match REGISTERED.get_or_init(|| register_font(FONT, FontStyle::Normal, bytes).is_ok()) {
        true => Ok(()),
        false => Err("the embedded font cannot be read".to_string()),
    }
}

/// The known points of one curve, averaged over neighbours where there are more than a picture shows.
fn points(history: &History, index: usize) -> Vec<(f64, f64)> {
    let known = history.points.iter().filter_map(|(step, values)| Some((*step as f64, f64::from(values[index]?))));
    let known: Vec<(f64, f64)> = known.filter(|point| point.1.is_finite()).collect();
    let mean = |chunk: &[(f64, f64)]| {
        let sum = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (sum.0 / chunk.len() as f64, sum.1 / chunk.len() as f64)
    };
    known.chunks(known.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

/// An exponential average over about a fiftieth of the curve, without the bias of its beginning.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let keep = 1.0 - 1.0 / (points.len() as f64 / 50.0).max(1.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let average = points.iter().map(|&(step, value)| {
        (sum, weight) = (keep * sum + value, keep * weight + 1.0);
        (step, sum / weight)
    });
    average.collect()
}

/// The ranges of the axes: never empty, with a little room above and below.
fn extent(points: impl Iterator<Item = (f64, f64)>) -> Option<((f64, f64), (f64, f64))> {
    let around = |range: (f64, f64), point: f64| (range.0.min(point), range.1.max(point));
    let start = (f64::INFINITY, f64::NEG_INFINITY);
    let (steps, values) =
        points.fold((start, start), |(steps, values), point| (around(steps, point.0), around(values, point.1)));
    if steps.0 > steps.1 {
        return None;
    }
    let room = (0.05 * (values.1 - values.0)).max(1e-3 * values.1.abs().max(values.0.abs())).max(1e-6);
    Some(((steps.0, steps.1.max(steps.0 + 1.0)), (values.0 - room, values.1 + room)))
}

/// A number as an axis shows it.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_string(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(count: u64) -> History {
        let value = |step: u64| (step as f32 * 0.37).sin() + 2.0 / (1.0 + step as f32);
        let points = (0..count).map(|step| (step * 10, vec![Some(value(step)), Some(-value(step)), None])).collect();
        History { names: vec!["D".into(), "G".into(), "quality".into()], points, seconds: 0.0 }
    }

    #[test]
    fn curves_have_both_colours_axes_and_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("losses.png");
        draw(&history(500), 0..2, "losses of Dcgan", &path).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        let has = |colour: RGBColor| picture.pixels().filter(|pixel| pixel.0 == [colour.0, colour.1, colour.2]).count();
        assert!(has(COLOURS[0]) > 200 && has(COLOURS[1]) > 200);
        // The numbers of the vertical axis: dark pixels left of it.
        let dark = |x: u32, y: u32| picture.get_pixel(x, y).0.iter().all(|&channel| channel < 100);
        assert!((0..HEIGHT).flat_map(|y| (20..70).map(move |x| (x, y))).filter(|&(x, y)| dark(x, y)).count() > 100);
    }

    #[test]
    fn nothing_logged_draws_nothing_and_one_point_draws() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.png");
        draw(&history(0), 0..2, "t", &path).unwrap();
        draw(&history(9), 2..3, "t", &path).unwrap();
        assert!(!path.exists());
        draw(&history(1), 0..2, "t", &path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn long_curves_are_averaged_down() {
        let long = History {
            names: vec!["D".into()],
            points: (0..9_999).map(|step| (step, vec![Some(step as f32)])).collect(),
            seconds: 0.0,
        };
        let points = points(&long, 0);
        assert!(points.len() <= POINTS && points.len() > POINTS / 2);
        assert!(points.iter().all(|point| point.0 == point.1));
    }
}
