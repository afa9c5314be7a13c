//! The engine of the graph rules: a graph is rebuilt node by node, every new node passing the rules first.
//!
//! In: a graph and a table of [`Rule`]s. Out: a graph that computes the same outputs, with the same input and state slots.
//! What always holds: a rule only adds nodes, so operands keep smaller ids than their users; nodes that are equal in op and
//! operands are one node (two draws of `Rng` are equal only if their streams and keys are); ids depend on the graph alone.

use crate::Result;
use crate::ir::{DType, Graph, Literal, NodeId, Op, OpKind, Type};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rewrites `op(args)`, whose operands are already rewritten, to an equal node; `None` where the rule does not apply.
pub type Apply = fn(&mut Rewriter, &Op, &[NodeId]) -> Result<Option<NodeId>>;

/// One rule: an equation read from left to right, and where it holds.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Unique; what reports and failing tests say.
    pub name: &'static str,
    /// The equation, read from left to right.
    pub equation: &'static str,
    /// Where it holds, beyond the rounding of the last bits.
    pub holds: &'static str,
    /// Ops at the root of the left side.
    pub roots: &'static [OpKind],
    /// The rewriting.
    pub apply: Apply,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.equation)
    }
}

/// How often each rule fired, by name.
pub type Fired = BTreeMap<&'static str, usize>;

/// Rules that rewrite their own results deeper than this are cut off; it only costs missed simplifications.
const MAX_DEPTH: usize = 48;

/// A graph under reconstruction.
pub struct Rewriter<'a> {
    /// The graph so far.
    pub graph: Graph,
    known: HashMap<(Op, Vec<NodeId>), NodeId>,
    fired: Fired,
    rules: Vec<Vec<&'a Rule>>,
    opaque: BTreeSet<NodeId>,
    uses: Vec<usize>,
    depth: usize,
}

impl<'a> Rewriter<'a> {
    /// Starts with the slots of `graph` and no nodes.
    pub fn over_slots(graph: &Graph, rules: &'a [Rule]) -> Rewriter<'a> {
        let empty = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::new() };
        Rewriter::appending(empty, rules, &[])
    }

