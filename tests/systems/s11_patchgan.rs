//! 11. PatchGAN (Isola et al. 2017).
//!
//! D is fully convolutional, each number of its map judges the patch that it sees, and the losses of the patches are averaged. The
//! patch is known from kernels and strides.

use crate::harness::host::array;
use crate::harness::{Array, Point, System};
use saddlepoint::Tensor;
use saddlepoint::prelude::*;

gan! {
    /// D's depth and padding are decided when the model is built; the map is then SIDE by SIDE.
    pub model Patch {
        const DEPTH: usize;
        const PAD: usize;
        const SIDE: usize;
        data pair { a: [1, 14, 14], b: [1, 14, 14] }
        net G(a: [1, 14, 14]) -> [1, 14, 14] { a.conv(2, kernel = 3, pad = 1).leaky_relu(0.2).conv(1, kernel = 3, pad = 1).tanh() }
        net D(a: [1, 14, 14], b: [1, 14, 14]) -> [1, SIDE, SIDE] {
            concat(a, b).repeat(DEPTH, |h| h.conv(2, kernel = 4, stride = 2, pad = PAD).leaky_relu(0.2)).conv(1, kernel = 1)
        }
        let fake = G(a);
        player D minimizes { 0.5 * (E[softplus(-D(a, b))] + E[softplus(D(a, fake))]) }
        player G minimizes { E[softplus(-D(a, fake))] + 100.0 * E[abs(b - fake)] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output judge(a, b) = D(a, b);
    }
}

/// What one number at the end of convolutions sees, from (kernel, stride, padding) of each: the extent of its field, the distance
/// of neighbouring fields, and where the first begins.
fn field(layers: &[(i64, i64, i64)]) -> (i64, i64, i64) {
    layers.iter().rev().fold((1, 1, 0), |(extent, distance, start), (kernel, stride, pad)| {
        ((extent - 1) * stride + kernel, distance * stride, start * stride - pad)
    })
}

#[test]
fn the_papers_patches() {
    // 70 by 70 in the paper: three layers of stride 2, two of stride 1; and its 16 by 16 and 1 by 1.
    let (two, one) = ((4, 2, 1), (4, 1, 1));
    assert_eq!(field(&[two, two, two, one, one]).0, 70);
    assert_eq!(field(&[two, one, one]).0, 16);
    assert_eq!(field(&[(1, 1, 0); 3]), (1, 1, 0));
}

fn build(depth: usize, pad: usize, side: usize) -> Patch {
    let consts = PatchConsts { DEPTH: depth, PAD: pad, SIDE: side };
    Patch::build(consts, Config::new().batch(3).seed(1)).expect("it builds")
}

fn generator(t: &Point<'_>, a: &Array) -> Array {
    t.conv("G.conv_1", &t.conv("G.conv_0", a, 1, 1).leaky_relu(0.2), 1, 1).tanh()
}

/// One score for a picture that is a single patch.
fn patch(t: &Point<'_>, depth: usize, x: &Array) -> Array {
    let h = (0..depth).fold(x.clone(), |h, i| t.conv(&format!("D.conv_{i}"), &h, 2, 0).leaky_relu(0.2));
    t.conv(&format!("D.conv_{depth}"), &h, 1, 0).flatten()
}

/// The scores of all patches, each cut out and judged by itself.
fn patches(t: &Point<'_>, depth: usize, side: usize, a: &Array, b: &Array) -> Vec<Array> {
    let (extent, distance, start) = field(&vec![(4, 2, 0); depth]);
    assert_eq!(start, 0);
    let (extent, distance, pair) = (extent as usize, distance as usize, Array::concat(&[a, b], 1));
    let cut = |x: &Array, axis: usize, i: usize| x.slice(axis, i * distance, i * distance + extent);
    let places = (0..side).flat_map(|i| (0..side).map(move |j| (i, j)));
    places.map(|(i, j)| patch(t, depth, &cut(&cut(&pair, 2, i), 3, j))).collect()
}

/// Without padding every patch is a picture of its own.
fn check(depth: usize, side: usize) {
    let system = System::of(&build(depth, 0, side));
    let average = |scores: &[Array], sign: f64| {
        scores.iter().map(|v| (v * sign).softplus().mean()).sum::<f64>() / (side * side) as f64
    };
    system.loss("D", |t| {
        let (a, b) = (t.data("pair.a"), t.data("pair.b"));
        let fake = generator(t, &a);
        0.5 * (average(&patches(t, depth, side, &a, &b), -1.0) + average(&patches(t, depth, side, &a, &fake), 1.0))
    });
    system.loss("G", |t| {
        let (a, b) = (t.data("pair.a"), t.data("pair.b"));
        let fake = generator(t, &a);
        average(&patches(t, depth, side, &a, &fake), -1.0) + 100.0 * (b - fake).abs().mean()
    });
    system.output("judge", 0, |t| {
        let scores = patches(t, depth, side, &t.argument("a"), &t.argument("b"));
        Array::stack(&scores, 1).reshape(&[t.batch(), 1, side, side])
    });
    system.audit();
}

#[test]
fn patches_of_four_places() {
    check(1, 6);
}

#[test]
fn patches_of_ten_places() {
    check(2, 2);
}

#[test]
fn a_score_depends_on_its_field_and_on_nothing_else() {
    for (depth, side) in [(1, 7), (2, 3)] {
        let mut model = build(depth, 1, side);
        let (extent, distance, start) = field(&vec![(4, 2, 1); depth]);
        assert_eq!((extent, distance, start), [(4, 2, -1), (10, 4, -3)][depth - 1]);
        // The first sample as it is, the others with one pixel of b changed.
        let one: Vec<f32> = (0..196).map(|i| (i as f32 * 0.7).sin()).collect();
        let a = Tensor::new([197, 1, 14, 14], one.repeat(197)).expect("pictures");
        let mut b = a.clone();
        (0..196).for_each(|pixel| b.as_mut_slice()[(pixel + 1) * 196 + pixel] += 0.5);
        let scores = array(&model.judge(&a, &b).expect("scores"));
        for pixel in 0..196 {
            let (plain, changed) = (scores.rows(&[0]), scores.rows(&[pixel + 1]));
            for place in 0..side * side {
                let within = |pixel: usize, place: usize| {
                    let from = place as i64 * distance + start;
                    (from..from + extent).contains(&(pixel as i64))
                };
                let seen = within(pixel / 14, place / side) && within(pixel % 14, place % side);
                let differs = plain.values()[place] != changed.values()[place];
                assert_eq!(differs, seen, "depth {depth}, pixel {pixel}, patch {place}");
            }
        }
    }
}
