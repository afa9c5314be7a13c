//! Equality saturation over a whole program, and the cheapest program found.
//!
//! In: a program that the graph rules have been over. Out: an equal program whose exact cost is below that of the input, or the
//! input itself. **Invariant:** never worse than what came in, by [`Rates::graph`](super::cost::Rates::graph); limits are counts; e-classes are visited in
//! the order of their ids, which the program alone determines.

mod extract;
mod language;
pub mod proof;
pub mod rules;

use super::options::Options;
use super::rewriter::Fired;
use crate::Result;
use crate::ir::{Graph, NodeId, Op};
use ::egg::{Id, Language};
use language::{Head, Programs, Term, Types};
use rules::{SearchRule, Side, View};
use std::sync::Arc;

/// Facts about one search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// E-nodes and e-classes at the end.
    pub nodes: usize,
    /// See `nodes`.
    pub classes: usize,
    /// Rounds of saturation.
    pub iterations: usize,
    /// Whether no rule had anything more to say.
    pub saturated: bool,
    /// Choices tried by the extraction, and those that were kept.
    pub tried: usize,
    /// See `tried`.
    pub kept: usize,
}

/// Searches for a cheaper program with these rules.
pub fn search(graph: &Graph, rules: &[SearchRule], options: &Options) -> Result<(Graph, Fired, Search)> {
    let (mut egraph, root, written) = load(graph);
    let (fired, mut facts) = run(&mut egraph, rules, options);
    let found = extract::extract(&egraph, root, &written, graph, options, &mut facts)?;
    // Exact cost, as the graph that comes out would be costed by anyone else.
    let better = options.rates.graph(&found).time < options.rates.graph(graph).time;
    Ok((if better { found } else { graph.clone() }, fired, facts))
}

/// Saturates within the limits.
fn run(egraph: &mut Programs, rules: &[SearchRule], options: &Options) -> (Fired, Search) {
    let (mut fired, mut facts) = (Fired::new(), Search::default());
    let limit = egraph.total_number_of_nodes() + options.nodes;
    while facts.iterations < options.iterations && !facts.saturated && egraph.total_number_of_nodes() < limit {
        facts.iterations += 1;
        facts.saturated = !round(egraph, rules, limit, &mut fired);
    }
    facts.nodes = egraph.total_number_of_nodes();
    facts.classes = egraph.number_of_classes();
    (fired, facts)
}

/// Adds a program's nodes: the id of each, and the e-node that it is.
fn load_into(egraph: &mut Programs, graph: &Graph) -> (Vec<Id>, Vec<Term>) {
    let mut ids: Vec<Id> = Vec::with_capacity(graph.nodes.len());
    let mut terms = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let args = node.args.iter().map(|a| ids[a.index()]).collect();
        let term = Term { head: Head::Op(Arc::new(node.op.clone())), args };
        // For proofs an id stands for the very expression that was added; without them it is the class's.
        ids.push(egraph.add_uncanonical(term.clone()));
        terms.push(term);
    }
    (ids, terms)
}

/// The program as an e-graph, its root, and the e-node that the program itself has for each of its classes.
fn load(graph: &Graph) -> (Programs, Id, Vec<(Id, Term)>) {
    let mut egraph = Programs::new(Types::over_slots(graph));
    let (ids, terms) = load_into(&mut egraph, graph);
    let mut written: Vec<(Id, Term)> = ids.iter().copied().zip(terms).collect();
    let term = Term { head: Head::Outputs, args: graph.outputs.iter().map(|o| ids[o.value.index()]).collect() };
    let root = egraph.add(term.clone());
    written.push((root, term));
    egraph.rebuild();
    (egraph, root, written)
}

/// One of the forms of each operand of an e-node: the operand's class, and an e-node of it.
type Form = Vec<(Id, Term)>;
/// A rule's right side for an e-node of a class, which has this form.
type Proposal<'r> = (Id, (Term, Form), &'r SearchRule, Side);

/// Forms of an e-node's operands beyond which the rest is left out.
const MAX_FORMS: usize = 256;

/// Every combination of the e-nodes of an e-node's operands.
fn forms(egraph: &Programs, term: &Term) -> Vec<Form> {
    let mut forms: Vec<Form> = vec![Vec::new()];
    for arg in &term.args {
        if forms[0].iter().any(|(class, _)| class == arg) {
            continue;
        }
        let with = |form: &Form| {
            let form = form.clone();
            egraph[*arg].nodes.iter().map(move |node| [form.clone(), vec![(*arg, node.clone())]].concat())
        };
        forms = forms.iter().flat_map(with).take(MAX_FORMS).collect();
    }
    forms
}

