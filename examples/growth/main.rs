//! How the time of a step grows with its work: the workloads at batches from 16 to 1024 and at up to eight times their width, as a
//! table and as a picture.
//!
//! `cargo run --release --example growth` renews `docs/growth.svg` and `docs/growth.csv`.

mod picture;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use indicatif::{ProgressBar, ProgressStyle};
use saddlepoint_workloads::Workload;
use saddlepoint_workloads::growth::{self, Point};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures steps of growing work, each size for some seconds in several rounds, in an order that follows neither batch nor width.
#[derive(Parser)]
struct Options {
    /// Which workloads.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = Workload::FOUR.map(|w| w.name().to_string()),
        value_parser = PossibleValuesParser::new(Workload::ALL.map(Workload::name))
    )]
    workloads: Vec<String>,
    /// Seconds of measuring for each point and round.
    #[arg(long, default_value_t = 1.5)]
    seconds: f64,
    /// How often each point is measured; the better round counts.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Only the ends of each axis, once, and shortly.
    #[arg(long)]
    quick: bool,
    /// The picture to write; the table goes beside it.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/growth.svg"))]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let workloads: Vec<Workload> = options.workloads.iter().filter_map(|name| Workload::named(name)).collect();
    let mut points = growth::points(&workloads, options.quick);
    let (seconds, rounds) = if options.quick { (options.seconds.min(0.3), 1) } else { (options.seconds, options.rounds) };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").map_err(|e| e.to_string())?;
    let bar = ProgressBar::new((rounds * points.len()) as u64).with_style(style);
    let done = |point: &Point| {
        bar.set_message(format!("{} {} {:?}", point.workload.name(), point.axis.name(), point.size));
        bar.inc(1);
    };
    let peak = growth::measure(&mut points, seconds, rounds, &done).map_err(|e| e.to_string())?;
    bar.finish_and_clear();
    let table = options.out.with_extension("csv");
    let csv = growth::csv(&points, peak);
    std::fs::write(&table, &csv).map_err(|e| format!("{}: {e}", table.display()))?;
    picture::save(&options.out, &points, peak)?;
    print!("{csv}");
    Ok(())
}
