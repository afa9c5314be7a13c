//! 48. Style transfer of text by cross-alignment (Shen et al. 2017).
//!
//! Two styles have one space of codes; critics compare the decoder's sequences of hidden states: forced along the right words
//! (professor forcing, Lamb et al. 2016), and fed with its own soft words softmax(logits / τ) from a code of the other style.
//! The gradient passes through the soft words, and τ falls with progress.

use crate::harness::words::classes;
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Sentences of style a have label 0, those of style b label 1.
    pub model Styles {
        const V: usize;
        const T: usize = 3;
        const H: usize = 3;
        data a: [T] of class(V);
        data b: [T] of class(V);
        hyper lambda: f32 = 1.0;
        hyper tau: f32 = max(0.1, 1.0 - progress);
        net Emb(w: [V]) -> [2] { w.dense(2, bias = false) }
        net Enc(e: [T, 2], style: class(2)) -> [H] { concat(e, style.embed(2).copies(T), axis = 1).gru(H)[T - 1] }
        net Start(z: [H], style: class(2)) -> [H] { concat(z, style.embed(2)).dense(H).tanh() }
        net Step(e: [2], h: [H]) -> ([V], [H]) { let h = e.gru_cell(h); (h.dense(V), h) }
        net DA(h: [T, H]) -> [1] { h.transpose(0, 1).conv(3, kernel = 2).leaky_relu(0.2).flatten().dense(1) }
        net DB(h: [T, H]) -> [1] { h.transpose(0, 1).conv(3, kernel = 2).leaky_relu(0.2).flatten().dense(1) }
        fn encode(x, style) { Enc(vmap(x.one_hot(), |w| Emb(w)), label(style, 2)) }
        fn decode(z, style, words, forced) {
            let (mut h, mut e, mut states, mut loss) = (Start(z, label(style, 2)), zeros([2]), list(), 0.0);
            for t in 0..T {
                let (logits, next) = Step(e, h);
                loss += cross_entropy(logits, words[t]);
                e = if forced { Emb(words[t].one_hot()) } else { Emb(softmax(logits / tau)) };
                h = next;
                states.push(h);
            }
            (loss, stack(states))
        }
        let (za, zb) = (encode(a, 0), encode(b, 1));
        let ((loss_a, forced_a), (loss_b, forced_b)) = (decode(za, 0, a, true), decode(zb, 1, b, true));
        let (free_a, free_b) = (decode(zb, 0, b, false).1, decode(za, 1, a, false).1);
        let critic_a = E[softplus(-DA(forced_a))] + E[softplus(DA(free_a))];
        let critic_b = E[softplus(-DB(forced_b))] + E[softplus(DB(free_b))];
        player DA minimizes { critic_a }
        player DB minimizes { critic_b }
        player Coder updates (Emb, Enc, Start, Step) minimizes { E[loss_a] + E[loss_b] - lambda * (critic_a + critic_b) }
        train { DA, DB: adam(0.02, beta1 = 0.5); Coder: adam(0.02, beta1 = 0.5), clip_norm = 30.0; }
        fn transfer(z, style) {
            let (mut h, mut w, mut words) = (Start(z, label(style, 2)), zeros([2]), list());
            for _ in 0..T {
                let (logits, next) = Step(w, h);
                w = Emb(argmax(logits).one_hot());
                h = next;
                words.push(argmax(logits));
            }
            stack(words)
        }
        metric rebuilt = E[loss_a] + E[loss_b];
        metric confusion = critic_a + critic_b;
        output to_b(a) = transfer(encode(a, 0), 1);
        output to_a(b) = transfer(encode(b, 1), 0);
    }
}

/// The row of a table that belongs to a style, for every sample.
fn style(t: &Point<'_>, table: &str, style: usize, batch: usize) -> Array {
    t.embed(table, &Array::full(&[batch], style as f64))
}

/// The code of sentences: their words one after the other, each beside the style.
fn encode(t: &Point<'_>, x: &Array, label: usize) -> Array {
    let batch = x.shape()[0];
    let mut h = Array::zeros(&[batch, 3]);
    for place in 0..3 {
        let word = t.dense("Emb.dense_0", &x.entry(1, place).one_hot(4));
        h = t.gru_cell("Enc.gru_0", &Array::concat(&[&word, &style(t, "Enc.embed_0", label, batch)], 1), &h);
    }
    h
}

/// What the decoder is fed with after each word.
enum Fed<'a> {
    Right(&'a Array),
    Soft(f64),
    Greedy,
}

