//! Reductions over the axes of one sample, softmax, and the expectation, which alone reaches across the batch.

use crate::ir::Expr;
use saddlepoint_language::Function;

/// Axes of the graph value that a reduction with this option sums over; `lead` is 1 when there is a batch axis.
fn axes(x: &Expr, axis: Option<usize>, lead: usize) -> Vec<usize> {
    match axis {
        Some(a) => vec![a + lead],
        None => (lead..x.rank()).collect(),
    }
}

/// A reduction; `None` when `function` is of another family.
pub fn reduce(function: &Function, x: &Expr, lead: usize) -> Option<Expr> {
    use Function::*;
    Some(match function {
        Sum { axis } => x.sum(&axes(x, *axis, lead)),
        Mean { axis } => x.mean(&axes(x, *axis, lead)),
        // 1e-12 inside the root: its derivative at 0 is then 0, not 0·∞ (rule 9).
        Norm { axis } => x.square().sum(&axes(x, *axis, lead)).shift(1e-12).sqrt(),
        Amax { axis } => x.max_over(&axes(x, *axis, lead)),
        Var { axis } => {
            let over = axes(x, *axis, lead);
            centred(x, &over).square().mean(&over)
        }
        Expectation => x.mean(&(0..x.rank()).collect::<Vec<_>>()),
        Softmax { axis } => softmax(x, axis + lead),
        LogSoftmax { axis } => log_softmax(x, axis + lead),
        _ => return None,
    })
}

/// x minus its mean over the axes.
pub fn centred(x: &Expr, over: &[usize]) -> Expr {
    x - restored(&x.mean(over), x, over)
}

/// `[batch, c, …]` with one channel more: the standard deviation over the batch, averaged over all places (Karras et al. 2018, §3).
pub fn with_deviation(x: &Expr) -> Option<Expr> {
    let deviation = centred(x, &[0]).square().mean(&[0]).shift(1e-8).sqrt();
    let all: Vec<usize> = (0..deviation.rank()).collect();
    let mut shape = x.shape();
    shape[1] = 1;
    Expr::concat(&[x, &deviation.mean(&all).broadcast(&shape, &[])], 1)
}

/// A reduced value repeated back over the axes that were dropped.
pub fn restored(reduced: &Expr, like: &Expr, over: &[usize]) -> Expr {
    let dims: Vec<usize> = (0..like.rank()).filter(|a| !over.contains(a)).collect();
    reduced.broadcast(&like.shape(), &dims)
}

/// x minus its maximum along the axis; the maximum carries no gradient, since softmax does not depend on it.
fn shifted(x: &Expr, axis: usize) -> Expr {
    x - restored(&x.max_over(&[axis]).stop_grad(), x, &[axis])
}

/// eˣ / Σeˣ along the axis.
pub fn softmax(x: &Expr, axis: usize) -> Expr {
    let e = shifted(x, axis).exp();
    &e / restored(&e.sum(&[axis]), &e, &[axis])
}

/// ln softmax along the axis.
pub fn log_softmax(x: &Expr, axis: usize) -> Expr {
    let s = shifted(x, axis);
    &s - restored(&s.exp().sum(&[axis]).ln(), &s, &[axis])
}
