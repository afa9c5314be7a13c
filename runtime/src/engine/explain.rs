//! What the compiler made of a model, as text and as a page.

use super::build::turn_name;
use super::{Engine, Turn};
use crate::error::Result;
use saddlepoint_compiler::ir::Graph;
use saddlepoint_compiler::rewrite::{self, explain::Explanation};

impl Engine {
    /// What the compiler made of the model: per program and stage nodes, FLOPs, bytes, kernels, memory and modelled time, and what each
    /// rule saved. On a GPU also how long the latest runs of every turn took, by the device's own clock. The programs are optimised once more for it, which takes a few times as long as the build.
    pub fn explain(&self) -> String {
        let mut text = self.heading();
        self.measured().iter().for_each(|line| text += &format!("{line}\n"));
        match self.explanations() {
            Ok(all) => all.iter().for_each(|(name, explanation)| text += &format!("\n{name}\n{explanation}")),
            Err(error) => text += &format!("\n{error}\n"),
        }
        text
    }

    /// [`Engine::explain`] as a page of HTML that needs nothing beside it.
    #[cfg(feature = "report")]
    pub fn explain_html(&self) -> String {
        let programs = self.explanations();
        let page = maud::html! {
            (maud::DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.name) ": what the compiler made of it" }
                    style { (maud::PreEscaped(STYLE)) }
                }
                body {
                    h1 { (self.name) }
                    p { (self.heading()) }
                    @for line in self.measured() { p { (line) } }
                    @match &programs {
                        Ok(all) => @for (name, explanation) in all { (program(name, explanation)) },
                        Err(error) => p { (error) },
                    }
                }
            }
        };
        page.into_string()
    }

    pub(super) fn heading(&self) -> String {
        format!("model {}, batch {}, {}\n", self.name, self.config.batch_size(), self.device.describe())
    }

    /// How long the latest runs of each turn took on a device that keeps times: the median, the least and the most.
    fn measured(&self) -> Vec<String> {
        let line = |turn: &Turn| {
            let mut times = turn.program.executable.times().ok().filter(|times| !times.is_empty())?;
            times.sort_by(f64::total_cmp);
            let [median, least, most] = [times.len() / 2, 0, times.len() - 1].map(|i| times[i] * 1e3);
            let (name, runs) = (turn_name(&self.resolved, &turn.players), times.len());
            Some(format!(
                "{name}: {median:.3} ms a run on the device (median of the latest {runs}; {least:.3} to {most:.3})"
            ))
        };
        self.turns.iter().filter_map(line).collect()
    }

    /// All programs with what was done to them.
    fn explanations(&self) -> Result<Vec<(String, Explanation)>> {
        let (resolved, programs) = self.lowered(|_| {})?;
        let mut named: Vec<(String, Graph)> = Vec::new();
        for turn in programs.turns {
            named.push((turn_name(&resolved, &turn.players), turn.graph));
        }
        named.extend(programs.metrics.map(|graph| ("metrics".to_string(), graph)));
        let outputs = programs.outputs.into_iter();
        named.extend(outputs.map(|output| (format!("output {}", resolved.outputs[output.output].name), output.graph)));
        let options = self.config.rewrite_options();
        let explain = |(name, graph): (String, Graph)| Ok((name, rewrite::explain::explain(&graph, &options)?));
        named.into_iter().map(explain).collect()
    }
}

#[cfg(feature = "report")]
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2733;\
background:#fff}table{border-collapse:collapse;margin:0 0 1.5rem}th,td{padding:.2rem .8rem;border-bottom:1px solid #d8dee5;text-align:right}\
th:first-child,td:first-child{text-align:left}code{font-size:.9em}.wide{overflow-x:auto}\
@media(prefers-color-scheme:dark){body{background:#12181f;color:#e3e9ef}th,td{border-color:#33404d}}";

#[cfg(feature = "report")]
fn program(name: &str, explanation: &Explanation) -> maud::Markup {
    maud::html! {
        section {
            h2 { (name) }
            div.wide { table {
                thead { tr {
                    th scope="col" { "stage" } th scope="col" { "nodes" } th scope="col" { "MFLOP" } th scope="col" { "MB moved" }
                    th scope="col" { "kernels" } th scope="col" { "barriers" } th scope="col" { "peak memory, MB" }
                    th scope="col" { "modelled, µs" }
                } }
                tbody { @for stage in &explanation.stages { tr {
                    th scope="row" { (stage.name) }
                    td { (stage.nodes) }
                    td { (format!("{:.3}", stage.flops as f64 / 1e6)) }
                    td { (format!("{:.3}", stage.plan.bytes as f64 / 1e6)) }
                    td { (stage.plan.kernels + stage.plan.contractions) }
                    td { (stage.plan.barriers) }
                    td { (format!("{:.3}", stage.plan.arena_bytes as f64 / 1e6)) }
                    td { (format!("{:.1}", stage.plan.time as f64 / 1e6)) }
                } } }
            } }
            @if let Some(gain) = explanation.gain() {
                p { (format!("{gain:.1}% of the modelled time saved beside plain graph rules.")) }
            }
            @for stage in explanation.stages.iter().filter(|stage| !stage.rules.is_empty() || !stage.notes.is_empty()) {
                details {
                    summary { (stage.name) ": " (stage.rules.iter().map(|(_, n, _)| n).sum::<usize>()) " applications of rules" }
                    @for note in &stage.notes { p { (note) } }
                    table {
                        thead { tr { th scope="col" { "rule" } th scope="col" { "times" } th scope="col" { "saved, ns" } } }
                        tbody { @for (rule, n, saved) in &stage.rules { tr {
                            th scope="row" { code { (rule) } }
                            td { (n) }
                            td { @if let Some(saved) = saved { (saved) } }
                        } } }
                    }
                }
            }
        }
    }
}