/// Scores of the words `[batch, T, V]` and the states `[batch, T, H]` of the decoder.
fn decode(t: &Point<'_>, z: &Array, label: usize, fed: &Fed<'_>) -> (Array, Array) {
    let batch = z.shape()[0];
    let mut h = t.dense("Start.dense_0", &Array::concat(&[z, &style(t, "Start.embed_0", label, batch)], 1)).tanh();
    let mut e = Array::zeros(&[batch, 2]);
    let (mut scores, mut states) = (Vec::new(), Vec::new());
    for place in 0..3 {
        h = t.gru_cell("Step.gru_cell_0", &e, &h);
        let logits = t.dense("Step.dense_0", &h);
        let word = match fed {
            Fed::Right(words) => words.entry(1, place).one_hot(4),
            Fed::Soft(tau) => (&logits / *tau).softmax(),
            Fed::Greedy => logits.argmax().one_hot(4),
        };
        e = t.dense("Emb.dense_0", &word);
        scores.push(logits);
        states.push(h.clone());
    }
    (Array::stack(&scores, 1), Array::stack(&states, 1))
}

fn critic(t: &Point<'_>, net: &str, states: &Array) -> Array {
    let h = t.conv(&format!("{net}.conv_0"), &states.transpose(&[0, 2, 1]), 1, 0).leaky_relu(0.2);
    t.dense(&format!("{net}.dense_0"), &h.flatten())
}

/// How badly a critic tells forced states of its style from free ones after codes of the other style.
fn confusion(t: &Point<'_>, net: &str) -> f64 {
    let (own, other) = if net == "DA" { (0, 1) } else { (1, 0) };
    let words = [t.data("a"), t.data("b")];
    let forced = decode(t, &encode(t, &words[own], own), own, &Fed::Right(&words[own])).1;
    let free = decode(t, &encode(t, &words[other], other), own, &Fed::Soft(t.hyper("tau"))).1;
    (-critic(t, net, &forced)).softplus().mean() + critic(t, net, &free).softplus().mean()
}

fn built(batch: usize) -> Styles {
    Styles::build(StylesConsts { V: 4 }, Config::new().batch(batch).seed(5).horizon(10)).expect("it builds")
}

#[test]
fn forced_and_free_states() {
    let system = System::of(&built(3));
    system.loss("DA", |t| confusion(t, "DA"));
    system.loss("DB", |t| confusion(t, "DB"));
    system.loss("Coder", |t| {
        let rebuilt = |x: &Array, label| {
            decode(t, &encode(t, x, label), label, &Fed::Right(x)).0.cross_entropy(x).sum() / t.batch() as f64
        };
        rebuilt(&t.data("a"), 0) + rebuilt(&t.data("b"), 1) - t.hyper("lambda") * (confusion(t, "DA") + confusion(t, "DB"))
    });
    system.output("to_b", 0, |t| decode(t, &encode(t, &t.argument("a"), 0), 1, &Fed::Greedy).0.argmax());
    system.output("to_a", 0, |t| decode(t, &encode(t, &t.argument("b"), 1), 0, &Fed::Greedy).0.argmax());
    system.audit();
}

/// Style a uses the words 0 and 1, style b the words 2 and 3.
fn sentences() -> StylesBatch {
    let a = [[0, 0, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1]];
    let rows = |shift: i32| a.map(|row| row.iter().map(|w| w + shift).collect::<Vec<i32>>());
    StylesBatch { a: classes(&rows(0), 4), b: classes(&rows(2), 4) }
}

#[test]
fn the_temperature_falls_with_progress() {
    let mut model = built(4);
    let mut seen = Vec::new();
    for _ in 0..11 {
        seen.push(model.tau());
        model.step(&[sentences()]).expect("a step");
    }
    for (step, tau) in seen.iter().enumerate() {
        let wanted = (1.0 - step as f32 / 10.0).max(0.1);
        assert!((tau - wanted).abs() < 1e-6, "τ is {tau} at step {step}");
    }
}

#[test]
fn critics_tell_states_apart_and_the_coder_closes_the_gap() {
    let mut model = built(4);
    let batch = sentences();
    model.step(std::slice::from_ref(&batch)).expect("a step");
    let mut figures = Vec::new();
    for (players, rounds, lambda) in [
        (&[][..], 0, 0.0),
        (&[StylesPlayer::Coder][..], 100, 0.0),
        (&[StylesPlayer::DA, StylesPlayer::DB][..], 100, 0.0),
        (&[StylesPlayer::Coder][..], 60, 3.0),
    ] {
        model.set_lambda(lambda);
        for _ in 0..rounds {
            players.iter().for_each(|player| model.turn(*player, &batch).expect("a turn"));
        }
        let metrics = model.metrics().expect("metrics");
        figures.push((metrics.rebuilt, metrics.confusion));
    }
    let [fresh, taught, judged, aligned] = figures[..] else { unreachable!() };
    assert!(taught.0 < 0.5 * fresh.0, "words are rebuilt: {figures:?}");
    assert!(judged.1 < 0.5, "critics tell forced states from free ones: {figures:?}");
    assert!(aligned.1 > judged.1 + 1.0, "the coder confuses critics that stand still: {figures:?}");
}
