//! Rules of elementwise ops.

use super::Site;
use super::algebra::{minus, scaled, times};
use crate::ir::{Expr, Op};
use std::f32::consts::FRAC_PI_2;

/// y = op(x).
pub(super) fn unary(op: &Op, site: &Site, g: &Expr) -> Option<Expr> {
    let (x, y) = (&site.args[0], &site.y);
    Some(match op {
        Op::Cast(_) => g.clone(),
        Op::Neg => minus(g),
        Op::Exp => times(g, y),
        Op::Log => g.div(x),
        Op::Sqrt => scaled(g, 0.5).div(y),
        // cos x = sin(x + π/2)
        Op::Sin => times(g, &x.shift(FRAC_PI_2).sin()),
        Op::Tanh => times(g, &y.square().neg().shift(1.0)),
        Op::Softplus => times(g, &x.sigmoid()),
        _ => return None,
    })
}

/// y = op(a, b).
pub(super) fn binary(op: &Op, site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let (a, b) = (&site.args[0], &site.args[1]);
    match op {
        Op::Add => vec![Some(g.clone()), Some(g.clone())],
        Op::Mul => vec![site.when(0, || times(g, b)), site.when(1, || times(g, a))],
        Op::Div => {
            // Shared by both: −g·y/b = −(g/b)·y.
            let over = g.div(b);
            vec![Some(over.clone()), site.when(1, || minus(&times(&over, &site.y)))]
        }
        Op::Max => {
            let zero = g.builder().full(0.0, &g.shape());
            let tied = a.eq(b).select(&scaled(g, 0.5), &zero);
            vec![site.when(0, || b.lt(a).select(g, &tied)), site.when(1, || a.lt(b).select(g, &tied))]
        }
        _ => vec![None, None],
    }
}

/// y = c ? a : b.
pub(super) fn select(site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let c = &site.args[0];
    let zero = g.builder().full(0.0, &g.shape());
    vec![None, site.when(1, || c.select(g, &zero)), site.when(2, || c.select(&zero, g))]
}
