//! Which values are materialised, and which are computed together.
//!
//! In: a graph. Out: for every live node whether its value is written to memory, and the groups of values that one kernel
//! computes. A value that is not materialised is computed inside every kernel that needs it, so these decisions change speed
//! and never meaning.
//!
//! What always holds: the operands of a product, convolution or table lookup are views of materialised values; every group has
//! a level, and the memory that it reads is produced at lower levels, so that groups cannot depend on one another in a circle;
//! members of a group have one shape, and its reductions one set of axes. A value that is both searched for a maximum and used
//! otherwise is materialised, so that both see the same bits.

use crate::ir::{Graph, NodeId, Op, OpKind};
use std::collections::{BTreeMap, BTreeSet};

/// What the planner does with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A constant or an index: made where needed.
    Leaf,
    /// Memory given from outside.
    Buffer,
    /// Another way to look at its operand.
    View,
    /// Computed element by element.
    Point,
    /// A reduction.
    Reduce,
    /// A product or a convolution.
    Contract,
    /// Data movement with kernels of its own.
    Special,
}

/// The kind of an op.
pub fn kind(op: &Op) -> Kind {
    match op {
        Op::Const(_) | Op::Iota { .. } => Kind::Leaf,
        Op::Input(_) | Op::State(_) => Kind::Buffer,
        Op::StopGrad
        | Op::Hold
        | Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Reverse(_)
        | Op::Broadcast { .. }
        | Op::Slice { .. }
        | Op::Unfold { .. } => Kind::View,
        Op::ReduceSum(_) | Op::ReduceMax(_) => Kind::Reduce,
        Op::Dot(_) | Op::Conv(_) => Kind::Contract,
        Op::Pad { .. } | Op::Concat { .. } | Op::CumSum { .. } | Op::Fold { .. } | Op::ScatterAdd { .. } => Kind::Special,
        _ => Kind::Point,
    }
}

/// Values that one kernel computes: their shape is the kernel's iteration, or the operand shape of its reductions.
#[derive(Clone, Debug)]
pub struct Group {
    /// The materialised values, in graph order.
    pub roots: Vec<NodeId>,
    /// The iteration.
    pub shape: Vec<usize>,
}

/// The decisions.
#[derive(Debug)]
pub struct Analysis {
    /// Whether anything needs the node.
    pub live: Vec<bool>,
    /// Number of live uses, outputs included.
    pub uses: Vec<usize>,
    /// Whether the node's value is in memory.
    pub materialised: Vec<bool>,
    /// Kernels of elementwise values and reductions.
    pub groups: Vec<Group>,
}

/// Longest expression (in rough instructions, shared parts counted as often as they occur) that is left in one kernel.
const LARGEST: usize = 240;

struct Pass<'g> {
    graph: &'g Graph,
    kinds: Vec<Kind>,
    live: Vec<bool>,
    uses: Vec<usize>,
    materialised: Vec<bool>,
    /// Level at which a node can be computed as a member of a group, and when everything it needs is read from memory.
    inside: Vec<usize>,
    outside: Vec<usize>,
    /// Roots that must not join the group of their operand.
    apart: BTreeSet<NodeId>,
}

/// Decides. Nodes in `cuts` are views or leaves whose value must be written to memory as it is.
pub fn analyse(graph: &Graph, cuts: &BTreeSet<NodeId>) -> Analysis {
    let mut pass = Pass::new(graph, cuts);
    // Every round materialises or sets apart at least one more node; the bound only limits how far sharing is pursued.
    for _ in 0..64 {
        pass.levels();
        let Some(groups) = pass.groups() else { continue };
        if !pass.materialise_shared(&groups) {
            return pass.finish(groups);
        }
    }
    loop {
        pass.levels();
        if let Some(groups) = pass.groups() {
            return pass.finish(groups);
        }
    }
}

/// A root's place: level, shape, and the axes it reduces.
struct Root {
    id: NodeId,
    level: usize,
    shape: Vec<usize>,
    axes: Option<Vec<usize>>,
}

