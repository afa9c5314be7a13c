//! Products of strided operands.
//!
//! In: a [`DotSpec`], once, when a program is built; base pointers and a worker's number at every run. Out: that worker's share of the
//! result. What always holds: shares are disjoint and together are the whole result; a run allocates nothing and reads nothing
//! outside the views; the contraction is never split, so the bits do not depend on the number of workers.

mod blocked;
mod packing;
mod sums;
#[cfg(test)]
mod tests;

use saddlepoint_compiler::plan::DotSpec;

use super::axes::{Axis, Index, Places};
use super::kernel::Kernel;
use super::workers::share;
use blocked::Blocked;
pub use packing::Packing;
use sums::Sums;

/// With at most so many columns of the one operand, contiguous rows of the other are multiplied where they lie.
const FEW_COLUMNS: usize = 4;
/// Scratch is handed out in units of a cache line.
pub(super) const LINE: usize = 16;

/// How one product is carried out.
#[derive(Clone, Debug)]
pub struct DotPlan {
    kernel: Kernel,
    workers: usize,
    /// Offsets of each batch place in the left operand, the right one and the result.
    batch: [Places; 3],
    batches: usize,
    strategy: Strategy,
    /// The part of the left operand's rows of each worker, where the plan says.
    rows: Vec<(usize, usize)>,
    /// Whether the result is added to what is there.
    accumulate: bool,
}

#[derive(Clone, Debug)]
enum Strategy {
    /// Nothing to write.
    Nothing,
    Blocked(Blocked),
    Sums(Sums),
}

/// One free index: an operand's, and the result's.
#[derive(Clone, Debug)]
struct Side {
    extent: usize,
    /// Whether other products read the operand in the same way.
    reused: bool,
    /// Places of the free index in the operand.
    free: Places,
    /// Steps of the contraction in the operand.
    steps: Places,
    /// Places of the free index in the result.
    result: Places,
}

impl DotPlan {
    /// Plans the product for this many workers.
    pub fn new(spec: &DotSpec, workers: usize) -> Self {
        let kernel = Kernel::of_this_machine();
        let workers = workers.max(1);
        let batch = Index::sorted(spec.batch.iter().map(|x| Axis { extent: x.extent, strides: [x.a, x.b, x.c] }), 2);
        // Places in the order of the result; but next to a side of few places, in that of the operand, which is then what takes the
        // time to get at.
        let places = |extents: &mut dyn Iterator<Item = usize>| extents.product::<usize>();
        let (few_m, few_n) = (
            places(&mut spec.m.iter().map(|x| x.extent)) <= FEW_COLUMNS,
            places(&mut spec.n.iter().map(|x| x.extent)) <= FEW_COLUMNS,
        );
        let m = Index::sorted(
            spec.m.iter().map(|x| Axis { extent: x.extent, strides: [x.a, x.c] }),
            usize::from(!few_n || !spec.rows.is_empty()),
        );
        let n = Index::sorted(spec.n.iter().map(|x| Axis { extent: x.extent, strides: [x.b, x.c] }), usize::from(!few_m));
        let by = usize::from(n.extent() > m.extent());
        let k = Index::sorted(spec.k.iter().map(|x| Axis { extent: x.extent, strides: [x.a, x.b] }), by);
        let side = |free: &Index<2>, operand| Side {
            extent: free.extent(),
            reused: spec.reused[operand],
            free: free.offsets(0),
            steps: k.offsets(operand),
            result: free.offsets(1),
        };
        let (a, b) = (side(&m, 0), side(&n, 1));
        let batches = batch.extent();
        let steps = k.extent();
        let strategy = if batches * a.extent * b.extent == 0 {
            Strategy::Nothing
        } else if Sums::suits(&a, &b, steps) {
            Strategy::Sums(Sums { swapped: false, rows: a, columns: b, steps })
        } else if spec.rows.is_empty() && Sums::suits(&b, &a, steps) {
            Strategy::Sums(Sums { swapped: true, rows: b, columns: a, steps })
        } else {
            Strategy::Blocked(Blocked::choose(&kernel, batches, a, b, steps, (workers, !spec.rows.is_empty())))
        };
        Self {
            kernel,
            workers,
            batch: [0, 1, 2].map(|array| batch.offsets(array)),
            batches,
            strategy,
            rows: spec.rows.clone(),
            accumulate: spec.accumulate,
        }
    }

