//! Pictures in memory as bytes: a quarter of the room that f32 takes, made numbers as batches are gathered.

use crate::array::Kind;
use crate::error::Result;
use crate::source::{ColumnSpec, Source, wrong_kind};
use crate::tensor::Tensor;

/// Pictures of one size as bytes; as a column they are f32 from −1 (0) to 1 (255), `[channels, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    count: usize,
    shape: [usize; 3],
    bytes: Vec<u8>,
}

/// What a byte means.
pub(crate) fn brightness(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

impl Pixels {
    /// Pictures of this shape, `[channels, height, width]`, one after the other.
    pub fn new(count: usize, shape: [usize; 3], bytes: Vec<u8>) -> Result<Pixels> {
        // The size of one first: it has to be a number also where there are none.
        let each = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
        let expected = each.and_then(|each| each.checked_mul(count));
        if expected != Some(bytes.len()) {
            let expected = format!("{count} pictures of {shape:?}");
            return Err(crate::Error::data("pixels", expected, format!("{} bytes", bytes.len())));
        }
        Ok(Pixels { count, shape, bytes })
    }

    /// How many pictures there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The shape of one, `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The bytes of all, one picture after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All of them as numbers, `[n, channels, height, width]`.
    pub fn to_tensor(&self) -> Tensor {
        let mut tensor = Tensor::zeros([&[self.count], self.shape.as_slice()].concat());
        for (value, &byte) in tensor.as_mut_slice().iter_mut().zip(&self.bytes) {
            *value = brightness(byte);
        }
        tensor
    }
}

impl Source for Pixels {
    fn name(&self) -> String {
        "the pictures".to_string()
    }

    fn len(&self) -> usize {
        self.count
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec { name: String::new(), kind: Kind::Tensor, shape: self.shape.to_vec() }]
    }

    fn copy_numbers(&self, _: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        let width: usize = self.shape.iter().product();
        if width > 0 {
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
                for (value, &byte) in out.iter_mut().zip(&self.bytes[row * width..(row + 1) * width]) {
                    *value = brightness(byte);
                }
            }
        }
        Ok(())
    }

    fn copy_classes(&self, _: usize, _: &[usize], _: &mut [i32]) -> Result<()> {
        Err(wrong_kind(self))
    }
}
