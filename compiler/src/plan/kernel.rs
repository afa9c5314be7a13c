//! Kernels: what code generation is given. A loop nest over a box of axes with a straight-line body.
//!
//! Every kernel of a plan, elementwise, reduction or data movement, has this one form: the body reads through affine
//! [`Access`]es (or, for gathers, at an index it computed), computes, and stores; reductions accumulate over the axes
//! marked as reduced and store once for each place of the others.
//!
//! What always holds: `axes` are in nest order; reduced axes form a suffix of the nest, or are followed by nothing but reduced
//! axes after the vector axis; every access stays inside its buffer for all iterations (the planner derived it from the graph's
//! shapes); body operands precede their users.

use super::affine::Affine;
use crate::ir::{DType, Literal, OpKind};

/// A value of the body: its place in [`Kernel::body`].
pub type ValueId = usize;

/// A place in one of the kernel's buffers, in elements of four bytes, as a function of the iteration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Access {
    /// Which buffer.
    pub param: usize,
    /// Address in elements.
    pub at: Affine,
}

/// One instruction of a kernel's body. Every element has four bytes; truth values are 0 or −1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inst {
    /// A constant.
    Const(Literal),
    /// The i32 value of an index.
    Index(Affine),
    /// Reads a buffer.
    Load(Access, DType),
    /// Reads a buffer at `access + clamp(index, 0, limit − 1) · stride`.
    LoadAt {
        /// The place for index 0.
        access: Access,
        /// i32 index.
        index: ValueId,
        /// Elements between neighbouring indices.
        stride: i64,
        /// Number of valid indices.
        limit: usize,
        /// Element type.
        dtype: DType,
    },
    /// A uniform number: the element with the row-major index `at` of the draw `stream`, keyed by four i32 values.
    Rng {
        /// Identity of the draw.
        stream: u32,
        /// Seed low, seed high, step, turn.
        key: [ValueId; 4],
        /// Row-major element index.
        at: Affine,
    },
    /// Conversion between element types.
    Cast(DType, DType, ValueId),
    /// An elementwise op of one operand, on this element type.
    Unary(OpKind, DType, ValueId),
    /// An elementwise op of two operands, on this element type.
    Binary(OpKind, DType, ValueId, ValueId),
    /// a·b + c, rounded once where the machine can.
    Fma(ValueId, ValueId, ValueId),
    /// Condition, then, else; of this element type.
    Select(DType, ValueId, ValueId, ValueId),
}

impl Inst {
    /// Operands.
    pub fn operands(&self) -> Vec<ValueId> {
        match self {
            Inst::Const(_) | Inst::Index(_) | Inst::Load(..) => vec![],
            Inst::LoadAt { index, .. } => vec![*index],
            Inst::Rng { key, .. } => key.to_vec(),
            Inst::Cast(_, _, a) | Inst::Unary(_, _, a) => vec![*a],
            Inst::Binary(_, _, a, b) => vec![*a, *b],
            Inst::Fma(a, b, c) | Inst::Select(_, a, b, c) => vec![*a, *b, *c],
        }
    }

    /// The affine function it evaluates itself, if any.
    pub fn affine(&self) -> Option<&Affine> {
        match self {
            Inst::Index(at) | Inst::Rng { at, .. } => Some(at),
            Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some(&access.at),
            _ => None,
        }
    }

    /// [`Inst::affine`], mutable.
    pub fn affine_mut(&mut self) -> Option<&mut Affine> {
        match self {
            Inst::Index(at) | Inst::Rng { at, .. } => Some(at),
            Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some(&mut access.at),
            _ => None,
        }
    }

    /// Element type of the result.
    pub fn dtype(&self) -> DType {
        match self {
            Inst::Const(l) => l.dtype(),
            Inst::Index(_) => DType::I32,
            Inst::Load(_, d) | Inst::LoadAt { dtype: d, .. } => *d,
            Inst::Rng { .. } | Inst::Fma(..) => DType::F32,
            Inst::Cast(_, to, _) => *to,
            Inst::Binary(OpKind::Lt | OpKind::Eq, ..) => DType::Bool,
            Inst::Unary(_, d, _) | Inst::Binary(_, d, _, _) | Inst::Select(d, ..) => *d,
        }
    }
}

/// How a value reaches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreMode {
    /// Overwrites.
    Set,
    /// Adds to what is there (f32). Iterations that hit the same place run one after the other on one worker.
    Add,
}

/// A store done in every iteration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Store {
    /// Where.
    pub access: Access,
    /// An i32 index, the elements between neighbouring indices and their number: added to the place after clamping.
    pub index: Option<(ValueId, i64, usize)>,
    /// What.
    pub value: ValueId,
    /// How.
    pub mode: StoreMode,
}

/// What a reduction computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReduceKind {
    /// The sum; of nothing, 0.
    Sum,
    /// The maximum; of nothing, −∞.
    Max,
}

/// A value accumulated over the reduced axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reduction {
    /// Sum or maximum.
    pub kind: ReduceKind,
    /// What is accumulated (f32).
    pub value: ValueId,
    /// Where the result goes; constant along reduced axes.
    pub access: Access,
}

/// One axis of the nest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis {
    /// Number of iterations.
    pub extent: usize,
    /// Whether reductions accumulate along it.
    pub reduced: bool,
    /// Whether its iterations must run one after the other, in order.
    pub sequential: bool,
}

/// A loop nest. Equal kernels are compiled once: buffers are parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kernel {
    /// Axes, outermost first.
    pub axes: Vec<Axis>,
    /// The axis that is shared out among workers: a call runs a part `begin..end` of it. `None` only without axes.
    pub parallel: Option<usize>,
    /// The axis taken four elements at a time. `None`: everything one element at a time.
    pub vector: Option<usize>,
    /// Number of buffers.
    pub params: usize,
    /// Straight-line body.
    pub body: Vec<Inst>,
    /// Stores, in order.
    pub stores: Vec<Store>,
    /// Reductions.
    pub reductions: Vec<Reduction>,
}

impl Kernel {
    /// Extents of the nest.
    pub fn extents(&self) -> Vec<usize> {
        self.axes.iter().map(|a| a.extent).collect()
    }

    /// Iterations in all.
    pub fn iterations(&self) -> usize {
        self.axes.iter().map(|a| a.extent).product()
    }

    /// Every access to a buffer, mutable.
    pub fn accesses_mut(&mut self) -> Vec<&mut Access> {
        let loads = self.body.iter_mut().filter_map(|inst| match inst {
            Inst::Load(access, _) | Inst::LoadAt { access, .. } => Some(access),
            _ => None,
        });
        let results = self.reductions.iter_mut().map(|r| &mut r.access);
        loads.chain(self.stores.iter_mut().map(|s| &mut s.access)).chain(results).collect()
    }

    /// Every affine function of the kernel.
    pub fn affines(&self) -> Vec<&Affine> {
        let body = self.body.iter().filter_map(Inst::affine);
        body.chain(self.stores.iter().map(|s| &s.access.at)).chain(self.reductions.iter().map(|r| &r.access.at)).collect()
    }

    /// Every affine function of the kernel, mutable.
    pub fn affines_mut(&mut self) -> Vec<&mut Affine> {
        let body = self.body.iter_mut().filter_map(Inst::affine_mut);
        body.chain(self.stores.iter_mut().map(|s| &mut s.access.at))
            .chain(self.reductions.iter_mut().map(|r| &mut r.access.at))
            .collect()
    }
}
