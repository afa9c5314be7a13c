//! Products with few columns, as sums over contiguous rows.

use super::super::matvec::{ROWS, sums_of_products};
use super::super::pack::pack;
use super::{FEW_COLUMNS, LINE, Side};

/// Shorter contractions than this are not worth a sum of their own.
const SHORTEST_SUM: usize = 16;

/// Contiguous rows of the one operand times a few columns of the other.
#[derive(Clone, Debug)]
pub struct Sums {
    /// Whether the rows are those of the right operand.
    pub swapped: bool,
    pub rows: Side,
    pub columns: Side,
    pub steps: usize,
}

impl Sums {
    /// Whether rows that are contiguous along the contraction, and not as well along the rows, meet few columns.
    pub fn suits(rows: &Side, columns: &Side, steps: usize) -> bool {
        let across = rows.extent > 1 && rows.free.are_neighbours();
        steps >= SHORTEST_SUM && columns.extent <= FEW_COLUMNS.min(rows.extent) && rows.steps.are_neighbours() && !across
    }

    /// Scratch of one worker.
    pub fn scratch(&self) -> usize {
        if self.columns.steps.are_neighbours() { 0 } else { (self.columns.extent * self.steps).next_multiple_of(LINE) }
    }

    /// Computes some rows.
    ///
    /// # Safety
    /// As [`DotPlan::run`], with the sides in the plan's order and this worker's part of the scratch.
    pub unsafe fn run(
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
