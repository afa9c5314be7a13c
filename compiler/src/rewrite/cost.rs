//! What nodes cost: floating-point operations, bytes moved, and time by a checked-in table.
//!
//! In: a graph. Out: counts that depend on the graph alone, and an estimate in picoseconds that is used to compare programs,
//! never to predict a step's time. Integers throughout, so that sums do not depend on their order.

use crate::ir::{Graph, NodeId, Op};

/// Counts for a node or a whole graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Nodes other than inputs, states and constants.
    pub nodes: u64,
    /// Operations of `Dot` and `Conv`: two a multiply-add. Padding counts as work, zeros inserted by dilation do not.
    pub products: u64,
    /// All operations, `products` included.
    pub flops: u64,
    /// Bytes read and written if every node ran alone; views move none.
    pub bytes: u64,
    /// Estimated time in picoseconds, elementwise work taken as fused.
    pub time: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.products = self.products.saturating_add(other.products);
        self.flops = self.flops.saturating_add(other.flops);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.time = self.time.saturating_add(other.time);
    }
}

/// Rates of a device in picoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// One floating-point operation of a product, per 64 operations.
    pub product_64: u64,
    /// One element of a product's operand, brought into the order of the micro-kernel.
    pub pack: u64,
    /// One simple elementwise operation on one element.
    pub simple: u64,
    /// One division, root or transcendental function of one element.
    pub transcendental: u64,
    /// One byte of a value that is written out, because its producer or its user cannot be fused.
    pub byte: u64,
    /// One byte of an elementwise value, which fusion mostly keeps in registers.
    pub fused_byte: u64,
    /// Starting a kernel that cannot be fused into another.
    pub launch: u64,
    /// Being one more operation in a fused kernel.
    pub node: u64,
    /// All workers waiting for each other.
    pub barrier: u64,
    /// One byte that was touched a short while ago.
    pub near_byte: u64,
    /// One byte of a program whose memory fits the far cache.
    pub far_byte: u64,
    /// One byte of any other program.
    pub memory_byte: u64,
    /// Bytes that may be touched until a byte is no longer near.
    pub near_cache: usize,
    /// Bytes that a program may have in memory until its bytes are no longer far.
    pub far_cache: usize,
}

impl Rates {
    /// Two cores with AVX-512, measured: 230 GFLOP/s in products, workers that meet at spin barriers.
    pub const CPU: Rates = Rates {
        product_64: 280,
        pack: 80,
        simple: 20,
        transcendental: 500,
        byte: 30,
        fused_byte: 4,
        launch: 300_000,
        node: 500,
        barrier: 400_000,
        near_byte: 5,
        far_byte: 12,
        memory_byte: 18,
        near_cache: 2 << 20,
        far_cache: 16 << 20,
    };

    /// Two cores with AVX2 and FMA: vectors half as long in products; what is generated has vectors of four in any case.
    pub const CPU_AVX2: Rates = Rates { product_64: 560, ..Rates::CPU };

    /// Two cores with vectors of four: SSE without FMA, or NEON.
    pub const CPU_NARROW: Rates = Rates { product_64: 1_120, ..Rates::CPU };

    /// The table of this machine, by the instructions it has.
    pub fn of_machine() -> Rates {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            return Rates::CPU;
        } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return Rates::CPU_AVX2;
        }
        Rates::CPU_NARROW
    }

    /// Cost of one node.
    pub fn node(&self, graph: &Graph, id: NodeId) -> Cost {
        let node = graph.node(id);
        let arg = |i: usize| graph.ty(node.args[i]);
        let operands: Vec<(&[usize], u64)> = node.args.iter().map(|a| (graph.shape(*a), bytes_of(graph, *a))).collect();
        let contraction = matches!(node.op, Op::Dot(_) | Op::Conv(_));
        let products = if contraction { products(&node.op, &arg(0).shape, &arg(1).shape, &node.ty.shape) } else { 0 };
        self.estimate(&node.op, &operands, &node.ty.shape, bytes_of(graph, id), products)
    }

    pub(crate) fn estimate(
        &self,
        op: &Op,
        operands: &[(&[usize], u64)],
        shape: &[usize],
        written: u64,
        products: u64,
    ) -> Cost {
        let out = count(shape);
        let read: u64 = operands.iter().map(|o| o.1).sum();
        let input = operands.first().map_or(0, |o| count(o.0));
        let moved = read + written;
        let fused = |work: u64, rate: u64| (work, moved, work * rate + moved * self.fused_byte + self.node);
        let alone = |work: u64, rate: u64| (work, moved, work * rate + moved * self.byte + self.launch);
        let (flops, bytes, time) = match op {
            Op::Input(_) | Op::State(_) | Op::Const(_) => return Cost::default(),
            // Views: absorbed as strides by whoever reads them.
            Op::Reshape(_) | Op::Broadcast { .. } | Op::StopGrad | Op::Hold => (0, 0, 0),
            Op::Transpose(_) | Op::Reverse(_) | Op::Slice { .. } | Op::Unfold { .. } => (0, 0, 0),
            Op::Iota { .. } => (0, written, written * self.fused_byte + self.node),
            Op::Rng { .. } => (40 * out, written, out * 20 * self.simple + self.node),
            Op::Pad { .. } | Op::Concat { .. } | Op::Gather { .. } => {
                (0, 2 * written, 2 * written * self.byte + self.launch / 4)
            }
            Op::Exp | Op::Log | Op::Sin | Op::Tanh | Op::Softplus | Op::Div | Op::Sqrt => fused(out, self.transcendental),
            Op::ReduceSum(_) | Op::ReduceMax(_) => {
                let time = input * self.simple + read * self.fused_byte + written * self.byte + self.launch / 4;
                (input, moved, time)
            }
            Op::CumSum { .. } | Op::Fold { .. } | Op::ScatterAdd { .. } => alone(input.max(out), self.simple),
            Op::Dot(_) | Op::Conv(_) => (products, moved, products * self.product_64 / 64 + moved * self.byte + self.launch),
            _ => fused(out, self.simple),
        };
        Cost { nodes: 1, products, flops, bytes, time }
    }

    /// Cost of everything in the graph, dead nodes included.
    pub fn graph(&self, graph: &Graph) -> Cost {
        let mut total = Cost::default();
        for id in graph.ids() {
            total += self.node(graph, id);
        }
        total
    }
}

