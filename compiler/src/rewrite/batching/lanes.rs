//! An op over several lanes at once: its operands and its result have one axis more, the first.

use crate::Result;
use crate::ir::{ConvDims, DotDims, Literal, NodeId, Op};
use crate::rewrite::rewriter::Rewriter;

/// An operand of a packed op.
#[derive(Clone, Copy, Debug)]
pub enum Lanes {
    /// The same for all lanes, without the axis.
    Shared(NodeId),
    /// With the axis.
    Packed(NodeId),
}

/// `op` over `lanes` lanes. With `summed`, their sum, which has no axis more.
pub fn apply(r: &mut Rewriter, op: &Op, lanes: usize, operands: &[Lanes], summed: bool) -> Result<NodeId> {
    match (op, operands, summed) {
        (Op::Dot(dims), [Lanes::Packed(a), Lanes::Packed(b)], true) => {
            let dims = DotDims {
                lhs_batch: up(&dims.lhs_batch),
                rhs_batch: up(&dims.rhs_batch),
                lhs_contract: with_first(&dims.lhs_contract),
                rhs_contract: with_first(&dims.rhs_contract),
            };
            r.add(Op::Dot(dims), &[*a, *b])
        }
        (Op::Conv(dims), [Lanes::Packed(x), Lanes::Packed(w)], true) => {
            // Channels are what a convolution sums over: [k, N, C, …] and [k, O, C, …] become [N, kC, …] and [O, kC, …].
            let joined = [channels_of_all(r, *x)?, channels_of_all(r, *w)?];
            r.add(Op::Conv(dims.clone()), &joined)
        }
        (_, _, true) => {
            let packed = apply(r, op, lanes, operands, false)?;
            r.add(Op::ReduceSum(vec![0]), &[packed])
        }
        (Op::Dot(dims), [a, b], false) => dot(r, dims, *a, *b),
        (Op::Conv(dims), [Lanes::Packed(x), Lanes::Shared(w)], false) => conv(r, dims, lanes, *x, *w),
        (Op::Gather { axis }, [x, i], false) => match (*x, *i) {
            (Lanes::Packed(x), Lanes::Shared(i)) => r.add(Op::Gather { axis: axis + 1 }, &[x, i]),
            (x, i) => {
                let operands = [node(x), node(i)];
                r.add(op.clone(), &operands)
            }
        },
        (Op::Pad { lo, hi, interior }, [x, v], false) => {
            let x = with_axis(r, *x, lanes)?;
            let before = |v: &[usize]| [vec![0], v.to_vec()].concat();
            r.add(Op::Pad { lo: before(lo), hi: before(hi), interior: before(interior) }, &[x, node(*v)])
        }
        _ => {
            let args = operands.iter().map(|o| with_axis(r, *o, lanes)).collect::<Result<Vec<_>>>()?;
            let op = moved(op, lanes);
            r.add(op, &args)
        }
    }
}

/// Nodes side by side: joined along a new first axis. Constants need no memory for that.
pub fn join(r: &mut Rewriter, nodes: &[NodeId]) -> Result<NodeId> {
    let shape = [vec![nodes.len()], r.shape(nodes[0])].concat();
    let constants: Option<Vec<Literal>> = nodes.iter().map(|id| r.constant(*id)).collect();
    if let Some(constants) = constants {
        // lane < 1 ? first : lane < 2 ? second : …
        let lane = r.add(Op::Iota { shape: vec![nodes.len()], axis: 0 }, &[])?;
        let mut value = r.full(constants[constants.len() - 1], &[nodes.len()])?;
        for (i, constant) in constants.iter().enumerate().rev().skip(1) {
            let next = r.full(Literal::I32(i as i32 + 1), &[nodes.len()])?;
            let before = r.add(Op::Lt, &[lane, next])?;
            let this = r.full(*constant, &[nodes.len()])?;
            value = r.add(Op::Select, &[before, this, value])?;
        }
        return r.add(Op::Broadcast { shape, dims: vec![0] }, &[value]);
    }
    let mut parts = Vec::with_capacity(nodes.len());
    for id in nodes {
        let one = [vec![1], r.shape(*id)].concat();
        parts.push(r.add(Op::Reshape(one), &[*id])?);
    }
    r.add(Op::Concat { axis: 0 }, &parts)
}

/// Lanes `first..first + count` of a packed node.
pub fn some(r: &mut Rewriter, packed: NodeId, first: usize, count: usize) -> Result<NodeId> {
    let shape = r.shape(packed);
    if count == shape[0] {
        return Ok(packed);
    }
    let (mut start, mut stop) = (vec![0; shape.len()], shape.clone());
    (start[0], stop[0]) = (first, first + count);
    r.add(Op::Slice { start, stop, step: vec![1; shape.len()] }, &[packed])
}

/// One lane of a packed node, without the axis.
pub fn one(r: &mut Rewriter, packed: NodeId, lane: usize) -> Result<NodeId> {
    let slice = some(r, packed, lane, 1)?;
    let shape = r.shape(slice)[1..].to_vec();
    r.add(Op::Reshape(shape), &[slice])
}

