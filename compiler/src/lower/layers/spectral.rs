//! Spectral normalisation (Miyato et al. 2018): weights divided by an estimate of their largest singular value.
//!
//! In: a weight as its net owns it. Out: the weight with which all calls of the program compute. The estimate is σ = uᵀWv for
//! two unit vectors that are states of the net, `weight_u` and `weight_v`, PyTorch's names. What always holds: a program that
//! updates the net makes one power iteration with the weight as it is before the update, v ← Wᵀu/|Wᵀu| and u ← Wv/|Wv|, and
//! writes both; every other program reads them. No gradient passes through u and v.

use super::super::states::{Init, Kind};
use super::super::target::GraphTarget;
use crate::ir::{DotDims, Expr};
use saddlepoint_language::Layer;

/// Weights whose output features stand on axis `rows`; the matrix W is `[rows, all the rest in order]`.
pub fn normalised(target: &mut GraphTarget<'_>, layer: &Layer, part: &str, rows: usize, weight: Expr) -> Expr {
    let name = format!("{}.{part}", layer.name);
    let matrix = as_matrix(&weight, rows);
    let [u, v] = [true, false].map(|left| {
        let kind = Kind::SingularVector { net: layer.net, of: name.clone(), rows, left };
        let shape = [matrix.shape()[usize::from(!left)]];
        target.state(&vector_name(&name, left), &shape, Init::Singular, kind)
    });
    let (u, v) = if target.updates(layer.net) {
        let (u, v) = iterated(&matrix, &u);
        target.move_state(&vector_name(&name, true), &u);
        target.move_state(&vector_name(&name, false), &v);
        (u.stop_grad(), v.stop_grad())
    } else {
        (u, v)
    };
    // uᵀ(Wv): the gradient of it by W is uvᵀ.
    let sigma = (u * product(&matrix, 1, &v)).sum_all();
    &weight / sigma.broadcast(&weight.shape(), &[])
}

/// Name of the state that holds a weight's left or right singular vector.
fn vector_name(weight: &str, left: bool) -> String {
    format!("{weight}_{}", if left { "u" } else { "v" })
}

fn as_matrix(weight: &Expr, rows: usize) -> Expr {
    let shape = weight.shape();
    let mut perm: Vec<usize> = (0..shape.len()).collect();
    perm.remove(rows);
    perm.insert(0, rows);
    let rest = shape.iter().enumerate().filter(|(a, _)| *a != rows).map(|(_, n)| n).product();
    weight.transpose(&perm).reshape(&[shape[rows], rest])
}

/// One power iteration: u and v after it.
fn iterated(matrix: &Expr, u: &Expr) -> (Expr, Expr) {
    let v = unit(&product(matrix, 0, u));
    (unit(&product(matrix, 1, &v)), v)
}

/// The matrix times a vector along the axis that is contracted.
fn product(matrix: &Expr, axis: usize, vector: &Expr) -> Expr {
    matrix.dot(vector, DotDims { lhs_contract: vec![axis], rhs_contract: vec![0], ..DotDims::default() })
}

/// x/√(Σx² + 10⁻²⁴), with a root that does not matter beside any weight in use.
fn unit(x: &Expr) -> Expr {
    let norm = x.square().sum_all().shift(1e-24).sqrt();
    x / norm.broadcast(&x.shape(), &[])
}
