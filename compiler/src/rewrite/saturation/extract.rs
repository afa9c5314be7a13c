//! The cheapest program of an e-graph under true DAG cost: what is shared is paid once.
//!
//! Incumbents are the input program and the greedy program; each is improved by changing one e-class's choice at a time while
//! that lowers the exact cost, which is kept up to date by reference counts. The better one comes out.

use super::language::{Head, Programs, Term};
use super::{Options, Search};
use crate::Result;
use crate::ir::{Graph, NodeId, Op};
use crate::rewrite::cost::{Rates, count, products};
use ::egg::{Id, Language};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Extracts a program with the slots and outputs of `graph`. `written` holds the input's own e-nodes.
pub fn extract(
    egraph: &Programs,
    root: Id,
    written: &[(Id, Term)],
    graph: &Graph,
    options: &Options,
    facts: &mut Search,
) -> Result<Graph> {
    let table = Table::new(egraph, &options.rates);
    let root = table.place(egraph, root);
    let greedy = table.greedy();
    // The input's own choices; classes that saturation added keep the greedy one until something needs them.
    let mut input = greedy.clone();
    for (id, term) in written.iter().rev() {
        let class = table.place(egraph, *id);
        let term = term.clone().map_children(|c| egraph.find(c));
        if let Some(i) = egraph[egraph.find(*id)].nodes.iter().position(|t| *t == term) {
            input[class] = i;
        }
    }
    let mut best: Option<(u64, Vec<usize>)> = None;
    for start in [input, greedy] {
        let Some(mut state) = State::new(&table, root, start) else { continue };
        state.climb(options.moves / 2, facts);
        if best.as_ref().is_none_or(|(cost, _)| state.cost < *cost) {
            best = Some((state.cost, state.choice));
        }
    }
    match best {
        Some((_, choice)) => table.program(egraph, root, &choice, graph),
        None => Ok(graph.clone()),
    }
}

/// One e-node, as the extraction sees it.
struct Entry {
    cost: u64,
    args: Vec<usize>,
}

/// E-classes numbered in the order of their ids.
struct Table {
    ids: Vec<Id>,
    classes: Vec<Vec<Entry>>,
}

impl Table {
    fn new(egraph: &Programs, rates: &Rates) -> Table {
        let mut ids: Vec<Id> = egraph.classes().map(|c| c.id).collect();
        ids.sort_unstable();
        let mut table = Table { ids, classes: Vec::new() };
        for id in &table.ids {
            let entry = |term: &Term| Entry {
                cost: cost(egraph, *id, term, rates),
                args: term.args.iter().map(|a| table.place(egraph, *a)).collect(),
            };
            let entries = egraph[*id].nodes.iter().map(entry).collect();
            table.classes.push(entries);
        }
        table
    }

    /// The number of a class.
    fn place(&self, egraph: &Programs, id: Id) -> usize {
        self.ids.binary_search(&egraph.find(id)).unwrap_or_default()
    }

    /// Per class the e-node of least tree cost; ties go to the first. Classes are settled in the order of their costs, each once
    /// (Knuth 1977, "A generalization of Dijkstra's algorithm").
    fn greedy(&self) -> Vec<usize> {
        // For each class the e-nodes that use it, once a use; for each e-node what of its tree is settled.
        let mut users: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.classes.len()];
        let mut open: Vec<Vec<(usize, u64)>> = Vec::with_capacity(self.classes.len());
        let mut ready = BinaryHeap::new();
        for (class, entries) in self.classes.iter().enumerate() {
            for (i, entry) in entries.iter().enumerate() {
                entry.args.iter().for_each(|arg| users[*arg].push((class, i)));
                if entry.args.is_empty() {
                    ready.push(Reverse((entry.cost.max(1), class, i)));
                }
            }
            open.push(entries.iter().map(|entry| (entry.args.len(), entry.cost.max(1))).collect());
        }
        let mut best: Vec<Option<usize>> = vec![None; self.classes.len()];
        while let Some(Reverse((cost, class, i))) = ready.pop() {
            if best[class].is_some() {
                continue;
            }
            best[class] = Some(i);
            for (user, j) in &users[class] {
                let (missing, sum) = &mut open[*user][*j];
                *missing -= 1;
                *sum = sum.saturating_add(cost);
                if *missing == 0 {
                    ready.push(Reverse((*sum, *user, *j)));
                }
            }
        }
        best.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// The chosen program; nodes in the order in which a depth-first walk from the outputs leaves them.
    fn program(&self, egraph: &Programs, root: usize, choice: &[usize], graph: &Graph) -> Result<Graph> {
        let mut out = Graph { inputs: graph.inputs.clone(), states: graph.states.clone(), ..Graph::new() };
        let mut node_of: Vec<Option<NodeId>> = vec![None; self.classes.len()];
        let mut stack = vec![(root, 0)];
        while let Some((class, next)) = stack.pop() {
            let entry = &self.classes[class][choice[class]];
            if let Some(arg) = entry.args.get(next) {
                stack.push((class, next + 1));
                if node_of[*arg].is_none() {
                    stack.push((*arg, 0));
                }
            } else if let Head::Op(op) = &egraph[self.ids[class]].nodes[choice[class]].head
                && node_of[class].is_none()
            {
                let args = entry.args.iter().filter_map(|a| node_of[*a]).collect();
                node_of[class] = Some(out.add(Op::clone(op), args)?);
            }
        }
        out.outputs = graph.outputs.clone();
        for (output, class) in out.outputs.iter_mut().zip(&self.classes[root][choice[root]].args) {
            output.value = node_of[*class].unwrap_or(NodeId(0));
        }
        Ok(out)
    }
}

