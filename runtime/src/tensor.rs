//! Host values: dense f32 tensors and integer classes, row-major, the batch axis first where there is one.
//!
//! What always holds: the number of elements is the product of the shape; every class lies in `0..K`.

use std::path::Path;

use crate::data::save_npy;
use crate::error::{Error, Result};
use crate::picture;

/// A dense f32 tensor on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// Class indices on the host: integers in `0..K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    shape: Vec<usize>,
    count: usize,
    values: Vec<i32>,
}

/// The positions of a batch's samples in their data source, for latents that keep one row a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    positions: Vec<usize>,
    shape: [usize; 1],
}

impl Rows {
    /// These positions, one a sample of the batch.
    pub fn new(positions: Vec<usize>) -> Rows {
        Rows { shape: [positions.len()], positions }
    }

    /// The positions.
    pub fn as_slice(&self) -> &[usize] {
        &self.positions
    }

    /// `[n]`.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The positions, to be set.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [usize] {
        &mut self.positions
    }
}

impl Tensor {
    /// A tensor of this shape, the leading axis first.
    pub fn new(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Result<Tensor> {
        let shape = shape.into();
        check_count("tensor", &shape, values.len())?;
        Ok(Tensor { shape, values })
    }

    /// A tensor of zeros.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Tensor {
        let shape = shape.into();
        let values = vec![0.0; shape.iter().product()];
        Tensor { shape, values }
    }

    /// `[n]`: one number a sample.
    pub fn from_fn(n: usize, value: impl FnMut(usize) -> f32) -> Tensor {
        Tensor { shape: vec![n], values: (0..n).map(value).collect() }
    }

    /// The shape, with the batch axis where there is one.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The length of the leading axis; 1 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The elements of row `i` of the leading axis.
    ///
    /// # Panics
    /// As indexing a slice does, when there is no such row.
    pub fn row(&self, i: usize) -> &[f32] {
        let width = row_width(&self.shape);
        &self.values[i * width..(i + 1) * width]
    }

    /// All elements, row-major.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// All elements, row-major, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The elements, row-major.
    pub fn into_vec(self) -> Vec<f32> {
        self.values
    }

    /// The same elements under another shape of as many elements.
    pub fn reshape(self, shape: impl Into<Vec<usize>>) -> Result<Tensor> {
        Tensor::new(shape, self.values)
    }

    /// The same elements as classes in `0..count`.
    ///
    /// # Errors
    /// [`Error::Data`] with the row of an element that is no whole number in `0..count`.
    pub fn classes(&self, count: usize) -> Result<Classes> {
        let class =
            |value: f32| (value.fract() == 0.0 && value >= 0.0 && (value as f64) < count as f64).then_some(value as i32);
        let mut values = Vec::with_capacity(self.values.len());
        for (at, value) in self.values.iter().enumerate() {
            values.push(class(*value).ok_or_else(|| Error::Data {
                r#source: "classes".into(),
                row: Some(at / row_width(&self.shape).max(1)),
                field: None,
                expected: format!("a class in 0..{count}"),
                found: value.to_string(),
            })?);
        }
        Classes::new(self.shape.clone(), count, values)
    }

    /// Writes the samples as one square grid of pictures, a PNG file. `[n, 1, h, w]` or `[n, h, w]` is grey, `[n, 3, h, w]` is
    /// RGB, one sample more or less is left out (`[1, h, w]`, `[3, h, w]`); −1 is black and 1 is white, as in the data sets.
    /// Either the whole file is written or the old one stays.
    pub fn save_grid(&self, path: impl AsRef<Path>) -> Result<()> {
        picture::save_grid(self, path.as_ref())
    }

    /// Writes each sample as a PNG file of its own into this folder, `00000.png` and so on; which shapes are pictures and what is
    /// black is as for [`Tensor::save_grid`]. Makes the folder; files of other names in it stay.
    ///
    /// # Errors
    /// [`Error::Data`] when the samples are no pictures, [`Error::Io`] when a file cannot be written.
    pub fn save_pictures(&self, folder: impl AsRef<Path>) -> Result<()> {
        picture::save_each(self, folder.as_ref())
    }

    /// Writes the array as an `.npy` file of 32-bit floats, which NumPy and [`data::npy`](crate::data::npy) read.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; the old one stays then.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        save_npy(path.as_ref(), &self.shape, "<f4", self.values.iter().flat_map(|v| v.to_le_bytes()))
    }
}

