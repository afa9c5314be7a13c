//! Why two programs are equal: egg's explanation, as a list of applied rules.
//!
//! Every step is one application of a rule, to an e-node over operands of one form each.

use super::language::{Head, Programs, Term};
use super::rules::SearchRule;
use super::{Options, load_into, run};
use crate::Result;
use crate::ir::print::Operation;
use crate::ir::{Graph, Target};
use ::egg::{Id, TreeTerm};
use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

/// Operands are written out to this depth.
const DEPTH: usize = 3;

/// A chain of applied rules from one expression to another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The applications, those inside of operands included.
    pub steps: Vec<ProofStep>,
}

/// One application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofStep {
    /// The rule's name.
    pub rule: String,
    /// The expression on its left, deeper operands left out.
    pub left: String,
    /// The expression on its right.
    pub right: String,
    /// Whether the proof goes from right to left here.
    pub backwards: bool,
}

impl Proof {
    /// Whether it rests on this rule.
    pub fn uses(&self, rule: &str) -> bool {
        self.steps.iter().any(|step| step.rule == rule)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ProofStep { rule, left, right, backwards } in &self.steps {
            writeln!(f, "{left}\n  {} {right}    by {rule}", if *backwards { "<=" } else { "=>" })?;
        }
        Ok(())
    }
}

/// Shows that the results called `output` of two programs over the same slots are equal, by what these rules make of both. `None` where
/// they do not show it within the limits.
///
/// # Errors
/// [`Error::Ir`](crate::Error::Ir) when the slots differ or there is no such result.
pub fn prove(left: &Graph, right: &Graph, output: &str, rules: &[SearchRule], options: &Options) -> Result<Option<Proof>> {
    if left.inputs != right.inputs || left.states != right.states {
        return Err(crate::Error::ir("programs over different slots cannot be compared"));
    }
    let place = |graph: &Graph| {
        graph
            .outputs
            .iter()
            .position(|o| match &o.target {
                Target::Host(name) => name == output,
                Target::State(s) => graph.states[*s as usize].name == output,
            })
            .ok_or_else(|| crate::Error::ir(format!("there is no result {output:?}")))
    };
    let (first, second) = (place(left)?, place(right)?);
    let mut egraph = Programs::new(super::Types::over_slots(left)).with_explanations_enabled();
    let first = load_into(&mut egraph, left).0[left.outputs[first].value.index()];
    run(&mut egraph, rules, options);
    let second = load_into(&mut egraph, right).0[right.outputs[second].value.index()];
    if egraph.find(first) != egraph.find(second) {
        run(&mut egraph, rules, options);
    }
    if egraph.find(first) != egraph.find(second) {
        return Ok(None);
    }
    Ok(Some(Proof { steps: steps(&mut egraph, left, first, second) }))
}

fn steps(egraph: &mut Programs, graph: &Graph, first: Id, second: Id) -> Vec<ProofStep> {
    let explanation = egraph.explain_id_equivalence(first, second);
    let mut seen: HashSet<*const TreeTerm<Term>> = HashSet::new();
    let (mut steps, mut todo) = (Vec::new(), vec![&explanation.explanation_trees]);
    while let Some(chain) = todo.pop() {
        let mut before: Option<&Rc<TreeTerm<Term>>> = None;
        for term in chain {
            if let Some(before) = before {
                let [left, right] = [text(graph, before, true, DEPTH), text(graph, term, false, DEPTH)];
                if let Some(rule) = term.forward_rule {
                    steps.push(ProofStep { rule: rule.to_string(), left, right, backwards: false });
                } else if let Some(rule) = term.backward_rule {
                    steps.push(ProofStep { rule: rule.to_string(), left, right, backwards: true });
                }
            }
            before = Some(term);
            // Shared parts of a proof are shared by address; every one is shown once.
            if seen.insert(Rc::as_ptr(term)) {
                todo.extend(term.child_proofs.iter());
            }
        }
    }
    steps
}

/// The term that a part of a proof begins or ends with.
fn text(graph: &Graph, term: &TreeTerm<Term>, end: bool, depth: usize) -> String {
    let name = match &term.node.head {
        Head::Op(op) => Operation(graph, op).to_string(),
        Head::Outputs => "outputs".to_string(),
    };
    if term.child_proofs.is_empty() {
        return name;
    }
    if depth == 0 {
        return format!("{name}(…)");
    }
    let operand = |chain: &Vec<Rc<TreeTerm<Term>>>| match if end { chain.last() } else { chain.first() } {
        Some(term) => text(graph, term, end, depth - 1),
        None => String::new(),
    };
    let operands: Vec<String> = term.child_proofs.iter().map(operand).collect();
    format!("{name}({})", operands.join(", "))
}
