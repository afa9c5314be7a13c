//! Classes: one-hot rows, categorical distributions by their logits along the last axis.

use super::reduce::{log_softmax, restored, softmax};
use crate::ir::{DType, Expr, Op};

/// 0…n−1 along a new last axis of a value of shape `lead`.
fn positions(like: &Expr, lead: &[usize], n: usize) -> Expr {
    let mut shape = lead.to_vec();
    shape.push(n);
    like.builder().op(Op::Iota { axis: lead.len(), shape }, &[])
}

/// Classes as rows of 0.0 and one 1.0.
pub fn one_hot(classes: &Expr, n: usize) -> Expr {
    let lead = classes.shape();
    let index = positions(classes, &lead, n);
    let mask = index.eq(&classes.broadcast(&index.shape(), &(0..lead.len()).collect::<Vec<_>>()));
    mask.select(&classes.scalar(1.0), &classes.scalar(0.0))
}

/// The first class of the largest logit.
pub fn argmax(logits: &Expr) -> Expr {
    let last = logits.rank() - 1;
    let n = logits.shape()[last];
    let best = restored(&logits.max_over(&[last]), logits, &[last]);
    let index = positions(logits, &logits.shape()[..last], n).cast(DType::F32);
    // The smallest index among the largest logits: −max(−index).
    let candidates = logits.lt(&best).select(&logits.scalar(-(n as f32)), &index.neg());
    candidates.max_over(&[last]).neg().min(&logits.scalar(n as f32 - 1.0)).cast(DType::I32)
}

/// ln p(class), differentiable in the logits.
pub fn log_prob(logits: &Expr, class: &Expr) -> Expr {
    let last = logits.rank() - 1;
    (log_softmax(logits, last) * one_hot(class, logits.shape()[last])).sum(&[last])
}

/// −Σ p ln p.
pub fn entropy(logits: &Expr) -> Expr {
    let last = logits.rank() - 1;
    (softmax(logits, last) * log_softmax(logits, last)).sum(&[last]).neg()
}
