//! 34. Inversion of a generator by optimisation (Zhu et al. 2016, iGAN): which code makes this picture?
//!
//! One code for each sample, found by descending on the code behind a frozen generator, from several starts of which the best
//! counts. The small generator and discriminator here serve 35 to 38 too.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The model whose nets are taken over. The critic's score stands on a trunk.
    pub model Toy {
        data x: [1, 4, 4];
        noise z: normal([3]);
        net G(z: [3]) -> [1, 4, 4] {
            z.dense(3 * 2 * 2).reshape([3, 2, 2]).batch_norm().leaky_relu(0.2)
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Trunk(x: [1, 4, 4]) -> [6] { x.conv(2, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(6).tanh() }
        net D(x: [1, 4, 4]) -> [1] { Trunk(x).dense(1).sigmoid() }
        player D updates (D, Trunk) maximizes { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        player G maximizes { E[ln(D(G(z)))] }
        train { D, G: adam(0.01, beta1 = 0.5); }
        output sample = G(z);
        output render(z) = G(z);
        output features(x) = Trunk(x);
        output score(x) = D(x);
    }
}

gan! {
    /// One code for each picture; nothing else moves.
    pub model Invert {
        data x: [1, 4, 4];
        extern net G(z: [3]) -> [1, 4, 4] = crate::s34_inversion::Toy::G;
        latent w: [3] per x = normal([3]);
        player w minimizes { E[square(G(w) - x).sum()] }
        train { w: adam(0.05); }
        output render(w) = G(w);
        output error(x, w) = square(G(w) - x).mean();
    }
}

/// The small model after some steps on pictures of slanting waves.
pub fn trained() -> Toy {
    let mut toy = Toy::build(Config::new().batch(16).seed(34)).expect("it builds");
    let wave = |i: usize, at: usize| (0.3 * i as f32 + 0.8 * (at % 4) as f32 + 0.5 * (i % 3) as f32 * (at / 4) as f32).sin();
    let values = (0..256).map(|k| 0.9 * wave(k / 16, k % 16)).collect();
    let x = Tensor::new([16, 1, 4, 4], values).expect("pictures");
    for _ in 0..60 {
        toy.step(&[ToyBatch { x: x.clone() }]).expect("a step");
    }
    toy
}

/// The frozen generator: running statistics.
pub fn generator(t: &Point<'_>, z: &Array) -> Array {
    let h = t.dense("G.dense_0", z).reshape(&[z.shape()[0], 3, 2, 2]);
    let h = t.batch_norm_inference("G.batch_norm_0", &h).leaky_relu(0.2);
    t.conv_transpose("G.conv_transpose_0", &h, 2, 1).tanh()
}

/// The critic's features, by the name of the trunk: it also begins an encoder.
pub fn trunk(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let h = t.conv(&format!("{net}.conv_0"), x, 2, 1).leaky_relu(0.2);
    t.dense(&format!("{net}.dense_0"), &h.flatten()).tanh()
}

/// Codes that look random and are the same everywhere.
pub fn codes(n: usize, from: f32) -> Tensor {
    Tensor::new([n, 3], (0..3 * n).map(|i| 1.2 * (from + 2.3 * i as f32).sin()).collect()).expect("codes")
}

/// A source's samples `times` times over, as one tensor.
fn tiled(x: &Tensor, times: usize) -> Tensor {
    let mut shape = x.shape().to_vec();
    shape[0] *= times;
    Tensor::new(shape, x.as_slice().repeat(times)).expect("copies")
}

#[test]
fn a_code_for_each_picture() {
    let system = System::of(&Invert::build(Config::new().batch(4).give(&trained())).expect("it builds"));
    system.loss("w", |t| (generator(t, &t.parameter("latent.w")) - t.data("x")).square().sum_each().mean());
    system.output("render", 0, |t| generator(t, &t.argument("w")));
    system.output("error", 0, |t| (generator(t, &t.argument("w")) - t.argument("x")).square().mean_each());
    system.audit();
}

#[test]
fn the_best_of_several_starts_is_near_and_the_generator_stays() {
    const STARTS: usize = 8;
    let mut toy = trained();
    let x = toy.render(&codes(4, 0.4)).expect("pictures that it can make");
    let mut model = Invert::build(Config::new().batch(4 * STARTS).seed(5).give(&toy)).expect("it builds");

    // Codes without a search: the best of as many draws.
    let best = |errors: &Tensor| -> Vec<f32> {
        let of = |sample: usize| (0..STARTS).map(|start| errors.as_slice()[4 * start + sample]).fold(f32::MAX, f32::min);
        (0..4).map(of).collect()
    };
    let copies = tiled(&x, STARTS);
    let random = best(&model.error(&copies, &codes(4 * STARTS, 1.0)).expect("errors"));

    model.fit(&x.repeated(STARTS), Fit::steps(1).quiet()).expect("a fit");
    let early = model.w().expect("the table");
    assert_eq!(early.shape(), [4 * STARTS, 3]);
    assert_ne!(early.row(0), early.row(4), "a start of its own for each copy of a picture");
    model.fit(&x.repeated(STARTS), Fit::steps(300).quiet()).expect("a fit");
    let late = model.w().expect("the table");
    let [before, after] = [&early, &late].map(|w| model.error(&copies, w).expect("errors"));
    assert!(before.as_slice().iter().zip(after.as_slice()).all(|(b, a)| a < b), "every error falls");
    let found = best(&after);
    assert!(found.iter().zip(&random).all(|(f, r)| *f < 0.1 * r), "{found:?} found, {random:?} at random");
    let same = |a: Tensor, b: Tensor| assert_eq!(a, b, "the generator has moved");
    same(model.render(&codes(4, 2.0)).expect("pictures"), toy.render(&codes(4, 2.0)).expect("pictures"));
}
