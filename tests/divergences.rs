//! f-GAN from f alone: for every divergence of the table, what `gan!` makes of f is what an independent calculation gives, in
//! value and gradient, and stays finite in single precision.

mod support;

use saddlepoint::compiler::ir::interpret::interpret;
use support::difference::check;
use support::{Lowered, Point, assert_close};

const PI: f64 = 0.3;

/// One model a divergence: V maximises the bound, with a part of second order.
macro_rules! family {
    ($name:ident: $($f:tt)+) => {
        #[allow(dead_code, unused_variables)] // only the model's text is used, and not every f has a PI
        mod $name {
            use saddlepoint::prelude::*;
            gan! {
                pub model FGan {
                    const PI: f32 = 0.3;
                    data x: [2];
                    data y: [2];
                    divergence d(u) = $($f)+;
                    net V(x: [2]) -> [1] { x.dense(3).tanh().dense(1) }
                    net W(x: [2]) -> [1] { x.dense(3).tanh().dense(1) }
                    let inner = d.conjugate(d.activation(W(x)));
                    player V minimizes { -d.bound(V(x), V(y)) }
                    player W minimizes { E[inner] + E[square(grad(inner, x).norm() - 1.0)] }
                    train { V, W: sgd(1.0); }
                    metric threshold = d.threshold();
                    metric value = E[d(exp(x))];
                    output conjugate(t: [1]) = d.conjugate(t);
                    output activation(v: [1]) = d.activation(v);
                    output composed(v: [1]) = d.conjugate(d.activation(v));
                    output slope(v: [1]) = grad(d.conjugate(d.activation(v)), v);
                    output activation_slope(v: [1]) = grad(d.activation(v), v);
                }
            }
        }
    };
}

family!(kl: u * ln(u));
family!(reverse_kl: -ln(u));
family!(pearson: square(u - 1.0));
family!(neyman: square(1.0 - u) / u);
family!(hellinger: square(sqrt(u) - 1.0));
family!(jeffrey: (u - 1.0) * ln(u));
family!(jensen_shannon: -(u + 1.0) * ln((1.0 + u) / 2.0) + u * ln(u));
family!(weighted: PI * u * ln(u) - (1.0 - PI + PI * u) * ln(1.0 - PI + PI * u));
family!(gan: u * ln(u) - (u + 1.0) * ln(u + 1.0));
family!(total_variation: 0.5 * abs(u - 1.0));

