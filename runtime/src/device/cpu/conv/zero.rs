//! The part of a result that no tap reaches.

use saddlepoint_compiler::plan::ConvSpec;

use super::super::axes::{Axis, Index, Places};
use super::super::workers::share;
use super::phase::Phase;

/// Places to be filled with zeros.
#[derive(Clone, Debug)]
pub(super) struct Zero {
    places: Places,
    count: usize,
    /// The places of each worker, where the plan says.
    parts: Vec<std::ops::Range<usize>>,
}

impl Zero {
    pub fn new(spec: &ConvSpec, phase: &Phase) -> Self {
        let axis = |extent, stride| Axis { extent, strides: [stride] };
        let samples = axis(spec.samples.extent, spec.samples.c);
        let others = phase
            .axes
            .iter()
            .map(|x| axis(x.output, x.out))
            .chain([axis(spec.groups.extent, spec.groups.c), axis(spec.features.extent, spec.features.c)]);
        let index = match spec.parts.is_empty() {
            true => Index::sorted(std::iter::once(samples).chain(others), 0),
            false => Index::in_order(std::iter::once(samples).chain(others)),
        };
        let of_sample = index.extent() / spec.samples.extent.max(1);
        let parts = spec.parts.iter().map(|(begin, end)| begin * of_sample..end * of_sample).collect();
        Self { places: index.offsets(0), count: index.extent(), parts }
    }

    /// # Safety
    /// As [`super::ConvPlan::run`].
    pub unsafe fn run(&self, out: *mut f32, worker: usize, count: usize) {
        let places = self.places.get();
        let own = self.parts.get(worker).cloned().unwrap_or_else(|| share(self.count, 1, worker, count));
        for place in own {
            // SAFETY: a place of the view, of this worker's share.
            unsafe { *out.wrapping_offset(places.at(place)) = 0.0 };
        }
    }
}
