//! Products of strided operands.
//!
//! In: a [`DotSpec`], once, when a program is built; base pointers and a worker's number at every run. Out: that worker's share of the
//! result. What always holds: shares are disjoint and together are the whole result; a run allocates nothing and reads nothing
//! outside the views; the contraction is never split, so the bits do not depend on the number of workers.

#[cfg(test)]
mod tests;

use saddlepoint_compiler::plan::DotSpec;

use super::axes::{Axis, Index, Places};
use super::kernel::{Kernel, Left, Offsets, Right, Target};
use super::matvec::{ROWS, sums_of_products};
use super::pack::pack;
use super::workers::share;

/// The longest piece of a contraction that is summed in registers.
const LONGEST_STEP: usize = 512;
/// Packed numbers of the vector side that stay in a core's second-level cache.
const LEFT_BLOCK: usize = 96 * 1024;
/// Packed numbers of the broadcast side.
const RIGHT_BLOCK: usize = 512 * 1024;
/// With at most so many columns of the one operand, contiguous rows of the other are multiplied where they lie.
const FEW_COLUMNS: usize = 4;
/// Shorter contractions than this are not worth a sum of their own.
const SHORTEST_SUM: usize = 16;
/// With more columns than this, the vector side is worth packing even where it could be read in place.
const PACKING_PAYS: usize = 96;
/// With more panels of rows than this, so is the broadcast side.
const PANELS_WORTH_PACKING: usize = 8;
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
    /// Places of the free index in the operand.
    free: Places,
    /// Steps of the contraction in the operand.
    steps: Places,
    /// Places of the free index in the result.
    result: Places,
}

/// Micro-kernels over blocks that fit the caches.
#[derive(Clone, Debug)]
struct Blocked {
    /// Whether the left operand of the product is the broadcast side.
    swapped: bool,
    /// The vector side.
    left: Side,
    /// The broadcast side.
    right: Side,
    steps: usize,
    /// Workers along the batch, the vector side and the broadcast side.
    grid: [usize; 3],
    pack_left: bool,
    pack_right: bool,
    /// Longest piece of the contraction; columns of a packed block of the broadcast side; rows of a block of the vector side.
    step_block: usize,
    right_block: usize,
    left_block: usize,
}

