//! System 13. Prediction of the next video frame (Mathieu, Couprie and LeCun 2016): the discriminator judges the past frames
//! with the true or the predicted one laid behind them; L_p and the gradient difference loss, which compares the sizes of
//! the steps between neighbouring pixels, keep the prediction near and sharp.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// P is 1 or 2; the gradient difference loss has the paper's exponent 1.
    pub model Video {
        const P: f32;
        data clip { past: [3, 6, 6], next: [1, 6, 6] }
        hyper near: f32 = 0.8;
        hyper sharp: f32 = 1.2;
        net G(past: [3, 6, 6]) -> [1, 6, 6] {
            past.conv(4, kernel = 3, pad = 1).relu().conv(1, kernel = 3, pad = 1).tanh()
        }
        net D(frames: [4, 6, 6]) -> [1] {
            frames.conv(3, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(1)
        }
        fn difference(a, b, axis) { abs(abs(diff(a, axis)) - abs(diff(b, axis))).sum() }
        fn gdl(a, b) { difference(a, b, 1) + difference(a, b, 2) }
        let made = G(past);
        player D minimizes { E[softplus(-D(concat(past, next)))] + E[softplus(D(concat(past, made)))] }
        player G minimizes {
            0.05 * E[softplus(-D(concat(past, made)))]
                + near * E[pow(abs(next - made), P).sum()] + sharp * E[gdl(next, made)]
        }
        train { D, G: sgd(0.02); }
        metric blur = E[gdl(next, made)];
        output predict(past) = G(past);
        output second(past) = G(concat(past[1..3], G(past)));
    }
}

fn generator(t: &Point<'_>, past: &Array) -> Array {
    t.conv("G.conv_1", &t.conv("G.conv_0", past, 1, 1).relu(), 1, 1).tanh()
}

fn logit(t: &Point<'_>, past: &Array, frame: &Array) -> Array {
    let frames = Array::concat(&[past, frame], 1);
    t.dense("D.dense_0", &t.conv("D.conv_0", &frames, 2, 1).leaky_relu(0.2).flatten())
}

/// The paper's double sum over pixels, with neighbours to the left and above, averaged over the batch.
fn gradient_difference(a: &Array, b: &Array) -> f64 {
    let pixel = |x: &Array, n: usize, i: usize, j: usize| x.values()[(n * 6 + i) * 6 + j];
    let mut total = 0.0;
    for n in 0..a.shape()[0] {
        for (i, j) in (0..36).map(|p| (p / 6, p % 6)) {
            if i > 0 {
                let step = |x: &Array| (pixel(x, n, i, j) - pixel(x, n, i - 1, j)).abs();
                total += (step(a) - step(b)).abs();
            }
            if j > 0 {
                let step = |x: &Array| (pixel(x, n, i, j - 1) - pixel(x, n, i, j)).abs();
                total += (step(a) - step(b)).abs();
            }
        }
    }
    total / a.shape()[0] as f64
}

fn check(p: f32) {
    let system = System::of(&Video::build(VideoConsts { P: p }, Config::new().batch(2)).expect("it builds"));
    system.loss("D", |t| {
        let (past, next) = (t.data("clip.past"), t.data("clip.next"));
        (-logit(t, &past, &next)).softplus().mean() + logit(t, &past, &generator(t, &past)).softplus().mean()
    });
    system.loss("G", |t| {
        let (past, next) = (t.data("clip.past"), t.data("clip.next"));
        let made = generator(t, &past);
        let distance = (&next - &made).map(|d| d.abs().powf(p.into())).sum() / t.batch() as f64;
        0.05 * (-logit(t, &past, &made)).softplus().mean() + 0.8 * distance + 1.2 * gradient_difference(&next, &made)
    });
    system.metric("blur", |t| gradient_difference(&t.data("clip.next"), &generator(t, &t.data("clip.past"))));
    system.output("predict", 0, |t| generator(t, &t.argument("past")));
    // A frame further on the window slides: the oldest frame leaves, the predicted one stands last.
    system.output("second", 0, |t| {
        let past = t.argument("past");
        generator(t, &Array::concat(&[&past.slice(1, 1, 3), &generator(t, &past)], 1))
    });
    system.audit();
}

#[test]
fn next_frame_by_absolute_differences() {
    check(1.0);
}

#[test]
fn next_frame_by_squared_differences() {
    check(2.0);
}
