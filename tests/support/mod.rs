//! A model's graphs in tests: from what `gan!` wrote to programs that the reference interpreter runs in double precision.
//!
//! In: a model type. Out: its turns, metrics and outputs as graphs, with values for their inputs and states that are random but
//! the same on every machine. Nothing here compiles or trains.
#![allow(dead_code)] // every test target takes its part

use saddlepoint::Model;
use saddlepoint::compiler::ir::interpret::{Data, Outcome, Value, interpret};
use saddlepoint::compiler::ir::{DType, Graph, Target};
use saddlepoint::compiler::lower::{Kind, Programs, Turn, hyper_name, lower};
use saddlepoint::compiler::testing::SplitMix64;
use saddlepoint_language::{Diagnostic, Element, Given, Resolved, decode};
use std::collections::BTreeMap;

pub mod devices;
pub mod difference;
#[cfg(feature = "cpu")]
pub mod machine;

/// A model without open constants and Rust functions, lowered.
pub struct Lowered {
    pub resolved: Resolved,
    pub programs: Programs,
    pub batch: usize,
}

impl Lowered {
    /// The programs of a model for batches of this size.
    pub fn of<M: Model>(batch: usize) -> Lowered {
        Lowered::of_with::<M>(batch, &[])
    }

    /// The same, given the Rust constants that the model names.
    pub fn of_with<M: Model>(batch: usize, outer: &[f64]) -> Lowered {
        let model = decode(M::source().tree).expect("the expansion carries a sound model");
        let resolved = Resolved::new(&model, &Given { consts: &[], outer }).expect("the model resolves");
        let place = |d: &Diagnostic| saddlepoint::compiler::Error::ir(d.message.clone());
        let programs = lower(&resolved, &[], batch, &place).unwrap_or_else(|e| panic!("{}: {e}", M::source().name));
        Lowered { resolved, programs, batch }
    }

    /// The programs of a built model, whatever it is made of, after a change to its plan.
    pub fn built<M: Model>(model: &M, change: impl FnOnce(&mut Resolved)) -> Lowered {
        let engine = model.engine();
        let (resolved, programs) = engine.lowered(change).unwrap_or_else(|e| panic!("{}: {e}", M::source().name));
        Lowered { resolved, programs, batch: engine.batch_size() }
    }

    /// The turn that moves the player of this name.
    pub fn turn(&self, player: &str) -> &Turn {
        let index = self.resolved.players.iter().position(|p| p.name == player).expect("a player of this name");
        self.programs.turns.iter().find(|t| t.players.contains(&index)).expect("the player is in train")
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> &Graph {
        let index = self.resolved.outputs.iter().position(|o| o.name == name).expect("an output of this name");
        &self.programs.outputs[index].graph
    }

    /// Random values for everything that a program reads.
    pub fn point(&self, graph: &Graph, seed: u64) -> Point {
        // A value depends on its name, not on the order in which programs declare it: programs can be compared.
        let draws =
            |name: &str| SplitMix64::new(name.bytes().fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)));
        let floats = |name: &str, shape: &[usize], low: f64, high: f64| {
            let mut rng = draws(name);
            let n = shape.iter().product();
            Value::floats(shape, (0..n).map(|_| rng.uniform(low, high)).collect()).expect("as many as the shape says")
        };
        let input = |name: &str, dtype: DType, shape: &[usize]| match name {
            "key" => Value::ints(shape, vec![11, 12, 13, 14]).expect("four words"),
            _ if name.starts_with("rate.") => floats(name, shape, 1.0, 1.0),
            // Hypers have the value of their formula half-way: not every number is a temperature.
            _ if name.starts_with("hyper.") => {
                let hyper = self.resolved.hypers.iter().position(|h| hyper_name(&h.name) == name).expect("a hyper's input");
                let value = self.resolved.hyper_value(hyper, 100.0, 0.5, &[]);
                floats(name, shape, value, value)
            }
            _ if dtype == DType::F32 => floats(name, shape, -1.0, 1.0),
            _ => {
                let mut rng = draws(name);
                let k = self.classes(name);
                let n: usize = shape.iter().product();
                Value::ints(shape, (0..n).map(|_| rng.below(k) as i32).collect()).expect("as many as the shape says")
            }
        };
        let state = |name: &str, shape: &[usize]| match self.programs.states.get(name).map(|s| &s.kind) {
            Some(Kind::Parameter { .. }) => floats(name, shape, -0.8, 0.8),
            // A full pool: then samples are exchanged.
            Some(Kind::Replay) if shape.is_empty() => {
                let samples = &self.programs.states[&name.replace(".filled", ".samples")];
                floats(name, shape, samples.ty.shape[0] as f64, samples.ty.shape[0] as f64)
            }
            _ => floats(name, shape, 0.5, 1.5),
        };
        Point {
            inputs: graph.inputs.iter().map(|s| input(&s.name, s.ty.dtype, &s.ty.shape)).collect(),
            states: graph.states.iter().map(|s| state(&s.name, &s.ty.shape)).collect(),
        }
    }

    /// K of the class field behind an input.
    fn classes(&self, input: &str) -> usize {
        let fields = self.resolved.groups.iter().flat_map(|g| &g.fields);
        let arguments = self.resolved.outputs.iter().flat_map(|o| &o.parameters);
        let last = input.rsplit('.').next().unwrap_or_default();
        let field = fields.chain(arguments).find(|f| f.name == last).expect("an input of classes is a field");
        match field.ty.element {
            Element::Class(k) => k.known().expect("constants are known"),
            Element::Float => panic!("{input} holds no classes"),
        }
    }
}

