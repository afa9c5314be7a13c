//! 1. Variational autoencoder (Kingma and Welling 2014), scored by importance weights (Burda et al. 2016).
//!
//! The gradient passes through a draw, z = μ + e^{s/2}·ε with s the log variance, and a closed Kullback-Leibler term holds the
//! codes at N(0, I).

use crate::harness::host::{array, learnt_dense, tensor};
use crate::harness::{Array, Point, System, normal_log_prob};
use saddlepoint::prelude::*;

gan! {
    /// Binarised pictures of five places, codes of two numbers.
    pub model Vae {
        data  x: [5];
        noise eps: normal([2]);
        net Enc(x: [5]) -> ([2], [2]) { let h = x.dense(6).tanh(); (h.dense(2), h.dense(2)) }
        net Dec(z: [2]) -> [5] { z.dense(6).tanh().dense(5) }
        // ln p(x|z) of independent places, v the logits.
        fn log_likelihood(x, v) { (x * ln(sigmoid(v)) + (1 - x) * ln(1 - sigmoid(v))).sum() }
        let (mu, s) = Enc(x);
        let z = mu + exp(0.5 * s) * eps;
        player Vae updates (Enc, Dec) minimizes {
            -E[log_likelihood(x, Dec(z))] + E[0.5 * (exp(s) + square(mu) - 1 - s).sum()]
        }
        train { Vae: adam(0.02); }
        output sample = Dec(eps).sigmoid();
        // ln p(x, z) − ln q(z|x) at one code: the mean of its exponential estimates p(x).
        output log_weight(x) = {
            let (mu, s) = Enc(x);
            let z = mu + exp(0.5 * s) * eps;
            let prior = normal_log_prob(z, zeros([2]), zeros([2]));
            log_likelihood(x, Dec(z)) + prior - normal_log_prob(z, mu, s)
        };
    }
}

fn posterior(t: &Point<'_>, x: &Array) -> (Array, Array) {
    let h = t.dense("Enc.dense_0", x).tanh();
    (t.dense("Enc.dense_1", &h), t.dense("Enc.dense_2", &h))
}

fn logits(t: &Point<'_>, z: &Array) -> Array {
    t.dense("Dec.dense_1", &t.dense("Dec.dense_0", z).tanh())
}

/// −ln p(x|z) a sample, from logits.
pub fn bernoulli_loss(x: &Array, v: &Array) -> Array {
    (v.softplus() - x * v).sum_each()
}

/// The divergence of N(mu, eˢ) from N(0, 1) a sample, as the integral of q·ln(q/p) that it is.
pub fn divergence_by_quadrature(mu: &Array, s: &Array) -> Array {
    let element = |mu: f64, s: f64| {
        let (deviation, width) = ((0.5 * s).exp(), 0.01);
        let at = |i: i32| {
            let t = f64::from(i) * width;
            let ln_ratio = -0.5 * t * t - 0.5 * s + 0.5 * (mu + deviation * t).powi(2);
            (-0.5 * t * t).exp() / std::f64::consts::TAU.sqrt() * ln_ratio * width
        };
        (-1200..=1200).map(at).sum()
    };
    mu.zip(s, element).sum_each()
}

#[test]
fn evidence_lower_bound() {
    let system = System::of(&Vae::build(Config::new().batch(4)).expect("it builds"));
    system.loss("Vae", |t| {
        let x = t.data("x");
        let (mu, s) = posterior(t, &x);
        let z = &mu + (&s * 0.5).exp() * t.normal(mu.shape());
        bernoulli_loss(&x, &logits(t, &z)).mean() + divergence_by_quadrature(&mu, &s).mean()
    });
    system.output("sample", 0, |t| logits(t, &t.normal(&[t.batch(), 2])).sigmoid());
    system.output("log_weight", 0, |t| {
        let x = t.argument("x");
        let (mu, s) = posterior(t, &x);
        let eps = t.normal(mu.shape());
        let z = &mu + (&s * 0.5).exp() * &eps;
        // The code's own density is that of ε, narrowed by the deviation.
        let own = normal_log_prob(&eps, &Array::zeros(&[2]), &Array::zeros(&[2])) - s.sum_each() * 0.5;
        normal_log_prob(&z, &Array::zeros(&[2]), &Array::zeros(&[2])) - own - bernoulli_loss(&x, &logits(t, &z))
    });
    system.audit();
}

/// Four pictures of five places.
fn pictures() -> Array {
    let rows = [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]];
    Array::new(&[4, 5], rows.iter().flatten().map(|v| f64::from(*v)).collect())
}

/// ln p(x) of every picture: the codes' plane summed up in squares.
fn evidence(model: &Vae) -> Vec<f64> {
    let (width, n) = (0.15, 40i32);
    let plane = (-n..=n).flat_map(|i| (-n..=n).flat_map(move |j| [f64::from(i) * width, f64::from(j) * width]));
    let codes = Array::new(&[(2 * n + 1).pow(2) as usize, 2], plane.collect());
    let v = learnt_dense(model, "Dec.dense_1", &learnt_dense(model, "Dec.dense_0", &codes).tanh());
    let prior = normal_log_prob(&codes, &Array::zeros(&[2]), &Array::zeros(&[2]));
    let of = |i: usize| (&prior - bernoulli_loss(&pictures().rows(&[i]), &v)).exp().sum() * width * width;
    (0..4).map(|i| of(i).ln()).collect()
}

#[test]
fn importance_weights_estimate_the_evidence_that_training_raises() {
    let mut model = Vae::build(Config::new().batch(4).seed(1)).expect("it builds");
    let mean = |e: &[f64]| e.iter().sum::<f64>() / 4.0;
    let before = mean(&evidence(&model));
    let mut bound = 0.0;
    for step in 0..400 {
        model.step(&[VaeBatch { x: tensor(&pictures()) }]).expect("a step");
        if step >= 300 {
            bound -= f64::from(model.metrics().expect("metrics").Vae) / 100.0;
        }
    }
    let exact = evidence(&model);
    // Four pictures of equal weight: no model reaches more than −ln 4.
    let after = mean(&exact);
    assert!(before < -3.0 && after > -2.6 && after < -4f64.ln(), "{before} to {after}");
    assert!(bound < after && bound > after - 0.8, "the bound {bound} lies a little below {after}");
    for (i, exact) in exact.iter().enumerate() {
        let weights = array(&model.log_weight(&tensor(&pictures().rows(&[i; 500]))).expect("an output"));
        let estimate = weights.exp().mean().ln();
        assert!((estimate - exact).abs() < 0.15, "picture {i}: {estimate} of {exact}");
    }
}
