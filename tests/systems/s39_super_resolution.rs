//! System 39. Super-resolution (SRGAN, Ledig et al. 2017): a residual generator on the small picture, whose channels a pixel
//! shuffle lays out as a picture of twice the size; the distance to the large picture plus a thousandth of the adversary.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// One residual block in place of sixteen, the distance of pixels in place of features.
    pub model Srgan {
        data pair { small: [1, 4, 4], large: [1, 8, 8] }
        net G(x: [1, 4, 4]) -> [1, 8, 8] {
            let h = x.conv(3, kernel = 3, pad = 1).prelu();
            let inner = h.conv(3, kernel = 3, pad = 1).batch_norm().prelu().conv(3, kernel = 3, pad = 1).batch_norm();
            (h + inner).conv(8, kernel = 3, pad = 1).pixel_shuffle(2).prelu().conv(1, kernel = 3, pad = 1).tanh()
        }
        net D(x: [1, 8, 8]) -> [1] {
            x.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).flatten().dense(1)
        }
        let fake = G(small);
        player D minimizes { E[softplus(-D(large))] + E[softplus(D(fake))] }
        player G minimizes { E[square(large - fake)] + 1e-3 * E[softplus(-D(fake))] }
        train { D, G: adam(1e-4); }
        output enlarge(small) = G(small);
    }
}

/// Channel 4c + 2i + j of a place becomes the pixel (i, j) of its block in channel c.
fn shuffled(x: &Array) -> Array {
    let [batch, channels, height, width] = [0, 1, 2, 3].map(|a| x.shape()[a]);
    let mut y = vec![0.0; x.values().len()];
    for (n, c) in (0..batch).flat_map(|n| (0..channels).map(move |c| (n, c))) {
        for (p, q) in (0..height).flat_map(|p| (0..width).map(move |q| (p, q))) {
            let (i, j) = (c % 4 / 2, c % 2);
            let to = ((n * channels / 4 + c / 4) * 2 * height + 2 * p + i) * 2 * width + 2 * q + j;
            y[to] = x.values()[((n * channels + c) * height + p) * width + q];
        }
    }
    Array::new(&[batch, channels / 4, 2 * height, 2 * width], y)
}

fn generator(t: &Point<'_>, x: &Array, training: bool) -> Array {
    let conv = |i: usize, x: &Array| t.conv(&format!("G.conv_{i}"), x, 1, 1);
    let norm = |i: usize, x: &Array| match training {
        true => t.batch_norm(&format!("G.batch_norm_{i}"), x),
        false => t.batch_norm_inference(&format!("G.batch_norm_{i}"), x),
    };
    let h = t.prelu("G.prelu_0", &conv(0, x));
    let inner = norm(1, &conv(2, &t.prelu("G.prelu_1", &norm(0, &conv(1, &h)))));
    conv(4, &t.prelu("G.prelu_2", &shuffled(&conv(3, &(h + inner))))).tanh()
}

fn logit(t: &Point<'_>, x: &Array) -> Array {
    let h = (0..2).fold(x.clone(), |h, i| t.conv(&format!("D.conv_{i}"), &h, 2, 1).leaky_relu(0.2));
    t.dense("D.dense_0", &h.flatten())
}

#[test]
fn channels_become_pixels() {
    let system = System::of(&Srgan::build(Config::new().batch(2)).expect("it builds"));
    system.loss("D", |t| {
        let fake = generator(t, &t.data("pair.small"), true);
        (-logit(t, &t.data("pair.large"))).softplus().mean() + logit(t, &fake).softplus().mean()
    });
    system.loss("G", |t| {
        let fake = generator(t, &t.data("pair.small"), true);
        (t.data("pair.large") - &fake).square().mean() + 1e-3 * (-logit(t, &fake)).softplus().mean()
    });
    system.output("enlarge", 0, |t| generator(t, &t.argument("small"), false));
    system.audit();
}
