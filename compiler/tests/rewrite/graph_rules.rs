//! Every graph rule by itself: it fires on its left side, and both sides agree on random shapes, random values and extremes.

use crate::harness::{EXTREMES, Promise, Random, agree, graph};
use saddlepoint_compiler::ir::{Builder, DType, DotDims, Expr, Graph, NodeId, Op, OpKind, Type};
use saddlepoint_compiler::rewrite::rewriter::{Fired, Rewriter, Rule, to_fixpoint};
use saddlepoint_compiler::rewrite::{rules, stabilise};

/// A left side of a rule over inputs of random shape.
struct Case {
    rule: &'static str,
    promise: Promise,
    /// What is added to the finite extremes.
    extremes: &'static [f64],
    build: fn(&Sides),
}

/// What a left side is built from: extents and inputs.
struct Sides {
    b: Builder,
    n: usize,
    m: usize,
    k: usize,
}

impl Sides {
    fn input(&self, name: &str, shape: &[usize]) -> Expr {
        self.b.input(name, Type::f32(shape))
    }
    /// An [n, m] input.
    fn x(&self) -> Expr {
        self.input("x", &[self.n, self.m])
    }
    fn y(&self) -> Expr {
        self.input("y", &[self.n, self.m])
    }
    fn out(&self, y: &Expr) {
        self.b.output(format!("out{}", self.b.with_graph(|g| g.outputs.len())), y);
    }
}

const fn exact(rule: &'static str, build: fn(&Sides)) -> Case {
    Case { rule, promise: Promise::Everywhere, extremes: &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN], build }
}

/// A maximum with NaN depends on the order of the operands.
const fn without_nan(rule: &'static str, build: fn(&Sides)) -> Case {
    Case { rule, promise: Promise::Everywhere, extremes: &[f64::INFINITY, f64::NEG_INFINITY], build }
}

/// Where infinities meet in sums, their order and the sign of NaN do not matter, but products of 0 and ∞ do.
const fn finite(rule: &'static str, build: fn(&Sides)) -> Case {
    Case { rule, promise: Promise::WhereFinite, extremes: &[], build }
}

fn dot(lhs: &[usize], rhs: &[usize]) -> DotDims {
    DotDims { lhs_contract: lhs.to_vec(), rhs_contract: rhs.to_vec(), ..DotDims::default() }
}

