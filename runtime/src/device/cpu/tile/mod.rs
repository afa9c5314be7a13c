//! Micro-kernels for contractions that come in pieces.
//!
//! A convolution read where it lies is a product whose contraction is a list of [`Segment`]s: within one, both operands advance by
//! even steps; from one to the next they jump. So no window is copied, and taps that reach over the edge are left out instead of
//! multiplied by zero. A [`Tile`] of the result, some vectors of rows by some columns, is summed in registers over all segments.
//!
//! As in [`super::kernel`], rows are the vector side (neighbours at every step) and columns the broadcast side. What always holds:
//! every element is summed over the segments in order by fused multiply-adds (where the machine has them), whatever tile it lies in.

mod lanes;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use lanes::{Lanes, Portable};

/// A part of a contraction through which both operands advance evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where the vector side begins, from its start.
    pub left: isize,
    /// Where the broadcast side begins, from its start.
    pub right: isize,
    /// Its length.
    pub steps: usize,
}

/// One operand of a tile.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    /// The first row or column, at offset 0.
    pub start: *const f32,
    /// From a step of a segment to the next.
    pub step: isize,
    /// From a repetition of the segments to the next.
    pub repeat: isize,
}

/// What is computed: target (+)= Σ over repetitions and segments of left · right.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// Rows: at most [`Tiles::lanes`] · the number of vectors, and more than one vector less.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// The contraction.
    pub segments: &'a [Segment],
    /// How often the segments are gone through.
    pub repeats: usize,
    /// The vector side.
    pub left: Operand,
    /// Whether rows of the vector side beyond `rows`, up to whole vectors, may be read.
    pub padded: bool,
    /// The broadcast side.
    pub right: Operand,
    /// From a column of the broadcast side to the next.
    pub right_column: isize,
    /// The first row and column of the result; rows are neighbours.
    pub target: *mut f32,
    /// From a column of the result to the next.
    pub target_column: isize,
    /// Whether sums are added to the result instead of stored.
    pub accumulate: bool,
}

type Function = unsafe fn(&Tile);

/// The machine's functions: for operands that may be read in whole vectors and for those that may not, by vectors, by columns.
type Table = [&'static [&'static [Function]]; 2];

/// Tiles as this machine computes them.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    /// Numbers in a vector.
    pub lanes: usize,
    table: &'static Table,
}

impl std::fmt::Debug for Tiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tiles(of {} lanes)", self.lanes)
    }
}

impl Tiles {
    /// The best of this machine.
    pub fn of_this_machine() -> Self {
        static TILES: OnceLock<Tiles> = OnceLock::new();
        *TILES.get_or_init(Self::detect)
    }

    fn detect() -> Self {
        Self::all().next().unwrap_or(Self { lanes: 4, table: &PORTABLE })
    }

    /// All that this machine can run, the best first.
    fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let wide = {
            let avx512 = std::is_x86_feature_detected!("avx512f");
            let avx2 = std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2");
            let avx512 = avx512.then_some(Self { lanes: 16, table: &AVX512 });
            avx512.into_iter().chain(avx2.then_some(Self { lanes: 8, table: &AVX2 }))
        };
        #[cfg(not(target_arch = "x86_64"))]
        let wide = std::iter::empty();
        wide.chain([Self { lanes: 4, table: &PORTABLE }])
    }

    /// The most vectors of rows that a tile has.
    pub fn most_vectors(&self) -> usize {
        self.table[0].len()
    }

    /// The most columns that a tile of so many vectors has.
    pub fn most_columns(&self, vectors: usize) -> usize {
        self.table[0][vectors - 1].len()
    }

    /// Computes a tile.
    ///
    /// # Safety
    /// Rows and columns are at least one and no more than [`Tiles::most_vectors`] and [`Tiles::most_columns`] allow. The operands are
    /// readable at all places of the segments and repetitions; the target is writable, and readable if `accumulate`; nothing else
    /// accesses it meanwhile and it overlaps neither operand.
    #[inline]
    pub unsafe fn compute(&self, tile: &Tile) {
        let vectors = tile.rows.div_ceil(self.lanes);
        let masked = usize::from(!tile.padded && !tile.rows.is_multiple_of(self.lanes));
        let function = self.table[masked][vectors - 1][tile.columns - 1];
        // SAFETY: the caller's contract is the function's; the table holds only functions of a detected instruction set.
        unsafe { function(tile) }
    }
}