    /// The operand (0 the left, 1 the right one) that runs want packed in this form, if any.
    pub fn packing(&self) -> Option<(usize, &Packing)> {
        match &self.strategy {
            Strategy::Blocked(blocked) => blocked.packing(),
            _ => None,
        }
    }

    /// Scratch that a worker needs for its share, in elements.
    pub fn scratch_of_worker(&self) -> usize {
        match &self.strategy {
            Strategy::Nothing => 0,
            Strategy::Blocked(blocked) => blocked.left_scratch(&self.kernel) + blocked.right_scratch(&self.kernel),
            Strategy::Sums(sums) => sums.scratch(),
        }
    }

    /// Computes the share of worker `worker` of `count`. Run by all workers, in any order, it makes the whole result.
    ///
    /// # Safety
    /// `a`, `b` and `c` are base pointers as [`DotSpec`] has them: readable, readable and writable at every place of the views. `c`
    /// overlaps neither operand, nor has it two places at one address. `scratch` is writable for [`DotPlan::scratch_of_worker`]
    /// elements and this worker's own until it returns. `count` is the number of workers planned for and `worker` is less. With a
    /// [`DotPlan::packing`], the pointer of that operand is one to the packed operand.
    pub unsafe fn run(&self, a: *const f32, b: *const f32, c: *mut f32, scratch: *mut f32, worker: usize, count: usize) {
        debug_assert!(count == self.workers && worker < count);
        match &self.strategy {
            Strategy::Nothing => {}
            Strategy::Blocked(blocked) => {
                let [along_batch, along_left, along_right] = blocked.grid;
                if worker >= along_batch * along_left * along_right {
                    return;
                }
                let mut rows =
                    share(blocked.left.extent, blocked.rows_together(&self.kernel), worker % along_left, along_left);
                let mut columns = share(blocked.right.extent, 1, worker / along_left % along_right, along_right);
                if let Some((begin, end)) = self.rows.get(worker) {
                    *(if blocked.swapped { &mut columns } else { &mut rows }) = *begin..*end;
                }
                let batches = share(self.batches, 1, worker / (along_left * along_right), along_batch);
                for batch in batches {
                    // SAFETY: batch < batches; the shares of the grid are disjoint; the scratch is this worker's own.
                    unsafe {
                        let (a, b, c) = self.at(batch, a, b, c);
                        let (a, b) = if blocked.swapped { (b, a) } else { (a, b) };
                        blocked.run(&self.kernel, a, b, c, rows.clone(), columns.clone(), scratch, self.accumulate);
                    }
                }
            }
            Strategy::Sums(sums) => {
                let all = match self.rows.get(worker) {
                    Some((begin, end)) => *begin..*end,
                    None => share(self.batches * sums.rows.extent, 1, worker, count),
                };
                let mut row = all.start;
                while row < all.end {
                    let (batch, first) = (row / sums.rows.extent, row % sums.rows.extent);
                    let last = sums.rows.extent.min(first + all.end - row);
                    // SAFETY: as above; rows of the result are disjoint.
                    unsafe {
                        let (a, b, c) = self.at(batch, a, b, c);
                        let (a, b) = if sums.swapped { (b, a) } else { (a, b) };
                        sums.run(a, b, c, first..last, scratch, self.accumulate);
                    }
                    row += last - first;
                }
            }
        }
    }

    /// The base pointers of one place of the batch.
    ///
    /// # Safety
    /// As [`DotPlan::run`]; batch < batches.
    unsafe fn at(&self, batch: usize, a: *const f32, b: *const f32, c: *mut f32) -> (*const f32, *const f32, *mut f32) {
        let [a_at, b_at, c_at] = [0, 1, 2].map(|array| self.batch[array].get().at(batch));
        // SAFETY: inside the views by the caller's contract.
        unsafe { (a.offset(a_at), b.offset(b_at), c.offset(c_at)) }
    }
}
