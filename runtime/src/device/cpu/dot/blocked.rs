//! Products by micro-kernels over blocks that fit the caches.
//!
//! In: the two sides of a product and how many workers share it. Out: which side is the vector one, how workers share the result, what is
//! packed; and at every run a block of rows and columns. What always holds: a contraction is cut into steps that depend on its length
//! alone, and every element sums its steps in order, so its bits do not depend on blocks and workers.

use super::super::kernel::{Kernel, Left, Offsets, Right, Target};
use super::super::pack::pack;
use super::{LINE, Packing, Places, Side};

/// The longest piece of a contraction that is summed in registers.
const LONGEST_STEP: usize = 512;
/// Packed numbers of the vector side that stay in a core's second-level cache.
const LEFT_BLOCK: usize = 96 * 1024;
/// Packed numbers of the broadcast side.
const RIGHT_BLOCK: usize = 512 * 1024;
/// With more columns than this, the vector side is worth packing even where it could be read in place.
const PACKING_PAYS: usize = 96;
/// With more panels of rows than this, so is the broadcast side.
const PANELS_WORTH_PACKING: usize = 8;

/// Micro-kernels over blocks that fit the caches.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// Whether the left operand of the product is the broadcast side.
    pub swapped: bool,
    /// The vector side.
    pub left: Side,
    /// The broadcast side.
    pub right: Side,
    steps: usize,
    /// Workers along the batch, the vector side and the broadcast side.
    pub grid: [usize; 3],
    /// The form in which the vector side is given packed.
    packing: Option<Packing>,
    pack_left: bool,
    pack_right: bool,
    /// Longest piece of the contraction; columns of a packed block of the broadcast side; rows of a block of the vector side.
    step_block: usize,
    right_block: usize,
    left_block: usize,
}

impl Blocked {
    /// Chooses sides and shares by an estimate of the cycles that the busiest worker needs. With `by_rows`, workers share the rows
    /// of `a` and nothing else.
    pub fn choose(
        kernel: &Kernel,
        batches: usize,
        a: Side,
        b: Side,
        steps: usize,
        (workers, by_rows): (usize, bool),
    ) -> Self {
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
        // Parts that are given begin anywhere, readers of a packed operand at whole panels.
        let reused = left.reused && batches == 1 && (swapped || !by_rows);
        let packing = reused.then(|| Packing::new(kernel, &left, steps, step_block));
        let panel = packing.as_ref().map_or(kernel.rows, Packing::panel);
        let left_block = (LEFT_BLOCK / step_block.max(1) / panel).max(1) * panel;
        Self {
            pack_left: packing.is_none() && packs_left(&left, columns),
            packing,
            pack_right: packs_right(kernel, &right, rows),
            swapped,
            steps,
            grid,
            step_block,
            left_block: left_block.min(rows.next_multiple_of(panel)),
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

    /// The operand that is given packed, and its form.
    pub fn packing(&self) -> Option<(usize, &Packing)> {
        self.packing.as_ref().map(|packing| (usize::from(self.swapped), packing))
    }

    /// Workers share the vector side in units of so many rows.
    pub fn rows_together(&self, kernel: &Kernel) -> usize {
        self.packing.as_ref().map_or(kernel.lanes, Packing::panel)
    }

    pub fn left_scratch(&self, kernel: &Kernel) -> usize {
        if self.packing.is_some() {
            return 0;
        }
        // Where the operand is read in place, a last panel of less than whole vectors is packed all the same.
        let rows = if self.pack_left { self.left_block } else { kernel.rows };
        (rows * self.step_block).next_multiple_of(LINE)
    }

    pub fn right_scratch(&self, kernel: &Kernel) -> usize {
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
    pub unsafe fn run(
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
                        if let Some(packing) = &self.packing {
                            let panel = packing.panel();
                            let start = a.add(packing.offset(row, (step, steps)));
                            let left = Left { rows: panel, start, panel: (panel * steps) as isize, step: panel as isize };
                            kernel.multiply([height, width, steps], left, right, target(row), accumulate || step > 0);
                            row += height;
                            continue;
                        }
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
    // What is packed once for many products costs none of them much.
    if packs_left(left, columns) && !(left.reused && batches == 1) {
        packed += packing(left) * rows as f64;
    }
    if packs_right(kernel, right, rows) {
        packed += 0.3 + packing(right) * columns as f64;
    }
    batches.div_ceil(grid[0]) as f64 * (multiply + stores + packed * steps as f64)
}
