//! 49. Summaries without pairs (Wang and Lee 2018).
//!
//! A copying generator (See et al. 2017) writes a short text from which a second net must rebuild the document and which a critic
//! must take for a human's. Words are drawn, so G climbs (R(drawn) − R(greedy))·∇ln p(drawn) with the self-critical baseline of
//! Rennie et al. 2017. Padding is masked everywhere.

use crate::harness::words::{all_sentences, classes, parameters};
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The judges' rate is a hyper: at rate 0 the reward stands still and the generator's climb can be measured.
    pub model Summary {
        const V: usize;
        const N: usize = 4;
        const T: usize = 2;
        const H: usize = 3;
        data doc: [N] of class(V);
        data human: [T] of class(V);
        data pair { text: [N] of class(V), lead: [T] of class(V) }
        hyper lambda: f32 = 0.5;
        hyper judges: f32 = 0.02;
        net Read(x: [N] of class(V)) -> [N, H] { x.embed(3).gru(H, mask = x != 0) }
        net Step(w: class(V), h: [H], keys: [N, H], x: [N] of class(V)) -> ([V], [H]) {
            let h = w.embed(3).gru_cell(h);
            let seen = select(x != 0, matmul(keys, h), -1e9).softmax();
            let own = concat(h, matmul(seen, keys)).dense(1).sigmoid();
            (ln(own * h.dense(V).softmax() + (1.0 - own) * matmul(seen, x.one_hot()) + 1e-9), h)
        }
        net Back(s: [T] of class(V)) -> [H] { s.embed(3).gru(H, mask = s != 0)[T - 1] }
        net Word(w: class(V), h: [H]) -> ([V], [H]) { let h = w.embed(3).gru_cell(h); (h.dense(V), h) }
        net D(s: [T] of class(V)) -> [1] { s.embed(3).gru(H, mask = s != 0)[T - 1].dense(1) }
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
        fn reward(s, x) { -softplus(-D(s)) - lambda * rebuild(s, x) }
        let (said, logp) = write(doc, false);
        let plain = write(doc, true).0;
        player Warm updates (Read, Step) minimizes { E[forced(text, lead)] }
        player D minimizes { E[softplus(-D(human))] + E[softplus(D(said))] }
        player R updates (Back, Word) minimizes { E[rebuild(said, doc)] }
        player G updates (Read, Step) maximizes { E[(reward(said, doc) - reward(plain, doc)) * logp] }
        train { Warm: adam(0.01); D, R: adam(judges); G: adam(0.03), clip_norm = 5.0; }
        phase warm: Warm;
        phase play: D, R, G;
        output summarise(doc) = write(doc, true).0;
        output chance(doc, human) = exp(-forced(doc, human));
        output worth(doc, human) = reward(human, doc);
    }
}

fn counts(x: &Array) -> Array {
    x.map(|w| f64::from(u8::from(w != 0.0)))
}

fn read(t: &Point<'_>, x: &Array) -> Array {
    t.gru("Read.gru_0", &t.embed("Read.embed_0", x), Some(&counts(x)))
}

/// Probabilities of the next word, word by word: the vocabulary's share, and what each word of the document adds to its own place.
fn step(t: &Point<'_>, w: &Array, h: &Array, keys: &Array, x: &Array) -> (Array, Array) {
    let [batch, n] = [0, 1].map(|a| x.shape()[a]);
    let h = t.gru_cell("Step.gru_cell_0", &t.embed("Step.embed_0", w), h);
    let mut seen = (keys * h.reshape(&[batch, 1, 3])).sum_over(&[2]).exp() * counts(x);
    seen = &seen / seen.sum_over(&[1]).reshape(&[batch, 1]);
    let context = (keys * seen.reshape(&[batch, n, 1])).sum_over(&[1]);
    let own = t.dense("Step.dense_0", &Array::concat(&[&h, &context], 1)).sigmoid();
    let vocabulary = t.dense("Step.dense_1", &h).softmax();
    let words = vocabulary.shape()[1];
    let mut chances = (&own * &vocabulary).values().to_vec();
    for b in 0..batch {
        for j in 0..n {
            let word = x.values()[b * n + j] as usize;
            chances[b * words + word] += (1.0 - own.values()[b]) * seen.values()[b * n + j];
        }
    }
    let raised = Array::new(&[batch, words], chances) + 1e-9;
    (&raised / raised.sum_over(&[1]).reshape(&[batch, 1]), h)
}

