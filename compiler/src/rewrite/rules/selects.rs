//! Masks and choices.

use crate::Result;
use crate::ir::{DType, Literal, NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "select-of-same",
        equation: "select(c, a, a) = a;  select(true, a, b) = a;  select(false, a, b) = b",
        holds: "everywhere, exactly",
        roots: &[Select],
        apply: of_same,
    },
    Rule {
        name: "select-of-select",
        equation: "select(c, select(c, a, b), d) = select(c, a, d);  select(c, a, select(c, b, d)) = select(c, a, d)",
        holds: "everywhere, exactly",
        roots: &[Select],
        apply: of_select,
    },
    Rule {
        name: "scaled-select",
        equation: "select(m, a, 0) c = select(m, a c, 0);  select(m, 0, b) c = select(m, 0, b c)",
        holds: "everywhere but for the sign of zero, for finite constants c; the choice has no other use",
        roots: &[Mul],
        apply: scaled,
    },
    Rule {
        name: "sum-of-selects",
        equation: "select(m, a, 0) + select(m, c, d) = select(m, a + c, d), and wherever a branch is 0",
        holds: "everywhere but for the sign of zero",
        roots: &[Add],
        apply: sum,
    },
    Rule {
        name: "relu-mask",
        equation: "0 < relu(x) = 0 < x;  0 < leaky_relu(x) = 0 < x",
        holds: "everywhere, exactly, NaN included; for slopes that are not negative",
        roots: &[Lt],
        apply: relu_mask,
    },
    Rule {
        name: "comparison-with-itself",
        equation: "x < x = false",
        holds: "everywhere, exactly",
        roots: &[Lt],
        apply: |r, _, args| {
            let shape = r.shape(args[0]);
            if args[0] == args[1] { r.full(Literal::Bool(false), &shape).map(Some) } else { Ok(None) }
        },
    },
];

fn of_same(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    Ok(match r.constant(args[0]) {
        _ if args[1] == args[2] => Some(args[1]),
        Some(Literal::Bool(true)) => Some(args[1]),
        Some(Literal::Bool(false)) => Some(args[2]),
        _ => None,
    })
}

/// The operands of a `Select` with this condition.
fn select_with(r: &Rewriter, id: NodeId, condition: NodeId) -> Option<(NodeId, NodeId)> {
    match r.view(id)? {
        (Op::Select, args) if args[0] == condition => Some((args[1], args[2])),
        _ => None,
    }
}

fn of_select(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let then = select_with(r, args[1], args[0]).map(|(a, _)| a);
    let otherwise = select_with(r, args[2], args[0]).map(|(_, d)| d);
    if then.is_none() && otherwise.is_none() {
        return Ok(None);
    }
    r.add(op.clone(), &[args[0], then.unwrap_or(args[1]), otherwise.unwrap_or(args[2])]).map(Some)
}

/// Condition and branches of a `Select` of floats.
fn select_of(r: &Rewriter, id: NodeId) -> Option<(NodeId, [NodeId; 2])> {
    match r.view(id)? {
        (Op::Select, args) if r.ty(id).dtype == DType::F32 => Some((args[0], [args[1], args[2]])),
        _ => None,
    }
}

fn is_zero(r: &Rewriter, id: NodeId) -> bool {
    r.number(id) == Some(0.0)
}

fn scaled(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((x, c)) = r.with_number(args) else { return Ok(None) };
    let Some((mask, branches)) = select_of(r, x) else { return Ok(None) };
    if !c.is_finite() || !r.used_once(x) || !branches.iter().any(|b| is_zero(r, *b)) {
        return Ok(None);
    }
    let mut choice = vec![mask];
    for branch in branches {
        choice.push(if is_zero(r, branch) { branch } else { r.scale(branch, c)? });
    }
    r.add(Op::Select, &choice).map(Some)
}

fn sum(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let (Some((mask, a)), Some((other, b))) = (select_of(r, args[0]), select_of(r, args[1])) else { return Ok(None) };
    let zeros = (0..2).all(|i| is_zero(r, a[i]) || is_zero(r, b[i]));
    if mask != other || !zeros {
        return Ok(None);
    }
    let pick = |i: usize| if is_zero(r, a[i]) { b[i] } else { a[i] };
    let choice = [mask, pick(0), pick(1)];
    r.add(Op::Select, &choice).map(Some)
}

/// Whether `id` is `0 < x`.
fn is_positive_mask(r: &Rewriter, id: NodeId, x: NodeId) -> bool {
    r.operands_of(id, Lt).is_some_and(|(zero, y)| y == x && r.number(zero) == Some(0.0))
}

fn relu_mask(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    if r.number(args[0]) != Some(0.0) {
        return Ok(None);
    }
    let Some((Op::Select, choice)) = r.view(args[1]) else { return Ok(None) };
    let &[mask, x, below] = choice else { return Ok(None) };
    // Where x is not positive the value must not be positive either.
    let scaled = r.operands_of(below, Mul).and_then(|(a, b)| r.with_number(&[a, b]));
    let never_positive = r.number(below).is_some_and(|c| c <= 0.0) || scaled.is_some_and(|(y, c)| y == x && c >= 0.0);
    if never_positive && is_positive_mask(r, mask, x) {
        return r.add(op.clone(), &[args[0], x]).map(Some);
    }
    Ok(None)
}
