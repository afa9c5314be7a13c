//! The operations. The set is closed under reverse-mode differentiation: every derivative is written in these ops again.
//!
//! Adding one touches a known list of places; ARCHITECTURE.md gives it, and the table at the end of this file
//! ([`OpKind::ALL`]) drives the tests that notice a missing one.

use super::types::DType;

/// A scalar constant.
#[derive(Clone, Copy, Debug)]
pub enum Literal {
    /// A float; compared and hashed by its bits, so that graphs with NaN or −0 constants are handled like any other.
    F32(f32),
    /// An integer.
    I32(i32),
    /// A truth value.
    Bool(bool),
}

impl Literal {
    /// Element type of the constant.
    pub fn dtype(self) -> DType {
        match self {
            Literal::F32(_) => DType::F32,
            Literal::I32(_) => DType::I32,
            Literal::Bool(_) => DType::Bool,
        }
    }

    /// Type tag and bits, the basis of equality, order and hashing.
    pub fn bits(self) -> (u8, u32) {
        match self {
            Literal::F32(v) => (0, v.to_bits()),
            Literal::I32(v) => (1, v as u32),
            Literal::Bool(v) => (2, v as u32),
        }
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}
impl Eq for Literal {}
impl PartialOrd for Literal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Literal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bits().cmp(&other.bits())
    }
}
impl std::hash::Hash for Literal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// Axes of a general product. The result's axes are: the batch axes, the free axes of the left, the free axes of the right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DotDims {
    /// Batch axes of the left operand, in the order of the result.
    pub lhs_batch: Vec<usize>,
    /// Batch axes of the right operand, paired with `lhs_batch`.
    pub rhs_batch: Vec<usize>,
    /// Axes of the left operand that are summed over.
    pub lhs_contract: Vec<usize>,
    /// Axes of the right operand that are summed over, paired with `lhs_contract`.
    pub rhs_contract: Vec<usize>,
}

impl DotDims {
    /// Axes of an operand of rank `rank` that are neither batch nor contracted, in order.
    pub fn free(rank: usize, batch: &[usize], contract: &[usize]) -> Vec<usize> {
        (0..rank).filter(|a| !batch.contains(a) && !contract.contains(a)).collect()
    }
}

/// Geometry of a convolution over the spatial axes (those after the first two): as JAX's `conv_general_dilated` with
/// dimension numbers NCHW, OIHW, NCHW. Vectors have one entry a spatial axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConvDims {
    /// Step of the window.
    pub stride: Vec<usize>,
    /// Padding before and after, applied after input dilation; negative padding crops (derivatives need it).
    pub padding: Vec<(isize, isize)>,
    /// Dilation of the input: d−1 zeros between neighbours. 1 is none.
    pub input_dilation: Vec<usize>,
    /// Dilation of the kernel. 1 is none.
    pub kernel_dilation: Vec<usize>,
    /// Feature groups: the kernel's second axis is input channels / groups.
    pub groups: usize,
}

/// An operation with its attributes. Operands are the `args` of the [`Node`](super::Node).
///
/// `x`, `a`, `b` name operands in order; all shapes are static. Elementwise ops want equal shapes: broadcasting is explicit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Fields are explained in the text of their op.
pub enum Op {
    // Leaves
    /// The graph's input of this index.
    Input(u32),
    /// The value, at the start of the program, of the graph's state of this index.
    State(u32),
    /// A scalar constant, shape `[]`.
    Const(Literal),
    /// i32 values 0, 1, … along `axis`, constant along the others.
    Iota { shape: Vec<usize>, axis: usize },
    /// Uniform f32 values in (0, 1), exactly `(w >> 9)·2⁻²³ + 2⁻²⁴` for the words w of Philox 4x32-10.
    /// Operand: `key: i32[4]` = (seed low, seed high, step, turn). Philox key = (seed low, seed high); counter of block i =
    /// (i, step, turn, stream); element e of the row-major result is word e mod 4 of block ⌊e/4⌋.
    /// Two draws are the same draw if and only if their streams are equal.
    Rng { stream: u32, shape: Vec<usize> },

    // Elementwise, one operand
    /// Conversion. bool and i32 to f32: nearest; f32 to i32: truncates towards zero, saturates, NaN is 0; to bool: not 0.
    Cast(DType),
    /// The value, with no gradient.
    StopGrad,
    /// The value, as a coefficient of a derivative that is given, not derived: it receives no cotangent, but what is made of it by
    /// differentiating its users is made of the operand itself. So a product c·hold(s) with c of value 0 has the derivative s by c, and
    /// that has the derivatives of s.
    Hold,
    /// Largest integer not above.
    Floor,
    /// −1, 0 or 1; 0 for NaN.
    Sign,
    /// −x (f32, i32).
    Neg,
    /// eˣ.
    Exp,
    /// Natural logarithm.
    Log,
    /// √x.
    Sqrt,
    /// Sine of radians.
    Sin,
    /// Hyperbolic tangent.
    Tanh,
    /// ln(1 + eˣ), without overflow.
    Softplus,

