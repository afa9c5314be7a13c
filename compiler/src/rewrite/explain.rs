//! What the optimiser did to one program, planned after every stage, with what each rule saved: the base of `explain()`.

use super::rewriter::{Fired, Rule, to_fixpoint};
use super::{Options, compared, optimise_with, rules, stabilise};
use crate::Result;
use crate::ir::Graph;
use crate::plan::PlanSummary;
use std::collections::BTreeMap;
use std::fmt;

/// Programs of more nodes are not optimised again for each rule to see what it saved.
const MAX_NODES: usize = 4_000;

/// A program after one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The stage's name; `"lowered"` for what came in.
    pub name: String,
    /// Nodes other than inputs, states and constants.
    pub nodes: u64,
    /// Floating-point operations of all nodes.
    pub flops: u64,
    /// What is planned for it, on two workers.
    pub plan: PlanSummary,
    /// Rules that fired, how often, and by how many nanoseconds the estimate would be higher without them, where that is known.
    pub rules: Vec<(String, usize, Option<i64>)>,
    /// Facts about the stage.
    pub notes: Vec<String>,
}

/// All stages of a program, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// What came in, then the stages.
    pub stages: Vec<Stage>,
}

/// Optimises a program once more and says what happened.
///
/// # Errors
/// Those of [`optimise`](super::optimise) and of planning.
pub fn explain(graph: &Graph, options: &Options) -> Result<Explanation> {
    let mut graphs = vec![("lowered", graph.clone())];
    let (_, report) = optimise_with(graph, options, &mut |name, graph| graphs.push((name, graph.clone())))?;
    let mut stages: Vec<Stage> = Vec::new();
    for (i, (name, graph)) in graphs.iter().enumerate() {
        // A stage that changed nothing has the plan of the one before.
        let plan = match stages.last() {
            Some(before) if graphs[i - 1].1 == *graph => before.plan,
            _ => compared(graph, options)?,
        };
        let cost = options.rates.graph(graph);
        let (fired, notes) = match i.checked_sub(1).and_then(|stage| report.stages.get(stage)) {
            Some(stage) => (stage.fired.clone(), stage.notes.clone()),
            None => Default::default(),
        };
        let table: Vec<Rule> = match *name {
            "graph rules" => [stabilise::RULES, &rules::basic()].concat(),
            "directed rules" if options.fast => [stabilise::RULES, &rules::all(), &rules::fast()].concat(),
            "directed rules" => [stabilise::RULES, &rules::all()].concat(),
            _ => Vec::new(),
        };
        let saved = match table.is_empty() || cost.nodes as usize > MAX_NODES {
            true => BTreeMap::new(),
            false => saved(&graphs[i - 1].1, cost.time, &table, &fired, options)?,
        };
        let rules = fired.iter().map(|(rule, n)| (rule.to_string(), *n, saved.get(rule).copied())).collect();
        stages.push(Stage { name: name.to_string(), nodes: cost.nodes, flops: cost.flops, plan, rules, notes });
    }
    Ok(Explanation { stages })
}

/// For each rule by how much the stage's result would cost more without it, in nanoseconds. Two rules that do the same save nothing each.
fn saved(
    before: &Graph,
    after: u64,
    table: &[Rule],
    fired: &Fired,
    options: &Options,
) -> Result<BTreeMap<&'static str, i64>> {
    let mut saved = BTreeMap::new();
    for rule in table.iter().filter(|rule| fired.contains_key(rule.name)) {
        let others: Vec<Rule> = table.iter().filter(|other| other.name != rule.name).copied().collect();
        let without = to_fixpoint(before, &others, options.rounds, &mut Fired::new())?;
        saved.insert(rule.name, (options.rates.graph(&without).time as i64 - after as i64) / 1000);
    }
    Ok(saved)
}

impl Explanation {
    /// Percent by which the modelled time came down from the graph rules to the end; `None` where those did not run.
    pub fn gain(&self) -> Option<f64> {
        let time = |name: &str| self.stages.iter().find(|s| s.name == name).map(|s| s.plan.time as f64);
        let (before, after) = (time("graph rules")?, self.stages.last()?.plan.time as f64);
        (before > 0.0).then(|| 100.0 * (before - after) / before)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<24} {:>7} {:>10} {:>9} {:>8} {:>9} {:>10} {:>12}",
            "", "nodes", "MFLOP", "MB moved", "kernels", "barriers", "arena, MB", "modelled, us"
        )?;
        for stage in &self.stages {
            let plan = &stage.plan;
            writeln!(
                f,
                "  {:<24} {:>7} {:>10.3} {:>9.3} {:>8} {:>9} {:>10.3} {:>12.1}",
                stage.name,
                stage.nodes,
                stage.flops as f64 / 1e6,
                plan.bytes as f64 / 1e6,
                plan.kernels + plan.contractions,
                plan.barriers,
                plan.arena_bytes as f64 / 1e6,
                plan.time as f64 / 1e6
            )?;
        }
        for stage in self.stages.iter().filter(|stage| !stage.rules.is_empty() || !stage.notes.is_empty()) {
            writeln!(f, "  {}", stage.name)?;
            for note in &stage.notes {
                writeln!(f, "    {note}")?;
            }
            for (rule, n, saved) in &stage.rules {
                match saved {
                    Some(saved) => writeln!(f, "    {n:>5} x {rule:<28} saved {saved} ns")?,
                    None => writeln!(f, "    {n:>5} x {rule}")?,
                }
            }
        }
        Ok(())
    }
}
