//! 3. A generator without a discriminator (Hinton and Salakhutdinov 2006; Bojanowski et al. 2018).
//!
//! Regression from codes to pictures. The codes come from the encoder of an autoencoder, or are free: one for each sample, learnt
//! together with the generator (generative latent optimisation). The variational autoencoder as remedy is system 1.

use crate::harness::host::{array, learnt};
use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;
use saddlepoint::{Rows, Tensor};

gan! {
    /// ‖G(E(x)) − x‖².
    pub model AutoEncoder {
        data x: [5];
        net Enc(x: [5]) -> [2] { x.dense(4).tanh().dense(2) }
        net G(c: [2]) -> [5] { c.dense(4).tanh().dense(5) }
        player Auto updates (Enc, G) minimizes { E[square(G(Enc(x)) - x).sum()] }
        train { Auto: adam(1e-3); }
        output code(x) = Enc(x);
        output render(c: [2]) = G(c);
    }
}

gan! {
    /// Codes in the unit ball, the loss an absolute difference of Laplacian pyramids, finer levels counting more.
    pub model Glo {
        data x: [1, 4, 4];
        latent w: [3] per x = normal([3]);
        fn ball(w) { w / max(1.0, w.norm()) }
        fn fine(x) { x - x.avg_pool(2).upsample(2) }
        fn pyramid(a, b) { abs(fine(a) - fine(b)).sum() + 4.0 * abs(a.avg_pool(2) - b.avg_pool(2)).sum() }
        net G(c: [3]) -> [1, 4, 4] {
            c.dense(2 * 2 * 2).tanh().reshape([2, 2, 2]).conv_transpose(1, kernel = 4, stride = 2, pad = 1)
        }
        let made = G(ball(w));
        player Fit updates (G, w) minimizes { E[pyramid(made, x)] + E[square(made - x).sum()] }
        train { Fit: adam(0.03); }
        output render(w) = G(ball(w));
    }
}

#[test]
fn autoencoder() {
    let code = |t: &Point<'_>, x: &Array| t.dense("Enc.dense_1", &t.dense("Enc.dense_0", x).tanh());
    let render = |t: &Point<'_>, c: &Array| t.dense("G.dense_1", &t.dense("G.dense_0", c).tanh());
    let system = System::of(&AutoEncoder::build(Config::new().batch(4)).expect("it builds"));
    system.loss("Auto", |t| {
        let x = t.data("x");
        (render(t, &code(t, &x)) - x).norm_each().square().mean()
    });
    system.output("code", 0, |t| code(t, &t.argument("x")));
    system.output("render", 0, |t| render(t, &t.argument("c")));
    system.audit();
}

/// A code, drawn back to the unit ball, and its picture.
fn picture(t: &Point<'_>, w: &Array) -> Array {
    let length = w.square().sum_each().sqrt().map(|n| n.max(1.0)).reshape(&[w.shape()[0], 1]);
    let h = t.dense("G.dense_0", &(w / length)).tanh().reshape(&[w.shape()[0], 2, 2, 2]);
    t.conv_transpose("G.conv_transpose_0", &h, 2, 1)
}

#[test]
fn free_codes() {
    let system = System::of(&Glo::build(Config::new().batch(3)).expect("it builds"));
    system.loss("Fit", |t| {
        // Pyramids are linear: that of the difference is the difference of theirs.
        let off = picture(t, &t.parameter("latent.w")) - t.data("x");
        let coarse = off.avg_pool(2);
        let fine = &off - coarse.upsample(2);
        (fine.abs().sum() + 4.0 * coarse.abs().sum() + off.square().sum()) / 3.0
    });
    system.output("render", 0, |t| picture(t, &t.argument("w")));
    system.audit();
}

#[test]
fn codes_and_generator_move_together_and_only_codes_of_the_batch() {
    let mut model = Glo::build(Config::new().batch(2).seed(5)).expect("it builds");
    let pictures: Vec<f32> = (0..4).flat_map(|k| (0..16).map(move |i| if i / 4 == k { 0.9 } else { -0.3 })).collect();
    let data = Tensor::new([4, 1, 4, 4], pictures).expect("four pictures");
    let batch = |rows: [usize; 2]| GloBatch {
        x: Tensor::new([2, 1, 4, 4], rows.iter().flat_map(|r| data.row(*r).to_vec()).collect()).expect("two pictures"),
        x_rows: Rows::new(rows.to_vec()),
    };
    let far = |model: &mut Glo| {
        let codes = model.w().expect("the codes");
        (array(&model.render(&codes).expect("pictures")) - array(&data)).square().mean()
    };
    model.step(&[batch([0, 1])]).expect("a step");
    model.step(&[batch([2, 3])]).expect("a step");
    let early = far(&mut model);
    let (codes, weight) = (model.w().expect("the codes"), learnt(&model, "G.dense_0.weight"));
    model.step(&[batch([3, 1])]).expect("a step");
    let moved = model.w().expect("the codes");
    let still: Vec<bool> = (0..4).map(|r| codes.row(r) == moved.row(r)).collect();
    assert_eq!(still, [true, false, true, false]);
    assert_ne!(weight.values(), learnt(&model, "G.dense_0.weight").values());
    for i in 0..300 {
        model.step(&[batch([i % 4, (i + 1 + i / 4 % 3) % 4])]).expect("a step");
    }
    let late = far(&mut model);
    assert!(late < 0.1 * early, "{early} then {late}");
}
