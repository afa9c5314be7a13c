//! Repeated values: what is computed from them is computed before they are repeated.

use crate::Result;
use crate::ir::{NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "broadcast-of-broadcast",
        equation: "broadcast(broadcast(x)) = broadcast(x)",
        holds: "always",
        roots: &[Broadcast],
        apply: of_broadcast,
    },
    Rule {
        name: "broadcast-of-reshape",
        equation: "broadcast(reshape(x)) = broadcast(x), where the reshape only inserts axes of extent 1",
        holds: "always",
        roots: &[Broadcast],
        apply: of_reshape,
    },
    Rule {
        name: "broadcast-is-reshape",
        equation: "broadcast(x) = reshape(x), where it only inserts axes of extent 1",
        holds: "always; constants stay broadcasts",
        roots: &[Broadcast],
        apply: is_reshape,
    },
    Rule {
        name: "rearranged-broadcast",
        equation: "transpose(broadcast(x)) = broadcast(transpose(x));  the same for slice, reverse",
        holds: "always",
        roots: &[Transpose, Slice, Reverse],
        apply: rearranged,
    },
    Rule {
        name: "reshape-of-broadcast",
        equation: "reshape(broadcast(x)) = broadcast(reshape(x)), where x repeats along the first axes only, or the last",
        holds: "where the reshape does not mix these axes with x's",
        roots: &[Reshape],
        apply: reshaped,
    },
    Rule {
        name: "scaled-repeated-factor",
        equation: "(x broadcast(s)) c = x broadcast(s c)",
        holds: "where s c is in range, for constants c; the inner product has no other use",
        roots: &[Mul],
        apply: scaled_factor,
    },
    Rule {
        name: "elementwise-of-broadcasts",
        equation: "f(broadcast(x), broadcast(y), ...) = broadcast(f(x', y', ...)), where all are repeated along one axis",
        holds: "always; the right side computes fewer elements",
        roots: &[Cast, Floor, Sign, Neg, Exp, Log, Sqrt, Sin, Tanh, Softplus, Add, Mul, Div, Max, Lt, Eq, Select],
        apply: elementwise,
    },
];

/// The operand of a `Broadcast` and its dims.
pub(super) fn broadcast_of(r: &Rewriter, id: NodeId) -> Option<(NodeId, Vec<usize>)> {
    match r.view(id)? {
        (Op::Broadcast { dims, .. }, args) => Some((args[0], dims.clone())),
        _ => None,
    }
}

fn of_broadcast(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Broadcast { shape, dims }, Some((x, inner))) = (op, broadcast_of(r, args[0])) else { return Ok(None) };
    let dims = inner.iter().map(|d| dims[*d]).collect();
    r.add(Op::Broadcast { shape: shape.clone(), dims }, &[x]).map(Some)
}

fn of_reshape(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Broadcast { shape, dims }, Some(x)) = (op, r.operand_of(args[0], Reshape)) else { return Ok(None) };
    let reshaped = r.shape(args[0]);
    // Axes of the reshaped value that carry x's axes, in order; all others must have extent 1.
    let mut carried = Vec::new();
    let mut wanted = r.shape(x).into_iter().peekable();
    for (axis, n) in reshaped.iter().enumerate() {
        if wanted.peek() == Some(n) {
            wanted.next();
            carried.push(dims[axis]);
        } else if *n != 1 {
            return Ok(None);
        }
    }
    if wanted.next().is_some() {
        return Ok(None);
    }
    r.add(Op::Broadcast { shape: shape.clone(), dims: carried }, &[x]).map(Some)
}

fn is_reshape(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Broadcast { shape, .. } = op else { return Ok(None) };
    let n: usize = shape.iter().product();
    if n == 0 || n != r.ty(args[0]).elements() || r.constant(args[0]).is_some() {
        return Ok(None);
    }
    r.add(Op::Reshape(shape.clone()), args).map(Some)
}

