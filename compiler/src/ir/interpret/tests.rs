//! Hand-computed values of ops whose meaning is easy to get wrong. That back ends and derivatives agree with the interpreter is
//! tested elsewhere; these tests say that the interpreter itself is right.

use super::*;
use crate::ir::{Builder, ConvDims, DType, DotDims, Expr};

fn floats(shape: &[usize], data: &[f64]) -> Value<f64> {
    Value::floats(shape, data.to_vec()).unwrap()
}

/// 0, 1, 2, … in this shape.
fn counting(shape: &[usize]) -> Value<f64> {
    let n = shape.iter().product::<usize>();
    floats(shape, &(0..n).map(|i| i as f64).collect::<Vec<_>>())
}

/// Builds a program over inputs of the given types, runs it and returns the elements of its one result with its shape.
fn eval(inputs: &[Value<f64>], build: impl FnOnce(&[Expr]) -> Expr) -> (Vec<usize>, Vec<f64>) {
    let b = Builder::new();
    let args: Vec<Expr> = inputs.iter().enumerate().map(|(i, v)| b.input(format!("x{i}"), v.ty.clone())).collect();
    b.output("y", &build(&args));
    drop(args);
    let graph = b.finish().unwrap();
    let outcome = interpret(&graph, inputs, &[]).unwrap();
    let y = outcome.output("y").unwrap();
    (y.ty.shape.clone(), y.to_f64s())
}

