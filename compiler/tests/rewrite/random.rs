//! Random programs: before and after agree, cost never rises, and the result depends on nothing but the program.

use saddlepoint_compiler::ir::Graph;
use saddlepoint_compiler::ir::interpret::{Value, interpret, interpret_nodes};
use saddlepoint_compiler::plan::plan;
use saddlepoint_compiler::rewrite::cost::Rates;
use saddlepoint_compiler::rewrite::{Level, Options, optimise, stabilise};
use saddlepoint_compiler::testing::{self, compare, random_program};

#[test]
fn random_programs_keep_their_meaning_and_never_cost_more() {
    for seed in 0..1000 {
        let program = random_program(seed, &testing::Options::default());
        let nodes = interpret_nodes::<f64>(&program.graph, &widened(&program.inputs), &widened(&program.states)).unwrap();
        let largest = nodes.iter().flat_map(Value::to_f64s).filter(|v| v.is_finite()).fold(1.0, |m: f64, v| m.max(v.abs()));
        let before = interpret::<f64>(&program.graph, &widened(&program.inputs), &widened(&program.states)).unwrap();
        let mut rules_alone = u64::MAX;
        for level in Level::ALL {
            let (graph, report) = optimise(&program.graph, &Options::at(level)).unwrap();
            match level {
                Level::GraphRules => rules_alone = planned(&graph),
                Level::Full => assert!(planned(&graph) <= rules_alone, "seed {seed}: {report}\n{}", program.graph),
                _ => {}
            }
            let cost = |g: &Graph| Rates::CPU.graph(g).time;
            // Stabilisation is not chosen by cost; everything else is.
            let allowed = cost(&program.graph).max(cost(&stabilise(&program.graph).unwrap()));
            assert!(cost(&graph) <= allowed, "seed {seed}, {level:?}: {report}\n{}", program.graph);
            let after = interpret::<f64>(&graph, &widened(&program.inputs), &widened(&program.states)).unwrap();
            for ((name, a), (_, b)) in before.outputs.iter().zip(&after.outputs) {
                close(&a.to_f64s(), &b.to_f64s(), largest)
                    .unwrap_or_else(|e| panic!("seed {seed}, {level:?}, {name}: {e}\n{report}\n{}", program.graph));
            }
            let machine = interpret::<f32>(&graph, &program.inputs, &program.states).unwrap();
            compare(&program, &machine)
                .unwrap_or_else(|e| panic!("seed {seed}, {level:?}: {e}\n{report}\n{}", program.graph));
        }
    }
}

/// What the plan costs, for the workers that alternatives are planned for.
fn planned(graph: &Graph) -> u64 {
    plan(graph, &saddlepoint_compiler::plan::Options::new(2)).unwrap().summary.time
}

#[test]
fn limits_stop_the_search_by_counts() {
    for seed in 0..40 {
        let program = random_program(seed, &testing::Options::default());
        let (rules_only, _) = optimise(&program.graph, &Options::at(Level::Directed)).unwrap();
        for limits in [
            Options { iterations: 0, ..Options::default() },
            Options { nodes: 0, ..Options::default() },
            Options { moves: 0, nodes: 3, ..Options::default() },
        ] {
            let (graph, report) = optimise(&program.graph, &limits).unwrap();
            assert!(planned(&graph) <= planned(&rules_only), "seed {seed}, {limits:?}: {report}");
            let machine = interpret::<f32>(&graph, &program.inputs, &program.states).unwrap();
            compare(&program, &machine).unwrap_or_else(|e| panic!("seed {seed}, {limits:?}: {e}\n{report}"));
        }
        let (untouched, report) =
            optimise(&program.graph, &Options { iterations: 0, batching: false, ..Options::default() }).unwrap();
        assert!(untouched == rules_only || planned(&untouched) < planned(&rules_only), "seed {seed}: {report}");
    }
}

/// Folded constants are f32 in both precisions, so f64 results agree to f32's precision of the largest intermediate only.
fn close(a: &[f64], b: &[f64], largest: f64) -> Result<(), String> {
    match a.iter().zip(b).find(|(x, y)| (*x - *y).abs() > 1e-5 * largest) {
        Some((x, y)) => Err(format!("{x:e} became {y:e}")),
        None => Ok(()),
    }
}

fn widened(values: &[Value<f32>]) -> Vec<Value<f64>> {
    values.iter().map(Value::convert).collect()
}

#[test]
fn the_same_program_gives_the_same_text() {
    for seed in 0..10 {
        let program = random_program(seed, &testing::Options::default());
        let text = || {
            let (graph, report) = optimise(&program.graph, &Options::default()).unwrap();
            format!("{graph}\n{report}")
        };
        assert_eq!(text(), text());
    }
}

/// Prints what another process must print as well; run by the test below.
#[test]
fn print_optimised_programs() {
    if std::env::var_os("SADDLEPOINT_PRINT").is_some() {
        for seed in 0..5 {
            let program = random_program(seed, &testing::Options::default());
            let (graph, report) = optimise(&program.graph, &Options::default()).unwrap();
            println!("{graph}\n{report}");
        }
    }
}

#[test]
fn two_processes_give_the_same_text() {
    let text = || {
        let program = std::env::current_exe().unwrap();
        let args = ["random::print_optimised_programs", "--exact", "--nocapture", "--test-threads=1"];
        let output = std::process::Command::new(program).args(args).env("SADDLEPOINT_PRINT", "1").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with("test result")).collect();
        lines.join("\n")
    };
    let first = text();
    assert!(first.contains("equality saturation"), "{first}");
    assert_eq!(first, text());
}
