//! 46. WGAN-GP on distributions over words (Gulrajani et al. 2017, section on language).
//!
//! The generator gives rows of a softmax, real sentences are rows of zeros and a one, and the critic's slope is penalised between
//! both. Beside it a critic of the Jensen-Shannon game as the control: it tells rows from one-hots perfectly and then has
//! nothing to teach.

use crate::harness::words::{classes, largest_move, parameters};
use crate::harness::{Array, Point, System, slope};
use saddlepoint::prelude::*;

gan! {
    /// D and G are the system; J is the control.
    pub model WordWgan {
        const V: usize;
        const T: usize = 3;
        data x: [T] of class(V);
        noise z: normal([2]);
        fn block(h) { h + 0.3 * h.relu().conv(3, kernel = 3, pad = 1).relu().conv(3, kernel = 3, pad = 1) }
        fn critic(x) { x.dense(3).transpose(0, 1).repeat(2, |h| block(h)).flatten().dense(1) }
        net G(z: [2]) -> [T, V] { z.dense(3 * T).reshape([3, T]).repeat(2, |h| block(h)).transpose(0, 1).dense(V).softmax() }
        net D(x: [T, V]) -> [1] { critic(x) }
        net J(x: [T, V]) -> [1] { critic(x) }
        let (real, fake) = (x.one_hot(), G(z));
        let mid = mix(real, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(real)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player J minimizes { E[softplus(-J(real))] + E[softplus(J(fake))] }
        player G minimizes { -E[D(fake)] }
        train {
            D: adam(0.01, beta1 = 0.0, beta2 = 0.9), steps = 5;
            J: adam(0.01, beta1 = 0.0, beta2 = 0.9), steps = 5;
            G: adam(0.01, beta1 = 0.0, beta2 = 0.9);
        }
        phase critics: D, J;
        phase play: D, G;
        metric told_apart = 0.5 * (E[J(real) > 0.0] + E[J(fake) < 0.0]);
        metric pull_of_d = E[grad(D(fake), fake).norm()];
        metric pull_of_j = E[grad(ln(1.0 - sigmoid(J(fake))), fake).norm()];
        output rows = G(z);
        output write = argmax(G(z));
    }
}

/// Two residual blocks on `[batch, 3, T]`.
fn blocks(t: &Point<'_>, net: &str, h: Array) -> Array {
    (0..2).fold(h, |h, i| {
        let inner = t.conv(&format!("{net}.conv_{}", 2 * i), &h.relu(), 1, 1);
        &h + 0.3 * t.conv(&format!("{net}.conv_{}", 2 * i + 1), &inner.relu(), 1, 1)
    })
}

fn generator(t: &Point<'_>, z: &Array) -> Array {
    let h = blocks(t, "G", t.dense("G.dense_0", z).reshape(&[z.shape()[0], 3, 3]));
    t.dense("G.dense_1", &h.transpose(&[0, 2, 1])).softmax()
}

fn critic(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let h = blocks(t, net, t.dense(&format!("{net}.dense_0"), x).transpose(&[0, 2, 1]));
    t.dense(&format!("{net}.dense_1"), &h.flatten())
}

fn drawn(t: &Point<'_>) -> Array {
    generator(t, &t.normal(&[t.batch(), 2]))
}

fn built(batch: usize) -> WordWgan {
    WordWgan::build(WordWganConsts { V: 4 }, Config::new().batch(batch).seed(2)).expect("it builds")
}

#[test]
fn rows_of_a_softmax_against_one_hots() {
    let system = System::of(&built(3));
    system.loss("D", |t| {
        let (real, fake) = (t.data("x").one_hot(4), drawn(t));
        let eps = t.uniform(&[t.batch(), 1, 1]);
        let mid = &eps * &real + (1.0 - &eps) * &fake;
        let norm = slope(&mid, |mid| critic(t, "D", mid).sum()).norm_each();
        critic(t, "D", &fake).mean() - critic(t, "D", &real).mean() + 10.0 * (norm - 1.0).square().mean()
    });
    system.loss("J", |t| {
        let real = t.data("x").one_hot(4);
        (-critic(t, "J", &real)).softplus().mean() + critic(t, "J", &drawn(t)).softplus().mean()
    });
    system.loss("G", |t| -critic(t, "D", &drawn(t)).mean());
    system.metric("pull_of_j", |t| slope(&drawn(t), |fake| -critic(t, "J", fake).softplus().sum()).norm_each().mean());
    system.output("rows", 0, drawn);
    system.output("write", 0, |t| drawn(t).argmax());
    system.audit();
}

/// Sentences that repeat one word, and such with one word replaced.
fn sentences() -> WordWganBatch {
    let rows =
        [[0, 0, 0], [1, 1, 1], [2, 2, 2], [3, 3, 3], [0, 0, 1], [1, 2, 1], [3, 2, 2], [3, 3, 0]].map(|row| row.to_vec());
    WordWganBatch { x: classes(&rows, 4) }
}

#[test]
fn only_the_penalised_critic_still_teaches() {
    let mut model = built(8);
    model.enter(WordWganPhase::critics);
    (0..80).for_each(|_| model.step(&[sentences()]).expect("a step"));
    let metrics = model.metrics().expect("metrics");
    let [told_apart, j, d] = [metrics.told_apart, metrics.pull_of_j, metrics.pull_of_d].map(|m| m.expect("a metric"));
    assert_eq!(told_apart, 1.0, "the control tells rows from one-hots");
    assert!(j < 0.02, "its pull on the rows vanishes: {j}");
    assert!(d > 0.3, "the penalised critic pulls on: {d}");
}

#[test]
fn the_critic_makes_five_steps_to_one() {
    let mut model = built(8);
    model.enter(WordWganPhase::play);
    let [critic, generator] = [["D.dense_0.weight", "D.dense_1.weight"], ["G.dense_0.weight", "G.dense_1.weight"]];
    let before = [parameters(&model, &critic), parameters(&model, &generator)];
    model.step(&[sentences()]).expect("a step");
    let [d, g] =
        [largest_move(&before[0], &parameters(&model, &critic)), largest_move(&before[1], &parameters(&model, &generator))];
    assert!(d > 0.03 && g < 0.011, "at rate 0.01 a step moved D by {d} and G by {g}");
}

#[test]
fn a_critic_that_stands_still_sharpens_the_rows() {
    let mut model = built(8);
    let sharpness = |model: &mut WordWgan| {
        let rows = model.rows(64).expect("rows");
        rows.as_slice().chunks(4).map(|row| row.iter().copied().fold(0.0, f32::max)).sum::<f32>() / 192.0
    };
    let blurred = sharpness(&mut model);
    model.enter(WordWganPhase::critics);
    (0..40).for_each(|_| model.step(&[sentences()]).expect("a step"));
    model.enter(WordWganPhase::play);
    let mut objectives = Vec::new();
    for _ in 0..60 {
        model.turn(WordWganPlayer::G, &sentences()).expect("a turn");
        objectives.push(model.metrics().expect("metrics").G.expect("G moved"));
    }
    let (first, last) = (objectives[0], objectives[59]);
    assert!(last < first - 0.5, "-E D(fake): {first}, then {last}");
    let sharp = sharpness(&mut model);
    assert!(sharp > blurred + 0.2, "largest entries of rows: {blurred} before, {sharp} after");
}
