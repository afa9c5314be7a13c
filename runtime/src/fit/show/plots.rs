//! Samples that are no pictures, as pictures: one number a sample as a histogram, two as points in a plane, signals as lines.
//! Real samples, where they are at hand, are drawn beside the generated ones.

use image::ExtendedColorType;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::chart::linear_ticks;
use super::curves::{COLOURS, FONT, GRID, register, said};
use crate::error::{Error, Result};
use crate::picture::{encode_png, is_pictures};
use crate::tensor::Tensor;

const REAL: RGBColor = RGBColor(150, 150, 150);
const MADE: RGBColor = COLOURS[1];
const SIDE: u32 = 560;
/// Signals of one picture: generated ones, and real ones below.
const ACROSS: usize = 4;
const SIGNALS: usize = 12;
/// Bars of a histogram.
const BARS: usize = 48;
/// Points of one signal; longer ones are drawn by their least and greatest values.
const POINTS: usize = 400;

/// How samples of a shape are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Pictures,
    Numbers,
    Points,
    /// This many channels of this many values.
    Signals(usize, usize),
}

/// The form of samples with a leading batch axis; `None` for what cannot be shown.
pub(super) fn form(shape: &[usize]) -> Option<Form> {
    match shape {
        shape if is_pictures(shape) => Some(Form::Pictures),
        [_, 1] | [_, 1, 1] => Some(Form::Numbers),
        [_, 2] | [_, 1, 2] => Some(Form::Points),
        [_, length] if *length > 2 => Some(Form::Signals(1, *length)),
        [_, channels @ 1..=7, length] if *length > 2 => Some(Form::Signals(*channels, *length)),
        _ => None,
    }
}

/// The samples as the bytes of a PNG file.
pub(super) fn png(form: Form, samples: &Tensor, real: Option<&Tensor>) -> Result<Vec<u8>> {
    let (width, height) = match form {
        Form::Signals(..) => (1000, 150 * (SIGNALS / ACROSS + real.map_or(0, |_| 1)) as u32),
        _ => (SIDE, SIDE),
    };
    let mut pixels = vec![255; (width * height * 3) as usize];
    let real = real.map(Tensor::as_slice).unwrap_or_default();
    let drawn = register().and_then(|()| match form {
        Form::Points => points(&mut pixels, samples.as_slice(), real),
        Form::Numbers => histogram(&mut pixels, samples.as_slice(), real),
        Form::Signals(channels, length) => {
            signals(&mut pixels, (width, height), (channels, length), samples.as_slice(), real)
        }
        Form::Pictures => Err("pictures are drawn as grids".to_string()),
    });
    drawn.map_err(|message| Error::io("a picture of samples", std::io::Error::other(message)))?;
    encode_png(width as usize, height as usize, ExtendedColorType::Rgb8, &pixels)
}

/// A range around most of the finite values: that of the real samples where there are any, so that it stays while training.
fn range(made: impl Iterator<Item = f32>, real: impl Iterator<Item = f32>) -> (f64, f64) {
    let finite = |values: &mut dyn Iterator<Item = f32>| -> Vec<f64> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).map(f64::from).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (mut real, mut made) = (real, made);
    let mut known = finite(&mut real);
    if known.is_empty() {
        known = finite(&mut made);
    }
    let at = |part: f64| known.get(((known.len().max(1) - 1) as f64 * part).round() as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(0.005), at(0.995));
    let room = (0.25 * (high - low)).max(1e-3 * high.abs().max(low.abs())).max(1e-6);
    (low - room, high + room)
}

fn inside(value: f64, range: (f64, f64)) -> bool {
    (range.0..=range.1).contains(&value)
}

/// A square with axes, a legend and what it counts.
fn points(pixels: &mut [u8], made: &[f32], real: &[f32]) -> std::result::Result<(), String> {
    let pairs =
        |values: &[f32]| values.chunks_exact(2).map(|pair| (f64::from(pair[0]), f64::from(pair[1]))).collect::<Vec<_>>();
    let along = |values: &[f32], axis: usize| values.iter().copied().skip(axis).step_by(2).collect::<Vec<_>>();
    let axis = |axis: usize| range(along(made, axis).into_iter(), along(real, axis).into_iter());
    let (across, up) = (axis(0), axis(1));
    let shown = |values: &[f32]| {
        let mut pairs = pairs(values);
        pairs.retain(|pair| inside(pair.0, across) && inside(pair.1, up));
        pairs
    };
    let (made_shown, real_shown) = (shown(made), shown(real));
    let area = BitMapBackend::with_buffer(pixels, (SIDE, SIDE)).into_drawing_area();
    let outside = made.len() / 2 - made_shown.len();
    let caption = match outside {
        0 => format!("{} generated samples", made.len() / 2),
        outside => format!("{} generated samples, {outside} outside", made.len() / 2),
    };
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, (FONT, 18))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(46)
        .build_cartesian_2d(across.0..across.1, up.0..up.1)
        .map_err(said)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .label_style((FONT, 15))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .draw()
        .map_err(said)?;
    let dots = |points: Vec<(f64, f64)>, style: ShapeStyle| points.into_iter().map(move |at| Circle::new(at, 3, style));
    if !real_shown.is_empty() {
        let style = REAL.mix(0.6).filled();
        chart.draw_series(dots(real_shown, style)).map_err(said)?.label("real").legend(move |at| Circle::new(at, 4, style));
    }
    let style = MADE.mix(0.7).filled();
    let drawn = chart.draw_series(dots(made_shown, style)).map_err(said)?;
    drawn.label("generated").legend(move |at| Circle::new(at, 4, style));
    legend(&mut chart)?;
    area.present().map_err(said)
}

