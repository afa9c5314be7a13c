//! Vectors of the instruction sets that tiles are computed with.

/// A vector register of floats. What always holds: all implementations round alike but for fused multiply-adds, where the machine
/// has them.
pub(super) trait Lanes {
    /// The register.
    type Vector: Copy;
    /// Which of its floats take part in a load or store.
    type Mask: Copy;
    /// Floats in it.
    const COUNT: usize;

    /// The mask of the first `count` floats, of 1 to [`Lanes::COUNT`].
    ///
    /// # Safety
    /// The machine has the instruction set; so for all functions below.
    unsafe fn first(count: usize) -> Self::Mask;

    /// All zero.
    ///
    /// # Safety
    /// See [`Lanes::first`].
    unsafe fn zero() -> Self::Vector;

    /// The float at `from` in all places.
    ///
    /// # Safety
    /// Readable.
    unsafe fn splat(from: *const f32) -> Self::Vector;

    /// The floats from `from` on.
    ///
    /// # Safety
    /// All readable.
    unsafe fn load(from: *const f32) -> Self::Vector;

    /// Those of the mask; the others are zero and not read.
    ///
    /// # Safety
    /// Those of the mask readable.
    unsafe fn load_masked(from: *const f32, mask: Self::Mask) -> Self::Vector;

    /// # Safety
    /// All writable.
    unsafe fn store(vector: Self::Vector, to: *mut f32);

    /// Stores those of the mask; the others are not written.
    ///
    /// # Safety
    /// Those of the mask writable.
    unsafe fn store_masked(vector: Self::Vector, to: *mut f32, mask: Self::Mask);

    /// a + b.
    ///
    /// # Safety
    /// See [`Lanes::first`].
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// a·b + c, rounded once where the machine can.
    ///
    /// # Safety
    /// See [`Lanes::first`].
    unsafe fn multiply_add(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// Four floats as every machine has them; `FUSED` says whether a fused multiply-add is an instruction.
pub(super) struct Portable<const FUSED: bool>;

impl<const FUSED: bool> Lanes for Portable<FUSED> {
    type Vector = [f32; 4];
    type Mask = usize;
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn first(count: usize) -> usize {
        count
    }

    #[inline(always)]
    unsafe fn zero() -> [f32; 4] {
        [0.0; 4]
    }

    #[inline(always)]
    unsafe fn splat(from: *const f32) -> [f32; 4] {
        // SAFETY: by the caller's contract.
        [unsafe { *from }; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: by the caller's contract.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn load_masked(from: *const f32, mask: usize) -> [f32; 4] {
        // SAFETY: by the caller's contract; only places below the mask's count are read.
        std::array::from_fn(|lane| if lane < mask { unsafe { *from.add(lane) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn store(vector: [f32; 4], to: *mut f32) {
        // SAFETY: by the caller's contract.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(vector) };
    }

    #[inline(always)]
    unsafe fn store_masked(vector: [f32; 4], to: *mut f32, mask: usize) {
        for (lane, value) in vector.into_iter().enumerate().take(mask) {
            // SAFETY: by the caller's contract.
            unsafe { *to.add(lane) = value };
        }
    }

    #[inline(always)]
    unsafe fn add(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    unsafe fn multiply_add(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|lane| if FUSED { a[lane].mul_add(b[lane], c[lane]) } else { a[lane] * b[lane] + c[lane] })
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    /// AVX-512F.
    pub struct Avx512;

    impl Lanes for Avx512 {
        type Vector = __m512;
        type Mask = __mmask16;
        const COUNT: usize = 16;

        #[inline(always)]
        unsafe fn first(count: usize) -> __mmask16 {
            (u32::MAX >> (32 - count)) as __mmask16
        }

        #[inline(always)]
        unsafe fn zero() -> __m512 {
            // SAFETY: the instruction set is there by the trait's contract; so below.
            unsafe { _mm512_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn splat(from: *const f32) -> __m512 {
            // SAFETY: by the caller's contract.
            unsafe { _mm512_set1_ps(*from) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            // SAFETY: by the caller's contract.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: __mmask16) -> __m512 {
            // SAFETY: by the caller's contract; masked places are not accessed.
            unsafe { _mm512_maskz_loadu_ps(mask, from) }
        }

        #[inline(always)]
        unsafe fn store(vector: __m512, to: *mut f32) {
            // SAFETY: by the caller's contract.
            unsafe { _mm512_storeu_ps(to, vector) };
        }

        #[inline(always)]
        unsafe fn store_masked(vector: __m512, to: *mut f32, mask: __mmask16) {
            // SAFETY: by the caller's contract; masked places are not accessed.
            unsafe { _mm512_mask_storeu_ps(to, mask, vector) };
        }

        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            // SAFETY: the instruction set is there.
            unsafe { _mm512_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn multiply_add(a: __m512, b: __m512, c: __m512) -> __m512 {
            // SAFETY: the instruction set is there.
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
    }

    /// AVX2 with FMA.
    pub struct Avx2;

    /// Eight set and eight clear words: from word 8 − n on, the first n of eight are set.
    static WORDS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

    impl Lanes for Avx2 {
        type Vector = __m256;
        type Mask = __m256i;
        const COUNT: usize = 8;

        #[inline(always)]
        unsafe fn first(count: usize) -> __m256i {
            // SAFETY: eight words from 8 − count on are inside of the sixteen.
            unsafe { _mm256_loadu_si256(WORDS.as_ptr().add(8 - count).cast()) }
        }

        #[inline(always)]
        unsafe fn zero() -> __m256 {
            // SAFETY: the instruction set is there by the trait's contract; so below.
            unsafe { _mm256_setzero_ps() }
        }

        #[inline(always)]
        unsafe fn splat(from: *const f32) -> __m256 {
            // SAFETY: by the caller's contract.
            unsafe { _mm256_broadcast_ss(&*from) }
        }

        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m256 {
            // SAFETY: by the caller's contract.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn load_masked(from: *const f32, mask: __m256i) -> __m256 {
            // SAFETY: by the caller's contract; masked places are not accessed.
            unsafe { _mm256_maskload_ps(from, mask) }
        }

        #[inline(always)]
        unsafe fn store(vector: __m256, to: *mut f32) {
            // SAFETY: by the caller's contract.
            unsafe { _mm256_storeu_ps(to, vector) };
        }

        #[inline(always)]
        unsafe fn store_masked(vector: __m256, to: *mut f32, mask: __m256i) {
            // SAFETY: by the caller's contract; masked places are not accessed.
            unsafe { _mm256_maskstore_ps(to, mask, vector) };
        }

        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            // SAFETY: the instruction set is there.
            unsafe { _mm256_add_ps(a, b) }
        }

        #[inline(always)]
        unsafe fn multiply_add(a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: the instruction set is there.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
    }
}
