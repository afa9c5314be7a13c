//! Meaning-preserving rewriting of whole programs.
//!
//! In: a verified graph. Out: a graph with the same slots and outputs in the same order, that computes the same values up to
//! rounding and costs no more by the cost model; and a [`Report`] of what was done. The parts:
//!
//! - [`stabilise`](mod@stabilise): mandatory, and before differentiation ([`stabilise_expr`]);
//! - [`rules`]: graph rules that always pay, to a fixpoint;
//! - [`batching`]: what one net does to several batches is done to all of them at once;
//! - [`saturation`]: equality saturation over the whole program, from which the cheapest program found is taken;
//! - [`explain`](mod@explain): the same once more, with the plan after every stage and what each rule saved.
//!
//! Nodes are costed one by one where programs are searched ([`cost`]); between whole programs the plans decide.
//!
//! **Invariant:** nothing here depends on time, on hash order or on the process: the same graph and [`Options`] give the same
//! graph and the same report.

pub mod batching;
pub mod cost;
pub mod explain;
mod options;
mod report;
pub mod rewriter;
pub mod rules;
pub mod saturation;
pub mod stabilise;

pub use cost::graph_flops;
pub use options::{Level, Options};
pub use report::{Report, StageReport};
pub use stabilise::{stabilise, stabilise_expr};

use crate::Result;
use crate::ir::Graph;
use crate::plan::{self, PlanSummary};
use cost::Rates;
use rewriter::{Fired, Rule};

/// Workers for whom alternatives are planned to be compared.
const PLANNED_WORKERS: usize = 2;

/// Whether an alternative is taken: where it is cheaper by more than one in this many. Less is below what the model can tell.
const GAIN: u64 = 200;

fn is_gain(alternative: u64, cost: u64) -> bool {
    alternative < cost - cost / GAIN
}

/// Optimises a program. Differentiation must be over: gradient stops are removed.
///
/// # Errors
/// [`Error::Ir`](crate::Error::Ir) when the graph is ill-formed.
pub fn optimise(graph: &Graph, options: &Options) -> Result<(Graph, Report)> {
    optimise_with(graph, options, &mut |_, _| {})
}

