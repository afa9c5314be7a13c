//! System 25. Energy-based GAN (Zhao, Mathieu and LeCun 2017): the discriminator is an autoencoder, its error the energy. It
//! is trained on real samples first; then fakes are pushed up to a margin, without which their energy grows for ever. The
//! pull-away term keeps the codes of fakes from pointing one way.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// The ablation without margin is decided when the model is built. The autoencoder's result is linear: energies have no
    /// bound.
    pub model Ebgan {
        const MARGIN: bool;
        data x: [6];
        noise z: normal([3]);
        hyper margin: f32 = 10.0;
        hyper pull: f32 = 0.1;
        net G(z: [3]) -> [6] { z.dense(5).relu().dense(6).tanh() }
        net Enc(x: [6]) -> [3] { x.dense(5).relu().dense(3) }
        net Dec(h: [3]) -> [6] { h.dense(5).relu().dense(6) }
        fn energy(x) { square(Dec(Enc(x)) - x).sum() }
        fn pushed(e) { if MARGIN { relu(margin - e) } else { -e } }
        let fake = G(z);
        let code = Enc(fake);
        player Warm updates (Enc, Dec) minimizes { E[energy(x)] }
        player D updates (Enc, Dec) minimizes { E[energy(x)] + E[pushed(energy(fake))] }
        player G minimizes { E[energy(fake)] + pull * E[square(cosine(code, other_sample(code)))] }
        train { Warm, D, G: adam(1e-2, beta1 = 0.5); }
        phase warm: Warm;
        phase play: D, G;
        metric fakes = E[energy(fake)];
        output score(x) = energy(x);
    }
}

fn two_layers(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_1"), &t.dense(&format!("{net}.dense_0"), x).relu())
}

fn generator(t: &Point<'_>) -> Array {
    two_layers(t, "G", &t.normal(&[t.batch(), 3])).tanh()
}

fn energy(t: &Point<'_>, x: &Array) -> Array {
    (two_layers(t, "Dec", &two_layers(t, "Enc", x)) - x).square().sum_each()
}

/// cos² of two rows.
fn alike(codes: &Array, i: usize, j: usize) -> f64 {
    let (a, b) = (codes.entry(0, i), codes.entry(0, j));
    (&a * &b).sum().powi(2) / (a.square().sum() * b.square().sum())
}

/// The paper's term: over all ordered pairs of different samples.
fn pull_away(codes: &Array) -> f64 {
    let n = codes.shape()[0];
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
    pairs.map(|(i, j)| alike(codes, i, j)).sum::<f64>() / (n * (n - 1)) as f64
}

fn check(margin: bool, batch: usize) {
    let model = Ebgan::build(EbganConsts { MARGIN: margin }, Config::new().batch(batch)).expect("it builds");
    let system = System::of(&model);
    system.loss("Warm", |t| energy(t, &t.data("x")).mean());
    system.loss("D", |t| {
        let (real, fake) = (energy(t, &t.data("x")), energy(t, &generator(t)));
        real.mean() + if margin { fake.map(|e| (10.0 - e).max(0.0)).mean() } else { -fake.mean() }
    });
    system.loss("G", |t| {
        let fake = generator(t);
        let codes = two_layers(t, "Enc", &fake);
        let others = t.other_sample(&codes);
        let term = match batch {
            // Of two samples each is the other's only other one: the drawn pairs are all pairs.
            2 => pull_away(&codes),
            n => {
                let both = Array::concat(&[&codes, &others], 0);
                (0..n).map(|i| alike(&both, i, n + i)).sum::<f64>() / n as f64
            }
        };
        energy(t, &fake).mean() + 0.1 * term
    });
    system.metric("fakes", |t| energy(t, &generator(t)).mean());
    system.output("score", 0, |t| energy(t, &t.argument("x")));
    system.audit();
}

#[test]
fn energies_up_to_a_margin() {
    check(true, 4);
}

#[test]
fn the_pull_away_term_is_the_papers() {
    check(true, 2);
}

#[test]
fn ablation_without_margin() {
    check(false, 4);
}

fn played(margin: bool) -> Ebgan {
    let consts = EbganConsts { MARGIN: margin };
    let mut model = Ebgan::build(consts, Config::new().batch(8).seed(2)).expect("it builds");
    let batch = EbganBatch { x: waves(&[8, 6], 0.0) };
    let map = model.parameter("G.dense_0.weight").expect("it is there");
    let start = model.score(&batch.x).expect("energies").as_slice().iter().sum::<f32>();
    for _ in 0..100 {
        model.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let metrics = model.metrics().expect("metrics");
    assert!(metrics.Warm.is_some() && metrics.D.is_none() && metrics.G.is_none(), "only the autoencoder has moved");
    assert_eq!(model.parameter("G.dense_0.weight").expect("it is there"), map);
    let warm = model.score(&batch.x).expect("energies").as_slice().iter().sum::<f32>();
    assert!(warm < 0.5 * start, "energies of real samples fall while warming: {start} to {warm}");
    model.enter(EbganPhase::play);
    for _ in 0..200 {
        model.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let metrics = model.metrics().expect("metrics");
    assert!(metrics.Warm.is_none() && metrics.D.is_some() && metrics.G.is_some(), "both play");
    assert_ne!(model.parameter("G.dense_0.weight").expect("it is there"), map);
    model
}

#[test]
fn the_margin_holds_what_blows_up_without_it() {
    let [held, free] = [true, false].map(|margin| played(margin).metrics().expect("metrics").fakes.expect("it is logged"));
    assert!(held < 12.0, "with margin the energy of fakes is {held}");
    assert!(free > 100.0, "without margin the energy of fakes is {free}");
}
