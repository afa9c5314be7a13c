//! Operators and elementwise functions: shapes combine by rule T3.

use crate::function::Function;
use crate::signature::arguments::{agree, written};
use crate::signature::{Arg, Bound, Operand, Plan, Problem, Signature, function};
use crate::tree::Binary;
use crate::types::{Dim, Element, TensorType};

pub(super) const TABLE: &[Signature] = &[
    function("ln", &["x"], |b| unary(b, Function::Ln)),
    function("exp", &["x"], |b| unary(b, Function::Exp)),
    function("sqrt", &["x"], |b| unary(b, Function::Sqrt)),
    function("square", &["x"], |b| unary(b, Function::Square)),
    function("abs", &["x"], |b| unary(b, Function::Abs)),
    function("sin", &["x"], |b| unary(b, Function::Sin)),
    function("cos", &["x"], |b| unary(b, Function::Cos)),
    function("floor", &["x"], |b| unary(b, Function::Floor)).without_gradient(),
    function("sign", &["x"], |b| unary(b, Function::Sign)).without_gradient(),
    function("tanh", &["x"], |b| unary(b, Function::Tanh)),
    function("sigmoid", &["x"], |b| unary(b, Function::Sigmoid)),
    function("softplus", &["x"], |b| unary(b, Function::Softplus)),
    function("relu", &["x"], |b| unary(b, Function::Relu)),
    function("elu", &["x"], |b| unary(b, Function::Elu)),
    function("gelu", &["x"], |b| unary(b, Function::Gelu)),
    function("silu", &["x"], |b| unary(b, Function::Silu)),
    function("leaky_relu", &["x", "slope"], |b| unary(b, Function::LeakyRelu { slope: b.number(1)? })),
    function("clamp", &["x", "lo", "hi"], |b| {
        let (lo, hi) = (b.number(1)?, b.number(2)?);
        if lo > hi {
            return b.problem(1, format!("`clamp` needs its lower bound first, got {lo} and {hi}"));
        }
        unary(b, Function::Clamp { lo, hi })
    }),
    function("pow", &["x", "exponent"], |b| unary(b, Function::Pow { exponent: b.number(1)? })),
    function("max", &["a", "b"], |b| several(b, Function::Max, 2)),
    function("min", &["a", "b"], |b| several(b, Function::Min, 2)),
    function("mix", &["a", "b", "t"], |b| several(b, Function::Mix, 3)),
    function("select", &["c", "a", "b"], select),
    function("stop", &["x"], |b| same(b, Function::Stop)).without_gradient(),
    function("reverse", &["x", "scale"], reverse),
    function("straight_through", &["hard", "soft"], |b| several(b, Function::StraightThrough, 2)),
    function("zeros", &["shape"], |b| constant(b, Function::Zeros)),
    function("ones", &["shape"], |b| constant(b, Function::Ones)),
];

fn unary(b: &Bound<'_>, function: Function) -> Result<Plan, Problem> {
    b.float(0)?;
    same(b, function)
}

fn same(b: &Bound<'_>, function: Function) -> Result<Plan, Problem> {
    Ok(Plan::one(function, 1, b.tensor(0)?))
}

fn several(b: &Bound<'_>, function: Function, operands: usize) -> Result<Plan, Problem> {
    let types = (0..operands).map(|index| b.float(index)).collect::<Result<Vec<_>, _>>()?;
    let shape = combine_all(&types)?;
    Ok(Plan::one(function, operands, b.result(shape)))
}

fn constant(b: &Bound<'_>, function: Function) -> Result<Plan, Problem> {
    Ok(Plan::one(function, 0, TensorType { shape: b.shape(0)?, element: Element::Float, per_sample: false }))
}

fn reverse(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, scale) = (b.float(0)?, b.float(1)?);
    if !scale.shape.is_empty() || scale.per_sample {
        return b.problem(1, format!("the scale of `reverse` must be a number or a hyper, got {scale}"));
    }
    Ok(Plan::one(Function::Reverse, 2, ty))
}

fn select(b: &Bound<'_>) -> Result<Plan, Problem> {
    let condition = b.float(0)?;
    let (class, operands) = class_operands(b, 1, 2)?;
    let (a, other) = (b.tensor(1)?, b.tensor(2)?);
    let shape = combine_all(&[condition, a, other])?;
    let element = class.map_or(Element::Float, Element::Class);
    let mut all = vec![Operand::Argument(0)];
    all.extend(operands);
    Ok(Plan { function: Function::Select, operands: all, results: vec![TensorType { element, ..b.result(shape) }] })
}

/// Two arguments that are both floats, or both classes; an integer beside a class becomes that class.
fn class_operands(b: &Bound<'_>, i: usize, j: usize) -> Result<(Option<Dim>, Vec<Operand>), Problem> {
    let (left, right) = (b.tensor(i)?, b.tensor(j)?);
    match (left.element, right.element) {
        (Element::Float, Element::Float) => Ok((None, vec![Operand::Argument(i), Operand::Argument(j)])),
        (Element::Class(k), Element::Class(l)) if agree(k, l) => {
            Ok((Some(k), vec![Operand::Argument(i), Operand::Argument(j)]))
        }
        (Element::Class(_), Element::Class(_)) => {
            Err(format!("`{}` of {left} and {right}: they are classes of different sets", b.signature.name).into())
        }
        (Element::Class(classes), Element::Float) => {
            Ok((Some(classes), vec![Operand::Argument(i), label(b, j, classes, &left, &right)?]))
        }
        (Element::Float, Element::Class(classes)) => {
            Ok((Some(classes), vec![label(b, i, classes, &right, &left)?, Operand::Argument(j)]))
        }
    }
}

