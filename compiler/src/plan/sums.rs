//! Sums of products, accumulated where the result lies.
//!
//! In: a graph. Out: the same graph in which products that are summed, and used for nothing else, are one [`Op::Dot`] with several pairs
//! of operands: `dot(a, b) + dot(c, d) + x` becomes `dot(a, b, c, d) + x`. Such are the gradients of a weight that is used more than
//! once: by every step of a recurrent layer, or for real and for made samples. No product is then written out to be read again, and
//! what is left to add is added as before.
//!
//! Only the planner knows products of several pairs; they are computed one after the other, each added to those before.

use crate::ir::{DType, DotDims, Graph, Node, NodeId, Op, OpKind};
use std::collections::BTreeSet;

/// Products whose operands have more elements than this many results keep their own memory: holding the operands until the sum is
/// formed would cost more than holding the product.
const OPERANDS_PER_RESULT: usize = 2;

/// The place of a node that nothing but the sum that replaces it uses.
const NOWHERE: NodeId = NodeId(u32::MAX);

/// A graph with summed products joined, and for each of its nodes the node of the old graph that it belongs to.
pub fn join(graph: &Graph) -> (Graph, Vec<NodeId>) {
    let uses = uses(graph);
    let mut sums: Vec<Option<Sum>> = vec![None; graph.nodes.len()];
    let mut inside = BTreeSet::new();
    for id in graph.ids().rev() {
        if uses[id.index()] > 0 && !inside.contains(&id) && graph.node(id).op.kind() == OpKind::Add {
            let (sum, taken) = Sum::of(graph, &uses, id);
            if sum.products.iter().any(|group| group.len() > 1) {
                inside.extend(taken);
                sums[id.index()] = Some(sum);
            }
        }
    }
    let mut made = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::default() };
    let (mut origin, mut place) = (Vec::new(), Vec::with_capacity(graph.nodes.len()));
    for id in graph.ids() {
        if inside.contains(&id) {
            place.push(NOWHERE);
            continue;
        }
        let node = graph.node(id);
        let mut push = |node: Node| {
            made.nodes.push(node);
            origin.push(id);
            NodeId(made.nodes.len() as u32 - 1)
        };
        let new = |a: &NodeId| place[a.index()];
        let value = match &sums[id.index()] {
            None => push(Node { op: node.op.clone(), args: node.args.iter().map(new).collect(), ty: node.ty.clone() }),
            Some(sum) => {
                let mut terms: Vec<NodeId> = sum.others.iter().map(new).collect();
                for group in &sum.products {
                    let args = group.iter().flat_map(|dot| &graph.node(*dot).args).map(new).collect();
                    terms.push(push(Node { op: graph.node(group[0]).op.clone(), args, ty: node.ty.clone() }));
                }
                let add = |a, b| push(Node { op: Op::Add, args: vec![a, b], ty: node.ty.clone() });
                terms.into_iter().reduce(add).unwrap_or(NOWHERE)
            }
        };
        place.push(value);
    }
    made.outputs = graph.outputs.clone();
    made.outputs.iter_mut().for_each(|o| o.value = place[o.value.index()]);
    (made, origin)
}

/// What a tree of additions sums.
#[derive(Clone)]
struct Sum {
    /// Terms that are added as they are.
    others: Vec<NodeId>,
    /// Products, those of equal axes together.
    products: Vec<Vec<NodeId>>,
}

impl Sum {
    /// The sum at this node; and the nodes that it replaces, besides this one.
    fn of(graph: &Graph, uses: &[usize], root: NodeId) -> (Sum, Vec<NodeId>) {
        let mut sum = Sum { others: vec![], products: vec![] };
        let mut taken = Vec::new();
        let mut groups: Vec<(&DotDims, Vec<NodeId>)> = Vec::new();
        let mut stack: Vec<NodeId> = graph.node(root).args.iter().rev().copied().collect();
        while let Some(id) = stack.pop() {
            let node = graph.node(id);
            match &node.op {
                Op::Add if uses[id.index()] == 1 => {
                    taken.push(id);
                    stack.extend(node.args.iter().rev());
                }
                Op::Dot(dims) if uses[id.index()] == 1 && may_join(graph, node) => {
                    match groups.iter_mut().find(|(other, _)| *other == dims) {
                        Some((_, group)) => group.push(id),
                        None => groups.push((dims, vec![id])),
                    }
                }
                _ => sum.others.push(id),
            }
        }
        for (_, group) in groups {
            match group.len() {
                1 => sum.others.extend(group),
                _ => {
                    taken.extend(&group);
                    sum.products.push(group);
                }
            }
        }
        (sum, taken)
    }
}

fn may_join(graph: &Graph, node: &Node) -> bool {
    let operands: usize = node.args.iter().map(|a| graph.ty(*a).elements()).sum();
    node.ty.dtype == DType::F32 && operands <= OPERANDS_PER_RESULT * node.ty.elements()
}

/// Number of uses of every node, outputs included.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes.len()];
    graph.outputs.iter().for_each(|output| uses[output.value.index()] += 1);
    graph.ids().flat_map(|id| &graph.node(id).args).for_each(|a| uses[a.index()] += 1);
    uses
}