/// [`optimise`], showing `observe` the program after each stage.
///
/// # Errors
/// Those of [`optimise`].
pub fn optimise_with(
    graph: &Graph,
    options: &Options,
    observe: &mut dyn FnMut(&'static str, &Graph),
) -> Result<(Graph, Report)> {
    let mut report = Report::default();
    let mut stage = |report: &mut Report, name, graph: &Graph, run: &mut dyn FnMut(&Graph, &mut Fired) -> Result<Graph>| {
        let out = stage(report, &options.rates, name, graph, run)?;
        observe(name, &out);
        Ok::<_, crate::Error>(out)
    };
    let mut dead = |graph: &Graph, fired: &mut Fired| {
        let compact = rewriter::compact(graph)?;
        if compact.nodes.len() < graph.nodes.len() {
            fired.insert("dead-code", graph.nodes.len() - compact.nodes.len());
        }
        Ok(compact)
    };
    let mut current = stage(&mut report, "dead code", graph, &mut dead)?;
    if options.level == Level::Off {
        return Ok((current, report));
    }
    let basic: Vec<Rule> = [stabilise::RULES, &rules::basic()].concat();
    current = stage(&mut report, "graph rules", &current, &mut |graph, fired| {
        rewriter::to_fixpoint(graph, &basic, options.rounds, fired)
    })?;
    if options.level == Level::GraphRules {
        return Ok((current, report));
    }
    // Stabilised: what is mandatory is never chosen by cost.
    let input = current.clone();
    let fast = if options.fast { rules::fast() } else { Vec::new() };
    let rules: Vec<Rule> = [stabilise::RULES, &rules::all(), &fast].concat();
    current = stage(&mut report, "directed rules", &current, &mut |graph, fired| {
        rewriter::to_fixpoint(graph, &rules, options.rounds, fired)
    })?;
    if options.level == Level::Directed {
        return Ok((current, report));
    }
    let input_cost = planned(&input, options)?;
    let mut cost = planned(&current, options)?;
    let mut notes = Vec::new();
    current = stage(&mut report, "shared-weight batching", &current, &mut |graph, fired| {
        let batched = if options.batching { batching::batch(graph)? } else { None };
        let Some(batched) = batched else { return Ok(graph.clone()) };
        let mut also = Fired::new();
        let batched = rewriter::to_fixpoint(&batched, &rules, options.rounds, &mut also)?;
        let batched_cost = planned(&batched, options)?;
        if !is_gain(batched_cost, cost) {
            notes.push(format!("not taken: its plan would cost {} ns, {} without it", batched_cost / 1000, cost / 1000));
            return Ok(graph.clone());
        }
        cost = batched_cost;
        *fired = also;
        fired.insert(batching::NAME, 1);
        Ok(batched)
    })?;
    if let Some(stage) = report.stages.last_mut() {
        stage.notes = notes;
    }
    let mut notes = Vec::new();
    let searched = stage(&mut report, "equality saturation", &current, &mut |graph, fired| {
        let (found, learnt, facts) = saturation::search(graph, &saturation::rules::all(), options)?;
        *fired = learnt;
        let ended = if facts.saturated { "saturated" } else { "stopped" };
        notes.push(format!(
            "{ended} after {} rounds, {} e-nodes in {} classes",
            facts.iterations, facts.nodes, facts.classes
        ));
        notes.push(format!("extraction tried {} choices and kept {}", facts.tried, facts.kept));
        Ok(found)
    })?;
    if let Some(stage) = report.stages.last_mut() {
        stage.notes = notes;
    }
    let mut notes = Vec::new();
    let tidied = stage(&mut report, "directed rules, again", &searched, &mut |searched, fired| {
        let out = rewriter::to_fixpoint(searched, &rules, options.rounds, fired)?;
        // What the search compares are estimates of single nodes; what counts is the plan.
        let after = if out == current { cost } else { planned(&out, options)? };
        if is_gain(after, cost) {
            cost = after;
            return Ok(out);
        }
        if out != current {
            notes.push(format!("not taken: its plan would cost {} ns, {} without the search", after / 1000, cost / 1000));
        }
        fired.clear();
        Ok(current.clone())
    })?;
    if let Some(stage) = report.stages.last_mut() {
        stage.notes = notes;
    }
    // Never worse than what came in.
    if cost > input_cost {
        let back = |_: &Graph, _: &mut Fired| Ok(input.clone());
        let out = stage(&mut report, "graph rules alone", &tidied, &mut { back })?;
        return Ok((out, report));
    }
    Ok((tidied, report))
}

/// Cost of the program's plan. What is chosen does not depend on the number of workers that a program is built for.
fn planned(graph: &Graph, options: &Options) -> Result<u64> {
    Ok(compared(graph, options)?.time)
}

/// The plan that programs are compared by, in numbers.
fn compared(graph: &Graph, options: &Options) -> Result<PlanSummary> {
    let plan_options = plan::Options { rates: options.rates, ..plan::Options::new(PLANNED_WORKERS) };
    Ok(plan::plan(graph, &plan_options)?.summary)
}

/// Runs one stage and records it.
fn stage(
    report: &mut Report,
    rates: &Rates,
    name: &'static str,
    graph: &Graph,
    run: &mut dyn FnMut(&Graph, &mut Fired) -> Result<Graph>,
) -> Result<Graph> {
    let mut fired = Fired::new();
    let out = run(graph, &mut fired)?;
    let (before, after) = (rates.graph(graph), rates.graph(&out));
    report.stages.push(StageReport { name, before, after, fired, notes: Vec::new() });
    Ok(out)
}
