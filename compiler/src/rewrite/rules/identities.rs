//! Ops that do nothing.

use crate::Result;
use crate::ir::{DType, NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

pub const RULES: &[Rule] = &[
    Rule {
        name: "stop-grad",
        equation: "stop_grad(x) = x;  hold(x) = x",
        holds: "once differentiation is over, which is when these rules run",
        roots: &[OpKind::StopGrad, OpKind::Hold],
        apply: |_, _, args| Ok(Some(args[0])),
    },
    Rule {
        name: "identity-cast",
        equation: "cast_t(x: t) = x;  cast_f32(cast_i32(b: bool)) = cast_f32(b)",
        holds: "always: both casts are exact",
        roots: &[OpKind::Cast],
        apply: cast,
    },
    Rule {
        name: "identity-shape-op",
        equation: "x, where the op leaves shape and order as they are",
        holds: "always",
        roots: &[
            OpKind::Reshape,
            OpKind::Transpose,
            OpKind::Reverse,
            OpKind::Broadcast,
            OpKind::Slice,
            OpKind::Pad,
            OpKind::Concat,
            OpKind::ReduceSum,
            OpKind::ReduceMax,
        ],
        apply: shape_op,
    },
];

fn cast(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let Op::Cast(to) = op else { return Ok(None) };
    if r.ty(args[0]).dtype == *to {
        return Ok(Some(args[0]));
    }
    if let Some(inner) = r.operand_of(args[0], OpKind::Cast)
        && r.ty(inner).dtype == DType::Bool
        && r.ty(args[0]).dtype == DType::I32
        && *to == DType::F32
    {
        return r.add(op.clone(), &[inner]).map(Some);
    }
    Ok(None)
}

fn shape_op(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    let shape = r.shape(args[0]);
    let nothing = match op {
        Op::Reshape(to) => *to == shape,
        Op::Transpose(perm) => perm.iter().enumerate().all(|(i, p)| i == *p),
        Op::Reverse(axes) => axes.iter().all(|a| shape[*a] <= 1),
        Op::Broadcast { shape: to, .. } => *to == shape,
        Op::Slice { start, stop, step } => {
            (0..shape.len()).all(|i| start[i] == 0 && stop[i] == shape[i] && (step[i] == 1 || shape[i] <= 1))
        }
        Op::Pad { lo, hi, interior } => {
            (0..shape.len()).all(|i| lo[i] == 0 && hi[i] == 0 && (interior[i] == 0 || shape[i] <= 1))
        }
        Op::Concat { .. } => args.len() == 1,
        Op::ReduceSum(axes) | Op::ReduceMax(axes) => axes.is_empty(),
        _ => false,
    };
    Ok(nothing.then_some(args[0]))
}
