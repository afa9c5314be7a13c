//! How long models take from their text to compiled programs: the workloads, and the two models of sentences whose programs are the
//! largest.
//!
//! `cargo run --release --example builds`

use saddlepoint::prelude::*;
use saddlepoint_workloads::Workload;
use saddlepoint_workloads::sentences::{SeqGan, Summary, SummaryConsts};
use std::process::ExitCode;
use std::time::Instant;

/// Words of the summaries' vocabulary.
const VOCABULARY: usize = 2_000;

fn main() -> ExitCode {
    match measured() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measured() -> saddlepoint::Result<()> {
    println!("{:<10} {:>8} {:>9} {:>9} {:>13}", "model", "seconds", "kernels", "distinct", "contractions");
    for workload in Workload::ALL {
        let began = Instant::now();
        let running = workload.build(workload.size(), None)?;
        line(workload.name(), began, running.engine());
    }
    let config = || Config::new().batch(64).seed(0);
    let began = Instant::now();
    line("seqgan", began, SeqGan::build(config())?.engine());
    let began = Instant::now();
    line("summary", began, Summary::build(SummaryConsts { V: VOCABULARY }, config())?.engine());
    Ok(())
}

/// Seconds of the build just done, and what it made of all turns.
fn line(name: &str, began: Instant, engine: &saddlepoint_workloads::Engine) {
    let seconds = began.elapsed().as_secs_f64();
    let turns = engine.turns();
    let sum = |of: &dyn Fn(&saddlepoint_workloads::TurnSummary) -> usize| turns.iter().map(of).sum::<usize>();
    let [kernels, distinct] = [sum(&|t| t.plan.kernels), sum(&|t| t.plan.distinct_kernels)];
    println!("{name:<10} {seconds:>8.2} {kernels:>9} {distinct:>9} {:>13}", sum(&|t| t.plan.contractions));
}
