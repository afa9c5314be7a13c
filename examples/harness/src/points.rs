//! Measures of points of the plane and of functions of one number.

use crate::{Threshold, measure};
use saddlepoint::data::{Coverage, Mixture};
use saddlepoint::prelude::*;

/// Measures how points cover a mixture: `PREFIX_modes`, and `PREFIX_high_quality`, the part of them within three standard
/// deviations of a mode.
///
/// # Errors
/// Samples that are no points of the plane.
pub fn coverage(
    prefix: &str,
    mixture: &Mixture,
    points: &Tensor,
    modes: Threshold,
    high_quality: Threshold,
) -> saddlepoint::Result<Coverage> {
    let found = mixture.coverage(points)?;
    measure(&format!("{prefix}_modes"), found.modes as f64, modes);
    measure(&format!("{prefix}_high_quality"), found.high_quality, high_quality);
    Ok(found)
}

/// Pearson's correlation of pairs of numbers.
pub fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (x, y) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let moment = |f: fn(f64, f64) -> f64| pairs.iter().map(|p| f(p.0 - x, p.1 - y)).sum::<f64>();
    moment(|x, y| x * y) / (moment(|x, _| x * x) * moment(|_, y| y * y)).sqrt()
}

/// The median, the mean of the middle two of an even number; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
    (at(values.len() / 2) + at(values.len().saturating_sub(1) / 2)) / 2.0
}

/// The density at `x` of the normal distribution with this mean and standard deviation.
pub fn gauss(x: f64, mean: f64, deviation: f64) -> f64 {
    (-0.5 * ((x - mean) / deviation).powi(2)).exp() / (deviation * std::f64::consts::TAU.sqrt())
}

/// Evenly spaced places of the line, over which functions are summed: for smooth ones that vanish at both ends an integral to many
/// digits.
pub struct Quadrature {
    from: f64,
    step: f64,
    count: usize,
}

impl Quadrature {
    /// The places `from`, `from + step`, … up to `to`.
    pub fn new(from: f64, to: f64, step: f64) -> Quadrature {
        Quadrature { from, step, count: ((to - from) / step).round() as usize + 1 }
    }

    /// The places, in order.
    pub fn places(&self) -> impl Iterator<Item = f64> {
        (0..self.count).map(|i| self.from + self.step * i as f64)
    }

    /// The places as a column, `[n, 1]`.
    pub fn column(&self) -> Tensor {
        let mut column = Tensor::zeros([self.count, 1]);
        column.as_mut_slice().iter_mut().zip(self.places()).for_each(|(slot, place)| *slot = place as f32);
        column
    }

    /// The integral of a function of a place's index and of the place.
    pub fn integral(&self, f: impl Fn(usize, f64) -> f64) -> f64 {
        self.places().enumerate().map(|(i, x)| self.step * f(i, x)).sum()
    }
}

/// The largest singular value of a weight, read as `[leading axis, rest]`, by power iteration in f64 until it stands still.
pub fn largest_singular_value(weight: &Tensor) -> f64 {
    let rows: Vec<&[f32]> = (0..weight.rows()).map(|i| weight.row(i)).collect();
    let width = rows.first().map_or(0, |row| row.len());
    // No coordinate is 0 and no two are alike, so that the leading direction is hardly orthogonal to it.
    let mut v: Vec<f64> = (0..width).map(|i| (i as f64 + 1.0).sin()).collect();
    let mut sigma = 0.0;
    for _ in 0..100_000 {
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        let u: Vec<f64> = rows.iter().map(|row| row.iter().zip(&v).map(|(w, v)| f64::from(*w) * v).sum()).collect();
        let next = u.iter().map(|x| x * x).sum::<f64>().sqrt();
        let still = (next - sigma).abs() <= 1e-13 * next;
        sigma = next;
        if still {
            break;
        }
        v = (0..width).map(|j| rows.iter().zip(&u).map(|(row, u)| f64::from(row[j]) * u).sum()).collect();
    }
    sigma
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert!((correlation(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[(0.0, 1.0), (1.0, 0.0), (2.0, 1.0)])).abs() < 1e-12);
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0]), median(&[])), (2.0, 2.5, 0.0));
        let line = Quadrature::new(-12.0, 12.0, 0.01);
        assert_eq!((line.column().shape(), line.column().row(2400)), ([2401, 1].as_slice(), [12.0].as_slice()));
        assert!((line.integral(|_, x| x * x * gauss(x, 0.5, 2.0)) - 4.25).abs() < 1e-4);
        // Singular values 3 and 1.
        let weight = Tensor::new([2, 2], vec![2.0, 1.0, 1.0, 2.0]).unwrap();
        assert!((largest_singular_value(&weight) - 3.0).abs() < 1e-9);
    }
}
