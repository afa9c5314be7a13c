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
