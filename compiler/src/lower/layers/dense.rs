//! Fully connected layers and embeddings.

use super::super::states::Init;
use super::GraphTarget;
use crate::ir::{DotDims, Expr};
use saddlepoint_language::Layer;

/// `[batch, …, k] → [batch, …, n]`: x·Wᵀ + b with W `[n, k]`; both start uniform within 1/√k.
pub fn dense(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, n: usize, bias: bool) -> Expr {
    let last = x.rank() - 1;
    let k = x.shape()[last];
    let init = Init::within(1.0 / (k as f32).sqrt());
    let w = target.weight(layer, "weight", &[n, k], init, 0);
    let y = x.dot(&w, DotDims { lhs_contract: vec![last], rhs_contract: vec![1], ..DotDims::default() });
    if !bias {
        return y;
    }
    let b = target.parameter(layer, "bias", &[n], init);
    &y + b.broadcast(&y.shape(), &[last])
}

/// `[batch, …] of class(k) → [batch, …, n]`: rows of a table `[k, n]` that starts standard normal.
pub fn embed(target: &mut GraphTarget<'_>, layer: &Layer, classes: &Expr, k: usize, n: usize) -> Expr {
    let table = target.weight(layer, "weight", &[k, n], Init::Normal { deviation: 1.0 }, 0);
    table.gather(classes, 0)
}
