//! Mandatory stabilisation: logarithms of what saturates become sums that do not.
//!
//! `ln(sigmoid(x))` is −∞ at −100 in f32 and its gradient, as g/y · y(1−y), is ∞·0. So these rules run on an objective *before*
//! it is differentiated ([`stabilise_expr`]), and once more on the whole program. They are never chosen by cost.
//!
//! In: any graph. Out: the same function, up to rounding, at least where the left side is finite.

use super::rewriter::{Fired, Rewriter, Rule, append};
use crate::Result;
use crate::ir::{Builder, Expr, NodeId, Op, OpKind};

/// The rules of this file.
pub const RULES: &[Rule] = &[
    Rule {
        name: "logistic-of-exp",
        equation: "c / (1 + exp(v)) = c/2 - c/2 tanh(v/2);  exp(v) / (1 + exp(v)) = 1/2 + 1/2 tanh(v/2)",
        holds: "everywhere; the left side is inf/inf or has a gradient inf/inf for large v",
        roots: &[OpKind::Div],
        apply: logistic_of_exp,
    },
    Rule {
        name: "log-of-saturating",
        equation: "ln s(x) = -softplus(-x);  ln(1 - s(x)) = -softplus(x);  ln(1 + exp t) = softplus(t);  \
                   ln(1 - exp t) = -softplus(t - l), l = ln tanh(-t/2) + softplus(t);  ln exp x = x;  \
                   ln(a / b) = ln a - ln b for b > 0;  ln(a b) = ln a + ln b for a, b > 0;  ln sum exp x = m + ln sum exp(x - m);  through shape ops and scales",
        holds: "wherever the left side is finite; quotients only with a denominator that is positive by its form",
        roots: &[OpKind::Log],
        apply: |r, _, args| log_of(r, args[0], MAX_NESTING),
    },
];

/// How deep a logarithm's operand is looked into.
const MAX_NESTING: usize = 24;

/// Rewrites what `root` depends on by adding nodes; existing nodes stay as they are. The result takes the place of `root` in what
/// is differentiated.
///
/// Nodes of `keep` remain the same nodes and nothing looks through them: give every value that a gradient is taken with
/// respect to and that is not an input or a state.
pub fn stabilise_expr(builder: &Builder, root: &Expr, keep: &[NodeId]) -> Expr {
    let before = builder.with_graph(|g| g.clone());
    let n = before.nodes.len();
    let (after, new_root, _) = match append(before, root.id(), RULES, keep) {
        Ok(appended) => appended,
        Err(error) => {
            builder.fail(error);
            return root.clone();
        }
    };
    for node in &after.nodes[n..] {
        let args: Vec<Expr> = node.args.iter().map(|a| builder.expr(*a)).collect();
        builder.op(node.op.clone(), &args.iter().collect::<Vec<_>>());
    }
    builder.expr(new_root)
}

/// The whole graph stabilised; ids change.
pub fn stabilise(graph: &crate::ir::Graph) -> Result<crate::ir::Graph> {
    super::rewriter::to_fixpoint(graph, RULES, 4, &mut Fired::new())
}

/// A value seen as `scale · core + offset`, with shape ops between the core and the value.
struct Affine {
    scale: f64,
    offset: f64,
    core: NodeId,
    /// Shape ops from the core outwards, with the operands after the first.
    moves: Vec<(Op, Vec<NodeId>)>,
}

fn affine(r: &Rewriter, id: NodeId) -> Affine {
    let (mut scale, mut offset, mut core, mut moves) = (1.0, 0.0, id, Vec::new());
    while let Some((op, args)) = r.view(core) {
        match op {
            Op::Neg => (scale, core) = (-scale, args[0]),
            Op::Add => match r.with_number(args) {
                Some((x, c)) => (offset, core) = (offset + scale * c as f64, x),
                None => break,
            },
            Op::Mul => match r.with_number(args) {
                Some((x, c)) => (scale, core) = (scale * c as f64, x),
                None => break,
            },
            Op::Div => match r.number(args[1]) {
                Some(c) if c != 0.0 => (scale, core) = (scale / c as f64, args[0]),
                _ => break,
            },
            _ if is_move(op) => {
                moves.push((op.clone(), args[1..].to_vec()));
                core = args[0];
            }
            _ => break,
        }
    }
    moves.reverse();
    Affine { scale, offset, core, moves }
}

