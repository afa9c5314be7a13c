//! Measuring a workload: times of its steps, the machine's peak beside them, memory.

use crate::{GemmPeak, Workload, peak_resident_bytes};
use std::time::Instant;

/// Steps before the clock starts.
const WARM_UP: usize = 5;
/// Between two looks at the machine's peak, steps are timed for so many seconds.
const STRETCH: f64 = 0.5;
/// Steps after each look that are not timed: they find the caches full of something else.
const REHEAT: usize = 2;
/// Products of each look; the first few find the workers asleep.
const LOOKS: usize = 40;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Which workload.
    pub workload: Workload,
    /// The times of all timed steps in seconds, the shortest first; at least one.
    pub seconds: Vec<f64>,
    /// Seconds from the model's text to a model that can make its first step.
    pub build_seconds: f64,
    /// The most memory the process had resident, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// The fastest large product in the same process, in floating-point operations a second.
    pub gemm_flops_per_second: f64,
    /// Floating-point operations of the products that a step executed.
    pub executed_flops: f64,
}

/// Builds a workload and times its steps for so many seconds, on so many workers or one a core.
///
/// The machine's peak is measured in turns with the steps: a machine shared with others has no one peak. Memory is read before
/// the first of these products, so it is the workload's own.
///
/// # Errors
/// Those of the model's build and steps, and threads that cannot be started.
pub fn measure(workload: Workload, seconds: f64, workers: Option<usize>) -> saddlepoint::Result<Measured> {
    let start = Instant::now();
    let mut running = workload.build(workers)?;
    let build_seconds = start.elapsed().as_secs_f64();
    for _ in 0..WARM_UP {
        running.step()?;
    }
    let peak_bytes = peak_resident_bytes();
    let count = saddlepoint::Config::new();
    let count = workers.map_or(count.worker_count(), |n| n);
    let mut peak = GemmPeak::new(count).map_err(|e| saddlepoint::Error::Device { message: e.to_string() })?;
    let mut times = Vec::new();
    let begin = Instant::now();
    loop {
        peak.sample(LOOKS);
        for _ in 0..REHEAT {
            running.step()?;
        }
        let stretch = Instant::now();
        while times.is_empty() || stretch.elapsed().as_secs_f64() < STRETCH {
            let start = Instant::now();
            running.step()?;
            times.push(start.elapsed().as_secs_f64());
        }
        if begin.elapsed().as_secs_f64() >= seconds {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(Measured {
        workload,
        seconds: times,
        build_seconds,
        peak_bytes,
        gemm_flops_per_second: peak.flops_per_second(),
        executed_flops: running.executed_flops(),
    })
}

impl Measured {
    /// The time in seconds that this part of the steps, from 0 to 1, did not exceed.
    pub fn quantile(&self, part: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1);
        let index = (self.seconds.len() as f64 * part) as usize;
        self.seconds.get(index.min(last)).copied().unwrap_or(f64::NAN)
    }

    /// The part of the machine's peak that the useful work of a step reaches, in the time that a tenth of the steps did not
    /// exceed.
    pub fn roofline(&self) -> f64 {
        self.workload.useful_flops() / self.gemm_flops_per_second / self.quantile(0.1)
    }

    /// The report: a line that other programs read, and one with what is behind its share of the roofline.
    pub fn lines(&self) -> String {
        let name = self.workload.name();
        let peak = self.peak_bytes.map_or("n/a".to_string(), |b| format!("{:.1}", b as f64 / 1e6));
        format!(
            "saddlepoint {name} median_ms {:.3} p10_ms {:.3} build_s {:.3} roofline_pct {:.1} peak_mb {peak} n {}\n\
             saddlepoint {name} executed_gflop {:.3} useful_gflop {:.3} gemm_peak_gflops {:.1}",
            1e3 * self.quantile(0.5),
            1e3 * self.quantile(0.1),
            self.build_seconds,
            100.0 * self.roofline(),
            self.seconds.len(),
            self.executed_flops / 1e9,
            self.workload.useful_flops() / 1e9,
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
            seconds: (1..=10).map(|i| f64::from(i) * 1e-3).collect(),
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
    }
}
