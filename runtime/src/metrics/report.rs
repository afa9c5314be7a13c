//! The usual measures of two sets of samples, together.

use std::fmt;

use super::{
    DensityCoverage, PrecisionRecall, TwoSample, density_coverage, frechet_distance, gaussian_discrepancy, kernel_distance,
    nearest_neighbour_test, precision_recall, sliced_wasserstein,
};
use crate::error::Result;
use crate::tensor::Tensor;

/// Directions of the sliced Wasserstein distance.
const DIRECTIONS: usize = 128;

/// What [`evaluate`] measures; shows itself as lines of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Real samples.
    pub real: usize,
    /// Generated samples.
    pub generated: usize,
    /// Numbers a sample.
    pub features: usize,
    /// [`frechet_distance`].
    pub frechet_distance: f64,
    /// [`kernel_distance`], on all samples.
    pub kernel_distance: f64,
    /// [`gaussian_discrepancy`], at the median distance.
    pub gaussian_discrepancy: f64,
    /// [`sliced_wasserstein`], over 128 directions.
    pub sliced_wasserstein: f64,
    /// [`precision_recall`] with k = 3.
    pub precision_recall: PrecisionRecall,
    /// [`density_coverage`] with k = 5.
    pub density_coverage: DensityCoverage,
    /// [`nearest_neighbour_test`].
    pub nearest_neighbour_test: TwoSample,
}

/// Measures generated samples, `[m, …]`, against real ones, `[n, …]`: pixels, points, or better the features that a trained net
/// makes of both.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) for fewer than six samples of a kind, rows that differ in width, or a number that is not
/// finite.
pub fn evaluate(real: &Tensor, generated: &Tensor) -> Result<Report> {
    // First, as it needs the most samples.
    let density_coverage = density_coverage(real, generated, 5)?;
    Ok(Report {
        real: real.rows(),
        generated: generated.rows(),
        features: crate::tensor::row_width(real.shape()),
        frechet_distance: frechet_distance(real, generated)?,
        kernel_distance: kernel_distance(real, generated)?,
        gaussian_discrepancy: gaussian_discrepancy(real, generated)?,
        sliced_wasserstein: sliced_wasserstein(real, generated, DIRECTIONS, 0)?,
        precision_recall: precision_recall(real, generated, 3)?,
        density_coverage,
        nearest_neighbour_test: nearest_neighbour_test(real, generated)?,
    })
}

impl Report {
    /// Each measure: its name, its value, and what says that the two sets are alike.
    pub fn lines(&self) -> [(&'static str, f64, &'static str); 11] {
        let (pr, dc, test) = (self.precision_recall, self.density_coverage, self.nearest_neighbour_test);
        [
            ("Fréchet distance", self.frechet_distance, "0"),
            ("kernel distance", self.kernel_distance, "0"),
            ("Gaussian discrepancy", self.gaussian_discrepancy, "0"),
            ("sliced Wasserstein", self.sliced_wasserstein, "0"),
            ("precision (k = 3)", pr.precision, "1"),
            ("recall (k = 3)", pr.recall, "1"),
            ("density (k = 5)", dc.density, "1"),
            ("coverage (k = 5)", dc.coverage, "1"),
            ("1-NN accuracy", test.accuracy, "0.5"),
            ("  of real", test.real, "0.5"),
            ("  of generated", test.generated, "0.5"),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Report { real, generated, features, .. } = self;
        writeln!(f, "{generated} generated samples against {real} real ones, {features} features")?;
        writeln!(f, "{:<22}{:>14}   best", "measure", "value")?;
        for (name, value, best) in self.lines() {
            // Six digits, whatever the scale.
            let value = if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
                format!("{value:.5e}")
            } else {
                format!("{value:.6}")
            };
            writeln!(f, "{name:<22}{value:>14}   {best}")?;
        }
        Ok(())
    }
}
