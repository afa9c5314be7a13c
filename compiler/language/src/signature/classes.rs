//! Classes and the categorical distribution.

use crate::function::Function;
use crate::signature::arguments::{agree, written};
use crate::signature::{Arg, Bound, Operand, Plan, Problem, Signature, function};
use crate::types::{Dim, Element, TensorType};

pub(super) const TABLE: &[Signature] = &[
    function("one_hot", &["y"], one_hot).without_gradient(),
    function("label", &["index", "classes"], label),
    function("classes", &["classes"], classes),
    function("sample", &["logits"], |b| drawn(b, Function::Sample)).without_gradient(),
    function("argmax", &["logits"], |b| drawn(b, Function::Argmax)).without_gradient(),
    function("log_prob", &["logits", "y"], |b| scored(b, Function::LogProb)),
    function("cross_entropy", &["logits", "y"], |b| scored(b, Function::CrossEntropy)),
    function("entropy", &["logits"], |b| {
        let (shape, _) = logits(b)?;
        Ok(Plan::one(Function::Entropy, 1, b.result(shape)))
    }),
];

fn one_hot(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, classes) = b.class(0)?;
    let mut shape = ty.shape;
    shape.push(classes);
    Ok(Plan::one(Function::OneHot, 1, b.result(shape)))
}

fn label(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (index, classes) = (b.count(0, 0)?, b.count(1, 1)?);
    if let (Dim::Known(index), Dim::Known(k)) = (index, classes)
        && index >= k
    {
        return b.problem(0, format!("there is no class {index} among {k}: classes go from 0 to {}", k - 1));
    }
    let result = TensorType { shape: vec![], element: Element::Class(classes), per_sample: false };
    Ok(Plan::one(Function::Label { index: index.known().unwrap_or(0) }, 0, result))
}

fn classes(b: &Bound<'_>) -> Result<Plan, Problem> {
    let classes = b.count(0, 1)?;
    Ok(Plan::one(
        Function::Classes,
        0,
        TensorType { shape: vec![classes], element: Element::Class(classes), per_sample: false },
    ))
}

/// The shape of the distributions in the first argument, and their number of classes.
fn logits(b: &Bound<'_>) -> Result<(Vec<Dim>, Dim), Problem> {
    let ty = b.float(0)?;
    let mut shape = ty.shape.clone();
    match shape.pop() {
        Some(classes) => Ok((shape, classes)),
        None => b.problem(0, format!("`{}` takes logits [K] or […, K], got {ty}", b.signature.name)),
    }
}

fn drawn(b: &Bound<'_>, function: Function) -> Result<Plan, Problem> {
    let (shape, classes) = logits(b)?;
    let per_sample = b.per_sample() || function == Function::Sample;
    Ok(Plan::one(function, 1, TensorType { shape, element: Element::Class(classes), per_sample }))
}

fn scored(b: &Bound<'_>, function: Function) -> Result<Plan, Problem> {
    let (shape, classes) = logits(b)?;
    let name = b.signature.name;
    let mut operands = vec![Operand::Argument(0), Operand::Argument(1)];
    if let Some(Arg::Number(_)) = &b.arguments[1] {
        let index = b.count(1, 0)?;
        if let (Dim::Known(index), Dim::Known(k)) = (index, classes)
            && index >= k
        {
            return b
                .problem(1, format!("there is no class {index} among {k}: classes go from 0 to {}", k.saturating_sub(1)));
        }
        operands[1] = Operand::Label { index: index.known().unwrap_or(0), classes };
        return Ok(Plan { function, operands, results: vec![b.result(shape)] });
    }
    let (y, of) = b.class(1)?;
    if !agree(classes, of) {
        return b.problem(1, format!("`{name}` has logits for {classes} classes, but the class is one of {of}"));
    }
    let fits =
        y.shape.is_empty() || (y.shape.len() == shape.len() && y.shape.iter().zip(&shape).all(|(a, c)| agree(*a, *c)));
    if !fits {
        return b
            .problem(1, format!("`{name}` has logits for classes of shape {}, but the classes are {y}", written(&shape)));
    }
    Ok(Plan { function, operands, results: vec![b.result(shape)] })
}