impl Classes {
    /// Classes of this shape, each in `0..count`.
    pub fn new(shape: impl Into<Vec<usize>>, count: usize, values: Vec<i32>) -> Result<Classes> {
        let shape = shape.into();
        check_count("classes", &shape, values.len())?;
        if let Some(at) = values.iter().position(|&value| !is_class(value, count)) {
            return Err(Error::Data {
                r#source: "classes".into(),
                row: Some(at / row_width(&shape).max(1)),
                field: None,
                expected: format!("a class in 0..{count}"),
                found: values[at].to_string(),
            });
        }
        Ok(Classes { shape, count, values })
    }

    /// Class 0 everywhere.
    pub fn zeros(shape: impl Into<Vec<usize>>, count: usize) -> Classes {
        let shape = shape.into();
        let values = vec![0; shape.iter().product()];
        Classes { shape, count, values }
    }

    /// The shape, with the batch axis where there is one.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// K: how many classes there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The length of the leading axis; 1 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The classes of row `i` of the leading axis.
    ///
    /// # Panics
    /// As indexing a slice does, when there is no such row.
    pub fn row(&self, i: usize) -> &[i32] {
        let width = row_width(&self.shape);
        &self.values[i * width..(i + 1) * width]
    }

    /// All elements, row-major.
    pub fn as_slice(&self) -> &[i32] {
        &self.values
    }

    /// Writes the classes as an `.npy` file of 32-bit integers.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written; the old one stays then.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        save_npy(path.as_ref(), &self.shape, "<i4", self.values.iter().flat_map(|v| v.to_le_bytes()))
    }

    /// All elements, to be written; what is written must stay in `0..K`.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [i32] {
        &mut self.values
    }

    /// The elements, row-major.
    pub fn into_vec(self) -> Vec<i32> {
        self.values
    }
}

/// Whether `value` lies in `0..count`.
pub(crate) fn is_class(value: i32, count: usize) -> bool {
    usize::try_from(value).is_ok_and(|value| value < count)
}

pub(crate) fn row_width(shape: &[usize]) -> usize {
    shape.iter().skip(1).product()
}

fn check_count(what: &str, shape: &[usize], found: usize) -> Result<()> {
    let expected = shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis));
    match expected {
        Some(expected) if expected == found => Ok(()),
        _ => {
            let expected = expected.map_or("more than memory holds".to_string(), |count| count.to_string());
            Err(Error::data(what, format!("{expected} elements for the shape {shape:?}"), format!("{found}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_does_not_fit_is_refused() {
        let error = Tensor::new([2, 3], vec![0.0; 5]).unwrap_err().to_string();
        assert!(error.contains("6 elements") && error.contains("found 5"), "{error}");
        assert!(Tensor::new([usize::MAX, 8], vec![0.0; 5]).is_err());
        assert!(Tensor::zeros([2, 3]).reshape([3, 2]).is_ok());
        assert!(Tensor::zeros([2, 3]).reshape([7]).is_err());
    }

    #[test]
    fn rows_are_those_of_the_leading_axis() {
        let tensor = Tensor::new([2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((tensor.rows(), tensor.row(1)), (2, [3.0, 4.0, 5.0].as_slice()));
        let scalars = Tensor::from_fn(3, |i| i as f32);
        assert_eq!((scalars.shape(), scalars.row(2)), ([3].as_slice(), [2.0].as_slice()));
        assert_eq!(Tensor::new([], vec![7.0]).unwrap().row(0), [7.0]);
    }

    #[test]
    fn a_class_out_of_range_is_refused_with_its_row() {
        let error = Classes::new([2, 2], 3, vec![0, 2, 1, 3]).unwrap_err();
        assert!(matches!(error, Error::Data { row: Some(1), .. }), "{error}");
        assert!(Classes::new([1], 3, vec![-1]).is_err());
        assert_eq!(Tensor::new([2, 1], vec![2.0, 0.0]).unwrap().classes(3).unwrap().as_slice(), [2, 0]);
        for wrong in [3.0, -1.0, 0.5, f32::NAN, f32::INFINITY] {
            let error = Tensor::new([2, 2], vec![0.0, 0.0, wrong, 0.0]).unwrap().classes(3).unwrap_err();
            assert!(matches!(error, Error::Data { row: Some(1), .. }), "{error}");
        }
        assert_eq!(Classes::new([2, 2], 3, vec![0, 2, 1, 1]).unwrap().row(1), [1, 1]);
    }
}
