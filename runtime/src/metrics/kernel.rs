//! The kernel distance (KID): the unbiased squared maximum mean discrepancy under a polynomial kernel.

use rand::seq::index::sample;

use super::features::Features;
use super::spread::Spread;
use super::{linear, parallel};
use crate::error::{Error, Result};
use crate::streams::Stream;
use crate::tensor::Tensor;

/// Random subsets that an estimate is repeated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsets {
    /// How many.
    pub count: usize,
    /// Samples of each kind in one, drawn without replacement.
    pub size: usize,
    /// What decides which.
    pub seed: u64,
}

/// A hundred of a thousand samples each, as is usual for the KID.
impl Default for Subsets {
    fn default() -> Subsets {
        Subsets { count: 100, size: 1000, seed: 0 }
    }
}

/// The kernel distance between samples, `[n, …]` and `[m, …]`, on all of them: the unbiased estimate of the squared maximum mean
/// discrepancy (Gretton et al. 2012, eq. 3) under k(x, y) = (x·y/d + 1)³. On features of an Inception net it is the KID
/// (Bińkowski et al. 2018). Zero is best; as it is unbiased whatever the number of samples, equal distributions give negative
/// values as often as positive ones.
///
/// # Errors
/// [`Error::Data`] for fewer than two samples of a kind, rows that differ in width, or a number that is not finite.
pub fn kernel_distance(real: &Tensor, generated: &Tensor) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 2)?;
    polynomial(&real.wide(), &generated.wide(), real.width)
}

/// [`kernel_distance`] on random subsets, its mean and deviation between them: the form in which the KID is reported.
///
/// # Errors
/// As [`kernel_distance`]; [`Error::Setting`] for subsets that are none, or larger than the samples.
pub fn kernel_distance_in_subsets(real: &Tensor, generated: &Tensor, subsets: Subsets) -> Result<Spread> {
    let (real, generated) = Features::pair(real, generated, 2)?;
    let fewer = real.rows.min(generated.rows);
    if subsets.count == 0 || !(2..=fewer).contains(&subsets.size) {
        let message = format!(
            "expected at least one subset, of 2 to {fewer} samples as there are {} real and {} generated ones, found {} of {}",
            real.rows, generated.rows, subsets.count, subsets.size
        );
        return Err(Error::Setting { setting: "subsets", message });
    }
    let mut rng = Stream::Metric { name: "kernel distance" }.open(subsets.seed);
    let mut draw = |rows| sample(&mut rng, rows, subsets.size).into_vec();
    over_subsets(&real, &generated, (0..subsets.count).map(|_| (draw(real.rows), draw(generated.rows))))
}

/// The kernel distance on subsets of rows, given as pairs: rows of the real samples, rows of the generated ones.
pub(super) fn over_subsets(
    real: &Features,
    generated: &Features,
    subsets: impl Iterator<Item = (Vec<usize>, Vec<usize>)>,
) -> Result<Spread> {
    let pick = |from: &Features, rows: &[usize]| -> Vec<f64> {
        rows.iter().flat_map(|&row| from.row(row).iter().map(|&x| f64::from(x))).collect()
    };
    let values: Result<Vec<f64>> =
        subsets.map(|(a, b)| polynomial(&pick(real, &a), &pick(generated, &b), real.width)).collect();
    Ok(Spread::of(&values?))
}

fn polynomial(real: &[f64], generated: &[f64], width: usize) -> Result<f64> {
    let (n, m) = ((real.len() / width) as f64, (generated.len() / width) as f64);
    let within = |x: &[f64], n: f64| Ok::<_, Error>(2.0 * kernel_sum(x, x, width, true)? / (n * (n - 1.0)));
    let across = kernel_sum(real, generated, width, false)? / (n * m);
    Ok(within(real, n)? + within(generated, m)? - 2.0 * across)
}

/// The sum of k(x, y) over all rows of both; over the pairs of different rows, each once, if `above` the diagonal.
fn kernel_sum(x: &[f64], y: &[f64], width: usize, above: bool) -> Result<f64> {
    let columns = y.len() / width;
    let sums = parallel::pieces(x.len() / width, parallel::rows_a_tile(columns), |rows| {
        let first = if above { rows.start } else { 0 };
        let mut tile = vec![0.0; rows.len() * (columns - first)];
        linear::products(&x[rows.start * width..rows.end * width], &y[first * width..], width, &mut tile);
        let kernel = |product: &f64| (product / width as f64 + 1.0).powi(3);
        let rows = tile.chunks_exact(columns - first).enumerate();
        Ok(rows.map(|(i, row)| row[if above { i + 1 } else { 0 }..].iter().map(kernel).sum::<f64>()).sum::<f64>())
    })?;
    Ok(sums.iter().sum())
}
