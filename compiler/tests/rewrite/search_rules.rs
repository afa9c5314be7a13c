//! Every rule of equality saturation by itself: it proposes a right side for its left side, and both agree.

use crate::harness::{EXTREMES, Promise, Random, agree, graph};
use saddlepoint_compiler::ir::{Builder, ConvDims, DotDims, Expr, Graph, OpKind, Type};
use saddlepoint_compiler::rewrite::saturation::proof::prove;
use saddlepoint_compiler::rewrite::saturation::rules::{SearchRule, Side, all};
use saddlepoint_compiler::rewrite::saturation::{apply_once, search};

type Build = fn(&Builder, [usize; 4]);

fn dot(lhs: &[usize], rhs: &[usize]) -> DotDims {
    DotDims { lhs_contract: lhs.to_vec(), rhs_contract: rhs.to_vec(), ..DotDims::default() }
}

fn input(b: &Builder, name: &str, shape: &[usize]) -> Expr {
    b.input(name, Type::f32(shape))
}

fn conv(x: &Expr, w: &Expr) -> Expr {
    let dims =
        ConvDims { stride: vec![2], padding: vec![(1, 0)], input_dilation: vec![1], kernel_dilation: vec![1], groups: 1 };
    x.conv(w, dims)
}

const CASES: &[(&str, Build)] = &[
    ("sum-of-dot", |b, [n, m, k, p]| {
        let batched = DotDims { lhs_batch: vec![2], rhs_batch: vec![0], lhs_contract: vec![1], rhs_contract: vec![2] };
        let y = input(b, "x", &[n, m, k]).dot(&input(b, "w", &[k, p, m]), batched);
        b.output("batch", &y.sum(&[0]));
        b.output("left", &y.sum(&[1]));
        b.output("right", &y.sum(&[2]));
        b.output("all", &y.sum(&[0, 1, 2]));
    }),
    ("dot-of-dot-left", |b, [n, m, k, _]| {
        let ab = input(b, "a", &[20, n])
            .matmul(&input(b, "b", &[n, m, 20, k]).sum(&[3]).transpose(&[0, 2, 1]).reshape(&[n, 20 * m]));
        b.output("y", &ab.matmul(&input(b, "c", &[20 * m, 1])));
        let ab = input(b, "d", &[20, n]).dot(&input(b, "e", &[m, n, 20]), dot(&[1], &[1]));
        b.output("z", &ab.dot(&input(b, "f", &[1, 20]), dot(&[2], &[1])));
    }),
    ("dot-of-dot-right", |b, [n, m, k, _]| {
        let bc = input(b, "b", &[20, n, m]).dot(&input(b, "c", &[m, 20, k]), dot(&[2], &[0]));
        b.output("y", &input(b, "a", &[1, 20]).dot(&bc, dot(&[1], &[0])));
    }),
    ("sum-of-products-of-one", |b, [n, m, k, _]| {
        let (x, y, w) = (input(b, "x", &[n, m]), input(b, "y", &[n, m]), input(b, "w", &[m, k]));
        b.output("left", &x.matmul(&w).add(&y.matmul(&w)));
        b.output("right", &w.dot(&x, dot(&[0], &[1])).add(&w.dot(&y, dot(&[0], &[1]))));
        let (i, j, f) = (input(b, "i", &[n, m, 6]), input(b, "j", &[n, m, 6]), input(b, "f", &[k, m, 3]));
        b.output("conv", &conv(&i, &f).add(&conv(&j, &f)));
    }),
    ("sum-of-products", |b, [n, m, k, p]| {
        let ab = input(b, "a", &[p, n]).dot(&input(b, "b", &[p, k]), dot(&[0], &[0]));
        let cd = input(b, "c", &[m, n]).dot(&input(b, "d", &[m, k]), dot(&[0], &[0]));
        b.output("y", &ab.add(&cd));
    }),
    ("scale-out-of-product", |b, [n, m, k, _]| {
        let (x, w) = (input(b, "x", &[1, m]), input(b, "w", &[m, k]));
        let s = input(b, "s", &[]);
        b.output("right", &x.matmul(&w.mul(&s)));
        b.output("negated", &x.matmul(&w.neg()));
        b.output("conv", &conv(&input(b, "i", &[n, m, 9]).scale(3.0), &input(b, "f", &[1, m, 3])));
    }),
    ("scale-into-product", |b, [n, _, k, _]| {
        let y = input(b, "x", &[n, 1]).matmul(&input(b, "w", &[1, k]));
        b.output("y", &y.mul(&input(b, "s", &[])));
    }),
    ("elementwise-of-moved", |b, [n, m, k, _]| {
        let (x, y) = (input(b, "x", &[n, m, k]), input(b, "y", &[n, m, k]));
        b.output("transpose", &x.transpose(&[1, 2, 0]).add(&y.transpose(&[1, 2, 0])));
        b.output("reshape", &x.reshape(&[n * m, k]).scale(3.0).tanh());
        b.output("reverse", &x.reverse(&[1]).lt(&y.reverse(&[1])).select(&x.reverse(&[1]), &y.reverse(&[1])));
    }),
    ("slice-of-elementwise", |b, [n, m, _, _]| {
        let (x, y) = (input(b, "x", &[n, m]), input(b, "y", &[n, m]));
        b.output("y", &x.add(&y).slice_axis(1, 1, m));
    }),
    ("sum-of-concat", |b, [n, m, k, _]| {
        let parts = [input(b, "x", &[n, m]), input(b, "y", &[n, k])];
        let joined = Expr::concat(&[&parts[0], &parts[1]], 1).unwrap();
        b.output("joined", &joined.sum(&[1]));
        b.output("all", &joined.sum(&[0, 1]));
        b.output("other", &joined.sum(&[0]));
    }),
    ("common-factor", |b, [n, m, _, _]| {
        let [x, y, z] = ["x", "y", "z"].map(|name| input(b, name, &[n, m]));
        b.output("mul", &x.mul(&y).add(&z.mul(&x)));
        b.output("div", &x.div(&y).add(&z.div(&y)));
    }),
    ("divide-by-repeated", |b, [n, m, _, _]| {
        let s = input(b, "s", &[m]);
        b.output("y", &input(b, "x", &[n, m]).div(&s.broadcast(&[n, m], &[1])));
    }),
    ("repeated-factors", |b, [n, m, _, _]| {
        let repeat = |s: &Expr| s.broadcast(&[n, m], &[1]);
        let (s, t) = (input(b, "s", &[m]), input(b, "t", &[m]));
        b.output("y", &input(b, "x", &[n, m]).mul(&repeat(&s)).mul(&repeat(&t)));
    }),
    ("difference", |b, [n, m, _, _]| {
        b.output("y", &input(b, "x", &[n, m]).neg().sub(&input(b, "y", &[n, m])));
    }),
];

