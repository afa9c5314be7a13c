//! What every system is held to.
//!
//! [`System::of`] takes a built model; [`System::loss`] and [`System::gain`] compare a player's objective, and whether it goes down or
//! up, with a calculation that knows nothing of the compiler; [`System::audit`] refuses a player that was given none, and then checks by itself: a turn writes only what
//! its player updates, statistics and optimiser states included; gradients (of second order where a derivative stands in the
//! objective) against central differences; every program, as the optimiser leaves it, as machine code against the interpreter.
//!
//! Draws come from streams that are numbered in the order of evaluation: objectives from left to right, `let`s and noises where
//! they are used first. A [`Point`] draws in the same order, so that both see the same numbers.

pub mod array;
pub mod host;
mod layers;
pub mod words;

pub use array::{Array, slope, waves};
pub use layers::{instance_norm, kl_normal, normal_log_prob};

use crate::support::difference::compare_turn;
use crate::support::{self, Lowered, assert_close, host_part, machine, writes};
use saddlepoint::Model;
use saddlepoint::compiler::codegen::wgsl;
use saddlepoint::compiler::ir::interpret::Value;
use saddlepoint::compiler::ir::{Graph, philox};
use saddlepoint::compiler::lower::{Kind, loss_name};
use saddlepoint::compiler::plan::{Options, plan};
use saddlepoint::compiler::rewrite;
use saddlepoint::compiler::testing::{Program, compare};
use saddlepoint_language::{Optimiser, Updated};
use saddlepoint_runtime::device::cpu::CpuDevice;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// How near a loss must come to its independent calculation: constants are rounded to single precision in programs.
const TOLERANCE: f64 = 1e-6;
/// Seeds tried for a point at which no decision hangs on rounding.
const SEEDS: u64 = 60;

/// A model under test.
pub struct System {
    /// With the optimisers that the model names.
    own: Lowered,
    /// With plain descent at rate 1, so that what a turn takes off a parameter is its gradient.
    plain: Lowered,
    compared: RefCell<BTreeSet<String>>,
}

impl System {
    /// The programs of a model.
    pub fn of<M: Model>(model: &M) -> System {
        let own = Lowered::built(model, |_| {});
        let plain = Lowered::built(model, |resolved| {
            for optimiser in &mut resolved.train.optimisers {
                optimiser.kind = Optimiser::Sgd { momentum: 0.0 };
                optimiser.clip_norm = None;
            }
            resolved.nets.iter_mut().for_each(|net| net.attributes.clip = None);
        });
        System { own, plain, compared: RefCell::default() }
    }

