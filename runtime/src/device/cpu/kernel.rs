//! The micro-kernels of `gemm-f32`, and packing operands into the form they read.
//!
//! A micro-kernel multiplies a *panel* of the left operand (up to [`Kernel::rows`] rows, a vector of consecutive rows at every step
//! of the contraction) with a few columns of the right one (single numbers, broadcast, at any stride) into a tile of the result held
//! in registers. The rows of the left operand are therefore called the vector side here.
//!
//! What always holds: every element of a tile is summed over the contraction in order by fused multiply-adds (where the machine has
//! them), whatever tile it lies in; so a product's bits do not depend on how its result is cut into tiles and shares.

use std::sync::OnceLock;

/// `(m, n, k, dst, lhs, rhs, dst_cs, dst_rs, lhs_cs, rhs_rs, rhs_cs, alpha, beta, alpha_status, conj.., next_lhs)`: dst = alpha·dst +
/// beta·lhs·rhs, where `alpha_status` says 0, 1 or other.
type MicroKernel = unsafe fn(
    usize,
    usize,
    usize,
    *mut f32,
    *const f32,
    *const f32,
    isize,
    isize,
    isize,
    isize,
    isize,
    f32,
    f32,
    u8,
    bool,
    bool,
    bool,
    *const f32,
);

/// The largest tile of any instruction set, in elements.
const LARGEST_TILE: usize = 64 * 6;

/// The most columns a tile has.
const LARGEST_COLUMNS: usize = 6;

/// Scratch for a tile that cannot be stored straight into the result.
#[repr(align(64))]
struct Tile([f32; LARGEST_TILE]);

/// The machine's micro-kernels.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// Numbers in a vector.
    pub lanes: usize,
    /// Rows of a full tile: a multiple of `lanes`.
    pub rows: usize,
    /// Columns of a full tile.
    pub columns: usize,
    /// `rows / lanes` × `columns` functions, by vectors and then by columns.
    table: &'static [MicroKernel],
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({}x{} of {})", self.rows, self.columns, self.lanes)
    }
}

macro_rules! kernel {
    ($($module:ident)::+) => {{
        use $($module)::+::{MR_DIV_N, NR, UKR};
        const LANES: usize = lanes::<NR>(MR_DIV_N);
        static TABLE: [[MicroKernel; NR]; MR_DIV_N] = UKR;
        Kernel { lanes: LANES, rows: MR_DIV_N * LANES, columns: NR, table: TABLE.as_flattened() }
    }};
}

/// Lanes of the instruction set whose table of micro-kernels has this form (the crate keeps the number to itself).
const fn lanes<const COLUMNS: usize>(vectors: usize) -> usize {
    match (vectors, COLUMNS) {
        (4, 6) => 16,
        (2, 6) => 8,
        (4, 4) => 4,
        // `scalar` and `simd128` share a form; only the former is used here.
        (2, 4) => 1,
        _ => panic!("an instruction set that is not known here"),
    }
}

impl Kernel {
    /// The best of this machine.
    pub fn of_this_machine() -> Self {
        static KERNEL: OnceLock<Kernel> = OnceLock::new();
        *KERNEL.get_or_init(Self::detect)
    }

    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                return kernel!(gemm_f32::microkernel::avx512f::f32);
            }
            if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2") {
                return kernel!(gemm_f32::microkernel::fma::f32);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            return kernel!(gemm_f32::microkernel::neon::f32);
        }
        kernel!(gemm_f32::microkernel::scalar::f32)
    }

    /// A number of rows rounded up to whole vectors.
    pub fn padded(&self, rows: usize) -> usize {
        rows.next_multiple_of(self.lanes)
    }

    /// Rows a panel should have so that `rows` fall into panels of about the same size.
    pub fn panel_rows(&self, rows: usize) -> usize {
        self.padded(rows.div_ceil(rows.div_ceil(self.rows).max(1)).max(1))
    }

    /// dst (+)= lhs·rhs for one tile of m ≤ `rows` by n ≤ `columns`.
    ///
    /// # Safety
    /// `lhs` is readable for `padded(m)` numbers at each of the `k` steps, `rhs` for n columns, and `dst` is writable (and readable if
    /// `accumulate`) for the tile; nothing else accesses those places of `dst` meanwhile.
    #[inline]
    unsafe fn tile(&self, [m, n, k]: [usize; 3], dst: TileTarget, lhs: Panel, rhs: Columns, accumulate: bool) {
        let function = self.table[(m.div_ceil(self.lanes) - 1) * self.columns + n - 1];
        // SAFETY: the caller's contract is the micro-kernel's; the table holds only functions of a detected instruction set.
        unsafe {
            function(
                m,
                n,
                k,
                dst.start,
                lhs.start,
                rhs.start,
                dst.column,
                1,
                lhs.step,
                rhs.step,
                rhs.column,
                1.0,
                1.0,
                u8::from(accumulate),
                false,
                false,
                false,
                std::ptr::null(),
            );
        }
    }
}

struct TileTarget {
    start: *mut f32,
    column: isize,
}

struct Panel {
    start: *const f32,
    step: isize,
}

struct Columns {
    start: *const f32,
    step: isize,
    column: isize,
}

