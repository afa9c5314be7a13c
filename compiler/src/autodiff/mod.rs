//! Reverse-mode differentiation: graph in, the same graph with the gradients appended out.
//!
//! Every rule is written in the ops of the IR again, so that gradients are values like any other and can be differentiated as
//! often as one likes. A rule says for one op and a cotangent of its result what the cotangents of its operands are; there is one
//! an op, grouped by family: `elementwise`, `movement`, `reduce` (with scans, windows and indices), `contraction`
//! and `convolution`.
//!
//! What always holds: only nodes on a path from `wrt` to an output are visited, so that what a player does not update costs it
//! nothing; only f32 values carry cotangents; no existing node changes. Rules leave out products with 1 and sums with
//! 0 where they see them (`algebra`), and nothing else: simplifying is the rewriter's business.
//!
//! Conventions at kinks: a comparison has no derivative, so ReLU written as a selection has slope 0 at 0; `Max` gives each of two
//! equal operands half; `ReduceMax` shares equally among equal maxima.

mod algebra;
mod contraction;
mod convolution;
mod elementwise;
mod movement;
mod reduce;

use crate::Error;
use crate::ir::{Builder, DType, Expr, Literal, NodeId, Op};

/// Gradients of Σ cotangent · output with respect to `wrt`, any nodes of the graph; zeros where no output depends on one.
///
/// A gradient is a total derivative: where one of `wrt` depends on another, the other's gradient includes the way through it.
/// Cotangents have the types of their outputs; if not, the builder keeps an error.
pub fn gradients(builder: &Builder, outputs: &[(Expr, Expr)], wrt: &[Expr]) -> Vec<Expr> {
    let zeros = |v: &Expr| {
        let ty = v.ty();
        match ty.dtype {
            DType::F32 => builder.full(0.0, &ty.shape),
            // Integers carry no gradient; the zero keeps the type so that callers need not care.
            DType::I32 => builder.i32(0).broadcast(&ty.shape, &[]),
            DType::Bool => builder.op(Op::Const(Literal::Bool(false)), &[]).broadcast(&ty.shape, &[]),
        }
    };
    let found = gradients_where_reached(builder, outputs, wrt);
    found.into_iter().zip(wrt).map(|(g, v)| g.unwrap_or_else(|| zeros(v))).collect()
}

/// As [`gradients`], with `None` where no output depends on a value by differentiable ops.
pub fn gradients_where_reached(builder: &Builder, outputs: &[(Expr, Expr)], wrt: &[Expr]) -> Vec<Option<Expr>> {
    for (output, cotangent) in outputs {
        if output.ty() != cotangent.ty() {
            let (output, cotangent) = (output.ty(), cotangent.ty());
            builder.fail(Error::ir(format!("gradient: a cotangent of type {cotangent} for an output of type {output}")));
            return vec![None; wrt.len()];
        }
    }
    let Some(last) = outputs.iter().map(|(y, _)| y.id()).max() else {
        return vec![None; wrt.len()];
    };
    let varies = varying(builder, last, wrt);
    let varies = |id: NodeId| varies.get(id.index()).copied().unwrap_or(false);
    let mut cotangents: Vec<Option<Expr>> = vec![None; last.index() + 1];
    let receive = |cotangents: &mut Vec<Option<Expr>>, id: NodeId, g: Expr| {
        let slot = &mut cotangents[id.index()];
        *slot = Some(match slot.take() {
            Some(sum) => algebra::plus(&sum, &g),
            None => g,
        });
    };
    for (output, cotangent) in outputs {
        if varies(output.id()) {
            receive(&mut cotangents, output.id(), cotangent.clone());
        }
    }
    for index in (0..=last.index()).rev() {
        let id = NodeId(index as u32);
        let Some(g) = cotangents[index].clone() else { continue };
        let (op, args) = builder.with_graph(|graph| (graph.node(id).op.clone(), graph.node(id).args.clone()));
        let wanted: Vec<bool> = (0..args.len()).map(|i| carries(&op, i) && varies(args[i])).collect();
        if !wanted.contains(&true) {
            continue;
        }
        let given = args.iter().map(|a| builder.expr(beneath_holds(builder, *a))).collect();
        let site = Site { y: builder.expr(id), args: given, wanted };
        for (i, g) in vjp(&op, &site, &g).into_iter().enumerate() {
            if let Some(g) = g.filter(|_| site.wanted[i]) {
                receive(&mut cotangents, args[i], g);
            }
        }
    }
    wrt.iter().map(|v| cotangents.get(v.id().index()).cloned().flatten()).collect()
}

