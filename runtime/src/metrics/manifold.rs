//! Precision, recall, density and coverage: what balls around samples, out to their k-th neighbours, contain.

use super::distances::Distances;
use super::features::Features;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Improved precision and recall (Kynkäänniemi et al. 2019, eqs. 1 and 2), each in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// The share of generated samples that lie in the ball of a real one: how realistic samples are.
    pub precision: f64,
    /// The share of real samples that lie in the ball of a generated one: how much of the data is reached.
    pub recall: f64,
}

/// Density and coverage (Naeem et al. 2020, eqs. 4 and 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DensityCoverage {
    /// How many balls of real samples a generated sample lies in, over k: 1 is expected of equal distributions, and more is
    /// possible. Unlike precision it is not moved by a real outlier's large ball.
    pub density: f64,
    /// The share of real samples with a generated one in their ball, in 0..=1. Unlike recall it is not raised by generated
    /// outliers.
    pub coverage: f64,
}

/// Improved precision and recall of generated samples, `[m, …]`, against real ones, `[n, …]`. The ball of a sample reaches to its
/// k-th nearest neighbour of the same kind, itself left out, and includes its surface. Usual is k = 3.
///
/// # Errors
/// [`Error::Data`] for no more than k samples of a kind, rows that differ in width, or a number that is not finite;
/// [`Error::Setting`] for k = 0.
pub fn precision_recall(real: &Tensor, generated: &Tensor, k: usize) -> Result<PrecisionRecall> {
    let (real, generated) = pair(real, generated, k)?;
    let in_balls_of = |samples: Features, of: Features| -> Result<f64> {
        let radii = squared_radii(of, k)?;
        let inside = Distances::new(samples, of).rows(|_, row| radii.iter().enumerate().any(|(j, &r)| row.within(j, r)))?;
        Ok(share(&inside))
    };
    Ok(PrecisionRecall { precision: in_balls_of(generated, real)?, recall: in_balls_of(real, generated)? })
}

/// Density and coverage of generated samples, `[m, …]`, against real ones, `[n, …]`. The ball of a real sample reaches to its k-th
/// nearest neighbour among the real ones, itself left out, and is without its surface, as in the authors' program. Usual is
/// k = 5.
///
/// # Errors
/// As [`precision_recall`].
pub fn density_coverage(real: &Tensor, generated: &Tensor, k: usize) -> Result<DensityCoverage> {
    let (real, generated) = pair(real, generated, k)?;
    let radii = squared_radii(real, k)?;
    let inside = Distances::new(generated, real)
        .rows(|_, row| radii.iter().enumerate().filter(|&(j, &r)| row.nearer(j, r)).count())?;
    let reached = Distances::new(real, generated).rows(|i, row| (0..generated.rows).any(|j| row.nearer(j, radii[i])))?;
    let density = inside.iter().sum::<usize>() as f64 / (k as f64 * generated.rows as f64);
    Ok(DensityCoverage { density, coverage: share(&reached) })
}

fn pair<'a>(real: &'a Tensor, generated: &'a Tensor, k: usize) -> Result<(Features<'a>, Features<'a>)> {
    if k == 0 {
        let message = "expected a neighbour's number from 1, found 0: 3 and 5 are usual".to_string();
        return Err(Error::Setting { setting: "k", message });
    }
    Features::pair(real, generated, k.saturating_add(1))
}

/// The squared distance of each sample to its k-th neighbour.
fn squared_radii(samples: Features, k: usize) -> Result<Vec<f64>> {
    Distances::new(samples, samples).rows(|i, row| row.nearest(k, Some(i)).last().map_or(0.0, |n| n.squared))
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|&&yes| yes).count() as f64 / of.len() as f64
}