/// Ops whose every element is one element of the first operand.
fn is_move(op: &Op) -> bool {
    use OpKind::*;
    matches!(op.kind(), Reshape | Transpose | Broadcast | Reverse | Slice | Gather)
}

fn moved(r: &mut Rewriter, mut x: NodeId, moves: &[(Op, Vec<NodeId>)]) -> Result<NodeId> {
    for (op, rest) in moves {
        let mut args = vec![x];
        args.extend(rest);
        x = r.add(op.clone(), &args)?;
    }
    Ok(x)
}

/// 2·w, where w = u/2 gives back u.
fn twice(r: &mut Rewriter, w: NodeId) -> Result<NodeId> {
    if let Some((a, b)) = r.operands_of(w, OpKind::Mul)
        && let Some((u, c)) = r.with_number(&[a, b])
        && c == 0.5
    {
        return Ok(u);
    }
    r.scale(w, 2.0)
}

/// −x, where x = −u gives back u.
fn negated(r: &mut Rewriter, x: NodeId) -> Result<NodeId> {
    match r.operand_of(x, OpKind::Neg) {
        Some(u) => Ok(u),
        None => r.add(Op::Neg, &[x]),
    }
}

/// −softplus(x).
fn minus_softplus(r: &mut Rewriter, x: NodeId) -> Result<NodeId> {
    let s = r.add(Op::Softplus, &[x])?;
    r.add(Op::Neg, &[s])
}

/// Equal up to the rounding of f32 constants.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-7 * a.abs().max(b.abs())
}

/// An expression for ln(y) that is better than the logarithm of y, if y has such a form.
fn log_of(r: &mut Rewriter, y: NodeId, depth: usize) -> Result<Option<NodeId>> {
    if depth == 0 || r.number(y).is_some() {
        return Ok(None);
    }
    let form = affine(r, y);
    let log = match log_of_affine(r, &form, depth)? {
        Some(log) => log,
        None => return Ok(None),
    };
    moved(r, log, &form.moves).map(Some)
}

fn log_of_affine(r: &mut Rewriter, form: &Affine, depth: usize) -> Result<Option<NodeId>> {
    let &Affine { scale, offset, core, .. } = form;
    let Some((op, args)) = r.view(core).map(|(op, args)| (op.clone(), args.to_vec())) else { return Ok(None) };
    if !(scale.is_finite() && offset.is_finite()) || scale == 0.0 {
        return Ok(None);
    }
    match op {
        // scale·tanh(w) + offset = 2·offset·s(±2w) where |scale| = offset.
        Op::Tanh if offset > 0.0 && close(scale.abs(), offset) => {
            let u = twice(r, args[0])?;
            let u = if scale > 0.0 { negated(r, u)? } else { u };
            let log = minus_softplus(r, u)?;
            r.shift(log, (2.0 * offset).ln() as f32).map(Some)
        }
        // offset·(1 − tanh²(w)) = 4·offset·s(2w)·s(−2w).
        Op::Mul if args[0] == args[1] && offset > 0.0 && close(-scale, offset) => {
            let Some(w) = r.operand_of(args[0], OpKind::Tanh) else { return Ok(None) };
            let u = twice(r, w)?;
            let v = negated(r, u)?;
            let (a, b) = (minus_softplus(r, u)?, minus_softplus(r, v)?);
            let log = r.add(Op::Add, &[a, b])?;
            r.shift(log, (4.0 * offset).ln() as f32).map(Some)
        }
        Op::Exp => log_of_exp(r, args[0], scale, offset),
        // Σ eˣ and a/b, scaled.
        Op::ReduceSum(axes) if offset == 0.0 && scale > 0.0 => {
            let Some(x) = r.operand_of(args[0], OpKind::Exp) else { return Ok(None) };
            let Some(log) = log_sum_exp(r, x, &axes)? else { return Ok(None) };
            r.shift(log, scale.ln() as f32).map(Some)
        }
        Op::Div if offset == 0.0 && scale > 0.0 && is_positive(r, args[1], MAX_NESTING) => {
            let [a, b] = [log_of(r, args[0], depth - 1)?, log_of(r, args[1], depth - 1)?];
            // The exponent of a stable softmax: its sum is at least 1 and needs nothing, its numerator does.
            if a.is_none() && b.is_none() {
                return Ok(None);
            }
            let a = a.map_or_else(|| r.add(Op::Log, &[args[0]]), Ok)?;
            let b = b.map_or_else(|| r.add(Op::Log, &[args[1]]), Ok)?;
            let log = r.sub(a, b)?;
            r.shift(log, scale.ln() as f32).map(Some)
        }
        Op::Mul if offset == 0.0 && scale > 0.0 && args.iter().all(|a| is_positive(r, *a, MAX_NESTING)) => {
            let [a, b] = [log_of(r, args[0], depth - 1)?, log_of(r, args[1], depth - 1)?];
            if a.is_none() && b.is_none() {
                return Ok(None);
            }
            let a = a.map_or_else(|| r.add(Op::Log, &[args[0]]), Ok)?;
            let b = b.map_or_else(|| r.add(Op::Log, &[args[1]]), Ok)?;
            let log = r.add(Op::Add, &[a, b])?;
            r.shift(log, scale.ln() as f32).map(Some)
        }
        _ => Ok(None),
    }
}

