//! Log likelihoods in closed form.

use std::f64::consts::TAU;

use super::{changed, close, normal, tensor};
use crate::metrics::*;
use crate::tensor::Tensor;

#[test]
fn a_single_window_is_a_gaussian() {
    let estimate = parzen_log_likelihood(&tensor(2, vec![1.0, 1.0]), &tensor(2, vec![1.0, 3.0, 1.0, 1.0]), 0.5).unwrap();
    let normaliser = (TAU * 0.25).ln();
    close(estimate.mean, -normaliser - (8.0 + 0.0) / 2.0, 1e-12);
    close(estimate.standard_error, 4.0, 1e-12);
    // Two windows, one of them out of reach: half of the density, and no underflow.
    let far = parzen_log_likelihood(&tensor(1, vec![0.0, 1e6]), &tensor(1, vec![0.0]), 1.0).unwrap();
    close(far.mean, -0.5_f64.ln().abs() - 0.5 * TAU.ln(), 1e-12);
    let out_of_reach = parzen_log_likelihood(&tensor(1, vec![0.0]), &tensor(1, vec![1000.0]), 0.1).unwrap();
    close(out_of_reach.mean, -0.5e8 - 0.5 * (TAU * 0.01).ln(), 1e-12);
}

#[test]
fn sigma_is_chosen_on_validation_data() {
    let (generated, validation, test) = (normal(1, 400, 2), normal(2, 200, 2), normal(3, 200, 2));
    let sigmas = parzen_sigmas();
    close(sigmas[0], 0.1, 1e-12);
    close(sigmas[9], 1.0, 1e-12);
    let fit = parzen(&generated, &validation, &test, &sigmas).unwrap();
    for sigma in sigmas {
        let other = parzen_log_likelihood(&generated, &validation, sigma).unwrap().mean;
        assert!(other <= parzen_log_likelihood(&generated, &validation, fit.sigma).unwrap().mean, "{sigma}");
    }
    assert_eq!(fit.log_likelihood, parzen_log_likelihood(&generated, &test, fit.sigma).unwrap());
    // No model is likelier than the truth, whose entropy is 1 + ln 2π in the plane; this one comes near.
    assert!((fit.log_likelihood.mean + 1.0 + TAU.ln()).abs() < 0.2, "{fit:?}");
    // Copies of the generated samples as validation data ask for the narrowest windows.
    assert_eq!(parzen(&generated, &generated, &test, &sigmas).unwrap().sigma, 0.1);
    let worse = parzen(&changed(&generated, |_, x| x + 2.0), &validation, &test, &sigmas).unwrap();
    assert!(worse.log_likelihood.mean < fit.log_likelihood.mean - 0.5);
    assert!(parzen(&generated, &validation, &test, &[]).is_err());
    assert!(parzen_log_likelihood(&generated, &test, -1.0).unwrap_err().to_string().contains("found -1"));
    assert!(parzen(&generated, &normal(1, 3, 3), &test, &sigmas).unwrap_err().to_string().contains("validation samples"));
}

#[test]
fn the_importance_bound_is_a_mean_of_weights_in_logarithms() {
    let ln = |x: f32| x.ln();
    let bound = importance_bound(&tensor(2, vec![ln(1.0), ln(3.0), ln(2.0), ln(6.0)])).unwrap();
    close(bound.mean, (2.0_f64.ln() + 4.0_f64.ln()) / 2.0, 1e-6);
    close(bound.standard_error, 2.0_f64.ln() / 2.0, 1e-6);
    // Far beyond what exp can hold.
    close(importance_bound(&tensor(2, vec![-1000.0, -1000.0])).unwrap().mean, -1000.0, 1e-12);
    // One weight is the plain bound.
    assert_eq!(importance_bound(&tensor(1, vec![-80.0, -90.0])).unwrap().mean, -85.0);
    assert!(importance_bound(&Tensor::zeros([3])).unwrap_err().to_string().contains("[n, K]"));
    let message = importance_bound(&tensor(2, vec![0.0, 0.0, 0.0, f32::NEG_INFINITY])).unwrap_err().to_string();
    assert!(message.contains("log weights, row 1"), "{message}");
}

/// A linear Gaussian model, p(z) = N(0, 1), p(x|z) = N(z, 1), has log p(x) = log N(x; 0, 2); its posterior is N(x/2, 1/2).
#[test]
fn the_importance_bound_rises_to_the_log_likelihood() {
    let log_normal = |x: f64, mean: f64, variance: f64| -0.5 * ((TAU * variance).ln() + (x - mean).powi(2) / variance);
    let x = 1.5;
    let truth = log_normal(x, 0.0, 2.0);
    let bound = |k: usize| {
        let draws = normal(k as u64, 2000, k);
        // The encoder is too narrow and off, but not so narrow that weights have no variance.
        let weight = |noise: f32| {
            let z = 0.5 * x + 0.2 + 0.6 * f64::from(noise);
            (log_normal(z, 0.0, 1.0) + log_normal(x, z, 1.0) - log_normal(z, 0.5 * x + 0.2, 0.36)) as f32
        };
        importance_bound(&changed(&draws, |_, noise| weight(noise))).unwrap()
    };
    let (one, ten, hundred) = (bound(1), bound(10), bound(100));
    // KL(q ‖ posterior) = ½ (σ²/s² + δ²/s² − 1 − ln σ²/s²) at σ² = 0.36, s² = ½, δ = 0.2.
    let gap = 0.5 * (0.72 + 0.08 - 1.0 - 0.72_f64.ln());
    assert!((one.mean - (truth - gap)).abs() < 4.0 * one.standard_error, "{one}, {}", truth - gap);
    assert!(one.mean < ten.mean && ten.mean < hundred.mean && hundred.mean < truth + 4.0 * hundred.standard_error);
    assert!((hundred.mean - truth).abs() < 0.02, "{hundred} of {truth}");
    // The encoder that is the posterior has one weight only, p(x).
    let exact = changed(&normal(9, 50, 3), |_, noise| {
        let z = 0.5 * x + 0.5_f64.sqrt() * f64::from(noise);
        (log_normal(z, 0.0, 1.0) + log_normal(x, z, 1.0) - log_normal(z, 0.5 * x, 0.5)) as f32
    });
    close(importance_bound(&exact).unwrap().mean, truth, 1e-6);
}
