//! Wasserstein-1 distances: exact in one dimension, sliced in many.

use rand_distr::{Distribution, StandardNormal};

use super::features::Features;
use super::{linear, parallel};
use crate::error::{Error, Result};
use crate::streams::Stream;
use crate::tensor::Tensor;

/// Directions that are projected on at a time.
const PIECE: usize = 16;

/// The exact Wasserstein-1 distance ∫ |F⁻¹ − G⁻¹| between two sets of numbers, `[n]` and `[m]` (or `[n, 1]`), equally many or not.
/// Zero is best.
///
/// # Errors
/// [`Error::Data`] for a set without samples, samples of more than one number, or a number that is not finite.
pub fn wasserstein(real: &Tensor, generated: &Tensor) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 1)?;
    if real.width != 1 {
        let found = format!("{}: the sliced distance compares these", real.width);
        return Err(Error::data("real samples", "one number a sample", found));
    }
    Ok(between(real.wide(), generated.wide()))
}

/// The sliced Wasserstein-1 distance between samples, `[n, …]` and `[m, …]`: the mean of [`wasserstein`] between their projections
/// on random directions (Rabin et al. 2011; Bonneel et al. 2015). Zero is best. The same seed means the same directions.
///
/// # Errors
/// [`Error::Data`] for a set without samples, rows that differ in width, or a number that is not finite; [`Error::Setting`] for
/// no direction.
pub fn sliced_wasserstein(real: &Tensor, generated: &Tensor, directions: usize, seed: u64) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 1)?;
    if directions == 0 {
        return Err(Error::Setting { setting: "directions", message: "expected at least one, found 0".into() });
    }
    let width = real.width;
    let mut rng = Stream::Metric { name: "directions" }.open(seed);
    let mut all: Vec<f64> = (0..directions * width).map(|_| StandardNormal.sample(&mut rng)).collect();
    for direction in all.chunks_exact_mut(width) {
        let norm = direction.iter().map(|x: &f64| x * x).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|x| *x /= norm);
    }
    let (wide_real, wide_generated) = (real.wide(), generated.wide());
    let sums = parallel::pieces(directions, PIECE, |piece| {
        let directions = &all[piece.start * width..piece.end * width];
        let project = |samples: &[f64], rows: usize| {
            let mut projections = vec![0.0; piece.len() * rows];
            linear::products(directions, samples, width, &mut projections);
            projections
        };
        let (a, b) = (project(&wide_real, real.rows), project(&wide_generated, generated.rows));
        let pairs = a.chunks_exact(real.rows).zip(b.chunks_exact(generated.rows));
        Ok(pairs.map(|(a, b)| between(a.to_vec(), b.to_vec())).sum::<f64>())
    })?;
    Ok(sums.iter().sum::<f64>() / directions as f64)
}

/// The distance between two sets of numbers, neither empty.
fn between(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_unstable_by(f64::total_cmp);
    b.sort_unstable_by(f64::total_cmp);
    // Mass in units of 1/(n·m): a number of `a` has m of them, one of `b` n.
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut left, mut total) = (0, 0, (m, n), 0.0);
    while i < n && j < m {
        let moved = left.0.min(left.1);
        total += (a[i] - b[j]).abs() * (moved as f64 / n as f64);
        left = (left.0 - moved, left.1 - moved);
        if left.0 == 0 {
            (i, left.0) = (i + 1, m);
        }
        if left.1 == 0 {
            (j, left.1) = (j + 1, n);
        }
    }
    total / m as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mass_is_moved_in_order_also_between_unequal_numbers() {
        assert_eq!(between(vec![3.0, 1.0], vec![2.0, 5.0]), 1.5);
        // Of three thirds, one and a half go to 0 and as many to 6.
        assert!((between(vec![1.0, 2.0, 9.0], vec![0.0, 6.0]) - (1.0 + 0.5 * 2.0 + 0.5 * 4.0 + 3.0) / 3.0).abs() < 1e-15);
        assert_eq!(between(vec![1.0; 3], vec![1.0; 7]), 0.0);
    }
}