/// ln(scale·eᵗ + offset).
fn log_of_exp(r: &mut Rewriter, t: NodeId, scale: f64, offset: f64) -> Result<Option<NodeId>> {
    // eᵗ with t = c − softplus(v) is eᶜ·s(−v).
    let inner = affine(r, t);
    if inner.scale == -1.0
        && let Some(v) = r.operand_of(inner.core, OpKind::Softplus)
    {
        let scale = scale * inner.offset.exp();
        let log = if scale > 0.0 && offset == 0.0 {
            Some((minus_softplus(r, v)?, scale))
        } else if offset > 0.0 && close(-scale, offset) {
            let u = negated(r, v)?;
            Some((minus_softplus(r, u)?, offset))
        } else {
            None
        };
        if let Some((log, factor)) = log {
            let log = moved(r, log, &inner.moves)?;
            return r.shift(log, factor.ln() as f32).map(Some);
        }
    }
    match (scale > 0.0, offset) {
        (true, 0.0) => r.shift(t, scale.ln() as f32).map(Some),
        (true, o) if o > 0.0 => {
            let t = r.shift(t, (scale / o).ln() as f32)?;
            let log = r.add(Op::Softplus, &[t])?;
            r.shift(log, o.ln() as f32).map(Some)
        }
        // |o|·(eˢ − 1) = |o|·eˢ·(1 − e⁻ˢ).
        (true, o) => {
            let s = r.shift(t, (scale / -o).ln() as f32)?;
            let minus = negated(r, s)?;
            let log = log_one_minus_exp(r, minus)?;
            let log = r.add(Op::Add, &[s, log])?;
            r.shift(log, (-o).ln() as f32).map(Some)
        }
        (false, o) if o > 0.0 => {
            let t = r.shift(t, (-scale / o).ln() as f32)?;
            let log = log_one_minus_exp(r, t)?;
            r.shift(log, o.ln() as f32).map(Some)
        }
        _ => Ok(None),
    }
}

/// ln(1 − eᵗ) for t < 0. With l = ln tanh(−t/2) + softplus(t), which is exact near 0 but has only absolute accuracy far away,
/// 1 + e^(t−l) = 1/(1 − eᵗ); so −softplus(t − l) is accurate on both sides.
fn log_one_minus_exp(r: &mut Rewriter, t: NodeId) -> Result<NodeId> {
    let half = r.scale(t, -0.5)?;
    let tanh = r.add(Op::Tanh, &[half])?;
    let log = r.add(Op::Log, &[tanh])?;
    let softplus = r.add(Op::Softplus, &[t])?;
    let l = r.add(Op::Add, &[log, softplus])?;
    let w = r.sub(t, l)?;
    minus_softplus(r, w)
}

