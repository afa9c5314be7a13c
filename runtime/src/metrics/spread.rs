//! Numbers that come with how far they scatter.

use std::fmt;

/// A mean over splits or subsets, and the standard deviation between them, of the population (divided by their number).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

/// A mean over samples, and its standard error: the standard deviation of the samples (divided by n − 1) over √n.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error; NaN of a single sample.
    pub standard_error: f64,
}

impl Spread {
    pub(super) fn of(values: &[f64]) -> Spread {
        let (mean, squares) = moments(values);
        Spread { mean, deviation: (squares / values.len() as f64).sqrt() }
    }
}

impl Estimate {
    pub(super) fn of(values: &[f64]) -> Estimate {
        let (mean, squares) = moments(values);
        let n = values.len() as f64;
        Estimate { mean, standard_error: (squares / (n - 1.0) / n).sqrt() }
    }
}

/// The mean, and the sum of squared differences from it.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum())
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.6} (deviation {:.6})", self.mean, self.deviation)
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.6} ± {:.6}", self.mean, self.standard_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_and_standard_errors_divide_by_what_they_say() {
        let values = [1.0, 2.0, 3.0, 6.0];
        let spread = Spread::of(&values);
        assert_eq!((spread.mean, spread.deviation), (3.0, 3.5_f64.sqrt()));
        let estimate = Estimate::of(&values);
        assert!((estimate.standard_error - (14.0_f64 / 3.0 / 4.0).sqrt()).abs() < 1e-15);
        assert!(Estimate::of(&[1.0]).standard_error.is_nan());
        assert_eq!(estimate.to_string(), "3.000000 ± 1.080123");
    }
}
