//! The paper's formula with a sigmoid and a logarithm stays finite, in value and in what training does with it.

use saddlepoint::prelude::*;

gan! {
    /// Logits are what the data say: weight 1, bias 0.
    pub model Extreme {
        data  x: [1];
        data  y: [1];
        net D(x: [1]) -> [1] { x.dense(1).sigmoid() }
        player D maximizes { E[ln(D(x))] + E[ln(1 - D(y))] }
        train { D: sgd(0.0); }
        metric saturating = E[ln(1 - D(x))];
        metric slope = E[grad(ln(1 - D(y)), y)];
    }
}

fn objective(x: f32, y: f32) -> (f32, f32, f32) {
    let mut model = Extreme::build(Config::new().batch(2).seed(1)).expect("the model builds");
    model.set_parameter("D.dense_0.weight", &Tensor::new([1, 1], vec![1.0]).expect("a weight")).expect("it is there");
    model.set_parameter("D.dense_0.bias", &Tensor::new([1], vec![0.0]).expect("a bias")).expect("it is there");
    let rows = |v: f32| Tensor::new([2, 1], vec![v, v]).expect("two rows");
    model.step(&[ExtremeBatch { x: rows(x), y: rows(y) }]).expect("a step");
    let weight = model.parameter("D.dense_0.weight").expect("it is there");
    assert!(weight.as_slice()[0].is_finite(), "the update of logits {x}, {y} is {}", weight.as_slice()[0]);
    let metrics = model.metrics().expect("metrics");
    (metrics.D, metrics.saturating, metrics.slope)
}

#[test]
fn logarithms_of_sigmoids_are_exact_at_logits_of_a_hundred() {
    // ln σ(100) + ln(1 − σ(−100)) = −2e⁻¹⁰⁰; ln(1 − σ(100)) = −100 − …
    let (value, saturating, slope) = objective(100.0, -100.0);
    assert!(value.abs() < 1e-30, "{value}");
    assert!((saturating + 100.0).abs() < 1e-4, "{saturating}");
    assert!(slope.abs() < 1e-30, "d ln(1 − σ(t))/dt = −σ(t) vanishes at −100: {slope}");
    let (value, saturating, slope) = objective(-100.0, 100.0);
    assert!((value + 200.0).abs() < 1e-4, "{value}");
    assert!(saturating.abs() < 1e-30, "{saturating}");
    assert!((slope + 1.0).abs() < 1e-6, "{slope}");
}