fn rearranged(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((x, dims)) = broadcast_of(r, args[0]) else { return Ok(None) };
    let wide = r.shape(args[0]);
    match op {
        Op::Transpose(perm) => {
            let shape = perm.iter().map(|p| wide[*p]).collect();
            // Result axes that carry an axis of x, in ascending order, and which axis of x that is.
            let carried: Vec<(usize, usize)> =
                perm.iter().enumerate().filter_map(|(j, p)| Some((j, dims.iter().position(|d| d == p)?))).collect();
            let x = r.add(Op::Transpose(carried.iter().map(|c| c.1).collect()), &[x])?;
            r.add(Op::Broadcast { shape, dims: carried.iter().map(|c| c.0).collect() }, &[x]).map(Some)
        }
        Op::Slice { start, stop, step } => {
            let shape = (0..wide.len()).map(|i| (stop[i] - start[i]).div_ceil(step[i])).collect();
            let pick = |v: &[usize]| dims.iter().map(|d| v[*d]).collect::<Vec<_>>();
            let inner = Op::Slice { start: pick(start), stop: pick(stop), step: pick(step) };
            let x = r.add(inner, &[x])?;
            r.add(Op::Broadcast { shape, dims }, &[x]).map(Some)
        }
        Op::Reverse(axes) => {
            let inner = (0..dims.len()).filter(|i| axes.contains(&dims[*i])).collect();
            let x = r.add(Op::Reverse(inner), &[x])?;
            r.add(Op::Broadcast { shape: wide, dims }, &[x]).map(Some)
        }
        _ => Ok(None),
    }
}

fn reshaped(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Reshape(to), Some((x, dims))) = (op, broadcast_of(r, args[0])) else { return Ok(None) };
    let (wide, n) = (r.shape(args[0]), r.ty(x).elements());
    if dims.is_empty() || n == 0 || n == r.ty(args[0]).elements() {
        return Ok(None);
    }
    let first = wide.len() - dims.len();
    // The axes of the result that are x's: the last ones or the first ones, as many as hold x's elements.
    let axes = if dims.iter().enumerate().all(|(i, d)| *d == first + i) {
        (0..=to.len()).rev().find(|j| to[*j..].iter().product::<usize>() == n).map(|j| j..to.len())
    } else if dims.iter().enumerate().all(|(i, d)| *d == i) {
        (0..=to.len()).find(|j| to[..*j].iter().product::<usize>() == n).map(|j| 0..j)
    } else {
        None
    };
    let Some(axes) = axes else { return Ok(None) };
    let x = r.add(Op::Reshape(to[axes.clone()].to_vec()), &[x])?;
    r.add(Op::Broadcast { shape: to.clone(), dims: axes.collect() }, &[x]).map(Some)
}

fn scaled_factor(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((inner, c)) = r.with_number(args) else { return Ok(None) };
    let Some((a, b)) = r.operands_of(inner, Mul).filter(|_| r.used_once(inner)) else { return Ok(None) };
    for (x, s) in [(a, b), (b, a)] {
        let Some((small, _)) = broadcast_of(r, s) else { continue };
        if r.ty(small).elements() < r.ty(s).elements() && r.number(s).is_none() {
            let s = r.scale(s, c)?;
            return r.add(Op::Mul, &[x, s]).map(Some);
        }
    }
    Ok(None)
}

fn elementwise(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some(parts) = args.iter().map(|a| broadcast_of(r, *a)).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let shape = r.shape(args[0]);
    let axes: Vec<usize> = (0..shape.len()).filter(|a| parts.iter().any(|(_, dims)| dims.contains(a))).collect();
    let small: Vec<usize> = axes.iter().map(|a| shape[*a]).collect();
    if small.iter().product::<usize>() >= shape.iter().product() {
        return Ok(None);
    }
    let mut inner = Vec::with_capacity(parts.len());
    for (x, dims) in parts {
        let dims = (0..axes.len()).filter(|i| dims.contains(&axes[*i])).collect();
        inner.push(r.add(Op::Broadcast { shape: small.clone(), dims }, &[x])?);
    }
    let value = r.add(op.clone(), &inner)?;
    r.add(Op::Broadcast { shape, dims: axes }, &[value]).map(Some)
}