/// The vector side of a product: rows in panels.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// Rows of a panel, but for the last one: whole vectors, at most [`Kernel::rows`].
    pub rows: usize,
    /// The first row at the first step.
    pub start: *const f32,
    /// Distance from a panel to the next.
    pub panel: isize,
    /// Distance from a step of the contraction to the next; rows within a step are neighbours.
    pub step: isize,
}

/// The broadcast side of a product: columns in groups of [`Kernel::columns`].
#[derive(Clone, Copy)]
pub(super) struct Right {
    /// The first column at the first step.
    pub start: *const f32,
    /// Distance from a group of columns to the next.
    pub group: isize,
    /// Distance from a step of the contraction to the next.
    pub step: isize,
    /// Distance from a column to the next inside a group.
    pub column: isize,
}

/// Where the numbers of an index lie, relative to a base.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offsets<'a> {
    /// Evenly spaced.
    Stride(isize),
    /// Each at a place of its own.
    Table(&'a [isize]),
}

impl Offsets<'_> {
    /// Offset of place `index`.
    #[inline(always)]
    pub fn at(&self, index: usize) -> isize {
        match self {
            Self::Stride(stride) => index as isize * stride,
            Self::Table(table) => table[index],
        }
    }

    /// The same offsets seen from place `start` on, with the distance from the base to that place.
    pub fn from(&self, start: usize) -> (isize, Self) {
        match self {
            Self::Stride(stride) => (start as isize * stride, *self),
            Self::Table(table) => (0, Self::Table(&table[start..])),
        }
    }
}

/// A part of the result.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub start: *mut f32,
    pub rows: Offsets<'a>,
    pub columns: Offsets<'a>,
}

impl Kernel {
    /// target (+)= left·right for m rows, n columns and k steps.
    ///
    /// # Safety
    /// `left` is readable for whole vectors of rows (`padded(m)`), `right` for n columns; `target` is writable, and readable if
    /// `accumulate`; nothing else accesses the target meanwhile, and it overlaps neither operand.
    pub unsafe fn multiply(&self, [m, n, k]: [usize; 3], left: Left, right: Right, target: Target, accumulate: bool) {
        let direct = match (target.rows, target.columns) {
            (Offsets::Stride(1), Offsets::Stride(column)) => Some(column),
            _ => None,
        };
        let mut tile = std::mem::MaybeUninit::<Tile>::uninit();
        // SAFETY: only the address of the field is taken.
        let tile = unsafe { &raw mut (*tile.as_mut_ptr()).0 }.cast::<f32>();
        let mut column = 0;
        while column < n {
            let columns = self.columns.min(n - column);
            let group = (column / self.columns) as isize;
            let mut row = 0;
            while row < m {
                let rows = left.rows.min(m - row);
                let panel = (row / left.rows) as isize;
                // SAFETY: offsets stay inside the operands by the caller's contract; `tile` holds `LARGEST_TILE` ≥ rows·columns.
                unsafe {
                    let lhs = Panel { start: left.start.offset(panel * left.panel), step: left.step };
                    let rhs =
                        Columns { start: right.start.offset(group * right.group), step: right.step, column: right.column };
                    match direct {
                        Some(stride) if rows.is_multiple_of(self.lanes) => {
                            let start = target.start.offset(row as isize + column as isize * stride);
                            self.tile([rows, columns, k], TileTarget { start, column: stride }, lhs, rhs, accumulate);
                        }
                        _ => {
                            let padded = self.padded(rows);
                            let whole = TileTarget { start: tile, column: padded as isize };
                            self.tile([padded, columns, k], whole, lhs, rhs, false);
                            scatter(tile, padded, (row, rows), (column, columns), target, accumulate);
                        }
                    }
                }
                row += rows;
            }
            column += columns;
        }
    }
}

/// Stores a tile (columns of `padded` numbers) into its place in the target, or adds it there.
///
/// # Safety
/// The tile is initialised for the given rows and columns; for the target see [`Kernel::multiply`].
unsafe fn scatter(
    tile: *const f32,
    padded: usize,
    (row, rows): (usize, usize),
    (column, columns): (usize, usize),
    target: Target,
    accumulate: bool,
) {
    // SAFETY: all places are inside the tile and the target by the caller's contract.
    unsafe {
        if let Offsets::Stride(1) = target.rows {
            for j in 0..columns {
                let from = std::slice::from_raw_parts(tile.add(j * padded), rows);
                let to = target.start.offset(target.columns.at(column + j) + row as isize);
                let to = std::slice::from_raw_parts_mut(to, rows);
                if accumulate {
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                } else {
                    to.copy_from_slice(from);
                }
            }
        } else {
            let mut offsets = [0; LARGEST_COLUMNS];
            for (j, offset) in offsets[..columns].iter_mut().enumerate() {
                *offset = target.columns.at(column + j);
            }
            for i in 0..rows {
                let to = target.start.offset(target.rows.at(row + i));
                for (j, &offset) in offsets[..columns].iter().enumerate() {
                    let to = to.offset(offset);
                    let value = *tile.add(j * padded + i);
                    *to = if accumulate { *to + value } else { value };
                }
            }
        }
    }
}
