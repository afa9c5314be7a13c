//! Gradients of whole random programs along random directions: what no rule shows alone, sums of many paths and their order.

use saddlepoint_compiler::autodiff::gradients_where_reached;
use saddlepoint_compiler::ir::interpret::{Data, Value, interpret};
use saddlepoint_compiler::ir::{Builder, DType, Expr, Graph, Op, OpKind, Target, verify};
use saddlepoint_compiler::testing::{Options, Program, SplitMix64, random_program};

/// The program's float outputs weighted and summed to "s", and the gradient with respect to its float inputs and states, given
/// how the point moves.
fn with_gradients(program: &Program) -> (Graph, Vec<Option<Expr>>) {
    let mut graph = program.graph.clone();
    let results = std::mem::take(&mut graph.outputs);
    let leaves: Vec<_> = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Input(_) | Op::State(_))).collect();
    let b = Builder::from_graph(graph);
    let mut s = b.f32(0.0);
    for (i, result) in results.iter().enumerate() {
        let value = b.expr(result.value);
        if value.ty().dtype == DType::F32 && matches!(result.target, Target::Host(_)) {
            s = s.add(&value.scale(0.3 + i as f32).sin().sum_all());
        }
    }
    b.output("s", &s);
    let wrt: Vec<Expr> = leaves.into_iter().map(|id| b.expr(id)).collect();
    let found = gradients_where_reached(&b, &[(s, b.f32(1.0))], &wrt);
    for (i, g) in found.iter().enumerate() {
        if let Some(g) = g {
            b.output(format!("d{i}"), g);
        }
    }
    assert_eq!(b.take_error(), None);
    (b.with_graph(Graph::clone), found)
}

#[test]
fn random_programs_along_random_directions() {
    let (mut compared, mut kinks) = (0, 0);
    for seed in 0..150 {
        // A finite difference sees through what stops gradients.
        let without = vec![OpKind::StopGrad, OpKind::Hold];
        let options = Options { integer_results: false, elements: 300, without, ..Options::default() };
        let program = random_program(seed, &options);
        let (graph, found) = with_gradients(&program);
        verify(&graph).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let wide = |values: &[Value<f32>]| values.iter().map(Value::convert::<f64>).collect::<Vec<_>>();
        let (inputs, states) = (wide(&program.inputs), wide(&program.states));
        let outcome = interpret(&graph, &inputs, &states).unwrap();
        let leaves: Vec<&Op> =
            graph.nodes.iter().map(|n| &n.op).filter(|op| matches!(op, Op::Input(_) | Op::State(_))).collect();
        for (i, leaf) in leaves.into_iter().enumerate() {
            let mut rng = SplitMix64::new(seed * 100 + i as u64);
            let value = match leaf {
                Op::Input(k) => &inputs[*k as usize],
                Op::State(k) => &states[*k as usize],
                _ => continue,
            };
            if value.as_floats().is_none() {
                assert!(found[i].is_none());
                continue;
            }
            let direction: Vec<f64> = (0..value.data.len()).map(|_| rng.uniform(-1.0, 1.0)).collect();
            let at = |step: f64| {
                let (mut inputs, mut states) = (inputs.clone(), states.clone());
                let moved = match leaf {
                    Op::Input(k) => &mut inputs[*k as usize],
                    Op::State(k) => &mut states[*k as usize],
                    _ => return f64::NAN,
                };
                if let Data::F(v) = &mut moved.data {
                    v.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
                }
                interpret(&graph, &inputs, &states).unwrap().output("s").unwrap().to_f64s()[0]
            };
            const STEP: f64 = 1e-6;
            let (low, middle, high) = (at(-STEP), at(0.0), at(STEP));
            let (left, right) = ((middle - low) / STEP, (high - middle) / STEP);
            let slope = outcome
                .output(&format!("d{i}"))
                .map_or(0.0, |d| d.to_f64s().iter().zip(&direction).map(|(d, v)| d * v).sum());
            let scale = 1.0 + slope.abs() + left.abs();
            let wider = (at(2.0 * STEP) - at(-2.0 * STEP)) / (4.0 * STEP);
            if (left - right).abs() > 1e-2 * scale || (left - wider).abs() > 1e-2 * scale {
                // Equal operands of a maximum, the sign of 0, a comparison of equal numbers: there is no derivative here.
                kinks += 1;
                continue;
            }
            compared += 1;
            let error = ((left + right) / 2.0 - slope).abs();
            assert!(error <= 1e-4 * scale, "seed {seed}, leaf {i}: {slope} instead of {left} … {right}\n{graph}");
        }
    }
    println!("{compared} compared, {kinks} left out");
    assert!(compared > 400 && kinks < compared / 5, "{compared} compared, {kinks} left out");
}
