//! Gradients of turns against central differences.
//!
//! Every player of the model trains with `sgd(1.0)` and minimises, so that what a turn takes off a parameter is the gradient.

use super::{Lowered, Point, assert_close, host_part, writes};
use saddlepoint::Model;
use saddlepoint::compiler::ir::Graph;
use saddlepoint::compiler::ir::interpret::Data;
use saddlepoint::compiler::lower::{Kind, Turn, loss_name};
use saddlepoint::compiler::rewrite;
use saddlepoint::compiler::testing::SplitMix64;
use saddlepoint_language::Updated;

/// Step of the differences.
const STEP: f64 = 1e-5;
/// How near they must come, relative to the player's largest derivative and 1.
const TOLERANCE: f64 = 2e-6;
/// Elements of a parameter that are moved one by one; all are moved together along a direction.
const ELEMENTS: usize = 12;
/// What optimisation may change. Most programs agree to 1e-15; where constants are folded they are rounded to single precision.
const OPTIMISED: f64 = 1e-7;

/// Checks every player's gradients, before and after optimisation.
pub fn check<M: Model>(batch: usize) {
    let lowered = Lowered::of::<M>(batch);
    for turn in &lowered.programs.turns {
        let [player] = turn.players[..] else { panic!("one player a turn") };
        let name = &lowered.resolved.players[player].name;
        let graph = &turn.graph;
        let point = settled(&lowered, graph, lowered.point(graph, 5));
        let outcome = point.run(graph);
        compare_turn(&lowered, turn, player, ELEMENTS);
        let (optimised, _) = rewrite::optimise(graph, &rewrite::Options::default()).expect("the turn is well-formed");
        let again = point.run(&optimised);
        for ((n, before), (_, after)) in outcome.outputs.iter().zip(&again.outputs) {
            assert_close(&format!("optimised {name}: {n}"), &after.to_f64s(), &before.to_f64s(), OPTIMISED);
        }
        assert_eq!(outcome.writes.len(), again.writes.len());
        for (state, before) in writes(graph, &outcome) {
            assert_close(&format!("optimised {name}: {state}"), &writes(&optimised, &again)[&state], &before, OPTIMISED);
        }
    }
}

/// The point after many power iterations. The gradient of spectral normalisation takes its vectors as constants, which they are
/// for small changes of the weight once they are singular vectors.
fn settled(lowered: &Lowered, graph: &Graph, mut point: Point) -> Point {
    let vector = |name: &str| matches!(lowered.programs.states[name].kind, Kind::SingularVector { .. });
    if !graph.states.iter().any(|s| vector(&s.name)) {
        return point;
    }
    for _ in 0..400 {
        let written = writes(graph, &point.run(graph));
        for (name, values) in written.iter().filter(|(name, _)| vector(name)) {
            point.set(graph, name, values);
        }
    }
    point
}

/// Checks the gradients with which a turn moves what one of its players updates, at `elements` places of each parameter and
/// along a direction of all. The player's optimiser is plain descent at rate 1.
pub fn compare_turn(lowered: &Lowered, turn: &Turn, player: usize, elements: usize) {
    let graph = &turn.graph;
    let point = &settled(lowered, graph, lowered.point(graph, 5));
    let settings = &lowered.resolved.players[player];
    let player = &settings.name;
    // A player that maximises goes uphill.
    let sign = if settings.maximize { -1.0 } else { 1.0 };
    let loss = loss_name(player);
    let written = writes(graph, &point.run(graph));
    let value = host_part(graph);
    let moved = |kind: &Kind| match kind {
        Kind::Parameter { net } => settings.updates.contains(&Updated::Net(*net)),
        Kind::Latent { latent } => settings.updates.contains(&Updated::Latent(*latent)),
        _ => false,
    };
    let parameters: Vec<(usize, Vec<f64>)> = graph
        .states
        .iter()
        .enumerate()
        .filter(|(_, s)| moved(&lowered.programs.states[&s.name].kind))
        .filter_map(|(i, s)| {
            let old = point.states[i].to_f64s();
            written.get(&s.name).map(|new| (i, old.iter().zip(new).map(|(o, n)| sign * (o - n)).collect()))
        })
        .collect();
    assert!(!parameters.is_empty(), "{player} moves nothing");
    let largest = parameters.iter().flat_map(|(_, g)| g).fold(0.0f64, |m, g| m.max(g.abs()));
    assert!(largest > 1e-3, "{player}: all derivatives are below {largest:e}, which tests nothing");
    let scale = largest.max(1.0);
    let mut rng = SplitMix64::new(17);
    for (state, gradient) in &parameters {
        let name = &graph.states[*state].name;
        let n = gradient.len();
        let chosen: Vec<usize> = match n <= elements {
            true => (0..n).collect(),
            false => (0..elements).map(|_| rng.below(n)).collect(),
        };
        for e in chosen {
            let found = difference(&value, point, &loss, &[(*state, unit(n, e))]);
            let error = (found - gradient[e]).abs();
            assert!(error <= TOLERANCE * scale, "{player}, {name}[{e}]: {} instead of {found}", gradient[e]);
        }
    }
    let mut along = 0.0;
    let mut directions = Vec::new();
    for (state, gradient) in &parameters {
        let direction: Vec<f64> = gradient.iter().map(|_| rng.uniform(-1.0, 1.0)).collect();
        along += gradient.iter().zip(&direction).map(|(g, d)| g * d).sum::<f64>();
        directions.push((*state, direction));
    }
    let found = difference(&value, point, &loss, &directions);
    let count = directions.iter().map(|(_, d)| d.len()).sum::<usize>() as f64;
    let allowed = TOLERANCE * scale * count.sqrt();
    assert!((found - along).abs() <= allowed, "{player}, along a direction: {along} instead of {found}");
}

/// The direction of one element.
fn unit(n: usize, element: usize) -> Vec<f64> {
    (0..n).map(|i| f64::from(u8::from(i == element))).collect()
}

/// The central difference of the loss when states move along directions.
fn difference(graph: &Graph, point: &Point, loss: &str, directions: &[(usize, Vec<f64>)]) -> f64 {
    let at = |step: f64| {
        let mut moved = point.clone();
        for (state, direction) in directions {
            if let Data::F(values) = &mut moved.states[*state].data {
                values.iter_mut().zip(direction).for_each(|(v, d)| *v += step * d);
            }
        }
        moved.run(graph).output(loss).expect("a turn gives its loss").to_f64s()[0]
    };
    (at(STEP) - at(-STEP)) / (2.0 * STEP)
}
