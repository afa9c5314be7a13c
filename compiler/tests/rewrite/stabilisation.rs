//! Objectives that saturate stay finite, in value and in gradients of order 1 and 2.

use crate::harness::graph;
use saddlepoint_compiler::autodiff::gradients;
use saddlepoint_compiler::ir::interpret::{Value, interpret};
use saddlepoint_compiler::ir::{Builder, Expr, Graph, OpKind, Type};
use saddlepoint_compiler::rewrite::{Level, Options, optimise, stabilise, stabilise_expr};

const LOGITS: &[f32] = &[-100.0, -88.0, -20.0, -1.0, -1e-30, 0.0, 1e-30, 1.0, 20.0, 88.0, 100.0];

type Objective = fn(&Expr) -> Expr;

/// The objective of each logit, its derivative and its second derivative, in f32, after optimisation.
fn derivatives(objective: Objective, stable: bool, level: Level) -> [Vec<f64>; 3] {
    let program = graph(|b| {
        let x = b.state("logits", Type::f32([LOGITS.len()]));
        let value = objective(&x);
        let value = if stable { stabilise_expr(b, &value, &[]) } else { value };
        let gradient = |y: &Expr| gradients(b, &[(y.clone(), b.full(1.0, &y.shape()))], std::slice::from_ref(&x)).remove(0);
        let first = gradient(&value);
        let second = gradient(&first);
        for (name, y) in [("value", &value), ("first", &first), ("second", &second)] {
            b.output(name, y);
        }
    });
    let (program, _) = optimise(&program, &Options::at(level)).unwrap();
    let logits = Value::<f32>::floats(&[LOGITS.len()], LOGITS.to_vec()).unwrap();
    let outcome = interpret::<f32>(&program, &[], &[logits]).unwrap();
    ["value", "first", "second"].map(|name| outcome.output(name).unwrap().to_f64s())
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln σ(x) and its derivatives.
fn log_sigmoid(x: f64) -> [f64; 3] {
    let s = sigmoid(-x);
    [-(x.min(0.0).abs() + (-x.abs()).exp().ln_1p()), s, -s * (1.0 - s)]
}

fn check(name: &str, objective: Objective, truth: fn(f64) -> [f64; 3]) {
    for level in Level::ALL {
        let found = derivatives(objective, true, level);
        for (i, x) in LOGITS.iter().enumerate() {
            let truth = truth(f64::from(*x));
            for order in 0..3 {
                let (y, want) = (found[order][i], truth[order]);
                let near = (y - want).abs() <= 2e-6 * want.abs() + 2e-7;
                assert!(near, "{name}, {level:?}, order {order} at {x}: {y:e}, should be {want:e}");
            }
        }
    }
}

/// Truth of ln(1 − σ(x)), from ln σ(−x).
fn log_one_minus(x: f64) -> [f64; 3] {
    let [value, first, second] = log_sigmoid(-x);
    [value, -first, second]
}

#[test]
fn the_objectives_of_a_discriminator_that_ends_in_a_sigmoid_are_finite() {
    check("ln D", |x| x.sigmoid().ln(), log_sigmoid);
    check("ln(1 - D)", |x| (1.0 - x.sigmoid()).ln(), log_one_minus);
    check("ln(1 - D), D reshaped", |x| (1.0 - x.reshape(&[11, 1]).sigmoid().reshape(&[11])).ln(), log_one_minus);
}

#[test]
fn other_ways_of_writing_a_sigmoid_are_stable_too() {
    check("1/(1 + e^-x)", |x| (1.0 / (1.0 + x.neg().exp())).ln(), log_sigmoid);
    check("1 - 1/(1 + e^-x)", |x| (1.0 - 1.0 / (1.0 + x.neg().exp())).ln(), log_one_minus);
    check("e^x/(1 + e^x)", |x| (x.exp() / (1.0 + x.exp())).ln(), log_sigmoid);
    check("-ln(1 + e^-x)", |x| (1.0 + x.neg().exp()).ln().neg(), log_sigmoid);
    check("f-GAN: 1 - e^(-softplus(-x))", |x| (1.0 - x.neg().softplus().neg().exp()).ln(), log_one_minus);
}

#[test]
fn what_is_written_unstably_is_indeed_not_finite() {
    let unstable: Objective = |x| (1.0 - x.sigmoid()).ln();
    let [value, first, _] = derivatives(unstable, false, Level::Off);
    assert!(value.iter().chain(&first).any(|v| !v.is_finite()), "the test above would prove nothing");
}

#[test]
fn the_logarithm_of_one_minus_exp_is_accurate_on_both_sides() {
    let ts = [-100.0f32, -20.0, -3.0, -0.7, -0.1, -1e-3, -1e-6];
    let g = graph(|b| b.output("y", &(1.0 - b.state("t", Type::f32([ts.len()])).exp()).ln()));
    let stable = stabilise(&g).unwrap();
    let outcome = interpret::<f32>(&stable, &[], &[Value::floats(&[ts.len()], ts.to_vec()).unwrap()]).unwrap();
    for (t, y) in ts.iter().zip(outcome.output("y").unwrap().to_f64s()) {
        let want = (-f64::from(*t).exp_m1()).ln();
        assert!((y - want).abs() <= 2e-6 * want.abs() + 1e-37, "t = {t}: {y:e}, should be {want:e}");
    }
}

#[test]
fn log_softmax_is_finite_with_gradients() {
    for shifted in [false, true] {
        let g = graph(|b| {
            let x = b.state("x", Type::f32([2, 3]));
            let wide = |y: &Expr| y.broadcast(&[2, 3], &[0]);
            let e = if shifted { x.sub(&wide(&x.max_over(&[1]))).exp() } else { x.exp() };
            let y = stabilise_expr(b, &e.div(&wide(&e.sum(&[1]))).ln(), &[]);
            b.output("y", &y);
            let first = y.slice_axis(1, 0, 1).sum_all();
            b.output("dx", &gradients(b, &[(first, b.f32(1.0))], &[x]).remove(0));
        });
        let x = Value::<f32>::floats(&[2, 3], vec![100.0, -100.0, 0.0, -100.0, -100.0, 100.0]).unwrap();
        let outcome = interpret::<f32>(&g, &[], &[x]).unwrap();
        let y = outcome.output("y").unwrap().to_f64s();
        assert_eq!(y, [0.0, -200.0, -100.0, -200.0, -200.0, 0.0], "shifted: {shifted}");
        let dx = outcome.output("dx").unwrap().to_f64s();
        for (y, want) in dx.iter().zip([0.0, 0.0, 0.0, 1.0, 0.0, -1.0]) {
            assert!((y - want).abs() < 1e-30, "shifted: {shifted}: {dx:?}");
        }
    }
}

#[test]
fn nodes_that_gradients_are_asked_for_stay() {
    // y depends on the let-bound d = s(x); stabilising through d would lose dy/dd.
    let build = |keep: bool| {
        graph(|b: &Builder| {
            let x = b.state("x", Type::f32([3]));
            let d = x.sigmoid();
            let kept = if keep { vec![d.id()] } else { vec![] };
            let y = stabilise_expr(b, &d.ln(), &kept);
            b.output("dy", &gradients(b, &[(y, b.full(1.0, &[3]))], &[d]).remove(0));
        })
    };
    let run = |g: &Graph| {
        let x = Value::<f64>::floats(&[3], vec![-1.0, 0.0, 2.0]).unwrap();
        interpret::<f64>(g, &[], &[x]).unwrap().output("dy").unwrap().to_f64s()
    };
    let want = [-1.0, 0.0, 2.0].map(|x| 1.0 / sigmoid(x));
    for (y, want) in run(&build(true)).iter().zip(want) {
        assert!((y - want).abs() < 1e-6, "{y} {want}");
    }
    assert_eq!(run(&build(false)), [0.0; 3], "without keep the gradient goes to x alone");
}

#[test]
fn a_probability_bound_to_a_name_is_looked_through() {
    // Gradients go to the logits: no node has to stay, whatever was given a name on the way.
    let g = graph(|b| {
        let x = b.state("x", Type::f32([2]));
        let fake = x.sigmoid();
        let y = stabilise_expr(b, &(1.0 - &fake).ln(), &[]);
        b.output("dx", &gradients(b, &[(y, b.full(1.0, &[2]))], &[x]).remove(0));
    });
    let outcome = interpret::<f32>(&g, &[], &[Value::floats(&[2], vec![-100.0, 100.0]).unwrap()]).unwrap();
    assert_eq!(outcome.output("dx").unwrap().to_f64s(), [0.0, -1.0]);
}

#[test]
fn existing_nodes_are_untouched() {
    let b = Builder::new();
    let x = b.state("x", Type::f32([3]));
    let y = (1.0 - x.sigmoid()).ln().neg();
    let before = b.with_graph(|g| g.clone());
    let stable = stabilise_expr(&b, &y, &[]);
    assert!(stable.id().index() >= before.nodes.len());
    b.with_graph(|g| assert_eq!(g.nodes[..before.nodes.len()], before.nodes[..]));
    assert!(b.with_graph(|g| g.nodes[before.nodes.len()..].iter().all(|n| n.op.kind() != OpKind::Log)));
    // Nothing to do: the same node, and nothing added.
    let n = b.with_graph(|g| g.nodes.len());
    assert_eq!(stabilise_expr(&b, &x.exp(), &[]).id().index(), n);
    assert_eq!(b.with_graph(|g| g.nodes.len()), n + 1);
}
