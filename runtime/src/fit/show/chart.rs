//! What a chart shows, before it is drawn: curves out of a run's history, ranges, ticks, and whether an axis is logarithmic.
//!
//! What always holds: every point is finite; on a logarithmic axis values are positive.

use std::ops::Range;

use crate::fit::log::History;

/// Curves have at most this many points; longer ones are averaged down to it.
pub(super) const POINTS: usize = 500;
/// Positive values that span more than this factor are drawn over a logarithmic axis.
const DECADES: f64 = 100.0;
/// Values beyond this many times the middle nine tenths of all values are cut off.
const FAR: f64 = 4.0;

/// One value over the steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    pub name: String,
    /// As logged, averaged over neighbours where there are more than a picture shows.
    pub raw: Vec<(f64, f64)>,
    /// An exponential average over about a fiftieth of the curve.
    pub smooth: Vec<(f64, f64)>,
}

/// Curves over common axes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chart {
    pub title: String,
    pub curves: Vec<Curve>,
    pub steps: (f64, f64),
    pub values: (f64, f64),
    pub logarithmic: bool,
    /// Some values lie outside of the range, and are drawn on its edge.
    pub cut: bool,
}

impl Chart {
    /// A chart of the values `which` of the history; `None` where nothing finite was logged.
    pub(super) fn new(history: &History, which: Range<usize>, title: &str) -> Option<Chart> {
        let curve = |index: usize| {
            let raw = points(history, index);
            Curve { name: history.names[index].clone(), smooth: smooth(&raw), raw }
        };
        let curves: Vec<Curve> = which.map(curve).filter(|curve| !curve.raw.is_empty()).collect();
        let mut values: Vec<f64> = curves.iter().flat_map(|curve| curve.raw.iter().map(|point| point.1)).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let steps = curves.iter().flat_map(|curve| [curve.raw.first(), curve.raw.last()]).flatten().map(|point| point.0);
        let (first, last) =
            steps.fold((f64::INFINITY, f64::NEG_INFINITY), |range, step| (range.0.min(step), range.1.max(step)));
        let logarithmic = least > 0.0 && most / least > DECADES;
        let (range, cut) = match logarithmic {
            true => ((least / 1.2, most * 1.2), false),
            false => linear_range(&values, least, most),
        };
        let steps = (first, last.max(first + 1.0));
        Some(Chart { title: title.to_string(), curves, steps, values: range, logarithmic, cut })
    }

    /// Where a value stands on the vertical axis, which is linear in what this returns; at its end, if it lies beyond.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = value.clamp(self.values.0, self.values.1);
        if self.logarithmic { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    /// The marks of the vertical axis: where they stand, and what they say.
    pub(super) fn value_ticks(&self) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return linear_ticks(self.values.0, self.values.1, 6);
        }
        let (low, high) = (self.values.0.log10(), self.values.1.log10());
        let decades: Vec<i32> = (low.floor() as i32..=high.ceil() as i32).collect();
        let every = decades.len().div_ceil(7).max(1);
        let ticks = decades.iter().filter(|decade| **decade % every as i32 == 0).map(|&decade| f64::from(decade));
        ticks.filter(|tick| (low..=high).contains(tick)).map(|tick| (tick, power(tick))).collect()
    }

    /// The marks of the horizontal axis.
    pub(super) fn step_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let ticks = linear_ticks(self.steps.0, self.steps.1, count);
        ticks.into_iter().filter(|(step, _)| step.fract() == 0.0).map(|(step, _)| (step, thousands(step))).collect()
    }
}

/// The range of a linear axis, and whether values far from all others are cut off.
fn linear_range(sorted: &[f64], least: f64, most: f64) -> ((f64, f64), bool) {
    let quantile = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
    let (low, high) = (quantile(0.05), quantile(0.95));
    let spread = high - low;
    let (from, to) = match spread > 0.0 && sorted.len() >= 20 {
        true => (least.max(low - FAR * spread), most.min(high + FAR * spread)),
        false => (least, most),
    };
    let room = (0.05 * (to - from)).max(1e-3 * to.abs().max(from.abs())).max(1e-6);
    ((from - room, to + room), from > least || to < most)
}

