//! How the time of a step grows with its work: the four workloads at batches and widths from small to large.

use crate::measure::{LOOKS, STRETCH, Times, gemm_peak};
use crate::{Size, Workload};
use rand_distr::{Distribution, StandardUniform};
use saddlepoint_runtime::streams::Stream;
use std::fmt::Write;

/// Samples of a batch, at the workload's own width.
pub const BATCHES: [usize; 7] = [16, 32, 64, 128, 256, 512, 1024];
/// Multiples of the workload's own width, at its own batch.
pub const WIDTHS: [usize; 4] = [1, 2, 4, 8];

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The samples of a batch.
    Batch,
    /// All hidden widths and channels.
    Width,
}

impl Axis {
    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Axis::Batch => "batch",
            Axis::Width => "width",
        }
    }
}

/// A workload at one size along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which workload.
    pub workload: Workload,
    /// The axis that it stands on.
    pub axis: Axis,
    /// How large it is.
    pub size: Size,
    /// The times of its steps in the round whose tenth percentile was smallest; none before it was measured.
    pub times: Times,
    /// Floating-point operations of the products that a step executes.
    pub executed_flops: f64,
}

impl Point {
    /// The useful work of a step in floating-point operations.
    pub fn useful_flops(&self) -> f64 {
        self.workload.useful_flops(self.size)
    }
}

/// All points of these workloads, by axis, the smallest first; with `quick` only the ends of each axis.
pub fn points(workloads: &[Workload], quick: bool) -> Vec<Point> {
    let mut points = Vec::new();
    for &workload in workloads {
        let own = workload.size();
        let batches = BATCHES.map(|batch| (Axis::Batch, Size { batch, ..own }));
        let widths = WIDTHS.map(|times| (Axis::Width, Size { width: times * own.width, ..own }));
        let ends = |sizes: &[(Axis, Size)]| match quick {
            true => vec![sizes[0], sizes[sizes.len() - 1]],
            false => sizes.to_vec(),
        };
        points.extend([ends(&batches), ends(&widths)].concat().into_iter().map(|(axis, size)| Point {
            workload,
            axis,
            size,
            times: Times::default(),
            executed_flops: 0.0,
        }));
    }
    points
}

/// The points' indices in an order that follows no axis, another one for every round: what slows the machine for a while must not
/// look like growth.
fn order(count: usize, round: usize) -> Vec<usize> {
    let mut draws = Stream::Synthetic { set: "the order of growth" }.open(round as u64);
    let mut keyed: Vec<(f64, usize)> = (0..count).map(|i| (StandardUniform.sample(&mut draws), i)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// Measures every point so many rounds for so many seconds each and keeps the better round; tells of each point that is done.
/// Returns the machine's peak, measured between the points, in floating-point operations a second.
///
/// # Errors
/// Those of the models' builds and steps, and threads that cannot be started.
pub fn measure(points: &mut [Point], seconds: f64, rounds: usize, done: &dyn Fn(&Point)) -> saddlepoint::Result<f64> {
    let mut peak = gemm_peak(None)?;
    for round in 0..rounds {
        for index in order(points.len(), round) {
            let point = &mut points[index];
            let mut running = point.workload.build(point.size, None)?;
            point.executed_flops = running.executed_flops();
            Times::warm_up(&mut running, STRETCH.min(seconds))?;
            let mut times = Times::default();
            times.take(&mut running, seconds)?;
            if point.times.count() == 0 || times.quantile(0.1) < point.times.quantile(0.1) {
                point.times = times;
            }
            done(point);
            peak.sample(LOOKS);
        }
    }
    Ok(peak.flops_per_second())
}

/// All measured points as a table of comma-separated values.
pub fn csv(points: &[Point], gemm_flops_per_second: f64) -> String {
    let mut text =
        "workload,axis,batch,width,useful_gflop,executed_gflop,median_ms,p10_ms,steps,gemm_peak_gflops\n".to_string();
    for point in points {
        writeln!(
            text,
            "{},{},{},{},{:.6},{:.6},{:.4},{:.4},{},{:.1}",
            point.workload.name(),
            point.axis.name(),
            point.size.batch,
            point.size.width / point.workload.size().width,
            point.useful_flops() / 1e9,
            point.executed_flops / 1e9,
            1e3 * point.times.quantile(0.5),
            1e3 * point.times.quantile(0.1),
            point.times.count(),
            gemm_flops_per_second / 1e9,
        )
        .expect("text takes all writes");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_on_both_axes_and_work_grows_along_each() {
        let all = points(&Workload::FOUR, false);
        assert_eq!(all.len(), 4 * (BATCHES.len() + WIDTHS.len()));
        for pair in all.windows(2).filter(|p| p[0].workload == p[1].workload && p[0].axis == p[1].axis) {
            let factor = pair[1].useful_flops() / pair[0].useful_flops();
            // A batch of twice the samples is twice the work; nets of twice the width up to four times.
            let allowed = if pair[0].axis == Axis::Batch { 2.0..=2.0 } else { 2.0..=4.0 };
            assert!(allowed.contains(&factor), "{pair:?}: {factor}");
        }
        assert_eq!(points(&Workload::FOUR, true).len(), 4 * 4);
    }

    #[test]
    fn every_round_visits_all_points_in_another_order() {
        let (first, second) = (order(20, 0), order(20, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        assert!(first != sorted && first != second && first == order(20, 0));
    }

    #[test]
    fn a_row_has_a_value_for_every_heading() {
        let mut all = points(&[Workload::W1], true);
        all[3].times = [0.25].into_iter().collect();
        let text = csv(&all, 100e9);
        let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split(',').collect()).collect();
        assert!(rows.len() == 5 && rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
        assert_eq!(rows[4][..4], ["w1", "width", "512", "8"]);
        assert_eq!(rows[4][6..], ["250.0000", "250.0000", "1", "100.0"]);
    }
}
