//! Layers: what owns parameters. Their operands are always per sample.

use crate::function::Function;
use crate::signature::arguments::{agree, or_one};
use crate::signature::{Bound, Operand, Plan, Problem, Signature, layer};
use crate::types::{Dim, TensorType};

pub(super) const TABLE: &[Signature] = &[
    layer("dense", &["x", "n"], &["bias"], dense),
    layer("conv", &["x", "n", "kernel"], &["stride", "pad", "dilation", "groups", "bias"], conv),
    layer("conv_transpose", &["x", "n", "kernel"], &["stride", "pad", "output_pad", "bias"], conv_transpose),
    layer("embed", &["y", "n"], &[], embed),
    layer("batch_norm", &["x"], &[], |b| normalised(b, Function::BatchNorm, 1)),
    layer("instance_norm", &["x"], &[], |b| normalised(b, Function::InstanceNorm, 2)),
    layer("layer_norm", &["x"], &[], |b| normalised(b, Function::LayerNorm, 1)),
    layer("prelu", &["x"], &[], |b| normalised(b, Function::Prelu, 1)),
    layer("gru", &["x", "n"], &["mask", "reverse"], |b| {
        recurrent(b, |features, masked, reverse| Function::Gru { features, masked, reverse })
    }),
    layer("lstm", &["x", "n"], &["mask", "reverse"], |b| {
        recurrent(b, |features, masked, reverse| Function::Lstm { features, masked, reverse })
    }),
    layer("gru_cell", &["x", "h"], &[], |b| cell(b, Function::GruCell, 1)),
    layer("lstm_cell", &["x", "h", "c"], &[], |b| cell(b, Function::LstmCell, 2)),
];

fn dense(b: &Bound<'_>) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    let (features, bias) = (b.count(1, 1)?, b.flag_or(2, true)?);
    let shape = match ty.shape[..] {
        [_] => vec![features],
        [t, _] => vec![t, features],
        [] => return b.problem(0, format!("`dense` takes [k] or [T, k], got {ty}; write `.reshape([1])` first")),
        _ => return b.problem(0, format!("`dense` takes [k] or [T, k], got {ty}; write `.flatten()` first")),
    };
    Ok(Plan::one(Function::Dense { features, bias }, 1, b.result(shape)))
}

/// Channels and spatial axes of an image or a sequence.
fn spatial(b: &Bound<'_>) -> Result<(TensorType, Dim, Vec<Dim>), Problem> {
    let ty = b.float(0)?;
    match ty.shape[..] {
        [channels, _] | [channels, _, _] => {
            let lengths = ty.shape[1..].to_vec();
            Ok((ty, channels, lengths))
        }
        [k] => b.problem(
            0,
            format!(
                "`{}` takes [c, L] or [c, H, W], got {ty}; write `.reshape([{k}, 1, 1])` or another shape first",
                b.signature.name
            ),
        ),
        _ => b.problem(0, format!("`{}` takes [c, L] or [c, H, W], got {ty}; reshape it first", b.signature.name)),
    }
}

fn conv(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, channels, lengths) = spatial(b)?;
    let axes = lengths.len();
    let features = b.count(1, 1)?;
    let (kernel, stride) = (b.sizes(2, axes, 1, 1)?, b.sizes(3, axes, 1, 1)?);
    let (pad, dilation) = (b.sizes(4, axes, 0, 0)?, b.sizes(5, axes, 1, 1)?);
    let groups = if b.given(6) { b.count(6, 1)? } else { Dim::Known(1) };
    let bias = b.flag_or(7, true)?;
    if let Dim::Known(groups) = groups {
        for (what, count) in [("input channels", channels), ("output channels", features)] {
            if count.known().is_some_and(|count| count % groups != 0) {
                return b.problem(6, format!("`groups = {groups}` must divide the {count} {what} of `conv`"));
            }
        }
    }
    let mut shape = vec![features];
    for axis in 0..axes {
        let known =
            (lengths[axis].known(), kernel[axis].known(), stride[axis].known(), pad[axis].known(), dilation[axis].known());
        shape.push(match known {
            (Some(length), Some(k), Some(s), Some(p), Some(d)) => match saddlepoint_shape::convolved(length, k, s, p, d) {
                Some(length) => Dim::Known(length),
                None => {
                    let reach = (k - 1).saturating_mul(d).saturating_add(1);
                    let least = reach.saturating_sub(length).div_ceil(2);
                    return Err(format!(
                        "`conv` on {ty}: a kernel of {reach} places does not fit into {length} with `pad = {p}`; \
                         use a smaller kernel or `pad = {least}` at least"
                    )
                    .into());
                }
            },
            _ => Dim::Open,
        });
    }
    let function = Function::Conv {
        features,
        kernel,
        stride: or_one(&stride),
        pad: or_one(&pad),
        dilation: or_one(&dilation),
        groups: groups.known().unwrap_or(1),
        bias,
    };
    Ok(Plan::one(function, 1, b.result(shape)))
}

