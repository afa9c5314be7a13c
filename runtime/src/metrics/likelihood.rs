//! Log likelihoods: Parzen windows for models that only sample, the importance-weighted bound for models with an encoder.

use super::discrepancy::check_sigmas;
use super::distances::Distances;
use super::features::Features;
use super::spread::Estimate;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Exponents below this add nothing to a sum that has a term of 1, in f64 and over fewer than 10⁹ terms.
const NEGLIGIBLE: f64 = -60.0;

/// The log likelihood of test data under Parzen windows around generated samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parzen {
    /// The windows' standard deviation: the one under which validation data are likeliest.
    pub sigma: f64,
    /// The mean log likelihood of a test sample, in nats.
    pub log_likelihood: Estimate,
}

/// Fits Parzen windows to generated samples, `[m, …]`, and asks for the test data's log likelihood, `[t, …]`: σ is the one of
/// `sigmas` under which validation data, `[v, …]`, have the greatest mean log likelihood (Breuleux et al. 2011; the protocol of
/// Goodfellow et al. 2014). Usual are ten σ from 0.1 to 1 at even steps of their logarithm ([`parzen_sigmas`]). In many
/// dimensions the value says little of a model (Theis et al. 2016, section 3.2); it is for comparing with published ones.
///
/// # Errors
/// [`Error::Data`] for a set without samples, rows that differ in width, or a number that is not finite; [`Error::Setting`] for a
/// σ that is not positive and finite, or none.
pub fn parzen(generated: &Tensor, validation: &Tensor, test: &Tensor, sigmas: &[f64]) -> Result<Parzen> {
    let generated = Features::new("generated samples", generated, 1)?;
    let validation = Features::new("validation samples", validation, 1)?.beside(&generated)?;
    let test = Features::new("test samples", test, 1)?.beside(&generated)?;
    check_sigmas(sigmas)?;
    let likelihoods = log_likelihoods(generated, validation, sigmas)?;
    let mean = |which: usize| likelihoods.iter().map(|sample| sample[which]).sum::<f64>() / validation.rows as f64;
    let (mut sigma, mut best) = (sigmas[0], f64::NEG_INFINITY);
    for (which, &candidate) in sigmas.iter().enumerate() {
        let mean = mean(which);
        if mean > best {
            (sigma, best) = (candidate, mean);
        }
    }
    Ok(Parzen { sigma, log_likelihood: estimate(generated, test, sigma)? })
}

/// The log likelihood of test data, `[t, …]`, under Parzen windows of a known σ around generated samples, `[m, …]`: the mean of
/// log (1/m) Σⱼ N(x; yⱼ, σ² I), in nats.
///
/// # Errors
/// As [`parzen`].
pub fn parzen_log_likelihood(generated: &Tensor, test: &Tensor, sigma: f64) -> Result<Estimate> {
    let generated = Features::new("generated samples", generated, 1)?;
    let test = Features::new("test samples", test, 1)?.beside(&generated)?;
    check_sigmas(&[sigma])?;
    estimate(generated, test, sigma)
}

/// Ten σ from 0.1 to 1 at even steps of their logarithm.
pub fn parzen_sigmas() -> [f64; 10] {
    std::array::from_fn(|i| 10.0_f64.powf(i as f64 / 9.0 - 1.0))
}

fn estimate(generated: Features, test: Features, sigma: f64) -> Result<Estimate> {
    Ok(Estimate::of(&log_likelihoods(generated, test, &[sigma])?.concat()))
}

/// The log likelihood of each sample under each σ.
fn log_likelihoods(generated: Features, samples: Features, sigmas: &[f64]) -> Result<Vec<Vec<f64>>> {
    Distances::new(samples, generated).rows(|_, row| {
        let squared: Vec<f64> = (0..generated.rows).map(|j| row.squared(j)).collect();
        let least = squared.iter().copied().fold(f64::INFINITY, f64::min);
        let likelihood = |sigma: &f64| {
            let variance = sigma * sigma;
            let scale = -0.5 / variance;
            let exponents = squared.iter().map(|squared| (squared - least) * scale);
            let sum: f64 = exponents.filter(|&exponent| exponent > NEGLIGIBLE).map(f64::exp).sum();
            let normaliser = 0.5 * generated.width as f64 * (std::f64::consts::TAU * variance).ln();
            sum.ln() - least / (2.0 * variance) - (generated.rows as f64).ln() - normaliser
        };
        sigmas.iter().map(likelihood).collect()
    })
}

/// The importance-weighted bound on the log likelihood (Burda et al. 2016, eq. 8), from log weights `[n, K]`,
/// log p(x, zₖ) − log q(zₖ | x) with zₖ drawn from q(· | x): the mean over samples of log (1/K) Σₖ wₖ, in nats. K = 1 is the
/// evidence lower bound; the bound rises with K.
///
/// # Errors
/// [`Error::Data`] for no samples or weights, or a weight that is not finite.
pub fn importance_bound(log_weights: &Tensor) -> Result<Estimate> {
    let weights = Features::new("log weights", log_weights, 1)?;
    if log_weights.shape().len() != 2 {
        return Err(Error::data("log weights", "[n, K]", format!("{:?}", log_weights.shape())));
    }
    let rows = (0..weights.rows).map(|row| {
        let weights = weights.row(row);
        let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = weights.iter().map(|&weight| (f64::from(weight) - f64::from(most)).exp()).sum();
        f64::from(most) + (sum / weights.len() as f64).ln()
    });
    Ok(Estimate::of(&rows.collect::<Vec<f64>>()))
}
