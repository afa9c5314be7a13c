//! 2. Conditional variational autoencoder with a learnt mean for each class (Su 2018).
//!
//! The codes of class y are held at N(m_y, I) by ½Σ(eˢ + (μ − m_y)² − 1 − s), and m_y moves with the nets. Neither net sees the
//! class: the mean is all that conditions.

use super::s01_vae::{bernoulli_loss, divergence_by_quadrature};
use crate::harness::host::array;
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;
use saddlepoint::{Classes, Tensor};

gan! {
    /// The means as a latent of the model, picked by a product.
    pub model Means {
        data  pair { x: [5], y: class(3) }
        noise eps: normal([2]);
        latent m: [3, 2];
        fn centre(y) { matmul(y.one_hot(), m) }
        fn log_likelihood(x, v) { (x * ln(sigmoid(v)) + (1 - x) * ln(1 - sigmoid(v))).sum() }
        net Enc(x: [5]) -> ([2], [2]) { let h = x.dense(6).tanh(); (h.dense(2), h.dense(2)) }
        net Dec(z: [2]) -> [5] { z.dense(6).tanh().dense(5) }
        let (mu, s) = Enc(x);
        let divergence = 0.5 * (exp(s) + square(mu - centre(y)) - 1 - s).sum();
        player Vae updates (Enc, Dec, m) minimizes {
            E[divergence] - E[log_likelihood(x, Dec(mu + exp(0.5 * s) * eps))]
        }
        train { Vae: adam(0.02); }
        output sample(y) = Dec(centre(y) + eps).sigmoid();
    }
}

gan! {
    /// The means as the rows of an embedding, which is a net.
    pub model Embedded {
        data  pair { x: [5], y: class(3) }
        noise eps: normal([2]);
        fn log_likelihood(x, v) { (x * ln(sigmoid(v)) + (1 - x) * ln(1 - sigmoid(v))).sum() }
        net Mean(y: class(3)) -> [2] { y.embed(2) }
        net Enc(x: [5]) -> ([2], [2]) { let h = x.dense(6).tanh(); (h.dense(2), h.dense(2)) }
        net Dec(z: [2]) -> [5] { z.dense(6).tanh().dense(5) }
        let (mu, s) = Enc(x);
        let divergence = 0.5 * (exp(s) + square(mu - Mean(y)) - 1 - s).sum();
        player Vae updates (Enc, Dec, Mean) minimizes {
            E[divergence] - E[log_likelihood(x, Dec(mu + exp(0.5 * s) * eps))]
        }
        train { Vae: adam(0.02); }
        output sample(y) = Dec(Mean(y) + eps).sigmoid();
    }
}

fn logits(t: &Point<'_>, z: &Array) -> Array {
    t.dense("Dec.dense_1", &t.dense("Dec.dense_0", z).tanh())
}

/// Both models are one calculation over a table of means.
fn check(model: &impl saddlepoint::Model, table: &str) {
    let system = System::of(model);
    system.loss("Vae", |t| {
        let x = t.data("pair.x");
        let mean = t.parameter(table).looked_up(&t.data("pair.y"));
        let h = t.dense("Enc.dense_0", &x).tanh();
        let (mu, s) = (t.dense("Enc.dense_1", &h), t.dense("Enc.dense_2", &h));
        let z = &mu + (&s * 0.5).exp() * t.normal(mu.shape());
        // A shift of both leaves the divergence as it is.
        divergence_by_quadrature(&(&mu - mean), &s).mean() + bernoulli_loss(&x, &logits(t, &z)).mean()
    });
    system.output("sample", 0, |t| {
        let mean = t.parameter(table).looked_up(&t.argument("y"));
        logits(t, &(&mean + t.normal(mean.shape()))).sigmoid()
    });
    system.audit();
}

#[test]
fn means_as_a_latent() {
    check(&Means::build(Config::new().batch(4)).expect("it builds"), "latent.m");
}

#[test]
fn means_as_an_embedding() {
    check(&Embedded::build(Config::new().batch(4)).expect("it builds"), "Mean.embed_0.weight");
}

#[test]
fn means_of_classes_part_and_generate_their_class() {
    let mut model = Means::build(Config::new().batch(6).seed(3)).expect("it builds");
    let rows = [[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]];
    let kind = |i: usize| i % 3;
    let x = Tensor::new([6, 5], (0..6).flat_map(|i| rows[kind(i)].map(|v| v as f32)).collect()).expect("pictures");
    let y = Classes::new([6], 3, (0..6).map(|i| kind(i) as i32).collect()).expect("classes");
    let nearest = |model: &Means| {
        let m = array(&model.m().expect("the means"));
        let apart = |a: usize, b: usize| (m.rows(&[a]) - m.rows(&[b])).norm_each().value();
        apart(0, 1).min(apart(0, 2)).min(apart(1, 2))
    };
    assert!(nearest(&model) < 0.2, "they start at the origin");
    for _ in 0..500 {
        model.step(&[MeansBatch { pair: MeansPair { x: x.clone(), y: y.clone() } }]).expect("a step");
    }
    // The codes of classes overlap little once their centres are three deviations apart.
    assert!(nearest(&model) > 3.0, "{}", nearest(&model));
    for k in 0..3 {
        let made = array(&model.sample(&Classes::new([200], 3, vec![k as i32; 200]).expect("classes")).expect("pictures"));
        let wanted = array(&x).rows(&[k]);
        let wrong = (made - wanted).abs().mean();
        assert!(wrong < 0.12, "class {k}: {wrong}");
    }
}
