//! System 40. Completion (context encoders, Pathak et al. 2016): the generator sees the picture without its hole, through a
//! bottleneck where a channel-wise fully connected layer carries every place to every place of its own channel; the distance
//! counts in the hole only, with weight 0.999 beside 0.001 of the adversary, which judges the completed picture.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// Holes of any form, one a sample. A convolution with a kernel of the whole plane and a group a channel is the channel-wise
    /// layer.
    pub model Completion {
        data photo { x: [1, 8, 8], hole: [1, 8, 8] of class(2) }
        net G(seen: [1, 8, 8]) -> [1, 8, 8] {
            let h = seen.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2));
            let h = h.conv(12, kernel = 2, groups = 3).reshape([3, 2, 2]).conv(3, kernel = 1).relu();
            let h = h.conv_transpose(2, kernel = 4, stride = 2, pad = 1).relu();
            h.conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 8, 8]) -> [1] {
            x.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).flatten().dense(1)
        }
        fn filled(x, hole) { select(hole != 0, G(select(hole != 0, 0.0, x)), x) }
        let mask = hole != 0;
        let made = G((1.0 - mask) * x);
        let whole = mask * made + (1.0 - mask) * x;
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(whole))] }
        player G minimizes { 0.999 * E[square(mask * (x - made)).sum()] + 0.001 * E[softplus(-D(whole))] }
        train { D: adam(2e-4, beta1 = 0.5); G: adam(2e-3, beta1 = 0.5); }
        output complete(x, hole) = filled(x, hole);
    }
}

/// Every element of a channel's plane from all of the same channel's.
fn channelwise(t: &Point<'_>, x: &Array) -> Array {
    let (weight, bias) = (t.parameter("G.conv_2.weight"), t.parameter("G.conv_2.bias"));
    let planes = x.values().chunks(4).enumerate().map(|(plane, values)| (plane % 3, values));
    let made = planes.flat_map(|(channel, values)| {
        let (weight, bias) = (&weight, &bias);
        (4 * channel..4 * channel + 4).map(move |row| {
            let products = weight.values()[4 * row..4 * row + 4].iter().zip(values).map(|(w, v)| w * v);
            products.sum::<f64>() + bias.values()[row]
        })
    });
    Array::new(x.shape(), made.collect())
}

fn encoded(t: &Point<'_>, net: &str, x: &Array) -> Array {
    (0..2).fold(x.clone(), |h, i| t.conv(&format!("{net}.conv_{i}"), &h, 2, 1).leaky_relu(0.2))
}

fn generator(t: &Point<'_>, seen: &Array) -> Array {
    let h = t.conv("G.conv_3", &channelwise(t, &encoded(t, "G", seen)), 1, 0).relu();
    t.conv_transpose("G.conv_transpose_1", &t.conv_transpose("G.conv_transpose_0", &h, 2, 1).relu(), 2, 1).tanh()
}

fn logit(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_0", &encoded(t, "D", x).flatten())
}

/// What the generator makes of a picture without its hole, and the picture with the hole filled.
fn completed(t: &Point<'_>, x: &Array, hole: &Array) -> (Array, Array) {
    let made = generator(t, &x.zip(hole, |x, hole| if hole == 1.0 { 0.0 } else { x }));
    let whole = Array::new(
        x.shape(),
        (0..x.values().len()).map(|i| if hole.values()[i] == 1.0 { made.values()[i] } else { x.values()[i] }).collect(),
    );
    (made, whole)
}

#[test]
fn distance_in_the_hole_and_an_adversary() {
    let system = System::of(&Completion::build(Config::new().batch(2)).expect("it builds"));
    system.loss("D", |t| {
        let x = t.data("photo.x");
        let (_, whole) = completed(t, &x, &t.data("photo.hole"));
        (-logit(t, &x)).softplus().mean() + logit(t, &whole).softplus().mean()
    });
    system.loss("G", |t| {
        let (x, hole) = (t.data("photo.x"), t.data("photo.hole"));
        let (made, whole) = completed(t, &x, &hole);
        let apart = (x - made).square();
        let inside = hole.values().iter().zip(apart.values()).filter(|(h, _)| **h == 1.0).map(|(_, d)| *d);
        0.999 * inside.sum::<f64>() / t.batch() as f64 + 0.001 * (-logit(t, &whole)).softplus().mean()
    });
    system.output("complete", 0, |t| completed(t, &t.argument("x"), &t.argument("hole")).1);
    system.audit();
}

#[test]
fn what_lies_in_the_hole_is_filled_from_outside() {
    let mut model = Completion::build(Config::new().batch(2).seed(1)).expect("it builds");
    let inside = |i: usize| (2..6).contains(&(i / 8 % 8)) && (2..6).contains(&(i % 8));
    let hole = Classes::new([2, 1, 8, 8], 2, (0..128).map(|i| i32::from(inside(i))).collect()).expect("holes");
    let x = waves(&[2, 1, 8, 8], 0.0);
    let distance = |filled: &Tensor| filled.as_slice().iter().zip(x.as_slice()).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let before = distance(&model.complete(&x, &hole).expect("pictures"));
    for _ in 0..150 {
        let photo = CompletionPhoto { x: x.clone(), hole: hole.clone() };
        model.step(&[CompletionBatch { photo }]).expect("a step");
    }
    let filled = model.complete(&x, &hole).expect("pictures");
    assert!(distance(&filled) < 0.5 * before, "{before} to {}", distance(&filled));
    for i in (0..128).filter(|i| !inside(*i)) {
        assert_eq!(filled.as_slice()[i], x.as_slice()[i], "outside of the hole nothing changes");
    }
    let mut spoiled = x.clone();
    (0..128).filter(|i| inside(*i)).for_each(|i| spoiled.as_mut_slice()[i] = 9.0);
    assert_eq!(model.complete(&spoiled, &hole).expect("pictures"), filled);
}
