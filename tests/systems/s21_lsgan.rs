//! System 21. Least-squares GAN (Mao et al. 2017): linear scores are drawn to a for fakes and b for real samples, and by the
//! generator to c. With (−1, 1, 0) and the best discriminator the objective is Pearson's χ² between p + q and 2q.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The targets are given when the model is built.
    pub model Lsgan {
        const FAKE: f32;
        const REAL: f32;
        const WANTED: f32;
        data x: [2];
        noise z: normal([3]);
        net G(z: [3]) -> [2] { z.dense(5).tanh().dense(2) }
        net D(x: [2]) -> [1] { x.dense(5).leaky_relu(0.2).dense(1) }
        let fake = G(z);
        player D minimizes { 0.5 * E[square(D(x) - REAL)] + 0.5 * E[square(D(fake) - FAKE)] }
        player G minimizes { 0.5 * E[square(D(fake) - WANTED)] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// Scores out of a table, so that the best discriminator is reached; both distributions are given by their samples.
    pub model Table {
        data real: class(4);
        data fake: class(4);
        net D(x: class(4)) -> [1] { x.embed(1) }
        player D minimizes { 0.5 * E[square(D(real) - 1.0)] + 0.5 * E[square(D(fake) + 1.0)] }
        train { D: sgd(1.0); }
        metric twice = E[square(D(real))] + E[square(D(fake))];
    }
}

fn generator(t: &Point<'_>) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", &t.normal(&[t.batch(), 3])).tanh())
}

fn score(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", x).leaky_relu(0.2))
}

fn check(fake: f32, real: f32, wanted: f32) {
    let consts = LsganConsts { FAKE: fake, REAL: real, WANTED: wanted };
    let system = System::of(&Lsgan::build(consts, Config::new().batch(4)).expect("it builds"));
    let [fake, real, wanted] = [fake, real, wanted].map(f64::from);
    let half = |scores: Array, target: f64| 0.5 * (scores - target).square().mean();
    system.loss("D", |t| half(score(t, &t.data("x")), real) + half(score(t, &generator(t)), fake));
    system.loss("G", |t| half(score(t, &generator(t)), wanted));
    system.output("sample", 0, generator);
    system.audit();
}

#[test]
fn fakes_at_0_real_samples_at_1() {
    check(0.0, 1.0, 1.0);
}

#[test]
fn fakes_at_minus_1_generator_to_0() {
    check(-1.0, 1.0, 0.0);
}

#[test]
fn the_best_discriminator_gives_pearsons_divergence() {
    let system = System::of(&Table::build(Config::new().batch(8)).expect("it builds"));
    let table = |t: &Point<'_>, field: &str| t.embed("D.embed_0", &t.data(field));
    system.loss("D", |t| 0.5 * (table(t, "real") - 1.0).square().mean() + 0.5 * (table(t, "fake") + 1.0).square().mean());
    system.audit();

    let classes = |values: [i32; 8]| Classes::new([8], 4, values.to_vec()).expect("eight classes");
    let (real, fake) = ([0, 0, 0, 0, 1, 1, 2, 3], [0, 1, 1, 2, 2, 2, 3, 3]);
    let batch = TableBatch { real: classes(real), fake: classes(fake) };
    let mut model = Table::build(Config::new().batch(8)).expect("it builds");
    for _ in 0..200 {
        model.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let share = |values: [i32; 8], k| values.iter().filter(|v| **v == k).count() as f32 / 8.0;
    let divergence = (0..4).map(|k| (share(real, k), share(fake, k))).map(|(p, q)| (p - q).powi(2) / (p + q)).sum::<f32>();
    let found = model.metrics().expect("metrics").twice;
    assert!((found - divergence).abs() < 1e-4, "{found} instead of {divergence}");
}