/// W(z) by Newton's method on w·eʷ = z.
fn lambert_w(z: f64) -> f64 {
    let mut w = if z < 1.0 { z } else { z.ln() };
    for _ in 0..100 {
        w -= (w * w.exp() - z) / (w.exp() * (w + 1.0));
    }
    w
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// A row of the table: f, f*, g, f*(g(v)) in a form that is accurate, f′(1), and v at which f* is asked.
struct Row {
    f: fn(f64) -> f64,
    conjugate: fn(f64) -> f64,
    activation: fn(f64) -> f64,
    composed: fn(f64) -> f64,
    threshold: f64,
}

fn verify(lowered: &Lowered, row: &Row) {
    let run = |name: &str, at: &[f64]| {
        let graph = lowered.output(name);
        let mut point = lowered.point(graph, 3);
        let input = graph.inputs.iter().map(|s| s.name.clone()).find(|n| n != "key").expect("the parameter");
        let mut found = Vec::new();
        for pair in at.chunks(2) {
            point.set(graph, &input, &[pair[0], pair[pair.len() - 1]]);
            let values = point.run(graph).outputs[0].1.to_f64s();
            found.extend(&values[..pair.len()]);
        }
        found
    };
    let scores: Vec<f64> = (-120..=120).map(|i| f64::from(i) * 0.25).collect();
    let slopes: Vec<f64> = scores.iter().map(|v| (row.activation)(*v)).collect();
    let near: Vec<f64> = slopes.iter().copied().filter(|t| (row.conjugate)(*t).is_finite()).collect();
    let relative = |what: &str, found: &[f64], wanted: &[f64]| {
        for (f, w) in found.iter().zip(wanted) {
            assert!((f - w).abs() <= 2e-6 * (1.0 + w.abs()), "{what}: {f} instead of {w}");
        }
    };
    relative("g", &run("activation", &scores), &slopes);
    relative("f*(g)", &run("composed", &scores), &scores.iter().map(|v| (row.composed)(*v)).collect::<Vec<_>>());
    // Near the end of the domain f* magnifies the rounding of constants to single precision.
    let inside: Vec<f64> =
        near.into_iter().filter(|t| ((row.conjugate)(*t + 1e-6) - (row.conjugate)(*t)).abs() < 1e-4).collect();
    assert!(inside.len() > 100);
    relative("f*", &run("conjugate", &inside), &inside.iter().map(|t| (row.conjugate)(*t)).collect::<Vec<_>>());
}

/// The bound of V's turn from the parameters alone.
fn verify_loss(lowered: &Lowered, row: &Row) {
    let graph = &lowered.turn("V").graph;
    let point = lowered.point(graph, 5);
    let named = |name: &str| {
        let state = graph.states.iter().position(|s| s.name == name).map(|i| point.states[i].to_f64s());
        state.or_else(|| graph.inputs.iter().position(|s| s.name.ends_with(name)).map(|i| point.inputs[i].to_f64s()))
    };
    let get = |name: &str| named(name).unwrap_or_else(|| panic!("{name} is read"));
    let (w, b) = (get("V.dense_0.weight"), get("V.dense_0.bias"));
    let (last, bias) = (get("V.dense_1.weight"), get("V.dense_1.bias"));
    let score = |x: &[f64]| -> f64 {
        bias[0] + (0..3).map(|i| last[i] * (w[2 * i] * x[0] + w[2 * i + 1] * x[1] + b[i]).tanh()).sum::<f64>()
    };
    let mean = |rows: &[f64], of: &dyn Fn(f64) -> f64| -> f64 {
        rows.chunks(2).map(|row| of(score(row))).sum::<f64>() / (rows.len() / 2) as f64
    };
    let bound = mean(&get("x"), &|v| (row.activation)(v)) - mean(&get("y"), &|v| (row.conjugate)((row.activation)(v)));
    let loss = point.run(graph).output("loss.V").expect("the loss").to_f64s()[0];
    assert_close("the loss", &[loss], &[-bound], 2e-6);
}

/// Single precision at scores as far as ±80.
fn verify_extremes(lowered: &Lowered) {
    for name in ["activation", "composed", "slope", "activation_slope"] {
        let graph = lowered.output(name);
        let mut point = lowered.point(graph, 3);
        let input = graph.inputs.iter().map(|s| s.name.clone()).find(|n| n != "key").expect("the parameter");
        for v in (-80..=80).step_by(2) {
            point.set(graph, &input, &[f64::from(v), f64::from(v + 1).min(80.0)]);
            let singles = |values: &[saddlepoint::compiler::ir::interpret::Value<f64>]| {
                values
                    .iter()
                    .map(|v| {
                        let floats: Vec<f32> = v.to_f64s().iter().map(|x| *x as f32).collect();
                        saddlepoint::compiler::ir::interpret::Value::floats(&v.ty.shape, floats).expect("as many")
                    })
                    .collect::<Vec<_>>()
            };
            let outcome = interpret::<f32>(graph, &singles(&point.inputs), &singles(&point.states)).expect("it runs");
            for found in outcome.outputs[0].1.to_f64s() {
                assert!(found.is_finite(), "{name} at {v} is {found}");
            }
        }
    }
}

fn metric(lowered: &Lowered, name: &str) -> (f64, Point) {
    let graph = lowered.programs.metrics.as_ref().expect("metrics");
    let point = lowered.point(graph, 9);
    let outcome = point.run(graph);
    let value = outcome.outputs.iter().find(|(n, _)| n.ends_with(name)).expect("the metric").1.to_f64s()[0];
    (value, point)
}

fn all<M: saddlepoint::Model>(row: &Row) {
    check::<M>(3);
    let lowered = Lowered::of::<M>(2);
    verify(&lowered, row);
    verify_loss(&lowered, row);
    verify_extremes(&lowered);
    let (threshold, _) = metric(&lowered, "threshold");
    assert_close("f′(1)", &[threshold], &[row.threshold], 1e-7);
    let (value, point) = metric(&lowered, "value");
    let graph = lowered.programs.metrics.as_ref().expect("metrics");
    let x = graph.inputs.iter().position(|s| s.name.ends_with('x')).map(|i| point.inputs[i].to_f64s()).expect("x is read");
    let wanted = x.iter().map(|x| (row.f)(x.exp())).sum::<f64>() / x.len() as f64;
    assert_close("f", &[value], &[wanted], 1e-6);
}

#[test]
fn kullback_leibler() {
    let row = Row {
        f: |u| u * u.ln(),
        conjugate: |t| (t - 1.0).exp(),
        activation: |v| v,
        composed: |v| (v - 1.0).exp(),
        threshold: 1.0,
    };
    all::<kl::FGan>(&row);
}

#[test]
fn reverse_kullback_leibler() {
    let row = Row {
        f: |u| -u.ln(),
        conjugate: |t| -1.0 - (-t).ln(),
        activation: |v| -(-v).exp(),
        composed: |v| v - 1.0,
        threshold: -1.0,
    };
    all::<reverse_kl::FGan>(&row);
}

#[test]
fn pearson_chi_squared() {
    let conjugate = |t: f64| if t >= -2.0 { t * t / 4.0 + t } else { -1.0 };
    let row = Row { f: |u| (u - 1.0).powi(2), conjugate, activation: |v| v, composed: conjugate, threshold: 0.0 };
    all::<pearson::FGan>(&row);
}

#[test]
fn neyman_chi_squared() {
    let row = Row {
        f: |u| (1.0 - u).powi(2) / u,
        conjugate: |t| 2.0 - 2.0 * (1.0 - t).sqrt(),
        activation: |v| 1.0 - (-v).exp(),
        composed: |v| 2.0 - 2.0 * (-0.5 * v).exp(),
        threshold: 0.0,
    };
    all::<neyman::FGan>(&row);
}

#[test]
fn squared_hellinger() {
    let row = Row {
        f: |u| (u.sqrt() - 1.0).powi(2),
        conjugate: |t| t / (1.0 - t),
        activation: |v| 1.0 - (-v).exp(),
        composed: |v| v.exp() - 1.0,
        threshold: 0.0,
    };
    all::<hellinger::FGan>(&row);
}

#[test]
fn jeffrey_with_lambert_w() {
    let conjugate = |t: f64| {
        let w = lambert_w((1.0 - t).exp());
        w + 1.0 / w + t - 2.0
    };
    let row = Row { f: |u| (u - 1.0) * u.ln(), conjugate, activation: |v| v, composed: conjugate, threshold: 0.0 };
    all::<jeffrey::FGan>(&row);
}

#[test]
fn jensen_shannon_divergence() {
    let row = Row {
        f: |u| -(u + 1.0) * ((1.0 + u) / 2.0).ln() + u * u.ln(),
        conjugate: |t| -(2.0 - t.exp()).ln(),
        activation: |v| std::f64::consts::LN_2 - softplus(-v),
        composed: |v| softplus(v) - std::f64::consts::LN_2,
        threshold: 0.0,
    };
    all::<jensen_shannon::FGan>(&row);
}

#[test]
fn weighted_jensen_shannon() {
    let row = Row {
        f: |u| PI * u * u.ln() - (1.0 - PI + PI * u) * (1.0 - PI + PI * u).ln(),
        conjugate: |t| (1.0 - PI) * ((1.0 - PI) / (1.0 - PI * (t / PI).exp())).ln(),
        // π ln u − π ln(1 − π + πu) at u = eᵛ
        activation: |v| -PI * (PI + (1.0 - PI) * (-v).exp()).ln(),
        composed: |v| (1.0 - PI) * (1.0 - PI + PI * v.exp()).ln(),
        threshold: 0.0,
    };
    all::<weighted::FGan>(&row);
}

#[test]
fn original_gan() {
    let row = Row {
        f: |u| u * u.ln() - (u + 1.0) * (u + 1.0).ln(),
        conjugate: |t| -(1.0 - t.exp()).ln(),
        activation: |v| -softplus(-v),
        composed: softplus,
        threshold: -std::f64::consts::LN_2,
    };
    all::<gan::FGan>(&row);
}

#[test]
fn total_variation_distance() {
    let row = Row {
        f: |u| 0.5 * (u - 1.0).abs(),
        conjugate: |t| t,
        activation: |v| 0.5 * v.tanh(),
        composed: |v| 0.5 * v.tanh(),
        threshold: 0.0,
    };
    all::<total_variation::FGan>(&row);
}