/// Cost of one e-node, from the types of its operands.
fn cost(egraph: &Programs, id: Id, term: &Term, rates: &Rates) -> u64 {
    let Some(op) = term.op() else { return 0 };
    let operands: Vec<(&[usize], u64)> =
        term.args.iter().map(|a| (&egraph[*a].data.ty.shape[..], read(egraph, *a))).collect();
    let shape = &egraph[id].data.ty.shape;
    let products = match op {
        Op::Dot(_) | Op::Conv(_) => products(op, operands[0].0, operands[1].0, shape),
        _ => 0,
    };
    rates.estimate(op, &operands, shape, read(egraph, id), products).time
}

/// Bytes that reading a class moves: a repeated value is read through a stride of 0.
fn read(egraph: &Programs, id: Id) -> u64 {
    let source = egraph[id].nodes.iter().filter(|t| matches!(t.op(), Some(Op::Broadcast { .. })));
    let smallest = source.map(|t| count(&egraph[t.args[0]].data.ty.shape)).min();
    4 * smallest.unwrap_or_else(|| count(&egraph[id].data.ty.shape))
}

/// A program under improvement: a choice for every class, and how often the chosen program uses each.
struct State<'a> {
    table: &'a Table,
    root: usize,
    choice: Vec<usize>,
    uses: Vec<u32>,
    cost: u64,
    /// Marks of the walks that look for cycles.
    seen: Vec<u32>,
    walk: u32,
}

impl<'a> State<'a> {
    /// `None` when the choices go round in a circle.
    fn new(table: &'a Table, root: usize, choice: Vec<usize>) -> Option<State<'a>> {
        let n = table.classes.len();
        let mut state = State { table, root, choice, uses: vec![0; n], cost: 0, seen: vec![0; n], walk: 0 };
        state.retain(root);
        (!state.has_cycle()).then_some(state)
    }

    fn entry(&self, class: usize) -> &'a Entry {
        &self.table.classes[class][self.choice[class]]
    }

    /// One more use of a class.
    fn retain(&mut self, class: usize) {
        let mut todo = vec![class];
        while let Some(class) = todo.pop() {
            self.uses[class] += 1;
            if self.uses[class] == 1 {
                let entry = self.entry(class);
                self.cost = self.cost.saturating_add(entry.cost);
                todo.extend(&entry.args);
            }
        }
    }

    /// One use of a class less.
    fn release(&mut self, class: usize) {
        let mut todo = vec![class];
        while let Some(class) = todo.pop() {
            self.uses[class] -= 1;
            if self.uses[class] == 0 {
                let entry = self.entry(class);
                self.cost = self.cost.saturating_sub(entry.cost);
                todo.extend(&entry.args);
            }
        }
    }

    /// Changes the choice of a class that is in use.
    fn choose(&mut self, class: usize, i: usize) {
        let old = self.entry(class);
        let new = &self.table.classes[class][i];
        for a in &new.args {
            self.retain(*a);
        }
        self.choice[class] = i;
        self.cost = self.cost.saturating_add(new.cost).saturating_sub(old.cost);
        for a in &old.args {
            self.release(*a);
        }
    }

    /// Whether `class` is reached from its own operands.
    fn reaches_itself(&mut self, class: usize) -> bool {
        self.walk += 1;
        let mut todo = self.entry(class).args.clone();
        while let Some(next) = todo.pop() {
            if next == class {
                return true;
            }
            if self.seen[next] != self.walk {
                self.seen[next] = self.walk;
                todo.extend(&self.entry(next).args);
            }
        }
        false
    }

    /// Whether the chosen program has a cycle at all.
    fn has_cycle(&self) -> bool {
        // 0 unseen, 1 on the path, 2 done.
        let mut mark = vec![0u8; self.table.classes.len()];
        let mut stack = vec![(self.root, 0)];
        while let Some((class, next)) = stack.pop() {
            mark[class] = 1;
            match self.entry(class).args.get(next) {
                Some(arg) => {
                    stack.push((class, next + 1));
                    match mark[*arg] {
                        0 => stack.push((*arg, 0)),
                        1 => return true,
                        _ => {}
                    }
                }
                None => mark[class] = 2,
            }
        }
        false
    }

    /// Takes every single change that lowers the cost, until there is none or `moves` were tried.
    fn climb(&mut self, moves: usize, facts: &mut Search) {
        let (mut tried, mut improved) = (0, true);
        while improved {
            improved = false;
            for class in 0..self.table.classes.len() {
                for i in 0..self.table.classes[class].len() {
                    if self.uses[class] == 0 || i == self.choice[class] {
                        continue;
                    }
                    if tried == moves {
                        return;
                    }
                    tried += 1;
                    facts.tried += 1;
                    let (old, cost) = (self.choice[class], self.cost);
                    self.choose(class, i);
                    if self.cost < cost && !self.reaches_itself(class) {
                        facts.kept += 1;
                        improved = true;
                    } else {
                        self.choose(class, old);
                    }
                }
            }
        }
    }
}
