//! Gaussians fitted to codes.

use faer::{Mat, Side};
use saddlepoint::prelude::*;

/// Samples of the Gaussian whose mean and covariance are those of the codes `[n, k]`, made from standard normal draws `[m, k]`.
///
/// # Errors
/// [`saddlepoint::Error::Data`] for other shapes, fewer than two codes, or numbers that are not finite.
pub fn fitted_gaussian(codes: &Tensor, draws: &Tensor) -> saddlepoint::Result<Tensor> {
    let (&[n, k], &[m, width]) = (codes.shape(), draws.shape()) else {
        let found = format!("{:?} and {:?}", codes.shape(), draws.shape());
        return Err(saddlepoint::Error::data("codes and draws", "a row each", found));
    };
    if n < 2 || k != width {
        let found = format!("{n} codes of {k} numbers, draws of {width}");
        return Err(saddlepoint::Error::data("codes and draws", "two codes or more, as wide as the draws", found));
    }
    let mean: Vec<f64> = (0..k).map(|j| (0..n).map(|i| f64::from(codes.row(i)[j])).sum::<f64>() / n as f64).collect();
    let centred = Mat::from_fn(n, k, |i, j| f64::from(codes.row(i)[j]) - mean[j]);
    let mut covariance = centred.transpose() * &centred;
    // Numbers that never vary would have no factor.
    for i in 0..k {
        covariance[(i, i)] += 1e-9 * n as f64;
    }
    let factor = covariance.llt(Side::Lower).map_err(|e| {
        saddlepoint::Error::data("the codes' covariance", "finite numbers, positive definite", format!("{e:?}"))
    })?;
    let (lower, scale) = (factor.L(), (n as f64).sqrt().recip());
    let number = |i: usize, j: usize| {
        let sum: f64 = (0..=j).map(|l| lower[(j, l)] * f64::from(draws.row(i)[l])).sum();
        (mean[j] + scale * sum) as f32
    };
    Tensor::new([m, k], (0..m * k).map(|at| number(at / k, at % k)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_mean_and_covariance_of_the_codes() {
        // Draws with mean 0 and covariance 1 exactly, so that samples have those of the codes exactly.
        let draws = Tensor::new([4, 2], vec![1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0]).unwrap();
        let codes = Tensor::new([3, 2], vec![0.0, 0.0, 3.0, 0.0, 0.0, 3.0]).unwrap();
        let made = fitted_gaussian(&codes, &draws).unwrap();
        let moments = |t: &Tensor| {
            let n = t.rows() as f32;
            let mean = |f: &dyn Fn(&[f32]) -> f32| (0..t.rows()).map(|i| f(t.row(i))).sum::<f32>() / n;
            let (x, y) = (mean(&|r| r[0]), mean(&|r| r[1]));
            [x, y, mean(&|r| (r[0] - x).powi(2)), mean(&|r| (r[1] - y).powi(2)), mean(&|r| (r[0] - x) * (r[1] - y))]
        };
        for (found, wanted) in moments(&made).iter().zip(moments(&codes)) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
    }

    #[test]
    fn other_shapes_are_errors() {
        assert!(fitted_gaussian(&Tensor::zeros([3, 2]), &Tensor::zeros([3, 1])).is_err());
        assert!(fitted_gaussian(&Tensor::zeros([1, 2]), &Tensor::zeros([3, 2])).is_err());
        assert!(fitted_gaussian(&Tensor::zeros([3]), &Tensor::zeros([3])).is_err());
    }
}