/// ln Σ eˣ with the maximum taken out; `None` where x has been shifted already.
fn log_sum_exp(r: &mut Rewriter, x: NodeId, axes: &[usize]) -> Result<Option<NodeId>> {
    if is_shifted_by_maximum(r, x) {
        return Ok(None);
    }
    // The shift cancels, so its gradient is zero: without the stop it would be zero plus rounding noise.
    let max = r.add(Op::ReduceMax(axes.to_vec()), &[x])?;
    let max = r.add(Op::StopGrad, &[max])?;
    let shape = r.shape(x);
    let dims: Vec<usize> = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
    let wide = r.add(Op::Broadcast { shape, dims }, &[max])?;
    let shifted = r.sub(x, wide)?;
    let exp = r.add(Op::Exp, &[shifted])?;
    let sum = r.add(Op::ReduceSum(axes.to_vec()), &[exp])?;
    let log = r.insert(Op::Log, &[sum])?;
    r.add(Op::Add, &[log, max]).map(Some)
}

/// Whether x is a − max(a) in some way of writing it.
fn is_shifted_by_maximum(r: &Rewriter, x: NodeId) -> bool {
    let Some((a, b)) = r.operands_of(x, OpKind::Add) else { return false };
    [a, b].into_iter().any(|mut id| {
        let mut negative = false;
        loop {
            match r.view(id) {
                Some((Op::ReduceMax(_), _)) => return negative,
                Some((Op::Neg, args)) => (negative, id) = (!negative, args[0]),
                Some((op, args)) if is_move(op) || matches!(op, Op::StopGrad) => id = args[0],
                _ => return false,
            }
        }
    })
}

/// Whether the form of a value makes it greater than 0 wherever it is not NaN (up to underflow).
fn is_positive(r: &Rewriter, id: NodeId, depth: usize) -> bool {
    if let Some(c) = r.number(id) {
        return c > 0.0;
    }
    if depth == 0 {
        return false;
    }
    let all = |ids: &[NodeId]| ids.iter().all(|i| is_positive(r, *i, depth - 1));
    match r.view(id) {
        Some((Op::Exp | Op::Softplus, _)) => true,
        Some((Op::ReduceSum(_) | Op::ReduceMax(_), args)) => all(args),
        Some((op, args)) if is_move(op) => all(&args[..1]),
        Some((Op::Add | Op::Mul | Op::Div, args)) if all(args) => true,
        _ => {
            let form = affine(r, id);
            let saturating = matches!(r.view(form.core), Some((Op::Tanh, _)));
            saturating && form.offset > 0.0 && close(form.scale.abs(), form.offset)
        }
    }
}

/// Ways of writing the logistic function with exp.
fn logistic_of_exp(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let below = affine(r, args[1]);
    let Some(v) = r.operand_of(below.core, OpKind::Exp) else { return Ok(None) };
    if !(below.scale > 0.0 && close(below.scale, below.offset)) {
        return Ok(None);
    }
    let above = affine(r, args[0]);
    let (sign, factor) = if let Some(c) = r.number(args[0]) {
        (-0.5, c as f64 / below.offset)
    } else if r.operand_of(above.core, OpKind::Exp) == Some(v) && above.offset == 0.0 && same_moves(&above, &below) {
        (0.5, above.scale / below.offset)
    } else {
        return Ok(None);
    };
    let half = r.scale(v, 0.5)?;
    let tanh = r.add(Op::Tanh, &[half])?;
    let scaled = r.scale(tanh, (sign * factor) as f32)?;
    let shifted = r.shift(scaled, (0.5 * factor) as f32)?;
    moved(r, shifted, &below.moves).map(Some)
}

fn same_moves(a: &Affine, b: &Affine) -> bool {
    a.moves == b.moves
}
