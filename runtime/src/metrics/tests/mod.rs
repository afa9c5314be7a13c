//! Known answers: closed forms, planted structure, and the values of other libraries on the same features.

use rand::seq::SliceRandom;
use rand_distr::{Distribution, StandardNormal};

use crate::streams::Stream;
use crate::tensor::Tensor;

mod classes;
mod discrepancies;
mod frechet;
mod likelihood;
mod neighbours;
mod refusals;
mod report;
mod values;

/// Standard normal samples.
fn normal(seed: u64, rows: usize, width: usize) -> Tensor {
    let mut rng = Stream::Synthetic { set: "metrics" }.open(seed);
    tensor(width, (0..rows * width).map(|_| StandardNormal.sample(&mut rng)).collect())
}

fn tensor(width: usize, values: Vec<f32>) -> Tensor {
    Tensor::new([values.len() / width, width], values).unwrap()
}

/// Each number of each row under `change`, which also gets the column.
fn changed(samples: &Tensor, change: impl Fn(usize, f32) -> f32) -> Tensor {
    let width = samples.shape()[1];
    let values = samples.as_slice().iter().enumerate().map(|(at, &x)| change(at % width, x));
    tensor(width, values.collect())
}

fn rows(samples: &Tensor, which: impl IntoIterator<Item = usize>) -> Tensor {
    tensor(samples.shape()[1], which.into_iter().flat_map(|row| samples.row(row).to_vec()).collect())
}

fn shuffled(samples: &Tensor, seed: u64) -> Tensor {
    let mut order: Vec<usize> = (0..samples.rows()).collect();
    order.shuffle(&mut Stream::Synthetic { set: "order" }.open(seed));
    rows(samples, order)
}

fn joined(a: &Tensor, b: &Tensor) -> Tensor {
    tensor(a.shape()[1], [a.as_slice(), b.as_slice()].concat())
}

#[track_caller]
fn close(value: f64, expected: f64, relative: f64) {
    assert!((value - expected).abs() <= relative * expected.abs(), "{value}, expected {expected}");
}
