//! 41. Sequence to sequence (Sutskever et al. 2014; Cho et al. 2014) with attention (Bahdanau et al. 2015).
//!
//! The decoder is unrolled in time and looks back at all states of the encoder; it is fed with the right words while it learns
//! and with its own best ones when it speaks. Padding counts neither as source nor as target.

use crate::harness::words::classes;
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Both nets have one player: this system has no adversary yet.
    pub model Seq2Seq {
        const N: usize;
        const H: usize;
        const V: usize = 5;
        const T: usize = 3;
        const PAD: usize = 0;
        const BOS: usize = 1;
        data pair { c: [N] of class(V), y: [T] of class(V) }
        net Enc(c: [N] of class(V)) -> [N, H] { c.embed(2).gru(H, mask = c != PAD) }
        net Step(w: class(V), h: [H], keys: [N, H], mask: [N]) -> ([V], [H]) {
            let h = w.embed(2).gru_cell(h);
            // Padding gets the weight 0.
            let seen = select(mask, matmul(keys, h), -1e9).softmax();
            (concat(h, matmul(seen, keys)).dense(V), h)
        }
        fn forced(c, y) {
            let (mask, keys) = (c != PAD, Enc(c));
            let (mut h, mut w, mut loss) = (keys[N - 1], label(BOS, V), 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h, keys, mask);
                loss += cross_entropy(logits, y[t]) * (y[t] != PAD);
                h = next;
                w = y[t];
            }
            loss
        }
        fn greedy(c) {
            let (mask, keys) = (c != PAD, Enc(c));
            let (mut h, mut w, mut words) = (keys[N - 1], label(BOS, V), list());
            for _ in 0..T {
                let (logits, next) = Step(w, h, keys, mask);
                w = argmax(logits);
                words.push(w);
                h = next;
            }
            stack(words)
        }
        let loss = E[forced(c, y)];
        player Coder updates (Enc, Step) minimizes { loss }
        train { Coder: adam(0.03); }
        metric perplexity = exp(loss / E[(y != PAD).sum()]);
        output reply(c) = greedy(c);
    }
}

/// The state of the encoder after every word.
fn encode(t: &Point<'_>, c: &Array) -> Array {
    t.gru("Enc.gru_0", &t.embed("Enc.embed_0", c), Some(&c.map(|w| f64::from(u8::from(w != 0.0)))))
}

/// The mean of a sample's states, weighted by the exponential of their product with h; words of the source only.
fn attend(keys: &Array, h: &Array, c: &Array) -> Array {
    let [batch, n, width] = [0, 1, 2].map(|a| keys.shape()[a]);
    let mut rows = Vec::new();
    for b in 0..batch {
        let state = |j: usize| &keys.values()[(b * n + j) * width..][..width];
        let (mut total, mut sum) = (0.0, vec![0.0; width]);
        for j in (0..n).filter(|j| c.values()[b * n + j] != 0.0) {
            let score: f64 = state(j).iter().zip(&h.values()[b * width..]).map(|(k, h)| k * h).sum();
            total += score.exp();
            sum.iter_mut().zip(state(j)).for_each(|(s, k)| *s += score.exp() * k);
        }
        rows.extend(sum.iter().map(|s| s / total));
    }
    Array::new(&[batch, width], rows)
}

/// Scores of the next word and the decoder's next state.
fn step(t: &Point<'_>, w: &Array, h: &Array, keys: &Array, c: &Array) -> (Array, Array) {
    let h = t.gru_cell("Step.gru_cell_0", &t.embed("Step.embed_0", w), h);
    (t.dense("Step.dense_0", &Array::concat(&[&h, &attend(keys, &h, c)], 1)), h)
}