type Plane<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn legend<'a>(chart: &mut Plane<'a, 'a>) -> std::result::Result<(), String> {
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::UpperRight).label_font((FONT, 15)).background_style(WHITE.mix(0.85));
    labels.border_style(GRID).margin(8).draw().map_err(said)
}

/// Shares of the samples over a line, real ones as filled bars and generated ones as an outline.
fn histogram(pixels: &mut [u8], made: &[f32], real: &[f32]) -> std::result::Result<(), String> {
    let across = range(made.iter().copied(), real.iter().copied());
    let width = (across.1 - across.0) / BARS as f64;
    let shares = |values: &[f32]| {
        let mut bars = vec![0.0; BARS];
        for value in values.iter().copied().map(f64::from).filter(|value| inside(*value, across)) {
            bars[(((value - across.0) / width) as usize).min(BARS - 1)] += 1.0 / values.len() as f64;
        }
        bars
    };
    let (made_shares, real_shares) = (shares(made), shares(real));
    let highest = made_shares.iter().chain(&real_shares).copied().fold(1e-3, f64::max);
    let area = BitMapBackend::with_buffer(pixels, (SIDE, SIDE)).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{} generated samples", made.len()), (FONT, 18))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(46)
        .build_cartesian_2d(across.0..across.1, 0.0..1.1 * highest)
        .map_err(said)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .label_style((FONT, 15))
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .draw()
        .map_err(said)?;
    let at = |bar: usize| across.0 + bar as f64 * width;
    if !real.is_empty() {
        let bars = real_shares
            .iter()
            .enumerate()
            .map(|(bar, share)| Rectangle::new([(at(bar), 0.0), (at(bar + 1), *share)], REAL.mix(0.5).filled()));
        let sample = |at: (i32, i32)| Rectangle::new([(at.0, at.1 - 5), (at.0 + 14, at.1 + 5)], REAL.mix(0.5).filled());
        chart.draw_series(bars).map_err(said)?.label("real").legend(sample);
    }
    let outline = made_shares.iter().enumerate().flat_map(|(bar, share)| [(at(bar), *share), (at(bar + 1), *share)]);
    let sample = |at: (i32, i32)| PathElement::new([at, (at.0 + 16, at.1)], MADE.stroke_width(2));
    let line = LineSeries::new(outline, MADE.stroke_width(2));
    chart.draw_series(line).map_err(said)?.label("generated").legend(sample);
    legend(&mut chart)?;
    area.present().map_err(said)
}

/// Small charts in rows, all over the same range: generated signals, then a row of real ones.
fn signals(
    pixels: &mut [u8],
    size: (u32, u32),
    (channels, length): (usize, usize),
    made: &[f32],
    real: &[f32],
) -> std::result::Result<(), String> {
    let each = channels * length;
    let up = range(made.iter().copied(), real.iter().copied());
    let area = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    let rows = SIGNALS / ACROSS + usize::from(!real.is_empty());
    let parts = area.split_evenly((rows, ACROSS));
    let made = made.chunks_exact(each).take(SIGNALS).map(|signal| (signal, false));
    let real = real.chunks_exact(each).take(ACROSS).map(|signal| (signal, true));
    for (slot, (signal, real)) in (0..).zip(made).chain((SIGNALS..).zip(real)) {
        let Some(part) = parts.get(slot) else { continue };
        let mut builder = ChartBuilder::on(part);
        builder.margin(4).y_label_area_size(36).x_label_area_size(20);
        let mut chart = builder.build_cartesian_2d(0.0..(length - 1) as f64, up.0..up.1).map_err(said)?;
        let ticks: Vec<(f64, String)> = linear_ticks(up.0, up.1, 3);
        let label = |at: &f64| ticks.iter().find(|tick| (tick.0 - at).abs() < 1e-9).map(|tick| tick.1.clone());
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .label_style((FONT, 12))
            .x_labels(4)
            .y_labels(4)
            .x_label_formatter(&|value| format!("{value:.0}"))
            .y_label_formatter(&|value| label(value).unwrap_or_else(|| short(*value)))
            .draw()
            .map_err(said)?;
        for (channel, values) in signal.chunks_exact(length).enumerate() {
            let colour = if real { REAL } else { COLOURS[channel % COLOURS.len()] };
            let drawn = thinned(values).into_iter().map(|(at, value)| (at, value.clamp(up.0, up.1)));
            chart.draw_series(LineSeries::new(drawn, colour.stroke_width(1))).map_err(said)?;
        }
        if real {
            part.draw(&Text::new("real", (48, 8), (FONT, 13).into_font().color(&BLACK))).map_err(said)?;
        }
    }
    area.present().map_err(said)
}

