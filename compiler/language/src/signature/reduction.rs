//! Reductions over the axes of one sample, and softmax.

use crate::function::Function;
use crate::signature::{Bound, Plan, Problem, Signature, function};

const AXIS: &[&str] = &["axis"];

pub(super) const TABLE: &[Signature] = &[
    function("sum", &["x"], |b| reduce(b, |axis| Function::Sum { axis })).with(AXIS),
    function("mean", &["x"], |b| reduce(b, |axis| Function::Mean { axis })).with(AXIS),
    function("norm", &["x"], |b| reduce(b, |axis| Function::Norm { axis })).with(AXIS),
    function("amax", &["x"], |b| reduce(b, |axis| Function::Amax { axis })).with(AXIS),
    function("var", &["x"], |b| reduce(b, |axis| Function::Var { axis })).with(AXIS),
    function("softmax", &["x"], |b| along(b, |axis| Function::Softmax { axis })).with(AXIS),
    function("log_softmax", &["x"], |b| along(b, |axis| Function::LogSoftmax { axis })).with(AXIS),
];

fn reduce(b: &Bound<'_>, function: fn(Option<usize>) -> Function) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    let axis = b.axis(1, &ty)?;
    let mut shape = ty.shape;
    match axis {
        Some(axis) => drop(shape.remove(axis)),
        None => shape.clear(),
    }
    Ok(Plan::one(function(axis), 1, b.result(shape)))
}

fn along(b: &Bound<'_>, function: fn(usize) -> Function) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    if ty.shape.is_empty() {
        return b.problem(0, format!("`{}` needs at least one axis, got {ty}", b.signature.name));
    }
    let axis = b.axis(1, &ty)?.unwrap_or(ty.shape.len() - 1);
    Ok(Plan::one(function(axis), 1, ty))
}
