//! What the stages did: a part of `explain()`.

use super::cost::Cost;
use super::rewriter::Fired;
use std::fmt;

/// One stage of the optimisation.
#[derive(Clone, Debug, PartialEq)]
pub struct StageReport {
    /// Its name.
    pub name: &'static str,
    /// The graph that came in.
    pub before: Cost,
    /// The graph that went out.
    pub after: Cost,
    /// How often each rule fired, by name.
    pub fired: Fired,
    /// Facts about the search, such as the size of the e-graph.
    pub notes: Vec<String>,
}

/// All stages of one graph's optimisation, in order. The same graph and options give the same report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In the order in which they ran.
    pub stages: Vec<StageReport>,
}

impl Report {
    /// How often a rule fired in all stages.
    pub fn fired(&self, rule: &str) -> usize {
        self.stages.iter().filter_map(|s| s.fired.get(rule)).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for stage in &self.stages {
            let (a, b) = (&stage.before, &stage.after);
            writeln!(f, "{}", stage.name)?;
            writeln!(f, "  nodes     {:>12} -> {:>12}", a.nodes, b.nodes)?;
            writeln!(f, "  products  {:>12} -> {:>12}", a.products, b.products)?;
            writeln!(f, "  FLOPs     {:>12} -> {:>12}", a.flops, b.flops)?;
            writeln!(f, "  bytes     {:>12} -> {:>12}", a.bytes, b.bytes)?;
            writeln!(f, "  estimate  {:>12} -> {:>12} ns", a.time / 1000, b.time / 1000)?;
            for note in &stage.notes {
                writeln!(f, "  {note}")?;
            }
            for (rule, n) in &stage.fired {
                writeln!(f, "  {n:>5} x {rule}")?;
            }
        }
        Ok(())
    }
}