fn conv_transpose(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, _, lengths) = spatial(b)?;
    let axes = lengths.len();
    let features = b.count(1, 1)?;
    let (kernel, stride) = (b.sizes(2, axes, 1, 1)?, b.sizes(3, axes, 1, 1)?);
    let (pad, output_pad) = (b.sizes(4, axes, 0, 0)?, b.sizes(5, axes, 0, 0)?);
    let bias = b.flag_or(6, true)?;
    let mut shape = vec![features];
    for axis in 0..axes {
        let known =
            (lengths[axis].known(), kernel[axis].known(), stride[axis].known(), pad[axis].known(), output_pad[axis].known());
        if let (_, _, Some(s), _, Some(extra)) = known
            && extra >= s.max(1)
            && extra > 0
        {
            return b.problem(5, format!("`output_pad = {extra}` must be less than `stride = {s}`"));
        }
        shape.push(match known {
            (Some(length), Some(k), Some(s), Some(p), Some(extra)) => match saddlepoint_shape::transposed(length, k, s, p, extra) {
                Some(length) => Dim::Known(length),
                None => {
                    return Err(format!(
                        "`conv_transpose` on {ty}: nothing is left of ({length} − 1)·{s} + {k} + {extra} places after `pad = {p}` \
                         on both sides; use a smaller `pad` or a larger kernel"
                    )
                    .into());
                }
            },
            _ => Dim::Open,
        });
    }
    let function = Function::ConvTranspose {
        features,
        kernel,
        stride: or_one(&stride),
        pad: or_one(&pad),
        output_pad: or_one(&output_pad),
        bias,
    };
    Ok(Plan::one(function, 1, b.result(shape)))
}

fn embed(b: &Bound<'_>) -> Result<Plan, Problem> {
    let (ty, _) = b.class(0)?;
    let features = b.count(1, 1)?;
    let mut shape = ty.shape.clone();
    if shape.len() > 1 {
        return b.problem(0, format!("`embed` takes a class or a sequence of classes, got {ty}"));
    }
    shape.push(features);
    Ok(Plan::one(Function::Embed { features }, 1, b.result(shape)))
}

fn normalised(b: &Bound<'_>, function: Function, least: usize) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    if ty.shape.len() < least {
        let name = b.signature.name;
        let message = match (least, ty.shape.is_empty()) {
            (1, _) => format!("`{name}` takes [k], [c, L] or [c, H, W], got {ty}: one number has no channels; leave it out"),
            (_, true) => format!("`{name}` takes [c, L] or [c, H, W], got {ty}: one number has no channels; leave it out"),
            _ => format!(
                "`{name}` takes [c, L] or [c, H, W], got {ty}: it has one number a channel; use `batch_norm` or `layer_norm`"
            ),
        };
        return b.problem(0, message);
    }
    Ok(Plan::one(function, 1, ty))
}

fn recurrent(b: &Bound<'_>, function: fn(Dim, bool, bool) -> Function) -> Result<Plan, Problem> {
    let ty = b.float(0)?;
    let (features, reverse) = (b.count(1, 1)?, b.flag_or(3, false)?);
    let [t, _] = ty.shape[..] else {
        return b.problem(0, format!("`{}` takes a sequence [T, k], got {ty}", b.signature.name));
    };
    let masked = b.given(2);
    let mut operands = vec![Operand::Argument(0)];
    if masked {
        let mask = b.float(2)?;
        if mask.shape.len() != 1 || !agree(mask.shape[0], t) {
            return b.problem(2, format!("the mask of `{}` on {ty} must be [{t}], got {mask}", b.signature.name));
        }
        operands.push(Operand::Argument(2));
    }
    Ok(Plan { function: function(features, masked, reverse), operands, results: vec![b.result(vec![t, features])] })
}

fn cell(b: &Bound<'_>, function: Function, states: usize) -> Result<Plan, Problem> {
    let (x, h) = (b.float(0)?, b.float(1)?);
    if x.shape.len() != 1 || h.shape.len() != 1 {
        return Err(format!("`{}` takes vectors [k] and [n], got {x} and {h}", b.signature.name).into());
    }
    let result = b.result(h.shape.clone());
    if states == 2 {
        let c = b.float(2)?;
        if c.shape.len() != 1 || !agree(c.shape[0], h.shape[0]) {
            return b.problem(2, format!("`lstm_cell` has a state of {h}, but a cell of {c}: they must be equal"));
        }
    }
    Ok(Plan { function, operands: (0..=states).map(Operand::Argument).collect(), results: vec![result; states] })
}
