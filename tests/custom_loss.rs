//! Plain Rust functions over `Expr`: differentiated like everything else or with a derivative of their own, and checked when the
//! model is built.

mod support;

use saddlepoint::compiler::ir::Expr;
use saddlepoint::prelude::*;

/// max(0, 1 − m), element by element.
fn hinge(margin: Expr) -> Expr {
    (1.0 - margin).relu()
}

/// Wrong on purpose: adds values of different shapes.
fn broken(x: Expr, y: Expr) -> Expr {
    x.sum_all().reshape(&[1, 1, 1]) + y
}

gan! {
    /// A linear critic under the hinge loss, written twice.
    pub model Hinge {
        data pair { x: [3], y: [3] }
        net A(x: [3]) -> [1] { x.dense(1, bias = false) }
        net B(x: [3]) -> [1] { x.dense(1, bias = false) }
        player A minimizes { E[crate::hinge(A(x))] + E[crate::hinge(-A(y))] }
        player B minimizes { E[relu(1 - B(x))] + E[relu(1 + B(y))] }
        train { A, B: sgd(0.1); }
    }
}

/// x³, with a value and derivative of its own: nothing differentiates how the value is computed.
fn cube(x: Expr) -> Expr {
    let slope = 3.0 * x.square();
    x.stop_grad().square().mul(&x.stop_grad()).with_derivative([(&x, &|change: &Expr| change * &slope)])
}

/// The sums of products of all pairs of a row's elements with fixed numbers, which says how it changes with its operand by a function
/// of another shape, and with the second operand not at all.
fn mixed(x: Expr, gain: Expr) -> Expr {
    let along = |x: &Expr| x.slice_axis(1, 0, 2) + x.slice_axis(1, 1, 3).scale(2.0);
    let value = along(&x).tanh() * gain.slice_axis(1, 0, 2);
    let slope = (1.0 - along(&x).tanh().square()) * gain.slice_axis(1, 0, 2);
    value.with_derivative([(&x, &|change: &Expr| along(change) * &slope)])
}

gan! {
    /// Operations that bring their derivatives, beside the same formulas without: equal to second order.
    #[allow(dead_code)] // only the text of the model is used
    pub model Ruled {
        data x: [3];
        net Net(x: [3]) -> [3] { x.dense(3).tanh() }
        fn penalised(y, x) { E[y] + E[square(grad(y, x).norm() - 1.0)] }
        player Cube updates Net minimizes { penalised(crate::cube(Net(x)), x) }
        player Plain updates Net minimizes { penalised(Net(x).pow(3.0), x) }
        player Mixed updates Net minimizes { penalised(crate::mixed(Net(x), x), x) }
        player Formula updates Net minimizes {
            let h = Net(x);
            penalised(tanh(h.slice(0, 0, 2) + 2.0 * h.slice(0, 1, 3)) * stop(x.slice(0, 0, 2)), x)
        }
        player Entries updates Net minimizes { E[vmap(x.reshape([3, 1]), |e| crate::cube(e * Net(x)))] }
        player Each updates Net minimizes { E[vmap(x.reshape([3, 1]), |e| pow(e * Net(x), 3.0))] }
        train { Cube, Plain, Mixed, Formula, Entries, Each: sgd(1.0); }
    }
}

#[test]
fn an_operation_may_bring_its_own_derivative() {
    let model = Ruled::build(Config::new().batch(3)).expect("it builds");
    let lowered = support::Lowered::built(&model, |_| {});
    for (own, formula) in [("Cube", "Plain"), ("Mixed", "Formula"), ("Entries", "Each")] {
        let moved = [own, formula].map(|player| {
            let graph = &lowered.turn(player).graph;
            support::writes(graph, &lowered.point(graph, 5).run(graph))
        });
        assert_eq!(moved[0].len(), 2, "weight and bias");
        for (name, values) in &moved[0] {
            support::assert_close(&format!("{own}: {name}"), values, &moved[1][name], 1e-9);
        }
    }
}

gan! {
    /// A loss whose function does not suit its operands.
    pub model Broken {
        data x: [3];
        net D(x: [3]) -> [1] { x.dense(1) }
        player D minimizes { E[crate::broken(x, D(x))] }
        train { D: sgd(0.1); }
    }
}

#[test]
fn a_rust_function_trains_as_the_same_formula_does() {
    let mut model = Hinge::build(Config::new().batch(4).seed(3)).expect("the model builds");
    let start = Tensor::new([1, 3], vec![0.3, -0.2, 0.1]).expect("weights");
    for net in ["A", "B"] {
        model.set_parameter(&format!("{net}.dense_0.weight"), &start).expect("the parameter is there");
    }
    let rows = |phase: f32| Tensor::new([4, 3], (0..12).map(|i| (phase + i as f32).sin()).collect()).expect("rows");
    for step in 0..20 {
        let phase = step as f32;
        model.step(&[HingeBatch { pair: HingePair { x: rows(phase), y: rows(phase + 0.5) } }]).expect("a step");
    }
    let weights = |net: &str| model.parameter(&format!("{net}.dense_0.weight")).expect("the parameter is there");
    let (a, b) = (weights("A"), weights("B"));
    assert_ne!(a.as_slice(), start.as_slice(), "training moved nothing");
    for (a, b) in a.as_slice().iter().zip(b.as_slice()) {
        assert!((a - b).abs() < 1e-5, "{a} for {b}");
    }
}

#[test]
fn a_function_that_does_not_fit_is_an_error_of_the_build_at_its_place() {
    let error = match Broken::build(Config::new().batch(4)) {
        Ok(_) => panic!("shapes [1, 1, 1] and [4, 1] were added"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("custom_loss.rs:"), "names the file and line: {error}");
    assert!(error.contains("add") && error.contains("f32[1,1,1]") && error.contains("f32[4,1]"), "both shapes: {error}");
}
