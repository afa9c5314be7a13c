//! Growth by leaves without operands and elementwise ops; operands are guarded from poles and overflow.

use super::Generator;
use crate::ir::{DType, NodeId, Op, OpKind, Type};

impl Generator {
    pub(super) fn constant(&mut self, kind: OpKind) -> Option<NodeId> {
        match kind {
            OpKind::Iota => {
                let mut shape = self.shape(self.options.rank);
                if shape.is_empty() {
                    shape.push(self.extent());
                }
                let axis = self.rng.below(shape.len());
                self.add(Op::Iota { shape, axis }, &[])
            }
            OpKind::Rng => {
                let key = self.of(DType::I32, &[4])?;
                let shape = self.shape(self.options.rank);
                let stream = self.stream();
                self.add(Op::Rng { stream, shape }, &[key])
            }
            _ => {
                let dtype = *self.rng.choose(&[DType::F32, DType::F32, DType::F32, DType::I32, DType::Bool])?;
                let literal = self.literal(dtype);
                self.add(Op::Const(literal), &[])
            }
        }
    }

    /// A stream that no draw has yet.
    pub(super) fn stream(&self) -> u32 {
        self.program.graph.nodes.len() as u32
    }

    pub(super) fn unary(&mut self, kind: OpKind) -> Option<NodeId> {
        let x = match kind {
            OpKind::Cast | OpKind::StopGrad | OpKind::Hold => {
                let dtype = *self.rng.choose(&[DType::F32, DType::F32, DType::I32, DType::Bool])?;
                self.pick(dtype)?
            }
            OpKind::Neg if self.rng.chance(20) => self.pick(DType::I32)?,
            _ => self.pick_float()?,
        };
        match kind {
            OpKind::Cast => {
                let to = *self.rng.choose(&[DType::F32, DType::F32, DType::I32, DType::Bool])?;
                self.add(Op::Cast(to), &[x])
            }
            // The two do the same but for differentiation; each in its turn.
            OpKind::StopGrad if self.program.graph.nodes.len() % 2 == 1 => self.add(Op::Hold, &[x]),
            OpKind::StopGrad => self.add(Op::StopGrad, &[x]),
            OpKind::Hold => self.add(Op::Hold, &[x]),
            OpKind::Floor => self.add(Op::Floor, &[x]),
            OpKind::Sign => self.add(Op::Sign, &[x]),
            OpKind::Neg => self.add(Op::Neg, &[x]),
            OpKind::Exp => {
                let x = self.at_most(x, 5.0)?;
                self.add(Op::Exp, &[x])
            }
            OpKind::Log => {
                let x = self.positive(x)?;
                self.add(Op::Log, &[x])
            }
            OpKind::Sqrt => {
                let x = self.positive(x)?;
                self.add(Op::Sqrt, &[x])
            }
            OpKind::Sin => {
                let x = self.at_most(x, 30.0)?;
                self.add(Op::Sin, &[x])
            }
            OpKind::Tanh => self.add(Op::Tanh, &[x]),
            _ => self.add(Op::Softplus, &[x]),
        }
    }

    /// `x`, squeezed if its magnitude exceeds the limit.
    pub(super) fn at_most(&mut self, x: NodeId, limit: f64) -> Option<NodeId> {
        if self.largest(x) <= limit {
            return Some(x);
        }
        match self.rng.chance(50) {
            true => self.add(Op::Tanh, &[x]),
            false => {
                let factor = limit / self.largest(x) * 0.9;
                self.scaled(x, factor)
            }
        }
    }

    /// `x`, or a function of it that is well above 0.
    pub(super) fn positive(&mut self, x: NodeId) -> Option<NodeId> {
        if self.smallest(x) > 0.1 {
            return Some(x);
        }
        let nonnegative = match self.rng.below(3) {
            0 => self.add(Op::Softplus, &[x])?,
            1 => self.add(Op::Mul, &[x, x])?,
            _ => {
                let minus = self.add(Op::Neg, &[x])?;
                self.add(Op::Max, &[x, minus])?
            }
        };
        let by = self.rng.uniform(0.2, 1.5);
        self.shifted(nonnegative, by)
    }

    pub(super) fn binary(&mut self, kind: OpKind) -> Option<NodeId> {
        let dtype = match kind {
            OpKind::Add | OpKind::Mul | OpKind::Max | OpKind::Lt | OpKind::Eq if self.rng.chance(20) => DType::I32,
            _ => DType::F32,
        };
        let a = self.pick(dtype)?;
        let Type { dtype, shape } = self.ty(a);
        let b = if self.rng.chance(10) { a } else { self.of(dtype, &shape)? };
        match kind {
            OpKind::Add => self.add(Op::Add, &[a, b]),
            OpKind::Mul => self.add(Op::Mul, &[a, b]),
            OpKind::Max => self.add(Op::Max, &[a, b]),
            OpKind::Lt => self.add(Op::Lt, &[a, b]),
            OpKind::Eq => self.add(Op::Eq, &[a, b]),
            _ => {
                let b = self.positive(b)?;
                self.add(Op::Div, &[a, b])
            }
        }
    }

    /// A truth value of this shape, from a comparison if it can be.
    fn condition(&mut self, shape: &[usize]) -> Option<NodeId> {
        if self.rng.chance(60) {
            let (a, b) = (self.of(DType::F32, shape)?, self.of(DType::F32, shape)?);
            if let Some(c) = self.add(Op::Lt, &[a, b]) {
                return Some(c);
            }
        }
        self.of(DType::Bool, shape)
    }

    pub(super) fn selection(&mut self) -> Option<NodeId> {
        let dtype = *self.rng.choose(&[DType::F32, DType::F32, DType::F32, DType::I32, DType::Bool])?;
        let a = self.pick(dtype)?;
        let shape = self.shape_of(a);
        let b = self.of(dtype, &shape)?;
        let c = self.condition(&shape)?;
        self.add(Op::Select, &[c, a, b])
    }
}
