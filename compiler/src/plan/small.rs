//! Products with very short contractions, written out element by element.
//!
//! In: a graph. Out: the same graph in which c[m, n] = Σ_k a[m, k]·b[k, n] with at most [`LONGEST`] terms is a sum of products of
//! repeated vectors. A micro-kernel has nothing to do there: the work is writing the result, and written out it is a part of the kernel
//! that the bias and the activation are in, and is computed again rather than stored where that is cheaper.

use crate::Result;
use crate::ir::{DotDims, Graph, Node, NodeId, Op};
use std::collections::BTreeSet;

/// Terms of a sum that is written out.
const LONGEST: usize = 4;

/// A graph with short products written out.
pub struct Expanded {
    /// The graph.
    pub graph: Graph,
    /// For each of its nodes the node of the old graph that it belongs to.
    pub origin: Vec<NodeId>,
    /// Parts of operands to be written to memory as they are: read where they lie, their elements would be apart.
    pub cuts: BTreeSet<NodeId>,
    /// Floating-point operations of what was written out.
    pub flops: usize,
}

/// Writes short products out.
///
/// # Errors
/// When the graph is not well formed.
pub fn expand(graph: &Graph) -> Result<Expanded> {
    let mut made = Expanded {
        graph: Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::default() },
        origin: Vec::with_capacity(graph.nodes.len()),
        cuts: BTreeSet::new(),
        flops: 0,
    };
    let mut place: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for id in graph.ids() {
        let node = graph.node(id);
        let args: Vec<NodeId> = node.args.iter().map(|a| place[a.index()]).collect();
        let new = match &node.op {
            Op::Dot(dims) if is_short(graph, node, dims) => made.written_out(dims, [args[0], args[1]], &node.ty.shape)?,
            op => {
                made.graph.nodes.push(Node { op: op.clone(), args, ty: node.ty.clone() });
                NodeId(made.graph.nodes.len() as u32 - 1)
            }
        };
        made.origin.resize(made.graph.nodes.len(), id);
        place.push(new);
    }
    made.graph.outputs = graph.outputs.clone();
    made.graph.outputs.iter_mut().for_each(|o| o.value = place[o.value.index()]);
    Ok(made)
}

fn terms(graph: &Graph, lhs: NodeId, dims: &DotDims) -> usize {
    dims.lhs_contract.iter().map(|a| graph.shape(lhs)[*a]).product()
}

fn is_short(graph: &Graph, node: &Node, dims: &DotDims) -> bool {
    let terms = terms(graph, node.args[0], dims);
    // A result smaller than its operands has little to write.
    let operands = node.args.iter().map(|a| graph.ty(*a).elements()).max().unwrap_or(0);
    dims.lhs_batch.is_empty() && (1..=LONGEST).contains(&terms) && node.ty.elements() >= 2 * operands
}

impl Expanded {
    fn written_out(&mut self, dims: &DotDims, [lhs, rhs]: [NodeId; 2], shape: &[usize]) -> Result<NodeId> {
        let terms = terms(&self.graph, lhs, dims);
        self.flops += 2 * terms * shape.iter().product::<usize>();
        let left = DotDims::free(self.graph.ty(lhs).rank(), &[], &dims.lhs_contract).len();
        let mut sum = None;
        for term in 0..terms {
            let a = self.part(lhs, &dims.lhs_contract, term, shape, 0)?;
            let b = self.part(rhs, &dims.rhs_contract, term, shape, left)?;
            let product = self.graph.add(Op::Mul, vec![a, b])?;
            sum = Some(match sum {
                None => product,
                Some(sum) => self.graph.add(Op::Add, vec![product, sum])?,
            });
        }
        sum.ok_or_else(|| crate::Error::codegen("a product without terms was to be written out"))
    }

    /// The operand at one place of the contraction, repeated over the result, whose axes from `first` on are its own.
    fn part(&mut self, operand: NodeId, contract: &[usize], term: usize, shape: &[usize], first: usize) -> Result<NodeId> {
        let own = self.graph.shape(operand).to_vec();
        let (mut start, mut stop, mut rest) = (vec![0; own.len()], own.clone(), term);
        for axis in contract.iter().rev() {
            let at = rest % own[*axis];
            rest /= own[*axis];
            (start[*axis], stop[*axis]) = (at, at + 1);
        }
        let mut part = operand;
        if start.iter().any(|s| *s != 0) || stop != own {
            part = self.graph.add(Op::Slice { start, stop, step: vec![1; own.len()] }, vec![operand])?;
            // Along the last axis of the result elements are taken four at a time.
            let last = (0..own.len()).rev().find(|a| own[*a] != 1);
            if first > 0 && last.is_some_and(|a| contract.contains(&a)) {
                self.cuts.insert(part);
            }
        }
        let free: Vec<usize> = DotDims::free(own.len(), &[], contract);
        let extents: Vec<usize> = free.iter().map(|a| own[*a]).collect();
        let vector = self.graph.add(Op::Reshape(extents), vec![part])?;
        let dims = (first..first + free.len()).collect();
        self.graph.add(Op::Broadcast { shape: shape.to_vec(), dims }, vec![vector])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::interpret::{Value, interpret};
    use crate::ir::{Builder, Type};

    #[test]
    fn what_is_written_out_is_the_product() {
        let (m, n, k) = (9, 11, 3);
        for (lhs, rhs) in [(vec![1], vec![0]), (vec![0], vec![0]), (vec![1], vec![1])] {
            let b = Builder::new();
            let shape = |contract: &[usize], free: usize| if contract[0] == 0 { [k, free] } else { [free, k] };
            let x = b.input("x", Type::f32(shape(&lhs, m)));
            let w = b.input("w", Type::f32(shape(&rhs, n)));
            let dims = DotDims { lhs_contract: lhs.clone(), rhs_contract: rhs.clone(), ..DotDims::default() };
            b.output("y", &x.dot(&w, dims));
            let graph = b.finish().unwrap();
            let expanded = expand(&graph).unwrap();
            assert!(!expanded.graph.nodes.iter().any(|node| matches!(node.op, Op::Dot(_))), "{}", expanded.graph);
            assert_eq!(expanded.flops, 2 * m * n * k);
            crate::ir::verify(&expanded.graph).unwrap();
            let values = |shape: &[usize], seed: f64| {
                let count: usize = shape.iter().product();
                Value::floats(shape, (0..count).map(|i| (i as f64 * seed).sin()).collect()).unwrap()
            };
            let inputs = [values(&shape(&lhs, m), 0.7), values(&shape(&rhs, n), 1.3)];
            let results = [&graph, &expanded.graph].map(|g| interpret(g, &inputs, &[]).unwrap().outputs[0].1.to_f64s());
            for (a, b) in results[0].iter().zip(&results[1]) {
                assert!((a - b).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn longer_products_and_small_results_stay() {
        let b = Builder::new();
        let x = b.input("x", Type::f32([8, 5]));
        let y = b.input("y", Type::f32([5, 9]));
        let v = b.input("v", Type::f32([3, 100]));
        let u = b.input("u", Type::f32([1, 3]));
        let rows = |l: usize, r: usize| DotDims { lhs_contract: vec![l], rhs_contract: vec![r], ..DotDims::default() };
        b.output("long", &x.dot(&y, rows(1, 0)));
        b.output("small", &u.dot(&v, rows(1, 0)));
        let graph = b.finish().unwrap();
        assert_eq!(expand(&graph).unwrap().graph, graph);
    }
}
