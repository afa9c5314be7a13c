//! Sums of products of contiguous numbers: products with a vector, where each number of a matrix is used once.

/// The sum of products, in an order that depends only on the length and on the machine's instruction set.
type Sum = unsafe fn(*const f32, *const f32, usize) -> f32;

/// The fastest of this machine. The function's contract: both arrays are readable for the given number of elements.
pub(super) fn sum_of_products() -> Sum {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return avx512;
        }
        if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2") {
            return avx2;
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        return fused;
    }
    #[cfg(not(target_arch = "aarch64"))]
    plain
}

/// # Safety
/// As [`sum_of_products`] says, on a machine with AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the same contract.
    unsafe { accumulate::<64>(a, b, count, |a, b, c| a.mul_add(b, c)) }
}

/// # Safety
/// As [`sum_of_products`] says, on a machine with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the same contract.
    unsafe { accumulate::<64>(a, b, count, |a, b, c| a.mul_add(b, c)) }
}

/// # Safety
/// As [`sum_of_products`] says.
#[cfg(target_arch = "aarch64")]
unsafe fn fused(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the same contract.
    unsafe { accumulate::<32>(a, b, count, |a, b, c| a.mul_add(b, c)) }
}

/// # Safety
/// As [`sum_of_products`] says.
#[cfg(not(target_arch = "aarch64"))]
unsafe fn plain(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the same contract.
    unsafe { accumulate::<32>(a, b, count, |a, b, c| a * b + c) }
}

/// Sums in `LANES` independent places, which the compiler keeps in vector registers.
///
/// # Safety
/// As [`sum_of_products`] says.
#[inline(always)]
unsafe fn accumulate<const LANES: usize>(
    a: *const f32,
    b: *const f32,
    count: usize,
    multiply_add: impl Fn(f32, f32, f32) -> f32 + Copy,
) -> f32 {
    // SAFETY: by the caller's contract.
    let (a, b) = unsafe { (std::slice::from_raw_parts(a, count), std::slice::from_raw_parts(b, count)) };
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] = multiply_add(a[lane], b[lane], sums[lane]);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    a_rest.iter().zip(b_rest).fold(sums[0], |sum, (&a, &b)| multiply_add(a, b, sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_every_product() {
        for count in [0, 1, 5, 63, 64, 65, 200] {
            let a: Vec<f32> = (0..count).map(|i| i as f32).collect();
            let b: Vec<f32> = (0..count).map(|i| (i % 3) as f32 + 1.0).collect();
            let expected: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            // SAFETY: both are `count` long.
            let got = unsafe { sum_of_products()(a.as_ptr(), b.as_ptr(), count) };
            assert!((f64::from(got) - expected).abs() <= 1e-6 * expected, "{count}: {got} {expected}");
        }
    }
}
