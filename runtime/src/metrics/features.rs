//! What metrics read: one row a sample, checked.

use crate::error::{Error, Result};
use crate::tensor::{Tensor, row_width};

/// Samples as rows of numbers.
#[derive(Clone, Copy)]
pub(super) struct Features<'a> {
    name: &'static str,
    pub values: &'a [f32],
    pub rows: usize,
    pub width: usize,
}

impl<'a> Features<'a> {
    /// The samples of a tensor, the axes after the first flattened: at least `least`, every number finite. `name` is what an
    /// error calls them.
    ///
    /// # Errors
    /// [`Error::Data`], with the first row that is not finite.
    pub(super) fn new(name: &'static str, tensor: &'a Tensor, least: usize) -> Result<Features<'a>> {
        if tensor.shape().is_empty() {
            return Err(Error::data(name, "samples along a leading axis", "a scalar"));
        }
        let (values, rows, width) = (tensor.as_slice(), tensor.rows(), row_width(tensor.shape()));
        if rows < least {
            let expected = format!("at least {least} sample{}", if least == 1 { "" } else { "s" });
            return Err(Error::data(name, expected, format!("{rows}")));
        }
        if width == 0 {
            return Err(Error::data(name, "at least one number a sample", format!("the shape {:?}", tensor.shape())));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::Data {
                r#source: name.into(),
                row: Some(at / width),
                field: None,
                expected: "finite numbers".into(),
                found: values[at].to_string(),
            });
        }
        Ok(Features { name, values, rows, width })
    }

    /// Two sets of samples of one width.
    ///
    /// # Errors
    /// [`Error::Data`] of either, or with both widths.
    pub(super) fn pair(real: &'a Tensor, generated: &'a Tensor, least: usize) -> Result<(Features<'a>, Features<'a>)> {
        let real = Features::new("real samples", real, least)?;
        let generated = Features::new("generated samples", generated, least)?.beside(&real)?;
        Ok((real, generated))
    }

    /// These, if they are as wide as `other`.
    ///
    /// # Errors
    /// [`Error::Data`] with both widths.
    pub(super) fn beside(self, other: &Features) -> Result<Features<'a>> {
        if self.width == other.width {
            return Ok(self);
        }
        let expected = format!("{} numbers a sample, as of the {}", other.width, other.name);
        Err(Error::data(self.name, expected, format!("{}", self.width)))
    }

    /// One sample.
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The mean of each column, its sum in the order of the rows.
    pub(super) fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        for row in self.values.chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= self.rows as f64);
        mean
    }

    /// The samples relative to `origin`, in f64.
    pub(super) fn relative_to(&self, origin: &[f64]) -> Vec<f64> {
        let rows = self.values.chunks_exact(self.width);
        rows.flat_map(|row| row.iter().zip(origin).map(|(&x, origin)| f64::from(x) - origin)).collect()
    }

    /// The samples in f64.
    pub(super) fn wide(&self) -> Vec<f64> {
        self.values.iter().map(|&x| f64::from(x)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_set_of_samples_is_refused_with_what_is_wrong() {
        let refused = |tensor: &Tensor, least| Features::new("real samples", tensor, least).err().unwrap().to_string();
        let bad = Tensor::new([3, 1, 2], vec![0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0]).unwrap();
        assert_eq!(refused(&bad, 2), "real samples, row 2: expected finite numbers, found NaN");
        assert!(refused(&Tensor::zeros([1, 2]), 2).contains("at least 2 samples, found 1"));
        assert!(refused(&Tensor::zeros([]), 1).contains("scalar"));
        assert!(refused(&Tensor::zeros([3, 0]), 1).contains("[3, 0]"));
        let message = Features::pair(&Tensor::zeros([4, 2, 2]), &Tensor::zeros([4, 3]), 1).err().unwrap().to_string();
        assert_eq!(message, "generated samples: expected 4 numbers a sample, as of the real samples, found 3");
    }

    #[test]
    fn trailing_axes_are_flattened() {
        let tensor = Tensor::new([2, 1, 2], vec![1.0, 2.0, 3.0, 6.0]).unwrap();
        let features = Features::new("x", &tensor, 1).unwrap();
        assert_eq!((features.rows, features.width, features.row(1)), (2, 2, [3.0, 6.0].as_slice()));
        assert_eq!(features.mean(), [2.0, 4.0]);
        assert_eq!(features.relative_to(&[2.0, 4.0]), [-1.0, -2.0, 1.0, 2.0]);
    }
}
