//! Products: sums of them, products of products, scalings.

use super::{SearchRule, Side, View, apply};
use crate::ir::{DotDims, Op, OpKind};
use ::egg::Id;

use OpKind::*;

pub const RULES: &[SearchRule] = &[
    SearchRule {
        name: "sum-of-dot",
        equation: "sum(dot(a, b)) = dot(sum(a), sum(b)), each summed over its own free axes; batch axes become contracted",
        holds: "up to the order of summation",
        roots: &[ReduceSum],
        apply: sum_of_dot,
    },
    SearchRule {
        name: "dot-of-dot-left",
        equation: "dot(dot(a, b), c) = dot(a, dot(b, c)), where c meets only axes of b",
        holds: "up to the order of summation; only where it needs fewer operations",
        roots: &[Dot],
        apply: dot_of_dot_left,
    },
    SearchRule {
        name: "dot-of-dot-right",
        equation: "dot(a, dot(b, c)) = dot(dot(a, b), c), where a meets only axes of b",
        holds: "up to the order of summation; only where it needs fewer operations",
        roots: &[Dot],
        apply: dot_of_dot_right,
    },
    SearchRule {
        name: "sum-of-products-of-one",
        equation: "dot(a, w) + dot(b, w) = dot(a + b, w);  dot(w, a) + dot(w, b) = dot(w, a + b);  the same for conv",
        holds: "up to the order of summation",
        roots: &[Add],
        apply: sum_of_products_of_one,
    },
    SearchRule {
        name: "sum-of-products",
        equation: "dot(a, b) + dot(c, d) = dot(concat(a, c), concat(b, d)), joined along the contracted axis",
        holds: "up to the order of summation",
        roots: &[Add],
        apply: sum_of_products,
    },
    SearchRule {
        name: "scale-out-of-product",
        equation: "dot(a s, b) = dot(a, b) s;  dot(-a, b) = -dot(a, b);  the same on the right and for conv, for scalars s",
        holds: "up to rounding, where dot(a, b) stays in range; only where the result is no larger than the operand",
        roots: &[Dot, Conv],
        apply: scale_out,
    },
    SearchRule {
        name: "scale-into-product",
        equation: "dot(a, b) s = dot(a s, b);  the same on the right and for conv, for scalars s",
        holds: "up to rounding, where a s stays in range; only where the operand is smaller than the result",
        roots: &[Mul],
        apply: scale_in,
    },
];

fn sum_of_dot(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let Op::ReduceSum(axes) = op else { return Vec::new() };
    let right_side = |(dot, ab): (&Op, &[Id])| {
        let Op::Dot(d) = dot else { return None };
        let ranks = [v.ty(ab[0]).rank(), v.ty(ab[1]).rank()];
        let free =
            [DotDims::free(ranks[0], &d.lhs_batch, &d.lhs_contract), DotDims::free(ranks[1], &d.rhs_batch, &d.rhs_contract)];
        let (n, m) = (d.lhs_batch.len(), free[0].len());
        let mut summed: [Vec<usize>; 2] = Default::default();
        let mut dims = d.clone();
        for axis in axes.iter().rev() {
            if *axis < n {
                dims.lhs_contract.push(dims.lhs_batch.remove(*axis));
                dims.rhs_contract.push(dims.rhs_batch.remove(*axis));
            } else if *axis < n + m {
                summed[0].push(free[0][axis - n]);
            } else {
                summed[1].push(free[1][axis - n - m]);
            }
        }
        let mut operands = Vec::new();
        for (i, mut summed) in summed.into_iter().enumerate() {
            summed.sort_unstable();
            let (batch, contract) = match i {
                0 => (&mut dims.lhs_batch, &mut dims.lhs_contract),
                _ => (&mut dims.rhs_batch, &mut dims.rhs_contract),
            };
            for axis in batch.iter_mut().chain(contract.iter_mut()) {
                *axis -= summed.iter().filter(|s| **s < *axis).count();
            }
            operands.push(match summed.is_empty() {
                true => Side::Class(ab[i]),
                false => apply(Op::ReduceSum(summed), [ab[i].into()]),
            });
        }
        Some(Side::Apply(Op::Dot(dims), operands))
    };
    v.of_kind(args[0], Dot).filter_map(right_side).collect()
}