/// The operand itself where it is held: derivatives are made of that ([`Op::Hold`]).
fn beneath_holds(builder: &Builder, mut id: NodeId) -> NodeId {
    builder.with_graph(|graph| {
        while graph.node(id).op == Op::Hold {
            id = graph.node(id).args[0];
        }
        id
    })
}

/// Which nodes up to `last` depend on one of `wrt` by differentiable ops.
fn varying(builder: &Builder, last: NodeId, wrt: &[Expr]) -> Vec<bool> {
    builder.with_graph(|graph| {
        let mut varies = vec![false; last.index() + 1];
        for v in wrt {
            if v.id() <= last && graph.ty(v.id()).dtype == DType::F32 {
                varies[v.id().index()] = true;
            }
        }
        for index in 0..=last.index() {
            let node = &graph.nodes[index];
            let through = |(i, a): (usize, &NodeId)| carries(&node.op, i) && varies[a.index()];
            if node.ty.dtype == DType::F32 && node.args.iter().enumerate().any(through) {
                varies[index] = true;
            }
        }
        varies
    })
}

/// Whether a cotangent of the op's result gives one of operand `i` (if that is a float).
fn carries(op: &Op, i: usize) -> bool {
    match op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota { .. } | Op::Rng { .. } => false,
        Op::StopGrad | Op::Hold | Op::Floor | Op::Sign | Op::Lt | Op::Eq => false,
        Op::Cast(to) => *to == DType::F32,
        // The condition; the indices.
        Op::Select => i != 0,
        Op::Gather { .. } => i == 0,
        Op::ScatterAdd { .. } => i == 1,
        _ => true,
    }
}

/// One application of an op whose operands are to receive cotangents.
struct Site {
    /// The result.
    y: Expr,
    /// The operands.
    args: Vec<Expr>,
    /// Which operands need a cotangent.
    wanted: Vec<bool>,
}

impl Site {
    /// The cotangent of operand `i`, built only if it is wanted.
    fn when(&self, i: usize, build: impl FnOnce() -> Expr) -> Option<Expr> {
        self.wanted[i].then(build)
    }
}

/// The cotangents of the wanted operands from that of the result.
fn vjp(op: &Op, site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    match op {
        Op::Input(_) | Op::State(_) | Op::Const(_) | Op::Iota { .. } | Op::Rng { .. } => Vec::new(),
        Op::StopGrad | Op::Hold | Op::Floor | Op::Sign | Op::Lt | Op::Eq => vec![None; site.args.len()],
        Op::Cast(_) | Op::Neg | Op::Exp | Op::Log | Op::Sqrt | Op::Sin | Op::Tanh | Op::Softplus => {
            vec![elementwise::unary(op, site, g)]
        }
        Op::Add | Op::Mul | Op::Div | Op::Max => elementwise::binary(op, site, g),
        Op::Select => elementwise::select(site, g),
        Op::Reshape(_) => vec![Some(g.reshape(&site.args[0].shape()))],
        Op::Transpose(perm) => vec![Some(movement::transpose(perm, g))],
        Op::Reverse(axes) => vec![Some(g.reverse(axes))],
        Op::Broadcast { dims, .. } => vec![Some(movement::broadcast(dims, site, g))],
        Op::Slice { start, step, .. } => vec![Some(movement::slice(start, step, site, g))],
        Op::Pad { lo, interior, .. } => movement::pad(lo, interior, site, g),
        Op::Concat { axis } => movement::concat(*axis, site, g),
        Op::ReduceSum(axes) => vec![Some(reduce::sum(axes, site, g))],
        Op::ReduceMax(axes) => vec![Some(reduce::max(axes, site, g))],
        Op::CumSum { axis, reverse } => vec![Some(g.cum_sum(*axis, !reverse))],
        Op::Dot(dims) => contraction::dot(dims, site, g),
        Op::Conv(dims) => convolution::conv(dims, site, g),
        Op::Unfold { axis, stride, dilation, .. } => {
            vec![Some(g.fold(*axis, site.args[0].shape()[*axis], *stride, *dilation))]
        }
        Op::Fold { axis, stride, dilation, .. } => {
            vec![Some(g.unfold(*axis, site.args[0].shape()[axis + 1], *stride, *dilation))]
        }
        Op::Gather { axis } => vec![Some(g.scatter_add(&site.args[1], *axis, site.args[0].shape()[*axis])), None],
        Op::ScatterAdd { axis, .. } => vec![None, Some(g.gather(&site.args[0], *axis))],
    }
}