const CASES: &[Case] = &[
    finite("fast-cancel", |s| {
        let (x, y) = (s.x(), s.y());
        s.out(&x.sub(&x));
        s.out(&x.add(&y).sub(&y));
    }),
    finite("fast-multiply-zero", |s| s.out(&s.x().scale(0.0))),
    finite("fast-quotient-of-same", |s| {
        let x = s.x();
        s.out(&x.div(&x));
    }),
    finite("fast-log-of-exp", |s| {
        s.out(&s.x().exp().ln());
        s.out(&s.y().ln().exp());
    }),
    finite("fast-square-of-root", |s| s.out(&s.x().sqrt().square())),
    exact("stop-grad", |s| s.out(&s.x().stop_grad().exp())),
    exact("identity-cast", |s| {
        let x = s.x();
        s.out(&x.cast(DType::F32));
        s.out(&x.positive().cast(DType::I32).cast(DType::F32));
    }),
    exact("identity-shape-op", |s| {
        let x = s.x();
        let op = |op| s.out(&s.b.op(op, &[&x]));
        op(Op::Reshape(vec![s.n, s.m]));
        op(Op::Transpose(vec![0, 1]));
        op(Op::Reverse(vec![]));
        op(Op::Broadcast { shape: vec![s.n, s.m], dims: vec![0, 1] });
        op(Op::Slice { start: vec![0; 2], stop: vec![s.n, s.m], step: vec![1; 2] });
        op(Op::Concat { axis: 1 });
        op(Op::ReduceSum(vec![]));
        op(Op::ReduceMax(vec![]));
        s.out(&x.pad(&[0; 2], &[0; 2], &[0; 2], &s.b.f32(1.0)));
    }),
    exact("fold-constants", |s| {
        let c = s.b.full(0.7, &[s.n]);
        for y in [c.exp(), c.ln(), c.sqrt(), c.sin(), c.tanh(), c.softplus(), c.neg(), c.floor(), c.sign()] {
            s.out(&y.add(&s.input(&format!("x{}", y.id().0), &[s.n])));
        }
        let d = s.b.full(-1.25, &[s.n]);
        for y in
            [c.add(&d), c.mul(&d), c.div(&d), c.max(&d), c.lt(&d).select(&c, &d), c.eq(&c).cast(DType::F32), d.softplus()]
        {
            s.out(&y);
        }
        s.out(&d.cast(DType::I32).neg().add(&s.b.i32(4)).cast(DType::F32));
    }),
    exact("constant-through-shape-op", |s| {
        let c = s.b.full(3.0, &[s.n, s.m]);
        s.out(&c.reshape(&[s.m * s.n]));
        s.out(&c.transpose(&[1, 0]));
        s.out(&c.reverse(&[1]));
        s.out(&c.slice_axis(0, 1, 2));
        s.out(&c.pad(&[1, 0], &[0, 2], &[1, 0], &s.b.f32(3.0)));
        s.out(&c.pad(&[1, 0], &[0, 2], &[1, 0], &s.b.f32(2.0)));
        s.out(&c.max_over(&[1]));
        s.out(&Expr::concat(&[&c, &c], 1).unwrap());
    }),
    exact("add-zero", |s| s.out(&(s.x() + 0.0))),
    exact("multiply-one", |s| {
        let x = s.x();
        s.out(&x.scale(1.0));
        s.out(&x.scale(-1.0));
        s.out(&(&x / 1.0));
        s.out(&(&x / -1.0));
    }),
    exact("multiply-zero", |s| {
        let x = s.x();
        s.out(&x.positive().cast(DType::F32).scale(0.0));
        s.out(&s.b.full(0.0, &[s.n]).div(&s.b.full(2.0, &[s.n])));
        // Not here: x may be infinite.
        s.out(&x.scale(0.0));
        s.out(&x.tanh().scale(0.0));
    }),
    exact("double-negation", |s| {
        let (x, y) = (s.x(), s.y());
        s.out(&x.neg().neg());
        s.out(&x.neg().mul(&y.neg()));
        s.out(&x.neg().div(&y.neg()));
    }),
    exact("negation-into-constant", |s| {
        let x = s.x();
        s.out(&x.scale(3.0).neg());
        s.out(&x.neg().scale(3.0));
        s.out(&(&x / 3.0).neg());
        s.out(&(3.0 / &x).neg());
        s.out(&(x.neg() / 3.0));
        s.out(&(3.0 / x.neg()));
    }),
    exact("chained-constants", |s| {
        let x = s.x();
        s.out(&x.scale(3.0).scale(0.5));
        s.out(&x.shift(3.0).shift(0.5));
        // Cancelling and overflowing constants stay apart.
        s.out(&x.shift(1e8).shift(-1e8));
        s.out(&x.scale(1e30).scale(1e30));
    }),
    exact("divide-by-constant", |s| s.out(&(s.x() / 3.0))),
    exact("sum-of-same", |s| {
        let x = s.x();
        s.out(&x.add(&x));
    }),
    exact("maximum-of-same", |s| {
        let x = s.x();
        s.out(&x.max(&x));
    }),
    exact("softplus-difference", |s| {
        let x = s.x();
        s.out(&x.softplus().sub(&x.neg().softplus()));
        s.out(&x.neg().softplus().sub(&x.softplus()));
    }),
    exact("select-of-same", |s| {
        let (x, y) = (s.x(), s.y());
        s.out(&x.positive().select(&y, &y));
        s.out(&s.b.full(1.0, &[s.n, s.m]).positive().select(&x, &y));
        s.out(&s.b.full(-1.0, &[s.n, s.m]).positive().select(&x, &y));
    }),
    exact("select-of-select", |s| {
        let (x, y) = (s.x(), s.y());
        let c = x.lt(&y);
        s.out(&c.select(&c.select(&x, &y), &x.exp()));
        s.out(&c.select(&x, &c.select(&x.exp(), &y)));
    }),
    exact("scaled-select", |s| {
        let (x, y) = (s.x(), s.y());
        let zero = s.b.f32(0.0);
        s.out(&x.positive().select(&y, &zero).scale(0.2));
        s.out(&y.positive().select(&zero, &x).scale(-3.0));
    }),
    exact("sum-of-selects", |s| {
        let (x, y) = (s.x(), s.y());
        let (zero, mask) = (s.b.f32(0.0), x.lt(&y));
        s.out(&mask.select(&x, &zero).add(&mask.select(&zero, &y)));
        s.out(&mask.select(&zero, &x).add(&mask.select(&y, &zero)));
        s.out(&mask.select(&x, &y).add(&mask.select(&y, &x)));
        s.out(&mask.select(&x, &zero).add(&y.lt(&x).select(&zero, &y)));
    }),
    exact("relu-mask", |s| {
        let x = s.x();
        let leaky = x.positive().select(&x, &x.scale(0.2));
        s.out(&x.relu().positive().cast(DType::F32));
        s.out(&leaky.positive().cast(DType::F32));
        // A negative slope makes negative values positive.
        s.out(&x.positive().select(&x, &x.scale(-0.2)).positive().cast(DType::F32));
    }),
    exact("comparison-with-itself", |s| {
        let x = s.x();
        s.out(&x.lt(&x).cast(DType::F32));
    }),
    exact("reshape-of-reshape", |s| s.out(&s.x().reshape(&[s.n * s.m]).reshape(&[s.m, s.n]))),
    exact("transpose-of-transpose", |s| {
        s.out(&s.input("x", &[s.n, s.m, s.k]).transpose(&[1, 2, 0]).transpose(&[0, 2, 1]));
    }),
    exact("transpose-of-unit-axes", |s| s.out(&s.input("x", &[s.n, 1, s.m]).transpose(&[1, 0, 2]))),
    exact("reverse-of-reverse", |s| s.out(&s.x().reverse(&[0, 1]).reverse(&[1]))),
    exact("reverse-through-rearrangement", |s| {
        let x = s.input("x", &[s.n, 1, s.m, s.k]);
        s.out(&x.reverse(&[2, 3]).transpose(&[1, 3, 0, 2]).reverse(&[1]));
        s.out(&x.reverse(&[0, 1, 3]).reshape(&[1, s.n, s.m, s.k, 1]).reverse(&[0, 2, 3]));
        s.out(&x.transpose(&[3, 0, 1, 2]).reverse(&[1, 2]).transpose(&[1, 2, 3, 0]));
        // The reshape joins axes.
        s.out(&x.reverse(&[2]).reshape(&[s.n * s.m, s.k]).reverse(&[0]));
    }),
    exact("reshape-of-broadcast", |s| {
        let x = s.input("x", &[s.n * s.m]);
        s.out(&x.broadcast(&[s.k, s.n * s.m], &[1]).reshape(&[s.k, s.n, s.m]));
        s.out(&x.broadcast(&[s.n * s.m, 1, s.k], &[0]).reshape(&[s.n, 1, s.m, s.k]));
        s.out(&x.broadcast(&[s.n, s.k, s.n * s.m], &[2]).reshape(&[s.n * s.k, s.m, s.n]));
        // The reshape mixes repetitions with elements.
        s.out(&s.input("y", &[5]).broadcast(&[7, 5], &[1]).reshape(&[5, 7]));
        s.out(&s.input("z", &[7]).broadcast(&[7, 5], &[0]).reshape(&[5, 7]));
    }),
    exact("scaled-repeated-factor", |s| {
        let row = s.input("row", &[s.m]).broadcast(&[s.n, s.m], &[1]);
        s.out(&s.x().mul(&row).scale(3.0));
        s.out(&row.mul(&s.y()).scale(3.0));
    }),
    exact("broadcast-of-broadcast", |s| {
        s.out(&s.input("x", &[s.m]).broadcast(&[s.n, s.m], &[1]).broadcast(&[s.n, s.k, s.m], &[0, 2]));
    }),
    exact("broadcast-of-reshape", |s| {
        s.out(&s.input("x", &[s.n]).reshape(&[1, s.n, 1]).broadcast(&[1, s.n, s.k, 1], &[0, 1, 3]));
    }),
    exact("broadcast-is-reshape", |s| s.out(&s.input("x", &[s.n]).broadcast(&[1, s.n], &[1]))),
    exact("rearranged-broadcast", |s| {
        let wide = s.x().broadcast(&[s.k, s.n, s.m], &[1, 2]);
        s.out(&wide.transpose(&[2, 0, 1]));
        s.out(&wide.transpose(&[1, 2, 0]));
        s.out(&wide.slice(&[1, 0, 1], &[2, s.n, s.m], &[1, 2, 1]));
        s.out(&wide.reverse(&[0, 2]));
    }),
    exact("elementwise-of-broadcasts", |s| {
        let row = s.input("row", &[s.m]).broadcast(&[s.k, s.n, s.m], &[2]);
        let col = s.input("col", &[s.n]).broadcast(&[s.k, s.n, s.m], &[1]);
        s.out(&row.add(&col));
        s.out(&row.mul(&s.b.full(3.0, &[s.k, s.n, s.m])).exp());
        s.out(&row.lt(&col).select(&row, &col));
    }),
    exact("slice-of-slice", |s| {
        let x = s.input("x", &[17]);
        s.out(&x.slice(&[1], &[16], &[2]).slice(&[s.n - 1], &[7], &[s.m]));
    }),
    exact("slice-of-pad", |s| {
        let x = s.input("x", &[6]);
        let pad = |i: usize| x.pad(&[s.n], &[s.m], &[i], &s.b.f32(9.0));
        s.out(&pad(0).slice(&[s.n + 1], &[s.n + 5], &[2]));
        s.out(&pad(2).slice(&[s.n + 3], &[s.n + 16], &[6]));
        // These meet padding.
        s.out(&pad(0).slice(&[s.n - 1], &[s.n + 5], &[1]));
        s.out(&pad(2).slice(&[s.n], &[s.n + 5], &[1]));
    }),
    exact("slice-of-padding", |s| {
        let x = s.input("x", &[3, 4]);
        let pad = |i: usize| x.pad(&[s.n, 0], &[s.m, 2], &[i, i], &s.b.f32(9.0));
        s.out(&pad(0).slice(&[0, 1], &[s.n, 3], &[1, 1]));
        s.out(&pad(2).slice(&[1, 12], &[s.n + 3, 12], &[2, 1]));
        s.out(&pad(1).slice(&[s.n + 5, 0], &[s.n + 5 + s.m, 7], &[1, 3]));
        // These meet the operand.
        s.out(&pad(0).slice(&[0, 1], &[s.n + 1, 3], &[1, 1]));
        s.out(&pad(1).slice(&[s.n + 4, 0], &[s.n + 5 + s.m, 7], &[1, 3]));
    }),
    exact("sum-of-neighbours", |s| {
        let zero = s.b.f32(0.0);
        let place = |e: &Expr, lo: usize, hi: usize| e.pad(&[0, lo], &[0, hi], &[0, 0], &zero);
        let (x, y, m) = (s.x(), s.y(), s.m);
        s.out(&(place(&x, 0, 2 * m) + place(&y, m, m) + place(&x.exp(), 2 * m, 0)));
        s.out(&(place(&y, m, m) + place(&x, 0, 2 * m)));
        // A gap, an overlap, another value, another axis.
        s.out(&(place(&x, 0, 2 * m) + place(&y, 2 * m, 0)));
        s.out(&(place(&x, 0, 1) + place(&y, 1, 0)));
        let nine = s.b.f32(9.0);
        s.out(&(x.pad(&[0, 0], &[0, m], &[0, 0], &nine) + y.pad(&[0, m], &[0, 0], &[0, 0], &nine)));
        s.out(&(x.pad(&[0, 0], &[s.n, m], &[0, 0], &zero) + y.pad(&[s.n, m], &[0, 0], &[0, 0], &zero)));
    }),
    exact("slice-of-concat", |s| {
        let whole = Expr::concat(&[&s.x(), &s.y()], 0).unwrap();
        s.out(&whole.slice_axis(0, 0, s.n));
        s.out(&whole.slice_axis(0, s.n + 1, 2 * s.n));
        s.out(&whole.slice_axis(0, s.n - 1, s.n + 1));
    }),
    exact("concat-of-concat", |s| {
        let (x, y) = (s.x(), s.y());
        let inner = Expr::concat(&[&x, &y], 1).unwrap();
        s.out(&Expr::concat(&[&inner, &x], 1).unwrap());
    }),
    exact("concat-of-slices", |s| {
        let x = s.input("x", &[s.n, 7]);
        s.out(&Expr::concat(&[&x.slice_axis(1, 1, 3), &x.slice_axis(1, 3, 6), &x], 1).unwrap());
        s.out(&Expr::concat(&[&x.slice_axis(1, 3, 6), &x.slice_axis(1, 1, 3)], 1).unwrap());
    }),
    exact("pad-of-pad", |s| {
        let zero = s.b.f32(0.0);
        s.out(&s.x().pad(&[1, 0], &[0, 2], &[0, 0], &zero).pad(&[0, 1], &[3, 1], &[0, 0], &zero));
    }),
    exact("reduce-unit-axes", |s| {
        let x = s.input("x", &[s.n, 1, s.m]);
        s.out(&x.sum(&[0, 1]));
        s.out(&x.max_over(&[1]));
    }),
    exact("reduce-of-broadcast", |s| {
        let wide = s.x().broadcast(&[s.n, s.k, s.m], &[0, 2]);
        s.out(&wide.sum(&[1]));
        s.out(&wide.sum(&[0, 1]));
        s.out(&wide.sum(&[2]));
        s.out(&wide.max_over(&[1, 2]));
    }),
    without_nan("reduce-of-reduce", |s| {
        let x = s.input("x", &[s.n, s.m, s.k]);
        s.out(&x.sum(&[1]).sum(&[1]));
        s.out(&x.max_over(&[0]).max_over(&[0]));
    }),
    without_nan("reduce-of-transpose", |s| {
        let x = s.input("x", &[s.n, s.m, s.k]);
        s.out(&x.transpose(&[2, 0, 1]).sum(&[1]));
        s.out(&x.transpose(&[2, 1, 0]).max_over(&[0]));
        s.out(&x.reshape(&[s.n * s.m, s.k]).sum_all());
    }),
    finite("sum-of-scaled", |s| {
        let (x, w) = (s.x(), s.input("w", &[s.n]));
        s.out(&x.mean(&[0]));
        s.out(&x.mul(&w.broadcast(&[s.n, s.m], &[0])).sum(&[1]));
        s.out(&x.div(&w.broadcast(&[s.n, s.m], &[0])).sum(&[1]));
        s.out(&x.mul(&w.broadcast(&[s.n, s.m], &[0])).sum(&[0]));
        s.out(&x.neg().sum(&[0]));
    }),
    finite("dot-of-transpose", |s| {
        let (x, w) = (s.x(), s.input("w", &[s.k, s.m]));
        s.out(&x.dot(&w.transpose(&[1, 0]), dot(&[1], &[0])));
        s.out(&x.transpose(&[1, 0]).dot(&w, dot(&[0], &[1])));
        // The order of two free axes would change.
        let v = s.input("v", &[s.k, s.m, s.n]);
        s.out(&x.dot(&v.transpose(&[1, 2, 0]), dot(&[1], &[0])));
    }),
    finite("dot-of-broadcast", |s| {
        let (x, v) = (s.x(), s.input("v", &[s.m]));
        // Contracted, free and both.
        s.out(&x.dot(&v.broadcast(&[s.m, s.n, s.k], &[0]), dot(&[1], &[0])));
        s.out(&v.broadcast(&[s.k, s.m], &[1]).dot(&x, dot(&[1], &[1])));
        s.out(&v.broadcast(&[s.n, s.m], &[1]).dot(&x, dot(&[0], &[0])));
        // Large enough for the sum to pay.
        let wide = s.input("wide", &[64, s.k, 64]);
        s.out(&wide.dot(&v.broadcast(&[64, s.m, 64], &[1]), dot(&[0, 2], &[0, 2])));
        let batched = DotDims { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![2], rhs_contract: vec![1] };
        s.out(&v.broadcast(&[s.n, s.k, s.m], &[2]).dot(&x, batched));
    }),
    finite("transpose-of-dot", |s| {
        let w = s.input("w", &[s.m, s.k]);
        s.out(&s.x().matmul(&w).transpose(&[1, 0]));
    }),
    finite("dot-of-scalar", |s| {
        let (a, x) = (s.input("a", &[]), s.x());
        s.out(&a.dot(&x, DotDims::default()));
        s.out(&x.dot(&a, DotDims::default()));
    }),
    finite("logistic-of-exp", |s| {
        let x = s.x();
        s.out(&(1.0 / (1.0 + x.neg().exp())));
        s.out(&(3.0 / (x.exp() + 1.0)));
        s.out(&(x.exp() / (1.0 + x.exp())));
        s.out(&(x.exp() * 2.0 / (x.exp() + 1.0)));
    }),
    finite("log-of-saturating", |s| {
        let x = s.x();
        s.out(&x.sigmoid().ln());
        s.out(&(1.0 - x.sigmoid()).ln());
        s.out(&(x.scale(3.0).sigmoid() * 0.5).ln());
        s.out(&x.exp().ln());
        s.out(&(1.0 + x.exp()).ln());
        s.out(&(x.exp() * 3.0 + 2.0).ln());
        s.out(&(1.0 - x.exp()).ln());
        s.out(&(x.exp() - 1.0).ln());
        s.out(&(2.0 - (2.0f32.ln() - x.softplus()).exp()).ln());
        s.out(&(1.0 - x.softplus().neg().exp()).ln());
        s.out(&(1.0 - x.tanh().square()).ln());
        s.out(&(x.sigmoid() / (1.0 - x.sigmoid())).ln());
        let softmax = |max: bool| {
            let e = if max { x.sub(&x.max_over(&[1]).broadcast(&[s.n, s.m], &[0])).exp() } else { x.exp() };
            e.div(&e.sum(&[1]).broadcast(&[s.n, s.m], &[0])).ln()
        };
        s.out(&softmax(true));
        s.out(&softmax(false));
        s.out(&x.sigmoid().reshape(&[s.n * s.m]).neg().shift(1.0).ln());
    }),
];

