//! How much faster a step is on several workers: the same workload built for each count, timed in turns, so that whatever else
//! the machine does slows all of them alike.

use crate::measure::{STRETCH, Times};
use crate::{Running, Workload};

/// The times of a workload's steps at its own size on each of these counts of workers, for so many seconds each.
///
/// # Errors
/// Those of the model's build and steps.
pub fn compare(workload: Workload, counts: &[usize], seconds: f64) -> saddlepoint::Result<Vec<Times>> {
    let build = |count: &usize| workload.build(workload.size(), Some(*count));
    let mut running: Vec<Running> = counts.iter().map(build).collect::<saddlepoint::Result<_>>()?;
    let mut times = vec![Times::default(); counts.len()];
    for running in &mut running {
        Times::warm_up(running, seconds)?;
    }
    let rounds = (seconds / STRETCH).ceil().max(1.0) as usize;
    for _ in 0..rounds {
        for (running, times) in running.iter_mut().zip(&mut times) {
            times.stretch(running, STRETCH.min(seconds))?;
        }
    }
    Ok(times)
}
