//! Convolutions over strided views.
//!
//! In: a [`ConvSpec`], once, when a program is built; base pointers and a worker's number at every run. Out: that worker's share of the
//! result. What always holds: shares are disjoint and together are the whole result; a run allocates nothing and reads nothing
//! outside the views; no inserted zero of a dilated input is multiplied; no matrix of all windows is ever made, only pieces that
//! stay in a core's cache.
//!
//! A convolution is carried out in one of four forms, all of them products on micro-kernels:
//! - [`direct`]: the image is read where it lies, a place of several samples at a time: several samples, features side by side;
//! - [`forward`]: windows of the image unfold into rows, rows times weights are the result;
//! - [`gradient`]: windows unfold likewise, but are what is summed over: weight gradients;
//! - [`fold`]: the image times all taps' weights, the products added up where they belong: few output channels.
//!
//! Dilated inputs are taken apart into undilated [`phase`]s first, but for folding.

mod direct;
mod fold;
mod forward;
mod gradient;
mod phase;
#[cfg(test)]
mod tests;
mod unfold;
mod zero;

use saddlepoint_compiler::plan::ConvSpec;

use super::kernel::Kernel;
use direct::Direct;
use fold::Fold;
use forward::Forward;
use gradient::Gradient;
use phase::{Phase, phases};
use zero::Zero;

/// Numbers of an unfolded piece: what stays in a core's second-level cache beside the weights.
const PIECE: usize = 64 * 1024;

/// How one convolution is carried out.
#[derive(Clone, Debug)]
pub struct ConvPlan {
    kernel: Kernel,
    workers: usize,
    parts: Vec<Part>,
    scratch_of_worker: usize,
}

/// A part of the result, and where its views begin.
#[derive(Clone, Debug)]
struct Part {
    w_at: isize,
    out_at: isize,
    work: Work,
}

#[derive(Clone, Debug)]
enum Work {
    Zero(Zero),
    Direct(Direct),
    Forward(Forward),
    Gradient(Gradient),
    Fold(Fold),
}

impl ConvPlan {
    /// Plans the convolution for this many workers.
    ///
    /// # Panics
    /// If there are more than three spatial axes.
    pub fn new(spec: &ConvSpec, workers: usize) -> Self {
        let kernel = Kernel::of_this_machine();
        let workers = workers.max(1);
        let parts = if Fold::suits(&kernel, spec) {
            vec![Part { w_at: 0, out_at: 0, work: Work::Fold(Fold::new(&kernel, spec)) }]
        } else {
            let part =
                |phase: Phase| Part { w_at: phase.w_at, out_at: phase.out_at, work: work(&kernel, spec, phase, workers) };
            phases(spec).into_iter().map(part).collect()
        };
        let scratch = |part: &Part| match &part.work {
            Work::Zero(_) => 0,
            Work::Direct(direct) => direct.scratch(),
            Work::Forward(forward) => forward.scratch(),
            Work::Gradient(gradient) => gradient.scratch(),
            Work::Fold(fold) => fold.scratch(),
        };
        let scratch_of_worker = parts.iter().map(scratch).max().unwrap_or(0);
        Self { kernel, workers, parts, scratch_of_worker }
    }

    /// Scratch that a worker needs for its share, in elements.
    pub fn scratch_of_worker(&self) -> usize {
        self.scratch_of_worker
    }

    /// Computes the share of worker `worker` of `count`. Run by all workers, in any order, it makes the whole result.
    ///
    /// # Safety
    /// `x`, `w` and `out` are base pointers as [`ConvSpec`] has them: readable, readable and writable at every place of the views.
    /// `out` overlaps neither operand, nor has it two places at one address. `scratch` is writable for
    /// [`ConvPlan::scratch_of_worker`] elements and this worker's own until it returns. `count` is the number of workers planned for and `worker` is
    /// less.
    pub unsafe fn run(&self, x: *const f32, w: *const f32, out: *mut f32, scratch: *mut f32, worker: usize, count: usize) {
        debug_assert!(count == self.workers && worker < count);
        for part in &self.parts {
            // SAFETY: phases lie inside the views; the scratch is long enough for each.
            unsafe {
                let (w, out) = (w.wrapping_offset(part.w_at), out.wrapping_offset(part.out_at));
                match &part.work {
                    Work::Zero(zero) => zero.run(out, worker, count),
                    Work::Direct(direct) => direct.run(x, w, out, scratch, (worker, count)),
                    Work::Forward(forward) => forward.run(&self.kernel, x, w, out, scratch, worker),
                    Work::Gradient(gradient) => gradient.run(&self.kernel, x, w, out, scratch, worker),
                    Work::Fold(fold) => fold.run(&self.kernel, x, w, out, scratch, worker, count),
                }
            }
        }
    }
}

/// Chooses the form of a phase.
fn work(kernel: &Kernel, spec: &ConvSpec, phase: Phase, workers: usize) -> Work {
    if phase.taps() == 0 || spec.channels.extent == 0 {
        return Work::Zero(Zero::new(spec, &phase));
    }
    if let Some(direct) = Direct::new(spec, &phase, workers) {
        return Work::Direct(direct);
    }
    // Rows of windows are copied fastest along whichever of channels and samples lies densest in the image.
    let (channels, samples) = (&spec.channels, &spec.samples);
    let summed_over_windows =
        if channels.extent > 1 && samples.extent > 1 && channels.a.unsigned_abs() != samples.a.unsigned_abs() {
            samples.a.unsigned_abs() < channels.a.unsigned_abs()
        } else {
            phase.taps() > phase.axes.iter().map(|axis| axis.output).product()
        };
    // Parts of samples, where they are given, are parts of the result: that form has none.
    if summed_over_windows && spec.parts.is_empty() {
        Work::Gradient(Gradient::new(kernel, spec, &phase, workers))
    } else {
        Work::Forward(Forward::new(kernel, spec, &phase, workers))
    }
}
