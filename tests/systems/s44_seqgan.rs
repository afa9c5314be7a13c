//! 44. SeqGAN, conditional, with one reward for the whole sentence (Yu et al. 2017).
//!
//! Phases `mle`, `critic` and `play`: the generator climbs (σ(D(c, said)) − b)·∇ln p(said | c), with no gradient through D or the
//! drawing of words, and D makes five steps for each of its own.

use crate::harness::words::{all_sentences, classes, largest_move, parameters};
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The critic's rate is a hyper: at rate 0 the reward stands still and the generator's climb can be measured.
    pub model SeqGan {
        const V: usize = 4;
        const T: usize = 3;
        const K: usize = 2;
        data pair { c: class(K), x: [T] of class(V) }
        hyper critic_rate: f32 = 0.01;
        net Start(c: class(K)) -> [3] { c.embed(3) }
        net Step(w: class(V), h: [3]) -> ([V], [3]) { let h = w.embed(2).gru_cell(h); (h.dense(V), h) }
        net D(c: class(K), x: [T] of class(V)) -> [1] {
            concat(x.embed(3).gru(4)[T - 1], c.embed(2)).dense(8).relu().dense(1)
        }
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
        train { Teach: adam(1e-2); D: adam(critic_rate), steps = 5; G: adam(0.02); }
        phase mle: Teach;
        phase critic: D;
        phase play: D, G;
        output sample(c) = say(c);
        output chance(c, x) = exp(likelihood(Start(c), x));
        output score(c, x) = sigmoid(D(c, x));
    }
}

fn step(t: &Point<'_>, w: &Array, h: &Array) -> (Array, Array) {
    let h = t.gru_cell("Step.gru_cell_0", &t.embed("Step.embed_0", w), h);
    (t.dense("Step.dense_0", &h), h)
}

/// Σ ln p over the words of given sentences.
fn likelihood(t: &Point<'_>, c: &Array, x: &Array) -> Array {
    let (mut h, mut w, mut total) = (t.embed("Start.embed_0", c), c * 0.0, Array::zeros(c.shape()));
    for place in 0..3 {
        let (logits, next) = step(t, &w, &h);
        w = x.entry(1, place);
        total = total + logits.log_prob(&w);
        h = next;
    }
    total
}

/// Sentences drawn word by word.
fn say(t: &Point<'_>, c: &Array) -> Array {
    let (mut h, mut w) = (t.embed("Start.embed_0", c), c * 0.0);
    let mut words = Vec::new();
    for _ in 0..3 {
        let (logits, next) = step(t, &w, &h);
        w = t.sample(&logits);
        words.push(w.clone());
        h = next;
    }
    Array::stack(&words, 1)
}

/// The critic's score, one number a sample.
fn critic(t: &Point<'_>, c: &Array, x: &Array) -> Array {
    let read = t.gru("D.gru_0", &t.embed("D.embed_0", x), None).entry(1, 2);
    let h = t.dense("D.dense_0", &Array::concat(&[&read, &t.embed("D.embed_1", c)], 1)).relu();
    t.dense("D.dense_1", &h).entry(1, 0)
}

#[test]
fn rewards_of_whole_sentences() {
    let system = System::of(&SeqGan::build(Config::new().batch(4)).expect("it builds"));
    system.gain("Teach", |t| likelihood(t, &t.data("pair.c"), &t.data("pair.x")).mean());
    system.loss("D", |t| {
        let c = t.data("pair.c");
        (-critic(t, &c, &t.data("pair.x"))).softplus().mean() + critic(t, &c, &say(t, &c)).softplus().mean()
    });
    system.gain("G", |t| {
        let c = t.data("pair.c");
        let said = say(t, &c);
        let (reward, logp) = (critic(t, &c, &said).sigmoid(), likelihood(t, &c, &said));
        (&reward * &logp).mean() - reward.mean() * logp.mean()
    });
    system.output("sample", 0, |t| say(t, &t.argument("c")));
    system.output("chance", 0, |t| likelihood(t, &t.argument("c"), &t.argument("x")).exp());
    system.output("score", 0, |t| critic(t, &t.argument("c"), &t.argument("x")).sigmoid().reshape(&[t.batch(), 1]));
    system.audit();
}

