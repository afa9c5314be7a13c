//! The Fréchet distance between Gaussians, and of samples through the Gaussians fitted to them.

use super::features::Features;
use super::linear::{self, Eigen};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How negative an eigenvalue of a covariance may be, as a share of the largest, by the rounding of who computed it.
const NEGATIVE: f64 = 1e-6;

/// A Gaussian: its mean and covariance. Fitted once to the real samples, it is compared with those of many models.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    covariance: Vec<f64>,
}

impl Gaussian {
    /// The Gaussian of a known mean `[d]` and covariance `[d, d]`, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] where the sizes do not agree, a number is not finite, or the matrix is not symmetric.
    pub fn new(mean: Vec<f64>, covariance: Vec<f64>) -> Result<Gaussian> {
        let width = mean.len();
        let refuse = |expected: String, found: String| Err(Error::data("a Gaussian", expected, found));
        if width == 0 || Some(covariance.len()) != width.checked_mul(width) {
            let found = format!("a mean of {width} numbers and a covariance of {}", covariance.len());
            return refuse("a mean of d > 0 numbers and a covariance of d·d".into(), found);
        }
        if let Some(value) = mean.iter().chain(&covariance).find(|value| !value.is_finite()) {
            return refuse("finite numbers".into(), value.to_string());
        }
        let largest = covariance.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        for (i, j) in (0..width).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let (below, above) = (covariance[i * width + j], covariance[j * width + i]);
            if (below - above).abs() > NEGATIVE * largest {
                return refuse("a symmetric covariance".into(), format!("{below} at ({i}, {j}) and {above} at ({j}, {i})"));
            }
        }
        Ok(Gaussian { mean, covariance })
    }

    /// The Gaussian fitted to samples, `[n, …]`: their mean, and their covariance divided by n − 1.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer than two samples, or a number that is not finite.
    pub fn of(samples: &Tensor) -> Result<Gaussian> {
        Gaussian::fit(&Features::new("samples", samples, 2)?)
    }

    pub(super) fn fit(samples: &Features) -> Result<Gaussian> {
        let mean = samples.mean();
        let scale = 1.0 / (samples.rows - 1) as f64;
        let covariance = linear::gram(&samples.relative_to(&mean), samples.width, scale)?;
        Ok(Gaussian { mean, covariance })
    }

    /// The mean, `[d]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance, `[d, d]`, row-major.
    pub fn covariance(&self) -> &[f64] {
        &self.covariance
    }

    /// The squared Fréchet distance |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) (Dowson & Landau 1982): the squared Wasserstein-2
    /// distance. tr (Σ₁ Σ₂)^½ is the sum of the roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which is symmetric also where a
    /// covariance is singular.
    ///
    /// # Errors
    /// [`Error::Data`] where the two differ in width, or a matrix that was given as a covariance has a negative eigenvalue.
    pub fn frechet_distance(&self, other: &Gaussian) -> Result<f64> {
        let width = self.mean.len();
        if width != other.mean.len() {
            return Err(Error::data("Gaussians", format!("two of width {width}"), format!("one of {}", other.mean.len())));
        }
        let between: f64 = self.mean.iter().zip(&other.mean).map(|(a, b)| (a - b).powi(2)).sum();
        let eigen = Eigen::of(&self.covariance, width)?;
        check_covariance(&eigen.values)?;
        let products = linear::eigenvalues(&eigen.between_roots(&other.covariance)?)?;
        check_covariance(&products)?;
        let floor = linear::noise(&products);
        let roots: f64 = products.iter().filter(|&&value| value > floor).map(|value| value.sqrt()).sum();
        Ok((between + self.trace() + other.trace() - 2.0 * roots).max(0.0))
    }

    fn trace(&self) -> f64 {
        self.covariance.iter().step_by(self.mean.len() + 1).sum()
    }
}

fn check_covariance(values: &[f64]) -> Result<()> {
    match (values.first(), values.last()) {
        (Some(&least), Some(&most)) if least < -NEGATIVE * most.abs() => Err(Error::data(
            "a Gaussian",
            "a covariance, whose eigenvalues are 0 or more",
            format!("the eigenvalue {least}"),
        )),
        _ => Ok(()),
    }
}

/// The Fréchet distance between samples, `[n, …]` and `[m, …]`: that of the Gaussians fitted to them
/// ([`Gaussian::frechet_distance`]). On features of an Inception net it is the FID (Heusel et al. 2017, eq. 6). Smaller is better.
///
/// It is biased upwards: of equal distributions with the covariance I, n samples each have a distance of about (d² + 5d)/2n. Compare
/// only values of equally many samples, many more than the features' number squared.
///
/// # Errors
/// [`Error::Data`] for fewer than two samples of a kind, rows that differ in width, or a number that is not finite.
pub fn frechet_distance(real: &Tensor, generated: &Tensor) -> Result<f64> {
    let (real, generated) = Features::pair(real, generated, 2)?;
    Gaussian::fit(&real)?.frechet_distance(&Gaussian::fit(&generated)?)
}