    // Elementwise, two operands of equal type
    /// a + b (f32, i32). Integers wrap.
    Add,
    /// a · b (f32, i32). Integers wrap.
    Mul,
    /// a / b (f32).
    Div,
    /// The larger (f32, i32). With a NaN operand the result is `a > b ? a : b`, that is b.
    Max,
    /// a < b: bool. False for NaN.
    Lt,
    /// a == b: bool. False for NaN.
    Eq,
    /// Operands c: bool, a, b: where c then a else b; any dtype for a and b.
    Select,

    // Shape
    /// Same elements in row-major order, new shape.
    Reshape(Vec<usize>),
    /// Axis i of the result is axis `perm[i]` of the operand.
    Transpose(Vec<usize>),
    /// Reversed along the axes (ascending).
    Reverse(Vec<usize>),
    /// To `shape`; axis i of the operand becomes axis `dims[i]` of the result (strictly ascending) and has its extent.
    /// All other axes of the result repeat.
    Broadcast { shape: Vec<usize>, dims: Vec<usize> },
    /// From `start` up to (not including) `stop` in steps of `step`, one entry an axis.
    Slice { start: Vec<usize>, stop: Vec<usize>, step: Vec<usize> },
    /// Pads every axis with the value of operand 1 (a scalar of the same dtype): `lo` before, `hi` after, `interior` between
    /// neighbours. Not negative.
    Pad { lo: Vec<usize>, hi: Vec<usize>, interior: Vec<usize> },
    /// One or more operands joined along the axis.
    Concat { axis: usize },

    // Reductions and scans
    /// Sum over the axes (ascending), which are dropped.
    ReduceSum(Vec<usize>),
    /// Maximum over the axes (ascending), which are dropped; none of them may have extent 0. Unspecified where an element is NaN.
    ReduceMax(Vec<usize>),
    /// Running sum along the axis, from the end if `reverse`.
    CumSum { axis: usize, reverse: bool },

    // Contractions
    /// General product of a and b.
    Dot(DotDims),
    /// Convolution of x `[N, C, …]` with kernel w `[O, C/groups, …]`: `[N, O, …]`.
    Conv(ConvDims),

    // Windows and indices
    /// Axis of extent L becomes two axes `[O, K]`: result[…, o, k, …] = x[…, o·stride + k·dilation, …].
    Unfold { axis: usize, size: usize, stride: usize, dilation: usize },
    /// The adjoint of `Unfold`: axes `axis` and `axis + 1` of extents `[O, K]` are summed into one of extent `length`.
    Fold { axis: usize, length: usize, stride: usize, dilation: usize },
    /// Operands x, i (i32): axis `axis` of x is replaced by the axes of i. Indices are clamped to the valid range.
    Gather { axis: usize },
    /// Operands i (i32), u: the adjoint of `Gather`: u's axes `axis..axis + rank(i)` are summed into one of extent `length`.
    /// Indices are clamped as in `Gather`.
    ScatterAdd { axis: usize, length: usize },
}

/// An operation's name without attributes: what tables and per-op tests run over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Each is documented at the `Op` of its name.
pub enum OpKind {
    Input,
    State,
    Const,
    Iota,
    Rng,
    Cast,
    StopGrad,
    Hold,
    Floor,
    Sign,
    Neg,
    Exp,
    Log,
    Sqrt,
    Sin,
    Tanh,
    Softplus,
    Add,
    Mul,
    Div,
    Max,
    Lt,
    Eq,
    Select,
    Reshape,
    Transpose,
    Reverse,
    Broadcast,
    Slice,
    Pad,
    Concat,
    ReduceSum,
    ReduceMax,
    CumSum,
    Dot,
    Conv,
    Unfold,
    Fold,
    Gather,
    ScatterAdd,
}

