//! The workloads on which saddlepoint is measured (`benches/workloads/`), each in a process of its own.
//!
//! `cargo run --release --example workloads -- w1 w2 w3 w4`, or `residual gru dcgan64`: the models that nothing was tuned on.

use clap::Parser;
use clap::builder::PossibleValuesParser;
use saddlepoint_workloads::{Running, Workload, measure};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// How long a profile takes at most.
const PROFILING: Duration = Duration::from_secs(8);

/// Measures saddlepoint's steps: for each workload median and tenth percentile of a step, build time, the part of the machine's
/// GEMM peak that the useful work of a step reaches at the tenth percentile, peak memory and number of steps; then the work.
#[derive(Parser)]
struct Options {
    /// Which workloads; the first four if none is named.
    #[arg(value_parser = PossibleValuesParser::new(Workload::ALL.map(Workload::name)))]
    workloads: Vec<String>,
    /// Seconds of measuring for each.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Worker threads; one a core if absent.
    #[arg(long)]
    workers: Option<usize>,
    /// Print what the compiler made of them instead.
    #[arg(long)]
    explain: bool,
    /// Print where the time of a step goes instead: this many of the longest parts of each turn.
    #[arg(long, value_name = "PARTS", num_args = 0..=1, default_missing_value = "12")]
    profile: Option<usize>,
    /// Measure in this process: what the others are started with.
    #[arg(long, hide = true)]
    here: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let named = options.workloads.iter().filter_map(|name| Workload::named(name));
    let workloads: Vec<Workload> = if options.workloads.is_empty() { Workload::FOUR.to_vec() } else { named.collect() };
    for workload in workloads {
        let outcome = if options.here || options.explain || options.profile.is_some() {
            here(workload, &options).map_err(|e| e.to_string())
        } else {
            in_child(workload, &options)
        };
        if let Err(message) = outcome {
            eprintln!("error: {}: {message}", workload.name());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Measures in a process of its own, so that peak memory and build time are this workload's.
fn in_child(workload: Workload, options: &Options) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|e| format!("the path of this program is not known: {e}"))?;
    let mut command = Command::new(program);
    command.args([workload.name(), "--here", "--seconds", &options.seconds.to_string()]);
    if let Some(workers) = options.workers {
        command.args(["--workers", &workers.to_string()]);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the measuring process ended with {status}")),
        Err(e) => Err(format!("the measuring process does not start: {e}")),
    }
}

fn here(workload: Workload, options: &Options) -> saddlepoint::Result<()> {
    let build = || workload.build(workload.size(), options.workers);
    if options.explain {
        println!("{}", build()?.explain());
    } else if let Some(parts) = options.profile {
        profile(workload, &mut build()?, parts)?;
    } else {
        println!("{}", measure(workload, options.seconds, options.workers)?.lines());
    }
    Ok(())
}

/// Prints the longest parts of a step, each at its fastest of many steps: a table of time, share of all parts, speed, what.
fn profile(workload: Workload, running: &mut Running, longest: usize) -> saddlepoint::Result<()> {
    let mut best = running.profile()?;
    // Long steps vary less, and nobody waits half a minute for a profile.
    let began = Instant::now();
    for _ in 0..30 {
        if began.elapsed() >= PROFILING {
            break;
        }
        for (turn, other) in best.iter_mut().zip(running.profile()?) {
            for (part, other) in turn.parts.iter_mut().zip(other.parts) {
                part.seconds = part.seconds.min(other.seconds);
            }
        }
    }
    let all: f64 = best.iter().flat_map(|turn| &turn.parts).map(|part| part.seconds).sum();
    println!("profile {} of {:.3} ms in all parts", workload.name(), 1e3 * all);
    for mut turn in best {
        let (flops, of_contractions) = turn
            .parts
            .iter()
            .filter(|p| p.contraction_flops > 0)
            .fold((0, 0.0), |(f, s), p| (f + p.contraction_flops, s + p.seconds));
        let sum: f64 = turn.parts.iter().map(|p| p.seconds).sum();
        println!(
            "turn {}: {:.3} ms in {} parts; products and convolutions {:.3} ms at {:.1} GFLOP/s, kernels {:.3} ms",
            turn.players.join("+"),
            1e3 * sum,
            turn.parts.len(),
            1e3 * of_contractions,
            flops as f64 / of_contractions / 1e9,
            1e3 * (sum - of_contractions)
        );
        turn.parts.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        for part in turn.parts.iter().take(longest) {
            let speed = match part.contraction_flops {
                0 => String::new(),
                flops => format!("{:.1} GFLOP/s", flops as f64 / part.seconds / 1e9),
            };
            println!("{:9.1} us {:5.1}% {speed:>14}  {}", 1e6 * part.seconds, 100.0 * part.seconds / all, part.what);
        }
    }
    Ok(())
}
