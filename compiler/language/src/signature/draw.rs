//! Draws, and what looks at other samples of the batch.

use crate::function::Function;
use crate::signature::{Bound, Operand, Plan, Problem, Signature, function};
use crate::types::{Dim, Element, TensorType};

pub(super) const TABLE: &[Signature] = &[
    function("normal", &["shape"], |b| drawn(b, Function::Normal, b.shape(0)?, Element::Float)),
    function("uniform", &["shape"], uniform).with(&["low", "high"]),
    function("bernoulli", &["p", "shape"], bernoulli).without_gradient(),
    function("categorical", &["classes"], |b| drawn(b, Function::Categorical, vec![], Element::Class(b.count(0, 1)?))),
    function("dropout", &["x", "p"], dropout).with(&["always"]),
    function("diff_augment", &["x"], diff_augment).with(&["colour", "translation", "cutout", "always"]),
    function("minibatch_std", &["x"], minibatch_std),
    function("other_class", &["y"], other_class).without_gradient(),
    function("other_sample", &["x"], |b| Ok(Plan::one(Function::OtherSample, 1, b.tensor(0)?))),
    function("replay", &["x", "size"], replay).without_gradient(),
];

/// The distributions a `noise` may name.
pub(crate) const DISTRIBUTIONS: [&str; 4] = ["normal", "uniform", "bernoulli", "categorical"];

fn drawn(_: &Bound<'_>, function: Function, shape: Vec<Dim>, element: Element) -> Result<Plan, Problem> {
    Ok(Plan::one(function, 0, TensorType { shape, element, per_sample: true }))
}

fn uniform(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (low, high) = (b.number_or(1, 0.0)?, b.number_or(2, 1.0)?);
    if low >= high {
        return Err(format!("`uniform` needs `low` below `high`, got {low} and {high}").into());
    }
    drawn(b, Function::Uniform { low, high }, b.shape(0)?, Element::Float)
}

fn bernoulli(b: &Bound<'_>) -> Result<Plan, Problem> {
    let p = b.float(0)?;
    if !p.shape.is_empty() {
        return b.problem(0, format!("the probability of `bernoulli` must be a scalar, got {p}"));
    }
    let result = TensorType { shape: b.shape(1)?, element: Element::Float, per_sample: true };
    Ok(Plan::one(Function::Bernoulli, 1, result))
}

fn dropout(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, p, always) = (b.float(0)?, b.number(1)?, b.flag_or(2, false)?);
    if !(p.is_nan() || (0.0..1.0).contains(&p)) {
        return b.problem(1, format!("`p` of `dropout` is the probability of dropping, from 0 to below 1, got {p}"));
    }
    // Drawn anew for each sample, also of a value that all samples share.
    Ok(Plan::one(Function::Dropout { p, always }, 1, TensorType { per_sample: true, ..ty }))
}

fn diff_augment(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    if ty.shape.len() != 3 {
        return b.problem(0, format!("`diff_augment` takes pictures [c, h, w], got {ty}"));
    }
    let share = |option: usize, default: f64, name: &str| {
        let share = b.number_or(option, default)?;
        match share.is_nan() || (0.0..=1.0).contains(&share) {
            true => Ok(share),
            false => Err(Problem::from(format!(
                "`{name}` of `diff_augment` is a share of the picture's sides, from 0 (none) to 1, got {share}"
            ))),
        }
    };
    let (translation, cutout) = (share(2, 0.125, "translation")?, share(3, 0.5, "cutout")?);
    let function = Function::DiffAugment { colour: b.flag_or(1, true)?, translation, cutout, always: b.flag_or(4, false)? };
    // Drawn anew for each sample, also of a picture that all samples share.
    Ok(Plan::one(function, 1, TensorType { per_sample: true, ..ty }))
}

fn minibatch_std(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    if !ty.per_sample {
        return b.problem(0, "`minibatch_std` compares the samples of a batch, got one value for all".to_string());
    }
    let mut shape = ty.shape.clone();
    match shape.first_mut() {
        Some(Dim::Known(channels)) => *channels += 1,
        Some(Dim::Open) => {}
        None => return b.problem(0, format!("`minibatch_std` adds a channel and needs an axis for it, got {ty}")),
    }
    Ok(Plan::one(Function::MinibatchStd, 1, b.result(shape)))
}

fn other_class(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, classes) = b.class(0)?;
    if classes == Dim::Known(1) {
        return b.problem(0, format!("`other_class` needs at least two classes, got {ty}"));
    }
    Ok(Plan::one(Function::OtherClass, 1, TensorType { per_sample: true, ..ty }))
}

fn replay(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.tensor(0)?;
    if !ty.per_sample {
        return b.problem(0, format!("`replay` keeps samples, got {ty} which is one value for all"));
    }
    let size = b.count(1, 1)?.known().unwrap_or(1);
    Ok(Plan {
        function: Function::Replay { size, pool: String::new() },
        operands: vec![Operand::Argument(0)],
        results: vec![ty],
    })
}
