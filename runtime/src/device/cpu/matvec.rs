//! Sums of products of contiguous numbers: products with few columns, where each number of a matrix is used once or twice.

/// Rows that are summed together: enough independent sums to keep the multipliers busy.
pub(super) const ROWS: usize = 4;

/// Sums of products of each of the rows with one column, in an order that depends only on the length and on the instruction set.
type Sums = unsafe fn([*const f32; ROWS], *const f32, usize) -> [f32; ROWS];

/// The fastest of this machine. The function's contract: the rows and the column are readable for the given number of elements.
pub(super) fn sums_of_products() -> Sums {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return avx512;
        }
        if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2") {
            return avx2;
        }
    }
    if cfg!(target_arch = "aarch64") { fused } else { plain }
}

/// # Safety
/// As [`sums_of_products`] says, on a machine with AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512(rows: [*const f32; ROWS], column: *const f32, count: usize) -> [f32; ROWS] {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_reduce_add_ps, _mm512_setzero_ps};
    let whole = count - count % 16;
    let mut sums = [_mm512_setzero_ps(); ROWS];
    for at in (0..whole).step_by(16) {
        // SAFETY: at + 16 ≤ count.
        unsafe {
            let numbers = _mm512_loadu_ps(column.add(at));
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = _mm512_fmadd_ps(_mm512_loadu_ps(row.add(at)), numbers, *sum);
            }
        }
    }
    // SAFETY: the same contract.
    unsafe { finish(sums.map(|sum| _mm512_reduce_add_ps(sum)), rows, column, whole..count, f32::mul_add) }
}

/// # Safety
/// As [`sums_of_products`] says, on a machine with AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2(rows: [*const f32; ROWS], column: *const f32, count: usize) -> [f32; ROWS] {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps};
    let whole = count - count % 8;
    let mut sums = [_mm256_setzero_ps(); ROWS];
    for at in (0..whole).step_by(8) {
        // SAFETY: at + 8 ≤ count.
        unsafe {
            let numbers = _mm256_loadu_ps(column.add(at));
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum = _mm256_fmadd_ps(_mm256_loadu_ps(row.add(at)), numbers, *sum);
            }
        }
    }
    let totals = sums.map(|sum| {
        let mut eight = [0.0; 8];
        // SAFETY: room for eight numbers.
        unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), sum) };
        tree(eight)
    });
    // SAFETY: the same contract.
    unsafe { finish(totals, rows, column, whole..count, f32::mul_add) }
}

/// For machines all of which have fused multiply-adds.
///
/// # Safety
/// As [`sums_of_products`] says.
unsafe fn fused(rows: [*const f32; ROWS], column: *const f32, count: usize) -> [f32; ROWS] {
    // SAFETY: the same contract.
    unsafe { portable(rows, column, count, f32::mul_add) }
}

/// # Safety
/// As [`sums_of_products`] says.
unsafe fn plain(rows: [*const f32; ROWS], column: *const f32, count: usize) -> [f32; ROWS] {
    // SAFETY: the same contract.
    unsafe { portable(rows, column, count, |a, b, c| a * b + c) }
}

/// One row after another, in eight partial sums that the compiler keeps in vector registers.
///
/// # Safety
/// As [`sums_of_products`] says.
#[inline(always)]
unsafe fn portable(
    rows: [*const f32; ROWS],
    column: *const f32,
    count: usize,
    multiply_add: impl Fn(f32, f32, f32) -> f32 + Copy,
) -> [f32; ROWS] {
    let whole = count - count % 8;
    let totals = rows.map(|row| {
        let mut sums = [0.0f32; 8];
        for at in (0..whole).step_by(8) {
            // SAFETY: at + 8 ≤ count.
            let (row, column) = unsafe { (&*row.add(at).cast::<[f32; 8]>(), &*column.add(at).cast::<[f32; 8]>()) };
            for lane in 0..8 {
                sums[lane] = multiply_add(row[lane], column[lane], sums[lane]);
            }
        }
        tree(sums)
    });
    // SAFETY: the same contract.
    unsafe { finish(totals, rows, column, whole..count, multiply_add) }
}

/// The sum of eight partial sums.
#[inline(always)]
fn tree(eight: [f32; 8]) -> f32 {
    let four: [f32; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Adds the products that do not fill a vector.
///
/// # Safety
/// As [`sums_of_products`] says.
#[inline(always)]
unsafe fn finish(
    mut totals: [f32; ROWS],
    rows: [*const f32; ROWS],
    column: *const f32,
    rest: std::ops::Range<usize>,
    multiply_add: impl Fn(f32, f32, f32) -> f32,
) -> [f32; ROWS] {
    for at in rest {
        for (total, row) in totals.iter_mut().zip(rows) {
            // SAFETY: at < count.
            *total = unsafe { multiply_add(*row.add(at), *column.add(at), *total) };
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_every_product() {
        for count in [0, 1, 5, 15, 16, 63, 200] {
            let rows: Vec<Vec<f32>> = (0..ROWS).map(|row| (0..count).map(|i| (i + row) as f32).collect()).collect();
            let column: Vec<f32> = (0..count).map(|i| (i % 3) as f32 + 1.0).collect();
            for sums in [sums_of_products(), plain] {
                let starts = std::array::from_fn(|row| rows[row].as_ptr());
                // SAFETY: all are `count` long.
                let got = unsafe { sums(starts, column.as_ptr(), count) };
                for (row, got) in rows.iter().zip(got) {
                    let expected: f64 = row.iter().zip(&column).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                    assert!((f64::from(got) - expected).abs() <= 1e-6 * expected, "{count}: {got} {expected}");
                }
            }
        }
    }
}
