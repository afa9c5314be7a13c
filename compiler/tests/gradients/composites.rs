//! What models are made of, in both orders.

use crate::check::{case, check, ints, numbers, spread};
use saddlepoint_compiler::autodiff::gradients;
use saddlepoint_compiler::ir::{ConvDims, DType, DotDims, Expr, Op};

fn square(stride: usize, pad: isize) -> ConvDims {
    ConvDims {
        stride: vec![stride; 2],
        padding: vec![(pad, pad); 2],
        input_dilation: vec![1; 2],
        kernel_dilation: vec![1; 2],
        groups: 1,
    }
}

/// The transposed convolution: kernel [C, O, k, k] as in PyTorch.
fn conv_transpose(x: &Expr, w: &Expr, stride: usize, pad: isize) -> Expr {
    let k = w.shape()[2] as isize;
    let dims = ConvDims {
        stride: vec![1; 2],
        padding: vec![(k - 1 - pad, k - 1 - pad); 2],
        input_dilation: vec![stride; 2],
        ..square(1, 0)
    };
    x.conv(&w.transpose(&[1, 0, 2, 3]).reverse(&[2, 3]), dims)
}

fn leaky(x: &Expr) -> Expr {
    x.positive().select(x, &x.scale(0.2))
}

fn batch_norm(x: &Expr, gain: &Expr, bias: &Expr) -> Expr {
    let shape = x.shape();
    let axes: Vec<usize> = (0..shape.len()).filter(|a| *a != 1).collect();
    let back = |v: &Expr| v.broadcast(&shape, &[1]);
    let centred = x.sub(&back(&x.mean(&axes)));
    let deviation = centred.square().mean(&axes).shift(1e-5).sqrt();
    centred.div(&back(&deviation)).mul(&back(gain)).add(&back(bias))
}

fn softmax(x: &Expr) -> Expr {
    let shape = x.shape();
    let back = |v: &Expr| v.broadcast(&shape, &[0]);
    let e = x.sub(&back(&x.max_over(&[1]))).exp();
    e.div(&back(&e.sum(&[1])))
}

#[test]
fn normalisation() {
    check(&case("batch norm of images", vec![numbers(&[2, 3, 2, 2], 1), numbers(&[3], 2), numbers(&[3], 3)], |_, a| {
        batch_norm(&a[0], &a[1], &a[2])
    }));
    check(&case("norm", vec![numbers(&[3, 4], 1)], |_, a| a[0].square().sum(&[1]).shift(1e-12).sqrt()));
}

#[test]
fn norm_at_the_origin_is_finite() {
    let point = spread(&[2, 3], 0.0, 0.0, 1);
    let b = saddlepoint_compiler::ir::Builder::new();
    let x = b.input("x", point.ty.clone());
    let norm = x.square().sum(&[1]).shift(1e-12).sqrt();
    let g = gradients(&b, &[(norm.sum_all(), b.f32(1.0))], std::slice::from_ref(&x));
    let h = gradients(&b, &[(g[0].sum_all(), b.f32(1.0))], std::slice::from_ref(&x));
    b.output("g", &g[0]);
    b.output("h", &h[0]);
    drop((x, norm, g, h));
    let outcome = saddlepoint_compiler::ir::interpret::interpret(&b.finish().unwrap(), &[point], &[]).unwrap();
    assert!(outcome.outputs.iter().all(|(_, v)| v.to_f64s().iter().all(|e| e.is_finite())));
}

#[test]
fn attention() {
    let x = |seed| numbers(&[2, 3, 2], seed);
    check(&case("softmax", vec![numbers(&[3, 4], 1)], |_, a| softmax(&a[0])));
    check(&case("attention", vec![x(1), x(2), x(3)], |_, a| {
        let batched =
            |l, r| DotDims { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![l], rhs_contract: vec![r] };
        let scores = a[0].dot(&a[1], batched(2, 2)).scale(0.7);
        let weights = softmax(&scores.reshape(&[6, 3])).reshape(&[2, 3, 3]);
        weights.dot(&a[2], batched(2, 1))
    }));
}

