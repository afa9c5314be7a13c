//! System 24. Spectral normalisation (Miyato et al. 2018, algorithm 1) with the hinge loss: every weight of the
//! discriminator is divided by an estimate of its largest singular value, from one power iteration a turn on vectors that
//! persist. The gradient passes through the weight in the estimate, not through the vectors.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// A convolution and two dense layers under the norm.
    pub model Spectral {
        data x: [1, 4, 4];
        noise z: normal([3]);
        net G(z: [3]) -> [1, 4, 4] {
            z.dense(8).relu().reshape([2, 2, 2]).conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        #[spectral_norm]
        net D(x: [1, 4, 4]) -> [1] {
            x.conv(3, kernel = 4, stride = 2, pad = 1).leaky_relu(0.1).flatten().dense(4).leaky_relu(0.1).dense(1)
        }
        let fake = G(z);
        player D minimizes { E[relu(1.0 - D(x))] + E[relu(1.0 + D(fake))] }
        player G minimizes { -E[D(fake)] }
        train { D, G: adam(2e-4, beta1 = 0.0, beta2 = 0.9); }
        output score(x) = D(x);
    }
}

const NORMED: [&str; 3] = ["D.conv_0", "D.dense_0", "D.dense_1"];

/// A weight as rows of an output each.
fn matrix(w: &Array) -> Vec<Vec<f64>> {
    w.values().chunks(w.values().len() / w.shape()[0]).map(<[f64]>::to_vec).collect()
}

fn product(w: &[Vec<f64>], v: &[f64]) -> Vec<f64> {
    w.iter().map(|row| dot(row, v)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn transposed(w: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..w[0].len()).map(|j| w.iter().map(|row| row[j]).collect()).collect()
}

fn unit(v: &[f64]) -> Vec<f64> {
    let norm = dot(v, v).sqrt();
    v.iter().map(|x| x / norm).collect()
}

/// A layer's weight over σ = uᵀWv; in turns that update the net after one iteration of u and v.
fn normed(t: &Point<'_>, layer: &str, iterate: bool) -> Array {
    let w = t.parameter(&format!("{layer}.weight"));
    let [mut u, mut v] = ["u", "v"].map(|side| t.parameter(&format!("{layer}.weight_{side}")).values().to_vec());
    let rows = matrix(&w);
    if iterate {
        v = unit(&product(&transposed(&rows), &u));
        u = unit(&product(&rows, &v));
    }
    w / dot(&u, &product(&rows, &v))
}

fn score(t: &Point<'_>, x: &Array, iterate: bool) -> Array {
    let bias = |layer: &str| t.parameter(&format!("{layer}.bias"));
    let dense = |layer: &str, h: &Array| h.matmul(&normed(t, layer, iterate).transpose(&[1, 0])) + bias(layer);
    let h = x.conv(&normed(t, "D.conv_0", iterate), 2, 1, 1, 1) + bias("D.conv_0").reshape(&[3, 1, 1]);
    dense("D.dense_1", &dense("D.dense_0", &h.leaky_relu(0.1).flatten()).leaky_relu(0.1))
}

fn generator(t: &Point<'_>) -> Array {
    let h = t.dense("G.dense_0", &t.normal(&[t.batch(), 3])).relu();
    t.conv_transpose("G.conv_transpose_0", &h.reshape(&[t.batch(), 2, 2, 2]), 2, 1).tanh()
}

#[test]
fn hinge_loss_of_normed_scores() {
    let system = System::of(&Spectral::build(Config::new().batch(4)).expect("it builds"));
    system.loss("D", |t| {
        let real = (1.0 - score(t, &t.data("x"), true)).relu().mean();
        real + (1.0 + score(t, &generator(t), true)).relu().mean()
    });
    system.loss("G", |t| -score(t, &generator(t), false).mean());
    system.output("score", 0, |t| score(t, &t.argument("x"), false));
    system.audit();
}

/// The largest singular value: the root of the largest eigenvalue of W·Wᵀ, by Jacobi's rotations.
fn largest_singular_value(rows: &[Vec<f64>]) -> f64 {
    let n = rows.len();
    let mut a: Vec<Vec<f64>> = rows.iter().map(|x| rows.iter().map(|y| dot(x, y)).collect()).collect();
    for _ in 0..30 {
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
            let (s, c) = angle.sin_cos();
            for row in &mut a {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
            let (x, y) = (a[p].clone(), a[q].clone());
            a[p] = x.iter().zip(&y).map(|(x, y)| c * x - s * y).collect();
            a[q] = x.iter().zip(&y).map(|(x, y)| s * x + c * y).collect();
        }
    }
    (0..n).map(|i| a[i][i]).fold(0.0, f64::max).sqrt()
}

/// A layer's estimate uᵀWv over its true largest singular value.
fn relative(model: &Spectral, layer: &str) -> f64 {
    let read = |part: &str| {
        let value = model.parameter(&format!("{layer}.{part}")).expect("it is there");
        Array::new(value.shape(), value.as_slice().iter().map(|v| f64::from(*v)).collect())
    };
    let rows = matrix(&read("weight"));
    dot(read("weight_u").values(), &product(&rows, read("weight_v").values())) / largest_singular_value(&rows)
}

#[test]
fn the_estimate_comes_near_the_largest_singular_value_and_persists() {
    let mut model = Spectral::build(Config::new().batch(4).seed(8)).expect("it builds");
    let batch = SpectralBatch { x: waves(&[4, 1, 4, 4], 0.0) };
    // Another weight under the old vectors: its singular values are 1, 0.8, 0.8 and 0.8, so one iteration leaves most of the error,
    // and sixty of which each goes on from the last take it away.
    let values = (0..48).map(|i| if i / 12 == i % 12 { if i == 0 { 1.0 } else { 0.8 } } else { 0.0 }).collect();
    model.set_parameter("D.dense_0.weight", &Tensor::new([4, 12], values).expect("a weight")).expect("of this shape");
    model.turn(SpectralPlayer::D, &batch).expect("a turn");
    let first = relative(&model, "D.dense_0");
    assert!(first < 0.99, "one iteration does not do: {first}");
    for i in 0..60 {
        model.turn(SpectralPlayer::D, &batch).expect("a turn");
        if i == 0 {
            assert!(relative(&model, "D.dense_0") > first, "the second iteration goes on from the first");
        }
    }
    for layer in NORMED {
        let found = relative(&model, layer);
        assert!((found - 1.0).abs() < 0.01, "{layer}: {found}");
    }
    // The generator's turns and outputs leave the vectors.
    let vectors = |model: &Spectral| {
        NORMED.map(|layer| ["u", "v"].map(|s| model.parameter(&format!("{layer}.weight_{s}")).expect("it is there")))
    };
    let before = vectors(&model);
    model.turn(SpectralPlayer::G, &batch).expect("a turn");
    model.score(&batch.x).expect("scores");
    assert_eq!(vectors(&model), before);
}