fn label(b: &Bound<'_>, at: usize, classes: Dim, class: &TensorType, other: &TensorType) -> Result<Operand, Problem> {
    match &b.arguments[at] {
        Some(Arg::Number(_)) => {
            let index = b.count(at, 0)?;
            match (index, classes) {
                (Dim::Known(index), Dim::Known(k)) if index >= k => b.problem(
                    at,
                    format!("there is no class {index} in {class}: classes go from 0 to {}", k.saturating_sub(1)),
                ),
                _ => Ok(Operand::Label { index: index.known().unwrap_or(0), classes }),
            }
        }
        _ => b.problem(
            at,
            format!("`{}` of {class} and {other}: a class goes with classes and integers only", b.signature.name),
        ),
    }
}

const OPERATOR: fn(&'static str) -> Signature = |name| function(name, &["left", "right"], |b| several(b, Function::Add, 2));

/// The plan of an operator.
pub(crate) fn binary(op: Binary, left: Arg, right: Arg) -> Result<Plan, Problem> {
    let signature = OPERATOR(op.symbol());
    let arguments = [Some(left), Some(right)];
    let b = Bound { signature: &signature, arguments: &arguments };
    if matches!(op, Binary::Equal | Binary::NotEqual) {
        let (_, operands) = class_operands(&b, 0, 1)?;
        let shape = combine_all(&[b.tensor(0)?, b.tensor(1)?])?;
        let function = if op == Binary::Equal { Function::Equal } else { Function::NotEqual };
        return Ok(Plan { function, operands, results: vec![b.result(shape)] });
    }
    several(
        &b,
        match op {
            Binary::Add => Function::Add,
            Binary::Sub => Function::Sub,
            Binary::Mul => Function::Mul,
            Binary::Div => Function::Div,
            Binary::Less => Function::Less,
            Binary::LessEqual => Function::LessEqual,
            Binary::Greater => Function::Greater,
            Binary::GreaterEqual | Binary::Equal | Binary::NotEqual => Function::GreaterEqual,
        },
        2,
    )
}

fn combine_all(types: &[TensorType]) -> Result<Vec<Dim>, Problem> {
    let mut shape: Vec<Dim> = Vec::new();
    for ty in types {
        shape = combine(&shape, &ty.shape)?;
    }
    Ok(shape)
}

/// Rule T3: equal shapes, a single element beside anything, or equal rank with 1 on one side of unequal axes.
pub(crate) fn combine(a: &[Dim], b: &[Dim]) -> Result<Vec<Dim>, Problem> {
    let single = |shape: &[Dim]| matches!(shape, [] | [Dim::Known(1)]);
    if a.len() == b.len() {
        let axes: Option<Vec<Dim>> = a.iter().zip(b).map(|(x, y)| combine_axis(*x, *y)).collect();
        if let Some(shape) = axes {
            return Ok(shape);
        }
    } else if single(a) || (a == [Dim::Open] && b.len() > 1) {
        return Ok(if b.is_empty() { a.to_vec() } else { b.to_vec() });
    } else if single(b) || (b == [Dim::Open] && a.len() > 1) {
        return Ok(if a.is_empty() { b.to_vec() } else { a.to_vec() });
    }
    Err(format!("the shapes {} and {} do not combine; {}", written(a), written(b), remedy(a, b)).into())
}

fn combine_axis(a: Dim, b: Dim) -> Option<Dim> {
    match (a, b) {
        (Dim::Known(a), Dim::Known(b)) => saddlepoint_shape::combined(a, b).map(Dim::Known),
        (Dim::Open, Dim::Known(1)) | (Dim::Known(1), Dim::Open) | (Dim::Open, Dim::Open) => Some(Dim::Open),
        (Dim::Open, known) | (known, Dim::Open) => Some(known),
    }
}

fn remedy(a: &[Dim], b: &[Dim]) -> String {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() == long.len() {
        return "axes must be equal, or 1 on one side".to_string();
    }
    let place = if short.len() == 1 { long.iter().position(|dim| *dim == short[0]) } else { None };
    match place {
        Some(place) => {
            let mut shape = vec![Dim::Known(1); long.len()];
            shape[place] = short[0];
            format!("shapes are not aligned from the right: write `.reshape({})` on the {}", written(&shape), written(short))
        }
        None => "bring both to one rank by `.reshape([…])`, with 1 where an axis is to be repeated".to_string(),
    }
}

/// The value of an elementwise function of compile-time numbers (None: not a function of these).
pub(crate) fn folded(name: &str, x: &[f64]) -> Option<f64> {
    Some(match (name, x) {
        ("ln", [x]) => x.ln(),
        ("exp", [x]) => x.exp(),
        ("sqrt", [x]) => x.sqrt(),
        ("square", [x]) => x * x,
        ("abs", [x]) => x.abs(),
        ("sin", [x]) => x.sin(),
        ("cos", [x]) => x.cos(),
        ("floor", [x]) => x.floor(),
        ("sign", [x]) => f64::from(*x > 0.0) - f64::from(*x < 0.0),
        ("tanh", [x]) => x.tanh(),
        ("sigmoid", [x]) => 0.5 + 0.5 * (0.5 * x).tanh(),
        ("softplus", [x]) => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        ("relu", [x]) => x.max(0.0),
        ("pow", [x, p]) => x.powf(*p),
        ("clamp", [x, lo, hi]) => x.max(*lo).min(*hi),
        ("max", [a, b]) => a.max(*b),
        ("min", [a, b]) => a.min(*b),
        ("mix", [a, b, t]) => t * a + (1.0 - t) * b,
        ("select", [c, a, b]) => {
            if *c != 0.0 {
                *a
            } else {
                *b
            }
        }
        _ => return None,
    })
}
