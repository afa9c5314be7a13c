//! Which nodes are computed side by side: [`Packs`].
//!
//! What always holds: a node is in one pack at most; the program in which every pack is one node has no cycle.

use crate::ir::{DType, Graph, NodeId, Op, OpKind};
use std::collections::{BTreeMap, BTreeSet};

/// Chains of ops followed from a product to what it is computed from.
const DEPTH: usize = 64;

/// Nodes of one op over equal types, that become one node with an axis more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The nodes: lane i is the i-th place of the new first axis.
    pub lanes: Vec<NodeId>,
    /// What stands in each place of the operands.
    pub operands: Vec<Operand>,
    /// Whether the lanes' values are only added up: the new axis is summed over.
    pub summed: bool,
}

/// An operand of all lanes of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The same node for all.
    Shared(NodeId),
    /// Neighbouring lanes of another pack.
    Lanes {
        /// Which pack.
        pack: usize,
        /// Its lane that is the first one here.
        first: usize,
    },
    /// Nodes that are computed one by one.
    Joined(Vec<NodeId>),
}

/// All packs of a program.
#[derive(Debug, Default)]
pub struct Packs {
    /// Operands that are packs stand before their users' packs.
    pub all: Vec<Pack>,
    /// For each node its pack and lane.
    pub place: Vec<Option<(usize, usize)>>,
    /// Sums that packs are the terms of: the pack and the other terms, by the node that is the whole sum.
    pub sums: BTreeMap<NodeId, Sum>,
}

/// A sum whose terms are, in part, lanes of packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Packs whose lanes are added up, and how their sum is rearranged.
    pub packs: Vec<(usize, Vec<Op>)>,
    /// The other terms.
    pub others: Vec<NodeId>,
}

impl Packs {
    /// Finds them: products with one weight first, then what lies between these, then sums of what they lead to.
    pub fn find(graph: &Graph) -> Packs {
        let mut search = Search {
            graph,
            weight: depends_on_states_alone(graph),
            packs: Packs { place: vec![None; graph.nodes.len()], ..Packs::default() },
            joined: BTreeSet::new(),
            refused: BTreeSet::new(),
            mark: vec![0; graph.nodes.len()],
            walk: 0,
        };
        for group in search.seeds() {
            search.pack_all(group);
        }
        if !search.packs.all.is_empty() {
            search.sums();
        }
        search.packs
    }
}

/// Whether a node is a function of the states, and of one at least.
fn depends_on_states_alone(graph: &Graph) -> Vec<bool> {
    // (may be, is): constants may be part of a weight without being one.
    let mut of: Vec<(bool, bool)> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let args = node.args.iter().map(|a| of[a.index()]);
        of.push(match node.op {
            Op::State(_) => (true, true),
            Op::Input(_) | Op::Rng { .. } => (false, false),
            _ => args.fold((true, false), |all, a| (all.0 && a.0, all.1 || a.1)),
        });
    }
    of.into_iter().map(|(may, is)| may && is).collect()
}

struct Search<'a> {
    graph: &'a Graph,
    weight: Vec<bool>,
    packs: Packs,
    /// What packs have joined.
    joined: BTreeSet<Vec<NodeId>>,
    /// What could not be packed on the way to the pack that is being made: the same nodes are reached along many paths.
    refused: BTreeSet<Vec<NodeId>>,
    /// Marks of the walks that look for cycles.
    mark: Vec<u32>,
    walk: u32,
}

