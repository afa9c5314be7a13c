//! Functions of the language, by their definitions.

use crate::support::{Lowered, assert_close};
use saddlepoint::prelude::*;

gan! {
    #[allow(dead_code)] // only the text of the model is used
    pub model Functions {
        data pair { x: [2, 3], v: [3], w: [3, 2], y: class(3), s: [2] of class(3), p: [4, 4] }
        net N(x: [2, 3]) -> [] { x.prelu().sum() }
        player N minimizes { E[N(x)] }
        train { N: sgd(1.0); }

        output f_ln(x) = (x.abs() + 0.1).ln();
        output f_exp(x) = x.exp();
        output f_sqrt(x) = x.abs().sqrt();
        output f_square(x) = x.square();
        output f_abs(x) = x.abs();
        output f_sin(x) = x.sin();
        output f_cos(x) = x.cos();
        output f_floor(x) = (3.0 * x).floor();
        output f_sign(x) = x.sign();
        output f_tanh(x) = x.tanh();
        output f_sigmoid(x) = x.sigmoid();
        output f_softplus(x) = x.softplus();
        output f_relu(x) = x.relu();
        output f_elu(x) = x.elu();
        output f_gelu(x) = x.gelu();
        output f_silu(x) = x.silu();
        output f_leaky(x) = x.leaky_relu(0.2);
        output f_clamp(x) = x.clamp(-0.5, 0.25);
        output f_cube(x) = x.pow(3.0);
        output f_inverse(x) = x.pow(-2.0);
        output f_power(x) = x.abs().pow(1.5);
        output f_slope(x) = grad(x.relu().pow(1.5), x);
        output f_max(x) = max(x, 0.1);
        output f_min(x) = min(x, 0.1);
        output f_mix(x) = mix(x, 2.0, 0.25);
        output f_select(x) = select(x > 0.2, x, -1.0);
        output f_compare(x) = (x < 0.0) + 10.0 * (x >= 0.0) + 100.0 * (x == x) + 1000.0 * (x != x);
        output f_order(x) = (x <= 0.0) + 10.0 * (x > 0.0);

        output r_sum(x) = x.sum();
        output r_mean(x) = x.mean(axis = 1);
        output r_norm(x) = x.norm(axis = 0);
        output r_amax(x) = x.amax(axis = -1);
        output r_var(x) = x.var();
        output r_softmax(x) = x.softmax(axis = 0);
        output r_log_softmax(x) = x.log_softmax();

        output m_transpose(x) = x.transpose(0, 1);
        output m_flip(x) = x.flip(1);
        output m_concat(x) = concat(x, 2.0 * x, axis = 1);
        output m_copies(v) = v.copies(2);
        output m_spread(v) = v.spread([2, 2]);
        output m_index(x) = x[1];
        output m_slice(x) = x.slice(1, 1, 3);
        output m_diff(x) = x.diff(1);
        output m_pad(x) = x.pad(1);
        output m_flatten(x) = x.transpose(0, 1).flatten();
        output m_max_pool(p) = p.reshape([1, 4, 4]).max_pool(2);
        output m_odd_pool(x) = x.max_pool(2);
        output m_avg_pool(p) = p.reshape([1, 4, 4]).avg_pool(2);
        output m_upsample(x) = x.reshape([1, 2, 3]).upsample(2);
        output m_shuffle(p) = p.reshape([4, 2, 2]).pixel_shuffle(2);
        output m_glu(p) = p.glu();
        output m_vmap(x) = vmap(x, |row| row.sum());

        output p_inner(v) = matmul(v, v);
        output p_matrix_vector(x, v) = matmul(x, v);
        output p_vector_matrix(v, w) = matmul(v, w);
        output p_matrices(x, w) = matmul(x, w);
        output p_constant(v) = matmul(ones([2, 3]), v);
        output p_cosine(x) = cosine(x[0], x[1]);
        output p_attention(x, w) = attention(x, x, w.transpose(0, 1));
        output p_kl(x) = kl_normal(x[0], x[1]);
        output p_density(x, v) = normal_log_prob(x[0], x[1], v);

        output c_one_hot(y) = y.one_hot();
        output c_log_prob(v, y) = log_prob(v, y);
        output c_cross_entropy(x, s) = cross_entropy(x, s);
        output c_entropy(v) = v.entropy();
        output c_argmax(x) = x.argmax();
        output c_equal(s) = (s == 1) + 2.0 * (s != 0);
        output c_label(y) = y == label(2, 3);
        output c_classes(v) = v + classes(3).one_hot()[1];
        output c_select(x, y) = select(x[0].sum() > 0.0, y, 2).one_hot();
    }
}

