//! Constant folding, and constants as operands.

use crate::Result;
use crate::ir::{DType, Literal, NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "fold-constants",
        equation: "op(c1, c2, ...) = c, where all operands are constants repeated over the shape",
        holds: "where the result is finite; computed in f64 and rounded once",
        roots: &[Cast, Floor, Sign, Neg, Exp, Log, Sqrt, Sin, Tanh, Softplus, Add, Mul, Div, Max, Lt, Eq, Select],
        apply: fold,
    },
    Rule {
        name: "constant-through-shape-op",
        equation: "op(c repeated) = c repeated",
        holds: "always",
        roots: &[Reshape, Transpose, Reverse, Slice, Pad, Concat, ReduceMax, Gather, Unfold],
        apply: through_shape_op,
    },
    Rule {
        name: "add-zero",
        equation: "x + 0 = x",
        holds: "everywhere, but for the sign of -0 + 0",
        roots: &[Add],
        apply: |r, _, args| Ok(beside(r, args, 0.0).or_else(|| beside(r, args, -0.0))),
    },
    Rule {
        name: "multiply-one",
        equation: "x * 1 = x;  x / 1 = x;  x * -1 = -x;  x / -1 = -x",
        holds: "everywhere, exactly",
        roots: &[Mul, Div],
        apply: unit,
    },
    Rule {
        name: "multiply-zero",
        equation: "x * 0 = 0;  0 / c = 0",
        holds: "only for x that cannot be inf or NaN by its form (tanh, masks, random numbers, finite constants, shape ops \
                of these), and constants c that are neither 0 nor NaN",
        roots: &[Mul, Div],
        apply: annihilated,
    },
];

/// The operand beside the float constant `c`.
fn beside(r: &Rewriter, args: &[NodeId], c: f32) -> Option<NodeId> {
    r.with_number(args).filter(|(_, v)| v.to_bits() == c.to_bits()).map(|(x, _)| x)
}

fn unit(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let x_and_c = match op {
        Op::Div => r.number(args[1]).map(|c| (args[0], c)),
        _ => r.with_number(args),
    };
    match x_and_c {
        Some((x, 1.0)) => Ok(Some(x)),
        Some((x, -1.0)) => r.add(Op::Neg, &[x]).map(Some),
        _ => Ok(None),
    }
}

fn annihilated(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let zero = match op {
        Op::Div => r.number(args[0]) == Some(0.0) && r.number(args[1]).is_some_and(|c| c != 0.0 && !c.is_nan()),
        _ => r.with_number(args).is_some_and(|(x, c)| c == 0.0 && r.is_finite(x)),
    };
    if zero { r.full_like(0.0, args[0]).map(Some) } else { Ok(None) }
}

fn fold(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some(values) = args.iter().map(|a| r.constant(*a)).collect::<Option<Vec<Literal>>>() else { return Ok(None) };
    let Some(value) = evaluate(op, &values) else { return Ok(None) };
    if matches!(value, Literal::F32(v) if !v.is_finite()) {
        return Ok(None);
    }
    let shape = r.shape(args[0]);
    r.full(value, &shape).map(Some)
}

/// The op on constants, in f64.
fn evaluate(op: &Op, values: &[Literal]) -> Option<Literal> {
    if let Op::Select = op {
        let Literal::Bool(c) = values[0] else { return None };
        return Some(if c { values[1] } else { values[2] });
    }
    match values {
        [Literal::F32(x)] => {
            let x = *x as f64;
            let y = match op {
                Op::Cast(DType::F32) => x,
                Op::Cast(DType::I32) => return (x.abs() < 2e9).then_some(Literal::I32(x as i32)),
                Op::Floor => x.floor(),
                Op::Sign => return Some(Literal::F32(if x == 0.0 { 0.0 } else { x.signum() as f32 })),
                Op::Neg => -x,
                Op::Exp => x.exp(),
                Op::Log => x.ln(),
                Op::Sqrt => x.sqrt(),
                Op::Sin => x.sin(),
                Op::Tanh => x.tanh(),
                Op::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
                _ => return None,
            };
            Some(Literal::F32(y as f32))
        }
        [Literal::I32(x)] => match op {
            Op::Cast(DType::F32) => Some(Literal::F32(*x as f32)),
            Op::Cast(DType::I32) => Some(Literal::I32(*x)),
            Op::Neg => x.checked_neg().map(Literal::I32),
            _ => None,
        },
        [Literal::Bool(x)] => match op {
            Op::Cast(DType::F32) => Some(Literal::F32(*x as u8 as f32)),
            Op::Cast(DType::I32) => Some(Literal::I32(*x as i32)),
            _ => None,
        },
        [Literal::F32(a), Literal::F32(b)] => {
            let (x, y) = (*a as f64, *b as f64);
            let z = match op {
                Op::Add => x + y,
                Op::Mul => x * y,
                Op::Div => x / y,
                Op::Max => {
                    if x > y {
                        x
                    } else {
                        y
                    }
                }
                Op::Lt => return Some(Literal::Bool(x < y)),
                Op::Eq => return Some(Literal::Bool(x == y)),
                _ => return None,
            };
            Some(Literal::F32(z as f32))
        }
        [Literal::I32(a), Literal::I32(b)] => match op {
            Op::Add => a.checked_add(*b).map(Literal::I32),
            Op::Mul => a.checked_mul(*b).map(Literal::I32),
            Op::Max => Some(Literal::I32(*a.max(b))),
            Op::Lt => Some(Literal::Bool(a < b)),
            Op::Eq => Some(Literal::Bool(a == b)),
            _ => None,
        },
        _ => None,
    }
}

fn through_shape_op(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Some(value) = r.constant(args[0]) else { return Ok(None) };
    match op {
        Op::Pad { .. } | Op::Concat { .. } if args.iter().any(|a| r.constant(*a) != Some(value)) => return Ok(None),
        // A scalar constant that is reshaped becomes a broadcast; a broadcast that is reshaped another broadcast.
        _ => {}
    }
    let ty = crate::ir::infer::infer(&r.graph, op, args)?;
    r.full(value, &ty.shape).map(Some)
}