/// Real pairs: class 0 says "1 1 1" or "1 1 2", class 1 says "3 3 3" or "3 3 2".
fn pairs(n: usize) -> SeqGanBatch {
    let sentences = [[1, 1, 1], [3, 3, 3], [1, 1, 2], [3, 3, 2]].map(|s| s.to_vec());
    let c = Classes::new([n], 2, (0..n).map(|i| i as i32 % 2).collect()).expect("two classes");
    SeqGanBatch { pair: SeqGanPair { c, x: classes(&sentences.into_iter().cycle().take(n).collect::<Vec<_>>(), 4) } }
}

/// E σ(D(c, x)) over everything that can be said, weighted by its probability; and the probability of real sentences.
fn expectations(model: &mut SeqGan) -> (f32, f32) {
    let sentences = all_sentences(4, 3);
    let (mut reward, mut real) = (0.0, 0.0);
    for class in 0..2 {
        let c = Classes::new([sentences.len()], 2, vec![class; sentences.len()]).expect("classes");
        let x = classes(&sentences, 4);
        let (chances, scores) = (model.chance(&c, &x).expect("chances"), model.score(&c, &x).expect("scores"));
        let sum: f32 = chances.as_slice().iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "the chances of all sentences sum to {sum}");
        let word = 1 + 2 * class;
        for ((x, chance), score) in sentences.iter().zip(chances.as_slice()).zip(scores.as_slice()) {
            reward += 0.5 * chance * score;
            real += if x[..2] == [word, word] && (x[2] == word || x[2] == 2) { 0.5 * chance } else { 0.0 };
        }
    }
    (reward, real)
}

#[test]
fn each_phase_moves_its_own_players() {
    let mut model = SeqGan::build(Config::new().batch(8).seed(2)).expect("it builds");
    let names = ["Start.embed_0.weight", "Step.dense_0.weight", "D.dense_1.weight"];
    for (phase, moves) in [
        (SeqGanPhase::mle, [true, true, false]),
        (SeqGanPhase::critic, [false, false, true]),
        (SeqGanPhase::play, [true; 3]),
    ] {
        let before = parameters(&model, &names);
        model.enter(phase);
        model.step(&[pairs(8)]).expect("a step");
        let moved: Vec<bool> = before.iter().zip(parameters(&model, &names)).map(|(a, b)| *a != b).collect();
        assert_eq!(moved, moves, "{names:?}");
        let metrics = model.metrics().expect("metrics");
        assert_eq!([metrics.Teach.is_some(), metrics.D.is_some()], [moves[0] && !moves[2], moves[2]]);
    }
}

#[test]
fn the_critic_makes_five_steps_to_one() {
    let mut model = SeqGan::build(Config::new().batch(8).seed(2)).expect("it builds");
    model.enter(SeqGanPhase::play);
    let [critic, generator] = [["D.dense_0.weight", "D.dense_1.weight"], ["Step.dense_0.weight", "Start.embed_0.weight"]];
    let before = [parameters(&model, &critic), parameters(&model, &generator)];
    model.step(&[pairs(8)]).expect("a step");
    let [d, g] =
        [largest_move(&before[0], &parameters(&model, &critic)), largest_move(&before[1], &parameters(&model, &generator))];
    assert!(d > 4.0 * 0.01 && d < 5.1 * 0.01, "five steps at rate 0.01 moved D by {d}");
    assert!(g > 0.9 * 0.02 && g < 1.1 * 0.02, "one step at rate 0.02 moved G by {g}");
}

#[test]
fn the_generator_climbs_the_critics_judgement() {
    let mut model = SeqGan::build(Config::new().batch(32).seed(2)).expect("it builds");
    let (_, ignorant) = expectations(&mut model);
    model.enter(SeqGanPhase::mle);
    (0..10).for_each(|_| model.step(&[pairs(32)]).expect("a step"));
    model.enter(SeqGanPhase::critic);
    (0..30).for_each(|_| model.step(&[pairs(32)]).expect("a step"));
    let (reward, real) = expectations(&mut model);
    assert!(real > 1.2 * ignorant, "p(real) is {ignorant} before teaching, {real} after");
    model.enter(SeqGanPhase::play);
    model.set_critic_rate(0.0);
    (0..60).for_each(|_| model.step(&[pairs(32)]).expect("a step"));
    let (late_reward, late_real) = expectations(&mut model);
    assert!(late_reward > reward + 0.2, "E σ(D) is {reward} after the critic's phase, {late_reward} after play");
    assert!(late_real > 1.5 * real, "p(real) is {real} after the critic's phase, {late_real} after play");
}