    /// Compares what a player minimises with an independent calculation, at two points.
    pub fn loss(&self, player: &str, independent: impl Fn(&Point<'_>) -> f64) {
        assert!(!self.player(player).maximize, "{player} maximises; that is a `gain`");
        self.objective(player, independent);
    }

    /// Compares what a player maximises with an independent calculation, at two points.
    pub fn gain(&self, player: &str, independent: impl Fn(&Point<'_>) -> f64) {
        assert!(self.player(player).maximize, "{player} minimises; that is a `loss`");
        self.objective(player, independent);
    }

    fn objective(&self, player: &str, independent: impl Fn(&Point<'_>) -> f64) {
        self.compared.borrow_mut().insert(player.to_string());
        let graph = &self.plain.turn(player).graph;
        for seed in [5, 6] {
            let point = Point::new(&self.plain, graph, seed);
            let found = point.result(&loss_name(player)).value();
            assert_close(&format!("objective of {player}"), &[found], &[independent(&point)], TOLERANCE);
            point.all_drawn(player);
        }
    }

    /// Compares a result of an output with an independent calculation: number `part` where it gives a tuple, else 0.
    pub fn output(&self, output: &str, part: usize, independent: impl Fn(&Point<'_>) -> Array) {
        let graph = self.plain.output(output);
        let point = Point::new(&self.plain, graph, 5);
        let (found, wanted) = (point.result(&format!("result.{part}")), independent(&point));
        assert_eq!(found.shape(), wanted.shape(), "shape of {output}");
        assert_close(output, found.values(), wanted.values(), TOLERANCE);
    }

    /// Compares a metric with an independent calculation. All metrics are one evaluation: it also makes the draws of those above.
    pub fn metric(&self, metric: &str, independent: impl Fn(&Point<'_>) -> f64) {
        let graph = self.plain.programs.metrics.as_ref().expect("the model has metrics");
        let point = Point::new(&self.plain, graph, 5);
        let found = point.result(&format!("metric.{metric}")).value();
        assert_close(metric, &[found], &[independent(&point)], TOLERANCE);
    }

    /// What the gradient of a player's turn is, by parameter.
    pub fn gradient(&self, player: &str, parameter: &str) -> Array {
        let graph = &self.plain.turn(player).graph;
        let point = Point::new(&self.plain, graph, 5);
        let sign = if self.player(player).maximize { -1.0 } else { 1.0 };
        let after = &writes(graph, &point.point.run(graph))[parameter];
        let before = point.parameter(parameter);
        let moved = before.values().iter().zip(after).map(|(b, a)| sign * (b - a)).collect();
        Array::new(before.shape(), moved)
    }

    fn player(&self, name: &str) -> &saddlepoint_language::Player {
        self.plain.resolved.players.iter().find(|p| p.name == name).expect("a player of this name")
    }

    /// Compares all gradients of a player with those of an independent calculation: for objectives whose gradient is not the
    /// derivative of their value (`stop`, `reverse`). The calculation gets the point with a parameter moved, and the point as
    /// it is for what is held constant; each counts its own draws.
    pub fn gradients(&self, player: &str, independent: impl Fn(&Point<'_>, &Point<'_>) -> f64) {
        let graph = &self.plain.turn(player).graph;
        let updates = &self.player(player).updates;
        for slot in &graph.states {
            let moved = match self.plain.programs.states[&slot.name].kind {
                Kind::Parameter { net } => updates.contains(&Updated::Net(net)),
                Kind::Latent { latent } => updates.contains(&Updated::Latent(latent)),
                _ => false,
            };
            if moved {
                let at = |value: &Array| {
                    let mut there = Point::new(&self.plain, graph, 5);
                    there.point.set(graph, &slot.name, value.values());
                    independent(&there, &Point::new(&self.plain, graph, 5))
                };
                let wanted = slope(&Point::new(&self.plain, graph, 5).parameter(&slot.name), at);
                let found = self.gradient(player, &slot.name);
                assert_close(&format!("gradient of {player} by {}", slot.name), found.values(), wanted.values(), TOLERANCE);
            }
        }
    }

    /// Everything that can be checked without knowing the system.
    pub fn audit(self) {
        self.audit_but(&[]);
    }

    /// Audits without comparing gradients of these players with differences of their values: for those in whose objectives
    /// something is held constant, of which [`System::gradients`] has the gradients.
    pub fn audit_but(self, diverted: &[&str]) {
        for player in &self.plain.resolved.players {
            let known = self.compared.borrow().contains(&player.name);
            assert!(known, "the objective of {} was compared with nothing", player.name);
        }
        self.only_its_own_moves();
        for turn in &self.plain.programs.turns {
            for player in &turn.players {
                if !diverted.contains(&self.plain.resolved.players[*player].name.as_str()) {
                    compare_turn(&self.plain, turn, *player, 4);
                }
            }
        }
        self.machine_agrees();
    }

    /// Audits a system whose gradients are meant to differ from the derivative of its value (`reverse`): leaves out the
    /// comparison with differences.
    pub fn audit_diverted(self) {
        self.only_its_own_moves();
        self.machine_agrees();
    }

    /// A turn writes parameters, statistics and averages of what its players update, all of the parameters, and nothing else.
    fn only_its_own_moves(&self) {
        for turn in &self.own.programs.turns {
            let players: Vec<&saddlepoint_language::Player> =
                turn.players.iter().map(|p| &self.own.resolved.players[*p]).collect();
            let moves = |updated: Updated| players.iter().any(|p| p.updates.contains(&updated));
            let graph = &turn.graph;
            let written: BTreeSet<&str> = graph
                .outputs
                .iter()
                .filter_map(|o| match o.target {
                    saddlepoint::compiler::ir::Target::State(i) => Some(graph.states[i as usize].name.as_str()),
                    saddlepoint::compiler::ir::Target::Host(_) => None,
                })
                .collect();
            let specs = &self.own.programs.states;
            for (name, spec) in specs {
                let allowed = match &spec.kind {
                    Kind::Parameter { net } | Kind::Statistic { net } | Kind::SingularVector { net, .. } => {
                        moves(Updated::Net(*net))
                    }
                    Kind::Average { of } => match specs[of].kind {
                        Kind::Parameter { net } => moves(Updated::Net(net)),
                        _ => false,
                    },
                    Kind::Latent { latent } => moves(Updated::Latent(*latent)),
                    // Pools belong to the turns that evaluate them.
                    Kind::Replay => true,
                    Kind::Optimiser { player } => turn.players.contains(player),
                };
                let who = players.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
                assert!(allowed || !written.contains(name.as_str()), "a turn of {who} writes {name}");
                let parameter = matches!(spec.kind, Kind::Parameter { .. } | Kind::Latent { .. });
                assert!(!(allowed && parameter) || written.contains(name.as_str()), "a turn of {who} leaves {name}");
            }
        }
    }

    /// Every program, optimised: the same in f64, and as machine code within the bound of single precision.
    fn machine_agrees(&self) {
        let device = CpuDevice::new(2).expect("two workers").sharing_from(0);
        // One for each system: a software one compiles shaders on a single thread of its own.
        #[cfg(feature = "gpu")]
        let gpu = support::devices::fresh_gpu();
        let programs = &self.own.programs;
        let turns = programs.turns.iter().map(|t| &t.graph);
        let graphs = turns.chain(&programs.metrics).chain(programs.outputs.iter().map(|o| &o.graph));
        for graph in graphs.chain(programs.initials.iter().flatten()) {
            let (optimised, _) = rewrite::optimise(graph, &rewrite::Options::default()).expect("the program is well-formed");
            self.same_results(graph, &optimised);
            let decisive = (0..SEEDS).map(|seed| self.program(&optimised, seed)).find(|p| p.is_decisive().unwrap_or(false));
            let name = named(graph);
            let Some(program) = decisive else {
                panic!("decisions hang on rounding at all points tried of {name}: make it smaller")
            };
            let found = machine::run(&device, &program).unwrap_or_else(|e| panic!("{name}: {e}"));
            compare(&program, &found).unwrap_or_else(|e| panic!("{name}: {e}\n{optimised}"));
            // Shaders are well formed, whether or not there is a GPU; where there is one, they compute the same.
            let plan = plan(&program.graph, &Options::device()).expect("the program can be planned");
            wgsl::lower(&plan, &wgsl::Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
            #[cfg(feature = "gpu")]
            if let Some(gpu) = &gpu {
                let found = machine::run_on_gpu(gpu, &program).unwrap_or_else(|e| panic!("{name} on the GPU: {e}"));
                compare(&program, &found).unwrap_or_else(|e| panic!("{name} on the GPU: {e}\n{optimised}"));
            }
        }
    }

    fn same_results(&self, graph: &Graph, optimised: &Graph) {
        let (graph, optimised) = (host_part(graph), host_part(optimised));
        let point = self.own.point(&graph, 5);
        let (before, after) = (point.run(&graph), point.run(&optimised));
        for ((name, before), (_, after)) in before.outputs.iter().zip(&after.outputs) {
            assert_close(&format!("optimised {name}"), &after.to_f64s(), &before.to_f64s(), TOLERANCE);
        }
    }

    fn program(&self, graph: &Graph, seed: u64) -> Program {
        let point = self.own.point(graph, seed);
        let narrow = |values: &[Value<f64>]| values.iter().map(Value::convert).collect();
        Program { graph: graph.clone(), inputs: narrow(&point.inputs), states: narrow(&point.states) }
    }
}

/// A program by what it gives the host.
fn named(graph: &Graph) -> String {
    let results = graph.outputs.iter().filter_map(|o| match &o.target {
        saddlepoint::compiler::ir::Target::Host(name) => Some(name.as_str()),
        saddlepoint::compiler::ir::Target::State(_) => None,
    });
    format!("the program of {}", results.collect::<Vec<_>>().join(", "))
}

/// A program with random values for all that it reads.
pub struct Point<'s> {
    lowered: &'s Lowered,
    graph: &'s Graph,
    point: support::Point,
    /// The next stream of draws.
    stream: Cell<u32>,
}

impl<'s> Point<'s> {
    fn new(lowered: &'s Lowered, graph: &'s Graph, seed: u64) -> Point<'s> {
        Point { lowered, graph, point: lowered.point(graph, seed), stream: Cell::new(0) }
    }

    /// Samples of a batch.
    pub fn batch(&self) -> usize {
        self.lowered.batch
    }

    /// A parameter, statistic or latent by its full name (`latent.w`).
    pub fn parameter(&self, name: &str) -> Array {
        self.find(name).unwrap_or_else(|| {
            let known: Vec<&str> = self.graph.states.iter().map(|s| s.name.as_str()).collect();
            panic!("the program reads no state {name}, but {known:?}")
        })
    }

    /// A state, if the program reads it.
    pub fn find(&self, name: &str) -> Option<Array> {
        let index = self.graph.states.iter().position(|s| s.name == name)?;
        Some(Array::of(&self.point.states[index]))
    }

    fn input(&self, name: &str) -> Array {
        let index = self.graph.inputs.iter().position(|s| s.name == name);
        let known = || self.graph.inputs.iter().map(|s| s.name.as_str()).collect::<Vec<_>>();
        Array::of(&self.point.inputs[index.unwrap_or_else(|| panic!("the program has no input {name}, but {:?}", known()))])
    }

    /// A data field: `group.field`, or the name of a group of one field.
    pub fn data(&self, field: &str) -> Array {
        match field.contains('.') {
            true => self.input(&format!("data.{field}")),
            false => self.input(&format!("data.{field}.{field}")),
        }
    }

    /// A hyper's value.
    pub fn hyper(&self, name: &str) -> f64 {
        self.input(&format!("hyper.{name}")).value()
    }

    /// An argument of an output.
    pub fn argument(&self, name: &str) -> Array {
        self.input(&format!("argument.{name}"))
    }

    /// The model's own value of a result.
    fn result(&self, name: &str) -> Array {
        let outcome = self.point.run(&host_part(self.graph));
        Array::of(outcome.output(name).unwrap_or_else(|| panic!("the program has no result {name}")))
    }

    /// The next draw, uniform in (0, 1).
    pub fn uniform(&self, shape: &[usize]) -> Array {
        let stream = self.stream.replace(self.stream.get() + 1);
        let key = [0, 1, 2, 3].map(|i| self.input("key").values()[i] as u32);
        let drawn = philox::draw(key, stream, shape.iter().product());
        Array::new(shape, drawn.into_iter().map(f64::from).collect())
    }

    /// The next draw, standard normal: √(−2 ln u)·sin(2πw) of two uniform ones.
    pub fn normal(&self, shape: &[usize]) -> Array {
        let radius = self.uniform(shape).map(|u| (-2.0 * u.ln()).sqrt());
        radius * self.uniform(shape).map(|w| (f64::from(std::f32::consts::TAU) * w).sin())
    }

    /// The next draw, a class.
    pub fn categorical(&self, classes: usize, shape: &[usize]) -> Array {
        self.uniform(shape).map(|u| (u * classes as f64).floor().min(classes as f64 - 1.0))
    }

    /// The next draw, a class out of softmax(logits) by the largest of logits plus Gumbel noise.
    pub fn sample(&self, logits: &Array) -> Array {
        let noise = self.uniform(logits.shape()).map(|u| -(-u.ln()).ln());
        (logits + noise).argmax()
    }

    /// The next draw, a class other than the given one of each sample: 1 to K−1 places further around the circle.
    pub fn other_class(&self, class: &Array, classes: usize) -> Array {
        let further = self.categorical(classes - 1, class.shape()) + 1.0;
        (class + further).map(|place| place.rem_euclid(classes as f64))
    }

    /// The next draw, the batch rotated by 1 to n−1 places.
    pub fn other_sample(&self, x: &Array) -> Array {
        let n = x.shape()[0];
        let rotation = self.categorical(n - 1, &[]).value() as usize + 1;
        x.rows(&(0..n).map(|i| (i + rotation) % n).collect::<Vec<_>>())
    }

    /// The next draw, inverted dropout.
    pub fn dropout(&self, x: &Array, p: f64) -> Array {
        let kept = self.uniform(x.shape()).map(|u| f64::from(u8::from(u < 1.0 - p)));
        x * kept / (1.0 - p)
    }

    /// The next two draws: what a full replay pool gives back. Sample i is exchanged with slot (r + i) mod size if its coin says so.
    pub fn replay(&self, pool: &str, x: &Array) -> Array {
        let held = self.parameter(&format!("{pool}.samples"));
        let (n, size) = (x.shape()[0], held.shape()[0]);
        let rotation = self.categorical(size, &[]).value() as usize;
        let coins = self.uniform(&[n]);
        let given: Vec<Array> = (0..n)
            .map(|i| if coins.values()[i] < 0.5 { held.entry(0, (rotation + i) % size) } else { x.entry(0, i) })
            .collect();
        Array::stack(&given, 0)
    }

    /// That the independent calculation drew as often as the program does.
    fn all_drawn(&self, player: &str) {
        use saddlepoint::compiler::ir::Op;
        let streams = self.graph.nodes.iter().filter_map(|n| match n.op {
            Op::Rng { stream, .. } => Some(stream + 1),
            _ => None,
        });
        let wanted = streams.max().unwrap_or(0);
        assert_eq!(self.stream.get(), wanted, "draws of {player}: the independent calculation makes another number");
    }
}