/// Multiply-adds of a product over these operands.
fn work(v: &View, a: Id, b: Id, d: &DotDims) -> usize {
    let other: usize =
        DotDims::free(v.ty(b).rank(), &d.rhs_batch, &d.rhs_contract).iter().map(|i| v.ty(b).shape[*i]).product();
    v.elements(a) * other
}

fn without_batch(d: &DotDims) -> bool {
    d.lhs_batch.is_empty()
}

fn dot_of_dot_left(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let Op::Dot(outer) = op else { return Vec::new() };
    let (ab, c) = (args[0], args[1]);
    let right_side = |(dot, operands): (&Op, &[Id])| {
        let Op::Dot(inner) = dot else { return None };
        let (a, b) = (operands[0], operands[1]);
        let a_free = v.ty(a).rank() - inner.lhs_contract.len();
        if !without_batch(outer) || !without_batch(inner) || outer.lhs_contract.iter().any(|i| *i < a_free) {
            return None;
        }
        let b_free = DotDims::free(v.ty(b).rank(), &[], &inner.rhs_contract);
        let b_met: Vec<usize> = outer.lhs_contract.iter().map(|i| b_free[i - a_free]).collect();
        let bc = DotDims { lhs_contract: b_met.clone(), rhs_contract: outer.rhs_contract.clone(), ..DotDims::default() };
        let place = |i: &usize| i - b_met.iter().filter(|m| *m < i).count();
        let abc = DotDims {
            lhs_contract: inner.lhs_contract.clone(),
            rhs_contract: inner.rhs_contract.iter().map(place).collect(),
            ..DotDims::default()
        };
        let met: usize = b_met.iter().map(|i| v.ty(b).shape[*i]).product();
        let c_free = v.elements(c) / met.max(1);
        let b_rest = v.elements(b) / met.max(1);
        let shared: usize = inner.lhs_contract.iter().map(|i| v.ty(a).shape[*i]).product();
        let before = work(v, a, b, inner) + v.elements(ab) * c_free;
        let after = v.elements(b) * c_free + (v.elements(a) / shared.max(1)) * b_rest * c_free;
        (after < before).then(|| apply(Op::Dot(abc), [a.into(), apply(Op::Dot(bc), [b.into(), c.into()])]))
    };
    v.of_kind(ab, Dot).filter_map(right_side).collect()
}

fn dot_of_dot_right(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let Op::Dot(outer) = op else { return Vec::new() };
    let (a, bc) = (args[0], args[1]);
    let right_side = |(dot, operands): (&Op, &[Id])| {
        let Op::Dot(inner) = dot else { return None };
        let (b, c) = (operands[0], operands[1]);
        let b_free = DotDims::free(v.ty(b).rank(), &[], &inner.lhs_contract);
        if !without_batch(outer) || !without_batch(inner) || outer.rhs_contract.iter().any(|i| *i >= b_free.len()) {
            return None;
        }
        let b_met: Vec<usize> = outer.rhs_contract.iter().map(|i| b_free[*i]).collect();
        let a_free = v.ty(a).rank() - outer.lhs_contract.len();
        let ab = DotDims { lhs_contract: outer.lhs_contract.clone(), rhs_contract: b_met.clone(), ..DotDims::default() };
        let place = |i: &usize| a_free + i - b_met.iter().filter(|m| *m < i).count();
        let abc = DotDims {
            lhs_contract: inner.lhs_contract.iter().map(place).collect(),
            rhs_contract: inner.rhs_contract.clone(),
            ..DotDims::default()
        };
        let met: usize = b_met.iter().map(|i| v.ty(b).shape[*i]).product();
        let a_rest = v.elements(a) / met.max(1);
        let shared: usize = inner.rhs_contract.iter().map(|i| v.ty(c).shape[*i]).product();
        let before = work(v, b, c, inner) + a_rest * v.elements(bc);
        let after = a_rest * v.elements(b) + a_rest * (v.elements(b) / met.max(1)) * (v.elements(c) / shared.max(1));
        (after < before).then(|| apply(Op::Dot(abc), [apply(Op::Dot(ab), [a.into(), b.into()]), c.into()]))
    };
    v.of_kind(bc, Dot).filter_map(right_side).collect()
}

