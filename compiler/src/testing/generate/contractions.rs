//! Growth by general products and convolutions, forward and in the forms that their gradients take.

use super::Generator;
use crate::ir::{ConvDims, DType, DotDims, NodeId, Op};

/// Most products of one contraction: programs must stay fast.
const PRODUCTS: usize = 60_000;

impl Generator {
    /// A general product with every axis of the left operand in a random role and the right operand's axes in random order.
    pub(super) fn product(&mut self) -> Option<NodeId> {
        let a = self.pick_float()?;
        let lhs = self.shape_of(a);
        let mut dims = DotDims::default();
        // Roles of the right operand's axes: (extent, None for free, the paired left axis and whether it is a batch axis).
        let mut rhs: Vec<(usize, Option<(usize, bool)>)> = Vec::new();
        for (axis, extent) in lhs.iter().enumerate() {
            match self.rng.below(10) {
                0..2 => rhs.push((*extent, Some((axis, true)))),
                2..6 => rhs.push((*extent, Some((axis, false)))),
                _ => {}
            }
        }
        for _ in 0..self.rng.between(0, 2) {
            rhs.push((self.extent(), None));
        }
        let order = self.rng.permutation(rhs.len());
        let rhs: Vec<_> = order.into_iter().map(|i| rhs[i]).collect();
        // The pairs may be named in any order.
        for axis in self.rng.permutation(rhs.len()) {
            match rhs[axis].1 {
                Some((left, true)) => {
                    dims.lhs_batch.push(left);
                    dims.rhs_batch.push(axis);
                }
                Some((left, false)) => {
                    dims.lhs_contract.push(left);
                    dims.rhs_contract.push(axis);
                }
                None => {}
            }
        }
        let free: usize = rhs.iter().filter(|r| r.1.is_none()).map(|r| r.0).product();
        if lhs.iter().product::<usize>() * free > PRODUCTS {
            return None;
        }
        let shape: Vec<usize> = rhs.iter().map(|r| r.0).collect();
        let b = self.of(DType::F32, &shape)?;
        match self.rng.chance(50) {
            true => self.add(Op::Dot(dims), &[a, b]),
            false => {
                let DotDims { lhs_batch, rhs_batch, lhs_contract, rhs_contract } = dims;
                let flipped = DotDims {
                    lhs_batch: rhs_batch,
                    rhs_batch: lhs_batch,
                    lhs_contract: rhs_contract,
                    rhs_contract: lhs_contract,
                };
                self.add(Op::Dot(flipped), &[b, a])
            }
        }
    }

    /// A convolution over one or two spatial axes (now and then three), of a random geometry or of one that a gradient has.
    pub(super) fn convolution(&mut self) -> Option<NodeId> {
        let spatial = *self.rng.choose(&[1, 2, 2, 2, 2, 3])?;
        let input: Vec<usize> = (0..spatial).map(|_| self.rng.between(1, if spatial == 1 { 17 } else { 7 })).collect();
        let kernel: Vec<usize> = (0..spatial).map(|_| self.rng.between(1, if spatial == 1 { 5 } else { 4 })).collect();
        let (samples, features) = (self.rng.between(1, 4), self.rng.between(1, 6));
        let groups = if self.rng.chance(25) { self.rng.between(2, 3) } else { 1 };
        let channels = self.rng.between(1, if groups > 1 { 3 } else { 9 });
        let x_shape: Vec<usize> = [samples, channels * groups].into_iter().chain(input.iter().copied()).collect();
        let w_shape: Vec<usize> = [features * groups, channels].into_iter().chain(kernel.iter().copied()).collect();
        let dims = self.geometry(groups, &kernel);
        let x = self.of(DType::F32, &x_shape)?;
        let w = self.kernel(&w_shape)?;
        let (x, w) = match self.rng.chance(20) {
            true => (self.transposed_operand(&x_shape)?, w),
            false => (x, w),
        };
        self.add(Op::Conv(dims), &[x, w])
    }

    fn geometry(&mut self, groups: usize, kernel: &[usize]) -> ConvDims {
        let spatial = kernel.len();
        let mut dims = ConvDims {
            stride: vec![1; spatial],
            padding: vec![(0, 0); spatial],
            input_dilation: vec![1; spatial],
            kernel_dilation: vec![1; spatial],
            groups,
        };
        let form = self.rng.below(4);
        for (axis, taps) in kernel.iter().enumerate() {
            let step = self.rng.between(1, 3);
            let around = self.rng.between(0, 2) as isize;
            match form {
                // A layer.
                0 => (dims.stride[axis], dims.padding[axis]) = (step, (around, around)),
                // The gradient of a layer's input: dilated by its stride, padded to the full product, perhaps cropped.
                1 => {
                    let full = *taps as isize - 1;
                    let rest = self.rng.below(step) as isize;
                    (dims.input_dilation[axis], dims.padding[axis]) = (step, (full - around, full - around + rest));
                }
                // The gradient of a layer's kernel: the kernel's place is taken by the cotangent, dilated by its stride.
                2 => {
                    (dims.kernel_dilation[axis], dims.padding[axis]) = (step, (around, around - self.rng.below(3) as isize))
                }
                // Anything.
                _ => {
                    dims.stride[axis] = step;
                    dims.input_dilation[axis] = self.rng.between(1, 3);
                    dims.kernel_dilation[axis] = self.rng.between(1, 2);
                    dims.padding[axis] = (self.rng.between(0, 5) as isize - 2, self.rng.between(0, 5) as isize - 2);
                }
            }
        }
        dims
    }

    /// A kernel, often reversed and with input and output features exchanged, as in the gradient of the input.
    fn kernel(&mut self, shape: &[usize]) -> Option<NodeId> {
        let spatial: Vec<usize> = (2..shape.len()).collect();
        match self.rng.below(4) {
            0 => {
                let w = self.transposed_operand(shape)?;
                self.add(Op::Reverse(spatial), &[w])
            }
            1 => {
                let w = self.of(DType::F32, shape)?;
                self.add(Op::Reverse(spatial), &[w])
            }
            _ => self.of(DType::F32, shape),
        }
    }

    /// A value of this shape that is another with its first two axes exchanged.
    fn transposed_operand(&mut self, shape: &[usize]) -> Option<NodeId> {
        let mut perm: Vec<usize> = (0..shape.len()).collect();
        perm.swap(0, 1);
        let from: Vec<usize> = perm.iter().map(|p| shape[*p]).collect();
        let x = self.of(DType::F32, &from)?;
        self.add(Op::Transpose(perm), &[x])
    }
}
