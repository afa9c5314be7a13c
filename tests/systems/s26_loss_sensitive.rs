//! System 26. Loss-sensitive GAN (Qi 2017): a loss function L must be lower at a real sample than at the fake paired with
//! it, by a margin that is their distance Δ: far fakes are pushed further than near ones, and pairs that keep their margin
//! push no more.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Δ is the L1 distance; the paper's weight decay keeps L bounded.
    pub model Sensitive {
        data x: [3];
        noise z: normal([2]);
        hyper lambda: f32 = 1.5;
        net G(z: [2]) -> [3] { z.dense(5).tanh().dense(3) }
        net L(x: [3]) -> [1] { x.dense(6).tanh().dense(1) }
        let fake = G(z);
        let margin = abs(x - fake).sum();
        let short = margin + L(x) - L(fake);
        player L minimizes { E[L(x)] + lambda * E[relu(short)] }
        player G minimizes { E[L(fake)] }
        train { L: adam(1e-3, beta1 = 0.5, decay = 1e-4); G: adam(1e-3, beta1 = 0.5); }
        metric active = E[short > 0.0];
        output loss(x) = L(x);
    }
}

fn two_layers(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_1"), &t.dense(&format!("{net}.dense_0"), x).tanh())
}

fn generator(t: &Point<'_>) -> Array {
    two_layers(t, "G", &t.normal(&[t.batch(), 2]))
}

/// By how much each pair falls short of its margin.
fn short(t: &Point<'_>) -> Vec<f64> {
    let (x, fake) = (t.data("x"), generator(t));
    let (low, high) = (two_layers(t, "L", &x), two_layers(t, "L", &fake));
    let pair = |i: usize| {
        let distance: f64 = (0..3).map(|j| (x.values()[3 * i + j] - fake.values()[3 * i + j]).abs()).sum();
        distance + low.values()[i] - high.values()[i]
    };
    (0..t.batch()).map(pair).collect()
}

#[test]
fn every_pair_has_a_margin_of_its_own() {
    let system = System::of(&Sensitive::build(Config::new().batch(6)).expect("it builds"));
    let n = 6.0;
    system.loss("L", |t| {
        let pushed: f64 = short(t).into_iter().filter(|s| *s > 0.0).sum();
        two_layers(t, "L", &t.data("x")).mean() + 1.5 * pushed / n
    });
    // Δ depends on the fake as well, but is no part of the generator's objective.
    system.loss("G", |t| two_layers(t, "L", &generator(t)).mean());
    system.metric("active", |t| short(t).into_iter().filter(|s| *s > 0.0).count() as f64 / n);
    system.output("loss", 0, |t| two_layers(t, "L", &t.argument("x")));
    system.audit();
}
