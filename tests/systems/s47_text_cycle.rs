//! 47. A CycleGAN of text styles on word vectors (Lee et al. 2018).
//!
//! The maps emit vectors, critics with a gradient penalty see sequences of vectors, and the nearest word of the frozen table is what
//! is written.

use crate::harness::{Array, Point, System, slope};
use saddlepoint::prelude::*;

const V: usize = 5;
const T: usize = 4;
const E: usize = 3;

gan! {
    /// Sentences of four words out of five, in two styles.
    pub model TextCycle {
        const V: usize = 5;
        const T: usize = 4;
        const W: usize = 3;
        data a: [T] of class(V);
        data b: [T] of class(V);
        hyper lambda: f32 = 10.0;
        #[frozen]
        net Emb(w: [V]) -> [W] { w.dense(W, bias = false) }
        fn mapper(x) { x + x.transpose(0, 1).conv(4, kernel = 3, pad = 1).leaky_relu(0.2).conv(W, kernel = 3, pad = 1).transpose(0, 1) }
        fn critic(x) { x.transpose(0, 1).conv(4, kernel = 3, pad = 1).leaky_relu(0.2).flatten().dense(1) }
        net GAB(x: [T, W]) -> [T, W] { mapper(x) }
        net GBA(x: [T, W]) -> [T, W] { mapper(x) }
        net DA(x: [T, W]) -> [1] { critic(x) }
        net DB(x: [T, W]) -> [1] { critic(x) }
        fn vectors(words) { vmap(words.one_hot(), |w| Emb(w)) }
        fn nearest(x) {
            let table = vmap(classes(V).one_hot(), |w| Emb(w));
            argmax(2.0 * matmul(x, table.transpose(0, 1)) - square(table).sum(axis = 1).reshape([1, V]))
        }
        let (va, vb) = (vectors(a), vectors(b));
        let (fa, fb) = (GBA(vb), GAB(va));
        let ma = mix(va, fa, uniform([1, 1]));
        let mb = mix(vb, fb, uniform([1, 1]));
        player DA minimizes { E[DA(fa)] - E[DA(va)] + lambda * E[square(grad(DA(ma), ma).norm() - 1.0)] }
        player DB minimizes { E[DB(fb)] - E[DB(vb)] + lambda * E[square(grad(DB(mb), mb).norm() - 1.0)] }
        player Maps updates (GAB, GBA) minimizes {
            -E[DB(fb)] - E[DA(fa)] + lambda * (E[abs(GBA(fb) - va)] + E[abs(GAB(fa) - vb)])
        }
        train { DA, DB: adam(1e-4, beta1 = 0.0, beta2 = 0.9), steps = 5; Maps: adam(1e-4, beta1 = 0.0, beta2 = 0.9); }
        output to_b(a) = nearest(GAB(vectors(a)));
        output same(a) = nearest(vectors(a));
    }
}

fn mapper(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let h = t.conv(&format!("{net}.conv_0"), &x.transpose(&[0, 2, 1]), 1, 1).leaky_relu(0.2);
    x + t.conv(&format!("{net}.conv_1"), &h, 1, 1).transpose(&[0, 2, 1])
}

fn critic(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let h = t.conv(&format!("{net}.conv_0"), &x.transpose(&[0, 2, 1]), 1, 1).leaky_relu(0.2);
    t.dense(&format!("{net}.dense_0"), &h.flatten())
}

/// The column of the frozen table that belongs to each word.
fn vectors(t: &Point<'_>, words: &Array) -> Array {
    t.parameter("Emb.dense_0.weight").transpose(&[1, 0]).looked_up(words)
}

fn criticised(t: &Point<'_>, net: &str, real: &Array, fake: &Array) -> f64 {
    let eps = t.uniform(&[t.batch(), 1, 1]);
    let mid = &eps * real + (1.0 - &eps) * fake;
    let excess = slope(&mid, |mid| critic(t, net, mid).sum()).norm_each() - 1.0;
    critic(t, net, fake).mean() - critic(t, net, real).mean() + t.hyper("lambda") * excess.square().mean()
}

/// The word of the table at the smallest distance, by looking at all.
fn nearest(t: &Point<'_>, x: &Array) -> Array {
    let table = t.parameter("Emb.dense_0.weight").transpose(&[1, 0]);
    let places = x.values().chunks(E).map(|v| {
        let far = |k: usize| (0..E).map(|i| (v[i] - table.values()[k * E + i]).powi(2)).sum::<f64>();
        (0..V).min_by(|a, b| far(*a).total_cmp(&far(*b))).unwrap_or(0) as f64
    });
    Array::new(&x.shape()[..2], places.collect())
}

#[test]
fn styles_of_word_vectors() {
    let system = System::of(&TextCycle::build(Config::new().batch(2)).expect("it builds"));
    system.loss("DA", |t| {
        let (va, vb) = (vectors(t, &t.data("a")), vectors(t, &t.data("b")));
        criticised(t, "DA", &va, &mapper(t, "GBA", &vb))
    });
    system.loss("DB", |t| {
        let (va, vb) = (vectors(t, &t.data("a")), vectors(t, &t.data("b")));
        criticised(t, "DB", &vb, &mapper(t, "GAB", &va))
    });
    system.loss("Maps", |t| {
        let (va, vb) = (vectors(t, &t.data("a")), vectors(t, &t.data("b")));
        let (fa, fb) = (mapper(t, "GBA", &vb), mapper(t, "GAB", &va));
        let cycle = (mapper(t, "GBA", &fb) - &va).abs().mean() + (mapper(t, "GAB", &fa) - &vb).abs().mean();
        t.hyper("lambda") * cycle - critic(t, "DB", &fb).mean() - critic(t, "DA", &fa).mean()
    });
    system.output("to_b", 0, |t| nearest(t, &mapper(t, "GAB", &vectors(t, &t.argument("a")))));
    system.audit();
}

#[test]
fn the_nearest_word_of_a_words_vector_is_the_word() {
    let mut model = TextCycle::build(Config::new().batch(2).seed(1)).expect("it builds");
    let words: Vec<i32> = (0..V * T).map(|i| (i / T) as i32).collect();
    let written = model.same(&Classes::new([V, T], V, words.clone()).expect("words")).expect("sentences");
    assert_eq!(written.as_slice(), words);
}