/// What is written: drawn, or the likeliest words; and Σ ln p of it.
fn write(t: &Point<'_>, x: &Array, greedy: bool) -> (Array, Array) {
    let keys = read(t, x);
    let batch = x.shape()[0];
    let (mut h, mut w, mut logp) = (keys.entry(1, 3), Array::full(&[batch], 1.0), Array::zeros(&[batch]));
    let mut words = Vec::new();
    for _ in 0..2 {
        let (chances, next) = step(t, &w, &h, &keys, x);
        w = if greedy { chances.argmax() } else { t.sample(&chances.ln()) };
        logp = logp + chances.pick(&w).ln();
        words.push(w.clone());
        h = next;
    }
    (Array::stack(&words, 1), logp)
}

/// Σ ln p of given words.
fn likelihood(t: &Point<'_>, x: &Array, words: &Array) -> Array {
    let keys = read(t, x);
    let batch = x.shape()[0];
    let (mut h, mut w, mut logp) = (keys.entry(1, 3), Array::full(&[batch], 1.0), Array::zeros(&[batch]));
    for place in 0..2 {
        let (chances, next) = step(t, &w, &h, &keys, x);
        w = words.entry(1, place);
        logp = logp + chances.pick(&w).ln();
        h = next;
    }
    logp
}

/// −Σ ln p of the document's words, padding left out, from what a summary says.
fn rebuild(t: &Point<'_>, s: &Array, x: &Array) -> Array {
    let mut h = t.gru("Back.gru_0", &t.embed("Back.embed_0", s), Some(&counts(s))).entry(1, 1);
    let mut w = Array::full(&[s.shape()[0]], 1.0);
    let mut scores = Vec::new();
    for place in 0..4 {
        h = t.gru_cell("Word.gru_cell_0", &t.embed("Word.embed_0", &w), &h);
        scores.push(t.dense("Word.dense_0", &h));
        w = x.entry(1, place);
    }
    (Array::stack(&scores, 1).cross_entropy(x) * counts(x)).sum_over(&[1])
}

fn critic(t: &Point<'_>, s: &Array) -> Array {
    t.dense("D.dense_0", &t.gru("D.gru_0", &t.embed("D.embed_0", s), Some(&counts(s))).entry(1, 1)).entry(1, 0)
}

fn reward(t: &Point<'_>, s: &Array, x: &Array) -> Array {
    critic(t, s).sigmoid().ln() - t.hyper("lambda") * rebuild(t, s, x)
}

fn built(batch: usize) -> Summary {
    Summary::build(SummaryConsts { V: 5 }, Config::new().batch(batch).seed(3)).expect("it builds")
}

#[test]
fn copying_under_two_judges() {
    let system = System::of(&built(3));
    system.loss("Warm", |t| -likelihood(t, &t.data("pair.text"), &t.data("pair.lead")).mean());
    system.loss("D", |t| {
        let human = (-critic(t, &t.data("human"))).softplus().mean();
        human + critic(t, &write(t, &t.data("doc"), false).0).softplus().mean()
    });
    system.loss("R", |t| {
        let doc = t.data("doc");
        rebuild(t, &write(t, &doc, false).0, &doc).mean()
    });
    system.gain("G", |t| {
        let doc = t.data("doc");
        let ((said, logp), (plain, _)) = (write(t, &doc, false), write(t, &doc, true));
        ((reward(t, &said, &doc) - reward(t, &plain, &doc)) * logp).mean()
    });
    system.output("summarise", 0, |t| write(t, &t.argument("doc"), true).0);
    system.output("chance", 0, |t| likelihood(t, &t.argument("doc"), &t.argument("human")).exp());
    system.output("worth", 0, |t| reward(t, &t.argument("human"), &t.argument("doc")).reshape(&[t.batch(), 1]));
    system.audit();
}