/// Operations of all products of a graph: its useful work.
pub fn graph_flops(graph: &Graph) -> u64 {
    Rates::CPU.graph(graph).products
}

pub(crate) fn count(shape: &[usize]) -> u64 {
    shape.iter().map(|n| *n as u64).product()
}

fn bytes_of(graph: &Graph, id: NodeId) -> u64 {
    // Repeated values are read through a stride of 0.
    let mut id = id;
    while let Op::Broadcast { .. } = graph.node(id).op {
        id = graph.node(id).args[0];
    }
    4 * count(graph.shape(id))
}

/// Operations of a product: two a multiply-add that does not meet an inserted zero.
pub(crate) fn products(op: &Op, a: &[usize], b: &[usize], out: &[usize]) -> u64 {
    match op {
        Op::Dot(dims) => 2 * count(out) * dims.lhs_contract.iter().map(|i| a[*i] as u64).product::<u64>(),
        Op::Conv(dims) => {
            let mut work = 2 * (a[0] * b[0] * b[1]) as u64;
            for i in 0..dims.stride.len() {
                work *= taps(
                    out[i + 2],
                    b[i + 2],
                    dims.stride[i],
                    dims.kernel_dilation[i],
                    dims.padding[i].0,
                    dims.input_dilation[i],
                );
            }
            work
        }
        _ => 0,
    }
}

/// Pairs of a result's place and a kernel's tap that fall on the grid of the dilated input (padding included).
fn taps(out: usize, kernel: usize, stride: usize, kernel_dilation: usize, lo: isize, input_dilation: usize) -> u64 {
    if input_dilation <= 1 {
        return (out * kernel) as u64;
    }
    let on_grid =
        |o: usize, k: usize| (((o * stride + k * kernel_dilation) as isize) - lo).rem_euclid(input_dilation as isize) == 0;
    (0..out).map(|o| (0..kernel).filter(|k| on_grid(o, *k)).count() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ConvDims, Type};

    #[test]
    fn transposed_convolution_counts_no_inserted_zeros() {
        let b = Builder::new();
        let x = b.input("x", Type::f32([64, 64, 7, 7]));
        let w = b.input("w", Type::f32([32, 64, 4, 4]));
        let dims = ConvDims {
            stride: vec![1, 1],
            padding: vec![(2, 2); 2],
            input_dilation: vec![2, 2],
            kernel_dilation: vec![1, 1],
            groups: 1,
        };
        let y = x.conv(&w, dims);
        assert_eq!(y.shape(), [64, 32, 14, 14]);
        b.output("y", &y);
        // The same work as the convolution of stride 2 from 14x14 to 7x7 that it transposes.
        assert_eq!(graph_flops(&b.finish().unwrap()), 2 * 64 * 49 * 64 * 32 * 16);
    }

    #[test]
    fn products_of_batches_count_each_batch() {
        let b = Builder::new();
        let dims =
            crate::ir::DotDims { lhs_batch: vec![0], rhs_batch: vec![0], lhs_contract: vec![2], rhs_contract: vec![1] };
        let y = b.input("x", Type::f32([3, 4, 5])).dot(&b.input("w", Type::f32([3, 5, 6])), dims);
        b.output("y", &y);
        assert_eq!(graph_flops(&b.finish().unwrap()), 2 * 3 * 4 * 5 * 6);
    }
}
