//! The table as Markdown.

use crate::results::{Measure, Outcome};
use crate::rows::Row;
use std::fmt::Write;
use std::path::Path;

/// What is known of a row.
pub struct Known<'a> {
    /// The row.
    pub row: &'a Row,
    /// Its kept result.
    pub outcome: Option<Outcome>,
    /// Whether code or settings have changed since.
    pub stale: bool,
}

/// The whole page; `root` is where pictures are looked for.
pub fn page(rows: &[Known<'_>], root: &Path) -> String {
    let passed = rows.iter().filter(|known| known.outcome.as_ref().is_some_and(Outcome::passes)).count();
    let runs = rows.iter().filter_map(|known| known.outcome.as_ref()).flat_map(|outcome| &outcome.runs);
    let mut machines: Vec<usize> = runs.map(|run| run.processors).collect();
    machines.sort_unstable();
    machines.dedup();
    let machines = machines.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
    let mut text = format!(
        "# The zoo\n\nMade by `cargo run --release --example zoo`, which runs every example whose code or settings changed and keeps what it \
         printed; `--row N` runs one. Minutes are those of all commands of a row on {machines} processors, steps those of all their fits \
         that left a run folder. A row passes when every judged measure is within its limit; rows that fail stay, and the head of their \
         example says what was tried.\n\n",
    );
    let _ = writeln!(text, "**{passed} of {} rows pass.**\n", rows.len());
    text += "| # | system | objective | data | steps | minutes | judged | result |\n|---|---|---|---|---|---|---|---|\n";
    for known in rows {
        let Row { number, system, objective, data, .. } = known.row;
        let none = || "–".to_string();
        let outcome = known.outcome.as_ref();
        let steps = outcome.map_or(0, |outcome| outcome.runs.iter().map(|run| run.steps).sum::<u64>());
        let steps = if steps == 0 { none() } else { steps.to_string() };
        let minutes = outcome
            .map_or_else(none, |outcome| format!("{:.1}", outcome.runs.iter().map(|run| run.seconds).sum::<f64>() / 60.0));
        let judged = outcome.map_or_else(|| "not run yet".to_string(), summary);
        let _ = writeln!(
            text,
            "| [{number}](#{number}) | {system} | {} | {data} | {steps} | {minutes} | {judged} | {} |",
            escaped(objective),
            verdict(known)
        );
    }
    rows.iter().for_each(|known| text += &section(known, root));
    text
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

fn verdict(known: &Known<'_>) -> &'static str {
    match &known.outcome {
        None => "–",
        Some(_) if known.stale => "stale",
        Some(outcome) if outcome.passes() => "pass",
        Some(_) => "**fail**",
    }
}

/// The judged measures, or how many there are.
fn summary(outcome: &Outcome) -> String {
    let judged: Vec<&Measure> = outcome.judged().collect();
    match judged.len() {
        0 => "nothing".into(),
        1..=3 => {
            let each: Vec<String> = judged.iter().map(|m| format!("{} {} ({})", m.name, m.value, m.limit)).collect();
            each.join(", ")
        }
        n => format!("{} of {n} measures within their limits", judged.iter().filter(|measure| measure.pass).count()),
    }
}

fn section(known: &Known<'_>, root: &Path) -> String {
    let row = known.row;
    let mut text = format!("\n## {}\n\n**{}**: {}; data: {}.", row.number, row.system, row.objective, row.data);
    if !row.published.is_empty() {
        let _ = write!(text, " Published: {}.", row.published);
    }
    text += "\n\n";
    for run in row.runs {
        let arguments: String = run.arguments.iter().map(|argument| format!(" {argument}")).collect();
        let separator = if arguments.is_empty() { "" } else { " --" };
        let _ = writeln!(text, "- `cargo run --release --example {}{separator}{arguments}`", run.example);
    }
    let picture = format!("docs/zoo/{:02}.png", row.number);
    if root.join(&picture).is_file() {
        let _ = writeln!(text, "\n![samples of {}]({picture})", row.system);
    }
    let Some(outcome) = &known.outcome else { return text };
    for (run, ran) in row.runs.iter().zip(&outcome.runs) {
        if let Some(failure) = &ran.failure {
            let _ = writeln!(text, "\n`{}` ended early: {failure}.", run.example);
        }
    }
    text += "\n| measure | value | limit | |\n|---|---|---|---|\n";
    for Measure { name, value, limit, pass } in outcome.measures() {
        let verdict = match (limit.as_str(), pass) {
            ("-", _) => "",
            (_, true) => "pass",
            (_, false) => "**fail**",
        };
        let _ = writeln!(text, "| {name} | {value} | {} | {verdict} |", limit.trim_matches('-'));
    }
    text
}