/// −Σ ln p(word | the right words before it, source), a sample; padding left out.
fn forced(t: &Point<'_>, c: &Array, y: &Array) -> Array {
    let (keys, length) = (encode(t, c), y.shape()[1]);
    let (mut h, mut w) = (keys.entry(1, keys.shape()[1] - 1), Array::full(&[t.batch()], 1.0));
    let mut loss = Array::zeros(&[t.batch()]);
    for place in 0..length {
        let (logits, next) = step(t, &w, &h, &keys, c);
        w = y.entry(1, place);
        loss = loss + logits.cross_entropy(&w).zip(&w, |loss, word| if word == 0.0 { 0.0 } else { loss });
        h = next;
    }
    loss
}

fn built(n: usize, h: usize, batch: usize) -> Seq2Seq {
    Seq2Seq::build(Seq2SeqConsts { N: n, H: h }, Config::new().batch(batch).seed(3)).expect("it builds")
}

#[test]
fn attention_and_teacher_forcing() {
    let system = System::of(&built(4, 3, 3));
    system.loss("Coder", |t| forced(t, &t.data("pair.c"), &t.data("pair.y")).mean());
    system.metric("perplexity", |t| {
        let y = t.data("pair.y");
        let words = y.values().iter().filter(|w| **w != 0.0).count() as f64;
        (forced(t, &t.data("pair.c"), &y).sum() / words).exp()
    });
    system.output("reply", 0, |t| {
        let c = t.argument("c");
        let keys = encode(t, &c);
        let (mut h, mut w) = (keys.entry(1, 3), Array::full(&[c.shape()[0]], 1.0));
        let said: Vec<Array> = (0..3)
            .map(|_| {
                let (logits, next) = step(t, &w, &h, &keys, &c);
                (w, h) = (logits.argmax(), next);
                w.clone()
            })
            .collect();
        Array::stack(&said, 1)
    });
    system.audit();
}

/// All sources of one or two of the words 3 and 4, padded to n, and the same words backwards with an end (2).
fn reversals(n: usize) -> (Classes, Classes) {
    let sources: [&[i32]; 6] = [&[3], &[4], &[3, 3], &[3, 4], &[4, 3], &[4, 4]];
    let padded = |words: Vec<i32>, n: usize| [words, vec![0; n]].concat()[..n].to_vec();
    let c: Vec<Vec<i32>> = sources.iter().map(|words| padded(words.to_vec(), n)).collect();
    let y: Vec<Vec<i32>> =
        sources.iter().map(|words| padded([words.iter().rev().copied().collect(), vec![2]].concat(), 3)).collect();
    (classes(&c, 5), classes(&y, 5))
}

#[test]
fn learns_to_say_words_backwards() {
    let (c, y) = reversals(3);
    let mut model = built(3, 6, 6);
    for _ in 0..200 {
        model.step(&[Seq2SeqBatch { pair: Seq2SeqPair { c: c.clone(), y: y.clone() } }]).expect("a step");
    }
    let perplexity = model.metrics().expect("metrics").perplexity;
    assert!(perplexity < 1.1, "perplexity {perplexity}");
    let said = model.reply(&c).expect("an output");
    for i in 0..6 {
        let end = y.row(i).iter().position(|w| *w == 2).expect("an end");
        assert_eq!(said.row(i)[..=end], y.row(i)[..=end], "what follows the end means nothing");
    }
}

#[test]
fn more_padding_changes_nothing() {
    let (mut short, mut long) = (built(2, 3, 6), built(5, 3, 6));
    for _ in 0..5 {
        let mut perplexities = [0.0; 2];
        for (model, n, perplexity) in
            [(&mut short, 2), (&mut long, 5)].into_iter().zip(&mut perplexities).map(|((m, n), p)| (m, n, p))
        {
            let (c, y) = reversals(n);
            model.step(&[Seq2SeqBatch { pair: Seq2SeqPair { c, y } }]).expect("a step");
            *perplexity = model.metrics().expect("metrics").perplexity;
        }
        assert!((perplexities[0] - perplexities[1]).abs() < 1e-4, "{perplexities:?}");
    }
    let [a, b] = [short.reply(&reversals(2).0), long.reply(&reversals(5).0)].map(|said| said.expect("an output"));
    assert_eq!(a, b);
}
