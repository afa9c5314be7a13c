//! Workers decide how fast a model trains and not what it learns: as many workers give the same bits, other counts the same numbers
//! up to rounding. Held on small versions of the models that speed is measured on.

use saddlepoint_workloads::{Running, Size, Workload};

/// Large enough that workers share the work, small enough for a test.
fn small(workload: Workload) -> Size {
    match workload {
        Workload::W1 => Size { batch: 128, width: 1 },
        Workload::W2 => Size { batch: 32, width: 1 },
        Workload::W3 | Workload::W4 => Size { batch: 16, width: 1 },
        Workload::Residual => Size { batch: 8, width: 4 },
        Workload::Sequence => Size { batch: 32, width: 32 },
        Workload::Dcgan64 => Size { batch: 8, width: 4 },
    }
}

fn built(workload: Workload, workers: usize) -> Running {
    workload.build(small(workload), Some(workers)).expect("the workload builds")
}

/// A player's mean gradients (Adam's first moments) by the parameters' names, and its largest number.
struct Gradients(Vec<(String, Vec<f32>)>, f32);

impl Gradients {
    fn of(running: &Running, player: &str) -> Gradients {
        let engine = running.engine();
        let moment = |name: &&str| engine.state(&format!("optimiser.{player}.m.{name}")).ok();
        let names = engine.parameter_names();
        let all: Vec<(String, Vec<f32>)> =
            names.iter().filter_map(|name| Some((name.to_string(), moment(name)?.as_slice().to_vec()))).collect();
        let largest = all.iter().flat_map(|(_, values)| values).fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(largest > 0.0 && largest.is_finite(), "player {player} has gradients");
        Gradients(all, largest)
    }
}

fn parameters(running: &Running) -> Vec<(String, Vec<u32>)> {
    let engine = running.engine();
    let bits = |name: &str| engine.state(name).expect("a parameter").as_slice().iter().map(|v| v.to_bits()).collect();
    engine.parameter_names().into_iter().map(|name| (name.to_string(), bits(name))).collect()
}

#[test]
fn as_many_workers_give_the_same_bits() {
    for workload in Workload::ALL {
        for workers in [1, 2, 3] {
            let [one, other] = [0, 1].map(|_| {
                let mut running = built(workload, workers);
                for _ in 0..2 {
                    running.step().expect("a step");
                }
                parameters(&running)
            });
            assert!(one == other, "{} on {workers} workers", workload.name());
        }
    }
}

#[test]
fn other_counts_of_workers_differ_by_rounding() {
    for workload in Workload::ALL {
        let after_a_step = |workers| {
            let mut running = built(workload, workers);
            // Work that only the first worker does would make this test say nothing.
            let barriers: usize = running.engine().turns().iter().map(|turn| turn.plan.barriers).sum();
            assert!(workers == 1 || barriers > 0, "{} shares nothing", workload.name());
            running.step().expect("a step");
            running
        };
        let alone = after_a_step(1);
        for workers in [2, 3] {
            let shared = after_a_step(workers);
            for player in ["D", "G"] {
                let (Gradients(expected, largest), Gradients(found, _)) =
                    (Gradients::of(&alone, player), Gradients::of(&shared, player));
                assert_eq!(expected.len(), found.len());
                for ((name, expected), (_, found)) in expected.iter().zip(&found) {
                    for (i, (e, f)) in expected.iter().zip(found).enumerate() {
                        // Sums over two batches at once, in as many parts as there are workers: 1.2e-5 was met.
                        assert!(
                            (e - f).abs() <= 2e-5 * largest,
                            "{} on {workers} workers, {player}'s gradient of {name}[{i}]: {f} for {e}, largest {largest}",
                            workload.name()
                        );
                    }
                }
            }
        }
    }
}
