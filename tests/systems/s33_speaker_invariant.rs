//! 33. Speech features without the speaker (Lee's course, 2018; after Chen et al. 2018).
//!
//! One encoder for what is said, one for who says it ("Phonetic-and-semantic embedding of spoken words"). The adversary is
//! Siamese: it sees two phonetic codes and says whether one speaker or two spoke; the phonetic encoder has it
//! say "one" of all pairs.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// `same`: two stretches of one speaker; `other`: of two.
    pub model Speakers {
        data same { a: [3, 4], b: [3, 4] }
        data other { a: [3, 4], b: [3, 4] }
        hyper fool: f32 = 0.5;
        hyper margin: f32 = 0.5;
        fn encode(x, n) { x.gru(4)[2].dense(n) }
        net Phones(x: [3, 4]) -> [3] { encode(x, 3) }
        net Voice(x: [3, 4]) -> [2] { encode(x, 2) }
        net Dec(p: [3], v: [2]) -> [3, 4] { concat(p, v).dense(6).tanh().dense(12).reshape([3, 4]) }
        net Twin(p: [3]) -> [5] { p.dense(5).tanh() }
        net Verdict(h: [5]) -> [1] { h.dense(4).leaky_relu(0.2).dense(1) }
        fn judged(a, b) { Verdict(abs(Twin(Phones(a)) - Twin(Phones(b)))) }
        fn apart(a, b) { square(Voice(a) - Voice(b)).sum() }
        fn again(x) { E[square(Dec(Phones(x), Voice(x)) - x).sum()] }
        let one = judged(same.a, same.b);
        let two = judged(other.a, other.b);
        let rec = again(same.a) + again(same.b) + again(other.a) + again(other.b);
        player D updates (Twin, Verdict) minimizes { E[softplus(-one)] + E[softplus(two)] }
        player Coders updates (Phones, Voice, Dec) minimizes {
            rec + E[apart(same.a, same.b)] + E[relu(margin - apart(other.a, other.b))]
                + fool * (E[softplus(-one)] + E[softplus(-two)])
        }
        train { D, Coders: adam(1e-3, beta1 = 0.5); }
        output code(x: [3, 4]) = Phones(x);
        output verdict(x: [3, 4], y: [3, 4]) = judged(x, y);
    }
}

fn encode(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_0"), &t.gru(&format!("{net}.gru_0"), x, None).entry(1, 2))
}

/// The score for one speaker.
fn judged(t: &Point<'_>, a: &Array, b: &Array) -> Array {
    let [a, b] = [a, b].map(|x| t.dense("Twin.dense_0", &encode(t, "Phones", x)).tanh());
    t.dense("Verdict.dense_1", &t.dense("Verdict.dense_0", &(a - b).abs()).leaky_relu(0.2))
}

fn pair(t: &Point<'_>, group: &str) -> [Array; 2] {
    ["a", "b"].map(|field| t.data(&format!("{group}.{field}")))
}

fn scores(t: &Point<'_>, group: &str) -> Array {
    let [a, b] = pair(t, group);
    judged(t, &a, &b)
}

/// How far the voices of a pair lie apart.
fn apart(t: &Point<'_>, group: &str) -> Array {
    let [a, b] = pair(t, group);
    (encode(t, "Voice", &a) - encode(t, "Voice", &b)).square().sum_each()
}

fn reconstruction(t: &Point<'_>, x: &Array) -> f64 {
    let code = Array::concat(&[&encode(t, "Phones", x), &encode(t, "Voice", x)], 1);
    let again = t.dense("Dec.dense_1", &t.dense("Dec.dense_0", &code).tanh());
    (again - x.flatten()).square().sum_each().mean()
}

#[test]
fn a_siamese_adversary_on_pairs_of_codes() {
    let system = System::of(&Speakers::build(Config::new().batch(3)).expect("it builds"));
    system.loss("D", |t| (-scores(t, "same")).softplus().mean() + scores(t, "other").softplus().mean());
    system.loss("Coders", |t| {
        let all = [pair(t, "same"), pair(t, "other")].concat();
        let rec: f64 = all.iter().map(|x| reconstruction(t, x)).sum();
        let near = apart(t, "same").mean();
        let far = (t.hyper("margin") - apart(t, "other")).relu().mean();
        assert!(far > 0.0, "no pair within the margin: nothing of it is compared");
        let fooled = (-scores(t, "same")).softplus().mean() + (-scores(t, "other")).softplus().mean();
        rec + near + far + t.hyper("fool") * fooled
    });
    system.output("code", 0, |t| encode(t, "Phones", &t.argument("x")));
    system.output("verdict", 0, |t| judged(t, &t.argument("x"), &t.argument("y")));
    // Siamese: the order of a pair does not matter.
    system.output("verdict", 0, |t| judged(t, &t.argument("y"), &t.argument("x")));
    system.audit();
}