/// Pairs of products of one op with equal attributes in the two operands of a sum.
fn pairs<'a>(v: &View<'a>, args: &[Id], kind: OpKind) -> Vec<(&'a Op, &'a [Id], &'a [Id])> {
    let mut out = Vec::new();
    for (op, ab) in v.of_kind(args[0], kind) {
        out.extend(v.of_kind(args[1], kind).filter(|(other, _)| *other == op).map(|(_, cd)| (op, ab, cd)));
    }
    out
}

fn sum_of_products_of_one(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    for kind in [Dot, Conv] {
        for (op, ab, cd) in pairs(v, args, kind) {
            for shared in [0, 1] {
                let (x, y) = (ab[1 - shared], cd[1 - shared]);
                if ab[shared] == cd[shared] && v.ty(x) == v.ty(y) {
                    let sum = apply(Op::Add, [x.into(), y.into()]);
                    let operands = if shared == 0 { [ab[0].into(), sum] } else { [sum, ab[1].into()] };
                    out.push(apply(op.clone(), operands));
                }
            }
        }
    }
    out
}

fn sum_of_products(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    for (op, ab, cd) in pairs(v, args, Dot) {
        let Op::Dot(d) = op else { continue };
        if !without_batch(d) || d.lhs_contract.len() != 1 || ab == cd {
            continue;
        }
        let joined = |i: usize, axis: usize| apply(Op::Concat { axis }, [ab[i].into(), cd[i].into()]);
        out.push(apply(op.clone(), [joined(0, d.lhs_contract[0]), joined(1, d.rhs_contract[0])]));
    }
    out
}

/// x and the scalar s where the class is x · s.
fn scaled(v: &View, id: Id) -> Vec<(Id, Id)> {
    let mut out = Vec::new();
    for (_, ab) in v.of_kind(id, Mul) {
        for (x, s) in [(ab[0], ab[1]), (ab[1], ab[0])] {
            out.extend(v.of_kind(s, Broadcast).filter(|(_, b)| v.ty(b[0]).rank() == 0).map(|(_, b)| (x, b[0])).take(1));
        }
    }
    out
}

fn repeated(s: Id, shape: &[usize]) -> Side {
    match shape {
        [] => s.into(),
        _ => apply(Op::Broadcast { shape: shape.to_vec(), dims: Vec::new() }, [s.into()]),
    }
}

fn scale_out(v: &View, op: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    let Ok(ty) = v.infer(op, args.iter().map(|a| v.ty(*a))) else { return out };
    for i in [0, 1] {
        if ty.elements() > v.elements(args[i]) {
            continue;
        }
        let product = |x: Id| {
            let mut operands = [args[0], args[1]];
            operands[i] = x;
            apply(op.clone(), operands.map(Side::from))
        };
        out.extend(v.of_kind(args[i], Neg).map(|(_, x)| apply(Op::Neg, [product(x[0])])));
        out.extend(scaled(v, args[i]).into_iter().map(|(x, s)| apply(Op::Mul, [product(x), repeated(s, &ty.shape)])));
    }
    out
}

fn scale_in(v: &View, _: &Op, args: &[Id]) -> Vec<Side> {
    let mut out = Vec::new();
    for (x, s) in [(args[0], args[1]), (args[1], args[0])] {
        let Some((_, s)) = v.of_kind(s, Broadcast).find(|(_, b)| v.ty(b[0]).rank() == 0) else { continue };
        for kind in [Dot, Conv] {
            for (op, ab) in v.of_kind(x, kind) {
                let i = if v.elements(ab[0]) <= v.elements(ab[1]) { 0 } else { 1 };
                if v.elements(ab[i]) < v.elements(x) {
                    let mut operands = [Side::from(ab[0]), Side::from(ab[1])];
                    operands[i] = apply(Op::Mul, [ab[i].into(), repeated(s[0], &v.ty(ab[i]).shape)]);
                    out.push(apply(op.clone(), operands));
                }
            }
        }
    }
    out
}
