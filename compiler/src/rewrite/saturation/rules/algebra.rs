//! Elementwise algebra whose profit depends on what else uses the parts.

use super::{SearchRule, Side, View, apply};
use crate::ir::{DType, Literal, Op, OpKind};
use ::egg::Id;

use OpKind::*;

pub const RULES: &[SearchRule] = &[
    SearchRule {
        name: "common-factor",
        equation: "a b + a c = a (b + c);  a / c + b / c = (a + b) / c",
        holds: "where the products are in range",
        roots: &[Add],
        apply: common_factor,
    },
    SearchRule {
        name: "divide-by-repeated",
        equation: "x / broadcast(s) = x broadcast(1 / s)",
        holds: "to one unit in the last place, where 1 / s does not overflow: |s| above 3e-39, or 0",
        roots: &[Div],
        apply: divide_by_repeated,
    },
    SearchRule {
        name: "repeated-factors",
        equation: "(x broadcast(s)) broadcast(t) = x broadcast(s t)",
        holds: "where s t is in range; s and t repeat along the same axes",
        roots: &[Mul],
        apply: repeated_factors,
    },
    SearchRule {
        name: "difference",
        equation: "-a + -b = -(a + b)",
        holds: "everywhere, exactly",
        roots: &[Add],
        apply: |v, _, args| {
            let (a, b) = (v.of_kind(args[0], Neg).next(), v.of_kind(args[1], Neg).next());
            let sum = |a: Id, b: Id| apply(Op::Neg, [apply(Op::Add, [a.into(), b.into()])]);
            a.zip(b).map(|(a, b)| sum(a.1[0], b.1[0])).into_iter().collect()
        },
    },
];

fn common_factor(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    if v.ty(args[0]).dtype != DType::F32 {
        return out;
    }
    let swaps = |ab: &[Id]| [(ab[0], ab[1]), (ab[1], ab[0])];
    for (_, ab) in v.of_kind(args[0], Mul) {
        for (_, cd) in v.of_kind(args[1], Mul) {
            for (a, b) in swaps(ab) {
                for (c, d) in swaps(cd).into_iter().filter(|(c, _)| *c == a) {
                    out.push(apply(Op::Mul, [c.into(), apply(Op::Add, [b.into(), d.into()])]));
                }
            }
        }
    }
    for (_, ab) in v.of_kind(args[0], Div) {
        for (_, cd) in v.of_kind(args[1], Div).filter(|(_, cd)| cd[1] == ab[1]) {
            out.push(apply(Op::Div, [apply(Op::Add, [ab[0].into(), cd[0].into()]), ab[1].into()]));
        }
    }
    out
}

fn divide_by_repeated(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let wide = v.elements(args[0]);
    let right_side = |(broadcast, s): (&Op, &[Id])| {
        let shape = &v.ty(s[0]).shape;
        if v.elements(s[0]) >= wide {
            return None;
        }
        let one = Side::Apply(Op::Const(Literal::F32(1.0)), Vec::new());
        let ones = match shape[..] {
            [] => one,
            _ => apply(Op::Broadcast { shape: shape.clone(), dims: Vec::new() }, [one]),
        };
        let inverse = apply(Op::Div, [ones, s[0].into()]);
        Some(apply(Op::Mul, [args[0].into(), apply(broadcast.clone(), [inverse])]))
    };
    v.of_kind(args[1], Broadcast).filter_map(right_side).collect()
}

fn repeated_factors(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    let swaps = |ab: &[Id]| [(ab[0], ab[1]), (ab[1], ab[0])];
    for (inner, t) in swaps(args) {
        for (broadcast, t) in v.of_kind(t, Broadcast).filter(|(_, t)| v.elements(t[0]) < v.elements(inner)) {
            for (_, xs) in v.of_kind(inner, Mul) {
                for (x, s) in swaps(xs) {
                    for (_, s) in v.of_kind(s, Broadcast).filter(|(other, _)| *other == broadcast) {
                        let st = apply(Op::Mul, [s[0].into(), t[0].into()]);
                        out.push(apply(Op::Mul, [x.into(), apply(broadcast.clone(), [st])]));
                    }
                }
            }
        }
    }
    out
}
