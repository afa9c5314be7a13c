//! 42. A chatbot taught by rewards (REINFORCE, Williams 1992; for dialogue Li et al. 2016).
//!
//! The model speaks, the host scores what it said, and the scores come back as data of the next step, which climbs
//! E[(R − b)·∇ln p(said | c)] with the batch's mean score as baseline b. Phase `teach` is the special case R = 1, b = 0.

use crate::harness::words::{all_sentences, classes, parameters};
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// What is said ends with EOS or after T words; ln p counts every word up to the end, as they are drawn.
    pub model Chat {
        const V: usize;
        const T: usize = 3;
        const H: usize = 4;
        const PAD: usize = 0;
        const BOS: usize = 1;
        const EOS: usize = 2;
        data turn { c: [T] of class(V), said: [T] of class(V), reward: [] }
        net Enc(c: [T] of class(V)) -> [H] { c.embed(3).gru(H, mask = c != PAD)[T - 1] }
        net Step(w: class(V), h: [H]) -> ([V], [H]) { let h = w.embed(3).gru_cell(h); (h.dense(V), h) }
        fn likelihood(start, words) {
            let (mut h, mut w, mut live, mut total) = (start, label(BOS, V), 1.0, 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h);
                total += log_prob(logits, words[t]) * live;
                live = live * (words[t] != EOS);
                h = next;
                w = words[t];
            }
            total
        }
        fn say(start) {
            let (mut h, mut w, mut live, mut words) = (start, label(BOS, V), 1.0, list());
            for _ in 0..T {
                let (logits, next) = Step(w, h);
                w = select(live, sample(logits), PAD);
                live = live * (w != EOS);
                words.push(w);
                h = next;
            }
            stack(words)
        }
        let logp = likelihood(Enc(c), said);
        player Teach updates (Enc, Step) maximizes { E[logp] }
        player Bot updates (Enc, Step) maximizes { E[(reward - E[reward]) * logp] }
        train { Teach: adam(0.02); Bot: adam(0.02), clip_norm = 5.0; }
        phase teach: Teach;
        phase talk: Bot;
        output reply(c) = say(Enc(c));
        output chance(c, said) = exp(likelihood(Enc(c), said));
    }
}

fn encode(t: &Point<'_>, c: &Array) -> Array {
    let mask = c.map(|w| f64::from(u8::from(w != 0.0)));
    t.gru("Enc.gru_0", &t.embed("Enc.embed_0", c), Some(&mask)).entry(1, 2)
}

fn step(t: &Point<'_>, w: &Array, h: &Array) -> (Array, Array) {
    let h = t.gru_cell("Step.gru_cell_0", &t.embed("Step.embed_0", w), h);
    (t.dense("Step.dense_0", &h), h)
}

/// ln of the product of the probabilities of a sample's words, its end included: a product a sample, not a sum over time.
fn likelihood(t: &Point<'_>, c: &Array, said: &Array) -> Array {
    let (mut h, mut w) = (encode(t, c), Array::full(&[said.shape()[0]], 1.0));
    let mut chances = Vec::new();
    for place in 0..3 {
        let (logits, next) = step(t, &w, &h);
        w = said.entry(1, place);
        chances.push(logits.softmax().pick(&w));
        h = next;
    }
    let sentence = |i: usize| {
        let words: Vec<f64> = said.entry(0, i).values().to_vec();
        let spoken = words.iter().position(|w| *w == 2.0).map_or(3, |end| end + 1);
        chances[..spoken].iter().map(|chance| chance.values()[i]).product::<f64>().ln()
    };
    let rows = said.shape()[0];
    Array::new(&[rows], (0..rows).map(sentence).collect())
}

fn built(batch: usize) -> Chat {
    Chat::build(ChatConsts { V: 5 }, Config::new().batch(batch).seed(4)).expect("it builds")
}