/// Contiguous rows of the one operand times a few columns of the other.
#[derive(Clone, Debug)]
struct Sums {
    /// Whether the rows are those of the right operand.
    swapped: bool,
    rows: Side,
    columns: Side,
    steps: usize,
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
    /// elements and this worker's own until it returns. `count` is the number of workers planned for and `worker` is less.
    pub unsafe fn run(&self, a: *const f32, b: *const f32, c: *mut f32, scratch: *mut f32, worker: usize, count: usize) {
        debug_assert!(count == self.workers && worker < count);
        match &self.strategy {
            Strategy::Nothing => {}
            Strategy::Blocked(blocked) => {
                let [along_batch, along_left, along_right] = blocked.grid;
                if worker >= along_batch * along_left * along_right {
                    return;
                }
                let mut rows = share(blocked.left.extent, self.kernel.lanes, worker % along_left, along_left);
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

impl Blocked {
    /// Chooses sides and shares by an estimate of the cycles that the busiest worker needs. With `by_rows`, workers share the rows
    /// of `a` and nothing else.
    fn choose(kernel: &Kernel, batches: usize, a: Side, b: Side, steps: usize, (workers, by_rows): (usize, bool)) -> Self {
        let mut best: Option<(f64, bool, [usize; 3])> = None;
        for swapped in [false, true] {
            let (left, right) = if swapped { (&b, &a) } else { (&a, &b) };
            for along_batch in 1..=workers.min(batches) {
                for along_left in 1..=workers / along_batch {
                    let grid = [along_batch, along_left, workers / along_batch / along_left];
                    if by_rows && grid != (if swapped { [1, 1, workers] } else { [1, workers, 1] }) {
                        continue;
                    }
                    let cost = estimate(kernel, batches, left, right, steps, grid);
                    if best.is_none_or(|(least, ..)| cost < least) {
                        best = Some((cost, swapped, grid));
                    }
                }
            }
        }
        let (_, swapped, grid) = best.unwrap_or((0.0, false, [1, 1, 1]));
        let (left, right) = if swapped { (b, a) } else { (a, b) };
        let rows = left.extent.div_ceil(kernel.lanes).div_ceil(grid[1]) * kernel.lanes;
        // Parts that are given may be one longer than even ones.
        let columns = right.extent.div_ceil(grid[2]) + usize::from(by_rows);
        let step_block = step_block(steps);
        let left_block = (LEFT_BLOCK / step_block.max(1) / kernel.rows).max(1) * kernel.rows;
        Self {
            pack_left: packs_left(&left, columns),
            pack_right: packs_right(kernel, &right, rows),
            swapped,
            steps,
            grid,
            step_block,
            left_block: left_block.min(rows.next_multiple_of(kernel.rows)),
            right_block: (RIGHT_BLOCK / step_block.max(1) / kernel.columns).max(1) * kernel.columns,
            left,
            right,
        }
        .limited_to(columns, kernel)
    }

    fn limited_to(mut self, columns: usize, kernel: &Kernel) -> Self {
        self.right_block = self.right_block.min(columns.next_multiple_of(kernel.columns));
        self
    }

    fn left_scratch(&self, kernel: &Kernel) -> usize {
        // Where the operand is read in place, a last panel of less than whole vectors is packed all the same.
        let rows = if self.pack_left { self.left_block } else { kernel.rows };
        (rows * self.step_block).next_multiple_of(LINE)
    }

    fn right_scratch(&self, kernel: &Kernel) -> usize {
        if self.pack_right {
            (self.right_block.next_multiple_of(kernel.columns) * self.step_block).next_multiple_of(LINE)
        } else {
            0
        }
    }

    /// Computes a block of rows and columns.
    ///
    /// # Safety
    /// As [`DotPlan::run`], with the sides in the plan's order and this worker's part of the scratch.
    #[allow(clippy::too_many_arguments)]
    unsafe fn run(
        &self,
        kernel: &Kernel,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        rows: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        scratch: *mut f32,
        accumulate: bool,
    ) {
        if rows.is_empty() || columns.is_empty() {
            return;
        }
        // SAFETY: block indices stay inside rows, columns and steps; scratch is laid out as `left_scratch`, `right_scratch` say.
        unsafe {
            let right_scratch = scratch.add(self.left_scratch(kernel));
            let mut step = 0;
            // An empty contraction is one empty step, which stores or adds zeros.
            while step < self.steps || (step == 0 && self.steps == 0) {
                let steps = self.step_block.min(self.steps - step);
                let mut column = columns.start;
                while column < columns.end {
                    let width = if self.pack_right { self.right_block } else { columns.len() }.min(columns.end - column);
                    let right = self.right_of(kernel, b, (column, width), (step, steps), right_scratch);
                    let mut row = rows.start;
                    while row < rows.end {
                        let height = self.left_block.min(rows.end - row);
                        let target = |row: usize| {
                            let (row_at, rows) = self.left.result.get().from(row);
                            let (column_at, columns) = self.right.result.get().from(column);
                            Target { start: c.offset(row_at + column_at), rows, columns }
                        };
                        let (panel, whole) = if self.pack_left {
                            (kernel.panel_rows(height), 0)
                        } else {
                            (kernel.rows, height - height % kernel.lanes)
                        };
                        if whole > 0 {
                            let left = self.left_in_place(a, row, step, panel);
                            kernel.multiply([whole, width, steps], left, right, target(row), accumulate || step > 0);
                        }
                        if whole < height {
                            let panel = if self.pack_left { panel } else { kernel.padded(height - whole) };
                            let left = self.left_packed(a, (row + whole, height - whole), (step, steps), panel, scratch);
                            kernel.multiply(
                                [height - whole, width, steps],
                                left,
                                right,
                                target(row + whole),
                                accumulate || step > 0,
                            );
                        }
                        row += height;
                    }
                    column += width;
                }
                step += steps.max(1);
            }
        }
    }

    /// # Safety
    /// As [`Blocked::run`].
    unsafe fn left_in_place(&self, a: *const f32, row: usize, step: usize, panel: usize) -> Left {
        let (at, steps) = self.left.steps.get().from(step);
        let Offsets::Stride(stride) = steps else { unreachable!("an uneven contraction is packed") };
        // SAFETY: inside the operand.
        let start = unsafe { a.offset(at + self.left.free.get().at(row)) };
        Left { rows: panel, start, panel: panel as isize, step: stride }
    }

    /// # Safety
    /// As [`Blocked::run`].
    unsafe fn left_packed(
        &self,
        a: *const f32,
        (row, height): (usize, usize),
        (step, steps): (usize, usize),
        panel: usize,
        scratch: *mut f32,
    ) -> Left {
        let (row_at, free) = self.left.free.get().from(row);
        let (step_at, contraction) = self.left.steps.get().from(step);
        // SAFETY: inside the operand; the scratch holds `left_block` rows (or one panel) of `step_block` steps.
        unsafe { pack(a.offset(row_at + step_at), free, contraction, height, steps, panel, scratch) };
        Left { rows: panel, start: scratch, panel: (panel * steps) as isize, step: panel as isize }
    }

    /// # Safety
    /// As [`Blocked::run`].
    unsafe fn right_of(
        &self,
        kernel: &Kernel,
        b: *const f32,
        (column, width): (usize, usize),
        (step, steps): (usize, usize),
        scratch: *mut f32,
    ) -> Right {
        let (column_at, free) = self.right.free.get().from(column);
        let (step_at, contraction) = self.right.steps.get().from(step);
        // SAFETY: inside the operand; the scratch holds `right_block` columns of `step_block` steps.
        unsafe {
            let start = b.offset(column_at + step_at);
            match (free, contraction) {
                (Offsets::Stride(free), Offsets::Stride(stride)) if !self.pack_right => {
                    Right { start, group: kernel.columns as isize * free, step: stride, column: free }
                }
                _ => {
                    pack(start, free, contraction, width, steps, kernel.columns, scratch);
                    let group = (kernel.columns * steps) as isize;
                    Right { start: scratch, group, step: kernel.columns as isize, column: 1 }
                }
            }
        }
    }
}

/// Steps of the contraction that one pass sums: depends on the contraction alone, or bits would depend on the workers.
fn step_block(steps: usize) -> usize {
    if steps <= LONGEST_STEP + LONGEST_STEP / 4 {
        return steps;
    }
    steps.div_ceil(steps.div_ceil(LONGEST_STEP)).next_multiple_of(4)
}

fn packs_left(left: &Side, columns: usize) -> bool {
    !left.free.are_neighbours() || left.steps.stride().is_none() || columns > PACKING_PAYS
}

fn packs_right(kernel: &Kernel, right: &Side, rows: usize) -> bool {
    match (right.free.stride(), right.steps.stride()) {
        (Some(_), Some(step)) => step.unsigned_abs() != 1 && rows > PANELS_WORTH_PACKING * kernel.rows,
        _ => true,
    }
}

/// Cycles that the busiest worker needs, roughly.
fn estimate(kernel: &Kernel, batches: usize, left: &Side, right: &Side, steps: usize, grid: [usize; 3]) -> f64 {
    let rows = left.extent.div_ceil(kernel.lanes).div_ceil(grid[1]) * kernel.lanes;
    let columns = right.extent.div_ceil(grid[2]);
    let panel = kernel.panel_rows(rows);
    let (vectors, panels) = ((panel / kernel.lanes) as f64, rows.div_ceil(panel) as f64);
    let passes = steps.div_ceil(step_block(steps).max(1)).max(1) as f64;
    let width = columns.min(kernel.columns) as f64;
    let groups = columns as f64 / width;
    // A step of a tile costs a cycle for each fused multiply-add, but not less than their latency.
    let multiply = panels * groups * steps as f64 * (vectors * width).max(4.0);
    let store = if left.result.are_neighbours() && right.result.stride().is_some() {
        vectors * width
    } else if left.result.are_neighbours() {
        2.5 * vectors * width
    } else {
        1.2 * panel as f64 * width
    };
    let stores = panels * groups * passes * (store + 20.0);
    let packing = |side: &Side| match (&side.free, &side.steps) {
        (Places::Stride(1), _) => 0.15,
        (Places::Stride(_), Places::Stride(1)) => 0.6,
        _ => 2.0,
    };
    let mut packed = 0.0;
    if packs_left(left, columns) {
        packed += packing(left) * rows as f64;
    }
    if packs_right(kernel, right, rows) {
        packed += 0.3 + packing(right) * columns as f64;
    }
    batches.div_ceil(grid[0]) as f64 * (multiply + stores + packed * steps as f64)
}

impl Sums {
    /// Whether rows that are contiguous along the contraction, and not as well along the rows, meet few columns.
    fn suits(rows: &Side, columns: &Side, steps: usize) -> bool {
        let across = rows.extent > 1 && rows.free.are_neighbours();
        steps >= SHORTEST_SUM && columns.extent <= FEW_COLUMNS.min(rows.extent) && rows.steps.are_neighbours() && !across
    }

    /// Scratch of one worker.
    fn scratch(&self) -> usize {
        if self.columns.steps.are_neighbours() { 0 } else { (self.columns.extent * self.steps).next_multiple_of(LINE) }
    }

    /// Computes some rows.
    ///
    /// # Safety
    /// As [`DotPlan::run`], with the sides in the plan's order and this worker's part of the scratch.
    unsafe fn run(
        &self,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        rows: std::ops::Range<usize>,
        scratch: *mut f32,
        accumulate: bool,
    ) {
        let sums = sums_of_products();
        let in_place = self.columns.steps.are_neighbours();
        // SAFETY: all places are inside the views; the scratch holds all columns.
        unsafe {
            if !in_place {
                pack(
                    b,
                    self.columns.steps.get(),
                    self.columns.free.get(),
                    self.steps,
                    self.columns.extent,
                    self.steps,
                    scratch,
                );
            }
            for first in rows.clone().step_by(ROWS) {
                // Past the last row, the last one is summed again.
                let row = |i: usize| (first + i).min(rows.end - 1);
                let starts = std::array::from_fn(|i| a.offset(self.rows.free.get().at(row(i))));
                for column in 0..self.columns.extent {
                    let b = if in_place {
                        b.offset(self.columns.free.get().at(column))
                    } else {
                        scratch.add(column * self.steps)
                    };
                    let totals = sums(starts, b, self.steps);
                    let c = c.offset(self.columns.result.get().at(column));
                    for (i, total) in totals.into_iter().enumerate().take(rows.end - first) {
                        let c = c.offset(self.rows.result.get().at(first + i));
                        *c = if accumulate { *c + total } else { total };
                    }
                }
            }
        }
    }
}
