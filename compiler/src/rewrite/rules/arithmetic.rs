//! Elementwise algebra that is safe in floating point.

use crate::Result;
use crate::ir::{NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "double-negation",
        equation: "-(-x) = x;  (-a)(-b) = ab;  (-a)/(-b) = a/b",
        holds: "everywhere, exactly",
        roots: &[Neg, Mul, Div],
        apply: double_negation,
    },
    Rule {
        name: "negation-into-constant",
        equation: "-(x c) = x (-c);  (-x) c = x (-c);  -(x / c) = x / (-c);  (-x) / c = x / (-c);  c / (-x) = (-c) / x",
        holds: "everywhere, exactly; the inner product has no other use",
        roots: &[Neg, Mul, Div],
        apply: negation_into_constant,
    },
    Rule {
        name: "chained-constants",
        equation: "(x c) d = x (c d);  (x + c) + d = x + (c + d)",
        holds: "for products where c d is a normal number: the right side overflows only where the left does; for sums where \
                c and d have one sign, so that nothing cancels",
        roots: &[Mul, Add],
        apply: chained_constants,
    },
    Rule {
        name: "divide-by-constant",
        equation: "x / c = x (1/c)",
        holds: "where c and 1/c are normal numbers, to one unit in the last place",
        roots: &[Div],
        apply: divide_by_constant,
    },
    Rule { name: "sum-of-same", equation: "x + x = 2 x", holds: "everywhere, exactly", roots: &[Add], apply: sum_of_same },
    Rule {
        name: "maximum-of-same",
        equation: "max(x, x) = x",
        holds: "everywhere, exactly",
        roots: &[Max],
        apply: |_, _, args| Ok((args[0] == args[1]).then_some(args[0])),
    },
    Rule {
        name: "softplus-difference",
        equation: "softplus(x) - softplus(-x) = x",
        holds: "everywhere, infinities included",
        roots: &[Add],
        apply: softplus_difference,
    },
];

fn double_negation(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    if let Op::Neg = op {
        return Ok(r.operand_of(args[0], Neg));
    }
    match (r.operand_of(args[0], Neg), r.operand_of(args[1], Neg)) {
        (Some(a), Some(b)) => r.add(op.clone(), &[a, b]).map(Some),
        _ => Ok(None),
    }
}

fn negation_into_constant(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    match op {
        Op::Neg => {
            if !r.used_once(args[0]) {
                return Ok(None);
            }
            if let Some((a, b)) = r.operands_of(args[0], Mul)
                && let Some((x, c)) = r.with_number(&[a, b])
            {
                return r.scale(x, -c).map(Some);
            }
            if let Some((a, b)) = r.operands_of(args[0], Div) {
                return quotient(r, a, b);
            }
            Ok(None)
        }
        Op::Mul => {
            let Some((x, c)) = r.with_number(args) else { return Ok(None) };
            match r.operand_of(x, Neg) {
                Some(x) => r.scale(x, -c).map(Some),
                None => Ok(None),
            }
        }
        _ => match (r.operand_of(args[0], Neg), r.operand_of(args[1], Neg)) {
            (Some(a), None) if r.number(args[1]).is_some() => quotient(r, a, args[1]),
            (None, Some(b)) if r.number(args[0]).is_some() => quotient(r, args[0], b),
            _ => Ok(None),
        },
    }
}

/// −(a / b) where a or b is constant.
fn quotient(r: &mut Rewriter, a: NodeId, b: NodeId) -> Result<Option<NodeId>> {
    if let Some(c) = r.number(b) {
        let c = r.full_like(-c, b)?;
        return r.add(Op::Div, &[a, c]).map(Some);
    }
    if let Some(c) = r.number(a) {
        let c = r.full_like(-c, a)?;
        return r.add(Op::Div, &[c, b]).map(Some);
    }
    Ok(None)
}

fn chained_constants(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some((inner, d)) = r.with_number(args) else { return Ok(None) };
    let Some((a, b)) = r.operands_of(inner, op.kind()) else { return Ok(None) };
    let Some((x, c)) = r.with_number(&[a, b]) else { return Ok(None) };
    if let Op::Mul = op {
        let both = (c as f64 * d as f64) as f32;
        return if both.is_normal() { r.scale(x, both).map(Some) } else { Ok(None) };
    }
    let both = (c as f64 + d as f64) as f32;
    if both.is_finite() && c * d >= 0.0 { r.shift(x, both).map(Some) } else { Ok(None) }
}

fn divide_by_constant(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    match r.number(args[1]) {
        Some(c) if c.is_normal() && (1.0 / c).is_normal() => r.scale(args[0], (1.0 / c as f64) as f32).map(Some),
        _ => Ok(None),
    }
}

fn sum_of_same(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    if args[0] == args[1] && r.ty(args[0]).dtype == crate::ir::DType::F32 {
        return r.scale(args[0], 2.0).map(Some);
    }
    Ok(None)
}

fn softplus_difference(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    for (plus, minus) in [(args[0], args[1]), (args[1], args[0])] {
        let Some(x) = r.operand_of(plus, Softplus) else { continue };
        let Some(y) = r.operand_of(minus, Neg).and_then(|m| r.operand_of(m, Softplus)) else { continue };
        if r.operand_of(y, Neg) == Some(x) || r.operand_of(x, Neg) == Some(y) {
            return Ok(Some(x));
        }
    }
    Ok(None)
}
