//! Sums and maxima of repeated, scaled and rearranged values.

use super::broadcasts::broadcast_of;
use crate::Result;
use crate::ir::{NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

const REDUCTIONS: &[OpKind] = &[ReduceSum, ReduceMax];

pub const RULES: &[Rule] = &[
    Rule {
        name: "reduce-unit-axes",
        equation: "sum_a(x) = reshape(x), where a has extent 1; the same for max",
        holds: "always",
        roots: REDUCTIONS,
        apply: unit_axes,
    },
    Rule {
        name: "reduce-of-broadcast",
        equation: "sum(broadcast(x)) = n broadcast(sum(x));  max(broadcast(x)) = broadcast(max(x))",
        holds: "everywhere where n, the number of repetitions summed over, is not 0; the right side rounds less",
        roots: REDUCTIONS,
        apply: of_broadcast,
    },
    Rule {
        name: "reduce-of-reduce",
        equation: "sum(sum(x)) = sum(x);  max(max(x)) = max(x)",
        holds: "up to the order of summation, and NaN aside for max; the inner one has no other use",
        roots: REDUCTIONS,
        apply: of_reduction,
    },
    Rule {
        name: "reduce-of-transpose",
        equation: "sum(transpose(x)) = transpose(sum(x)); the same for max; full sums of reshapes",
        holds: "up to the order of summation, and NaN aside for max",
        roots: REDUCTIONS,
        apply: of_rearranged,
    },
    Rule {
        name: "sum-of-scaled",
        equation: "sum(x broadcast(s)) = sum(x) s;  sum(x / broadcast(s)) = sum(x) / s;  sum(-x) = -sum(x), \
                   where s does not vary along the summed axes",
        holds: "where sum(x) does not overflow; the scaled value has no other use",
        roots: &[ReduceSum],
        apply: of_scaled,
    },
];

fn axes_of(op: &Op) -> &[usize] {
    match op {
        Op::ReduceSum(axes) | Op::ReduceMax(axes) => axes,
        _ => &[],
    }
}

fn with_axes(op: &Op, axes: Vec<usize>) -> Op {
    match op {
        Op::ReduceMax(_) => Op::ReduceMax(axes),
        _ => Op::ReduceSum(axes),
    }
}

fn unit_axes(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (axes, shape) = (axes_of(op), r.shape(args[0]));
    let dropped: Vec<usize> = axes.iter().copied().filter(|a| shape[*a] == 1).collect();
    // A full reduction drops them anyway, and is better off without a reshape.
    if dropped.is_empty() || (axes.len() == shape.len() && dropped.len() < axes.len()) {
        return Ok(None);
    }
    let kept: Vec<usize> = (0..shape.len()).filter(|a| !dropped.contains(a)).collect();
    let x = r.add(Op::Reshape(kept.iter().map(|a| shape[*a]).collect()), args)?;
    let rest = (0..kept.len()).filter(|i| axes.contains(&kept[*i])).collect();
    r.add(with_axes(op, rest), &[x]).map(Some)
}

fn of_broadcast(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((x, dims)) = broadcast_of(r, args[0]) else { return Ok(None) };
    let (axes, wide) = (axes_of(op), r.shape(args[0]));
    let repeated: usize = axes.iter().filter(|a| !dims.contains(a)).map(|a| wide[*a]).product();
    if repeated == 0 {
        return Ok(None);
    }
    let inner = (0..dims.len()).filter(|i| axes.contains(&dims[*i])).collect();
    let mut x = r.add(with_axes(op, inner), &[x])?;
    if let Op::ReduceSum(_) = op {
        x = r.scale(x, repeated as f32)?;
    }
    let kept: Vec<usize> = (0..wide.len()).filter(|a| !axes.contains(a)).collect();
    let shape = kept.iter().map(|a| wide[*a]).collect();
    let dims = (0..kept.len()).filter(|i| dims.contains(&kept[*i])).collect();
    r.add(Op::Broadcast { shape, dims }, &[x]).map(Some)
}

fn of_reduction(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((inner, inner_args)) = r.view(args[0]) else { return Ok(None) };
    if inner.kind() != op.kind() || !r.used_once(args[0]) {
        return Ok(None);
    }
    let x = inner_args[0];
    let first = axes_of(inner).to_vec();
    let left: Vec<usize> = (0..r.ty(x).rank()).filter(|a| !first.contains(a)).collect();
    let mut axes = first;
    axes.extend(axes_of(op).iter().map(|a| left[*a]));
    axes.sort_unstable();
    r.add(with_axes(op, axes), &[x]).map(Some)
}

fn of_rearranged(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let axes = axes_of(op);
    match r.view(args[0]) {
        Some((Op::Transpose(perm), inner)) => {
            let (perm, x) = (perm.clone(), inner[0]);
            let mut summed: Vec<usize> = axes.iter().map(|a| perm[*a]).collect();
            summed.sort_unstable();
            // Axes of x that are left, in x's order; the transpose then orders these alone.
            let left: Vec<usize> = (0..perm.len()).filter(|a| !summed.contains(a)).collect();
            let order: Vec<usize> = perm.iter().filter_map(|p| left.iter().position(|l| l == p)).collect();
            let x = r.add(with_axes(op, summed), &[x])?;
            r.add(Op::Transpose(order), &[x]).map(Some)
        }
        Some((Op::Reshape(shape), inner)) if axes.len() == shape.len() && !axes.is_empty() => {
            let x = inner[0];
            let all = (0..r.ty(x).rank()).collect();
            r.add(with_axes(op, all), &[x]).map(Some)
        }
        _ => Ok(None),
    }
}

fn of_scaled(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    if !r.used_once(args[0]) {
        return Ok(None);
    }
    let axes = axes_of(op);
    let wide = r.shape(args[0]);
    let Some((outer, inner)) = r.view(args[0]).map(|(o, a)| (o.clone(), a.to_vec())) else { return Ok(None) };
    if let Op::Neg = outer {
        let sum = r.add(op.clone(), &inner)?;
        return r.add(Op::Neg, &[sum]).map(Some);
    }
    let sides: &[(usize, usize)] = match outer {
        Op::Mul => &[(0, 1), (1, 0)],
        Op::Div => &[(0, 1)],
        _ => return Ok(None),
    };
    for (x, s) in sides {
        let Some((s, dims)) = broadcast_of(r, inner[*s]) else { continue };
        if dims.iter().any(|d| axes.contains(d)) || axes.iter().map(|a| wide[*a]).product::<usize>() <= 1 {
            continue;
        }
        let kept: Vec<usize> = (0..wide.len()).filter(|a| !axes.contains(a)).collect();
        let shape = kept.iter().map(|a| wide[*a]).collect();
        let dims = (0..kept.len()).filter(|i| dims.contains(&kept[*i])).collect();
        let sum = r.add(op.clone(), &[inner[*x]])?;
        let s = r.add(Op::Broadcast { shape, dims }, &[s])?;
        return r.add(outer, &[sum, s]).map(Some);
    }
    Ok(None)
}
