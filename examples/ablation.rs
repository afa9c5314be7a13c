//! What the optimiser does, switched on level by level: the tables of docs/optimiser.md.
//!
//! `cargo run --release --example ablation`, or some programs by name.

use clap::Parser;
use clap::builder::PossibleValuesParser;
use saddlepoint::compiler::rewrite::Level;
use saddlepoint::prelude::*;
use saddlepoint_workloads::ablation::{Ablated, Trial};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Builds each program at every level of the optimiser and times steps of all of them in turns.
#[derive(Parser)]
struct Options {
    /// Which programs; all if none is named.
    #[arg(value_parser = PossibleValuesParser::new(Ablated::ALL.map(Ablated::name)))]
    programs: Vec<String>,
    /// Seconds of measuring for each program; 0 leaves the milliseconds out.
    #[arg(long, default_value_t = 12.0)]
    seconds: f64,
    /// Print what the optimiser says of each program, too.
    #[arg(long)]
    explain: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let named: Vec<Ablated> = options.programs.iter().filter_map(|name| Ablated::named(name)).collect();
    let programs = if named.is_empty() { Ablated::ALL.to_vec() } else { named };
    println!(
        "| program | optimiser | nodes | GFLOP | MB moved | kernels | barriers | arena, MB | modelled, ms | step, ms | build, s | of it optimiser, s |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for program in programs {
        if let Err(error) = rows(program, &options) {
            eprintln!("error: {}: {error}", program.name());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn rows(program: Ablated, options: &Options) -> saddlepoint::Result<()> {
    let mut trials: Vec<(Level, Trial, Vec<f64>)> = Vec::new();
    for level in Level::ALL {
        trials.push((level, program.build(Config::new().seed(0).optimisation(level))?, Vec::new()));
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs_f64(options.seconds) {
        for (_, trial, times) in &mut trials {
            // The first step after another program finds its caches cold.
            trial.step()?;
            for _ in 0..4 {
                let start = Instant::now();
                trial.step()?;
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    for (level, trial, times) in &mut trials {
        times.sort_by(f64::total_cmp);
        let step = times.get(times.len() / 10).map_or(String::new(), |seconds| format!("{:.3}", 1e3 * seconds));
        let engine = trial.engine();
        let [build, optimiser] = engine.build_seconds();
        let turns = engine.turns();
        let sum = |of: fn(&saddlepoint_workloads::TurnSummary) -> f64| -> f64 { turns.iter().map(of).sum() };
        println!(
            "| {} | {} | {} | {:.3} | {:.1} | {} | {} | {:.1} | {:.3} | {step} | {build:.2} | {optimiser:.3} |",
            program.name(),
            level.name(),
            turns.iter().map(|t| t.nodes).sum::<usize>(),
            sum(|t| t.steps as f64 * t.plan.contraction_flops as f64) / 1e9,
            sum(|t| t.steps as f64 * t.plan.bytes as f64) / 1e6,
            sum(|t| (t.plan.kernels + t.plan.contractions) as f64),
            sum(|t| t.plan.barriers as f64),
            turns.iter().map(|t| t.plan.arena_bytes).max().unwrap_or(0) as f64 / 1e6,
            sum(|t| t.steps as f64 * t.plan.time as f64) / 1e9,
        );
        if options.explain {
            println!("\n```text\n{}```\n", engine.explain());
        }
    }
    Ok(())
}
