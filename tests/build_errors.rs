//! Errors that only a build can find: all of them come at once, each with its place.

use saddlepoint::Error;
use saddlepoint::prelude::*;

/// A loss that adds values of different shapes.
fn broken(x: Expr) -> Expr {
    x.sum_all().reshape(&[1, 1, 1]) + x
}

gan! {
    /// Two nets whose sizes are given.
    pub model Sized {
        const WIDTH: usize;
        const DEPTH: usize;
        data  x: [4];
        net A(x: [4]) -> [2] { x.dense(WIDTH).reshape([2]) }
        net B(x: [4]) -> [3] { x.dense(DEPTH).reshape([3]) }
        player A minimizes { E[A(x)] }
        player B minimizes { E[B(x)] }
        train { A, B: sgd(0.1); }
    }
}

#[test]
fn all_open_constants_that_do_not_fit_are_named() {
    let built = Sized::build(SizedConsts { WIDTH: 5, DEPTH: 7 }, Config::new().batch(2));
    match built.map(drop) {
        Err(Error::Model { file, line, message, .. }) => {
            let lines: Vec<&str> = message.lines().collect();
            assert!(lines[0].contains("[5] to [2]"), "{message}");
            let second = format!("{file}:{}:", line + 1);
            assert!(lines[1].starts_with(&second) && lines[1].contains("[7] to [3]"), "{message}");
            assert_eq!(lines.len(), 2, "{message}");
        }
        other => panic!("{other:?}"),
    }
    Sized::build(SizedConsts { WIDTH: 2, DEPTH: 3 }, Config::new().batch(2)).expect("sizes that fit");
}

gan! {
    /// A Rust function whose result fits neither player.
    pub model Custom {
        data  x: [4];
        net A(x: [4]) -> [2] { x.dense(2) }
        net B(x: [4]) -> [2] { x.dense(2) }
        player A minimizes { E[A(x) + crate::broken(A(x))] }
        player B minimizes { E[B(x) + crate::broken(B(x))] }
        train { A, B: sgd(0.1); }
    }
}

#[test]
fn all_rust_functions_that_do_not_fit_are_named() {
    match Custom::build(Config::new().batch(3)).map(drop) {
        Err(Error::Model { file, line, message, .. }) => {
            let second = format!("{file}:{}:", line + 1);
            assert!(message.lines().count() == 2 && message.contains(&second), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// What to do about a GPU that the crate was built without.
#[cfg(not(feature = "gpu"))]
#[test]
fn a_gpu_needs_its_feature() {
    let sizes = SizedConsts { WIDTH: 2, DEPTH: 3 };
    let error = Sized::build(sizes, Config::new().batch(2).device(Device::Gpu)).map(drop).unwrap_err().to_string();
    assert!(error.contains("`gpu`") && error.contains("--features gpu"), "{error}");
}
