//! The two models of sentences whose programs are the largest: hundreds of equal steps, which are compiled once.
//!
//! They are what the time of a build is measured on (`cargo run --release --example builds`).

#![allow(missing_docs)] // the models' own types

use saddlepoint::prelude::*;

gan! {
    /// SeqGAN (Yu et al. 2017): a reward for the whole sentence (`play`), or for each word by roll-outs (`rollout`).
    pub model SeqGan {
        const V: usize = 200;
        const T: usize = 10;
        const N: usize = 16;
        data pair { c: class(20), x: [T] of class(V) }
        net Start(c: class(20)) -> [32] { c.embed(32) }
        net Step(w: class(V), h: [32]) -> ([V], [32]) { let h = w.embed(32).gru_cell(h); (h.dense(V), h) }
        net D(c: class(20), x: [T] of class(V)) -> [1] { concat(x.embed(32).gru(64)[T - 1], c.embed(16)).dense(32).relu().dense(1) }
        fn likelihood(h0, x) {
            let (mut h, mut w, mut total) = (h0, label(0, V), 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h);
                total += log_prob(logits, x[t]);
                h = next;
                w = x[t];
            }
            total
        }
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
        let said = say(c);
        player Teach updates (Start, Step) maximizes { E[likelihood(Start(c), x)] }
        player D minimizes { E[softplus(-D(c, x))] + E[softplus(D(c, said))] }
        player G updates (Start, Step) maximizes {
            let reward = sigmoid(D(c, said));
            E[(reward - E[reward]) * likelihood(Start(c), said)]
        }
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
        train { Teach: adam(1e-2); D: adam(1e-3), steps = 5; G, Words: adam(1e-3); }
        phase mle: Teach;
        phase critic: D;
        phase play: D, G;
        phase rollout: D, Words;
        output sample(c) = say(c);
    }
}

gan! {
    /// Unsupervised summaries (Wang and Lee 2018): a copy network, reconstruction and a critic as reward.
    pub model Summary {
        const V: usize;
        const N: usize = 60;
        const T: usize = 10;
        const H: usize = 128;
        data doc: [N] of class(V);
        data human: [T] of class(V);
        data pair { text: [N] of class(V), lead: [T] of class(V) }
        hyper lambda: f32 = 1.0;
        net Read(x: [N] of class(V)) -> [N, H] { x.embed(64).gru(H, mask = x != 0) }
        net Step(w: class(V), h: [H], keys: [N, H], x: [N] of class(V)) -> ([V], [H]) {
            let h = w.embed(64).gru_cell(h);
            let seen = matmul(keys, h).softmax();
            let own = concat(h, matmul(seen, keys)).dense(1).sigmoid();
            (ln(own * h.dense(V).softmax() + (1.0 - own) * matmul(seen, x.one_hot()) + 1e-9), h)
        }
        net Back(s: [T] of class(V)) -> [H] { s.embed(64).gru(H, mask = s != 0)[T - 1] }
        net Word(w: class(V), h: [H]) -> ([V], [H]) { let h = w.embed(64).gru_cell(h); (h.dense(V), h) }
        net D(s: [T] of class(V)) -> [1] { s.embed(64).gru(H, mask = s != 0)[T - 1].dense(1) }
        fn write(x, greedy) {
            let keys = Read(x);
            let (mut h, mut w, mut words, mut logp) = (keys[N - 1], label(1, V), list(), 0.0);
            for _ in 0..T {
                let (logits, next) = Step(w, h, keys, x);
                w = if greedy { argmax(logits) } else { sample(logits) };
                logp += log_prob(logits, w);
                words.push(w);
                h = next;
            }
            (stack(words), logp)
        }
        fn forced(x, words) {
            let keys = Read(x);
            let (mut h, mut w, mut loss) = (keys[N - 1], label(1, V), 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h, keys, x);
                loss += cross_entropy(logits, words[t]);
                h = next;
                w = words[t];
            }
            loss
        }
        fn rebuild(s, x) {
            let (mut h, mut w, mut loss) = (Back(s), label(1, V), 0.0);
            for t in 0..N {
                let (logits, next) = Word(w, h);
                loss += cross_entropy(logits, x[t]) * (x[t] != 0);
                h = next;
                w = x[t];
            }
            loss
        }
        fn reward(s) { -softplus(-D(s)) - lambda * rebuild(s, doc) }
        let (said, logp) = write(doc, false);
        let plain = write(doc, true).0;
        player Warm updates (Read, Step) minimizes { E[forced(text, lead)] }
        player D minimizes { E[softplus(-D(human))] + E[softplus(D(said))] }
        player R updates (Back, Word) minimizes { E[rebuild(said, doc)] }
        player G updates (Read, Step) maximizes { E[(reward(said) - reward(plain)) * logp] }
        train { Warm, D, R: adam(1e-3); G: adam(1e-4), clip_norm = 5.0; }
        phase warm: Warm;
        phase play: D, R, G;
        output summarise(doc) = write(doc, true).0;
    }
}