    /// Goes on at the end of `graph`. Rules do not look into the nodes of `opaque`.
    pub fn appending(graph: Graph, rules: &'a [Rule], opaque: &[NodeId]) -> Rewriter<'a> {
        let mut by_kind: Vec<Vec<&Rule>> = vec![Vec::new(); OpKind::ALL.len()];
        for rule in rules {
            for root in rule.roots {
                by_kind[*root as usize].push(rule);
            }
        }
        let opaque: BTreeSet<NodeId> = opaque.iter().copied().collect();
        // An opaque node may be what a gradient is asked for: nothing else may come to mean it, even if it is equal.
        let shared = graph.ids().rev().filter(|id| !opaque.contains(id));
        let known = shared.map(|id| (key(&graph.node(id).op, &graph.node(id).args), id)).collect();
        let uses = graph.use_counts();
        Rewriter { graph, known, fired: Fired::new(), rules: by_kind, opaque, uses, depth: 0 }
    }

    /// Adds `op(args)` or what the rules make of it.
    pub fn add(&mut self, op: Op, args: &[NodeId]) -> Result<NodeId> {
        if self.depth < MAX_DEPTH {
            for i in 0..self.rules[op.kind() as usize].len() {
                let rule = self.rules[op.kind() as usize][i];
                self.depth += 1;
                let rewritten = (rule.apply)(self, &op, args);
                self.depth -= 1;
                if let Some(id) = rewritten? {
                    *self.fired.entry(rule.name).or_default() += 1;
                    return Ok(id);
                }
            }
        }
        self.insert(op, args)
    }

    /// Adds `op(args)` as it stands, unless it exists already.
    pub fn insert(&mut self, op: Op, args: &[NodeId]) -> Result<NodeId> {
        let key = key(&op, args);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let id = self.graph.add(op, key.1.clone())?;
        self.uses.push(0);
        self.known.insert(key, id);
        Ok(id)
    }

    /// The op and operands of a node that rules may look into.
    pub fn view(&self, id: NodeId) -> Option<(&Op, &[NodeId])> {
        if self.opaque.contains(&id) {
            return None;
        }
        let node = self.graph.node(id);
        Some((&node.op, &node.args))
    }

    /// The operand of a node with this one-operand op.
    pub fn operand_of(&self, id: NodeId, kind: OpKind) -> Option<NodeId> {
        self.view(id).filter(|(op, _)| op.kind() == kind).map(|(_, args)| args[0])
    }

    /// The operands of a node with this two-operand op.
    pub fn operands_of(&self, id: NodeId, kind: OpKind) -> Option<(NodeId, NodeId)> {
        self.view(id).filter(|(op, args)| op.kind() == kind && args.len() == 2).map(|(_, args)| (args[0], args[1]))
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        self.graph.ty(id)
    }

    /// The shape of a node.
    pub fn shape(&self, id: NodeId) -> Vec<usize> {
        self.graph.shape(id).to_vec()
    }

    /// The constant that every element of a node equals, if it is one through shape ops.
    pub fn constant(&self, mut id: NodeId) -> Option<Literal> {
        loop {
            match self.view(id)? {
                (Op::Const(v), _) => return Some(*v),
                (Op::Broadcast { .. } | Op::Reshape(_) | Op::Transpose(_), args) => id = args[0],
                _ => return None,
            }
        }
    }

    /// The float that every element of a node equals.
    pub fn number(&self, id: NodeId) -> Option<f32> {
        match self.constant(id)? {
            Literal::F32(v) => Some(v),
            _ => None,
        }
    }

    /// For a commutative op: the operand beside a float constant, and the constant.
    pub fn with_number(&self, args: &[NodeId]) -> Option<(NodeId, f32)> {
        match (self.number(args[0]), self.number(args[1])) {
            (_, Some(c)) => Some((args[0], c)),
            (Some(c), None) => Some((args[1], c)),
            _ => None,
        }
    }

    /// A constant repeated over a shape.
    pub fn full(&mut self, v: Literal, shape: &[usize]) -> Result<NodeId> {
        let scalar = self.insert(Op::Const(v), &[])?;
        if shape.is_empty() {
            return Ok(scalar);
        }
        self.insert(Op::Broadcast { shape: shape.to_vec(), dims: Vec::new() }, &[scalar])
    }

    /// A constant of the shape of another node.
    pub fn full_like(&mut self, v: f32, like: NodeId) -> Result<NodeId> {
        let shape = self.shape(like);
        self.full(Literal::F32(v), &shape)
    }

    /// `x` with one operand.
    pub fn unary(&mut self, op: Op, x: NodeId) -> Result<NodeId> {
        self.add(op, &[x])
    }

    /// x · c.
    pub fn scale(&mut self, x: NodeId, c: f32) -> Result<NodeId> {
        if c == 1.0 {
            return Ok(x);
        }
        if c == -1.0 {
            return self.add(Op::Neg, &[x]);
        }
        let c = self.full_like(c, x)?;
        self.add(Op::Mul, &[x, c])
    }

    /// x + c.
    pub fn shift(&mut self, x: NodeId, c: f32) -> Result<NodeId> {
        if c == 0.0 {
            return Ok(x);
        }
        let c = self.full_like(c, x)?;
        self.add(Op::Add, &[x, c])
    }

    /// a − b.
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> Result<NodeId> {
        let b = self.add(Op::Neg, &[b])?;
        self.add(Op::Add, &[a, b])
    }

    /// Whether the graph uses the value at most once, as far as is known while it is rebuilt.
    pub fn used_once(&self, id: NodeId) -> bool {
        self.uses[id.index()] <= 1
    }

    /// Whether every element is certainly neither infinite nor NaN.
    pub fn is_finite(&self, id: NodeId) -> bool {
        self.is_finite_within(id, 8)
    }

    fn is_finite_within(&self, id: NodeId, depth: usize) -> bool {
        if self.ty(id).dtype != DType::F32 {
            return true;
        }
        let Some((op, args)) = self.view(id).filter(|_| depth > 0) else { return false };
        let all = |args: &[NodeId]| args.iter().all(|a| self.is_finite_within(*a, depth - 1));
        match op {
            Op::Const(Literal::F32(v)) => v.is_finite(),
            Op::Cast(_) | Op::Iota { .. } | Op::Rng { .. } => true,
            // Tanh and Sign of NaN are NaN.
            Op::Tanh | Op::Sign | Op::Sin | Op::Neg | Op::Floor | Op::StopGrad | Op::Hold => all(args),
            Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast { .. } | Op::Reverse(_) => all(args),
            Op::Slice { .. } | Op::Pad { .. } | Op::Concat { .. } => all(args),
            Op::Gather { .. } => all(&args[..1]),
            Op::Select => all(&args[1..]),
            Op::Max => all(args),
            _ => false,
        }
    }
}

/// Operands of commutative ops are ordered, so that a + b and b + a are one node. (Max is not commutative: NaN.)
fn key(op: &Op, args: &[NodeId]) -> (Op, Vec<NodeId>) {
    let mut args = args.to_vec();
    if matches!(op, Op::Add | Op::Mul | Op::Eq) {
        args.sort_unstable();
    }
    (op.clone(), args)
}

/// Nodes that outputs depend on.
pub fn live(graph: &Graph) -> Vec<bool> {
    live_from(graph, graph.outputs.iter().map(|o| o.value))
}

/// Nodes that `roots` depend on, themselves included.
pub fn live_from(graph: &Graph, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    for root in roots {
        live[root.index()] = true;
    }
    for id in graph.ids().rev().filter(|id| !graph.nodes.is_empty() && id.index() < graph.nodes.len()) {
        if live[id.index()] {
            for a in &graph.node(id).args {
                live[a.index()] = true;
            }
        }
    }
    live
}

/// One pass of the rules over everything alive, equal nodes merged, dead nodes dropped.
pub fn rebuild(graph: &Graph, rules: &[Rule], fired: &mut Fired) -> Result<Graph> {
    let live_before = live(graph);
    let uses = graph.use_counts();
    let mut rewriter = Rewriter::over_slots(graph, rules);
    let mut map = vec![NodeId(0); graph.nodes.len()];
    let mut merged = 0;
    for id in graph.ids().filter(|id| live_before[id.index()]) {
        let node = graph.node(id);
        let args: Vec<NodeId> = node.args.iter().map(|a| map[a.index()]).collect();
        let before = rewriter.graph.nodes.len();
        let fired_before = rewriter.fired.values().sum::<usize>();
        let new = rewriter.add(node.op.clone(), &args)?;
        if rewriter.graph.nodes.len() == before && rewriter.fired.values().sum::<usize>() == fired_before {
            merged += 1;
        }
        rewriter.uses[new.index()] += uses[id.index()];
        map[id.index()] = new;
    }
    let mut out = rewriter.graph;
    out.outputs = graph.outputs.clone();
    for output in &mut out.outputs {
        output.value = map[output.value.index()];
    }
    for (name, n) in rewriter.fired {
        *fired.entry(name).or_default() += n;
    }
    if merged > 0 {
        *fired.entry("common-subexpression").or_default() += merged;
    }
    let dead = live_before.iter().filter(|l| !**l).count();
    if dead > 0 {
        *fired.entry("dead-code").or_default() += dead;
    }
    compact(&out)
}

/// Without the nodes that no output depends on. Slots stay declared.
pub fn compact(graph: &Graph) -> Result<Graph> {
    let live = live(graph);
    let mut out = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::new() };
    let mut map = vec![NodeId(0); graph.nodes.len()];
    for id in graph.ids().filter(|id| live[id.index()]) {
        let mut node = graph.node(id).clone();
        for a in &mut node.args {
            *a = map[a.index()];
        }
        map[id.index()] = NodeId(out.nodes.len() as u32);
        out.nodes.push(node);
    }
    out.outputs = graph.outputs.clone();
    for output in &mut out.outputs {
        output.value = map[output.value.index()];
    }
    Ok(out)
}