impl<'g> Pass<'g> {
    fn new(graph: &'g Graph, cuts: &BTreeSet<NodeId>) -> Pass<'g> {
        let n = graph.nodes.len();
        let mut live = vec![false; n];
        let mut uses = vec![0; n];
        for output in &graph.outputs {
            live[output.value.index()] = true;
            uses[output.value.index()] += 1;
        }
        for id in graph.ids().rev() {
            if live[id.index()] {
                for a in &graph.node(id).args {
                    live[a.index()] = true;
                    uses[a.index()] += 1;
                }
            }
        }
        let kinds: Vec<Kind> =
            graph.ids().map(|id| if cuts.contains(&id) { Kind::Special } else { kind(&graph.node(id).op) }).collect();
        let materialised =
            kinds.iter().map(|k| matches!(k, Kind::Buffer | Kind::Reduce | Kind::Contract | Kind::Special)).collect();
        let mut pass =
            Pass { graph, kinds, live, uses, materialised, inside: vec![0; n], outside: vec![0; n], apart: BTreeSet::new() };
        pass.materialise_required();
        pass
    }

    fn kind(&self, id: NodeId) -> Kind {
        self.kinds[id.index()]
    }

    /// The node itself, without gradient stops and holds, which change no value.
    fn plain(&self, mut id: NodeId) -> NodeId {
        while self.kind(id) == Kind::View && matches!(self.graph.node(id).op, Op::StopGrad | Op::Hold) {
            id = self.graph.node(id).args[0];
        }
        id
    }

    /// The node behind all views.
    fn behind_views(&self, mut id: NodeId) -> NodeId {
        while self.kind(id) == Kind::View {
            id = self.graph.node(id).args[0];
        }
        id
    }

    /// What must be in memory whatever it costs, and expressions that would grow too long.
    fn materialise_required(&mut self) {
        let graph = self.graph;
        for output in &graph.outputs {
            let v = self.plain(output.value);
            if self.kind(v) == Kind::Point {
                self.materialised[v.index()] = true;
            }
        }
        let mut cost = vec![0usize; graph.nodes.len()];
        for id in graph.ids().filter(|id| self.live[id.index()]) {
            let node = graph.node(id);
            for (place, arg) in node.args.iter().enumerate() {
                let base = self.behind_views(*arg);
                let table = matches!(node.op, Op::Gather { .. }) && place == 0;
                let searched = matches!(node.op, Op::ReduceMax(_)) && self.uses[base.index()] > 1;
                if self.kind(base) == Kind::Point && (self.kind(id) == Kind::Contract || table || searched) {
                    self.materialised[base.index()] = true;
                }
                // A short vector repeated over a large value: compute costly expressions once, not once a repetition.
                if matches!(node.op, Op::Broadcast { .. }) && self.kind(base) == Kind::Point {
                    let small = graph.ty(base).elements();
                    if small > 1 && small < node.ty.elements() && cost[base.index()] >= 4 {
                        self.materialised[base.index()] = true;
                    }
                }
            }
            let of = |a: &NodeId| if self.materialised[a.index()] { 1 } else { cost[a.index()] };
            let inherited: usize = node.args.iter().map(of).sum();
            cost[id.index()] = own_cost(&node.op).saturating_add(inherited).min(1 << 20);
            if self.kind(id) == Kind::Point && cost[id.index()] > LARGEST {
                self.materialised[id.index()] = true;
            }
        }
    }

    /// The level from which a consumer can use the value of `id` by reading memory.
    fn level_in_memory(&self, id: NodeId) -> usize {
        let id = self.plain(id);
        match (self.kind(id), self.materialised[id.index()]) {
            (Kind::Buffer, _) => 0,
            (_, true) => self.inside[id.index()] + 1,
            (_, false) => self.outside[id.index()],
        }
    }

    /// The level from which a consumer of the same iteration can use the value.
    fn level_within(&self, id: NodeId) -> usize {
        let id = self.plain(id);
        match self.kind(id) {
            Kind::Point => self.inside[id.index()],
            _ => self.level_in_memory(id),
        }
    }

    fn levels(&mut self) {
        for id in self.graph.ids() {
            if !self.live[id.index()] {
                continue;
            }
            let node = self.graph.node(id);
            let outside = node.args.iter().map(|a| self.level_in_memory(*a)).max().unwrap_or(0);
            let joins = node.op.kind().is_elementwise() || self.kind(id) == Kind::Reduce;
            let inside = match joins && self.kind(id) != Kind::View && !self.apart.contains(&id) {
                true => node.args.iter().map(|a| self.level_within(*a)).max().unwrap_or(0),
                false => outside,
            };
            (self.inside[id.index()], self.outside[id.index()]) = (inside, outside);
        }
    }

    fn roots(&self) -> Vec<Root> {
        let root = |id: NodeId| {
            let node = self.graph.node(id);
            let (shape, axes) = match &node.op {
                Op::ReduceSum(axes) | Op::ReduceMax(axes) => (self.graph.shape(node.args[0]).to_vec(), Some(axes.clone())),
                _ => (node.ty.shape.clone(), None),
            };
            Root { id, level: self.inside[id.index()], shape, axes }
        };
        let is_root = |id: &NodeId| {
            self.live[id.index()] && self.materialised[id.index()] && matches!(self.kind(*id), Kind::Point | Kind::Reduce)
        };
        self.graph.ids().filter(is_root).map(root).collect()
    }

    /// Nodes that a root computes over its own iteration, and nodes of the same shape that it reads from memory.
    fn touched(&self, root: &Root) -> (Vec<NodeId>, Vec<NodeId>) {
        let (mut computed, mut read) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let mut stack = vec![root.id];
        while let Some(id) = stack.pop() {
            let node = self.graph.node(id);
            if !(node.op.kind().is_elementwise() || self.kind(id) == Kind::Reduce) {
                continue;
            }
            for arg in &node.args {
                let arg = self.plain(*arg);
                if !seen.insert(arg) {
                    continue;
                }
                if self.kind(arg) != Kind::Point {
                    if self.materialised[arg.index()] {
                        read.push(arg);
                    }
                    continue;
                }
                let here = self.materialised[arg.index()] && self.inside[arg.index()] == root.level;
                if self.materialised[arg.index()] && (!here || self.apart.contains(&root.id)) {
                    read.push(arg);
                } else {
                    computed.push(arg);
                    if !here {
                        stack.push(arg);
                    }
                }
            }
        }
        (computed, read)
    }

    /// Unites roots into groups. `None` when a root had to be set apart and levels change.
    fn groups(&mut self) -> Option<Vec<Group>> {
        let roots = self.roots();
        let mut union = Union::new(&roots);
        let place: BTreeMap<NodeId, usize> = roots.iter().enumerate().map(|(i, r)| (r.id, i)).collect();
        let touched: Vec<_> = roots.iter().map(|r| self.touched(r)).collect();
        let mut conflict = false;
        for (i, (computed, _)) in touched.iter().enumerate() {
            for node in computed {
                if let Some(j) = place.get(node).filter(|_| self.materialised[node.index()])
                    && !union.unite(i, *j)
                {
                    self.apart.insert(roots[i].id);
                    conflict = true;
                    break;
                }
            }
        }
        if conflict {
            return None;
        }
        let mut first: BTreeMap<(usize, &[usize], NodeId), usize> = BTreeMap::new();
        for (i, (computed, read)) in touched.iter().enumerate() {
            for node in computed.iter().chain(read) {
                let j = *first.entry((roots[i].level, &roots[i].shape, *node)).or_insert(i);
                union.unite(i, j);
            }
        }
        let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
        for (i, root) in roots.iter().enumerate() {
            let group = groups.entry(union.find(i)).or_insert_with(|| Group { roots: vec![], shape: root.shape.clone() });
            group.roots.push(root.id);
        }
        Some(groups.into_values().collect())
    }

    /// Materialises values that several kernels would compute again at some cost. Whether there were any.
    fn materialise_shared(&mut self, groups: &[Group]) -> bool {
        let graph = self.graph;
        // The kernels that compute a value, and how much of it: steps that each take a slice compute nothing again.
        let mut places: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); graph.nodes.len()];
        for (g, group) in groups.iter().enumerate() {
            for root in &group.roots {
                places[root.index()].insert(g, 1.0);
            }
        }
        let (mut cost, mut leaves) = (vec![0usize; graph.nodes.len()], vec![0usize; graph.nodes.len()]);
        for id in graph.ids().filter(|id| self.live[id.index()]) {
            let node = graph.node(id);
            let inherited = |table: &[usize], stored: usize| -> usize {
                let of = |a: &NodeId| if self.materialised[a.index()] { stored } else { table[a.index()] };
                node.args.iter().map(of).sum::<usize>().min(1 << 20)
            };
            cost[id.index()] = own_cost(&node.op) + inherited(&cost, 0);
            leaves[id.index()] = match &node.op {
                // What repeats a smaller value is read from the cache.
                Op::Broadcast { .. } if graph.ty(node.args[0]).elements() * 4 <= node.ty.elements() => 0,
                _ => inherited(&leaves, 1),
            };
        }
        let mut changed = false;
        let mut wait = vec![false; graph.nodes.len()];
        for id in graph.ids().rev().filter(|id| self.live[id.index()]) {
            let node = graph.node(id);
            let i = id.index();
            if self.materialised[i] {
                if !matches!(self.kind(id), Kind::Point | Kind::Reduce) {
                    places[i] = BTreeMap::from([(groups.len() + i, 1.0)]);
                }
            } else if self.kind(id) == Kind::Point && places[i].len() > 1 && !wait[i] {
                let again = places[i].values().sum::<f64>() - 1.0;
                if cost[i] as f64 * again > 8.0 || leaves[i] > 3 && again > 0.0 {
                    self.materialised[i] = true;
                    changed = true;
                    wait[i] = true;
                }
            }
            let (own, waiting) = (places[i].clone(), wait[i]);
            for arg in &node.args {
                if !self.materialised[arg.index()] {
                    let part = match &node.op {
                        Op::Slice { .. } => node.ty.elements() as f64 / graph.ty(*arg).elements().max(1) as f64,
                        _ => 1.0,
                    };
                    for (place, of_node) in &own {
                        let sum = places[arg.index()].entry(*place).or_default();
                        *sum = (*sum + of_node * part).min(1.0);
                    }
                    wait[arg.index()] |= waiting;
                }
            }
        }
        changed
    }

    fn finish(self, groups: Vec<Group>) -> Analysis {
        Analysis { live: self.live, uses: self.uses, materialised: self.materialised, groups }
    }
}