/// Axes behind a new first one.
fn up(axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|axis| axis + 1).collect()
}

/// The new first axis, and these behind it.
fn with_first(axes: &[usize]) -> Vec<usize> {
    [vec![0], up(axes)].concat()
}

fn node(operand: Lanes) -> NodeId {
    match operand {
        Lanes::Shared(id) | Lanes::Packed(id) => id,
    }
}

/// An operand with the axis, repeated if all lanes share it.
fn with_axis(r: &mut Rewriter, operand: Lanes, lanes: usize) -> Result<NodeId> {
    match operand {
        Lanes::Packed(id) => Ok(id),
        Lanes::Shared(id) => {
            let shape = [vec![lanes], r.shape(id)].concat();
            let dims = (1..shape.len()).collect();
            r.add(Op::Broadcast { shape, dims }, &[id])
        }
    }
}

/// The op over operands that all have the axis.
fn moved(op: &Op, lanes: usize) -> Op {
    let first = |n: usize, rest: &[usize]| [vec![n], rest.to_vec()].concat();
    match op {
        Op::Reshape(shape) => Op::Reshape(first(lanes, shape)),
        Op::Transpose(perm) => Op::Transpose(with_first(perm)),
        Op::Reverse(axes) => Op::Reverse(up(axes)),
        Op::Broadcast { shape, dims } => Op::Broadcast { shape: first(lanes, shape), dims: with_first(dims) },
        Op::Slice { start, stop, step } => {
            Op::Slice { start: first(0, start), stop: first(lanes, stop), step: first(1, step) }
        }
        Op::Concat { axis } => Op::Concat { axis: axis + 1 },
        Op::ReduceSum(axes) => Op::ReduceSum(up(axes)),
        Op::ReduceMax(axes) => Op::ReduceMax(up(axes)),
        Op::CumSum { axis, reverse } => Op::CumSum { axis: axis + 1, reverse: *reverse },
        Op::Unfold { axis, size, stride, dilation } => {
            Op::Unfold { axis: axis + 1, size: *size, stride: *stride, dilation: *dilation }
        }
        Op::Fold { axis, length, stride, dilation } => {
            Op::Fold { axis: axis + 1, length: *length, stride: *stride, dilation: *dilation }
        }
        elementwise => elementwise.clone(),
    }
}

/// The product of lanes: where one side is shared, the axis is one more free axis of the other side.
fn dot(r: &mut Rewriter, dims: &DotDims, a: Lanes, b: Lanes) -> Result<NodeId> {
    let mut made = dims.clone();
    match (a, b) {
        (Lanes::Packed(_), Lanes::Packed(_)) => {
            made.lhs_batch = with_first(&dims.lhs_batch);
            made.rhs_batch = with_first(&dims.rhs_batch);
            made.lhs_contract = up(&dims.lhs_contract);
            made.rhs_contract = up(&dims.rhs_contract);
        }
        (Lanes::Packed(_), Lanes::Shared(_)) => {
            made.lhs_batch = up(&dims.lhs_batch);
            made.lhs_contract = up(&dims.lhs_contract);
        }
        _ => {
            made.rhs_batch = up(&dims.rhs_batch);
            made.rhs_contract = up(&dims.rhs_contract);
        }
    }
    let (lhs, rhs) = (node(a), node(b));
    let batch = dims.lhs_batch.len();
    let left = r.ty(lhs).rank() - made.lhs_batch.len() - made.lhs_contract.len();
    // Where the new axis ends up: after the batch axes, or after the left operand's free ones too.
    let at = match (a, b) {
        (Lanes::Packed(_), Lanes::Packed(_)) => 0,
        (Lanes::Packed(_), _) => batch,
        _ => batch + left,
    };
    let product = r.add(Op::Dot(made), &[lhs, rhs])?;
    if at == 0 {
        return Ok(product);
    }
    let rank = r.ty(product).rank();
    let perm = std::iter::once(at).chain((0..rank).filter(|axis| *axis != at)).collect();
    r.add(Op::Transpose(perm), &[product])
}

/// The convolution of lanes: they are more samples.
fn conv(r: &mut Rewriter, dims: &ConvDims, lanes: usize, x: NodeId, w: NodeId) -> Result<NodeId> {
    let shape = r.shape(x);
    let all = r.add(Op::Reshape([vec![lanes * shape[1]], shape[2..].to_vec()].concat()), &[x])?;
    let result = r.add(Op::Conv(dims.clone()), &[all, w])?;
    let after = r.shape(result);
    r.add(Op::Reshape([vec![lanes, shape[1]], after[1..].to_vec()].concat()), &[result])
}

/// [k, N, C, …] as [N, kC, …].
fn channels_of_all(r: &mut Rewriter, x: NodeId) -> Result<NodeId> {
    let shape = r.shape(x);
    let perm = [vec![1, 0], (2..shape.len()).collect()].concat();
    let beside = r.add(Op::Transpose(perm), &[x])?;
    r.add(Op::Reshape([vec![shape[1], shape[0] * shape[2]], shape[3..].to_vec()].concat()), &[beside])
}
