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
}

impl Zero {
    pub fn new(spec: &ConvSpec, phase: &Phase) -> Self {
        let axis = |extent, stride| Axis { extent, strides: [stride] };
        let axes = phase.axes.iter().map(|x| axis(x.output, x.out)).chain([
            axis(spec.samples.extent, spec.samples.c),
            axis(spec.groups.extent, spec.groups.c),
            axis(spec.features.extent, spec.features.c),
        ]);
        let index = Index::sorted(axes, 0);
        Self { places: index.offsets(0), count: index.extent() }
    }

    /// # Safety
    /// As [`super::ConvPlan::run`].
    pub unsafe fn run(&self, out: *mut f32, worker: usize, count: usize) {
        let places = self.places.get();
        for place in share(self.count, 1, worker, count) {
            // SAFETY: a place of the view, of this worker's share.
            unsafe { *out.wrapping_offset(places.at(place)) = 0.0 };
        }
    }
}
