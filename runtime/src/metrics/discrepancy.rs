//! The maximum mean discrepancy under Gaussian kernels.

use super::distances::Distances;
use super::features::Features;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Samples that the median of distances is taken over, at most.
const MEDIAN_OF: usize = 2000;

/// The unbiased estimate of the squared maximum mean discrepancy between samples, `[n, …]` and `[m, …]`, under
/// k(x, y) = exp(−|x − y|² / 2σ²) with σ = [`median_distance`] (Gretton et al. 2012, eq. 3 and section 8). Zero is best, and
/// equal distributions give negative values as often as positive ones.
///
/// # Errors
/// [`Error::Data`] for fewer than two samples of a kind, rows that differ in width, or a number that is not finite.
pub fn gaussian_discrepancy(real: &Tensor, generated: &Tensor) -> Result<f64> {
    gaussian_discrepancy_with(real, generated, &[median_distance(real, generated)?])
}

/// [`gaussian_discrepancy`] under the mean of the kernels with these σ: several see differences on several scales.
///
/// # Errors
/// As there; [`Error::Setting`] for a σ that is not positive and finite, or none.
pub fn gaussian_discrepancy_with(real: &Tensor, generated: &Tensor, sigmas: &[f64]) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 2)?;
    check_sigmas(sigmas)?;
    let scales: Vec<f64> = sigmas.iter().map(|sigma| -0.5 / (sigma * sigma)).collect();
    let kernel = |squared: f64| {
        let exponents = scales.iter().map(|scale| squared * scale).filter(|&exponent| exponent > f64::MIN_EXP as f64);
        exponents.map(f64::exp).sum::<f64>() / scales.len() as f64
    };
    let within = |x: Features| -> Result<f64> {
        let sums = Distances::new(x, x).rows(|i, row| (i + 1..x.rows).map(|j| kernel(row.squared(j))).sum::<f64>())?;
        Ok(2.0 * sums.iter().sum::<f64>() / (x.rows as f64 * (x.rows - 1) as f64))
    };
    let across =
        Distances::new(generated, real).rows(|_, row| (0..real.rows).map(|j| kernel(row.squared(j))).sum::<f64>())?;
    let across = across.iter().sum::<f64>() / (real.rows as f64 * generated.rows as f64);
    Ok(within(real)? + within(generated)? - 2.0 * across)
}

/// The median of the distances between two different samples of both sets together, those of distance zero left out; 1 where
/// there are no others. Of more than 2000 samples, 2000 at even steps are taken.
///
/// # Errors
/// [`Error::Data`] for sets without samples, rows that differ in width, or a number that is not finite.
pub fn median_distance(real: &Tensor, generated: &Tensor) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 1)?;
    let all = real.rows + generated.rows;
    let taken = all.min(MEDIAN_OF);
    let row = |i: usize| if i < real.rows { real.row(i) } else { generated.row(i - real.rows) };
    let values: Vec<f32> = (0..taken).flat_map(|i| row(i * all / taken).iter().copied()).collect();
    let pooled = Tensor::new([taken, real.width], values)?;
    let pooled = Features::new("samples", &pooled, 1)?;
    let rows = Distances::new(pooled, pooled)
        .rows(|i, row| (i + 1..taken).map(|j| row.squared(j)).filter(|&squared| squared > 0.0).collect::<Vec<f64>>())?;
    let mut squared = rows.concat();
    if squared.is_empty() {
        return Ok(1.0);
    }
    let (count, middle) = (squared.len(), squared.len() / 2);
    let (below, &mut upper, _) = squared.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = if count % 2 == 1 { upper } else { below.iter().copied().fold(0.0, f64::max) };
    Ok((lower.sqrt() + upper.sqrt()) / 2.0)
}

pub(super) fn check_sigmas(sigmas: &[f64]) -> Result<()> {
    let message = match sigmas.iter().find(|sigma| !(sigma.is_finite() && **sigma > 0.0)) {
        Some(sigma) => format!("expected positive finite numbers, found {sigma}"),
        None if sigmas.is_empty() => "expected at least one, found none".to_string(),
        None => return Ok(()),
    };
    Err(Error::Setting { setting: "sigmas", message })
}
