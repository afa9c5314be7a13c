//! Mixtures of Gaussians in the plane, on which mode collapse can be counted: the ring and the grid.

use std::f32::consts::TAU;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::error::Result;
use crate::source::Columns;
use crate::streams::Stream;
use crate::tensor::{Classes, Tensor, row_width};

/// Equally likely Gaussians of one width in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    name: &'static str,
    centres: Vec<[f32; 2]>,
    sigma: f32,
}

/// How well samples cover a mixture. A sample is of high quality when it lies within three standard deviations of a mode
/// (PacGAN, Lin et al. 2018, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// Modes that are reached: those to which at least a tenth of their fair share of all samples, and at least one, is nearest
    /// and of high quality. Stray samples of a generator that has dropped a mode do not make it count.
    pub modes: usize,
    /// The part of the samples that is of high quality.
    pub high_quality: f64,
}

/// `modes` Gaussians on a circle.
pub fn ring(modes: usize, radius: f32, sigma: f32) -> Mixture {
    let angle = |mode: usize| TAU * mode as f32 / modes as f32;
    let centres = (0..modes).map(|mode| [radius * angle(mode).cos(), radius * angle(mode).sin()]).collect();
    Mixture { name: "ring", centres, sigma }
}

/// Twenty-five Gaussians on a square grid around the origin, `spacing` apart.
pub fn grid25(spacing: f32, sigma: f32) -> Mixture {
    let place = |index: usize| spacing * (index as f32 - 2.0);
    let centres = (0..25).map(|mode| [place(mode % 5), place(mode / 5)]).collect();
    Mixture { name: "grid25", centres, sigma }
}

impl Mixture {
    /// Where the modes are.
    pub fn centres(&self) -> &[[f32; 2]] {
        &self.centres
    }

    /// `samples` points with the mode each came from: columns `x: [2]` and `y: class(modes)`. The seed decides all of them.
    pub fn sample(&self, samples: usize, seed: u64) -> Result<Columns> {
        let mut rng = Stream::Synthetic { set: self.name }.open(seed);
        let (mut points, mut modes) = (Vec::with_capacity(2 * samples), Vec::with_capacity(samples));
        if self.centres.is_empty() {
            return Err(crate::Error::data(self.name, "at least one mode", "none"));
        }
        for _ in 0..samples {
            let mode = rng.random_range(0..self.centres.len() as u32) as usize;
            modes.push(mode as i32);
            for centre in self.centres[mode] {
                let normal: f32 = StandardNormal.sample(&mut rng);
                points.push(centre + self.sigma * normal);
            }
        }
        let points = Tensor::new([samples, 2], points)?;
        let modes = Classes::new([samples], self.centres.len(), modes)?;
        Columns::new(format!("the {} mixture", self.name), vec![("x", points.into()), ("y", modes.into())])
    }

    /// How these points, `[n, 2]`, cover the mixture.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when they are no points of the plane.
    pub fn coverage(&self, points: &Tensor) -> Result<Coverage> {
        if points.shape().len() != 2 || points.shape()[1] != 2 {
            return Err(crate::Error::data("points of the plane", "[n, 2]", format!("{:?}", points.shape())));
        }
        let centres = Tensor::new([self.centres.len(), 2], self.centres.concat())?;
        Coverage::of(points, &centres, 3.0 * f64::from(self.sigma))
    }
}