impl Search<'_> {
    /// Products that share their weight and meet data of one type, in groups whose members do not depend on each other.
    fn seeds(&self) -> Vec<Vec<NodeId>> {
        let graph = self.graph;
        let mut groups: BTreeMap<(&Op, NodeId, usize, &[usize]), Vec<NodeId>> = BTreeMap::new();
        for id in graph.ids() {
            let node = graph.node(id);
            if !matches!(node.op, Op::Dot(_) | Op::Conv(_)) {
                continue;
            }
            let shared = match (self.weight[node.args[0].index()], self.weight[node.args[1].index()]) {
                (true, false) => 0,
                (false, true) => 1,
                _ => continue,
            };
            let data = graph.shape(node.args[1 - shared]);
            groups.entry((&node.op, node.args[shared], shared, data)).or_default().push(id);
        }
        let mut out: Vec<Vec<NodeId>> = groups.into_values().filter(|g| g.len() > 1).flat_map(|g| self.levels(g)).collect();
        out.sort();
        out
    }

    /// A group of products split by how many of the same group they come after: the steps of a recurrence.
    fn levels(&self, group: Vec<NodeId>) -> Vec<Vec<NodeId>> {
        let (first, last) = (group[0].index(), group[group.len() - 1].index());
        let members: BTreeSet<NodeId> = group.iter().copied().collect();
        let mut level = vec![0; last + 1 - first];
        let mut out: Vec<Vec<NodeId>> = Vec::new();
        for i in first..=last {
            let id = NodeId(i as u32);
            let args = self.graph.node(id).args.iter().filter(|a| a.index() >= first);
            let below = args.map(|a| level[a.index() - first]).max().unwrap_or(0);
            level[i - first] = below;
            if members.contains(&id) {
                level[i - first] += 1;
                if out.len() <= below {
                    out.resize(below + 1, Vec::new());
                }
                out[below].push(id);
            }
        }
        out.retain(|g| g.len() > 1);
        out
    }

    /// Packs a group: first what comes from lanes of one pack, then as many of the rest as can be.
    fn pack_all(&mut self, group: Vec<NodeId>) {
        let mut by_pack: BTreeMap<usize, Vec<(usize, NodeId)>> = BTreeMap::new();
        for id in &group {
            if let Some((pack, lane)) = self.origin(*id) {
                by_pack.entry(pack).or_default().push((lane, *id));
            }
        }
        for (_, mut lanes) in by_pack.into_iter().filter(|(_, lanes)| lanes.len() > 1) {
            lanes.sort();
            self.pack_most(lanes.into_iter().map(|(_, id)| id).collect());
        }
        let mut rest: Vec<NodeId> = group.into_iter().filter(|id| self.packs.place[id.index()].is_none()).collect();
        rest.sort_by_key(|id| (self.lane_of(*id), *id));
        self.pack_most(rest);
    }

    /// Packs the longest beginning of the group that can be, then goes on with the rest.
    fn pack_most(&mut self, mut group: Vec<NodeId>) {
        while group.len() > 1 {
            let mut taken = group.len();
            while taken > 1 && self.pack(&group[..taken], true, DEPTH).is_none() {
                taken -= 1;
                self.refused.clear();
            }
            self.refused.clear();
            group.drain(..taken.max(1));
        }
    }

    /// The first packed node that this one comes from.
    fn origin(&self, id: NodeId) -> Option<(usize, usize)> {
        let (mut todo, mut seen) = (vec![id], BTreeSet::new());
        while let Some(id) = todo.pop().filter(|_| seen.len() < DEPTH) {
            match self.packs.place[id.index()] {
                Some(place) => return Some(place),
                None if seen.insert(id) => todo.extend(self.graph.node(id).args.iter().rev()),
                None => {}
            }
        }
        None
    }

    /// The lane of the node's origin: what came from one batch stays in one lane.
    fn lane_of(&self, id: NodeId) -> usize {
        self.origin(id).map_or(usize::MAX, |(_, lane)| lane)
    }

    /// The pack of these nodes, made if there is none yet. A `seed` may have nothing but joined operands.
    fn pack(&mut self, lanes: &[NodeId], seed: bool, depth: usize) -> Option<usize> {
        let graph = self.graph;
        if let Some((pack, 0)) = self.packs.place[lanes[0].index()]
            && self.packs.all[pack].lanes == lanes
        {
            return Some(pack);
        }
        let node = graph.node(lanes[0]);
        let alike = |id: &NodeId| graph.node(*id).op == node.op && graph.node(*id).ty == node.ty;
        let free = |id: &NodeId| self.packs.place[id.index()].is_none();
        if depth == 0 || node.args.is_empty() || !lanes.iter().all(|id| alike(id) && free(id)) || repeats(lanes) {
            return None;
        }
        let operands = self.operands(lanes, depth);
        let product = matches!(node.op, Op::Dot(_) | Op::Conv(_));
        let separate = |operand: &Operand| matches!(operand, Operand::Joined(_));
        if !can_be_packed(graph, &node.op, &operands) || (product && !seed && operands.iter().any(separate)) {
            return None;
        }
        if self.closes_cycle(lanes) {
            return None;
        }
        // Something must come from packs, or be smaller before the op than after it.
        let joined: usize = operands.iter().map(|operand| self.elements_joined(operand)).sum();
        let from_packs = operands.iter().any(|operand| self.is_side_by_side(operand));
        if !seed && !from_packs && joined >= node.ty.elements() * lanes.len() {
            return None;
        }
        // What would have been computed where it is used would have to go through memory to be joined.
        if !seed && operands.iter().any(|operand| self.is_joined_on_the_fly(operand, node.ty.elements())) {
            return None;
        }
        Some(self.keep(lanes, operands, false))
    }

    fn keep(&mut self, lanes: &[NodeId], operands: Vec<Operand>, summed: bool) -> usize {
        let pack = self.packs.all.len();
        for (lane, id) in lanes.iter().enumerate() {
            self.packs.place[id.index()] = Some((pack, lane));
        }
        for operand in &operands {
            if let Operand::Joined(nodes) = operand {
                self.joined.insert(nodes.clone());
            }
        }
        self.packs.all.push(Pack { lanes: lanes.to_vec(), operands, summed });
        pack
    }

    /// The operands of lanes, place by place.
    fn operands(&mut self, lanes: &[NodeId], depth: usize) -> Vec<Operand> {
        let graph = self.graph;
        let mut args: Vec<Vec<NodeId>> = lanes.iter().map(|id| graph.node(*id).args.clone()).collect();
        if matches!(graph.node(lanes[0]).op, Op::Add | Op::Mul | Op::Eq) {
            // Operands of commutative ops stand in the order of their ids, which says nothing here.
            let like = args[0].clone();
            for other in &mut args[1..] {
                let alike = |i: usize, j: usize| like[i] == other[j] || graph.node(like[i]).op == graph.node(other[j]).op;
                let shared = |i: usize, j: usize| like[i] == other[j];
                let exchanged =
                    shared(0, 1) || shared(1, 0) || (alike(0, 1) && alike(1, 0) && !(alike(0, 0) && alike(1, 1)));
                if exchanged && !shared(0, 0) && !shared(1, 1) {
                    other.swap(0, 1);
                }
            }
        }
        (0..args[0].len()).map(|place| self.operand(args.iter().map(|a| a[place]).collect(), depth)).collect()
    }

    /// What the lanes have at one place of their operands.
    fn operand(&mut self, nodes: Vec<NodeId>, depth: usize) -> Operand {
        if nodes.iter().all(|id| *id == nodes[0]) {
            return Operand::Shared(nodes[0]);
        }
        if let Some((pack, first)) = self.packs.place[nodes[0].index()]
            && self.packs.all[pack].lanes[first..].starts_with(&nodes)
        {
            return Operand::Lanes { pack, first };
        }
        if !self.refused.contains(&nodes) {
            if let Some(pack) = self.pack(&nodes, false, depth - 1) {
                return Operand::Lanes { pack, first: 0 };
            }
            self.refused.insert(nodes.clone());
        }
        Operand::Joined(nodes)
    }

    /// Whether what the lanes have there is packed, or joined for another pack already.
    fn is_side_by_side(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Shared(_) => false,
            Operand::Lanes { .. } => true,
            Operand::Joined(nodes) => self.joined.contains(nodes),
        }
    }

    /// Elements that are copied to have them side by side; of constants, none.
    fn elements_joined(&self, operand: &Operand) -> usize {
        match operand {
            Operand::Joined(nodes) if nodes.iter().all(|id| constant(self.graph, *id)) => 0,
            Operand::Joined(nodes) => nodes.iter().map(|id| self.graph.ty(*id).elements()).sum(),
            _ => 0,
        }
    }

    /// Whether an operand joins values as large as a lane that otherwise need no memory.
    fn is_joined_on_the_fly(&self, operand: &Operand, elements: usize) -> bool {
        let Operand::Joined(nodes) = operand else { return false };
        self.elements_joined(operand) >= elements * nodes.len()
            && !self.joined.contains(nodes)
            && nodes.iter().any(|id| {
                let op = &self.graph.node(*id).op;
                op.kind().is_elementwise() || matches!(op, Op::Rng { .. } | Op::Broadcast { .. })
            })
    }

    /// Whether a lane depends on another one, by way of packs too.
    fn closes_cycle(&mut self, lanes: &[NodeId]) -> bool {
        self.walk += 1;
        let mut todo: Vec<NodeId> = lanes.iter().flat_map(|id| &self.graph.node(*id).args).copied().collect();
        while let Some(id) = todo.pop() {
            if lanes.contains(&id) {
                return true;
            }
            if std::mem::replace(&mut self.mark[id.index()], self.walk) == self.walk {
                continue;
            }
            match self.packs.place[id.index()] {
                // Whoever waits for a lane waits for all of them.
                Some((pack, _)) => {
                    for lane in &self.packs.all[pack].lanes {
                        self.mark[lane.index()] = self.walk;
                        todo.extend(&self.graph.node(*lane).args);
                    }
                }
                None => todo.extend(&self.graph.node(id).args),
            }
        }
        false
    }

    /// Sums of the lanes of packs: of products, whose new axis is then one more to contract, and of sums.
    fn sums(&mut self) {
        let graph = self.graph;
        let uses = graph.use_counts();
        let mut inner = vec![false; graph.nodes.len()];
        for id in graph.ids().rev() {
            let node = graph.node(id);
            if node.op != Op::Add
                || node.ty.dtype != DType::F32
                || inner[id.index()]
                || self.packs.place[id.index()].is_some()
            {
                continue;
            }
            let (mut terms, mut todo) = (Vec::new(), vec![id]);
            while let Some(next) = todo.pop() {
                let term = graph.node(next);
                if term.op == Op::Add && (next == id || uses[next.index()] == 1) && self.packs.place[next.index()].is_none()
                {
                    inner[next.index()] = true;
                    todo.extend(&term.args);
                } else {
                    terms.push(next);
                }
            }
            self.sum(id, terms, &uses);
        }
    }

    fn sum(&mut self, whole: NodeId, terms: Vec<NodeId>, uses: &[usize]) {
        type Alike<'a> = (Vec<&'a Op>, &'a Op, Vec<Option<usize>>);
        let mut alike: BTreeMap<Alike<'_>, Vec<(NodeId, NodeId)>> = BTreeMap::new();
        for term in &terms {
            // Weights are summed where they are; their gradients may be rearranged first.
            let (mut shaped, mut id) = (Vec::new(), *term);
            while matches!(self.graph.node(id).op, Op::Reshape(_) | Op::Transpose(_) | Op::Reverse(_))
                && uses[id.index()] == 1
            {
                shaped.push(&self.graph.node(id).op);
                id = self.graph.node(id).args[0];
            }
            let op = &self.graph.node(id).op;
            if matches!(op.kind(), OpKind::Dot | OpKind::Conv | OpKind::ReduceSum) && uses[id.index()] == 1 {
                let args = self.graph.node(id).args.iter();
                let packs = args.map(|arg| self.origin(*arg).map(|(pack, _)| pack)).collect();
                alike.entry((shaped, op, packs)).or_default().push((id, *term));
            }
        }
        let mut sum = Sum { others: terms, ..Sum::default() };
        for ((shaped, ..), mut group) in alike.into_iter().filter(|(_, g)| g.len() > 1) {
            group.sort_by_key(|(id, _)| (self.lane_of(*id), *id));
            let lanes: Vec<NodeId> = group.iter().map(|(id, _)| *id).collect();
            if let Some(pack) = self.summed(&lanes) {
                sum.others.retain(|id| group.iter().all(|(_, term)| term != id));
                sum.packs.push((pack, shaped.into_iter().rev().cloned().collect()));
            }
        }
        if !sum.packs.is_empty() {
            self.packs.sums.insert(whole, sum);
        }
    }

    /// A pack of terms, every operand of which is side by side already.
    fn summed(&mut self, lanes: &[NodeId]) -> Option<usize> {
        let node = self.graph.node(lanes[0]);
        let free = |id: &NodeId| self.packs.place[id.index()].is_none() && self.graph.node(*id).ty == node.ty;
        if !lanes.iter().all(free) || repeats(lanes) {
            return None;
        }
        let operands = self.operands(lanes, DEPTH);
        let side_by_side = operands.iter().all(|operand| self.is_side_by_side(operand));
        let groups = matches!(&node.op, Op::Conv(dims) if dims.groups > 1);
        if !side_by_side || groups || self.closes_cycle(lanes) {
            return None;
        }
        Some(self.keep(lanes, operands, true))
    }
}

fn repeats(lanes: &[NodeId]) -> bool {
    lanes.iter().collect::<BTreeSet<_>>().len() < lanes.len()
}

/// Whether a node is one number everywhere, through shape ops.
pub(super) fn constant(graph: &Graph, mut id: NodeId) -> bool {
    loop {
        let node = graph.node(id);
        match node.op {
            Op::Const(_) => return true,
            Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_) => id = node.args[0],
            _ => return false,
        }
    }
}

/// Whether `lanes.rs` has a form of this op with an axis more, for operands that do and do not have it.
fn can_be_packed(graph: &Graph, op: &Op, operands: &[Operand]) -> bool {
    let shared = |i: usize| matches!(operands[i], Operand::Shared(_));
    match op {
        Op::Rng { .. } | Op::Iota { .. } | Op::ScatterAdd { .. } | Op::StopGrad | Op::Hold => false,
        Op::Pad { .. } => shared(1),
        Op::Gather { axis } => shared(1) || (shared(0) && *axis == 0),
        Op::Conv(_) => !shared(0) && shared(1),
        Op::Concat { .. } => operands.iter().all(|o| !matches!(o, Operand::Joined(n) if !constant(graph, n[0]))),
        _ => true,
    }
}
