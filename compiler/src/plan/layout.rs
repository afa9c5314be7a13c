//! Physical axis orders: in which order, outermost first, a value's logical axes lie in memory.
//!
//! Inputs and states are row-major. Convolutions produce channels-last images, elementwise values follow their operands, views
//! carry the order along, and what feeds a convolution is wanted channels-last, so that gathering its windows copies runs of
//! channels.

use super::analysis::{Kind, kind};
use crate::ir::{Graph, NodeId, Op};

/// The order of each node's axes.
pub fn axis_orders(graph: &Graph) -> Vec<Vec<usize>> {
    let wanted = wanted_orders(graph);
    let mut orders: Vec<Vec<usize>> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let node = graph.node(id);
        let rank = node.ty.rank();
        let natural: Vec<usize> = (0..rank).collect();
        let of = |place: usize| orders[node.args[place].index()].clone();
        let is_natural = |order: &[usize]| order.iter().enumerate().all(|(i, a)| i == *a);
        let mut order = match &node.op {
            Op::Conv(_) => channels_last(rank),
            Op::Transpose(perm) => of(0).iter().map(|a| perm.iter().position(|p| p == a).unwrap_or(0)).collect(),
            Op::StopGrad | Op::Hold | Op::Reverse(_) | Op::Slice { .. } | Op::Pad { .. } | Op::CumSum { .. } => of(0),
            Op::Concat { .. } => of(0),
            Op::ReduceSum(axes) | Op::ReduceMax(axes) => {
                let shifted = |a: usize| a - axes.iter().filter(|x| **x < a).count();
                of(0).into_iter().filter(|a| !axes.contains(a)).map(shifted).collect()
            }
            Op::Unfold { axis, .. } => {
                let spread = |a: usize| match a.cmp(axis) {
                    std::cmp::Ordering::Less => vec![a],
                    std::cmp::Ordering::Equal => vec![a, a + 1],
                    std::cmp::Ordering::Greater => vec![a + 1],
                };
                of(0).into_iter().flat_map(spread).collect()
            }
            Op::Fold { axis, .. } => {
                let joined = |a: usize| if a > *axis { a - 1 } else { a };
                of(0).into_iter().filter(|a| *a != axis + 1).map(joined).collect()
            }
            Op::Broadcast { dims, .. } if dims.len() == rank => of(0),
            op if op.kind().is_elementwise() => {
                (0..node.args.len()).map(of).find(|o| !is_natural(o)).unwrap_or(natural.clone())
            }
            _ => natural.clone(),
        };
        if is_natural(&order)
            && let Some(want) = &wanted[id.index()]
            && matches!(kind(&node.op), Kind::Point | Kind::Special)
        {
            order = want.clone();
        }
        orders.push(order);
    }
    orders
}

/// Samples, places, channels.
fn channels_last(rank: usize) -> Vec<usize> {
    let mut order = vec![0];
    order.extend(2..rank);
    order.push(1);
    order
}

/// Orders that consumers would like: channels-last for a convolution's images and whatever they are computed from.
fn wanted_orders(graph: &Graph) -> Vec<Option<Vec<usize>>> {
    let mut wanted: Vec<Option<Vec<usize>>> = vec![None; graph.nodes.len()];
    for id in graph.ids().rev() {
        let node = graph.node(id);
        let want = match &node.op {
            Op::Conv(_) => Some(channels_last(node.ty.rank())),
            op if op.kind().is_elementwise() => wanted[id.index()].clone(),
            _ => None,
        };
        let Some(want) = want else { continue };
        let args: &[NodeId] = if matches!(node.op, Op::Conv(_)) { &node.args[..1] } else { &node.args };
        for a in args {
            wanted[a.index()].get_or_insert_with(|| want.clone());
        }
    }
    wanted
}

/// Strides in elements, by logical axis, of a dense value with this shape and axis order.
pub fn strides(shape: &[usize], order: &[usize]) -> Vec<i64> {
    let mut strides = vec![0i64; shape.len()];
    let mut unit = 1i64;
    for a in order.iter().rev() {
        strides[*a] = unit;
        unit *= shape[*a].max(1) as i64;
    }
    strides
}
