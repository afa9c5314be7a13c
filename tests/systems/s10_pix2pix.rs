//! 10. pix2pix (Isola et al. 2017).
//!
//! A U-Net whose decoder sees the encoder's features of every level, dropout that stays on as the only noise, D on pairs with its
//! loss halved, and 100 times the absolute difference.

use crate::harness::host::array;
use crate::harness::{Array, Point, System};
use saddlepoint::Tensor;
use saddlepoint::prelude::*;

gan! {
    /// Four levels down to one place; D judges patches, `E` averages their losses.
    pub model Pix2pix {
        data pair { a: [1, 16, 16], b: [1, 16, 16] }
        fn down(x, n) { x.conv(n, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2) }
        fn up(x, skip, n, k, p) {
            let h = x.conv_transpose(n, kernel = k, stride = 2, pad = p).batch_norm().relu().dropout(0.5, always = true);
            concat(h, skip)
        }
        net G(a: [1, 16, 16]) -> [1, 16, 16] {
            let e1 = a.conv(2, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2);
            let e2 = down(e1, 2);
            let e3 = down(e2, 3);
            let e4 = e3.conv(4, kernel = 2).relu();
            let h = up(up(up(e4, e3, 3, 2, 0), e2, 2, 4, 1), e1, 2, 4, 1);
            h.conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(a: [1, 16, 16], b: [1, 16, 16]) -> [1, 4, 4] { down(down(concat(a, b), 2), 3).conv(1, kernel = 1) }
        let fake = G(a);
        player D minimizes { 0.5 * (E[softplus(-D(a, b))] + E[softplus(D(a, fake))]) }
        player G minimizes { E[softplus(-D(a, fake))] + 100.0 * E[abs(b - fake)] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output translate(a) = G(a);
    }
}

/// The U-Net; `norm` is batch normalisation in training or inference.
fn generator(t: &Point<'_>, a: &Array, norm: impl Fn(&str, &Array) -> Array) -> Array {
    let down = |x: &Array, i: usize| {
        norm(&format!("G.batch_norm_{}", i - 1), &t.conv(&format!("G.conv_{i}"), x, 2, 1)).leaky_relu(0.2)
    };
    let up = |x: &Array, skip: &Array, i: usize, pad: usize| {
        let h = t.conv_transpose(&format!("G.conv_transpose_{i}"), x, 2, pad);
        let h = t.dropout(&norm(&format!("G.batch_norm_{}", i + 2), &h).relu(), 0.5);
        Array::concat(&[&h, skip], 1)
    };
    let e1 = t.conv("G.conv_0", a, 2, 1).leaky_relu(0.2);
    let e2 = down(&e1, 1);
    let e3 = down(&e2, 2);
    let e4 = t.conv("G.conv_3", &e3, 1, 0).relu();
    let h = up(&up(&up(&e4, &e3, 0, 0), &e2, 1, 1), &e1, 2, 1);
    t.conv_transpose("G.conv_transpose_3", &h, 2, 1).tanh()
}

fn patches(t: &Point<'_>, a: &Array, b: &Array) -> Array {
    let down = |x: &Array, i: usize| {
        t.batch_norm(&format!("D.batch_norm_{i}"), &t.conv(&format!("D.conv_{i}"), x, 2, 1)).leaky_relu(0.2)
    };
    t.conv("D.conv_2", &down(&down(&Array::concat(&[a, b], 1), 0), 1), 1, 0)
}

#[test]
fn u_net_against_patches() {
    let system = System::of(&Pix2pix::build(Config::new().batch(2)).expect("it builds"));
    let fake = |t: &Point<'_>, a: &Array| generator(t, a, |layer, h| t.batch_norm(layer, h));
    system.loss("D", |t| {
        let (a, b) = (t.data("pair.a"), t.data("pair.b"));
        let real = (-patches(t, &a, &b)).softplus().mean();
        (real + patches(t, &a, &fake(t, &a)).softplus().mean()) / 2.0
    });
    system.loss("G", |t| {
        let (a, b) = (t.data("pair.a"), t.data("pair.b"));
        let fake = fake(t, &a);
        (-patches(t, &a, &fake)).softplus().mean() + 100.0 * (b - fake).abs().mean()
    });
    system.output("translate", 0, |t| generator(t, &t.argument("a"), |layer, h| t.batch_norm_inference(layer, h)));
    system.audit();
}

#[test]
fn dropout_makes_the_translations_differ_and_skips_carry_the_input_past_the_bottleneck() {
    let mut model = Pix2pix::build(Config::new().batch(4).seed(1)).expect("it builds");
    let one: Vec<f32> = (0..256).map(|i| (i as f32 * 0.37).sin()).collect();
    let a = Tensor::new([4, 1, 16, 16], one.repeat(4)).expect("the same picture four times");
    let made = array(&model.translate(&a).expect("pictures"));
    let differ = |i: usize, j: usize| (made.rows(&[i]) - made.rows(&[j])).abs().mean();
    assert!(differ(0, 1) > 1e-3 && differ(1, 2) > 1e-3 && differ(2, 3) > 1e-3, "{}", differ(0, 1));

    // Nothing leaves the bottleneck: what still depends on the input came over the skips. Without them nothing does.
    let spread = |model: &mut Pix2pix| {
        let pictures = Tensor::from_fn(4 * 256, |i| (i as f32 * 0.37 + (i / 256) as f32).sin());
        let made = array(&model.translate(&pictures.reshape([4, 1, 16, 16]).expect("pictures")).expect("pictures"));
        (made.rows(&[0]) - made.rows(&[1])).abs().mean()
    };
    let cut = |model: &mut Pix2pix, layer: &str| {
        for part in ["weight", "bias"] {
            let name = format!("{layer}.{part}");
            let shape = model.parameter(&name).expect("a parameter").shape().to_vec();
            model.set_parameter(&name, &Tensor::zeros(shape)).expect("set");
        }
    };
    cut(&mut model, "G.conv_3");
    for layer in ["G.batch_norm_2", "G.batch_norm_3", "G.batch_norm_4"] {
        cut(&mut model, layer);
    }
    assert!(spread(&mut model) > 1e-3, "over the first skip");
    cut(&mut model, "G.conv_0");
    assert!(spread(&mut model) == 0.0, "without it");
}