/// Applies every rule once, everywhere. Whether anything new was learnt.
fn round(egraph: &mut Programs, rules: &[SearchRule], limit: usize, fired: &mut Fired) -> bool {
    let mut proposals: Vec<Proposal> = Vec::new();
    let mut classes: Vec<Id> = egraph.classes().map(|c| c.id).collect();
    classes.sort_unstable();
    for id in classes {
        for term in &egraph[id].nodes {
            let Some(op) = term.op() else { continue };
            let mut rules = rules.iter().filter(|r| r.roots.contains(&op.kind())).peekable();
            if rules.peek().is_none() {
                continue;
            }
            // For a proof each form of the operands is looked at by itself.
            let forms = if egraph.are_explanations_enabled() { forms(egraph, term) } else { vec![Vec::new()] };
            for rule in rules {
                for form in &forms {
                    let view = View::of_form(egraph, form);
                    let sides = (rule.apply)(&view, op, &term.args);
                    proposals.extend(sides.into_iter().map(|side| (id, (term.clone(), form.clone()), rule, side)));
                }
            }
        }
    }
    let mut learnt = false;
    for (id, (mut term, form), rule, side) in proposals {
        if egraph.total_number_of_nodes() >= limit {
            break;
        }
        let Some(added) = add(egraph, &side) else {
            debug_assert!(false, "rule {} proposes an ill-typed {side:?}", rule.name);
            continue;
        };
        debug_assert_eq!(egraph[added].data.ty, egraph[id].data.ty, "rule {} changes the type", rule.name);
        if egraph[added].data.ty != egraph[id].data.ty {
            continue;
        }
        let united = match egraph.are_explanations_enabled() {
            // What the rule was applied to, so that the proof shows that, and no other member of the class.
            true => {
                for (class, operand) in form {
                    let operand = egraph.add_uncanonical(operand);
                    term.args.iter_mut().filter(|arg| **arg == class).for_each(|arg| *arg = operand);
                }
                let left = egraph.add_uncanonical(term);
                egraph.union_trusted(left, added, rule.name)
            }
            false => egraph.union(id, added),
        };
        if united {
            *fired.entry(rule.name).or_default() += 1;
            learnt = true;
        }
    }
    egraph.rebuild();
    learnt
}

/// Adds a right side; `None` if it has no type.
fn add(egraph: &mut Programs, side: &Side) -> Option<Id> {
    match side {
        Side::Class(id) => Some(*id),
        Side::Apply(op, sides) => {
            let args = sides.iter().map(|s| add(egraph, s)).collect::<Option<Vec<Id>>>()?;
            // Shape ops that do nothing would only be noise.
            let ty = egraph.analysis.infer(op, args.iter().map(|a| &egraph[*a].data.ty)).ok()?;
            let is_identity = matches!(op, Op::Reshape(_) | Op::Broadcast { .. }) && ty == egraph[args[0]].data.ty;
            Some(if is_identity {
                args[0]
            } else {
                egraph.add_uncanonical(Term { head: Head::Op(Arc::new(op.clone())), args })
            })
        }
    }
}

/// For tests of rules: every program that one application of `rule` makes of `graph`.
pub fn apply_once(graph: &Graph, rule: &SearchRule) -> Result<Vec<Graph>> {
    let mut out = Vec::new();
    let (egraph, _, written) = load(graph);
    let view = View::of(&egraph);
    for (node, (class, term)) in written.iter().enumerate() {
        let Some(op) = term.op().filter(|op| rule.roots.contains(&op.kind())) else { continue };
        for side in (rule.apply)(&view, op, term.children()) {
            let mut copy = graph.clone();
            copy.nodes.truncate(node);
            let replaced = instantiate(&mut copy, &side, &written, &egraph)?;
            if copy.ty(replaced) != &egraph[*class].data.ty {
                return Err(crate::Error::ir(format!("rule {} changes the type to {}", rule.name, copy.ty(replaced))));
            }
            out.push(with_tail(graph, node, copy, replaced)?);
        }
    }
    Ok(out)
}

fn instantiate(graph: &mut Graph, side: &Side, written: &[(Id, Term)], egraph: &Programs) -> Result<NodeId> {
    match side {
        Side::Class(id) => {
            let place = written.iter().position(|(class, _)| egraph.find(*class) == egraph.find(*id));
            place.map(|p| NodeId(p as u32)).ok_or_else(|| crate::Error::ir("a class without a node"))
        }
        Side::Apply(op, sides) => {
            let args = sides.iter().map(|s| instantiate(graph, s, written, egraph)).collect::<Result<Vec<_>>>()?;
            graph.add(op.clone(), args)
        }
    }
}

/// `graph` with everything up to node `at` replaced by `head`, in which `replaced` takes its place.
fn with_tail(graph: &Graph, at: usize, mut head: Graph, replaced: NodeId) -> Result<Graph> {
    let mut map: Vec<NodeId> = (0..at as u32).map(NodeId).collect();
    map.push(replaced);
    for node in &graph.nodes[at + 1..] {
        let id = head.add(node.op.clone(), node.args.iter().map(|a| map[a.index()]).collect())?;
        map.push(id);
    }
    for output in &mut head.outputs {
        output.value = map[output.value.index()];
    }
    Ok(head)
}