/// Documents with their first words as leads; a human says first the rarer word.
fn documents(n: usize) -> SummaryBatch {
    let documents = [[2, 2, 3, 0], [3, 3, 4, 0], [4, 2, 4, 2], [3, 2, 0, 0]].map(|d| d.to_vec());
    let leads = documents.clone().map(|d| d[..2].to_vec());
    let humans = [[3, 2], [4, 3], [2, 4], [2, 3]].map(|d| d.to_vec());
    let rows = |rows: &[Vec<i32>]| classes(&rows.iter().cycle().take(n).cloned().collect::<Vec<_>>(), 5);
    SummaryBatch {
        doc: rows(&documents),
        human: rows(&humans),
        pair: SummaryPair { text: rows(&documents), lead: rows(&leads) },
    }
}

/// The mean reward over everything that can be written for the documents, weighted by its probability.
fn expected_reward(model: &mut Summary) -> f32 {
    let sentences = all_sentences(5, 2);
    let documents = documents(4).doc;
    let mut total = 0.0;
    for i in 0..4 {
        let doc = classes(&vec![documents.row(i).to_vec(); sentences.len()], 5);
        let said = classes(&sentences, 5);
        let (chances, worth) = (model.chance(&doc, &said).expect("chances"), model.worth(&doc, &said).expect("rewards"));
        let sum: f32 = chances.as_slice().iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "the chances of all summaries sum to {sum}");
        total += chances.as_slice().iter().zip(worth.as_slice()).map(|(chance, worth)| chance * worth).sum::<f32>();
    }
    total / 4.0
}

#[test]
fn each_phase_moves_its_own_players() {
    let mut model = built(4);
    let names =
        ["Read.embed_0.weight", "Step.dense_1.weight", "Back.embed_0.weight", "Word.dense_0.weight", "D.dense_0.weight"];
    for (phase, moves) in [(SummaryPhase::warm, [true, true, false, false, false]), (SummaryPhase::play, [true; 5])] {
        let before = parameters(&model, &names);
        model.enter(phase);
        model.step(&[documents(4)]).expect("a step");
        let moved: Vec<bool> = before.iter().zip(parameters(&model, &names)).map(|(a, b)| *a != b).collect();
        assert_eq!(moved, moves, "{names:?}");
    }
}

#[test]
fn the_generator_climbs_what_the_judges_say() {
    let mut model = built(32);
    let batch = documents(32);
    let lead = |model: &mut Summary| {
        let chances = model.chance(&batch.pair.text, &batch.pair.lead).expect("chances");
        chances.as_slice().iter().sum::<f32>() / 32.0
    };
    let ignorant = lead(&mut model);
    model.enter(SummaryPhase::warm);
    (0..20).for_each(|_| model.step(std::slice::from_ref(&batch)).expect("a step"));
    let warmed = lead(&mut model);
    assert!(warmed > 1.3 * ignorant, "chance of the lead: {ignorant} before the phase `warm`, {warmed} after");
    model.enter(SummaryPhase::play);
    let mut losses = Vec::new();
    for _ in 0..120 {
        [SummaryPlayer::D, SummaryPlayer::R].iter().for_each(|judge| model.turn(*judge, &batch).expect("a turn"));
        let metrics = model.metrics().expect("metrics");
        losses.push((metrics.D.expect("D moved"), metrics.R.expect("R moved")));
    }
    let (first, last) = (losses[0], losses[119]);
    assert!(last.0 < 0.8 * first.0 && last.1 < 0.7 * first.1, "losses of the judges D and R: {first:?}, then {last:?}");
    model.set_judges(0.0);
    let before = expected_reward(&mut model);
    (0..60).for_each(|_| model.step(std::slice::from_ref(&batch)).expect("a step"));
    let after = expected_reward(&mut model);
    assert!(after > before + 1.0, "expected reward: {before} with the judges' last step, {after} after 60 of G");
}
