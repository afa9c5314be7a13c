//! Initial values of states.
//!
//! What always holds: the initial value of a state depends on the seed, its name and its specification alone (of an average or
//! singular vector: also on those of its parameter), so that adding a layer changes no other.

use crate::device::any::StateStore;
use crate::error::Result;
use crate::streams::Stream;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use saddlepoint_compiler::ir::DType;
use saddlepoint_compiler::lower::{Init, Kind, POWER_ITERATIONS, States};

/// Sets every state to its initial value.
pub fn initialise(store: &mut StateStore, states: &States, seed: u64) -> Result<()> {
    for (name, spec) in states {
        if spec.ty.dtype == DType::F32 {
            store.write_f32(name, &initial_values(states, name, seed))?;
        }
    }
    Ok(())
}

fn initial_values(states: &States, name: &str, seed: u64) -> Vec<f32> {
    let Some(spec) = states.get(name) else { return Vec::new() };
    let n = spec.ty.elements();
    let mut draws = Stream::Initial { parameter: name }.open(seed);
    match (spec.init, &spec.kind) {
        (Init::Constant(value), _) => vec![value; n],
        (Init::Uniform { low, high }, _) => (0..n).map(|_| low + (high - low) * draws.random::<f32>()).collect(),
        (Init::Normal { deviation }, _) => {
            (0..n).map(|_| deviation * Distribution::<f32>::sample(&StandardNormal, &mut draws)).collect()
        }
        (Init::CopyOf, Kind::Average { of }) => initial_values(states, of, seed),
        (Init::Singular, Kind::SingularVector { of, rows, left, .. }) => {
            let Some(weight) = states.get(of) else { return vec![0.0; n] };
            let (u, v) = singular_vectors(&initial_values(states, of, seed), &weight.ty.shape, *rows, of, seed);
            if *left { u } else { v }
        }
        (Init::CopyOf | Init::Singular, _) => vec![0.0; n],
    }
}

/// Unit vectors near the left and right singular vectors of a weight's largest singular value, by power iterations from a
/// random vector. The weight's axis `rows` becomes the rows of its matrix, the others in order its columns.
fn singular_vectors(weight: &[f32], shape: &[usize], rows: usize, name: &str, seed: u64) -> (Vec<f32>, Vec<f32>) {
    let (count, after) = (shape[rows], shape[rows + 1..].iter().product::<usize>());
    let columns = weight.len() / count.max(1);
    // Elements in the weight's order, with their rows and columns.
    let place = |e: usize| (e / after % count, e / (after * count) * after + e % after);
    let mut draws = Stream::Initial { parameter: &format!("{name}_u") }.open(seed);
    let mut u: Vec<f64> = (0..count).map(|_| StandardNormal.sample(&mut draws)).collect();
    let mut v = vec![0.0; columns];
    for _ in 0..POWER_ITERATIONS {
        v.fill(0.0);
        for (e, w) in weight.iter().enumerate() {
            let (row, column) = place(e);
            v[column] += f64::from(*w) * u[row];
        }
        normalise(&mut v);
        u.fill(0.0);
        for (e, w) in weight.iter().enumerate() {
            let (row, column) = place(e);
            u[row] += f64::from(*w) * v[column];
        }
        normalise(&mut u);
    }
    let single = |x: Vec<f64>| x.into_iter().map(|x| x as f32).collect();
    (single(u), single(v))
}

fn normalise(x: &mut [f64]) {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
}
