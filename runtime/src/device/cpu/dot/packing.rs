//! An operand of several products, packed once for all of them.
//!
//! In: where the operand's numbers lie, and in which steps the contraction is taken. Out: for every step block of the contraction, panels
//! as the micro-kernels read the vector side, of the whole operand; workers pack a share each. What always holds: the form depends
//! on the operand alone and not on who reads it, so products with equal [`Packing`]s of one operand may share the memory.

use super::super::pack::pack;
use super::{Kernel, Places, Side, share};

/// The form of a packed operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Packing {
    /// Places along the free index, and where they lie in the operand.
    extent: usize,
    free: Places,
    /// The contraction: its length, where its steps lie, and how many are taken at a time.
    steps: usize,
    along: Places,
    step_block: usize,
    /// Places of a panel.
    panel: usize,
}

impl Packing {
    /// The form of an operand for the micro-kernels' vector side.
    pub(super) fn new(kernel: &Kernel, side: &Side, steps: usize, step_block: usize) -> Packing {
        Packing {
            extent: side.extent,
            free: side.free.clone(),
            steps,
            along: side.steps.clone(),
            step_block,
            panel: kernel.panel_rows(side.extent),
        }
    }

    /// Elements of the packed operand.
    pub fn elements(&self) -> usize {
        self.padded() * self.steps
    }

    /// Places of a panel; readers begin at whole panels.
    pub(super) fn panel(&self) -> usize {
        self.panel
    }

    /// Where the panel that begins at place `row` lies in the block that begins at `step` and has `steps` steps.
    pub(super) fn offset(&self, row: usize, (step, steps): (usize, usize)) -> usize {
        self.padded() * step + row * steps
    }

    fn padded(&self) -> usize {
        self.extent.next_multiple_of(self.panel.max(1))
    }

    /// Packs the share of worker `worker` of `count`.
    ///
    /// # Safety
    /// `from` is readable at all places and steps of the operand. `to` is writable for [`Packing::elements`], and no other worker
    /// is given this share at the same time.
    pub unsafe fn run(&self, from: *const f32, to: *mut f32, worker: usize, count: usize) {
        let rows = share(self.extent, self.panel, worker, count);
        if rows.is_empty() {
            return;
        }
        let (at, free) = self.free.get().from(rows.start);
        let mut step = 0;
        while step < self.steps {
            let steps = self.step_block.min(self.steps - step);
            let (step_at, along) = self.along.get().from(step);
            // SAFETY: places and steps of the operand; the panels of these rows and steps are this worker's own.
            unsafe {
                let to = to.add(self.offset(rows.start, (step, steps)));
                pack(from.offset(at + step_at), free, along, rows.len(), steps, self.panel, to);
            }
            step += steps;
        }
    }
}
