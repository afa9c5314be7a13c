//! What this machine's cores can do at most: the speed of a large product on the micro-kernels that the runtime calls.

use saddlepoint_runtime::device::cpu::{Workers, share};
use std::time::Instant;

/// Rows and columns of the matrices: large enough for full speed, small enough (a millisecond on two cores) that some runs are not
/// interrupted on a machine shared with others. A peak that is measured too low would flatter everything compared with it.
const SIZE: usize = 512;

/// Measures the speed of a product of two square matrices, all workers at it.
///
/// The product is the `gemm` library's, not the runtime's, so that a slow runtime does not lower the mark that it is measured
/// by; both call the same micro-kernels.
pub struct GemmPeak {
    workers: Workers,
    left: Matrix,
    right: Matrix,
    product: Matrix,
    best_seconds: f64,
}

/// A column-major matrix that workers write disjoint rows of.
struct Matrix(Vec<f32>);

// SAFETY: written only through raw pointers, by workers whose rows are disjoint; read only where nobody writes.
unsafe impl Sync for Matrix {}

impl Matrix {
    fn new() -> Matrix {
        Matrix((0..SIZE * SIZE).map(|i| (i % 17) as f32 * 0.01 - 0.08).collect())
    }

    fn at(&self, row: usize) -> *mut f32 {
        self.0.as_ptr().cast_mut().wrapping_add(row)
    }
}

impl GemmPeak {
    /// With this many workers.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn new(workers: usize) -> std::io::Result<GemmPeak> {
        let workers = Workers::new(workers)?;
        Ok(GemmPeak {
            workers,
            left: Matrix::new(),
            right: Matrix::new(),
            product: Matrix::new(),
            best_seconds: f64::INFINITY,
        })
    }

    /// Runs the product so many times and keeps the fastest.
    pub fn sample(&mut self, runs: usize) {
        let (left, right, product) = (&self.left, &self.right, &self.product);
        let stride = SIZE as isize;
        for _ in 0..runs {
            let start = Instant::now();
            self.workers.run(&|worker| {
                let rows = share(SIZE, 64, worker.index, worker.count);
                // SAFETY: column-major matrices of SIZE² numbers, columns SIZE apart; workers write disjoint rows of the
                // product, and nothing writes the operands.
                unsafe {
                    gemm::gemm(
                        rows.len(),
                        SIZE,
                        SIZE,
                        product.at(rows.start),
                        stride,
                        1,
                        false,
                        left.at(rows.start),
                        stride,
                        1,
                        right.at(0),
                        stride,
                        1,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            });
            self.best_seconds = self.best_seconds.min(start.elapsed().as_secs_f64());
        }
    }

    /// Floating-point operations a second of the fastest run so far; 0 before the first.
    pub fn flops_per_second(&self) -> f64 {
        2.0 * (SIZE as f64).powi(3) / self.best_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_one() {
        let mut peak = GemmPeak::new(3).unwrap();
        assert_eq!(peak.flops_per_second(), 0.0);
        peak.sample(1);
        assert!(peak.flops_per_second() > 0.0);
        for (row, column) in [(0, 0), (5, 500), (340, 17), (511, 511)] {
            let term = |k: usize| f64::from(peak.left.0[row + k * SIZE]) * f64::from(peak.right.0[k + column * SIZE]);
            let wanted: f64 = (0..SIZE).map(term).sum();
            assert!((f64::from(peak.product.0[row + column * SIZE]) - wanted).abs() < 1e-3);
        }
    }
}
