//! 6. GAN with the non-saturating generator (Goodfellow et al. 2014, section 3).
//!
//! k steps of D, then one of G, which maximises ln D(G(z)) so that its gradient does not vanish while D rejects everything.

use super::s05_gan::{Gan, GanBatch};
use crate::harness::host::{learnt, tensor};
use crate::harness::{Array, Point, System, slope};
use crate::support::assert_close;
use saddlepoint::Tensor;
use saddlepoint::prelude::*;

gan! {
    /// Two steps of D to one of G.
    pub model NonSaturating {
        data  x: [2];
        noise z: normal([3]);
        net G(z: [3]) -> [2] { z.dense(4).tanh().dense(2) }
        net D(x: [2]) -> [1] { x.dense(3).tanh().dense(1).sigmoid() }
        player D maximizes { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        player G maximizes { E[ln(D(G(z)))] }
        train { D: sgd(0.5), steps = 2; G: sgd(0.2); }
        output sample = G(z);
    }
}

fn generator(t: &Point<'_>, z: &Array) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", z).tanh())
}

fn logit(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", x).tanh())
}

#[test]
fn two_objectives() {
    let system = System::of(&NonSaturating::build(Config::new().batch(4)).expect("it builds"));
    system.gain("D", |t| {
        let fake = generator(t, &t.normal(&[t.batch(), 3]));
        -(-logit(t, &t.data("x"))).softplus().mean() - logit(t, &fake).softplus().mean()
    });
    system.gain("G", |t| -(-logit(t, &generator(t, &t.normal(&[t.batch(), 3])))).softplus().mean());
    system.output("sample", 0, |t| generator(t, &t.normal(&[t.batch(), 3])));
    system.audit();
}

/// D's parameters in one row: W₀ (3·2), b₀ (3), W₁ (3), b₁.
const PARTS: [(&str, usize); 4] = [("dense_0.weight", 6), ("dense_0.bias", 3), ("dense_1.weight", 3), ("dense_1.bias", 1)];

fn row(model: &NonSaturating) -> Array {
    let parts = PARTS.map(|(name, n)| learnt(model, &format!("D.{name}")).reshape(&[n]));
    Array::concat(&parts.iter().collect::<Vec<_>>(), 0)
}

fn logit_of(row: &Array, x: &Array) -> Array {
    let w0 = row.slice(0, 0, 6).reshape(&[3, 2]).transpose(&[1, 0]);
    let h = (x.matmul(&w0) + row.slice(0, 6, 9)).tanh();
    h.matmul(&row.slice(0, 9, 12).reshape(&[3, 1])) + row.slice(0, 12, 13)
}

#[test]
fn two_steps_of_d_on_two_batches_then_one_of_g() {
    let mut model = NonSaturating::build(Config::new().batch(4).seed(1)).expect("it builds");
    // A generator that ignores its noise: the whole step can be calculated.
    model.set_parameter("G.dense_1.weight", &Tensor::zeros([2, 4])).expect("set");
    model.set_parameter("G.dense_1.bias", &Tensor::new([2], vec![0.4, -0.7]).expect("two")).expect("set");
    let batches = [0.0, 1.0].map(|k| Array::new(&[4, 2], (0..8).map(|i| (f64::from(i) * 1.3 + k).sin()).collect()));
    let fake = Array::new(&[1, 2], vec![0.4, -0.7]);
    let mut wanted = row(&model);
    for x in &batches {
        let value = |d: &Array| -(-logit_of(d, x)).softplus().mean() - logit_of(d, &fake).softplus().mean();
        wanted = &wanted + slope(&wanted, value) * 0.5;
    }
    let moved = &fake + slope(&fake, |fake| -(-logit_of(&wanted, fake)).softplus().mean()) * 0.2;
    model.step(&batches.map(|x| NonSaturatingBatch { x: tensor(&x) })).expect("a step");
    assert_close("D after its two steps", row(&model).values(), wanted.values(), 1e-5);
    assert_close("G after its one", learnt(&model, "G.dense_1.bias").values(), moved.values(), 1e-5);
}

#[test]
fn the_generator_learns_from_a_sure_discriminator() {
    // D is nearly constant and rejects everything: its logit is −20 + a little that depends on x.
    let x = Tensor::from_fn(8, |i| i as f32 / 8.0).reshape([4, 2]).expect("a batch");
    let sure = Tensor::new([1], vec![-20.0]).expect("one");
    let mut model = NonSaturating::build(Config::new().batch(4).seed(2)).expect("it builds");
    model.set_parameter("D.dense_1.bias", &sure).expect("set");
    let before = learnt(&model, "G.dense_1.bias");
    model.turn(NonSaturatingPlayer::G, &NonSaturatingBatch { x: x.clone() }).expect("a turn");
    let moved = (learnt(&model, "G.dense_1.bias") - before).abs().sum();
    let mut saturating = Gan::build(Config::new().batch(4).seed(2)).expect("it builds");
    saturating.set_parameter("D.dense_1.bias", &sure).expect("set");
    let before = learnt(&saturating, "G.dense_1.bias");
    saturating.turn(super::s05_gan::GanPlayer::G, &GanBatch { x }).expect("a turn");
    let stuck = (learnt(&saturating, "G.dense_1.bias") - before).abs().sum();
    assert!(moved > 1e-2 && stuck < 1e-6, "{moved} against {stuck}");
}
