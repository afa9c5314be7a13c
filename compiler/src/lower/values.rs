//! From values of the language to graph values: where the batch axis is made explicit.
//!
//! A per-sample value of type `[d0, …]` is a graph value of shape `[batch, d0, …]`; a batch-free one has shape `[d0, …]`.

use crate::ir::{DType, Expr, Type};
use saddlepoint_language::{Element, TensorType, Typed};

/// Known axes of a type; open ones are an error, since a model is lowered only once every constant is known.
pub fn known_shape(ty: &TensorType) -> Result<Vec<usize>, String> {
    ty.shape.iter().map(|d| d.known().ok_or_else(|| format!("the shape {ty} is not known"))).collect()
}

/// Shape in the graph: with the batch axis where there is one.
pub fn full_shape(ty: &TensorType, batch: usize) -> Result<Vec<usize>, String> {
    let mut shape = known_shape(ty)?;
    if ty.per_sample {
        shape.insert(0, batch);
    }
    Ok(shape)
}

/// Type in the graph.
pub fn graph_type(ty: &TensorType, batch: usize) -> Result<Type, String> {
    let dtype = match ty.element {
        Element::Float => DType::F32,
        Element::Class(_) => DType::I32,
    };
    Ok(Type::new(dtype, full_shape(ty, batch)?))
}

/// The operand repeated to the type of a result it combines with (rule T3): equal shapes, a single element, or equal rank with
/// axes of extent 1. A batch-free operand is repeated over the batch of a per-sample result.
pub fn repeated(value: &Typed<Expr>, result: &TensorType, batch: usize) -> Result<Expr, String> {
    let target = full_shape(result, batch)?;
    let own = known_shape(&value.ty)?;
    let wanted = known_shape(result)?;
    let lead = usize::from(value.ty.per_sample);
    let shift = usize::from(result.per_sample);
    if lead > shift {
        return Err(format!("{} is one value a sample, the result {result} is not", value.ty));
    }
    let single = own.iter().all(|n| *n == 1);
    let kept: Vec<usize> = if own == wanted {
        (0..own.len()).collect()
    } else if single {
        Vec::new()
    } else if own.len() == wanted.len() {
        (0..own.len()).filter(|i| own[*i] == wanted[*i]).collect()
    } else {
        return Err(format!("{} cannot be repeated to {result}", value.ty));
    };
    let mut squeezed: Vec<usize> = value.tensor.shape()[..lead].to_vec();
    squeezed.extend(kept.iter().map(|i| own[*i]));
    let mut dims: Vec<usize> = (0..lead).collect();
    dims.extend(kept.iter().map(|i| i + shift));
    Ok(value.tensor.reshape(&squeezed).broadcast(&target, &dims))
}

/// The value with a batch axis: a batch-free one is repeated over the batch.
pub fn per_sample(value: &Typed<Expr>, batch: usize) -> Result<Expr, String> {
    let ty = TensorType { per_sample: true, ..value.ty.clone() };
    repeated(value, &ty, batch)
}
