//! The table of all systems, ZOO.md: runs the examples behind it, keeps what they measured, and writes the page.
//!
//! `cargo run --release --example zoo`: every row whose code or settings changed since it was measured; `--row 23` one row, whether or not
//! it changed; `--page` only the page.

mod page;
mod results;
mod rows;

use clap::Parser;
use page::Known;
use rows::ROWS;
use std::io;
use std::path::Path;

/// Measures the systems and writes ZOO.md.
#[derive(Parser)]
struct Options {
    /// Run this row, whether or not it changed; may be given more than once.
    #[arg(long, value_name = "N")]
    row: Vec<u32>,
    /// Run nothing; write the page of what was measured.
    #[arg(long)]
    page: bool,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(unknown) = options.row.iter().find(|n| ROWS.iter().all(|row| row.number != **n)) {
        let known: Vec<String> = ROWS.iter().map(|row| row.number.to_string()).collect();
        return Err(io::Error::other(format!("there is no row {unknown}; there are {}", known.join(", "))));
    }
    let mut all = Vec::new();
    for row in ROWS {
        let code = results::code_of(row, root)?;
        let mut outcome = results::kept(row, root);
        let stale = |outcome: &Option<results::Outcome>| outcome.as_ref().is_none_or(|outcome| outcome.code != code);
        let wanted = if options.row.is_empty() { stale(&outcome) } else { options.row.contains(&row.number) };
        if wanted && !options.page {
            println!("row {}: {}", row.number, row.system);
            outcome = Some(results::run(row, root)?);
        }
        let stale = stale(&outcome);
        all.push(Known { row, outcome, stale });
        // After every row, so that an interruption loses one at most.
        if wanted && !options.page {
            write(&all, root)?;
        }
    }
    write(&all, root)
}

/// Writes the page of these rows, and of the kept results of those behind them.
fn write(all: &[Known<'_>], root: &Path) -> io::Result<()> {
    let mut rows: Vec<Known<'_>> = Vec::new();
    for (number, row) in ROWS.iter().enumerate() {
        let outcome = match all.get(number) {
            Some(known) => known.outcome.clone(),
            None => results::kept(row, root),
        };
        let code = results::code_of(row, root)?;
        let stale = outcome.as_ref().is_some_and(|outcome| outcome.code != code);
        rows.push(Known { row, outcome, stale });
    }
    std::fs::write(root.join("ZOO.md"), page::page(&rows, root))
}
