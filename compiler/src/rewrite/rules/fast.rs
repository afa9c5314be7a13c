//! Algebra of real numbers that floats do not obey everywhere. Applied on request only.

use crate::Result;
use crate::ir::{DType, NodeId, Op, OpKind};
use crate::rewrite::rewriter::{Rewriter, Rule};

use OpKind::*;

pub const RULES: &[Rule] = &[
    Rule {
        name: "fast-cancel",
        equation: "x - x = 0;  (a + b) - b = a",
        holds: "where x and b are finite, and a is not lost beside b; NaN and rounding errors of the left side disappear",
        roots: &[Add],
        apply: cancel,
    },
    Rule {
        name: "fast-multiply-zero",
        equation: "x 0 = 0",
        holds: "where x is finite; NaN of the left side disappears",
        roots: &[Mul],
        apply: multiply_zero,
    },
    Rule {
        name: "fast-quotient-of-same",
        equation: "x / x = 1",
        holds: "where x is finite and not 0; NaN of the left side disappears",
        roots: &[Div],
        apply: |r, _, args| if args[0] == args[1] { r.full_like(1.0, args[0]).map(Some) } else { Ok(None) },
    },
    Rule {
        name: "fast-log-of-exp",
        equation: "ln e^x = x;  e^(ln x) = x",
        holds: "where e^x is in range, where x > 0; the right side stays finite where the left overflows",
        roots: &[Log, Exp],
        apply: inverse,
    },
    Rule {
        name: "fast-square-of-root",
        equation: "sqrt(x) sqrt(x) = x",
        holds: "where x is not negative, to one unit in the last place; NaN of the left side disappears",
        roots: &[Mul],
        apply: square_of_root,
    },
];

fn cancel(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    for (a, b) in [(args[0], args[1]), (args[1], args[0])] {
        let Some(b) = r.operand_of(b, Neg) else { continue };
        if a == b && r.ty(a).dtype == DType::F32 {
            return r.full_like(0.0, a).map(Some);
        }
        if let Some((x, y)) = r.operands_of(a, Add)
            && (x == b || y == b)
        {
            return Ok(Some(if x == b { y } else { x }));
        }
    }
    Ok(None)
}

fn multiply_zero(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    match r.with_number(args) {
        Some((x, 0.0)) => r.full_like(0.0, x).map(Some),
        _ => Ok(None),
    }
}

fn inverse(r: &mut Rewriter, op: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    Ok(r.operand_of(args[0], if op.kind() == Log { Exp } else { Log }))
}

fn square_of_root(r: &mut Rewriter, _: &Op, args: &[NodeId]) -> Result<Option<NodeId>> {
    Ok(if args[0] == args[1] { r.operand_of(args[0], Sqrt) } else { None })
}
