//! Type inference: the result type of an op from its attributes and operand types. The one place that knows these rules.

use super::{ConvDims, DType, DotDims, Graph, NodeId, Op, Type};
use crate::{Error, Result};

/// The type of `op` applied to `args`, which must exist in `graph`.
///
/// # Errors
/// [`Error::Ir`] naming the op, the operand types and what it wants.
pub fn infer(graph: &Graph, op: &Op, args: &[NodeId]) -> Result<Type> {
    let ty = infer_unbounded(graph, op, args)?;
    match elements(&ty.shape) {
        Some(_) => Ok(ty),
        None => Err(Error::ir(format!("{}: a result of {ty} is too large", op.kind().name()))),
    }
}

/// Largest extent of an axis.
pub const MAX_EXTENT: usize = i32::MAX as usize;

/// Number of elements of a shape; `None` if an extent exceeds [`MAX_EXTENT`] or a tensor of this shape 2⁴⁰ elements.
pub fn elements(shape: &[usize]) -> Option<usize> {
    // Extents of 0 are left out first: a shape must not become acceptable by being empty.
    let bounded = shape.iter().filter(|n| **n > 0).try_fold(1usize, |product, n| product.checked_mul(*n));
    let fits = bounded.is_some_and(|n| n <= 1 << 40) && shape.iter().all(|n| *n <= MAX_EXTENT);
    fits.then(|| shape.iter().product())
}

