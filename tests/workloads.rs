//! The workloads of `benches/workloads/` do the work they are said to do. That they compute the right thing, `parity.rs` shows.

use saddlepoint::compiler::rewrite::Level;
use saddlepoint::prelude::*;
use saddlepoint_workloads::Workload;
use saddlepoint_workloads::ablation::Ablated;

#[test]
fn useful_work_is_the_published_constant() {
    for (workload, gflop) in Workload::FOUR.into_iter().zip(["0.206", "1.443", "2.675", "13.17"]) {
        let digits = gflop.len() - 1 - gflop.find('.').expect("a decimal point");
        assert_eq!(format!("{:.digits$}", workload.useful_flops(workload.size()) / 1e9), gflop, "{}", workload.name());
    }
}

#[test]
fn products_executed_are_those_counted_by_hand() {
    // Where a critic's loss is the mean of its results, their cotangents are one constant: the gradient of the last layer's weight
    // is a sum over the batch, that of its input the weight itself. Each of the five critic steps saves both for real and fake
    // samples, and the sum that is left of the penalty's product with this weight; the generator's step saves one.
    let last_layer = 2 * 64 * 64 * 7 * 7;
    for (workload, saved) in Workload::FOUR.into_iter().zip([0, 0, 0, (5 * 5 + 1) * last_layer]) {
        let mut running = workload.build(workload.size(), Some(2)).expect("the workload builds");
        running.step().expect("a step");
        let (executed, useful) = (running.executed_flops(), workload.useful_flops(workload.size()));
        assert_eq!(executed + f64::from(saved), useful, "{}", workload.name());

        let profile = running.profile().expect("a step");
        let parts = profile.iter().flat_map(|turn| &turn.parts);
        let (flops, seconds) = parts.fold((0, 0.0), |(f, s), p| (f + p.contraction_flops, s + p.seconds));
        // Short products are parts of kernels.
        let written_out: usize = running.engine().turns().iter().map(|t| t.steps * t.plan.written_out_flops).sum();
        assert_eq!((flops + written_out) as f64, executed, "the profile of {} covers all turns", workload.name());
        assert!(seconds > 0.0);
    }
}

#[test]
fn unseen_models_execute_the_products_counted_by_hand() {
    for workload in Workload::UNSEEN {
        let running = workload.build(workload.size(), Some(2)).expect("the workload builds");
        let more = running.executed_flops() / workload.useful_flops(workload.size()) - 1.0;
        // Spectral norm's products of a weight with one vector are executed and not counted.
        let allowed = if workload == Workload::Residual { 1e-4 } else { 0.0 };
        assert!((0.0..=allowed).contains(&more), "{}: {more} more than the useful work", workload.name());
    }
}

/// Steps' work and the modelled picoseconds of all turns, at a level of the optimiser.
fn at(level: Level, program: Ablated) -> (usize, u64) {
    let mut trial = program.build(Config::new().workers(2).optimisation(level)).expect("the program builds");
    let turns = trial.engine().turns();
    let flops = turns.iter().map(|t| t.steps * t.plan.contraction_flops).sum();
    (flops, turns.iter().map(|t| t.steps as u64 * t.plan.time).sum())
}

#[test]
fn graph_rules_leave_the_work_counted_by_hand() {
    // Each critic step of WGAN-GP begins the penalty's gradient with a product of ones and the last layer's weight, which none of these
    // rules removes; the hand does not count it.
    let ones = 2 * 64 * 64 * 7 * 7;
    for (workload, more) in Workload::FOUR.into_iter().zip([0, 0, 0, 5 * ones]) {
        let (flops, _) = at(Level::GraphRules, Ablated::Workload(workload));
        assert_eq!((flops - more) as f64, workload.useful_flops(workload.size()), "{}", workload.name());
    }
}

#[test]
fn the_optimiser_never_makes_a_program_cost_more() {
    // The largest one is left to `--example ablation`.
    for program in Ablated::ALL.into_iter().filter(|program| *program != Ablated::Sentences) {
        let [(most, off), (_, rules), (least, full)] =
            [Level::Off, Level::GraphRules, Level::Full].map(|level| at(level, program));
        assert!(full <= off && full <= rules, "{}: {off} ps, then {rules}, then {full}", program.name());
        assert!(least <= most, "{}: {most} operations became {least}", program.name());
    }
    // Both batches go through W1's critic as one: 14 products of its turn become 8.
    let products = |level| {
        let mut trial =
            Ablated::Workload(Workload::W1).build(Config::new().workers(2).optimisation(level)).expect("it builds");
        trial.engine().turns()[0].plan.contractions
    };
    assert_eq!((products(Level::Directed), products(Level::Full)), (14, 8));
    // What it is for: recurrent nets, where graph rules leave every step's gradients padded to the whole sequence.
    let gru = Ablated::Workload(Workload::Sequence);
    let [(_, rules), (_, full)] = [Level::GraphRules, Level::Full].map(|level| at(level, gru));
    assert!(10 * full < 7 * rules, "gru: {rules} ps became {full}");
}
