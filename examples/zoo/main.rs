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
        let mut outcome = results::kept(row, root);
        let stale = |outcome: &Option<results::Outcome>| outcome.as_ref().map_or(Ok(true), |kept| kept.is_stale(row, root));
        let asked = options.row.contains(&row.number);
        let wanted = if options.row.is_empty() { stale(&outcome)? } else { asked };
        if wanted && !options.page {
            println!("row {}: {}", row.number, row.system);
            outcome = Some(results::run(row, root, asked)?);
        }
        let stale = stale(&outcome)?;
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
    std::fs::write(root.join("ZOO.md"), page_of(all, root)?)
}

fn page_of(all: &[Known<'_>], root: &Path) -> io::Result<String> {
    let mut rows: Vec<Known<'_>> = Vec::new();
    for (number, row) in ROWS.iter().enumerate() {
        let outcome = match all.get(number) {
            Some(known) => known.outcome.clone(),
            None => results::kept(row, root),
        };
        let stale = outcome.as_ref().map_or(Ok(false), |kept| kept.is_stale(row, root))?;
        rows.push(Known { row, outcome, stale });
    }
    Ok(page::page(&rows, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_kept_results_make() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let written = std::fs::read_to_string(root.join("ZOO.md")).unwrap().replace("\r\n", "\n");
        let same = page_of(&[], root).unwrap() == written;
        assert!(same, "an example or a result has changed: `cargo run --release --example zoo -- --page` says so in ZOO.md");
    }

    #[test]
    fn every_system_of_the_objective_family_has_a_row() {
        let numbers: Vec<u32> = ROWS.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=7).chain(20..=31).collect::<Vec<_>>());
    }
}