#[test]
fn cross_entropy_with_classes() {
    check(&case("cross entropy", vec![numbers(&[3, 4], 1), ints(&[3], &[2, 0, 3])], |b, a| {
        let classes = b.op(Op::Iota { shape: vec![3, 4], axis: 1 }, &[]);
        let picked = classes.eq(&a[1].broadcast(&[3, 4], &[0])).cast(DType::F32);
        softmax(&a[0]).ln().mul(&picked).sum(&[1]).neg()
    }));
}

#[test]
fn generator() {
    let point = vec![
        numbers(&[2, 3, 2, 2], 1),
        numbers(&[3, 2, 4, 4], 2),
        numbers(&[2], 3),
        numbers(&[2], 4),
        numbers(&[2, 1, 4, 4], 5),
    ];
    check(&case("generator", point, |_, a| {
        let hidden = batch_norm(&conv_transpose(&a[0], &a[1], 2, 1), &a[2], &a[3]).relu();
        let image = conv_transpose(&hidden, &a[4], 2, 1).scale(0.05).tanh();
        assert_eq!(image.shape(), [2, 1, 8, 8]);
        image
    }));
}

/// D of two convolutions and a dense layer over `[n, 1, 7, 7]`.
fn discriminator(x: &Expr, w: &[Expr]) -> Expr {
    let h = leaky(&x.conv(&w[0], square(2, 1)));
    let h = leaky(&h.conv(&w[1], square(2, 1)));
    let (n, features) = (h.shape()[0], h.shape()[1..].iter().product());
    h.reshape(&[n, features]).matmul(&w[2])
}

fn discriminator_point() -> Vec<saddlepoint_compiler::ir::interpret::Value<f64>> {
    vec![
        numbers(&[2, 1, 7, 7], 1),
        spread(&[2, 1, 4, 4], -0.5, 0.5, 2),
        spread(&[3, 2, 4, 4], -0.3, 0.3, 3),
        numbers(&[3, 1], 4),
    ]
}

#[test]
fn discriminator_loss() {
    check(&case("saturating loss", discriminator_point(), |_, a| {
        let p = discriminator(&a[0], &a[1..]).sigmoid();
        p.neg().shift(1.0).ln().mean(&[0, 1])
    }));
}

#[test]
fn gradient_penalty() {
    // (‖∂D/∂x‖ − 1)²: the loss itself holds a gradient, so that order 2 here is of order 3 in D.
    check(&case("gradient penalty", discriminator_point(), |b, a| {
        let y = discriminator(&a[0], &a[1..]);
        let g = gradients(b, &[(y.sum_all(), b.f32(1.0))], &a[..1]);
        let norm = g[0].square().sum(&[1, 2, 3]).shift(1e-12).sqrt();
        norm.shift(-1.0).square().mean(&[0])
    }));
}

#[test]
fn gradient_penalty_of_a_smooth_critic() {
    check(&case(
        "penalty through batch norm and softplus",
        vec![numbers(&[3, 2], 1), numbers(&[2, 3], 2), numbers(&[3], 3)],
        |b, a| {
            let h = batch_norm(&a[0].matmul(&a[1]), &a[2], &a[2]).softplus();
            let g = gradients(b, &[(h.sum_all(), b.f32(1.0))], &a[..1]);
            g[0].square().sum(&[1])
        },
    ));
}

#[test]
fn sums_weighted_along_an_axis() {
    // The cotangent of the sum is a broadcast that is broadcast again.
    check(&case("weighted sums", vec![numbers(&[2, 3, 4], 1), numbers(&[4], 2), numbers(&[3], 3)], |_, a| {
        let sums = a[0].sum(&[0]);
        let by_columns = sums.mul(&a[1].broadcast(&[3, 4], &[1])).sum_all();
        let by_rows = sums.mul(&a[2].broadcast(&[3, 4], &[0])).sum_all();
        by_columns.add(&by_rows)
    }));
    check(&case("weighted once", vec![numbers(&[2, 3, 4], 1), numbers(&[4], 2)], |b, a| {
        let sums = a[0].sin().sum(&[0]);
        let y = sums.mul(&a[1].broadcast(&[3, 4], &[1])).sum_all();
        gradients(b, &[(y, b.f32(1.0))], &a[..1])[0].clone()
    }));
}
