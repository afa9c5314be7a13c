//! The two-sample test by nearest neighbours: can a classifier tell generated samples from real ones?

use super::distances::Distances;
use super::features::Features;
use crate::error::Result;
use crate::tensor::Tensor;

/// How often a sample's nearest neighbour among all others, real and generated, is of its own kind. Equal distributions give
/// about ½; 1 says that the two can be told apart; values near 0 say that generated samples are copies of real ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoSample {
    /// The mean of both, whose chance level is ½ also for unequal numbers of samples.
    pub accuracy: f64,
    /// Of real samples. Low where they sit among generated ones.
    pub real: f64,
    /// Of generated samples. High, beside a low one of real samples, where the generator has collapsed to some modes.
    pub generated: f64,
}

/// The leave-one-out accuracy of the nearest-neighbour classifier between real samples, `[n, …]`, and generated ones, `[m, …]`
/// (Lopez-Paz & Oquab 2017; Xu et al. 2018). Where several neighbours are equally near, the share of the right kind among them
/// counts.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) for fewer than two samples of a kind, rows that differ in width, or a number that is not
/// finite.
pub fn nearest_neighbour_test(real: &Tensor, generated: &Tensor) -> Result<TwoSample> {
    let (real, generated) = Features::pair(real, generated, 2)?;
    let (real, generated) = (accuracy(real, generated)?, accuracy(generated, real)?);
    Ok(TwoSample { accuracy: (real + generated) / 2.0, real, generated })
}

fn accuracy(own: Features, other: Features) -> Result<f64> {
    let same = Distances::new(own, own).rows(|i, row| row.nearest_with_ties(Some(i)))?;
    let different = Distances::new(own, other).rows(|_, row| row.nearest_with_ties(None))?;
    let right = same.iter().zip(&different).map(|(same, different)| share_of_first(*same, *different));
    Ok(right.sum::<f64>() / own.rows as f64)
}

/// The share of the first kind among the nearest, given each kind's least distance and how many are that near.
pub(super) fn share_of_first(first: (f64, usize), second: (f64, usize)) -> f64 {
    match first.0.total_cmp(&second.0) {
        std::cmp::Ordering::Less => 1.0,
        std::cmp::Ordering::Greater => 0.0,
        std::cmp::Ordering::Equal => first.1 as f64 / (first.1 + second.1) as f64,
    }
}
