//! Finite differences. For y = f(x): s = Σ w·(y + y²/2) is differentiated with respect to x, and t = Σ u·∂s/∂x with respect to x
//! and w, where w and u are given at random; both are compared with central differences, element by element. The square makes
//! second derivatives of linear ops appear.

use saddlepoint_compiler::autodiff::gradients_where_reached;
use saddlepoint_compiler::ir::interpret::{Data, Value, interpret};
use saddlepoint_compiler::ir::{Builder, Expr, Graph, verify};
use saddlepoint_compiler::testing::SplitMix64;

/// Step of the central differences, and how near they must come relative to the largest derivative.
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;
/// Elements of one operand that are perturbed one by one; of larger ones a sample is.
const ELEMENTS: usize = 48;

type Function = Box<dyn Fn(&Builder, &[Expr]) -> Expr>;

/// A function to be differentiated with respect to its float operands, at a point.
pub struct Case {
    pub name: String,
    pub point: Vec<Value<f64>>,
    pub function: Function,
}

pub fn case(name: &str, point: Vec<Value<f64>>, function: impl Fn(&Builder, &[Expr]) -> Expr + 'static) -> Case {
    Case { name: name.into(), point, function: Box::new(function) }
}

/// Distinct numbers between low and high, evenly spread in random order: no two of them are near each other.
pub fn spread(shape: &[usize], low: f64, high: f64, seed: u64) -> Value<f64> {
    let n: usize = shape.iter().product();
    let order = SplitMix64::new(seed).permutation(n);
    Value::floats(shape, order.iter().map(|i| low + (high - low) * (*i as f64 + 0.37) / n as f64).collect()).unwrap()
}

/// Distinct numbers between −2 and 2.
pub fn numbers(shape: &[usize], seed: u64) -> Value<f64> {
    spread(shape, -2.0, 2.0, seed)
}

pub fn ints(shape: &[usize], values: &[i32]) -> Value<f64> {
    Value::ints(shape, values.to_vec()).unwrap()
}

struct Differentiated {
    graph: Graph,
    /// Values of all inputs: the point, then w, then one u for each first derivative.
    given: Vec<Value<f64>>,
}

/// Checks both orders. Returns how many (order, operand) pairs had a derivative at all.
pub fn check(case: &Case) -> usize {
    let Differentiated { graph, given } = differentiate(case);
    let mut reached = 0;
    for (order, of) in [(1, "s"), (2, "t")] {
        for (i, v) in given.iter().enumerate() {
            // The u are only weights; w is one in s.
            let is_point = i < case.point.len();
            if v.as_floats().is_none() || !(is_point || order == 2 && i == case.point.len()) {
                continue;
            }
            let derivative = interpret(&graph, &given, &[]).unwrap().output(&format!("d{of}{i}")).cloned();
            reached += usize::from(derivative.is_some());
            let derivative = derivative.map_or(vec![0.0; v.data.len()], |d| d.to_f64s());
            compare(&format!("{}, order {order}, operand {i}", case.name), &graph, &given, of, i, &derivative);
        }
    }
    reached
}

fn differentiate(case: &Case) -> Differentiated {
    let b = Builder::new();
    let mut rng = SplitMix64::new(99);
    let mut given = case.point.clone();
    let mut input = |name: String, value: Value<f64>| {
        let e = b.input(name, value.ty.clone());
        if given.len() > value_index(&e) {
            given[value_index(&e)] = value
        } else {
            given.push(value)
        }
        e
    };
    let x: Vec<Expr> = case.point.iter().enumerate().map(|(i, v)| input(format!("x{i}"), v.clone())).collect();
    let y = (case.function)(&b, &x);
    let mut weights = |shape: &[usize]| {
        let n = shape.iter().product();
        Value::floats(shape, (0..n).map(|_| rng.uniform(0.3, 1.5) * if rng.chance(50) { 1.0 } else { -1.0 }).collect())
            .unwrap()
    };
    let z = y.add(&y.square().scale(0.5));
    let w = input("w".into(), weights(&z.shape()));
    b.output("s", &z.mul(&w).sum_all());
    let first = gradients_where_reached(&b, &[(z, w.clone())], &x);
    let mut cotangents = Vec::new();
    let mut t = b.f32(0.0);
    for (i, g) in first.iter().enumerate() {
        let Some(g) = g else { continue };
        assert_eq!(g.ty(), x[i].ty(), "{}: type of the gradient of operand {i}", case.name);
        b.output(format!("ds{i}"), g);
        let u = input(format!("u{i}"), weights(&g.shape()));
        t = t.add(&g.mul(&u).sum_all());
        cotangents.push((g.clone(), u));
    }
    b.output("t", &t);
    let mut variables = x.clone();
    variables.push(w);
    for (i, h) in gradients_where_reached(&b, &cotangents, &variables).iter().enumerate() {
        if let Some(h) = h {
            assert_eq!(h.ty(), variables[i].ty(), "{}: type of the second derivative of operand {i}", case.name);
            b.output(format!("dt{i}"), h);
        }
    }
    let graph = b.with_graph(Graph::clone);
    assert_eq!(b.take_error(), None, "{}", case.name);
    verify(&graph).unwrap_or_else(|e| panic!("{}: {e}\n{graph}", case.name));
    Differentiated { graph, given }
}

/// Inputs are declared in order, so the count so far is the index of the newest.
fn value_index(e: &Expr) -> usize {
    e.builder().with_graph(|g| g.inputs.len() - 1)
}

fn compare(what: &str, graph: &Graph, given: &[Value<f64>], of: &str, operand: usize, derivative: &[f64]) {
    let n = derivative.len();
    let scale = 1.0 + derivative.iter().fold(0.0f64, |m, d| m.max(d.abs()));
    let mut rng = SplitMix64::new(7);
    let chosen: Vec<usize> = if n <= ELEMENTS { (0..n).collect() } else { (0..ELEMENTS).map(|_| rng.below(n)).collect() };
    for e in chosen {
        let found = difference(graph, given, of, operand, |i| f64::from(u8::from(i == e)));
        let error = (found - derivative[e]).abs();
        assert!(error <= TOLERANCE * scale, "{what}, element {e}: {} instead of {found}\n{graph}", derivative[e]);
    }
    // All elements at once, so that none of a large operand is left out.
    let direction: Vec<f64> = (0..n).map(|_| rng.uniform(-1.0, 1.0)).collect();
    let along: f64 = direction.iter().zip(derivative).map(|(v, d)| v * d).sum();
    let found = difference(graph, given, of, operand, |i| direction[i]);
    assert!((found - along).abs() <= TOLERANCE * scale * (n as f64).sqrt(), "{what}: {along} instead of {found}\n{graph}");
}

/// The central difference of the scalar output `of` when `operand` moves along a direction.
fn difference(graph: &Graph, given: &[Value<f64>], of: &str, operand: usize, direction: impl Fn(usize) -> f64) -> f64 {
    let at = |step: f64| {
        let mut moved = given.to_vec();
        if let Data::F(v) = &mut moved[operand].data {
            v.iter_mut().enumerate().for_each(|(i, x)| *x += step * direction(i));
        }
        interpret(graph, &moved, &[]).unwrap().output(of).unwrap().to_f64s()[0]
    };
    (at(STEP) - at(-STEP)) / (2.0 * STEP)
}
