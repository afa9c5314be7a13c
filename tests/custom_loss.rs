//! Losses that are plain Rust functions over `Expr`: differentiated like everything else, and checked when the model is built.

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
