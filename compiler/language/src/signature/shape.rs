//! Functions that move elements: reshaping, joining, taking parts, pooling.

use crate::function::Function;
use crate::signature::arguments::{agree, known, written};
use crate::signature::{Bound, Operand, Plan, Problem, Signature, function};
use crate::types::{Dim, Element, TensorType};

pub(super) const TABLE: &[Signature] = &[
    function("reshape", &["x", "shape"], reshape),
    function("flatten", &["x"], flatten),
    function("transpose", &["x", "i", "j"], transpose),
    function("flip", &["x", "axis"], flip),
    function("concat", &["a"], concat).two_or_more().with(&["axis"]),
    function("stack", &["list"], stack),
    function("copies", &["x", "n"], copies),
    function("spread", &["x", "shape"], spread),
    function("slice", &["x", "axis", "from", "to"], slice),
    function("diff", &["x", "axis"], diff),
    function("pad", &["x", "n"], pad),
    function("max_pool", &["x", "k"], |b| pooled(b, |k| Function::MaxPool { k })),
    function("avg_pool", &["x", "k"], |b| pooled(b, |k| Function::AvgPool { k })),
    function("upsample", &["x", "k"], upsample),
    function("pixel_shuffle", &["x", "k"], pixel_shuffle),
    function("glu", &["x"], glu),
];

fn count(shape: &[Dim]) -> Option<usize> {
    let extents: Vec<usize> = shape.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
    saddlepoint_shape::elements(&extents)
}

fn reshape(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, shape) = (b.tensor(0)?, b.shape(1)?);
    if let (Some(from), Some(to)) = (count(&ty.shape), count(&shape))
        && from != to
    {
        let (was, is) = (written(&ty.shape), written(&shape));
        return Err(format!(
            "cannot reshape {was} to {is}: {from} elements are not {to}; the products of both shapes must be equal"
        )
        .into());
    }
    Ok(Plan::one(Function::Reshape, 1, TensorType { shape, ..ty }))
}

fn flatten(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.tensor(0)?;
    let shape = vec![count(&ty.shape).map_or(Dim::Open, Dim::Known)];
    Ok(Plan::one(Function::Reshape, 1, TensorType { shape, ..ty }))
}

fn axis(b: &Bound<'_>, index: usize, ty: &TensorType) -> Result<usize, Problem> {
    Ok(b.axis(index, ty)?.unwrap_or(0))
}

fn transpose(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = b.tensor(0)?;
    let (i, j) = (axis(b, 1, &ty)?, axis(b, 2, &ty)?);
    ty.shape.swap(i, j);
    Ok(Plan::one(Function::Transpose { a: i, b: j }, 1, ty))
}

fn flip(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.tensor(0)?;
    let axis = axis(b, 1, &ty)?;
    Ok(Plan::one(Function::Flip { axis }, 1, ty))
}

fn concat(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (types, _) = b.tensors(0)?;
    let Some(first) = types.first() else { return Err("`concat` takes two or more tensors".to_string().into()) };
    let axis = b.axis(1, first)?.unwrap_or(0);
    let mut result = TensorType { per_sample: b.per_sample(), ..first.clone() };
    for (index, ty) in types.iter().enumerate() {
        let fits = ty.shape.len() == first.shape.len() && axis < ty.shape.len();
        let others = fits && (0..ty.shape.len()).all(|at| at == axis || agree(ty.shape[at], result.shape[at]));
        if !same_elements(ty.element, first.element) {
            let remedy = "make classes tensors by `one_hot()`, or in a net by `embed(n)`";
            return Err(format!("`concat` joins tensors of one kind, but {first} and {ty} are of two; {remedy}").into());
        }
        if !others {
            let all = types.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ");
            return Err(format!(
                "`concat` along axis {axis} of {all}: all other axes must be equal, and those of {ty} differ{}",
                concat_remedy(ty, first)
            )
            .into());
        }
        if index > 0 {
            for at in 0..ty.shape.len() {
                result.shape[at] = match (at == axis, result.shape[at], ty.shape[at]) {
                    (true, Dim::Known(a), Dim::Known(c)) => Dim::Known(a + c),
                    (true, ..) => Dim::Open,
                    (false, a, c) => known(a, c),
                };
            }
        }
    }
    let operands = (0..types.len()).map(|entry| Operand::Entry(0, entry)).collect();
    Ok(Plan { function: Function::Concat { axis }, operands, results: vec![result] })
}

fn concat_remedy(ty: &TensorType, first: &TensorType) -> String {
    match (&ty.shape[..], &first.shape[..]) {
        ([_], [_, h, w]) | ([_, h, w], [_]) => {
            format!("; write `.spread([{h}, {w}])` on the vector to put it at every place")
        }
        _ => String::new(),
    }
}

fn same_elements(a: Element, b: Element) -> bool {
    match (a, b) {
        (Element::Float, Element::Float) => true,
        (Element::Class(k), Element::Class(l)) => agree(k, l),
        _ => false,
    }
}

fn stack(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (types, open) = b.tensors(0)?;
    let Some(first) = types.first() else {
        return b.problem(0, "`stack` needs at least one entry: nothing was pushed to this list".to_string());
    };
    for (index, ty) in types.iter().enumerate() {
        let equal = ty.shape.len() == first.shape.len() && ty.shape.iter().zip(&first.shape).all(|(a, c)| agree(*a, *c));
        if !equal || !same_elements(ty.element, first.element) {
            return b.problem(0, format!("`stack` needs entries of one type: entry 0 is {first}, entry {index} is {ty}"));
        }
    }
    let mut shape = vec![if open { Dim::Open } else { Dim::Known(types.len()) }];
    shape.extend(&first.shape);
    let operands = (0..types.len()).map(|entry| Operand::Entry(0, entry)).collect();
    let result = TensorType { shape, element: first.element, per_sample: b.per_sample() };
    Ok(Plan { function: Function::Stack, operands, results: vec![result] })
}

