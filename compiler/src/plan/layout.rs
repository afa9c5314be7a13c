//! Physical axis orders: in which order, outermost first, a value's logical axes lie in memory.
//!
//! Inputs and states are row-major. Convolutions produce channels-last images, elementwise values follow their operands, views
//! carry the order along (so does a reshape that splits and joins axes as they lie), and what feeds a convolution is wanted
//! channels-last, so that gathering its windows copies runs of channels.

use super::analysis::{Kind, kind};
use crate::ir::{Graph, NodeId, Op};
use std::ops::Range;

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
            Op::Broadcast { dims, .. } => broadcast(rank, dims, &of(0)),
            Op::Reshape(shape) => {
                reshaped(&graph.node(node.args[0]).ty.shape, shape, &of(0)).unwrap_or_else(|| natural.clone())
            }
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

/// The order of a broadcast value's axes: new axes lie beside the axis before them, as when channels-last pictures are enlarged.
fn broadcast(rank: usize, dims: &[usize], order: &[usize]) -> Vec<usize> {
    let new_behind = |axis: usize| (axis..rank).take_while(|a| !dims.contains(a));
    let kept = order.iter().flat_map(|axis| std::iter::once(dims[*axis]).chain(new_behind(dims[*axis] + 1)));
    new_behind(0).chain(kept).collect()
}

/// The order of a reshaped value's axes where axes are only split and joined as they lie: when channels-last pictures are enlarged or
/// pooled. `None` if axes that are joined do not follow each other in memory.
fn reshaped(from: &[usize], to: &[usize], order: &[usize]) -> Option<Vec<usize>> {
    // Axes of one lie anywhere, and stay out of it.
    let lying: Vec<usize> = order.iter().copied().filter(|axis| from[*axis] != 1).collect();
    let mut groups = Vec::new();
    for (given, made) in same_numbers(from, to)? {
        let at = lying.iter().position(|axis| *axis == given[0])?;
        if lying.get(at..at + given.len())? != given {
            return None;
        }
        groups.push((at, made));
    }
    groups.sort_by_key(|(at, _)| *at);
    Some(groups.into_iter().flat_map(|(_, made)| made).collect())
}

/// Where a reshape's operand goes if its result has these strides: the stride of each of the operand's axes. The result's order is
/// [`axis_orders`]', so axes that are split from one lie together.
pub fn strides_of_operand(from: &[usize], to: &[usize], strides: &[i64]) -> Vec<i64> {
    // Without groups there is one number or none.
    let Some(groups) = same_numbers(from, to) else {
        return crate::ir::row_major_strides(from).into_iter().map(|s| s as i64).collect();
    };
    let mut of_operand = vec![0; from.len()];
    for (given, made) in groups {
        let mut unit = made.into_iter().rev().find(|axis| to[*axis] != 1).map_or(1, |axis| strides[axis]);
        for axis in given.into_iter().rev() {
            of_operand[axis] = unit;
            unit *= from[axis] as i64;
        }
    }
    of_operand
}

/// Axes of either side, one after another, that hold the same numbers: of the operand those longer than one, of the result all.
/// `None` if all axes are of one, or one is of zero.
fn same_numbers(from: &[usize], to: &[usize]) -> Option<Vec<(Vec<usize>, Range<usize>)>> {
    let given: Vec<usize> = (0..from.len()).filter(|axis| from[*axis] != 1).collect();
    let (mut i, mut j) = (0, 0);
    let mut groups = Vec::new();
    while i < given.len() {
        let (begin, start) = (i, j);
        let (mut left, mut right) = (from[given[i]], 1);
        i += 1;
        while left != right {
            match left < right {
                true => {
                    left *= from[*given.get(i)?];
                    i += 1;
                }
                false => {
                    right *= to.get(j)?;
                    j += 1;
                }
            }
        }
        while to.get(j) == Some(&1) {
            j += 1;
        }
        groups.push((given[begin..i].to_vec(), start..j));
    }
    (j == to.len()).then_some(groups)
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
            Op::Reshape(shape) => {
                wanted[id.index()].as_ref().and_then(|order| reshaped(shape, graph.shape(node.args[0]), order))
            }
            Op::Concat { .. } => wanted[id.index()].clone(),
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

#[cfg(test)]
mod tests {
    use super::{broadcast, reshaped, strides, strides_of_operand};

    #[test]
    fn new_axes_lie_behind_the_axis_before_them() {
        assert_eq!(broadcast(6, &[0, 1, 2, 4], &[0, 2, 3, 1]), [0, 2, 3, 4, 5, 1]);
        assert_eq!(broadcast(4, &[1], &[0]), [0, 1, 2, 3]);
        assert_eq!(broadcast(3, &[], &[]), [0, 1, 2]);
        assert_eq!(broadcast(3, &[0, 1, 2], &[2, 0, 1]), [2, 0, 1]);
    }

    #[test]
    fn reshapes_keep_the_order_of_axes_that_lie_together() {
        let last = [0, 2, 3, 1];
        // Enlarging: an axis of one beside each place, and back.
        assert_eq!(reshaped(&[8, 5, 4, 4], &[8, 5, 4, 1, 4, 1], &last), Some(vec![0, 2, 3, 4, 5, 1]));
        assert_eq!(reshaped(&[8, 5, 4, 2, 4, 2], &[8, 5, 8, 8], &[0, 2, 3, 4, 5, 1]), Some(last.to_vec()));
        // Pooling.
        assert_eq!(reshaped(&[8, 5, 4, 6], &[8, 5, 2, 2, 3, 2], &last), Some(vec![0, 2, 3, 4, 5, 1]));
        // Places joined to one axis; channels and places joined, which do not lie together; axes of one anywhere.
        assert_eq!(reshaped(&[8, 5, 4, 4], &[8, 5, 16], &last), Some(vec![0, 2, 1]));
        assert_eq!(reshaped(&[8, 5, 4, 4], &[8, 80], &last), None);
        assert_eq!(reshaped(&[8, 5, 1, 1], &[8, 5], &last), Some(vec![0, 1]));
        assert_eq!(reshaped(&[1, 5, 4, 4], &[1, 1, 5, 4, 4], &last), Some(vec![3, 4, 0, 1, 2]));
        assert_eq!(reshaped(&[1, 1], &[1], &[1, 0]), None);
    }

    #[test]
    fn an_operand_goes_where_its_result_lies() {
        // Enlarged pictures, channels last; a filter of one channel; row-major whatever is joined; axes of one only.
        let last = strides(&[8, 5, 8, 8], &[0, 2, 3, 1]);
        assert_eq!(strides_of_operand(&[8, 5, 4, 2, 4, 2], &[8, 5, 8, 8], &last), [320, 1, 80, 40, 10, 5]);
        assert_eq!(strides_of_operand(&[1, 4, 3, 3], &[4, 1, 3, 3], &strides(&[4, 1, 3, 3], &[2, 3, 0, 1])), [0, 1, 12, 4]);
        assert_eq!(strides_of_operand(&[8, 5, 4], &[8, 20], &[20, 1]), [20, 4, 1]);
        assert_eq!(strides_of_operand(&[6, 4], &[4, 6], &[6, 1]), [4, 1]);
        assert_eq!(strides_of_operand(&[1, 1], &[1], &[1]), [1, 1]);
    }
}
