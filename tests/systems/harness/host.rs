//! Between a trained model and arrays: tests of training loops calculate with what the model has learnt.

use super::array::Array;
use saddlepoint::{Model, Tensor};

/// What an output gave, or a parameter is, as numbers.
pub fn array(tensor: &Tensor) -> Array {
    Array::new(tensor.shape(), tensor.as_slice().iter().map(|v| f64::from(*v)).collect())
}

/// Numbers as a batch or an argument.
pub fn tensor(array: &Array) -> Tensor {
    Tensor::new(array.shape(), array.values().iter().map(|v| *v as f32).collect()).expect("as many as the shape says")
}

/// A parameter as it is now.
pub fn learnt(model: &impl Model, name: &str) -> Array {
    array(&model.parameter(name).unwrap_or_else(|e| panic!("{e}")))
}

/// x·Wᵀ + b with the parameters as they are now.
pub fn learnt_dense(model: &impl Model, layer: &str, x: &Array) -> Array {
    x.matmul(&learnt(model, &format!("{layer}.weight")).transpose(&[1, 0])) + learnt(model, &format!("{layer}.bias"))
}
