//! Values that are written where a concatenation has them.
//!
//! In: a graph and what of it is in memory. Out: for values that are wanted for concatenations alone, which of them they are computed
//! into; such a concatenation has nothing left to copy of them. What always holds: a value has one home, and whoever else reads
//! it, reads it there.

use super::analysis::{Analysis, Kind, kind};
use crate::ir::{Graph, NodeId, Op};
use std::collections::{BTreeMap, BTreeSet};

/// Where in a concatenation a value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The concatenation.
    pub whole: NodeId,
    /// The axis along which it joins, and where on it the value begins.
    pub start: (usize, usize),
    /// For each of the value's axes the axis of the concatenation.
    pub axes: Vec<usize>,
}

/// The homes of all values that have one.
pub fn homes(graph: &Graph, analysis: &Analysis, cuts: &BTreeSet<NodeId>, orders: &[Vec<usize>]) -> BTreeMap<NodeId, Home> {
    let mut found: BTreeMap<NodeId, (usize, Home)> = BTreeMap::new();
    for whole in graph.ids() {
        let Op::Concat { axis } = graph.node(whole).op else { continue };
        if !analysis.live[whole.index()] || !analysis.materialised[whole.index()] || cuts.contains(&whole) {
            continue;
        }
        let mut at = 0;
        for arg in &graph.node(whole).args {
            let start = (axis, at);
            at += graph.shape(*arg)[axis];
            if let Some((value, axes)) = behind(graph, analysis, *arg)
                && same_order(&orders[value.index()], &axes, &orders[whole.index()])
            {
                // The first one that wants it is its home; the others are counted.
                found.entry(value).or_insert((0, Home { whole, start, axes })).0 += 1;
            }
        }
    }
    let suits = |value: &NodeId| {
        let computed = match kind(&graph.node(*value).op) {
            // What reductions give is first summed in parts, each as large as the memory that it lies in.
            Kind::Reduce | Kind::Buffer | Kind::Leaf | Kind::View => false,
            Kind::Point | Kind::Contract | Kind::Special => true,
        };
        computed && analysis.materialised[value.index()] && !cuts.contains(value)
    };
    let only_concatenated = |value: &NodeId, times: usize| times == analysis.uses[value.index()];
    let kept = found.into_iter().filter(|(value, (times, _))| suits(value) && only_concatenated(value, *times));
    kept.map(|(value, (_, home))| (value, home)).collect()
}

/// The value behind views that change nothing but add or leave out axes of one, each used by nothing else; and for each of its axes the
/// axis of `arg`.
fn behind(graph: &Graph, analysis: &Analysis, arg: NodeId) -> Option<(NodeId, Vec<usize>)> {
    let (mut id, mut axes) = (arg, (0..graph.shape(arg).len()).collect::<Vec<_>>());
    loop {
        let node = graph.node(id);
        let single = analysis.uses[id.index()] == 1 && !analysis.materialised[id.index()];
        match &node.op {
            Op::StopGrad | Op::Hold if single => {}
            Op::Reshape(to) if single => {
                let from = graph.shape(node.args[0]);
                let mut long = (0..to.len()).filter(|axis| to[*axis] != 1);
                let mut last = None;
                let mut map = Vec::with_capacity(from.len());
                for extent in from {
                    if *extent != 1 {
                        let axis = long.next().filter(|axis| to[*axis] == *extent)?;
                        last = Some(axes[axis]);
                    }
                    map.push(last.unwrap_or_else(|| axes.first().copied().unwrap_or(0)));
                }
                if long.next().is_some() {
                    return None;
                }
                axes = map;
            }
            _ => return Some((id, axes)),
        }
        id = node.args[0];
    }
}

/// Whether the value's axes lie in the order in which the concatenation has them.
fn same_order(order: &[usize], axes: &[usize], whole: &[usize]) -> bool {
    let place = |axis: &usize| whole.iter().position(|a| *a == axes[*axis]);
    order.is_sorted_by_key(place)
}

/// The value behind all views.
pub fn behind_views(graph: &Graph, mut id: NodeId) -> NodeId {
    while kind(&graph.node(id).op) == Kind::View {
        id = graph.node(id).args[0];
    }
    id
}
