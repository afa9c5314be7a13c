//! Chains of reshapes, transposes and reversals.

use crate::Result;
use crate::ir::{NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "reshape-of-reshape",
        equation: "reshape(reshape(x)) = reshape(x)",
        holds: "always",
        roots: &[Reshape],
        apply: |r, op, args| match r.operand_of(args[0], Reshape) {
            Some(x) => r.add(op.clone(), &[x]).map(Some),
            None => Ok(None),
        },
    },
    Rule {
        name: "transpose-of-transpose",
        equation: "transpose_p(transpose_q(x)) = transpose_pq(x)",
        holds: "always",
        roots: &[Transpose],
        apply: transpose_of_transpose,
    },
    Rule {
        name: "transpose-of-unit-axes",
        equation: "transpose(x) = reshape(x), where only axes of extent 1 change their place",
        holds: "always",
        roots: &[Transpose],
        apply: transpose_of_unit_axes,
    },
    Rule {
        name: "reverse-of-reverse",
        equation: "reverse_a(reverse_b(x)) = reverse_(a xor b)(x)",
        holds: "always",
        roots: &[Reverse],
        apply: reverse_of_reverse,
    },
    Rule {
        name: "reverse-through-rearrangement",
        equation: "reverse(move(reverse(x))) = reverse(move(x)), where move is a transpose or only inserts or drops axes of \
                   extent 1;  transpose(reverse(transpose(x))) = reverse(transpose(x))",
        holds: "always",
        roots: &[Reverse, Transpose],
        apply: reverse_through,
    },
];

fn transpose_of_transpose(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Transpose(outer), Some((Op::Transpose(inner), inner_args))) = (op, r.view(args[0])) else { return Ok(None) };
    let (perm, x) = (outer.iter().map(|p| inner[*p]).collect(), inner_args[0]);
    r.add(Op::Transpose(perm), &[x]).map(Some)
}

fn transpose_of_unit_axes(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Transpose(perm) = op else { return Ok(None) };
    let shape = r.shape(args[0]);
    let long: Vec<usize> = perm.iter().copied().filter(|p| shape[*p] != 1).collect();
    if long.windows(2).any(|w| w[0] > w[1]) {
        return Ok(None);
    }
    let to = perm.iter().map(|p| shape[*p]).collect();
    r.add(Op::Reshape(to), args).map(Some)
}

fn reverse_of_reverse(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Op::Reverse(outer), Some((Op::Reverse(inner), inner_args))) = (op, r.view(args[0])) else { return Ok(None) };
    let x = inner_args[0];
    let axes = (0..r.ty(x).rank()).filter(|a| outer.contains(a) != inner.contains(a)).collect();
    r.add(Op::Reverse(axes), &[x]).map(Some)
}

/// Axis of the result of `op` that each axis of its operand becomes; `None` for an op that splits or joins long axes. Axes of
/// extent 1 that a reshape drops become no axis.
fn places(op: &Op, from: &[usize]) -> Option<Vec<Option<usize>>> {
    match op {
        Op::Transpose(perm) => Some((0..perm.len()).map(|a| perm.iter().position(|p| *p == a)).collect()),
        Op::Reshape(to) => {
            let long = |shape: &[usize]| (0..shape.len()).filter(|i| shape[*i] != 1).collect::<Vec<_>>();
            let (a, b) = (long(from), long(to));
            if a.len() != b.len() || a.iter().zip(&b).any(|(i, j)| from[*i] != to[*j]) {
                return None;
            }
            Some((0..from.len()).map(|i| a.iter().position(|l| *l == i).map(|k| b[k])).collect())
        }
        _ => None,
    }
}

fn reverse_through(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((middle, m)) = r.view(args[0]) else { return Ok(None) };
    let Some((inner, x)) = m.first().and_then(|m| r.view(*m)) else { return Ok(None) };
    let Some(x) = x.first().copied() else { return Ok(None) };
    let (middle, inner, below) = (middle.clone(), inner.clone(), m[0]);
    match (op, &middle, &inner) {
        (Op::Reverse(outer), Op::Transpose(_) | Op::Reshape(_), Op::Reverse(axes)) => {
            let Some(places) = places(&middle, r.graph.shape(x)) else { return Ok(None) };
            let moved: Vec<usize> = axes.iter().filter_map(|a| places[*a]).collect();
            let rank = r.ty(args[0]).rank();
            let x = r.add(middle, &[x])?;
            let axes = (0..rank).filter(|a| outer.contains(a) != moved.contains(a)).collect();
            r.add(Op::Reverse(axes), &[x]).map(Some)
        }
        (Op::Transpose(perm), Op::Reverse(axes), Op::Transpose(_)) => {
            let x = r.add(op.clone(), &[below])?;
            let axes = (0..perm.len()).filter(|i| axes.contains(&perm[*i])).collect();
            r.add(Op::Reverse(axes), &[x]).map(Some)
        }
        _ => Ok(None),
    }
}