impl OpKind {
    /// Every op there is.
    pub const ALL: &'static [OpKind] = {
        use OpKind::*;
        &[
            Input, State, Const, Iota, Rng, Cast, StopGrad, Hold, Floor, Sign, Neg, Exp, Log, Sqrt, Sin, Tanh, Softplus,
            Add, Mul, Div, Max, Lt, Eq, Select, Reshape, Transpose, Reverse, Broadcast, Slice, Pad, Concat, ReduceSum,
            ReduceMax, CumSum, Dot, Conv, Unfold, Fold, Gather, ScatterAdd,
        ]
    };

    /// The name in the textual form, such as `reduce_sum`.
    pub fn name(self) -> &'static str {
        use OpKind::*;
        match self {
            Input => "input",
            State => "state",
            Const => "const",
            Iota => "iota",
            Rng => "rng",
            Cast => "cast",
            StopGrad => "stop_grad",
            Hold => "hold",
            Floor => "floor",
            Sign => "sign",
            Neg => "neg",
            Exp => "exp",
            Log => "log",
            Sqrt => "sqrt",
            Sin => "sin",
            Tanh => "tanh",
            Softplus => "softplus",
            Add => "add",
            Mul => "mul",
            Div => "div",
            Max => "max",
            Lt => "lt",
            Eq => "eq",
            Select => "select",
            Reshape => "reshape",
            Transpose => "transpose",
            Reverse => "reverse",
            Broadcast => "broadcast",
            Slice => "slice",
            Pad => "pad",
            Concat => "concat",
            ReduceSum => "reduce_sum",
            ReduceMax => "reduce_max",
            CumSum => "cum_sum",
            Dot => "dot",
            Conv => "conv",
            Unfold => "unfold",
            Fold => "fold",
            Gather => "gather",
            ScatterAdd => "scatter_add",
        }
    }

    /// Number of operands; `None` for `Concat`, which takes one or more.
    pub fn arity(self) -> Option<usize> {
        use OpKind::*;
        Some(match self {
            Input | State | Const | Iota => 0,
            Add | Mul | Div | Max | Lt | Eq | Pad | Dot | Conv | Gather | ScatterAdd => 2,
            Select => 3,
            Concat => return None,
            _ => 1,
        })
    }

    /// Whether every element of the result depends on the same element of each operand only.
    pub fn is_elementwise(self) -> bool {
        use OpKind::*;
        matches!(
            self,
            Cast | StopGrad
                | Hold
                | Floor
                | Sign
                | Neg
                | Exp
                | Log
                | Sqrt
                | Sin
                | Tanh
                | Softplus
                | Add
                | Mul
                | Div
                | Max
                | Lt
                | Eq
                | Select
        )
    }
}

impl Op {
    /// The operation's name without attributes.
    pub fn kind(&self) -> OpKind {
        match self {
            Op::Input(_) => OpKind::Input,
            Op::State(_) => OpKind::State,
            Op::Const(_) => OpKind::Const,
            Op::Iota { .. } => OpKind::Iota,
            Op::Rng { .. } => OpKind::Rng,
            Op::Cast(_) => OpKind::Cast,
            Op::StopGrad => OpKind::StopGrad,
            Op::Hold => OpKind::Hold,
            Op::Floor => OpKind::Floor,
            Op::Sign => OpKind::Sign,
            Op::Neg => OpKind::Neg,
            Op::Exp => OpKind::Exp,
            Op::Log => OpKind::Log,
            Op::Sqrt => OpKind::Sqrt,
            Op::Sin => OpKind::Sin,
            Op::Tanh => OpKind::Tanh,
            Op::Softplus => OpKind::Softplus,
            Op::Add => OpKind::Add,
            Op::Mul => OpKind::Mul,
            Op::Div => OpKind::Div,
            Op::Max => OpKind::Max,
            Op::Lt => OpKind::Lt,
            Op::Eq => OpKind::Eq,
            Op::Select => OpKind::Select,
            Op::Reshape(_) => OpKind::Reshape,
            Op::Transpose(_) => OpKind::Transpose,
            Op::Reverse(_) => OpKind::Reverse,
            Op::Broadcast { .. } => OpKind::Broadcast,
            Op::Slice { .. } => OpKind::Slice,
            Op::Pad { .. } => OpKind::Pad,
            Op::Concat { .. } => OpKind::Concat,
            Op::ReduceSum(_) => OpKind::ReduceSum,
            Op::ReduceMax(_) => OpKind::ReduceMax,
            Op::CumSum { .. } => OpKind::CumSum,
            Op::Dot(_) => OpKind::Dot,
            Op::Conv(_) => OpKind::Conv,
            Op::Unfold { .. } => OpKind::Unfold,
            Op::Fold { .. } => OpKind::Fold,
            Op::Gather { .. } => OpKind::Gather,
            Op::ScatterAdd { .. } => OpKind::ScatterAdd,
        }
    }
}
