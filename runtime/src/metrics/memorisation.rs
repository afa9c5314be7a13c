//! Memorisation: are generated samples copies of training data?

use super::distances::{Distances, Neighbour};
use super::features::Features;
use super::two_sample::share_of_first;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Where generated samples lie between training data and held-out data of the same distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Memorisation {
    /// The share of generated samples that are nearer to their nearest training sample than to their nearest held-out one; of
    /// those equally near to both, the share of training samples among the nearest counts.
    pub nearer_to_training: f64,
    /// What that share is expected to be without memorisation, as then training and held-out data are alike to the generator:
    /// the training samples' share of both.
    pub chance: f64,
    /// The nearest training sample of each generated one.
    pub nearest: Vec<usize>,
    /// Its distance.
    pub distances: Vec<f64>,
    /// The distance of each generated sample to the nearest held-out one.
    pub held_out_distances: Vec<f64>,
}

/// Compares the distances of generated samples, `[m, …]`, to training data, `[n, …]`, and to held-out data, `[h, …]`: the test of
/// Meehan et al. 2020 in its simplest form, and the usual look at nearest neighbours.
///
/// # Errors
/// [`Error::Data`] for a set without samples, rows that differ in width, or a number that is not finite.
pub fn memorisation(generated: &Tensor, training: &Tensor, held_out: &Tensor) -> Result<Memorisation> {
    let training = Features::new("training samples", training, 1)?;
    let generated = Features::new("generated samples", generated, 1)?.beside(&training)?;
    let held_out = Features::new("held-out samples", held_out, 1)?.beside(&training)?;
    let nearest_training = |_, row: &super::distances::Row| {
        let nearest = row.nearest(1, None).first().copied().unwrap_or(Neighbour { index: 0, squared: f64::INFINITY });
        (nearest, row.nearest_with_ties(None))
    };
    let to_training = Distances::new(generated, training).rows(nearest_training)?;
    let to_held_out = Distances::new(generated, held_out).rows(|_, row| row.nearest_with_ties(None))?;
    let nearer: f64 = to_training.iter().zip(&to_held_out).map(|((_, a), b)| share_of_first(*a, *b)).sum();
    Ok(Memorisation {
        nearer_to_training: nearer / generated.rows as f64,
        chance: training.rows as f64 / (training.rows + held_out.rows) as f64,
        nearest: to_training.iter().map(|(nearest, _)| nearest.index).collect(),
        distances: to_training.iter().map(|(nearest, _)| nearest.squared.sqrt()).collect(),
        held_out_distances: to_held_out.iter().map(|(squared, _)| squared.sqrt()).collect(),
    })
}

impl Memorisation {
    /// The distances to the nearest training samples that these shares of generated samples do not exceed, linear between two
    /// samples: `[0.0, 0.5]` are the least and the median.
    ///
    /// # Errors
    /// [`Error::Setting`] for a share that is not in 0..=1.
    pub fn quantiles(&self, shares: &[f64]) -> Result<Vec<f64>> {
        quantiles(&self.distances, shares)
    }

    /// As [`Memorisation::quantiles`], of the distances to the nearest held-out samples.
    ///
    /// # Errors
    /// As there.
    pub fn held_out_quantiles(&self, shares: &[f64]) -> Result<Vec<f64>> {
        quantiles(&self.held_out_distances, shares)
    }
}

fn quantiles(values: &[f64], shares: &[f64]) -> Result<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |&share: &f64| {
        if !(0.0..=1.0).contains(&share) || sorted.is_empty() {
            let message = format!("expected shares from 0 to 1 of at least one sample, found {share} of {}", sorted.len());
            return Err(Error::Setting { setting: "shares", message });
        }
        let at = share * (sorted.len() - 1) as f64;
        let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
        Ok(below + (above - below) * at.fract())
    };
    shares.iter().map(quantile).collect()
}
