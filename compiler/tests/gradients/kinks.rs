//! Where finite differences say nothing: ties, kinks, stopped gradients, states, interior nodes, what is not reached.

use crate::check::numbers;
use saddlepoint_compiler::autodiff::{gradients, gradients_where_reached};
use saddlepoint_compiler::ir::interpret::{Value, interpret};
use saddlepoint_compiler::ir::{Builder, DType, Expr, Graph, Op, Type};

/// The gradient of Σ f(x) at a point.
fn gradient(x: &[f64], f: impl Fn(&Expr) -> Expr) -> Vec<f64> {
    let b = Builder::new();
    let v = b.input("x", Type::f32([x.len()]));
    let g = gradients(&b, &[(f(&v).sum_all(), b.f32(1.0))], std::slice::from_ref(&v));
    b.output("g", &g[0]);
    run(&b, &[Value::floats(&[x.len()], x.to_vec()).unwrap()], &[])
}

fn run(b: &Builder, inputs: &[Value<f64>], states: &[Value<f64>]) -> Vec<f64> {
    assert_eq!(b.take_error(), None);
    let graph = b.with_graph(Graph::clone);
    interpret(&graph, inputs, states).unwrap().output("g").unwrap().to_f64s()
}

#[test]
fn ties_and_kinks() {
    assert_eq!(gradient(&[-1.0, 0.0, 2.0], Expr::relu), [0.0, 0.0, 1.0]);
    assert_eq!(gradient(&[-1.0, 0.0, 2.0], |x| x.max(&x.scalar(0.0))), [0.0, 0.5, 1.0]);
    assert_eq!(gradient(&[-1.0, 0.0, 2.0], Expr::abs), [-1.0, 0.0, 1.0]);
    assert_eq!(gradient(&[3.0, 1.0, 3.0, 3.0, 0.0], |x| x.max_over(&[0])), [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
}

#[test]
fn constant_cotangents() {
    // Factors of 1 and −1 are left out of products; the signs must stay.
    assert_eq!(gradient(&[1.0, 3.0], |x| x.mul(&x.scale(2.0)).neg()), [-4.0, -12.0]);
    assert_eq!(gradient(&[1.0, 3.0], |x| x.scale(2.0).mul(x).neg().neg()), [4.0, 12.0]);
    assert_eq!(gradient(&[1.0, 3.0], |x| x.scale(-1.0).add(&x.scale(0.0))), [-1.0, -1.0]);
    assert_eq!(gradient(&[2.0], |x| x.neg().exp().ln()), [-1.0]);
}

#[test]
fn stopped() {
    // Straight through: the value of floor, the gradient of the identity.
    assert_eq!(gradient(&[0.3, 1.7], |x| x.add(&x.floor().sub(x).stop_grad()).square()), [0.0, 2.0]);
    assert_eq!(gradient(&[0.3, 1.7], |x| x.stop_grad().mul(x)), [0.3, 1.7]);
}

#[test]
fn no_gradient_is_told_from_a_zero_one() {
    let b = Builder::new();
    let (x, i) = (b.input("x", Type::f32([2])), b.input("i", Type::new(DType::I32, [2])));
    let later = b.input("later", Type::f32([3]));
    let y = x.stop_grad().add(&i.cast(DType::F32)).sum_all();
    let wrt = [x.clone(), i.clone(), later.clone(), y.clone()];
    let found = gradients_where_reached(&b, &[(y.clone(), b.f32(1.0))], &wrt);
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, false, true]);
    let zeros = gradients(&b, &[(y, b.f32(1.0))], &wrt);
    assert_eq!(zeros[..3].iter().map(Expr::ty).collect::<Vec<_>>(), [x.ty(), i.ty(), later.ty()]);
    assert_eq!(gradients_where_reached(&b, &[], &wrt).iter().flatten().count(), 0);
}

#[test]
fn states_and_interior_nodes() {
    // y = Σ (s²)·x: ∂y/∂s = 2·s·x, ∂y/∂(s²) = x; asked for together, each is a total derivative.
    let b = Builder::new();
    let (s, x) = (b.state("s", Type::f32([3])), b.input("x", Type::f32([3])));
    let square = s.square();
    let y = square.mul(&x).sum_all();
    let g = gradients(&b, &[(y, b.f32(1.0))], &[s, square]);
    b.output("g", &Expr::concat(&[&g[0], &g[1]], 0).unwrap());
    let at = |v: &[f64]| Value::floats(&[3], v.to_vec()).unwrap();
    assert_eq!(run(&b, &[at(&[1.0, 2.0, 3.0])], &[at(&[4.0, 5.0, 6.0])]), [8.0, 20.0, 36.0, 1.0, 2.0, 3.0]);
}

#[test]
fn several_outputs_add_up() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([3]));
    let (y, z) = (x.square(), x.sum_all());
    let g = gradients(&b, &[(y.clone(), b.full(1.0, &[3])), (z, b.f32(10.0)), (y, b.full(2.0, &[3]))], &[x]);
    b.output("g", &g[0]);
    assert_eq!(run(&b, &[Value::floats(&[3], vec![1.0, 2.0, 3.0]).unwrap()], &[]), [16.0, 22.0, 28.0]);
}

#[test]
fn a_cotangent_of_another_type_is_an_error() {
    let b = Builder::new();
    let x = b.input("x", Type::f32([3]));
    gradients(&b, &[(x.square(), b.f32(1.0))], std::slice::from_ref(&x));
    assert!(b.take_error().unwrap().to_string().contains("cotangent of type f32[] for an output of type f32[3]"));
}

#[test]
fn what_is_not_asked_for_costs_nothing() {
    // Two layers; the gradient of the second's weight neither touches the first's weight nor the input.
    let b = Builder::new();
    let x = b.input("x", numbers(&[4, 3], 1).ty);
    let (w, v) = (b.state("w", Type::f32([3, 5])), b.state("v", Type::f32([5, 2])));
    let y = x.matmul(&w).tanh().matmul(&v).square().sum_all();
    let count = || b.with_graph(|g| g.nodes.iter().filter(|n| matches!(n.op, Op::Dot(_))).count());
    assert_eq!(count(), 2);
    gradients(&b, &[(y.clone(), b.f32(1.0))], std::slice::from_ref(&v));
    assert_eq!(count(), 3);
    gradients(&b, &[(y.clone(), b.f32(1.0))], std::slice::from_ref(&w));
    assert_eq!(count(), 5);
    gradients(&b, &[(y, b.f32(1.0))], &[w, v]);
    assert_eq!(count(), 8);
}
