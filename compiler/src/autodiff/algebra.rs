//! Arithmetic on cotangents that leaves out what visibly does nothing: factors 1, summands 0, double negation, a
//! broadcast of a broadcast. Cotangents start as ones, so rules would otherwise litter the graph with such nodes.

use crate::ir::{Expr, Literal, NodeId, Op};

/// The number that all elements are, if they are copies of a constant.
fn uniform(x: &Expr) -> Option<f32> {
    x.builder().with_graph(|graph| {
        let mut id = x.id();
        loop {
            let node = graph.node(id);
            match &node.op {
                Op::Const(Literal::F32(v)) => return Some(*v),
                Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) | Op::Reverse(_) => id = node.args[0],
                _ => return None,
            }
        }
    })
}

/// The operand, if `x` is an application of an op that `matches`.
fn operand_of(x: &Expr, matches: impl Fn(&Op) -> bool) -> Option<(Op, Expr)> {
    let found: Option<(Op, NodeId)> = x.builder().with_graph(|graph| {
        let node = graph.node(x.id());
        matches(&node.op).then(|| (node.op.clone(), node.args[0]))
    });
    found.map(|(op, id)| (op, x.builder().expr(id)))
}

/// a + b.
pub(super) fn plus(a: &Expr, b: &Expr) -> Expr {
    match (uniform(a), uniform(b)) {
        (Some(0.0), _) => b.clone(),
        (_, Some(0.0)) => a.clone(),
        _ => a.add(b),
    }
}

/// −x.
pub(super) fn minus(x: &Expr) -> Expr {
    match operand_of(x, |op| *op == Op::Neg) {
        Some((_, operand)) => operand,
        None => match uniform(x) {
            Some(v) => x.builder().full(-v, &x.shape()),
            None => x.neg(),
        },
    }
}

/// a · b.
pub(super) fn times(a: &Expr, b: &Expr) -> Expr {
    match (uniform(a), uniform(b)) {
        (Some(1.0), _) => b.clone(),
        (_, Some(1.0)) => a.clone(),
        (Some(-1.0), _) => minus(b),
        (_, Some(-1.0)) => minus(a),
        _ => a.mul(b),
    }
}

/// x · c for a number c.
pub(super) fn scaled(x: &Expr, c: f32) -> Expr {
    times(x, &x.builder().full(c, &x.shape()))
}

/// `x` repeated to a shape, axis i becoming axis `dims[i]`.
pub(super) fn spread(x: &Expr, shape: &[usize], dims: &[usize]) -> Expr {
    match operand_of(x, |op| matches!(op, Op::Broadcast { .. })) {
        Some((Op::Broadcast { dims: inner, .. }, operand)) => {
            operand.broadcast(shape, &inner.iter().map(|d| dims[*d]).collect::<Vec<_>>())
        }
        _ => x.broadcast(shape, dims),
    }
}

/// The sum over axes; no sum over axes of one place.
pub(super) fn total(x: &Expr, axes: &[usize]) -> Expr {
    let shape = x.shape();
    if axes.iter().all(|a| shape[*a] == 1) {
        let kept = (0..shape.len()).filter(|a| !axes.contains(a)).map(|a| shape[a]);
        return x.reshape(&kept.collect::<Vec<_>>());
    }
    x.sum(axes)
}
