//! The workloads of `benches/workloads/` do the work they are said to do. That they compute the right thing, `parity.rs` shows.

use saddlepoint_workloads::Workload;

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