#[test]
fn score_function_with_a_baseline() {
    let system = System::of(&built(4));
    system.gain("Teach", |t| likelihood(t, &t.data("turn.c"), &t.data("turn.said")).mean());
    system.gain("Bot", |t| {
        let (reward, logp) = (t.data("turn.reward"), likelihood(t, &t.data("turn.c"), &t.data("turn.said")));
        // E[(R − E R)·ln p] is the covariance of both, in its other form.
        (&reward * &logp).mean() - reward.mean() * logp.mean()
    });
    system.output("reply", 0, |t| {
        let c = t.argument("c");
        let batch = c.shape()[0];
        let (mut h, mut w, mut ended) = (encode(t, &c), Array::full(&[batch], 1.0), vec![false; batch]);
        let mut words = Vec::new();
        for _ in 0..3 {
            let (logits, next) = step(t, &w, &h);
            let drawn = t.sample(&logits);
            let spoken = drawn.values().iter().zip(&ended).map(|(w, ended)| if *ended { 0.0 } else { *w });
            w = Array::new(&[batch], spoken.collect());
            ended.iter_mut().zip(w.values()).for_each(|(ended, w)| *ended |= *w == 2.0);
            words.push(w.clone());
            h = next;
        }
        Array::stack(&words, 1)
    });
    system.output("chance", 0, |t| likelihood(t, &t.argument("c"), &t.argument("said")).exp());
    system.audit();
}

/// The scripted judge: half for answering with the first word of what it was told, half for stopping then.
fn judge(c: &[i32], said: &[i32]) -> f32 {
    0.5 * f32::from(u8::from(said[0] == c[0])) + 0.5 * f32::from(u8::from(said[1] == 2))
}

/// What is said to it: the words 3 and 4, each with an end.
fn prompts() -> [Vec<i32>; 2] {
    [vec![3, 2, 0], vec![4, 2, 0]]
}

/// The mean score over everything that can be said, weighted by its probability.
fn expected_score(model: &mut Chat) -> f32 {
    // After the end there is nothing but padding.
    let whole = |said: &Vec<i32>| said.iter().skip_while(|w| **w != 2).skip(1).all(|w| *w == 0);
    let sentences: Vec<Vec<i32>> = all_sentences(5, 3).into_iter().filter(whole).collect();
    let mut total = 0.0;
    for prompt in prompts() {
        let c = classes(&vec![prompt.clone(); sentences.len()], 5);
        let chances = model.chance(&c, &classes(&sentences, 5)).expect("an output");
        let sum: f32 = chances.as_slice().iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "the chances of all replies sum to {sum}");
        total += sentences.iter().zip(chances.as_slice()).map(|(said, chance)| chance * judge(&prompt, said)).sum::<f32>();
    }
    total / 2.0
}

fn told(batch: usize) -> Classes {
    classes(&prompts().into_iter().cycle().take(batch).collect::<Vec<_>>(), 5)
}

#[test]
fn rewarded_replies_become_likelier() {
    let mut bot = built(32);
    let c = told(32);
    bot.enter(ChatPhase::talk);
    let before = expected_score(&mut bot);
    let mut heard = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let said = bot.reply(&c).expect("replies");
        heard.insert(said.clone().into_vec());
        let reward = Tensor::from_fn(32, |i| judge(c.row(i), said.row(i)));
        bot.step(&[ChatBatch { turn: ChatTurn { c: c.clone(), said, reward } }]).expect("a step");
    }
    let after = expected_score(&mut bot);
    assert!(before < 0.4 && after > 0.9, "{before} before, {after} after");
    assert!(heard.len() > 50, "replies are drawn anew after every step: {} different batches", heard.len());
    let metrics = bot.metrics().expect("metrics");
    assert!(metrics.Bot.is_some() && metrics.Teach.is_none(), "only Bot talks");
}

#[test]
fn equal_rewards_teach_nothing_and_teaching_needs_none() {
    let mut bot = built(8);
    let c = told(8);
    let said = classes(&vec![vec![3, 4, 2]; 8], 5);
    let turn = |reward: f32| ChatBatch {
        turn: ChatTurn { c: c.clone(), said: said.clone(), reward: Tensor::from_fn(8, |_| reward) },
    };
    let names = ["Enc.embed_0.weight", "Step.dense_0.bias"];
    let chance = |bot: &mut Chat| bot.chance(&c, &said).expect("an output").as_slice()[0];
    let (start, before) = (parameters(&bot, &names), chance(&mut bot));
    bot.enter(ChatPhase::talk);
    bot.step(&[turn(1.0)]).expect("a step");
    assert_eq!(parameters(&bot, &names), start, "the baseline takes off what all have in common");
    bot.enter(ChatPhase::teach);
    for _ in 0..20 {
        bot.step(&[turn(0.0)]).expect("a step");
    }
    let after = chance(&mut bot);
    assert!(after > 3.0 * before, "the human's reply: {before} before, {after} after");
}
