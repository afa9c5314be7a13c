//! Elementwise work moved past shape ops to where there is less of it.

use super::{SearchRule, Side, View, apply};
use crate::ir::{Op, OpKind};
use ::egg::Id;

use OpKind::*;

const ELEMENTWISE: &[OpKind] =
    &[Cast, Floor, Sign, Neg, Exp, Log, Sqrt, Sin, Tanh, Softplus, Add, Mul, Div, Max, Lt, Eq, Select];

pub const RULES: &[SearchRule] = &[
    SearchRule {
        name: "elementwise-of-moved",
        equation: "f(move(x), move(y)) = move(f(x, y)), where move is one reshape, transpose or reverse",
        holds: "always",
        roots: ELEMENTWISE,
        apply: of_moved,
    },
    SearchRule {
        name: "slice-of-elementwise",
        equation: "slice(f(x, y)) = f(slice(x), slice(y))",
        holds: "always",
        roots: &[Slice],
        apply: slice_of_elementwise,
    },
    SearchRule {
        name: "sum-of-concat",
        equation: "sum(concat(x, y)) = sum(x) + sum(y), where the joined axis is summed",
        holds: "up to the order of summation",
        roots: &[ReduceSum],
        apply: sum_of_concat,
    },
];

fn of_moved(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    for kind in [Reshape, Transpose, Reverse] {
        for (mover, x) in v.of_kind(args[0], kind) {
            let source = &v.ty(x[0]).shape;
            let from = |a: &Id| {
                if let Some((_, y)) = v.of_kind(*a, kind).find(|(m, y)| *m == mover && v.ty(y[0]).shape == *source) {
                    return Some(Side::Class(y[0]));
                }
                // A repeated scalar looks the same from everywhere.
                let (_, s) = v.of_kind(*a, Broadcast).find(|(_, s)| v.ty(s[0]).rank() == 0)?;
                Some(apply(Op::Broadcast { shape: source.clone(), dims: Vec::new() }, [s[0].into()]))
            };
            if let Some(inner) = args.iter().map(from).collect::<Option<Vec<_>>>() {
                out.push(apply(mover.clone(), [Side::Apply(op.clone(), inner)]));
            }
        }
    }
    out
}

fn slice_of_elementwise(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    for kind in ELEMENTWISE {
        for (f, xs) in v.of_kind(args[0], *kind) {
            out.push(Side::Apply(f.clone(), xs.iter().map(|x| apply(op.clone(), [(*x).into()])).collect()));
        }
    }
    out
}

fn sum_of_concat(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let Op::ReduceSum(axes) = op else { return Vec::new() };
    let right_side = |(concat, parts): (&Op, &[Id])| match concat {
        Op::Concat { axis } if axes.contains(axis) => {
            parts.iter().map(|p| apply(op.clone(), [(*p).into()])).reduce(|a, b| apply(Op::Add, [a, b]))
        }
        _ => None,
    };
    v.of_kind(args[0], Concat).filter_map(right_side).collect()
}