const X: [f64; 6] = [0.3, -0.7, 1.2, -1.4, 0.15, 0.9];
const V: [f64; 3] = [0.5, -1.1, 0.8];
const W: [f64; 6] = [0.2, -0.4, 1.1, 0.7, -0.9, 0.6];
const Y: [f64; 1] = [2.0];
const S: [f64; 2] = [1.0, 0.0];
const P: [f64; 16] = [0.1, 0.9, -0.3, 0.4, 1.5, -0.2, 0.6, 0.7, -1.1, 0.8, 0.0, -0.6, 0.35, 0.25, -0.45, 1.05];

/// The output's value for the one sample above.
fn value(lowered: &Lowered, output: &str) -> Vec<f64> {
    let graph = lowered.output(output);
    let mut point = lowered.point(graph, 1);
    for (name, values) in [("x", &X[..]), ("v", &V), ("w", &W), ("y", &Y), ("s", &S), ("p", &P)] {
        point.set(graph, &format!("argument.{name}"), values);
    }
    point.run(graph).output("result.0").expect("one result").to_f64s()
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let total: f64 = x.iter().map(|v| v.exp()).sum();
    x.iter().map(|v| v.exp() / total).collect()
}

/// `[n, k]·[k, m]`
fn product(a: &[f64], b: &[f64], n: usize, k: usize, m: usize) -> Vec<f64> {
    (0..n * m).map(|e| (0..k).map(|i| a[e / m * k + i] * b[i * m + e % m]).sum()).collect()
}

#[test]
fn elementwise() {
    let lowered = Lowered::of::<Functions>(1);
    type Definition = fn(f64) -> f64;
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let table: [(&str, Definition); 28] = [
        ("f_ln", |x| (x.abs() + 0.1).ln()),
        ("f_exp", f64::exp),
        ("f_sqrt", |x| x.abs().sqrt()),
        ("f_square", |x| x * x),
        ("f_abs", f64::abs),
        ("f_sin", f64::sin),
        ("f_cos", f64::cos),
        ("f_floor", |x| (3.0 * x).floor()),
        ("f_sign", f64::signum),
        ("f_tanh", f64::tanh),
        ("f_sigmoid", sigmoid),
        ("f_softplus", |x| x.exp().ln_1p()),
        ("f_relu", |x| x.max(0.0)),
        ("f_elu", |x| if x > 0.0 { x } else { x.exp_m1() }),
        ("f_gelu", |x| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())),
        ("f_silu", |x| x / (1.0 + (-x).exp())),
        ("f_leaky", |x| if x > 0.0 { x } else { 0.2 * x }),
        ("f_clamp", |x| x.clamp(-0.5, 0.25)),
        ("f_cube", |x| x.powi(3)),
        ("f_inverse", |x| x.powi(-2)),
        ("f_power", |x| x.abs().powf(1.5)),
        ("f_slope", |x| 1.5 * x.max(0.0).sqrt()),
        ("f_max", |x| x.max(0.1)),
        ("f_min", |x| x.min(0.1)),
        ("f_mix", |x| 0.25 * x + 0.75 * 2.0),
        ("f_select", |x| if x > 0.2 { x } else { -1.0 }),
        ("f_compare", |x| if x < 0.0 { 101.0 } else { 110.0 }),
        ("f_order", |x| if x <= 0.0 { 1.0 } else { 10.0 }),
    ];
    for (name, definition) in table {
        assert_close(name, &value(&lowered, name), &X.map(definition), 2e-7);
    }
}

#[test]
fn reductions() {
    let lowered = Lowered::of::<Functions>(1);
    let (a, b) = X.split_at(3);
    let mean = X.iter().sum::<f64>() / 6.0;
    let columns: Vec<Vec<f64>> = (0..3).map(|i| softmax(&[a[i], b[i]])).collect();
    let table = [
        ("r_sum", vec![X.iter().sum()]),
        ("r_mean", vec![a.iter().sum::<f64>() / 3.0, b.iter().sum::<f64>() / 3.0]),
        ("r_norm", (0..3).map(|i| (a[i] * a[i] + b[i] * b[i]).sqrt()).collect()),
        ("r_amax", vec![1.2, 0.9]),
        ("r_var", vec![X.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 6.0]),
        ("r_softmax", (0..6).map(|e| columns[e % 3][e / 3]).collect()),
        ("r_log_softmax", softmax(a).iter().chain(&softmax(b)).map(|p| p.ln()).collect()),
    ];
    for (name, wanted) in table {
        assert_close(name, &value(&lowered, name), &wanted, 2e-7);
    }
}

