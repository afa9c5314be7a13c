//! Rules of reductions.

use super::Site;
use super::algebra::spread;
use crate::ir::{DType, Expr};

/// The axes that a reduction over `axes` keeps.
fn kept(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|a| !axes.contains(a)).collect()
}

/// Every summand gets the cotangent of the sum.
pub(super) fn sum(axes: &[usize], site: &Site, g: &Expr) -> Expr {
    let shape = site.args[0].shape();
    spread(g, &shape, &kept(shape.len(), axes))
}

/// The places of the maximum share its cotangent equally.
pub(super) fn max(axes: &[usize], site: &Site, g: &Expr) -> Expr {
    let x = &site.args[0];
    let shape = x.shape();
    let kept = kept(shape.len(), axes);
    let mask = x.eq(&site.y.broadcast(&shape, &kept));
    let count = mask.cast(DType::F32).sum(axes);
    let share = spread(&g.div(&count), &shape, &kept);
    mask.select(&share, &g.builder().full(0.0, &shape))
}
