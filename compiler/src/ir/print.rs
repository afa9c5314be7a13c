//! The textual form: one line a slot, node or result. [`read`](super::read) reads it back.
//!
//! ```text
//! input "x": f32[8,2]
//! state "D.w": f32[2]
//! %0: f32[8,2] = input "x"
//! %1: f32[2] = state "D.w"
//! %2: f32[8] = dot(%0, %1) batch=[]:[] contract=[1]:[0]
//! %3: f32[] = reduce_max(%2) axes=[0]
//! output "top" = %3
//! write "D.w" = %1
//! ```
//!
//! Every attribute is printed, in the order of the op's fields. Floats have a point or an exponent, or are `inf`, `-inf`, `nan`
//! (`nan:7fc00001` where the bits are not the usual ones); names are quoted as Rust strings.

use super::{ConvDims, DotDims, Graph, Literal, Node, Op, Target};
use std::fmt::{self, Display, Formatter};

/// The bits of a float that is printed as plain `nan`.
pub(super) const PLAIN_NAN: u32 = 0x7fc0_0000;

impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (what, slots) in [("input", &self.inputs), ("state", &self.states)] {
            for slot in slots {
                writeln!(f, "{what} {:?}: {}", slot.name, slot.ty)?;
            }
        }
        for id in self.ids() {
            let node = self.node(id);
            write!(f, "%{}: {} = ", id.0, node.ty)?;
            self.write_operation(f, node)?;
            writeln!(f)?;
        }
        for output in &self.outputs {
            match &output.target {
                Target::Host(name) => writeln!(f, "output {name:?} = %{}", output.value.0)?,
                Target::State(i) => writeln!(f, "write {:?} = %{}", slot_name(&self.states, *i), output.value.0)?,
            }
        }
        Ok(())
    }
}

/// An op with its attributes and without operands.
pub(crate) struct Operation<'a>(pub &'a Graph, pub &'a Op);

impl Display for Operation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.1.kind().name())?;
        self.0.write_attributes(f, self.1)
    }
}

fn slot_name(slots: &[super::Slot], index: u32) -> &str {
    slots.get(index as usize).map_or("<undeclared>", |s| &s.name)
}

/// A list as `[1,2]`.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, v) in self.0.iter().enumerate() {
            write!(f, "{}{v}", if i > 0 { "," } else { "" })?;
        }
        f.write_str("]")
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::F32(v) if v.is_nan() && v.to_bits() != PLAIN_NAN => write!(f, "nan:{:08x}", v.to_bits()),
            Literal::F32(v) if v.is_nan() => write!(f, "nan"),
            Literal::F32(v) => write!(f, "{v:?}"),
            Literal::I32(v) => write!(f, "{v}"),
            Literal::Bool(v) => write!(f, "{v}"),
        }
    }
}

impl Graph {
    /// The part of a node's line after the equals sign.
    fn write_operation(&self, f: &mut Formatter<'_>, node: &Node) -> fmt::Result {
        write!(f, "{}", node.op.kind().name())?;
        if !node.args.is_empty() {
            f.write_str("(")?;
            for (i, a) in node.args.iter().enumerate() {
                write!(f, "{}%{}", if i > 0 { ", " } else { "" }, a.0)?;
            }
            f.write_str(")")?;
        }
        self.write_attributes(f, &node.op)
    }

    fn write_attributes(&self, f: &mut Formatter<'_>, op: &Op) -> fmt::Result {
        match op {
            Op::Input(i) => write!(f, " {:?}", slot_name(&self.inputs, *i)),
            Op::State(i) => write!(f, " {:?}", slot_name(&self.states, *i)),
            Op::Const(v) => write!(f, " {v}"),
            Op::Iota { shape, axis } => write!(f, " shape={} axis={axis}", List(shape)),
            Op::Rng { stream, shape } => write!(f, " stream={stream} shape={}", List(shape)),
            Op::Cast(to) => write!(f, " to={}", to.name()),
            Op::Reshape(shape) => write!(f, " shape={}", List(shape)),
            Op::Transpose(perm) => write!(f, " perm={}", List(perm)),
            Op::Reverse(axes) | Op::ReduceSum(axes) | Op::ReduceMax(axes) => write!(f, " axes={}", List(axes)),
            Op::Broadcast { shape, dims } => write!(f, " shape={} dims={}", List(shape), List(dims)),
            Op::Slice { start, stop, step } => {
                write!(f, " start={} stop={} step={}", List(start), List(stop), List(step))
            }
            Op::Pad { lo, hi, interior } => write!(f, " lo={} hi={} interior={}", List(lo), List(hi), List(interior)),
            Op::Concat { axis } => write!(f, " axis={axis}"),
            Op::CumSum { axis, reverse } => write!(f, " axis={axis} reverse={reverse}"),
            Op::Dot(DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract }) => write!(
                f,
                " batch={}:{} contract={}:{}",
                List(lhs_batch),
                List(rhs_batch),
                List(lhs_contract),
                List(rhs_contract)
            ),
            Op::Conv(ConvDims { stride, padding, input_dilation, kernel_dilation, groups }) => {
                let padding: Vec<String> = padding.iter().map(|(lo, hi)| format!("{lo}:{hi}")).collect();
                write!(
                    f,
                    " stride={} padding={} input_dilation={} kernel_dilation={} groups={groups}",
                    List(stride),
                    List(&padding),
                    List(input_dilation),
                    List(kernel_dilation)
                )
            }
            Op::Unfold { axis, size, stride, dilation } => {
                write!(f, " axis={axis} size={size} stride={stride} dilation={dilation}")
            }
            Op::Fold { axis, length, stride, dilation } => {
                write!(f, " axis={axis} length={length} stride={stride} dilation={dilation}")
            }
            Op::Gather { axis } => write!(f, " axis={axis}"),
            Op::ScatterAdd { axis, length } => write!(f, " axis={axis} length={length}"),
            Op::StopGrad
            | Op::Hold
            | Op::Floor
            | Op::Sign
            | Op::Neg
            | Op::Exp
            | Op::Log
            | Op::Sqrt
            | Op::Sin
            | Op::Tanh
            | Op::Softplus
            | Op::Add
            | Op::Mul
            | Op::Div
            | Op::Max
            | Op::Lt
            | Op::Eq
            | Op::Select => Ok(()),
        }
    }
}