/// Applies one rule to its cases. An error names the rule.
fn check(rule: &Rule, cases: &[&Case]) -> Result<(), String> {
    for case in cases {
        for seed in 0..3 {
            let mut random = Random(seed);
            let mut extent = || random.between(2, 4);
            let sides = Sides { b: Builder::new(), n: extent(), m: extent(), k: extent() };
            (case.build)(&sides);
            let left = sides.b.clone().finish().map_err(|e| e.to_string())?;
            let mut fired = Fired::new();
            let right = to_fixpoint(&left, std::slice::from_ref(rule), 8, &mut fired).map_err(|e| e.to_string())?;
            if !fired.contains_key(rule.name) {
                return Err(format!("rule {} never fires on its own case", rule.name));
            }
            let extremes = [EXTREMES, case.extremes].concat();
            agree(&left, &right, &extremes, case.promise).map_err(|e| format!("rule {}: {e}", rule.name))?;
        }
    }
    Ok(())
}

fn every_rule() -> Vec<Rule> {
    [stabilise::RULES, &rules::all(), &rules::fast()].concat()
}

#[test]
fn every_rule_agrees_with_its_equation() {
    let mut failures = Vec::new();
    for rule in every_rule() {
        let cases: Vec<&Case> = CASES.iter().filter(|c| c.rule == rule.name).collect();
        match cases.is_empty() {
            true => failures.push(format!("rule {} has no case", rule.name)),
            false => failures.extend(check(&rule, &cases).err()),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn rules_have_unique_names_and_say_where_they_hold() {
    let rules = every_rule();
    for (i, rule) in rules.iter().enumerate() {
        assert!(rules[..i].iter().all(|other| other.name != rule.name), "{} twice", rule.name);
        assert!(!rule.equation.is_empty() && !rule.holds.is_empty() && !rule.roots.is_empty(), "{rule:?}");
    }
    for case in CASES {
        assert!(rules.iter().any(|r| r.name == case.rule), "no rule {}", case.rule);
    }
}

/// x − x = 0, which IR traps forbid: NaN and infinities.
fn cancel(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> saddlepoint_compiler::Result<Option<NodeId>> {
    match r.operand_of(args[0], OpKind::Neg).or(r.operand_of(args[1], OpKind::Neg)) {
        Some(x) if args.contains(&x) => r.full_like(0.0, x).map(Some),
        _ => Ok(None),
    }
}

#[test]
fn a_wrong_rule_is_reported_by_name() {
    let wrong = |name, apply| Rule { name, equation: "", holds: "", roots: &[OpKind::Add], apply };
    let case = exact("planted", |s| {
        let x = s.x();
        s.out(&x.sub(&x));
    });
    let error = check(&wrong("planted-cancellation", cancel), &[&case]).unwrap_err();
    assert!(error.contains("planted-cancellation") && error.contains("NaN"), "{error}");

    let case = exact("planted", |s| s.out(&s.x().add(&s.y())));
    let error = check(&wrong("planted-sum", |r, _, a| r.add(Op::Mul, a).map(Some)), &[&case]).unwrap_err();
    assert!(error.contains("planted-sum"), "{error}");
}

fn optimised(build: impl FnOnce(&Builder)) -> Graph {
    use saddlepoint_compiler::rewrite::{Level, Options, optimise};
    optimise(&graph(build), &Options::at(Level::Directed)).unwrap().0
}

#[test]
fn draws_of_different_streams_stay_different() {
    let draws = |second: u32| {
        optimised(|b| {
            let key = b.input("key", Type::new(DType::I32, [4]));
            let draw = |stream| b.op(Op::Rng { stream, shape: vec![3] }, &[&key]);
            b.output("y", &draw(1).add(&draw(second)));
        })
    };
    let count = |g: Graph| g.nodes.iter().filter(|n| n.op.kind() == OpKind::Rng).count();
    assert_eq!(count(draws(1)), 1);
    assert_eq!(count(draws(2)), 2);
}

#[test]
fn slots_and_outputs_keep_their_places() {
    let g = optimised(|b| {
        b.input("unused", Type::f32([2]));
        let x = b.input("x", Type::f32([2]));
        b.state("unread", Type::f32([3]));
        let s = b.state("s", Type::f32([2]));
        b.write_state("s", &s.add(&x.scale(0.5).scale(2.0)));
        b.output("same", &x);
        b.output("again", &x.neg().neg());
    });
    assert_eq!(g.inputs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["unused", "x"]);
    assert_eq!(g.states.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["unread", "s"]);
    assert_eq!(g.outputs.len(), 3);
    assert_eq!(g.outputs[1].value, g.outputs[2].value);
    assert_eq!(g.nodes.len(), 3, "x, s and their sum: {:?}", g.nodes);
}

#[test]
fn rules_for_real_numbers_apply_on_request_only() {
    use saddlepoint_compiler::rewrite::{Options, optimise};
    let left = graph(|b| {
        let x = b.input("x", Type::f32([4]));
        b.output("y", &x.sub(&x));
    });
    let subtracts = |fast| {
        let (right, report) = optimise(&left, &Options { fast, ..Options::default() }).unwrap();
        (right.nodes.iter().any(|n| n.op == Op::Add), report.fired("fast-cancel"))
    };
    assert_eq!(subtracts(false), (true, 0));
    assert_eq!(subtracts(true), (false, 1));
}

#[test]
fn the_basic_rules_are_a_part_of_all() {
    let names = |rules: Vec<Rule>| rules.into_iter().map(|r| r.name).collect::<Vec<_>>();
    let (basic, all, fast) = (names(rules::basic()), names(rules::all()), names(rules::fast()));
    assert!(basic.iter().all(|name| all.contains(name)) && basic.len() < all.len());
    assert!(fast.iter().all(|name| !all.contains(name)));
}
