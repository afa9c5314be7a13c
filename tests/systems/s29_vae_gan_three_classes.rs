//! 29. VAE-GAN with a discriminator of three classes (Lee's course on generative adversarial networks, 2018).
//!
//! It tells real, reconstructed and generated apart; the decoder wants both of its kinds taken for real.

use crate::harness::{Array, Point, System, kl_normal};
use saddlepoint::prelude::*;

gan! {
    /// Encoder, decoder, discriminator, in this order.
    pub model ThreeClass {
        const REAL: usize = 0;
        const RECONSTRUCTED: usize = 1;
        const GENERATED: usize = 2;
        data x: [6];
        noise p: normal([2]);
        net Enc(x: [6]) -> ([2], [2]) { let h = x.dense(5).relu(); (h.dense(2), h.dense(2)) }
        net Dec(z: [2]) -> [6] { z.dense(5).relu().dense(6).tanh() }
        net D(x: [6]) -> [3] { x.dense(5).leaky_relu(0.2).dense(3) }
        let (mu, s) = Enc(x);
        let rec = Dec(mu + exp(0.5 * s) * normal([2]));
        let new = Dec(p);
        let far = E[square(rec - x).sum()];
        player Enc minimizes { far + E[kl_normal(mu, s)] }
        player Dec minimizes { far + E[cross_entropy(D(rec), REAL)] + E[cross_entropy(D(new), REAL)] }
        player D minimizes {
            E[cross_entropy(D(x), REAL)] + E[cross_entropy(D(rec), RECONSTRUCTED)] + E[cross_entropy(D(new), GENERATED)]
        }
        train { Enc, Dec, D: adam(2e-4, beta1 = 0.5); }
        metric taken_for_real = E[argmax(D(new)) == REAL];
        output sample = Dec(p);
        output verdict(x) = D(x).softmax();
    }
}

fn encoder(t: &Point<'_>) -> (Array, Array) {
    let h = t.dense("Enc.dense_0", &t.data("x")).relu();
    (t.dense("Enc.dense_1", &h), t.dense("Enc.dense_2", &h))
}

fn decoder(t: &Point<'_>, z: &Array) -> Array {
    t.dense("Dec.dense_1", &t.dense("Dec.dense_0", z).relu()).tanh()
}

fn reconstruction(t: &Point<'_>) -> Array {
    let (mu, s) = encoder(t);
    decoder(t, &(mu + (s * 0.5).exp() * t.normal(&[t.batch(), 2])))
}

fn generated(t: &Point<'_>) -> Array {
    decoder(t, &t.normal(&[t.batch(), 2]))
}

fn far(t: &Point<'_>, rec: &Array) -> f64 {
    (rec - t.data("x")).square().sum_each().mean()
}

fn logits(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", x).leaky_relu(0.2))
}

/// −ln of the share that a class has among the three, in the mean.
fn surprise(t: &Point<'_>, x: &Array, class: usize) -> f64 {
    let odds = logits(t, x).exp();
    -(odds.entry(1, class) / odds.sum_over(&[1])).ln().mean()
}

#[test]
fn real_reconstructed_generated() {
    let system = System::of(&ThreeClass::build(Config::new().batch(4)).expect("it builds"));
    system.loss("Enc", |t| {
        let (mu, s) = encoder(t);
        far(t, &reconstruction(t)) + kl_normal(&mu, &s).mean()
    });
    system.loss("Dec", |t| {
        let rec = reconstruction(t);
        far(t, &rec) + surprise(t, &rec, 0) + surprise(t, &generated(t), 0)
    });
    system.loss("D", |t| surprise(t, &t.data("x"), 0) + surprise(t, &reconstruction(t), 1) + surprise(t, &generated(t), 2));
    system.metric("taken_for_real", |t| logits(t, &generated(t)).argmax().equals(&Array::scalar(0.0)).mean());
    system.output("sample", 0, generated);
    system.output("verdict", 0, |t| logits(t, &t.argument("x")).softmax());
    system.audit();
}
