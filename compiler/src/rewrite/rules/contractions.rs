//! General products of transposed and repeated operands.

use super::broadcasts::broadcast_of;
use crate::Result;
use crate::ir::{DotDims, NodeId, Op, OpKind};
use crate::rewrite::cost::Rates;
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "dot-of-transpose",
        equation: "dot(transpose(a), b) = dot(a, b); the same on the right",
        holds: "where the order of the free axes stays; the axes of the product name the transposed ones directly",
        roots: &[Dot],
        apply: of_transpose,
    },
    Rule {
        name: "dot-of-broadcast",
        equation: "dot(broadcast(a), b) = broadcast(dot(a, sum(b))), summed over axes along which a repeats",
        holds: "up to the order of summation; only where the sum costs less than it saves",
        roots: &[Dot],
        apply: of_broadcast,
    },
    Rule {
        name: "transpose-of-dot",
        equation: "transpose(dot(a, b)) = dot(b, a)",
        holds: "where the transpose swaps the operands' free axes as two blocks; the product has no other use",
        roots: &[Transpose],
        apply: transpose_of_dot,
    },
    Rule {
        name: "dot-of-scalar",
        equation: "dot(a, b) = broadcast(a) b for a scalar a",
        holds: "always",
        roots: &[Dot],
        apply: of_scalar,
    },
];

/// Batch and contracted axes of one side.
fn side(dims: &DotDims, right: bool) -> (&[usize], &[usize]) {
    if right { (&dims.rhs_batch, &dims.rhs_contract) } else { (&dims.lhs_batch, &dims.lhs_contract) }
}

/// The same product with other axes on one side.
fn with_side(dims: &DotDims, right: bool, batch: Vec<usize>, contract: Vec<usize>) -> DotDims {
    let mut dims = dims.clone();
    if right {
        (dims.rhs_batch, dims.rhs_contract) = (batch, contract);
    } else {
        (dims.lhs_batch, dims.lhs_contract) = (batch, contract);
    }
    dims
}

fn of_transpose(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Dot(dims) = op else { return Ok(None) };
    for right in [false, true] {
        let Some((Op::Transpose(perm), inner)) = r.view(args[right as usize]) else { continue };
        let (batch, contract) = side(dims, right);
        let free: Vec<usize> = DotDims::free(perm.len(), batch, contract).iter().map(|a| perm[*a]).collect();
        if free.windows(2).any(|w| w[0] > w[1]) {
            continue;
        }
        let map = |axes: &[usize]| axes.iter().map(|a| perm[*a]).collect::<Vec<_>>();
        let dims = with_side(dims, right, map(batch), map(contract));
        let mut operands = [args[0], args[1]];
        operands[right as usize] = inner[0];
        return r.add(Op::Dot(dims), &operands).map(Some);
    }
    Ok(None)
}

fn of_broadcast(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Dot(dims) = op else { return Ok(None) };
    for right in [false, true] {
        let (this, other) = (args[right as usize], args[!right as usize]);
        let Some((x, carried)) = broadcast_of(r, this) else { continue };
        let (wide, other_shape) = (r.shape(this), r.shape(other));
        let ((batch, contract), (other_batch, other_contract)) = (side(dims, right), side(dims, !right));
        // Batch axes stay: they index both operands.
        let kept: Vec<usize> = (0..wide.len()).filter(|a| carried.contains(a) || batch.contains(a)).collect();
        if kept.len() == wide.len() {
            continue;
        }
        let place = |axes: &[usize]| axes.iter().filter_map(|a| kept.iter().position(|k| k == a)).collect::<Vec<_>>();
        let narrow = Op::Broadcast { shape: kept.iter().map(|a| wide[*a]).collect(), dims: place(&carried) };
        let x = r.add(narrow, &[x])?;
        // Along a repeated contracted axis the other operand is only summed.
        let mut summed: Vec<usize> =
            (0..contract.len()).filter(|i| !kept.contains(&contract[*i])).map(|i| other_contract[i]).collect();
        summed.sort_unstable();
        let left: Vec<usize> = (0..other_shape.len()).filter(|a| !summed.contains(a)).collect();
        let other_place = |axes: &[usize]| axes.iter().filter_map(|a| left.iter().position(|l| l == a)).collect::<Vec<_>>();
        let other = r.add(Op::ReduceSum(summed.clone()), &[other])?;
        let inner = with_side(dims, right, place(batch), place(contract));
        let inner = with_side(&inner, !right, other_place(other_batch), other_place(other_contract));
        let operands = if right { [other, x] } else { [x, other] };
        let product = r.add(Op::Dot(inner), &operands)?;
        // Repeated free axes come back as a broadcast of the result.
        let ty = crate::ir::infer::infer(&r.graph, op, args)?;
        // The sum may cost more than a tiny product saves.
        if !summed.is_empty() {
            let whole = r.insert(op.clone(), args)?;
            let cost = |id| Rates::CPU.node(&r.graph, id).time;
            if cost(product) + cost(other) >= cost(whole) {
                continue;
            }
        }
        let frees = [
            DotDims::free(r.ty(args[0]).rank(), &dims.lhs_batch, &dims.lhs_contract),
            DotDims::free(r.ty(args[1]).rank(), &dims.rhs_batch, &dims.rhs_contract),
        ];
        let (n, m) = (dims.lhs_batch.len(), frees[0].len());
        let this_axes = if right { n + m..ty.rank() } else { n..n + m };
        let back: Vec<usize> = (0..ty.rank())
            .filter(|i| !this_axes.contains(i) || kept.contains(&frees[right as usize][i - this_axes.start]))
            .collect();
        return r.add(Op::Broadcast { shape: ty.shape, dims: back }, &[product]).map(Some);
    }
    Ok(None)
}

fn transpose_of_dot(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Transpose(perm), Some((Op::Dot(dims), operands))) = (op, r.view(args[0])) else { return Ok(None) };
    if !r.used_once(args[0]) {
        return Ok(None);
    }
    let (a, b) = (operands[0], operands[1]);
    let n = dims.lhs_batch.len();
    let m = r.ty(a).rank() - n - dims.lhs_contract.len();
    let swapped: Vec<usize> = (0..n).chain(n + m..perm.len()).chain(n..n + m).collect();
    if *perm != swapped {
        return Ok(None);
    }
    let dims = DotDims {
        lhs_batch: dims.rhs_batch.clone(),
        rhs_batch: dims.lhs_batch.clone(),
        lhs_contract: dims.rhs_contract.clone(),
        rhs_contract: dims.lhs_contract.clone(),
    };
    r.add(Op::Dot(dims), &[b, a]).map(Some)
}

fn of_scalar(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    for (scalar, x) in [(args[0], args[1]), (args[1], args[0])] {
        if r.ty(scalar).rank() == 0 {
            let shape = r.shape(x);
            let wide = r.add(Op::Broadcast { shape, dims: Vec::new() }, &[scalar])?;
            return r.add(Op::Mul, &[x, wide]).map(Some);
        }
    }
    Ok(None)
}