/// Round numbers between two ends, about `count` of them.
pub(super) fn linear_ticks(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let rough = (high - low) / count.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let label = |value: f64| match low.abs().max(high.abs()) >= 1e6 || decimals > 5 {
        true => format!("{value:.1e}"),
        false => format!("{value:.decimals$}"),
    };
    let first = (low / step).ceil() as i64;
    let marks = (0..).map(|k| (first + k) as f64 * step).take_while(|value| *value <= high + 1e-9 * step).take(40);
    // No "-0".
    marks.map(|value| (value, label(if value.abs() < 1e-9 * step { 0.0 } else { value }))).collect()
}

fn power(exponent: f64) -> String {
    match exponent as i32 {
        exponent @ -3..=4 => format!("{}", 10f64.powi(exponent)),
        exponent => format!("1e{exponent}"),
    }
}

/// A step count in few characters: 12000 is 12k.
fn thousands(step: f64) -> String {
    match step {
        _ if step >= 1e6 && step % 1e5 == 0.0 => format!("{}M", step / 1e6),
        _ if step >= 1e4 && step % 1e2 == 0.0 => format!("{}k", step / 1e3),
        _ => format!("{step:.0}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: impl IntoIterator<Item = f32>) -> Option<Chart> {
        let points = values.into_iter().zip(1u64..).map(|(value, step)| (step * 10, vec![Some(value)])).collect();
        Chart::new(&History { names: vec!["D".into()], points, seconds: 0.0 }, 0..1, "t")
    }

    fn labels(ticks: Vec<(f64, String)>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn long_curves_are_averaged_down() {
        let long = chart((0..9_999).map(|step| step as f32)).unwrap();
        let raw = &long.curves[0].raw;
        assert!(raw.len() <= POINTS && raw.len() > POINTS / 2);
        assert!(raw.iter().all(|point| (point.0 - 10.0 * (point.1 + 1.0)).abs() < 1e-6));
    }

    #[test]
    fn values_over_many_decades_have_a_logarithmic_axis_and_others_have_not() {
        let decades = chart((0..60).map(|step| 1e3 * (-0.3 * step as f32).exp())).unwrap();
        assert!(decades.logarithmic && !decades.cut);
        assert_eq!(labels(decades.value_ticks()), ["1e-4", "0.01", "1", "100"]);
        assert!(!chart([1.0, 2.0, 50.0]).unwrap().logarithmic);
        assert!(!chart([-1.0, 2.0, 5000.0]).unwrap().logarithmic);
    }

    #[test]
    fn a_lonely_spike_does_not_flatten_the_curve() {
        let wave = |step: u32| if step == 50 { -4000.0 } else { (step as f32 * 0.4).sin() };
        let spiked = chart((0..100).map(wave)).unwrap();
        assert!(spiked.cut && spiked.values.0 > -20.0 && spiked.values.1 < 2.0, "{:?}", spiked.values);
        assert_eq!((spiked.curves[0].raw[50].1, spiked.place(-4000.0)), (-4000.0, spiked.values.0));
    }

    #[test]
    fn ticks_are_round_numbers_in_the_range() {
        assert_eq!(labels(linear_ticks(-0.9, 1.1, 4)), ["-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(linear_ticks(0.0, 3000.0, 6)), ["0", "500", "1000", "1500", "2000", "2500", "3000"]);
        assert!(linear_ticks(1.0, 1.0, 5).is_empty() && linear_ticks(f64::NAN, 1.0, 5).is_empty());
        let steps = Chart { steps: (10.0, 60_000.0), ..chart([1.0, 2.0]).unwrap() };
        assert_eq!(labels(steps.step_ticks(3)), ["20k", "40k", "60k"]);
    }

    #[test]
    fn nothing_known_is_no_chart_and_one_value_is_one() {
        assert_eq!(chart([]), None);
        assert_eq!(chart([f32::NAN]), None);
        let single = chart([0.0]).unwrap();
        assert!(single.values.0 < 0.0 && single.values.1 > 0.0 && single.steps.1 > single.steps.0);
    }
}
