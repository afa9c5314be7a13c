//! How much faster the steps of the workloads are on several workers than on one, the counts in turns.
//!
//! `cargo run --release --example worker_counts`

use clap::Parser;
use clap::builder::PossibleValuesParser;
use saddlepoint_workloads::{Workload, workers};
use std::process::ExitCode;

/// Prints a table: milliseconds of a step that a tenth of the steps did not exceed, for each count of workers, and how many times
/// faster it is than with the first count.
#[derive(Parser)]
struct Options {
    /// Which workloads; all if none is named.
    #[arg(value_parser = PossibleValuesParser::new(Workload::ALL.map(Workload::name)))]
    workloads: Vec<String>,
    /// Counts of workers to compare.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    counts: Vec<usize>,
    /// Seconds of measuring for each workload and count.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let named = options.workloads.iter().filter_map(|name| Workload::named(name));
    let workloads: Vec<Workload> = if options.workloads.is_empty() { Workload::ALL.to_vec() } else { named.collect() };
    let headings = options.counts.iter().map(|n| format!(" {n} worker{}, ms |", if *n == 1 { "" } else { "s" }));
    let faster = options.counts.iter().skip(1).map(|n| format!(" {n} against {} |", options.counts[0]));
    println!("| |{}", headings.chain(faster).collect::<String>());
    println!("|---|{}", "---:|".repeat((2 * options.counts.len()).saturating_sub(1)));
    for workload in workloads {
        match workers::compare(workload, &options.counts, options.seconds) {
            Ok(times) => {
                let seconds: Vec<f64> = times.iter().map(|times| times.quantile(0.1)).collect();
                let cells = seconds.iter().map(|s| format!(" {:.3} |", 1e3 * s));
                let faster = seconds.iter().skip(1).map(|s| format!(" {:.2}× |", seconds[0] / s));
                println!("| {} |{}", workload.name(), cells.chain(faster).collect::<String>());
            }
            Err(error) => {
                eprintln!("error: {}: {error}", workload.name());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