#[test]
fn movement() {
    let lowered = Lowered::of::<Functions>(1);
    let at = |places: &[usize]| places.iter().map(|i| X[*i]).collect::<Vec<_>>();
    let mut padded = vec![0.0; 10];
    padded[1..4].copy_from_slice(&X[..3]);
    padded[6..9].copy_from_slice(&X[3..]);
    // Channel 2i + j of the four goes to place (i, j) of each 2×2 block.
    let shuffled = (0..16).map(|e| P[(e / 4 % 2 * 2 + e % 2) * 4 + e / 8 * 2 + e % 4 / 2]).collect();
    let glu = (0..8).map(|e| P[e] / (1.0 + (-P[8 + e]).exp())).collect();
    let doubled: Vec<f64> = X.iter().map(|x| 2.0 * x).collect();
    let table: [(&str, Vec<f64>); 17] = [
        ("m_transpose", at(&[0, 3, 1, 4, 2, 5])),
        ("m_flip", at(&[2, 1, 0, 5, 4, 3])),
        ("m_concat", [&X[..3], &doubled[..3], &X[3..], &doubled[3..]].concat()),
        ("m_copies", [V, V].concat()),
        ("m_spread", V.iter().flat_map(|v| [*v; 4]).collect()),
        ("m_index", at(&[3, 4, 5])),
        ("m_slice", at(&[1, 2, 4, 5])),
        ("m_diff", vec![X[1] - X[0], X[2] - X[1], X[4] - X[3], X[5] - X[4]]),
        ("m_pad", padded),
        ("m_flatten", at(&[0, 3, 1, 4, 2, 5])),
        ("m_max_pool", vec![1.5, 0.7, 0.8, 1.05]),
        ("m_odd_pool", vec![X[0], X[4]]),
        ("m_avg_pool", [0, 2, 8, 10].iter().map(|i| (P[*i] + P[i + 1] + P[i + 4] + P[i + 5]) / 4.0).collect()),
        ("m_upsample", at(&[0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 3, 3, 4, 4, 5, 5])),
        ("m_shuffle", shuffled),
        ("m_glu", glu),
        ("m_vmap", vec![X[0] + X[1] + X[2], X[3] + X[4] + X[5]]),
    ];
    for (name, wanted) in table {
        assert_close(name, &value(&lowered, name), &wanted, 2e-7);
    }
}

#[test]
fn products_and_densities() {
    let lowered = Lowered::of::<Functions>(1);
    let (a, b) = X.split_at(3);
    let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scores = [inner(a, a), inner(a, b), inner(b, a), inner(b, b)].map(|s| s / 3f64.sqrt());
    let weights = [softmax(&scores[..2]), softmax(&scores[2..])].concat();
    let values = [W[0], W[2], W[4], W[1], W[3], W[5]];
    let density = (0..3).map(|i| {
        let error = (a[i] - b[i]).powi(2) / V[i].exp();
        -0.5 * ((2.0 * std::f64::consts::PI).ln() + V[i] + error)
    });
    let table: [(&str, Vec<f64>); 9] = [
        ("p_inner", vec![inner(&V, &V)]),
        ("p_matrix_vector", product(&X, &V, 2, 3, 1)),
        ("p_vector_matrix", product(&V, &W, 1, 3, 2)),
        ("p_matrices", product(&X, &W, 2, 3, 2)),
        ("p_constant", vec![V.iter().sum(); 2]),
        ("p_cosine", vec![inner(a, b) / (inner(a, a) * inner(b, b)).sqrt()]),
        ("p_attention", product(&weights, &values, 2, 2, 3)),
        ("p_kl", vec![(0..3).map(|i| 0.5 * (b[i].exp() + a[i] * a[i] - 1.0 - b[i])).sum()]),
        ("p_density", vec![density.sum()]),
    ];
    for (name, wanted) in table {
        assert_close(name, &value(&lowered, name), &wanted, 3e-7);
    }
}

#[test]
fn classes() {
    let lowered = Lowered::of::<Functions>(1);
    let (a, b) = X.split_at(3);
    let p = softmax(&V);
    let table: [(&str, Vec<f64>); 9] = [
        ("c_one_hot", vec![0.0, 0.0, 1.0]),
        ("c_log_prob", vec![p[2].ln()]),
        ("c_cross_entropy", vec![-softmax(a)[1].ln(), -softmax(b)[0].ln()]),
        ("c_entropy", vec![-p.iter().map(|p| p * p.ln()).sum::<f64>()]),
        ("c_argmax", vec![2.0, 2.0]),
        ("c_equal", vec![3.0, 0.0]),
        ("c_label", vec![1.0]),
        ("c_classes", vec![V[0], V[1] + 1.0, V[2]]),
        ("c_select", vec![0.0, 0.0, 1.0]),
    ];
    for (name, wanted) in table {
        assert_close(name, &value(&lowered, name), &wanted, 2e-7);
    }
}
