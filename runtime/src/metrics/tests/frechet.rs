//! Fréchet distances in closed form, of singular covariances, and their bias.

use super::{changed, close, normal, rows, tensor};
use crate::metrics::{Gaussian, frechet_distance};
use crate::tensor::Tensor;

fn diagonal(mean: f64, variances: &[f64]) -> Gaussian {
    let width = variances.len();
    let at = |at: usize| if at / width == at % width { variances[at / width] } else { 0.0 };
    Gaussian::new(vec![mean; width], (0..width * width).map(at).collect()).unwrap()
}

#[test]
fn gaussians_with_diagonal_covariances_have_a_closed_form() {
    let (a, b) = (diagonal(1.0, &[4.0, 1.0, 0.0]), diagonal(3.0, &[1.0, 1.0, 9.0]));
    // Σ (μ₁ − μ₂)² + Σ (σ₁ − σ₂)².
    close(a.frechet_distance(&b).unwrap(), 12.0 + 1.0 + 0.0 + 9.0, 1e-14);
    close(b.frechet_distance(&a).unwrap(), 22.0, 1e-14);
    assert!(a.frechet_distance(&a).unwrap() < 1e-14);
}

#[test]
fn gaussians_whose_covariances_do_not_commute_have_one_in_the_plane() {
    // In two dimensions tr √(AB) = √(tr AB + 2 √(det A · det B)).
    let (a, b) = ([2.0, 1.0, 1.0, 3.0], [1.0, -0.5, -0.5, 4.0]);
    let trace: f64 = a[0] * b[0] + 2.0 * a[1] * b[1] + a[3] * b[3];
    let determinants = (a[0] * a[3] - a[1] * a[1]) * (b[0] * b[3] - b[1] * b[1]);
    let expected = 10.0 - 2.0 * (trace + 2.0 * f64::sqrt(determinants)).sqrt();
    let gaussian = |covariance: [f64; 4]| Gaussian::new(vec![0.0; 2], covariance.to_vec()).unwrap();
    close(gaussian(a).frechet_distance(&gaussian(b)).unwrap(), expected, 1e-12);
}

#[test]
fn fits_are_means_and_unbiased_covariances() {
    let fit = Gaussian::of(&tensor(2, vec![1.0, 0.0, 3.0, 0.0, 5.0, 3.0])).unwrap();
    assert_eq!((fit.mean(), fit.covariance()), ([3.0, 1.0].as_slice(), [4.0, 3.0, 3.0, 3.0].as_slice()));
}

#[test]
fn equal_distributions_are_apart_by_the_known_bias_only() {
    let bias = |n: usize| {
        let all = normal(1, 2 * n, 8);
        frechet_distance(&rows(&all, 0..n), &rows(&all, n..2 * n)).unwrap()
    };
    // To first order: 2d/n of the means and d(d + 1)/2n of the covariances, here 52/n, give or take 12/n.
    for n in [1000, 4000] {
        let value = bias(n) * n as f64;
        assert!((25.0..90.0).contains(&value), "{value}");
    }
    let one = normal(2, 500, 8);
    assert!(frechet_distance(&one, &one).unwrap() < 1e-12);
}

#[test]
fn a_shift_and_a_scale_are_measured() {
    let real = normal(3, 2000, 4);
    close(frechet_distance(&real, &changed(&real, |_, x| x + 0.5)).unwrap(), 4.0 * 0.25, 1e-5);
    let trace: f64 = Gaussian::of(&real).unwrap().covariance().iter().step_by(5).sum();
    let wider = frechet_distance(&real, &changed(&real, |_, x| 2.0 * x)).unwrap();
    let moved: f64 = Gaussian::of(&real).unwrap().mean().iter().map(|x| x * x).sum();
    close(wider, trace + moved, 1e-9);
}

#[test]
fn singular_covariances_cost_no_accuracy() {
    // Fewer samples than features; the same in other units; and columns that are constant or copies.
    let few = normal(4, 20, 64);
    assert!(frechet_distance(&few, &few).unwrap() < 1e-9);
    let wide = frechet_distance(&few, &changed(&few, |_, x| 2.0 * x)).unwrap();
    let fit = Gaussian::of(&few).unwrap();
    let expected = fit.covariance().iter().step_by(65).sum::<f64>() + fit.mean().iter().map(|x| x * x).sum::<f64>();
    close(wide, expected, 1e-9);
    let constant = changed(&normal(5, 300, 6), |column, x| if column < 3 { 7.0 } else { x });
    let shifted = changed(&constant, |column, x| if column == 0 { 9.0 } else { x });
    close(frechet_distance(&constant, &shifted).unwrap(), 4.0, 1e-9);
    let points = Tensor::zeros([5, 3]);
    assert_eq!(frechet_distance(&points, &changed(&points, |_, _| 1.0)).unwrap(), 3.0);
}

#[test]
fn what_is_no_gaussian_is_refused() {
    let refused = |mean: Vec<f64>, covariance: Vec<f64>| Gaussian::new(mean, covariance).unwrap_err().to_string();
    assert!(refused(vec![0.0; 2], vec![0.0; 3]).contains("a mean of 2 numbers and a covariance of 3"));
    assert!(refused(vec![], vec![]).contains("d > 0"));
    assert!(refused(vec![f64::NAN], vec![1.0]).contains("NaN"));
    assert!(refused(vec![0.0; 2], vec![1.0, 0.5, 0.0, 1.0]).contains("0 at (1, 0) and 0.5 at (0, 1)"));
    let indefinite = Gaussian::new(vec![0.0; 2], vec![1.0, 0.0, 0.0, -1.0]).unwrap();
    let round = diagonal(0.0, &[1.0, 1.0]);
    for (a, b) in [(&indefinite, &round), (&round, &indefinite)] {
        assert!(a.frechet_distance(b).unwrap_err().to_string().contains("eigenvalue -1"));
    }
    assert!(round.frechet_distance(&diagonal(0.0, &[1.0])).unwrap_err().to_string().contains("width 2"));
    assert!(Gaussian::of(&Tensor::zeros([1, 4])).unwrap_err().to_string().contains("at least 2 samples"));
}
