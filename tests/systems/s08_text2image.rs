//! 8. Pictures from captions (Reed et al. 2016, GAN-CLS).
//!
//! A text encoder that is trained, pairs with a wrong caption, and as a baseline a regression without noise, which can only draw the
//! mean of all pictures of a caption.

use crate::harness::host::{array, learnt};
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;
use saddlepoint::{Classes, Tensor};

gan! {
    /// Captions of up to four words, word 0 fills up. The wrong caption of a picture is that of another sample.
    pub model Text2image {
        data  pair { x: [1, 4, 4], words: [4] of class(5) }
        noise z: normal([2]);
        fn read(words) { words.embed(3).gru(4, mask = words != 0)[3].dense(3) }
        fn draw(c) {
            c.dense(2 * 2 * 2).reshape([2, 2, 2]).batch_norm().relu().conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Enc(words: [4] of class(5)) -> [3] { read(words) }
        net G(z: [2], c: [3]) -> [1, 4, 4] { draw(concat(z, c)) }
        net D(x: [1, 4, 4], c: [3]) -> [1] {
            let h = x.conv(3, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2);
            concat(h, c.spread([2, 2])).conv(3, kernel = 1).leaky_relu(0.2).flatten().dense(1)
        }
        net Gist(words: [4] of class(5)) -> [3] { read(words) }
        net Mean(c: [3]) -> [1, 4, 4] { draw(c) }
        let c = Enc(words);
        let fake = G(z, c);
        // The encoder learns with D, from pictures: what G made of its code is constant there.
        player D updates (D, Enc) minimizes {
            E[softplus(-D(x, c))] + 0.5 * E[softplus(D(stop(fake), c))] + 0.5 * E[softplus(D(x, other_sample(c)))]
        }
        player G minimizes { E[softplus(-D(fake, c))] }
        player Mean updates (Mean, Gist) minimizes { E[square(Mean(Gist(words)) - x).sum()] }
        train { D, G: adam(2e-4, beta1 = 0.5); Mean: adam(0.02); }
        phase adversarial: D, G;
        phase baseline: Mean;
        output sample(words) = G(z, Enc(words));
        output mean(words) = Mean(Gist(words));
    }
}

fn read(t: &Point<'_>, net: &str, words: &Array) -> Array {
    let states = t.gru(&format!("{net}.gru_0"), &t.embed(&format!("{net}.embed_0"), words), Some(&filled(words)));
    t.dense(&format!("{net}.dense_0"), &states.entry(1, 3))
}

/// 1 where a caption has a word.
fn filled(words: &Array) -> Array {
    words.map(|w| f64::from(u8::from(w != 0.0)))
}

/// A picture from a code; `norm` is batch normalisation in training or inference.
fn draw(t: &Point<'_>, net: &str, code: &Array, norm: impl Fn(&str, &Array) -> Array) -> Array {
    let h = t.dense(&format!("{net}.dense_0"), code).reshape(&[t.batch(), 2, 2, 2]);
    t.conv_transpose(&format!("{net}.conv_transpose_0"), &norm(&format!("{net}.batch_norm_0"), &h).relu(), 2, 1).tanh()
}

fn score(t: &Point<'_>, x: &Array, c: &Array) -> Array {
    let h = t.conv("D.conv_0", x, 2, 1).leaky_relu(0.2);
    let h = Array::concat(&[&h, &c.spread(&[2, 2])], 1);
    t.dense("D.dense_0", &t.conv("D.conv_1", &h, 1, 0).leaky_relu(0.2).flatten())
}

fn made(t: &Point<'_>, z: &Array, c: &Array) -> Array {
    draw(t, "G", &Array::concat(&[z, c], 1), |layer, h| t.batch_norm(layer, h))
}

/// D's objective; `held` is the point where pictures are made, which does not move with the encoder.
fn discrimination(t: &Point<'_>, held: &Point<'_>) -> f64 {
    let words = t.data("pair.words");
    let (x, c) = (t.data("pair.x"), read(t, "Enc", &words));
    let fake = made(held, &t.normal(&[t.batch(), 2]), &read(held, "Enc", &words));
    let wrong = t.other_sample(&c);
    (-score(t, &x, &c)).softplus().mean() + 0.5 * (score(t, &fake, &c).softplus() + score(t, &x, &wrong).softplus()).mean()
}

#[test]
fn matching_aware_discriminator_and_trained_encoder() {
    let system = System::of(&Text2image::build(Config::new().batch(4)).expect("it builds"));
    system.loss("D", |t| discrimination(t, t));
    system.gradients("D", discrimination);
    system.loss("G", |t| {
        let c = read(t, "Enc", &t.data("pair.words"));
        (-score(t, &made(t, &t.normal(&[t.batch(), 2]), &c), &c)).softplus().mean()
    });
    system.loss("Mean", |t| {
        let c = read(t, "Gist", &t.data("pair.words"));
        (draw(t, "Mean", &c, |layer, h| t.batch_norm(layer, h)) - t.data("pair.x")).square().sum_each().mean()
    });
    system.output("sample", 0, |t| {
        let c = read(t, "Enc", &t.argument("words"));
        draw(t, "G", &Array::concat(&[&t.normal(&[t.batch(), 2]), &c], 1), |layer, h| t.batch_norm_inference(layer, h))
    });
    system.output("mean", 0, |t| {
        draw(t, "Mean", &read(t, "Gist", &t.argument("words")), |layer, h| t.batch_norm_inference(layer, h))
    });
    system.audit_but(&["D"]);
}

#[test]
fn regression_draws_the_mean_of_a_captions_pictures() {
    let mut model = Text2image::build(Config::new().batch(4).seed(4)).expect("it builds");
    model.enter(Text2imagePhase::baseline);
    // Two captions of unlike length, two pictures each: the upper half bright or dark, the lower half as the caption says.
    let captions = [[1, 2, 0, 0], [3, 2, 1, 0]];
    let picture = |i: usize| {
        let (upper, lower) = (if i.is_multiple_of(2) { 0.8 } else { -0.8 }, if i < 2 { 0.5 } else { -0.5 });
        (0..16).map(move |p| if p < 8 { upper } else { lower })
    };
    let x = Tensor::new([4, 1, 4, 4], (0..4).flat_map(picture).collect()).expect("pictures");
    let words = Classes::new([4, 4], 5, (0..4).flat_map(|i| captions[i / 2]).collect()).expect("captions");
    let table = learnt(&model, "Gist.embed_0.weight");
    for _ in 0..500 {
        let pair = Text2imagePair { x: x.clone(), words: words.clone() };
        model.step(&[Text2imageBatch { pair }]).expect("a step");
    }
    let drawn = array(&model.mean(&words).expect("pictures"));
    for i in 0..4 {
        let picture = drawn.rows(&[i]).reshape(&[16]);
        let (upper, lower) = (picture.slice(0, 0, 8), picture.slice(0, 8, 16) - if i < 2 { 0.5 } else { -0.5 });
        assert!(upper.abs().mean() < 0.12 && lower.abs().mean() < 0.12, "caption {}: {picture:?}", i / 2);
    }
    // Words that were read have moved; the filling and the word of no caption have not.
    let moved = (learnt(&model, "Gist.embed_0.weight") - table).abs().sum_each();
    let still: Vec<bool> = moved.values().iter().map(|by| *by == 0.0).collect();
    assert_eq!(still, [true, false, false, false, true]);
    // The other phase moves the other nets.
    let baseline = learnt(&model, "Mean.dense_0.weight");
    let encoder = learnt(&model, "Enc.embed_0.weight");
    model.enter(Text2imagePhase::adversarial);
    model.step(&[Text2imageBatch { pair: Text2imagePair { x, words } }]).expect("a step");
    assert_eq!(learnt(&model, "Mean.dense_0.weight").values(), baseline.values());
    assert_ne!(learnt(&model, "Enc.embed_0.weight").values(), encoder.values());
}
