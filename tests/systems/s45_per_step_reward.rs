//! 45. A reward for every word of a sentence (Yu et al. 2017, equation 4; Li et al. 2017).
//!
//! Monte-Carlo roll-outs from a copied recurrent state, or a critic of prefixes: the gradient of each word's probability is weighted
//! by what the sentence is worth from there on.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

const V: usize = 5;
const T: usize = 3;
const N: usize = 4;
const B: usize = 2;

gan! {
    /// SeqGAN's third phase, and the same with a critic of prefixes.
    pub model PerStep {
        const V: usize = 5;
        const T: usize = 3;
        const N: usize = 4;
        data pair { c: class(3), x: [T] of class(V) }
        net Start(c: class(3)) -> [4] { c.embed(4) }
        net Step(w: class(V), h: [4]) -> ([V], [4]) { let h = w.embed(3).gru_cell(h); (h.dense(V), h) }
        net D(c: class(3), x: [T] of class(V)) -> [1] { concat(x.embed(3).gru(4)[T - 1], c.embed(2)).dense(6).relu().dense(1) }
        net Prefix(x: [T] of class(V)) -> [1] { x.embed(3).gru(4, mask = x != 0)[T - 1].dense(1) }
        fn finish(said, state, last, from) {
            let (mut words, mut h, mut w) = (said, state, last);
            for _ in from..T {
                let (logits, next) = Step(w, h);
                w = sample(logits);
                words.push(w);
                h = next;
            }
            stack(words)
        }
        fn say(c) { finish(list(), Start(c), label(0, V), 0) }
        fn padded(said) {
            let mut words = said;
            for _ in 0..T { words.push(label(0, V)); }
            stack(words)[0..T]
        }
        let said = say(c);
        player D minimizes { E[softplus(-D(c, x))] + E[softplus(D(c, said))] }
        player Prefix minimizes { E[softplus(-Prefix(x))] + E[softplus(Prefix(said))] }
        player Words updates (Start, Step) maximizes {
            let (mut h, mut w, mut words, mut gain) = (Start(c), label(0, V), list(), 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h);
                w = sample(logits);
                h = next;
                words.push(w);
                let q = vmap(copies(h, N), |h| sigmoid(D(c, finish(words, h, w, t + 1)))).mean();
                gain += (q - E[q]) * log_prob(logits, w);
            }
            E[gain]
        }
        player Prefixes updates (Start, Step) maximizes {
            let (mut h, mut w, mut words, mut gain) = (Start(c), label(0, V), list(), 0.0);
            for _ in 0..T {
                let (logits, next) = Step(w, h);
                w = sample(logits);
                h = next;
                words.push(w);
                let q = sigmoid(Prefix(padded(words))).sum();
                gain += (q - E[q]) * log_prob(logits, w);
            }
            E[gain]
        }
        train { D, Prefix: adam(1e-3); Words, Prefixes: adam(1e-3); }
        phase critic: D, Prefix;
        phase rollout: D, Words;
        phase prefixes: Prefix, Prefixes;
        output sample(c) = say(c);
    }
}

fn step(t: &Point<'_>, w: &Array, h: &Array) -> (Array, Array) {
    let h = t.gru_cell("Step.gru_cell_0", &t.embed("Step.embed_0", w), h);
    (t.dense("Step.dense_0", &h), h)
}

fn critic(t: &Point<'_>, c: &Array, x: &Array) -> Array {
    let h = t.gru("D.gru_0", &t.embed("D.embed_0", x), None).entry(1, T - 1);
    let joined = Array::concat(&[&h, &t.embed("D.embed_1", c)], 1);
    t.dense("D.dense_1", &t.dense("D.dense_0", &joined).relu())
}

fn prefix(t: &Point<'_>, x: &Array) -> Array {
    let mask = x.map(|w| f64::from(u8::from(w != 0.0)));
    t.dense("Prefix.dense_0", &t.gru("Prefix.gru_0", &t.embed("Prefix.embed_0", x), Some(&mask)).entry(1, T - 1))
}

/// Words drawn one after the other behind those that were said.
fn finish(t: &Point<'_>, said: &[Array], state: &Array, last: &Array) -> Array {
    let (mut words, mut h, mut w) = (said.to_vec(), state.clone(), last.clone());
    while words.len() < T {
        let (logits, next) = step(t, &w, &h);
        w = t.sample(&logits);
        words.push(w.clone());
        h = next;
    }
    Array::stack(&words, 1)
}

fn say(t: &Point<'_>, c: &Array) -> Array {
    finish(t, &[], &t.embed("Start.embed_0", c), &Array::zeros(&[t.batch()]))
}

/// Σ_t (q_t − mean q_t)·ln p(w_t), averaged over the batch, where `worth` says what the sentence is worth after each word.
fn gain(t: &Point<'_>, worth: impl Fn(&[Array], &Array, &Array) -> Array) -> f64 {
    let (mut h, mut w) = (t.embed("Start.embed_0", &t.data("pair.c")), Array::zeros(&[t.batch()]));
    let (mut words, mut total) = (Vec::new(), Array::zeros(&[t.batch()]));
    for _ in 0..T {
        let (logits, next) = step(t, &w, &h);
        w = t.sample(&logits);
        h = next;
        words.push(w.clone());
        let q = worth(&words, &h, &w);
        total = total + (&q - q.mean()) * logits.log_prob(&w);
    }
    total.mean()
}

#[test]
fn words_are_worth_what_roll_outs_and_prefixes_say() {
    let system = System::of(&PerStep::build(Config::new().batch(B)).expect("it builds"));
    system.loss("D", |t| {
        let (c, x) = (t.data("pair.c"), t.data("pair.x"));
        let said = say(t, &c);
        (-critic(t, &c, &x)).softplus().mean() + critic(t, &c, &said).softplus().mean()
    });
    system.loss("Prefix", |t| {
        let said = say(t, &t.data("pair.c"));
        (-prefix(t, &t.data("pair.x"))).softplus().mean() + prefix(t, &said).softplus().mean()
    });
    system.gain("Words", |t| {
        let c = t.data("pair.c");
        gain(t, |words, h, w| {
            // N ways to go on from each sample's state, side by side.
            let each: Vec<usize> = (0..B * N).map(|row| row / N).collect();
            let copied = |x: &Array| x.rows(&each);
            let words: Vec<Array> = words.iter().map(copied).collect();
            let ends = finish(t, &words, &copied(h), &copied(w));
            critic(t, &copied(&c), &ends).sigmoid().reshape(&[B, N]).mean_each()
        })
    });
    system.gain("Prefixes", |t| {
        gain(t, |words, _, _| {
            let mut padded = words.to_vec();
            padded.resize(T, Array::zeros(&[B]));
            prefix(t, &Array::stack(&padded, 1)).sigmoid().sum_each()
        })
    });
    system.output("sample", 0, |t| say(t, &t.argument("c")));
    system.audit();
}

#[test]
fn sizes_are_those_of_the_model() {
    let mut model = PerStep::build(Config::new().batch(B)).expect("it builds");
    let said = model.sample(&Classes::new([1], 3, vec![2]).expect("a class")).expect("a sentence");
    assert_eq!(said.shape(), [1, T]);
    assert!(said.as_slice().iter().all(|w| (0..V as i32).contains(w)));
}