/// Sums a tile of `V` vectors by `N` columns.
///
/// # Safety
/// As [`Tiles::compute`], for a tile of this size on a machine with these lanes.
#[inline(always)]
unsafe fn body<L: Lanes, const V: usize, const N: usize, const MASKED: bool>(tile: &Tile) {
    let last = tile.rows - (V - 1) * L::COUNT;
    // SAFETY: all places are those of the tile by the caller's contract.
    unsafe {
        let mask = L::first(last);
        let mut sums = [[L::zero(); V]; N];
        let column = tile.right_column;
        for repeat in 0..tile.repeats as isize {
            let left = tile.left.start.wrapping_offset(repeat * tile.left.repeat);
            let right = tile.right.start.wrapping_offset(repeat * tile.right.repeat);
            for segment in tile.segments {
                let mut left = left.wrapping_offset(segment.left);
                // Columns four at a time from one pointer keep the number of pointers small.
                let first = right.wrapping_offset(segment.right);
                let mut bases = [first, first.wrapping_offset(4 * column), first.wrapping_offset(8 * column)];
                for _ in 0..segment.steps {
                    let mut vectors = [L::zero(); V];
                    for (i, vector) in vectors.iter_mut().enumerate() {
                        let from = left.wrapping_add(i * L::COUNT);
                        *vector = if MASKED && i == V - 1 { L::load_masked(from, mask) } else { L::load(from) };
                    }
                    for (j, sums) in sums.iter_mut().enumerate() {
                        let number = L::splat(bases[j / 4].wrapping_offset((j % 4) as isize * column));
                        for (sum, vector) in sums.iter_mut().zip(vectors) {
                            *sum = L::multiply_add(vector, number, *sum);
                        }
                    }
                    left = left.wrapping_offset(tile.left.step);
                    for base in &mut bases[..N.div_ceil(4)] {
                        *base = base.wrapping_offset(tile.right.step);
                    }
                }
            }
        }
        for (j, sums) in sums.into_iter().enumerate() {
            let to = tile.target.wrapping_offset(j as isize * tile.target_column);
            for (i, sum) in sums.into_iter().enumerate() {
                let to = to.wrapping_add(i * L::COUNT);
                if i < V - 1 || last == L::COUNT {
                    L::store(if tile.accumulate { L::add(L::load(to), sum) } else { sum }, to);
                } else {
                    let sum = if tile.accumulate { L::add(L::load_masked(to, mask), sum) } else { sum };
                    L::store_masked(sum, to, mask);
                }
            }
        }
    }
}

/// # Safety
/// As [`body`]; the machine has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const V: usize, const N: usize, const MASKED: bool>(tile: &Tile) {
    // SAFETY: the same contract.
    unsafe { body::<lanes::Avx512, V, N, MASKED>(tile) }
}

/// # Safety
/// As [`body`]; the machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const V: usize, const N: usize, const MASKED: bool>(tile: &Tile) {
    // SAFETY: the same contract.
    unsafe { body::<lanes::Avx2, V, N, MASKED>(tile) }
}

/// Whether every machine of this architecture has fused multiply-adds.
const FUSED: bool = cfg!(target_arch = "aarch64");

/// # Safety
/// As [`body`].
unsafe fn portable<const V: usize, const N: usize, const MASKED: bool>(tile: &Tile) {
    // SAFETY: the same contract.
    unsafe { body::<Portable<FUSED>, V, N, MASKED>(tile) }
}

/// Functions of some vectors for one, two, … columns.
macro_rules! columns {
    ($function:ident, $vectors:literal, $masked:literal, $($columns:literal)*) => {
        &[$($function::<$vectors, $columns, $masked>),*]
    };
}

/// A table for 32 registers.
macro_rules! of_32_registers {
    ($function:ident, $masked:literal) => {
        &[
            columns!($function, 1, $masked, 1 2 3 4 5 6 7 8 9 10 11 12),
            columns!($function, 2, $masked, 1 2 3 4 5 6 7 8 9 10 11 12),
            columns!($function, 3, $masked, 1 2 3 4 5 6 7 8),
            columns!($function, 4, $masked, 1 2 3 4 5 6),
        ]
    };
}

/// A table for 16 registers.
macro_rules! of_16_registers {
    ($function:ident, $masked:literal) => {
        &[
            columns!($function, 1, $masked, 1 2 3 4 5 6 7 8 9 10 11 12),
            columns!($function, 2, $masked, 1 2 3 4 5 6),
        ]
    };
}

#[cfg(target_arch = "x86_64")]
static AVX512: Table = [of_32_registers!(avx512, false), of_32_registers!(avx512, true)];
#[cfg(target_arch = "x86_64")]
static AVX2: Table = [of_16_registers!(avx2, false), of_16_registers!(avx2, true)];
#[cfg(target_arch = "aarch64")]
static PORTABLE: Table = [of_32_registers!(portable, false), of_32_registers!(portable, true)];
#[cfg(not(target_arch = "aarch64"))]
static PORTABLE: Table = [of_16_registers!(portable, false), of_16_registers!(portable, true)];