/// Rough instructions an op adds to every element.
fn own_cost(op: &Op) -> usize {
    match op.kind() {
        OpKind::Exp => 20,
        OpKind::Log => 30,
        OpKind::Tanh | OpKind::Softplus => 45,
        OpKind::Sin => 60,
        OpKind::Rng => 100,
        OpKind::Sqrt | OpKind::Div => 4,
        OpKind::Gather => 12,
        kind if kind.is_elementwise() && !matches!(kind, OpKind::StopGrad | OpKind::Hold) => 1,
        _ => 0,
    }
}

/// Union-find over roots that keeps apart what differs in level, shape or reduced axes.
struct Union {
    parent: Vec<usize>,
    axes: Vec<Option<Vec<usize>>>,
    keys: Vec<(usize, Vec<usize>)>,
}

impl Union {
    fn new(roots: &[Root]) -> Union {
        Union {
            parent: (0..roots.len()).collect(),
            axes: roots.iter().map(|r| r.axes.clone()).collect(),
            keys: roots.iter().map(|r| (r.level, r.shape.clone())).collect(),
        }
    }

    fn find(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    fn unite(&mut self, i: usize, j: usize) -> bool {
        let (i, j) = (self.find(i), self.find(j));
        if i == j {
            return true;
        }
        let axes = match (&self.axes[i], &self.axes[j]) {
            (Some(a), Some(b)) if a != b => return false,
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        if self.keys[i] != self.keys[j] {
            return false;
        }
        let (first, second) = (i.min(j), i.max(j));
        self.parent[second] = first;
        self.axes[first] = axes;
        true
    }
}