/// The rules until nothing changes, at most `rounds` times.
pub fn to_fixpoint(graph: &Graph, rules: &[Rule], rounds: usize, fired: &mut Fired) -> Result<Graph> {
    let mut current = rebuild(graph, rules, fired)?;
    for _ in 1..rounds {
        let next = rebuild(&current, rules, fired)?;
        if next == current {
            break;
        }
        current = next;
    }
    Ok(current)
}

/// Rewrites what `root` depends on at the end of the graph: existing nodes stay, new ones are added, the new root is
/// returned. Nodes of `keep` stay operands as they are and are not looked into.
pub fn append(graph: Graph, root: NodeId, rules: &[Rule], keep: &[NodeId]) -> Result<(Graph, NodeId, Fired)> {
    let live = live_from(&graph, [root]);
    let n = graph.nodes.len();
    let mut rewriter = Rewriter::appending(graph, rules, keep);
    let mut map: Vec<NodeId> = (0..n as u32).map(NodeId).collect();
    for i in (0..n).filter(|i| live[*i]) {
        let id = NodeId(i as u32);
        let node = rewriter.graph.node(id).clone();
        if rewriter.opaque.contains(&id) || node.args.is_empty() {
            continue;
        }
        let args: Vec<NodeId> = node.args.iter().map(|a| map[a.index()]).collect();
        let fired_before = rewriter.fired.values().sum::<usize>();
        let new = rewriter.add(node.op.clone(), &args)?;
        // An equal older node must not take the place of an untouched one: ids are what gradients are asked for.
        let untouched = args == node.args && rewriter.fired.values().sum::<usize>() == fired_before;
        map[i] = if untouched { id } else { new };
    }
    Ok((rewriter.graph, map[root.index()], rewriter.fired))
}