/// Applies one rule to a case. An error names the rule.
fn check(rule: &SearchRule, build: Build) -> Result<(), String> {
    for seed in 0..3 {
        let mut random = Random(seed);
        let left = graph(|b| build(b, [(); 4].map(|()| random.between(2, 4))));
        let sides = apply_once(&left, rule).map_err(|e| e.to_string())?;
        if sides.is_empty() {
            return Err(format!("rule {} proposes nothing for its own case", rule.name));
        }
        for right in sides {
            agree(&left, &right, EXTREMES, Promise::WhereFinite).map_err(|e| format!("rule {}: {e}", rule.name))?;
        }
    }
    Ok(())
}

#[test]
fn every_search_rule_agrees_with_its_equation() {
    let mut failures = Vec::new();
    for rule in all() {
        match CASES.iter().find(|(name, _)| *name == rule.name) {
            Some((_, build)) => failures.extend(check(&rule, *build).err()),
            None => failures.push(format!("rule {} has no case", rule.name)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_wrong_search_rule_is_reported_by_name() {
    let wrong = SearchRule {
        apply: |_, op, args| vec![Side::Apply(op.clone(), vec![args[0].into(), args[0].into()])],
        name: "planted",
        ..all().into_iter().find(|r| r.name == "difference").unwrap()
    };
    let build: Build = |b, [n, ..]| b.output("y", &input(b, "x", &[n]).add(&input(b, "y", &[n])));
    let error = check(&wrong, build).unwrap_err();
    assert!(error.contains("rule planted"), "{error}");
}

fn optimise(g: &Graph) -> (Graph, saddlepoint_compiler::rewrite::Report) {
    saddlepoint_compiler::rewrite::optimise(g, &Default::default()).unwrap()
}

#[test]
fn products_are_reassociated_by_their_work() {
    let left = graph(|b| {
        let ab = input(b, "a", &[64, 32]).matmul(&input(b, "b", &[32, 64]));
        b.output("y", &ab.matmul(&input(b, "c", &[64, 1])));
    });
    let (right, report) = optimise(&left);
    assert!(report.fired("dot-of-dot-left") > 0, "{report}");
    assert_eq!(saddlepoint_compiler::rewrite::graph_flops(&left), 2 * (64 * 32 * 64 + 64 * 64));
    assert_eq!(saddlepoint_compiler::rewrite::graph_flops(&right), 2 * (32 * 64 + 64 * 32));
    agree(&left, &right, EXTREMES, Promise::WhereFinite).unwrap();
}

#[test]
fn a_shared_product_is_not_computed_twice() {
    // The inner product is a result as well: reassociating would add to it, not replace it.
    let left = graph(|b| {
        let ab = input(b, "a", &[64, 32]).matmul(&input(b, "b", &[32, 64]));
        b.output("ab", &ab);
        b.output("y", &ab.matmul(&input(b, "c", &[64, 2])));
    });
    let (right, _) = optimise(&left);
    assert!(saddlepoint_compiler::rewrite::graph_flops(&right) <= saddlepoint_compiler::rewrite::graph_flops(&left));
}

#[test]
fn what_the_search_found_is_proved_rule_by_rule() {
    let left = graph(|b| {
        let ab = input(b, "a", &[64, 32]).matmul(&input(b, "b", &[32, 64]));
        b.output("y", &ab.matmul(&input(b, "c", &[64, 1])).scale(2.0));
    });
    let (right, _) = optimise(&left);
    let proof = prove(&left, &right, "y", &all(), &Default::default()).unwrap().expect("a proof");
    assert!(proof.uses("dot-of-dot-left"), "{proof}");
    assert!(proof.to_string().contains("dot batch=[]:[] contract=[1]:[0](dot"), "{proof}");

    let other = graph(|b| {
        for (name, shape) in [("a", [64, 32]), ("b", [32, 64]), ("c", [64, 1])] {
            input(b, name, &shape);
        }
        b.output("y", &b.full(0.0, &[64, 1]));
    });
    assert_eq!(prove(&left, &other, "y", &all(), &Default::default()).unwrap(), None);
    assert!(prove(&left, &right, "z", &all(), &Default::default()).unwrap_err().to_string().contains("\"z\""));
}

#[test]
fn a_wrong_rule_among_the_right_ones_is_caught_and_named_by_the_proof() {
    // a + b = a, which saves whatever b costs.
    let wrong = SearchRule {
        name: "planted",
        roots: &[OpKind::Add],
        apply: |_, _, args| vec![args[0].into()],
        ..all().into_iter().find(|r| r.name == "difference").unwrap()
    };
    let rules = [all(), vec![wrong]].concat();
    let left = graph(|b| {
        let [x, y, w] = ["x", "y", "w"].map(|name| input(b, name, &[8, 8]));
        b.output("right", &x.matmul(&w).tanh());
        b.output("wrong", &x.matmul(&w).add(&y.matmul(&w)).tanh());
    });
    let options = Default::default();
    let (right, ..) = search(&left, &rules, &options).unwrap();
    let error = agree(&left, &right, EXTREMES, Promise::WhereFinite).unwrap_err();
    assert!(error.contains("wrong[") && !error.contains("right["), "{error}");
    let proof = prove(&left, &right, "wrong", &rules, &options).unwrap().expect("what is not true can be proved");
    assert!(proof.uses("planted"), "{proof}");
    let proof = prove(&left, &right, "right", &rules, &options).unwrap().expect("a proof");
    assert!(!proof.uses("planted"), "{proof}");
}