impl Coverage {
    /// How samples, `[n, d]`, cover modes around `centres`, `[k, d]`, in any number of dimensions: of high quality is a sample
    /// whose nearest centre is at most `radius` away. Three standard deviations of a mode are usual in the plane; in d
    /// dimensions a mode's own samples are about √d standard deviations away from its centre.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when the two are not as wide.
    pub fn of(samples: &Tensor, centres: &Tensor, radius: f64) -> Result<Coverage> {
        let (width, wanted) = (row_width(samples.shape()), row_width(centres.shape()));
        if width != wanted || samples.shape().is_empty() || centres.shape().is_empty() {
            let found = format!("{:?} beside {:?}", samples.shape(), centres.shape());
            return Err(crate::Error::data("samples beside centres", "[n, d] beside [k, d]", found));
        }
        let mut reached = vec![0_u32; centres.rows()];
        for row in 0..samples.rows() {
            let squares = |centre: usize| {
                let pairs = samples.row(row).iter().zip(centres.row(centre));
                pairs.map(|(&x, &c)| (f64::from(x) - f64::from(c)).powi(2)).sum::<f64>()
            };
            let distances = (0..centres.rows()).map(|centre| (centre, squares(centre).sqrt()));
            if let Some((mode, distance)) = distances.min_by(|(_, a), (_, b)| a.total_cmp(b))
                && distance <= radius
            {
                reached[mode] += 1;
            }
        }
        let tenth_of_share = samples.rows() as f64 / centres.rows() as f64 / 10.0;
        let modes = reached.iter().filter(|&&n| n > 0 && f64::from(n) >= tenth_of_share).count();
        Ok(Coverage { modes, high_quality: f64::from(reached.iter().sum::<u32>()) / samples.rows().max(1) as f64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    fn points(columns: &Columns) -> Tensor {
        match columns.column("x") {
            Some(Array::Tensor(points)) => points.clone(),
            _ => panic!("no points"),
        }
    }

    #[test]
    fn samples_lie_at_their_modes_and_follow_the_seed() {
        let ring = ring(8, 2.0, 0.02);
        let sample = ring.sample(4000, 7).unwrap();
        let coverage = ring.coverage(&points(&sample)).unwrap();
        // Within three standard deviations in the plane: 1 − e^(−4.5) = 98.9%.
        assert_eq!(coverage.modes, 8);
        assert!((coverage.high_quality - 0.989).abs() < 0.006, "{coverage:?}");
        assert_eq!(ring.sample(4000, 7).unwrap(), sample);
        assert_ne!(ring.sample(4000, 8).unwrap(), sample);
        assert_eq!(ring.centres()[2].map(|x| (x * 1e3).round()), [-0.0, 2000.0]);
    }

    #[test]
    fn collapse_is_counted() {
        let grid = grid25(2.0, 0.05);
        assert_eq!(grid.centres().first().zip(grid.centres().last()), Some((&[-4.0, -4.0], &[4.0, 4.0])));
        let collapsed = Tensor::new([3, 2], vec![4.0, 4.01, 3.99, 4.0, 1.0, 1.0]).unwrap();
        let coverage = grid.coverage(&collapsed).unwrap();
        assert_eq!((coverage.modes, coverage.high_quality), (1, 2.0 / 3.0));
        assert_eq!(grid.coverage(&Tensor::zeros([0, 2])).unwrap(), Coverage { modes: 0, high_quality: 0.0 });
        assert!(grid.coverage(&Tensor::zeros([3])).is_err());
        assert!(grid.coverage(&Tensor::new([1, 2], vec![f32::NAN, 0.0]).unwrap()).unwrap().modes == 0);
    }

    /// `near` points on the first mode of two, all others on the second.
    fn divided(near: usize, all: usize) -> Coverage {
        let pair = Mixture { name: "pair", centres: vec![[0.0, 0.0], [1.0, 0.0]], sigma: 0.1 };
        let values = (0..all).flat_map(|i| [if i < near { 0.0 } else { 1.0 }, 0.0]).collect();
        pair.coverage(&Tensor::new([all, 2], values).unwrap()).unwrap()
    }

    #[test]
    fn a_mode_counts_from_a_tenth_of_its_fair_share() {
        // The fair share of 200 points is 100 a mode.
        assert_eq!(divided(9, 200), Coverage { modes: 1, high_quality: 1.0 });
        assert_eq!(divided(10, 200), Coverage { modes: 2, high_quality: 1.0 });
    }

    #[test]
    fn modes_are_counted_in_any_number_of_dimensions() {
        let centres = Tensor::new([2, 3], vec![0.0, 0.0, 0.0, 4.0, 4.0, 4.0]).unwrap();
        let samples = Tensor::new([3, 3, 1], vec![0.5, 0.5, 0.5, 4.0, 4.0, 4.5, 2.0, 2.0, 2.0]).unwrap();
        let coverage = |radius| Coverage::of(&samples, &centres, radius).unwrap();
        assert_eq!(coverage(0.6), Coverage { modes: 1, high_quality: 1.0 / 3.0 });
        assert_eq!(coverage(1.0), Coverage { modes: 2, high_quality: 2.0 / 3.0 });
        assert!(
            Coverage::of(&samples, &Tensor::zeros([2, 2]), 1.0).unwrap_err().to_string().contains("[3, 3, 1] beside [2, 2]")
        );
        assert!(Coverage::of(&Tensor::zeros([]), &Tensor::zeros([]), 1.0).is_err());
        assert_eq!(Coverage::of(&samples, &Tensor::zeros([0, 3]), 1.0).unwrap().modes, 0);
    }

    #[test]
    fn points_between_modes_count_for_the_nearest_one() {
        let close = Mixture { name: "close", centres: vec![[0.0, 0.0], [0.2, 0.0]], sigma: 0.1 };
        let points = Tensor::new([2, 2], vec![0.2, 0.0, 0.25, 0.0]).unwrap();
        assert_eq!(close.coverage(&points).unwrap().modes, 1);
    }
}