#[test]
fn elementwise_corner_cases() {
    let x = floats(&[5], &[-1.5, -0.0, 0.0, 2.5, f64::NAN]);
    let (_, floor) = eval(std::slice::from_ref(&x), |a| a[0].floor());
    assert_eq!(floor[..4], [-2.0, 0.0, 0.0, 2.0]);
    assert_eq!(eval(std::slice::from_ref(&x), |a| a[0].sign()).1, [-1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(eval(std::slice::from_ref(&x), |a| a[0].cast(DType::I32)).1, [-1.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(eval(std::slice::from_ref(&x), |a| a[0].cast(DType::Bool)).1, [1.0, 0.0, 0.0, 1.0, 1.0]);
    // Max takes the second operand when the comparison fails.
    assert_eq!(eval(std::slice::from_ref(&x), |a| a[0].max(&a[0].scalar(1.0))).1, [1.0, 1.0, 1.0, 2.5, 1.0]);
    assert_eq!(eval(std::slice::from_ref(&x), |a| a[0].eq(&a[0])).1, [1.0, 1.0, 1.0, 1.0, 0.0]);
    let (_, softplus) = eval(&[floats(&[3], &[-800.0, 0.0, 800.0])], |a| a[0].softplus());
    assert_eq!(softplus, [0.0, 2f64.ln(), 800.0]);
}

#[test]
fn integers_wrap() {
    let x = Value::ints(&[2], vec![i32::MAX, i32::MIN]).unwrap();
    let wrapped = eval(&[x], |a| a[0].add(&a[0].builder().i32(1)).mul(&a[0].neg())).1;
    assert_eq!(wrapped, [f64::from(i32::MIN.wrapping_mul(-i32::MAX)), f64::from((i32::MIN + 1).wrapping_mul(i32::MIN))]);
}

#[test]
fn movement() {
    let x = counting(&[2, 3]);
    let x = std::slice::from_ref(&x);
    assert_eq!(eval(x, |a| a[0].transpose(&[1, 0])), (vec![3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    assert_eq!(eval(x, |a| a[0].reverse(&[1])).1, [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
    assert_eq!(eval(x, |a| a[0].reverse(&[0, 1])).1, [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    let (shape, b) = eval(x, |a| a[0].broadcast(&[2, 2, 3], &[0, 2]));
    assert_eq!((shape, b), (vec![2, 2, 3], vec![0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 3.0, 4.0, 5.0]));
    assert_eq!(eval(x, |a| a[0].slice(&[1, 0], &[2, 3], &[1, 2])), (vec![1, 2], vec![3.0, 5.0]));
    let (shape, p) = eval(&[counting(&[2])], |a| a[0].pad(&[1], &[2], &[1], &a[0].scalar(9.0)));
    assert_eq!((shape, p), (vec![6], vec![9.0, 0.0, 9.0, 1.0, 9.0, 9.0]));
    let joined = eval(x, |a| Expr::concat(&[&a[0].slice_axis(1, 2, 3), &a[0], &a[0].slice_axis(1, 1, 1)], 1).unwrap());
    assert_eq!(joined, (vec![2, 4], vec![2.0, 0.0, 1.0, 2.0, 5.0, 3.0, 4.0, 5.0]));
}

#[test]
fn reductions_and_scans() {
    let x = counting(&[2, 2, 3]);
    let x = std::slice::from_ref(&x);
    assert_eq!(
        eval(x, |a| a[0].sum(&[0, 2])),
        (vec![2], vec![0.0 + 1.0 + 2.0 + 6.0 + 7.0 + 8.0, 3.0 + 4.0 + 5.0 + 9.0 + 10.0 + 11.0])
    );
    assert_eq!(eval(x, |a| a[0].neg().max_over(&[1])), (vec![2, 3], vec![0.0, -1.0, -2.0, -6.0, -7.0, -8.0]));
    assert_eq!(eval(&[counting(&[2, 3])], |a| a[0].cum_sum(1, false)).1, [0.0, 1.0, 3.0, 3.0, 7.0, 12.0]);
    assert_eq!(eval(&[counting(&[2, 3])], |a| a[0].cum_sum(1, true)).1, [3.0, 3.0, 2.0, 12.0, 9.0, 5.0]);
    assert_eq!(eval(&[counting(&[2, 3])], |a| a[0].cum_sum(0, true)).1, [3.0, 5.0, 7.0, 3.0, 4.0, 5.0]);
}

#[test]
fn iota_counts_along_its_axis() {
    let iota = eval(&[counting(&[])], |a| a[0].builder().op(Op::Iota { shape: vec![2, 3, 1], axis: 1 }, &[]));
    assert_eq!(iota, (vec![2, 3, 1], vec![0.0, 1.0, 2.0, 0.0, 1.0, 2.0]));
}

#[test]
fn dot_orders_batch_then_left_then_right() {
    // lhs [k, b, m], rhs [n, k, b] → [b, m, n], against the definition.
    let (k, b, m, n) = (3, 2, 2, 4);
    let dims = DotDims { lhs_batch: vec![1], rhs_batch: vec![2], lhs_contract: vec![0], rhs_contract: vec![1] };
    let (shape, got) = eval(&[counting(&[k, b, m]), counting(&[n, k, b])], |a| a[0].dot(&a[1], dims));
    assert_eq!(shape, [b, m, n]);
    for (e, v) in got.iter().enumerate() {
        let (bi, mi, ni) = (e / (m * n), e / n % m, e % n);
        let want: usize = (0..k).map(|ki| ((ki * b + bi) * m + mi) * ((ni * k + ki) * b + bi)).sum();
        assert_eq!(*v, want as f64, "element {e}");
    }
}

fn line(stride: usize, padding: (isize, isize), input_dilation: usize, kernel_dilation: usize, groups: usize) -> ConvDims {
    ConvDims {
        stride: vec![stride],
        padding: vec![padding],
        input_dilation: vec![input_dilation],
        kernel_dilation: vec![kernel_dilation],
        groups,
    }
}

#[test]
fn convolution_of_a_line() {
    let run = |dims: ConvDims| {
        eval(&[floats(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0]), floats(&[1, 1, 2], &[10.0, 1.0])], |a| a[0].conv(&a[1], dims)).1
    };
    assert_eq!(run(line(1, (0, 0), 1, 1, 1)), [12.0, 23.0, 34.0]);
    assert_eq!(run(line(2, (1, 0), 1, 1, 1)), [1.0, 23.0]);
    assert_eq!(run(line(1, (0, 1), 1, 2, 1)), [13.0, 24.0, 30.0]);
    // Negative padding crops: 2 3 4.
    assert_eq!(run(line(1, (-1, 0), 1, 1, 1)), [23.0, 34.0]);
    // Input dilation: 1 0 2 0 3 0 4; cropping counts dilated places: 0 2 0 3 0 4.
    assert_eq!(run(line(1, (0, 0), 2, 1, 1)), [10.0, 2.0, 20.0, 3.0, 30.0, 4.0]);
    assert_eq!(run(line(1, (-1, -1), 2, 1, 1)), [2.0, 20.0, 3.0, 30.0]);
}

#[test]
fn grouped_convolution_in_two_dimensions_meets_its_definition() {
    let (n, groups, c, o, h, w) = (2, 2, 2, 3, 3, 4);
    let dims = ConvDims {
        stride: vec![2, 1],
        padding: vec![(1, 1), (0, 2)],
        input_dilation: vec![1, 2],
        kernel_dilation: vec![1, 2],
        groups,
    };
    let (x, k) = (counting(&[n, groups * c, h, w]), counting(&[groups * o, c, 2, 2]));
    let (shape, got) = eval(&[x, k], |a| a[0].conv(&a[1], dims));
    assert_eq!(shape, [n, groups * o, 2, 7]);
    let at = |ni: usize, ci: usize, y: isize, xx: isize| -> f64 {
        if y < 0 || y >= h as isize || xx < 0 || xx % 2 != 0 || xx / 2 >= w as isize {
            return 0.0;
        }
        (((ni * groups * c + ci) * h + y as usize) * w + xx as usize / 2) as f64
    };
    for (e, v) in got.iter().enumerate() {
        let (ni, oi, y, xx) = (e / (6 * 14), e / 14 % 6, e / 7 % 2, e % 7);
        let mut want = 0.0;
        for ci in 0..c {
            for (ky, kx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let weight = (((oi * c + ci) * 2 + ky) * 2 + kx) as f64;
                want += weight * at(ni, oi / o * c + ci, (y * 2 + ky) as isize - 1, (xx + 2 * kx) as isize);
            }
        }
        assert_eq!(*v, want, "element {e}");
    }
}

#[test]
fn windows_and_indices() {
    let x = counting(&[1, 6]);
    let x = std::slice::from_ref(&x);
    let unfold = Op::Unfold { axis: 1, size: 2, stride: 2, dilation: 3 };
    assert_eq!(eval(x, |a| a[0].builder().op(unfold, &[&a[0]])), (vec![1, 2, 2], vec![0.0, 3.0, 2.0, 5.0]));
    let fold = Op::Fold { axis: 0, length: 4, stride: 1, dilation: 1 };
    let folded = eval(&[counting(&[3, 2])], |a| a[0].builder().op(fold, &[&a[0]]));
    assert_eq!(folded, (vec![4], vec![0.0, 1.0 + 2.0, 3.0 + 4.0, 5.0]));
    let indices = Value::ints(&[2, 2], vec![1, -7, 99, 0]).unwrap();
    let gathered = eval(&[counting(&[2, 3]), indices.clone()], |a| a[0].gather(&a[1], 1));
    assert_eq!(gathered, (vec![2, 2, 2], vec![1.0, 0.0, 2.0, 0.0, 4.0, 3.0, 5.0, 3.0]));
    let scattered = eval(&[indices, counting(&[1, 2, 2])], |a| {
        a[0].builder().op(Op::ScatterAdd { axis: 1, length: 3 }, &[&a[0], &a[1]])
    });
    assert_eq!(scattered, (vec![1, 3], vec![1.0 + 3.0, 0.0, 2.0]));
}

#[test]
fn draws_follow_the_documented_counter() {
    let key = Value::ints(&[4], vec![11, -12, 13, 14]).unwrap();
    let (_, drawn) = eval(&[key], |a| a[0].builder().op(Op::Rng { stream: 15, shape: vec![3, 2] }, &[&a[0]]));
    let key = [11, -12i32 as u32];
    let words = [philox::philox([0, 13, 14, 15], key), philox::philox([1, 13, 14, 15], key)].concat();
    let want: Vec<f64> = words[..6].iter().map(|w| f64::from(philox::uniform(*w))).collect();
    assert_eq!(drawn, want);
}

#[test]
fn states_are_read_before_they_are_written() {
    let b = Builder::new();
    let s = b.state("s", Type::f32([2]));
    b.write_state("s", &s.scale(2.0));
    b.output("old", &s);
    drop(s);
    let graph = b.finish().unwrap();
    let mut states = vec![floats(&[2], &[1.0, 3.0])];
    let outcome = interpret(&graph, &[], &states).unwrap();
    outcome.store(&mut states);
    assert_eq!(outcome.output("old"), Some(&floats(&[2], &[1.0, 3.0])));
    assert_eq!(states, [floats(&[2], &[2.0, 6.0])]);
}

#[test]
fn wrong_inputs_are_errors() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([2]));
    b.output("y", &x);
    drop(x);
    let graph = b.finish().unwrap();
    assert!(interpret::<f64>(&graph, &[], &[]).is_err());
    assert!(interpret(&graph, &[counting(&[3])], &[]).is_err());
    assert!(interpret(&graph, &[Value::<f64>::ints(&[2], vec![1, 2]).unwrap()], &[]).is_err());
    assert!(Value::floats(&[2], vec![1.0f64]).is_err());
}