fn infer_unbounded(graph: &Graph, op: &Op, args: &[NodeId]) -> Result<Type> {
    let name = op.kind().name();
    let tys: Vec<&Type> = args.iter().map(|a| graph.ty(*a)).collect();
    let types = || tys.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
    let fail = |what: &str| Err(Error::ir(format!("{name}({}): {what}", types())));
    match op.kind().arity() {
        Some(n) if n != args.len() => return fail(&format!("takes {n} operands")),
        None if args.is_empty() => return fail("takes at least one operand"),
        _ => {}
    }
    let float = |t: &Type| t.dtype == DType::F32;
    let number = |t: &Type| t.dtype != DType::Bool;
    match op {
        Op::Input(i) => match graph.inputs.get(*i as usize) {
            Some(slot) => Ok(slot.ty.clone()),
            None => fail("no such input"),
        },
        Op::State(i) => match graph.states.get(*i as usize) {
            Some(slot) => Ok(slot.ty.clone()),
            None => fail("no such state"),
        },
        Op::Const(v) => Ok(Type::new(v.dtype(), [])),
        Op::Iota { shape, axis } => {
            if *axis >= shape.len() {
                return fail("axis out of range");
            }
            Ok(Type::new(DType::I32, shape.clone()))
        }
        Op::Rng { shape, .. } => {
            if *tys[0] != Type::new(DType::I32, [4]) {
                return fail("wants a key of type i32[4]");
            }
            Ok(Type::f32(shape.clone()))
        }
        Op::Cast(to) => Ok(Type::new(*to, tys[0].shape.clone())),
        Op::StopGrad | Op::Hold | Op::Neg if number(tys[0]) => Ok(tys[0].clone()),
        Op::StopGrad | Op::Hold => Ok(tys[0].clone()),
        Op::Floor | Op::Sign | Op::Exp | Op::Log | Op::Sqrt | Op::Sin | Op::Tanh | Op::Softplus if float(tys[0]) => {
            Ok(tys[0].clone())
        }
        Op::Neg | Op::Floor | Op::Sign | Op::Exp | Op::Log | Op::Sqrt | Op::Sin | Op::Tanh | Op::Softplus => {
            fail("element type not supported")
        }
        Op::Add | Op::Mul | Op::Div | Op::Max | Op::Lt | Op::Eq => {
            if tys[0] != tys[1] {
                return fail("wants two operands of one type; broadcasting is explicit");
            }
            if !number(tys[0]) || (matches!(op, Op::Div) && !float(tys[0])) {
                return fail("element type not supported");
            }
            Ok(match op {
                Op::Lt | Op::Eq => Type::new(DType::Bool, tys[0].shape.clone()),
                _ => tys[0].clone(),
            })
        }
        Op::Select => {
            if tys[0].dtype != DType::Bool || tys[1] != tys[2] || tys[0].shape != tys[1].shape {
                return fail("wants a bool condition and two values of one type, all of one shape");
            }
            Ok(tys[1].clone())
        }
        Op::Reshape(shape) => {
            if elements(shape) != Some(tys[0].elements()) {
                return fail(&format!("cannot become {shape:?}: another number of elements"));
            }
            Ok(Type::new(tys[0].dtype, shape.clone()))
        }
        Op::Transpose(perm) => {
            let mut seen = perm.clone();
            seen.sort_unstable();
            if seen != (0..tys[0].rank()).collect::<Vec<_>>() {
                return fail(&format!("{perm:?} is no permutation of the axes"));
            }
            Ok(Type::new(tys[0].dtype, perm.iter().map(|p| tys[0].shape[*p]).collect::<Vec<_>>()))
        }
        Op::Reverse(axes) => {
            if let Err(e) = check_axes(axes, tys[0].rank()) {
                return fail(&e);
            }
            Ok(tys[0].clone())
        }
        Op::Broadcast { shape, dims } => {
            if dims.len() != tys[0].rank() || check_axes(dims, shape.len()).is_err() {
                return fail(&format!("dims {dims:?} must be one ascending axis of {shape:?} for each axis of the operand"));
            }
            if dims.iter().zip(&tys[0].shape).any(|(d, n)| shape[*d] != *n) {
                return fail(&format!("extents differ from {shape:?} at {dims:?}"));
            }
            Ok(Type::new(tys[0].dtype, shape.clone()))
        }
        Op::Slice { start, stop, step } => {
            let rank = tys[0].rank();
            if start.len() != rank || stop.len() != rank || step.len() != rank {
                return fail("wants a start, stop and step for each axis");
            }
            let mut shape = Vec::with_capacity(rank);
            for i in 0..rank {
                if step[i] == 0 || start[i] > stop[i] || stop[i] > tys[0].shape[i] {
                    return fail(&format!("axis {i}: {}..{} step {} is out of range", start[i], stop[i], step[i]));
                }
                shape.push((stop[i] - start[i]).div_ceil(step[i]));
            }
            Ok(Type::new(tys[0].dtype, shape))
        }
        Op::Pad { lo, hi, interior } => {
            let rank = tys[0].rank();
            if lo.len() != rank || hi.len() != rank || interior.len() != rank {
                return fail("wants lo, hi and interior for each axis");
            }
            if *tys[1] != Type::new(tys[0].dtype, []) {
                return fail("wants a scalar padding value of the same element type");
            }
            let shape: Vec<usize> = (0..rank)
                .map(|i| {
                    let n = tys[0].shape[i];
                    let inside = n.saturating_sub(1).saturating_mul(interior[i]).saturating_add(n);
                    inside.saturating_add(lo[i]).saturating_add(hi[i])
                })
                .collect();
            Ok(Type::new(tys[0].dtype, shape))
        }
        Op::Concat { axis } => {
            if *axis >= tys[0].rank() {
                return fail("axis out of range");
            }
            let mut shape = tys[0].shape.clone();
            shape[*axis] = 0;
            for t in &tys {
                let differs = |i: usize| i != *axis && t.shape[i] != tys[0].shape[i];
                if t.dtype != tys[0].dtype || t.rank() != shape.len() || (0..t.rank()).any(differs) {
                    return fail(&format!("operands must agree in all axes but {axis}"));
                }
                shape[*axis] += t.shape[*axis];
            }
            Ok(Type::new(tys[0].dtype, shape))
        }
        Op::ReduceSum(axes) | Op::ReduceMax(axes) => {
            if let Err(e) = check_axes(axes, tys[0].rank()) {
                return fail(&e);
            }
            if !float(tys[0]) {
                return fail("element type not supported");
            }
            if matches!(op, Op::ReduceMax(_)) && axes.iter().any(|a| tys[0].shape[*a] == 0) {
                return fail("the maximum of nothing");
            }
            let kept = (0..tys[0].rank()).filter(|a| !axes.contains(a)).map(|a| tys[0].shape[a]);
            Ok(Type::f32(kept.collect::<Vec<_>>()))
        }
        Op::CumSum { axis, .. } => {
            if *axis >= tys[0].rank() || !float(tys[0]) {
                return fail("axis out of range, or element type not supported");
            }
            Ok(tys[0].clone())
        }
        Op::Dot(dims) => infer_dot(tys[0], tys[1], dims).or_else(|e| fail(&e)),
        Op::Conv(dims) => infer_conv(tys[0], tys[1], dims).or_else(|e| fail(&e)),
        Op::Unfold { axis, size, stride, dilation } => {
            if *axis >= tys[0].rank() || !float(tys[0]) {
                return fail("axis out of range, or element type not supported");
            }
            let Some(out) = saddlepoint_shape::windows(tys[0].shape[*axis], *size, *stride, *dilation) else {
                return fail(&format!("no window of {size} (stride {stride}, dilation {dilation}) fits"));
            };
            let mut shape = tys[0].shape.clone();
            shape.splice(*axis..=*axis, [out, *size]);
            Ok(Type::f32(shape))
        }
        Op::Fold { axis, length, stride, dilation } => {
            if *axis >= tys[0].rank().saturating_sub(1) || !float(tys[0]) {
                return fail("axis out of range, or element type not supported");
            }
            let (o, k) = (tys[0].shape[*axis], tys[0].shape[axis + 1]);
            if saddlepoint_shape::windows(*length, k, *stride, *dilation) != Some(o) {
                return fail(&format!("{o} windows of {k} (stride {stride}, dilation {dilation}) do not fill {length}"));
            }
            let mut shape = tys[0].shape.clone();
            shape.splice(*axis..axis + 2, [*length]);
            Ok(Type::f32(shape))
        }
        Op::Gather { axis } => {
            if *axis >= tys[0].rank() || tys[1].dtype != DType::I32 {
                return fail("wants an axis of the first operand and i32 indices");
            }
            if tys[0].shape[*axis] == 0 {
                return fail("cannot gather from an empty axis");
            }
            let mut shape = tys[0].shape.clone();
            shape.splice(*axis..=*axis, tys[1].shape.iter().copied());
            Ok(Type::new(tys[0].dtype, shape))
        }
        Op::ScatterAdd { axis, length } => {
            let k = tys[0].rank();
            if tys[0].dtype != DType::I32 || !float(tys[1]) || axis.saturating_add(k) > tys[1].rank() || *length == 0 {
                return fail("wants i32 indices and f32 updates holding the indices' axes");
            }
            if tys[1].shape[*axis..axis + k] != tys[0].shape[..] {
                return fail(&format!("the updates' axes from {axis} on must be those of the indices"));
            }
            let mut shape = tys[1].shape.clone();
            shape.splice(*axis..axis + k, [*length]);
            Ok(Type::f32(shape))
        }
    }
}