/// Values of a program's inputs and states, in the graph's order.
#[derive(Clone)]
pub struct Point {
    pub inputs: Vec<Value<f64>>,
    pub states: Vec<Value<f64>>,
}

impl Point {
    /// What the program gives in f64.
    pub fn run(&self, graph: &Graph) -> Outcome<f64> {
        interpret(graph, &self.inputs, &self.states).unwrap_or_else(|e| panic!("{e}\n{graph}"))
    }

    /// The value of a state.
    pub fn state(&self, graph: &Graph, name: &str) -> Vec<f64> {
        let index = graph.states.iter().position(|s| s.name == name).expect("the program reads this state");
        self.states[index].to_f64s()
    }

    /// Replaces the value of the input or state of this name, if the program has it.
    pub fn set(&mut self, graph: &Graph, name: &str, values: &[f64]) {
        for (slots, given) in [(&graph.inputs, &mut self.inputs), (&graph.states, &mut self.states)] {
            if let Some(i) = slots.iter().position(|s| s.name == name) {
                assert_eq!(given[i].data.len(), values.len(), "number of elements of {name}");
                given[i].data = match slots[i].ty.dtype {
                    DType::F32 => Data::F(values.to_vec()),
                    _ => Data::I(values.iter().map(|v| *v as i32).collect()),
                };
            }
        }
    }
}

/// The values that a program writes, by the states' names.
pub fn writes(graph: &Graph, outcome: &Outcome<f64>) -> BTreeMap<String, Vec<f64>> {
    outcome.writes.iter().map(|(i, v)| (graph.states[*i as usize].name.clone(), v.to_f64s())).collect()
}

/// The program with no results but the host's: without updates.
pub fn host_part(graph: &Graph) -> Graph {
    let mut part = graph.clone();
    part.outputs.retain(|o| matches!(o.target, Target::Host(_)));
    part
}

/// Whether two values agree up to `tolerance`, relative to the largest of them or to 1.
pub fn assert_close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(found.len(), wanted.len(), "{what}: number of elements");
    let scale = wanted.iter().fold(1.0f64, |m, w| m.max(w.abs()));
    for (i, (f, w)) in found.iter().zip(wanted).enumerate() {
        assert!((f - w).abs() <= tolerance * scale, "{what}[{i}]: {f} instead of {w}\nfound  {found:?}\nwanted {wanted:?}");
    }
}