/// The finite values of a signal over their places; of a long one the least and the greatest of every stretch.
fn thinned(values: &[f32]) -> Vec<(f64, f64)> {
    let points = values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let points: Vec<(f64, f64)> = points.map(|(at, value)| (at as f64, f64::from(*value))).collect();
    if points.len() <= POINTS {
        return points;
    }
    let extremes = |stretch: &[(f64, f64)]| {
        let least = stretch.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let most = stretch.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut pair: Vec<(f64, f64)> = least.into_iter().chain(most).collect();
        pair.sort_by(|a, b| a.0.total_cmp(&b.0));
        pair
    };
    points.chunks(points.len().div_ceil(POINTS / 2)).flat_map(extremes).collect()
}

/// A number of an axis.
fn short(value: f64) -> String {
    match value.abs() {
        size if size < 1e-9 => "0".to_string(),
        size if !(1e-2..1e4).contains(&size) => format!("{value:.0e}"),
        size if size < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(shape: &[usize], values: Vec<f32>, real: Option<&Tensor>) -> image::RgbImage {
        let samples = Tensor::new(shape.to_vec(), values).unwrap();
        let bytes = png(form(shape).unwrap(), &samples, real).unwrap();
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    }

    /// Pixels that are more of this colour than of any other: drawn half transparent over white.
    fn coloured(picture: &image::RgbImage, is: fn([u8; 3]) -> bool) -> Vec<(u32, u32)> {
        picture.enumerate_pixels().filter(|(_, _, pixel)| is(pixel.0)).map(|(x, y, _)| (x, y)).collect()
    }

    fn orange([red, green, blue]: [u8; 3]) -> bool {
        red > 180 && green < 170 && blue < 110
    }

    fn grey([red, green, blue]: [u8; 3]) -> bool {
        red == green && green == blue && (150..=200).contains(&red)
    }

    #[test]
    fn forms_follow_from_shapes() {
        assert_eq!(form(&[64, 1, 28, 28]), Some(Form::Pictures));
        assert_eq!(form(&[64, 3, 8, 8]), Some(Form::Pictures));
        assert_eq!(form(&[64, 2]), Some(Form::Points));
        assert_eq!(form(&[64, 1]), Some(Form::Numbers));
        assert_eq!(form(&[64, 100]), Some(Form::Signals(1, 100)));
        assert_eq!(form(&[64, 2, 100]), Some(Form::Signals(2, 100)));
        for none in [&[64][..], &[64, 5, 8, 8], &[64, 9, 30], &[64, 0]] {
            assert_eq!(form(none), None, "{none:?}");
        }
    }

    #[test]
    fn points_stand_where_they_are_and_those_far_from_the_real_ones_are_counted() {
        let real = Tensor::new([200, 2], (0..400).map(|i| ((i * 37) % 400) as f32 / 200.0 - 1.0).collect()).unwrap();
        // Generated in the upper right, one of them far away, one no number.
        let made: Vec<f32> = [vec![0.9; 40], vec![1e6, 0.0, f32::NAN, 0.0]].concat();
        let picture = decoded(&[22, 2], made, Some(&real));
        let orange = coloured(&picture, orange);
        let in_plane = orange.iter().filter(|(x, y)| !(*x > 400 && *y < 90));
        assert!(in_plane.clone().count() > 10);
        assert!(in_plane.clone().all(|(x, y)| *x > 300 && *y < 300), "{orange:?}");
        assert!(coloured(&picture, grey).len() > 500);
        // Without real ones the range is that of the generated ones.
        assert!(!coloured(&decoded(&[2, 2], vec![1e3, 1e3, -1e3, 2e3], None), self::orange).is_empty());
    }

    #[test]
    fn single_numbers_are_a_histogram() {
        let real = Tensor::new([300, 1], (0..300).map(|i| (i as f32 * 0.1).sin()).collect()).unwrap();
        let picture = decoded(&[50, 1], (0..50).map(|i| i as f32 / 50.0).collect(), Some(&real));
        assert!(coloured(&picture, orange).len() > 300);
        assert!(picture.pixels().filter(|pixel| pixel.0 == [202, 202, 202]).count() > 2_000);
    }

    #[test]
    fn signals_are_lines_with_a_row_of_real_ones_below() {
        let wave = |rate: f32| (0..2 * 2 * 700).map(|i| (i as f32 * rate).sin()).collect::<Vec<_>>();
        let real = Tensor::new([2, 2, 700], wave(0.02)).unwrap();
        let picture = decoded(&[2, 2, 700], wave(0.05), Some(&real));
        assert_eq!(picture.dimensions(), (1000, 600));
        let blue = coloured(&picture, |[red, _, blue]| red < 60 && blue > 120);
        assert!(blue.len() > 300 && blue.iter().all(|(_, y)| *y < 150));
        assert!(coloured(&picture, grey).iter().any(|(_, y)| *y > 450));
        assert_eq!(decoded(&[3, 5], vec![f32::NAN; 15], None).dimensions(), (1000, 450));
    }
}
