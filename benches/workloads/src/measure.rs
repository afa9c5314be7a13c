//! Measuring a workload: times of its steps, the machine's peak beside them, memory.

use crate::{GemmPeak, Running, Workload, peak_resident_bytes};
use std::time::Instant;

/// Steps before the clock starts.
const WARM_UP: usize = 5;
/// Between two looks at something else, steps are timed for so many seconds.
pub(crate) const STRETCH: f64 = 0.5;
/// Steps after each look that are not timed: they find the caches full of something else.
const REHEAT: usize = 2;
/// Products of each look at the machine's peak; the first few find the workers asleep.
pub(crate) const LOOKS: usize = 40;

/// Times of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// Runs steps untimed: a few, or fewer that take this long.
    pub(crate) fn warm_up(running: &mut Running, seconds: f64) -> saddlepoint::Result<()> {
        let begin = Instant::now();
        for _ in 0..WARM_UP {
            running.step()?;
            if begin.elapsed().as_secs_f64() >= seconds {
                break;
            }
        }
        Ok(())
    }

    /// Times steps for this long, one at least, as a stretch between others of something else: the first few find the caches full
    /// of that, so they do not count.
    pub(crate) fn stretch(&mut self, running: &mut Running, seconds: f64) -> saddlepoint::Result<()> {
        // A step that takes a stretch by itself hardly notices.
        if self.0.last().is_none_or(|last| *last < seconds) {
            for _ in 0..REHEAT {
                running.step()?;
            }
        }
        self.take(running, seconds)
    }

    /// Times steps for this long, one at least.
    pub(crate) fn take(&mut self, running: &mut Running, seconds: f64) -> saddlepoint::Result<()> {
        let begin = Instant::now();
        loop {
            let start = Instant::now();
            running.step()?;
            self.0.push(start.elapsed().as_secs_f64());
            if begin.elapsed().as_secs_f64() >= seconds {
                return Ok(());
            }
        }
    }

    /// How many steps were timed.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time in seconds that this part of the steps, from 0 to 1, did not exceed; NaN where none was timed.
    pub fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (sorted.len() as f64 * part) as usize;
        sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(seconds: I) -> Times {
        Times(seconds.into_iter().collect())
    }
}

/// What was measured of a workload at its own size.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Which workload.
    pub workload: Workload,
    /// The times of its steps; at least one.
    pub times: Times,
    /// Seconds from the model's text to a model that can make its first step.
    pub build_seconds: f64,
    /// The most memory the process had resident, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// The fastest large product in the same process, in floating-point operations a second.
    pub gemm_flops_per_second: f64,
    /// Floating-point operations of the products that a step executed.
    pub executed_flops: f64,
}

/// Builds a workload at its own size and times its steps for so many seconds, on so many workers or one a core.
///
/// The machine's peak is measured in turns with the steps: a machine shared with others has no one peak. Memory is read before
/// the first of these products, so it is the workload's own.
///
/// # Errors
/// Those of the model's build and steps, and threads that cannot be started.
pub fn measure(workload: Workload, seconds: f64, workers: Option<usize>) -> saddlepoint::Result<Measured> {
    let start = Instant::now();
    let mut running = workload.build(workload.size(), workers)?;
    let build_seconds = start.elapsed().as_secs_f64();
    Times::warm_up(&mut running, seconds)?;
    let peak_bytes = peak_resident_bytes();
    let mut peak = gemm_peak(workers)?;
    let mut times = Times::default();
    let begin = Instant::now();
    loop {
        peak.sample(LOOKS);
        times.stretch(&mut running, STRETCH)?;
        if begin.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    Ok(Measured {
        workload,
        times,
        build_seconds,
        peak_bytes,
        gemm_flops_per_second: peak.flops_per_second(),
        executed_flops: running.executed_flops(),
    })
}

/// The machine's peak, to be measured with so many workers or one a core.
pub(crate) fn gemm_peak(workers: Option<usize>) -> saddlepoint::Result<GemmPeak> {
    let count = workers.unwrap_or_else(|| saddlepoint::Config::new().worker_count());
    GemmPeak::new(count).map_err(|e| saddlepoint::Error::Device { message: e.to_string() })
}

impl Measured {
    /// The useful work of a step in floating-point operations.
    pub fn useful_flops(&self) -> f64 {
        self.workload.useful_flops(self.workload.size())
    }

    /// The part of the machine's peak that the useful work of a step reaches, in the time that a tenth of the steps did not
    /// exceed.
    pub fn roofline(&self) -> f64 {
        self.useful_flops() / self.gemm_flops_per_second / self.times.quantile(0.1)
    }

    /// The report: a line that other programs read, and one with what is behind its share of the roofline.
    pub fn lines(&self) -> String {
        let name = self.workload.name();
        let peak = self.peak_bytes.map_or("n/a".to_string(), |b| format!("{:.1}", b as f64 / 1e6));
        format!(
            "saddlepoint {name} median_ms {:.3} p10_ms {:.3} build_s {:.3} roofline_pct {:.1} peak_mb {peak} n {}\n\
             saddlepoint {name} executed_gflop {:.3} useful_gflop {:.3} gemm_peak_gflops {:.1}",
            1e3 * self.times.quantile(0.5),
            1e3 * self.times.quantile(0.1),
            self.build_seconds,
            100.0 * self.roofline(),
            self.times.count(),
            self.executed_flops / 1e9,
            self.useful_flops() / 1e9,
            self.gemm_flops_per_second / 1e9,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_the_promised_form() {
        let measured = Measured {
            workload: Workload::W1,
            times: (1..=10).rev().map(|i| f64::from(i) * 1e-3).collect(),
            build_seconds: 0.25,
            peak_bytes: Some(21_500_000),
            gemm_flops_per_second: 200e9,
            executed_flops: 0.3e9,
        };
        assert_eq!(
            measured.lines(),
            "saddlepoint w1 median_ms 6.000 p10_ms 2.000 build_s 0.250 roofline_pct 51.4 peak_mb 21.5 n 10\n\
             saddlepoint w1 executed_gflop 0.300 useful_gflop 0.206 gemm_peak_gflops 200.0"
        );
        let lines = Measured { peak_bytes: None, ..measured }.lines();
        assert!(lines.contains("peak_mb n/a n 10"), "{lines}");
        assert!(Times::default().quantile(0.5).is_nan());
    }
}