/// Axes must be strictly ascending and below `rank`.
fn check_axes(axes: &[usize], rank: usize) -> std::result::Result<(), String> {
    if axes.windows(2).any(|w| w[0] >= w[1]) || axes.last().is_some_and(|a| *a >= rank) {
        return Err(format!("axes {axes:?} must be ascending and below {rank}"));
    }
    Ok(())
}

fn infer_dot(a: &Type, b: &Type, d: &DotDims) -> std::result::Result<Type, String> {
    if a.dtype != DType::F32 || b.dtype != DType::F32 {
        return Err("element type not supported".into());
    }
    let distinct = |batch: &[usize], contract: &[usize], rank: usize| {
        let mut all: Vec<usize> = batch.iter().chain(contract).copied().collect();
        all.sort_unstable();
        all.windows(2).all(|w| w[0] != w[1]) && all.last().is_none_or(|x| *x < rank)
    };
    if !distinct(&d.lhs_batch, &d.lhs_contract, a.rank()) || !distinct(&d.rhs_batch, &d.rhs_contract, b.rank()) {
        return Err("an axis is named twice or out of range".into());
    }
    let pairs = |l: &[usize], r: &[usize]| l.len() == r.len() && l.iter().zip(r).all(|(x, y)| a.shape[*x] == b.shape[*y]);
    if !pairs(&d.lhs_batch, &d.rhs_batch) || !pairs(&d.lhs_contract, &d.rhs_contract) {
        return Err(format!("paired axes differ: {d:?}"));
    }
    let mut shape: Vec<usize> = d.lhs_batch.iter().map(|i| a.shape[*i]).collect();
    shape.extend(DotDims::free(a.rank(), &d.lhs_batch, &d.lhs_contract).iter().map(|i| a.shape[*i]));
    shape.extend(DotDims::free(b.rank(), &d.rhs_batch, &d.rhs_contract).iter().map(|i| b.shape[*i]));
    Ok(Type::f32(shape))
}

fn infer_conv(x: &Type, w: &Type, d: &ConvDims) -> std::result::Result<Type, String> {
    let spatial = x.rank().wrapping_sub(2);
    if x.dtype != DType::F32 || w.dtype != DType::F32 || x.rank() < 3 || w.rank() != x.rank() {
        return Err("wants f32 [N, C, …] and [O, C/groups, …] with at least one spatial axis".into());
    }
    if [d.stride.len(), d.padding.len(), d.input_dilation.len(), d.kernel_dilation.len()].iter().any(|n| *n != spatial) {
        return Err("geometry must have one entry a spatial axis".into());
    }
    if d.groups == 0 || x.shape[1] != w.shape[1].saturating_mul(d.groups) || !w.shape[0].is_multiple_of(d.groups) {
        return Err(format!("{} groups do not divide the channels", d.groups));
    }
    let mut shape = vec![x.shape[0], w.shape[0]];
    for i in 0..spatial {
        let n = x.shape[i + 2];
        if d.input_dilation[i] == 0 || n == 0 {
            return Err("input dilation and extents start at 1".into());
        }
        let dilated = isize::try_from((n - 1).saturating_mul(d.input_dilation[i]).saturating_add(1)).unwrap_or(isize::MAX);
        let padded = dilated.saturating_add(d.padding[i].0).saturating_add(d.padding[i].1);
        let out = usize::try_from(padded)
            .ok()
            .and_then(|len| saddlepoint_shape::windows(len, w.shape[i + 2], d.stride[i], d.kernel_dilation[i]));
        shape.push(out.ok_or_else(|| format!("the kernel does not fit into spatial axis {i}"))?);
    }
    Ok(Type::f32(shape))
}
