//! Shared-weight batching: what a net does to several batches, real and generated samples above all, it does to all at once.
//!
//! In: a program. Out: an equal program in which products of one weight with several values of one type are one product, and what
//! lies between them has one axis more, a lane for each of the values. Nothing mixes lanes: what mixes samples, such as batch
//! statistics, does so within each lane; so unlike a batch put together by hand this changes no result. Weight gradients, sums
//! over the lanes, become one product each. Whether the program got cheaper is for the caller to see.
//!
//! The way there: `packs.rs` finds what goes together, `lanes.rs` has each op's form with an axis more, and here the program is
//! written anew.

mod lanes;
mod packs;

use super::rewriter::{Rewriter, compact};
use crate::Result;
use crate::ir::{Graph, NodeId, Op};
use lanes::Lanes;
use packs::{Operand, Packs, Sum};
use std::collections::BTreeSet;

/// The name under which reports and proofs have it.
pub const NAME: &str = "shared-weight-batching";

/// The program with shared-weight batching; `None` if there is nothing to batch.
pub fn batch(graph: &Graph) -> Result<Option<Graph>> {
    let packs = Packs::find(graph);
    if packs.all.is_empty() {
        return Ok(None);
    }
    let mut writer = Writer {
        graph,
        packs: &packs,
        out: Rewriter::over_slots(graph, &[]),
        nodes: vec![None; graph.nodes.len()],
        values: vec![None; packs.all.len()],
    };
    for id in graph.ids() {
        if !writer.write(Item::Node(id))? {
            debug_assert!(false, "packs that wait for each other: {:?}", packs.all);
            return Ok(None);
        }
    }
    let mut out = writer.out.graph;
    out.outputs = graph.outputs.clone();
    for output in &mut out.outputs {
        output.value = writer.nodes[output.value.index()].unwrap_or(output.value);
    }
    compact(&out).map(Some)
}

/// What is written once all it needs is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Node(NodeId),
    Pack(usize),
}

struct Writer<'a> {
    graph: &'a Graph,
    packs: &'a Packs,
    out: Rewriter<'a>,
    nodes: Vec<Option<NodeId>>,
    values: Vec<Option<NodeId>>,
}

impl Writer<'_> {
    /// Writes an item after everything it needs. False if it needs itself, which packs that close no cycle rule out.
    fn write(&mut self, item: Item) -> Result<bool> {
        let (mut todo, mut begun) = (vec![item], BTreeSet::new());
        while let Some(item) = todo.last().copied() {
            if self.is_written(item) {
                todo.pop();
                continue;
            }
            let needs: Vec<Item> = self.needs(item).into_iter().filter(|need| !self.is_written(*need)).collect();
            if needs.is_empty() {
                todo.pop();
                match item {
                    Item::Node(id) => self.nodes[id.index()] = Some(self.node(id)?),
                    Item::Pack(pack) => self.values[pack] = Some(self.pack(pack)?),
                }
            } else if begun.insert(item) {
                todo.extend(needs);
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_written(&self, item: Item) -> bool {
        match item {
            Item::Node(id) => self.nodes[id.index()].is_some(),
            Item::Pack(pack) => self.values[pack].is_some(),
        }
    }

    fn needs(&self, item: Item) -> Vec<Item> {
        match item {
            Item::Pack(pack) => {
                let needs = |operand: &Operand| match operand {
                    Operand::Shared(id) => vec![Item::Node(*id)],
                    Operand::Lanes { pack, .. } => vec![Item::Pack(*pack)],
                    Operand::Joined(nodes) => nodes.iter().map(|id| Item::Node(*id)).collect(),
                };
                self.packs.all[pack].operands.iter().flat_map(needs).collect()
            }
            Item::Node(id) => match (self.packs.place[id.index()], self.packs.sums.get(&id)) {
                // Terms that are only added up are never taken apart again.
                (Some((pack, _)), _) if self.packs.all[pack].summed => vec![],
                (Some((pack, _)), _) => vec![Item::Pack(pack)],
                (None, Some(Sum { packs, others })) => {
                    packs.iter().map(|(p, _)| Item::Pack(*p)).chain(others.iter().map(|id| Item::Node(*id))).collect()
                }
                (None, None) => self.graph.node(id).args.iter().map(|a| Item::Node(*a)).collect(),
            },
        }
    }

    fn of(&self, id: NodeId) -> Result<NodeId> {
        self.nodes[id.index()].ok_or_else(|| crate::Error::ir(format!("%{} is used before it is computed", id.0)))
    }

    fn value(&self, pack: usize) -> Result<NodeId> {
        self.values[pack].ok_or_else(|| crate::Error::ir("a pack is used before it is computed"))
    }

    fn node(&mut self, id: NodeId) -> Result<NodeId> {
        if let Some((pack, lane)) = self.packs.place[id.index()] {
            if self.packs.all[pack].summed {
                // Nothing reads it.
                return self.out.full(crate::ir::Literal::F32(0.0), self.graph.shape(id));
            }
            let value = self.value(pack)?;
            return lanes::one(&mut self.out, value, lane);
        }
        if let Some(Sum { packs, others }) = self.packs.sums.get(&id) {
            let mut terms = Vec::with_capacity(packs.len() + others.len());
            for (pack, shaped) in packs {
                let mut term = self.value(*pack)?;
                for op in shaped {
                    term = self.out.add(op.clone(), &[term])?;
                }
                terms.push(term);
            }
            terms.extend(others.iter().map(|id| self.of(*id)).collect::<Result<Vec<_>>>()?);
            let mut sum = terms[0];
            for term in &terms[1..] {
                sum = self.out.add(Op::Add, &[sum, *term])?;
            }
            return Ok(sum);
        }
        let node = self.graph.node(id);
        let args = node.args.iter().map(|a| self.of(*a)).collect::<Result<Vec<_>>>()?;
        self.out.add(node.op.clone(), &args)
    }

    fn pack(&mut self, pack: usize) -> Result<NodeId> {
        let pack = &self.packs.all[pack];
        let mut operands = Vec::with_capacity(pack.operands.len());
        for operand in &pack.operands {
            operands.push(match operand {
                Operand::Shared(id) => Lanes::Shared(self.of(*id)?),
                Operand::Lanes { pack: other, first } => {
                    let value = self.value(*other)?;
                    Lanes::Packed(lanes::some(&mut self.out, value, *first, pack.lanes.len())?)
                }
                Operand::Joined(nodes) => {
                    let nodes = nodes.iter().map(|id| self.of(*id)).collect::<Result<Vec<_>>>()?;
                    Lanes::Packed(lanes::join(&mut self.out, &nodes)?)
                }
            });
        }
        let op = &self.graph.node(pack.lanes[0]).op;
        lanes::apply(&mut self.out, op, pack.lanes.len(), &operands, pack.summed)
    }
}
