//! 28. VAE-GAN (Larsen et al. 2016, algorithm 1): the distance of a reconstruction is taken in a layer of the discriminator.
//!
//! One evaluation, three updates: the adversary never reaches the encoder, the reconstruction never reaches the discriminator.

use crate::harness::{Array, Point, System, kl_normal};
use saddlepoint::prelude::*;

gan! {
    /// D's second result is the layer in which pictures are compared.
    pub model VaeGan {
        data x: [1, 4, 4];
        noise p: normal([3]);
        hyper gamma: f32 = 0.1;
        fn down(x) { x.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)).flatten() }
        net Enc(x: [1, 4, 4]) -> ([3], [3]) { let h = down(x); (h.dense(3), h.dense(3)) }
        net Dec(z: [3]) -> [1, 4, 4] {
            z.dense(3 * 2 * 2).reshape([3, 2, 2]).batch_norm().relu().conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 4, 4]) -> ([1], [5]) { let h = down(x).dense(5).leaky_relu(0.2); (h.dense(1), h) }
        let (mu, s) = Enc(x);
        let rec = Dec(mu + exp(0.5 * s) * normal([3]));
        let new = Dec(p);
        let near = E[0.5 * square(D(x).1 - D(rec).1).sum()];
        player D minimizes { E[softplus(-D(x).0)] + E[softplus(D(rec).0)] + E[softplus(D(new).0)] }
        player Dec minimizes { gamma * near + E[softplus(-D(rec).0)] + E[softplus(-D(new).0)] }
        player Enc minimizes { near + E[kl_normal(mu, s)] }
        train simultaneous { D, Dec, Enc: adam(2e-4, beta1 = 0.5); }
        output reconstruct(x) = Dec(Enc(x).0);
        output sample = Dec(p);
    }
}

/// Whether a batch's own statistics count, or the running ones.
#[derive(Clone, Copy)]
enum Mode {
    Training,
    Inference,
}

fn norm(t: &Point<'_>, layer: &str, x: &Array, mode: Mode) -> Array {
    match mode {
        Mode::Training => t.batch_norm(layer, x),
        Mode::Inference => t.batch_norm_inference(layer, x),
    }
}

fn down(t: &Point<'_>, net: &str, x: &Array, mode: Mode) -> Array {
    let layer = |kind: &str, i: usize| format!("{net}.{kind}_{i}");
    let h = (0..2).fold(x.clone(), |h, i| {
        norm(t, &layer("batch_norm", i), &t.conv(&layer("conv", i), &h, 2, 1), mode).leaky_relu(0.2)
    });
    h.flatten()
}

fn encoder(t: &Point<'_>, x: &Array, mode: Mode) -> (Array, Array) {
    let h = down(t, "Enc", x, mode);
    (t.dense("Enc.dense_0", &h), t.dense("Enc.dense_1", &h))
}

fn decoder(t: &Point<'_>, z: &Array, mode: Mode) -> Array {
    let h = t.dense("Dec.dense_0", z).reshape(&[z.shape()[0], 3, 2, 2]);
    t.conv_transpose("Dec.conv_transpose_0", &norm(t, "Dec.batch_norm_0", &h, mode).relu(), 2, 1).tanh()
}

/// A score, and the layer below it.
fn critic(t: &Point<'_>, x: &Array) -> (Array, Array) {
    let h = t.dense("D.dense_0", &down(t, "D", x, Mode::Training)).leaky_relu(0.2);
    (t.dense("D.dense_1", &h), h)
}

/// All that the one evaluation of a step computes.
struct Step {
    mu: Array,
    s: Array,
    real: (Array, Array),
    rec: (Array, Array),
    new: (Array, Array),
}

impl Step {
    fn of(t: &Point<'_>) -> Step {
        let x = t.data("x");
        let (mu, s) = encoder(t, &x, Mode::Training);
        let z = &mu + (&s * 0.5).exp() * t.normal(&[t.batch(), 3]);
        let rec = critic(t, &decoder(t, &z, Mode::Training));
        let new = critic(t, &decoder(t, &t.normal(&[t.batch(), 3]), Mode::Training));
        Step { mu, s, real: critic(t, &x), rec, new }
    }

    fn near(&self) -> f64 {
        0.5 * (&self.real.1 - &self.rec.1).square().sum_each().mean()
    }
}

#[test]
fn three_players_in_one_evaluation() {
    let system = System::of(&VaeGan::build(Config::new().batch(4)).expect("it builds"));
    system.loss("D", |t| {
        let step = Step::of(t);
        (-step.real.0).softplus().mean() + step.rec.0.softplus().mean() + step.new.0.softplus().mean()
    });
    system.loss("Dec", |t| {
        let step = Step::of(t);
        t.hyper("gamma") * step.near() + (-step.rec.0).softplus().mean() + (-step.new.0).softplus().mean()
    });
    system.loss("Enc", |t| {
        let step = Step::of(t);
        step.near() + kl_normal(&step.mu, &step.s).mean()
    });
    let inference = Mode::Inference;
    system.output("reconstruct", 0, |t| decoder(t, &encoder(t, &t.argument("x"), inference).0, inference));
    system.output("sample", 0, |t| decoder(t, &t.normal(&[t.batch(), 3]), inference));
    system.audit();
}

/// Weights of every player after one step, from the same start but for a change. Adam's first step shows signs of gradients.
fn stepped(change: impl Fn(&mut VaeGan)) -> [Vec<Tensor>; 3] {
    let mut model = VaeGan::build(Config::new().batch(4).seed(3)).expect("it builds");
    change(&mut model);
    let x = Tensor::new([4, 1, 4, 4], (0..64).map(|i| (i as f32 * 0.7).sin()).collect()).expect("pictures");
    model.step(&[VaeGanBatch { x }]).expect("a step");
    let weights =
        |names: &[&str]| names.iter().map(|n| model.parameter(&format!("{n}.weight")).expect("a weight")).collect();
    [
        weights(&["D.conv_0", "D.conv_1", "D.dense_0", "D.dense_1"]),
        weights(&["Dec.dense_0", "Dec.conv_transpose_0"]),
        weights(&["Enc.conv_0", "Enc.conv_1", "Enc.dense_0", "Enc.dense_1"]),
    ]
}

#[test]
fn the_adversary_never_reaches_the_encoder() {
    // Two scores from the same layer, far apart: only the adversary's verdicts change.
    let scored = |by: f32| {
        stepped(|model| {
            let weight = Tensor::new([1, 5], vec![by; 5]).expect("a weight");
            model.set_parameter("D.dense_1.weight", &weight).expect("set");
        })
    };
    let ([_, dec, enc], [_, other_dec, other_enc]) = (scored(30.0), scored(-30.0));
    assert_eq!(enc, other_enc);
    assert_ne!(dec, other_dec);
}

#[test]
fn the_reconstruction_never_reaches_the_discriminator() {
    let [d, dec, enc] = stepped(|_| ());
    // Another weight of the reconstruction, which is the decoder's affair alone.
    let [other_d, other_dec, other_enc] = stepped(|model| model.set_gamma(10.0));
    assert_eq!([d, enc], [other_d, other_enc]);
    assert_ne!(dec, other_dec);
}
