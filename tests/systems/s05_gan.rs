//! 5. The original GAN (Goodfellow et al. 2014, algorithm 1).
//!
//! k discriminator steps a generator step, the saturating game.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Both players share the value V(D, G).
    pub model Gan {
        data  x: [2];
        noise z: normal([3]);
        net G(z: [3]) -> [2] { z.dense(4).tanh().dense(2) }
        net D(x: [2]) -> [1] { x.dense(5).relu().dense(1).sigmoid() }
        min G, max D { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        train { D: sgd(0.1, momentum = 0.5), steps = 3; G: sgd(0.1); }
        output sample = G(z);
    }
}

fn generator(t: &Point<'_>, z: &Array) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", z).tanh())
}

fn logit(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", x).relu())
}

#[test]
fn saturating_game() {
    let system = System::of(&Gan::build(Config::new().batch(4)).expect("it builds"));
    system.gain("D", |t| {
        let fake = generator(t, &t.normal(&[t.batch(), 3]));
        -(-logit(t, &t.data("x"))).softplus().mean() - logit(t, &fake).softplus().mean()
    });
    // The term that G cannot move is left out of its value.
    system.loss("G", |t| -logit(t, &generator(t, &t.normal(&[t.batch(), 3]))).softplus().mean());
    system.output("sample", 0, |t| generator(t, &t.normal(&[t.batch(), 3])));
    system.audit();
}
