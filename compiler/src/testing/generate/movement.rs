//! Growth by ops that move, reduce or index elements.

use super::Generator;
use crate::ir::{DType, NodeId, Op, OpKind};

impl Generator {
    fn pick_any(&mut self) -> Option<NodeId> {
        let dtype = *self.rng.choose(&[DType::F32, DType::F32, DType::F32, DType::F32, DType::I32, DType::Bool])?;
        self.pick(dtype)
    }

    pub(super) fn movement(&mut self, kind: OpKind) -> Option<NodeId> {
        let x = self.pick_any()?;
        let shape = self.shape_of(x);
        let rank = shape.len();
        match kind {
            OpKind::Reshape => {
                let shape = self.regrouped(&shape);
                self.add(Op::Reshape(shape), &[x])
            }
            OpKind::Transpose => {
                let perm = self.rng.permutation(rank);
                self.add(Op::Transpose(perm), &[x])
            }
            OpKind::Reverse => {
                let axes = self.rng.subset(rank, 60);
                self.add(Op::Reverse(axes), &[x])
            }
            OpKind::Broadcast => {
                let (mut result, mut dims) = (Vec::new(), Vec::new());
                for extent in shape {
                    if self.rng.chance(35) {
                        result.push(self.extent());
                    }
                    dims.push(result.len());
                    result.push(extent);
                }
                if self.rng.chance(50) || result.len() == dims.len() {
                    result.push(self.extent());
                }
                self.add(Op::Broadcast { shape: result, dims }, &[x])
            }
            OpKind::Slice => {
                let start: Vec<usize> = shape.iter().map(|n| self.rng.below((*n).min(4))).collect();
                let stop = shape.iter().zip(&start).map(|(n, s)| self.rng.between((s + n).div_ceil(2).max(s + 1), *n));
                let stop: Vec<usize> = stop.collect();
                let step = shape.iter().map(|_| *self.rng.choose(&[1, 1, 1, 2, 3]).unwrap_or(&1)).collect();
                self.add(Op::Slice { start, stop, step }, &[x])
            }
            OpKind::Pad => {
                let dtype = self.ty(x).dtype;
                let literal = self.literal(dtype);
                let value = match self.rng.chance(20) {
                    true => self.of(dtype, &[])?,
                    false => self.add(Op::Const(literal), &[])?,
                };
                let mut few = |percent: usize, most: usize| -> Vec<usize> {
                    (0..rank).map(|_| if self.rng.chance(percent) { self.rng.between(1, most) } else { 0 }).collect()
                };
                let (lo, hi, interior) = (few(40, 3), few(40, 3), few(25, 2));
                self.add(Op::Pad { lo, hi, interior }, &[x, value])
            }
            _ => {
                let dtype = self.ty(x).dtype;
                let axis = self.rng.below(rank);
                if rank == 0 {
                    return None;
                }
                let mut parts = vec![x];
                for _ in 0..self.rng.between(0, 2) {
                    let mut part = shape.clone();
                    part[axis] = self.extent().min(9);
                    parts.push(self.of(dtype, &part)?);
                }
                let order = self.rng.permutation(parts.len());
                let parts: Vec<NodeId> = order.into_iter().map(|i| parts[i]).collect();
                self.add(Op::Concat { axis }, &parts)
            }
        }
    }

    /// Another shape of as many elements: axes merged, split, added and dropped.
    fn regrouped(&mut self, shape: &[usize]) -> Vec<usize> {
        let mut result: Vec<usize> = Vec::new();
        for extent in shape {
            match result.last_mut() {
                Some(last) if self.rng.chance(40) => *last *= extent,
                _ => result.push(*extent),
            }
        }
        if !result.is_empty() && self.rng.chance(60) {
            let at = self.rng.below(result.len());
            let divisors: Vec<usize> = (1..=result[at]).filter(|d| result[at].is_multiple_of(*d)).collect();
            if let Some(d) = self.rng.choose(&divisors) {
                result.splice(at..=at, [*d, result[at] / d]);
            }
        }
        if self.rng.chance(20) {
            let at = self.rng.between(0, result.len());
            result.insert(at, 1);
        }
        result
    }

    pub(super) fn reduction(&mut self, kind: OpKind) -> Option<NodeId> {
        let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
        let rank = self.shape_of(x).len();
        match kind {
            OpKind::CumSum => {
                let (axis, reverse) = (self.rng.below(rank), self.rng.chance(50));
                self.add(Op::CumSum { axis, reverse }, &[x])
            }
            _ => {
                let mut axes = self.rng.subset(rank, 50);
                if axes.is_empty() {
                    axes.push(self.rng.below(rank));
                }
                self.add(if kind == OpKind::ReduceSum { Op::ReduceSum(axes) } else { Op::ReduceMax(axes) }, &[x])
            }
        }
    }

    pub(super) fn windows(&mut self, kind: OpKind) -> Option<NodeId> {
        let (stride, dilation) = (self.rng.between(1, 3), self.rng.between(1, 2));
        match kind {
            OpKind::Unfold => {
                let x = self.pick_where(DType::F32, |t| t.rank() > 0)?;
                let shape = self.shape_of(x);
                let axis = self.rng.below(shape.len());
                let most = (shape[axis] - 1) / dilation + 1;
                let size = self.rng.between(1, most.min(4));
                self.add(Op::Unfold { axis, size, stride, dilation }, &[x])
            }
            OpKind::Fold => {
                let x = self.pick_where(DType::F32, |t| t.rank() > 1)?;
                let shape = self.shape_of(x);
                let axis = self.rng.below(shape.len() - 1);
                let rest = self.rng.below(stride);
                let length = (shape[axis] - 1) * stride + (shape[axis + 1] - 1) * dilation + 1 + rest;
                self.add(Op::Fold { axis, length, stride, dilation }, &[x])
            }
            OpKind::Gather => {
                let x = self.pick_any()?;
                let rank = self.shape_of(x).len();
                let shape = self.shape(2);
                let indices = self.of(DType::I32, &shape)?;
                let axis = self.rng.below(rank);
                self.add(Op::Gather { axis }, &[x, indices])
            }
            _ => {
                let u = self.pick_float()?;
                let shape = self.shape_of(u);
                let axis = self.rng.between(0, shape.len());
                let axes = self.rng.between(0, (shape.len() - axis).min(2));
                let indices = self.of(DType::I32, &shape[axis..axis + axes])?;
                let length = self.extent();
                self.add(Op::ScatterAdd { axis, length }, &[indices, u])
            }
        }
    }
}