fn copies(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (mut ty, n) = (b.tensor(0)?, b.count(1, 1)?);
    ty.shape.insert(0, n);
    Ok(Plan::one(Function::Copies { n }, 1, ty))
}

fn spread(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (mut ty, places) = (b.float(0)?, b.shape(1)?);
    if ty.shape.len() != 1 {
        return b.problem(0, format!("`spread` puts a vector [c] at every place, got {ty}"));
    }
    ty.shape.extend(places);
    Ok(Plan::one(Function::Spread, 1, ty))
}

fn slice(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = b.tensor(0)?;
    let axis = axis(b, 1, &ty)?;
    let (from, to) = (b.count(2, 0)?, b.count(3, 0)?);
    let length = ty.shape[axis];
    let result = match (from, to) {
        (Dim::Known(from), Dim::Known(to)) if from >= to => {
            return Err(format!("`slice` from {from} to {to} is empty").into());
        }
        (Dim::Known(from), Dim::Known(to)) => {
            if length.known().is_some_and(|length| to > length) {
                return b.problem(3, format!("`slice` to {to} goes past the end of axis {axis} of {ty}"));
            }
            Dim::Known(to - from)
        }
        _ => Dim::Open,
    };
    ty.shape[axis] = result;
    let function = Function::Slice { axis, from: from.known().unwrap_or(0), to: to.known().unwrap_or(1) };
    Ok(Plan::one(function, 1, ty))
}

fn diff(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = b.float(0)?;
    let axis = axis(b, 1, &ty)?;
    ty.shape[axis] = match ty.shape[axis] {
        Dim::Known(length) if length >= 2 => Dim::Known(length - 1),
        Dim::Known(_) => return b.problem(1, format!("`diff` needs at least two entries along axis {axis} of {ty}")),
        Dim::Open => Dim::Open,
    };
    Ok(Plan::one(Function::Diff { axis }, 1, ty))
}

/// Checks `[c, L]` or `[c, H, W]`.
fn image(b: &Bound<'_>) -> Result<TensorType, Problem> {
    let ty = b.float(0)?;
    match ty.shape.len() {
        2 | 3 => Ok(ty),
        _ => b.problem(0, format!("`{}` takes [c, L] or [c, H, W], got {ty}", b.signature.name)),
    }
}

fn pad(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = image(b)?;
    let n = b.count(1, 0)?;
    for length in &mut ty.shape[1..] {
        *length = both(*length, n, |length, n| length.checked_add(n.checked_mul(2)?));
    }
    Ok(Plan::one(Function::Pad { n: n.known().unwrap_or(0) }, 1, ty))
}

fn both(a: Dim, b: Dim, combine: fn(usize, usize) -> Option<usize>) -> Dim {
    match (a, b) {
        (Dim::Known(a), Dim::Known(b)) => combine(a, b).map_or(Dim::Open, Dim::Known),
        _ => Dim::Open,
    }
}

fn pooled(b: &Bound<'_>, function: fn(usize) -> Function) -> Result<Plan, Problem> {
    let mut ty = image(b)?;
    let k = b.count(1, 1)?;
    if let Dim::Known(k) = k
        && ty.shape[1..].iter().any(|length| length.known().is_some_and(|length| length < k))
    {
        return b.problem(1, format!("`{}` of {k} does not fit into {ty}", b.signature.name));
    }
    for length in &mut ty.shape[1..] {
        *length = both(*length, k, |length, k| length.checked_div(k));
    }
    Ok(Plan::one(function(k.known().unwrap_or(1)), 1, ty))
}

fn upsample(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = image(b)?;
    let k = b.count(1, 1)?;
    for length in &mut ty.shape[1..] {
        *length = both(*length, k, usize::checked_mul);
    }
    Ok(Plan::one(Function::Upsample { k: k.known().unwrap_or(1) }, 1, ty))
}

fn pixel_shuffle(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = image(b)?;
    let k = b.count(1, 1)?;
    let axes = ty.shape.len() as u32 - 1;
    if let (Dim::Known(channels), Dim::Known(k)) = (ty.shape[0], k) {
        let block = k.checked_pow(axes).unwrap_or(usize::MAX);
        if channels % block != 0 {
            return b.problem(0, format!("`pixel_shuffle` by {k} needs channels divisible by {block}, got {ty}"));
        }
        ty.shape[0] = Dim::Known(channels / block);
    } else {
        ty.shape[0] = Dim::Open;
    }
    for length in &mut ty.shape[1..] {
        *length = both(*length, k, usize::checked_mul);
    }
    Ok(Plan::one(Function::PixelShuffle { k: k.known().unwrap_or(1) }, 1, ty))
}

fn glu(b: &Bound<'_>) -> Result<Plan, Problem> {
    let mut ty = b.float(0)?;
    match ty.shape.first_mut() {
        Some(Dim::Known(channels)) if *channels % 2 == 0 && *channels > 0 => *channels /= 2,
        Some(Dim::Open) => {}
        _ => return b.problem(0, format!("`glu` halves axis 0, which must be even, got {ty}")),
    }
    Ok(Plan::one(Function::Glu, 1, ty))
}
