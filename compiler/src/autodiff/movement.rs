//! Rules of ops that move elements: the cotangents move back.

use super::Site;
use super::algebra::{times, total};
use crate::ir::Expr;

/// The inverse permutation.
pub(super) fn transpose(perm: &[usize], g: &Expr) -> Expr {
    let mut inverse = vec![0; perm.len()];
    for (i, p) in perm.iter().enumerate() {
        inverse[*p] = i;
    }
    g.transpose(&inverse)
}

/// Copies are summed.
pub(super) fn broadcast(dims: &[usize], site: &Site, g: &Expr) -> Expr {
    let repeated: Vec<usize> = (0..site.y.rank()).filter(|a| !dims.contains(a)).collect();
    total(g, &repeated)
}

/// What was taken goes back to its place among zeros.
pub(super) fn slice(start: &[usize], step: &[usize], site: &Site, g: &Expr) -> Expr {
    let (from, to) = (site.args[0].shape(), g.shape());
    let reach = |a: usize| if to[a] == 0 { 0 } else { (to[a] - 1) * step[a] + 1 };
    let hi: Vec<usize> = (0..from.len()).map(|a| from[a] - start[a] - reach(a)).collect();
    let interior: Vec<usize> = step.iter().map(|s| s - 1).collect();
    g.pad(start, &hi, &interior, &g.scalar(0.0))
}

/// The places of the operand; and for the padding value the sum over all others.
pub(super) fn pad(lo: &[usize], interior: &[usize], site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let shape = site.args[0].shape();
    let back = || {
        let step: Vec<usize> = interior.iter().map(|i| i + 1).collect();
        let reach = |a: usize| if shape[a] == 0 { 0 } else { (shape[a] - 1) * step[a] + 1 };
        let stop: Vec<usize> = (0..shape.len()).map(|a| lo[a] + reach(a)).collect();
        g.slice(lo, &stop, &step)
    };
    let value = || {
        // A mask, not the difference of two sums: that would cancel.
        let padded = site.y.shape();
        let hi: Vec<usize> =
            (0..shape.len()).map(|a| padded[a] - lo[a] - shape[a] - shape[a].saturating_sub(1) * interior[a]).collect();
        let mask = g.builder().full(0.0, &shape).pad(lo, &hi, interior, &g.scalar(1.0));
        times(g, &mask).sum_all()
    };
    vec![site.when(0, back), site.when(1, value)]
}

/// Each operand's part.
pub(super) fn concat(axis: usize, site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let mut at = 0;
    let mut parts = Vec::with_capacity(site.args.len());
    for (i, arg) in site.args.iter().enumerate() {
        let extent = arg.shape()[axis];
        parts.push(site.when(i, || if site.args.len() == 1 { g.clone() } else { g.slice_axis(axis, at, at + extent) }));
        at += extent;
    }
    parts
}
