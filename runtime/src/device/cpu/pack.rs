//! Copying an operand into the form that the micro-kernels read fastest.
//!
//! In: an operand whose places along the free index and along the contraction are given by [`Offsets`]. Out: panels of `width` places
//! of the free index, each `width` numbers wide and as long as the contraction, one after another; the last one padded with zeros.

use super::dot::LINE;
use super::kernel::Offsets;

/// Places whose scattered numbers are gathered together.
const GATHERED_AT_ONCE: usize = 8;

/// Packs `places` × `steps` numbers into panels of `width`.
///
/// # Safety
/// `from` is readable at all places and steps, `to` writable for the panels; they do not overlap.
pub(super) unsafe fn pack(
    from: *const f32,
    free: Offsets,
    contraction: Offsets,
    places: usize,
    steps: usize,
    width: usize,
    to: *mut f32,
) {
    let mut place = 0;
    while place < places {
        let count = width.min(places - place);
        // SAFETY: panel `place / width` starts after `place / width` whole panels of width·steps numbers.
        unsafe {
            let to = to.add(place * steps);
            let (start, free) = free.from(place);
            let from = from.offset(start);
            match (free, contraction) {
                (Offsets::Stride(1), _) => rows(from, contraction, count, steps, width, to),
                (Offsets::Stride(stride), Offsets::Stride(1)) => transpose(from, stride, count, steps, width, to),
                _ => gather(from, free, contraction, count, steps, width, to),
            }
        }
        place += count;
    }
}

/// A panel whose places are neighbours in the operand.
///
/// # Safety
/// As [`pack`], for one panel.
unsafe fn rows(from: *const f32, contraction: Offsets, count: usize, steps: usize, width: usize, to: *mut f32) {
    for step in 0..steps {
        // SAFETY: step < steps; the panel holds `width` numbers a step, count ≤ width.
        unsafe {
            let from = from.offset(contraction.at(step));
            let to = to.add(step * width);
            copy(from, to, count);
            for pad in count..width {
                *to.add(pad) = 0.0;
            }
        }
    }
}

/// Copies a few numbers, cheaper than a call for each step.
///
/// # Safety
/// `from` readable and `to` writable for `count`, not overlapping.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, count: usize) {
    // SAFETY: whole blocks of 16 and then single numbers, all below count.
    unsafe {
        let mut done = 0;
        while done + 16 <= count {
            to.add(done).cast::<[f32; 16]>().write_unaligned(from.add(done).cast::<[f32; 16]>().read_unaligned());
            done += 16;
        }
        while done + 4 <= count {
            to.add(done).cast::<[f32; 4]>().write_unaligned(from.add(done).cast::<[f32; 4]>().read_unaligned());
            done += 4;
        }
        while done < count {
            *to.add(done) = *from.add(done);
            done += 1;
        }
    }
}

/// A panel whose steps are neighbours in the operand: blocks of 4 × 4 are transposed in registers.
///
/// # Safety
/// As [`pack`], for one panel.
unsafe fn transpose(from: *const f32, stride: isize, count: usize, steps: usize, width: usize, to: *mut f32) {
    let whole = steps - steps % 4;
    // A line of the panel at a time: it is then written once and whole, and few lines of the operand are read side by side.
    for first in (0..count).step_by(LINE) {
        let places = first..count.min(first + LINE);
        let blocks = places.len() / 4 * 4 + first;
        // SAFETY: blocks lie inside count × steps of the operand and width × steps of the panel; what blocks leave is done singly.
        unsafe {
            for step in (0..whole).step_by(4) {
                for place in (first..blocks).step_by(4) {
                    let from = from.offset(place as isize * stride).add(step);
                    transpose_4x4(from, stride, to.add(step * width + place), width);
                }
                for place in blocks..places.end {
                    let from = from.offset(place as isize * stride).add(step);
                    for i in 0..4 {
                        *to.add((step + i) * width + place) = *from.add(i);
                    }
                }
            }
            for step in whole..steps {
                for place in places.clone() {
                    *to.add(step * width + place) = *from.offset(place as isize * stride).add(step);
                }
            }
        }
    }
    // SAFETY: by the caller's contract.
    unsafe { pad(count, steps, width, to) };
}

/// Transposes a block of 4 × 4.
///
/// # Safety
/// Four rows of four are readable at `stride` and writable at `width`.
#[inline(always)]
unsafe fn transpose_4x4(from: *const f32, stride: isize, to: *mut f32, width: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64; loads and stores are unaligned ones within the caller's bounds.
    unsafe {
        use std::arch::x86_64::{
            _mm_loadu_ps, _mm_movehl_ps, _mm_movelh_ps, _mm_storeu_ps, _mm_unpackhi_ps, _mm_unpacklo_ps,
        };
        let (a, b) = (_mm_loadu_ps(from), _mm_loadu_ps(from.offset(stride)));
        let (c, d) = (_mm_loadu_ps(from.offset(2 * stride)), _mm_loadu_ps(from.offset(3 * stride)));
        let (ab_lo, ab_hi) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_lo, cd_hi) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(to, _mm_movelh_ps(ab_lo, cd_lo));
        _mm_storeu_ps(to.add(width), _mm_movehl_ps(cd_lo, ab_lo));
        _mm_storeu_ps(to.add(2 * width), _mm_movelh_ps(ab_hi, cd_hi));
        _mm_storeu_ps(to.add(3 * width), _mm_movehl_ps(cd_hi, ab_hi));
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: within the caller's bounds.
    unsafe {
        let rows: [[f32; 4]; 4] =
            std::array::from_fn(|i| from.offset(i as isize * stride).cast::<[f32; 4]>().read_unaligned());
        for j in 0..4 {
            to.add(j * width).cast::<[f32; 4]>().write_unaligned(std::array::from_fn(|i| rows[i][j]));
        }
    }
}

/// A panel with its numbers anywhere.
///
/// # Safety
/// As [`pack`], for one panel.
unsafe fn gather(
    from: *const f32,
    free: Offsets,
    contraction: Offsets,
    count: usize,
    steps: usize,
    width: usize,
    to: *mut f32,
) {
    // Few places at a time: those of all steps then stay in the first-level cache, where neighbouring steps find them again.
    for first in (0..count).step_by(GATHERED_AT_ONCE) {
        let places = first..count.min(first + GATHERED_AT_ONCE);
        for step in 0..steps {
            // SAFETY: place < count, step < steps.
            unsafe {
                let from = from.offset(contraction.at(step));
                let to = to.add(step * width);
                for place in places.clone() {
                    *to.add(place) = *from.offset(free.at(place));
                }
            }
        }
    }
    // SAFETY: by the caller's contract.
    unsafe { pad(count, steps, width, to) };
}

/// Zeros where a panel has no places.
///
/// # Safety
/// As [`pack`], for one panel.
unsafe fn pad(count: usize, steps: usize, width: usize, to: *mut f32) {
    for step in 0..steps {
        for place in count..width {
            // SAFETY: inside the panel.
            unsafe { *to.add(step * width + place) = 0.0 };
        }
    }
}
