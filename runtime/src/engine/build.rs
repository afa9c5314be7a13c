//! From the model's text to compiled programs and initial states.

use super::emit::Emit;
use super::feed::{Feed, feeds};
use super::initial::initialise;
use super::latents::{Table, initialise_whole};
use super::link::{NetDef, all_functions, fill, link_externs};
use super::{Engine, Program, Turn};
use crate::array::Kind;
use crate::config::Config;
use crate::device::any::AnyDevice;
use crate::error::{Error, Result};
use crate::source::loader::{FieldSpec, GroupSpec};
use saddlepoint_compiler::ir::Graph;
use saddlepoint_compiler::lower::{self, RustFunction, States};
use saddlepoint_compiler::rewrite;
use saddlepoint_language::{Diagnostic, Element, Given, Model, Resolved, TensorType, decode};

/// A model as `gan!` writes it into the user's crate.
pub struct ModelSource {
    /// Its name.
    pub name: &'static str,
    /// The file it stands in.
    pub file: &'static str,
    /// Its tree as text, with the line and column of everything in it.
    pub tree: &'static str,
    /// Where the bodies of its extern nets are, in the model's order.
    pub externs: &'static [NetDef],
    /// What its text names of the Rust code around it.
    pub statics: fn() -> Statics,
}

/// Values and functions of the Rust code around a model.
pub struct Statics {
    /// Rust constants that dimensions name, in the order of the model's table.
    pub outer: Vec<f64>,
    /// Rust functions that the model calls, in the order of its table.
    pub functions: Vec<RustFunction>,
}

impl Engine {
    /// Builds a model: resolve, lower, optimise, compile, set initial values.
    ///
    /// # Errors
    /// [`Error::Model`] with the place in the user's source; [`Error::Setting`], [`Error::Device`].
    pub fn build(source: &'static ModelSource, consts: &[f64], config: Config) -> Result<Engine> {
        let began = std::time::Instant::now();
        config.check()?;
        let mut model = decode(source.tree).map_err(|e| Error::device(format!("the expansion of gan! is damaged: {e}")))?;
        let Statics { outer, mut functions } = (source.statics)();
        let given = Given { consts, outer: &outer };
        let filled = link_externs(&mut model, &given, source, config.donors(), &mut functions, &|model, all| {
            refuse(source, model, &all)
        })?;
        let resolved = Resolved::new(&model, &given).map_err(|all| refuse(source, &model, &all))?;
        let place = |d: &Diagnostic| match locate(source, &model, d) {
            Error::Model { file, line, column, message } => {
                saddlepoint_compiler::Error::Model { file, line, column, message }
            }
            other => saddlepoint_compiler::Error::ir(other.to_string()),
        };
        let programs = lower::lower(&resolved, &functions, config.batch_size(), &place)?;
        let device = AnyDevice::new(&config)?;
        let mut store = device.states();
        for (name, spec) in &programs.states {
            store.declare(name, &spec.ty)?;
        }
        initialise(&mut store, &programs.states, config.seed_value())?;
        fill(&mut store, &programs.states, &filled)?;
        let emit = Emit::from_environment()?;
        let mut optimise_seconds = 0.0;
        let mut compile = |name: String, graph: Graph, output: Option<usize>| -> Result<Program> {
            let feeds = feeds(&graph, &resolved, output)?;
            let label = format!("{}.{name}", source.name);
            let (mut number, mut written) =
                (0, emit.as_ref().map_or(Ok(()), |emit| emit.stage(&label, 0, "lowered", &graph)));
            let mut observe = |stage: &str, graph: &Graph| {
                number += 1;
                if let (Some(emit), Ok(())) = (&emit, &written) {
                    written = emit.stage(&label, number, stage, graph);
                }
            };
            let began = std::time::Instant::now();
            let options = config.rewrite_options();
            let (graph, report) = rewrite::optimise_with(&graph, &options, &mut observe)?;
            optimise_seconds += began.elapsed().as_secs_f64();
            written?;
            let executable = device.compile(&graph)?;
            emit.as_ref().map_or(Ok(()), |emit| emit.plan(&label, &executable))?;
            Ok(Program { name, executable, feeds, report })
        };
        let mut turns = Vec::new();
        for turn in programs.turns {
            let program = compile(turn_name(&resolved, &turn.players), turn.graph, None)?;
            turns.push(Turn { players: turn.players, steps: turn.steps, program, inner: 0 });
        }
        let metrics = programs.metrics.map(|graph| compile("metrics".into(), graph, None)).transpose()?;
        let mut outputs = Vec::new();
        for output in programs.outputs {
            let name = format!("output {}", resolved.outputs[output.output].name);
            outputs.push(compile(name, output.graph, Some(output.output))?);
        }
        let mut initials = Vec::new();
        for (latent, graph) in programs.initials.into_iter().enumerate() {
            let name = format!("latent {}", resolved.latents[latent].name);
            initials.push(graph.map(|graph| compile(name, graph, None)).transpose()?);
        }
        initialise_whole(&mut store, &programs.states, &resolved, config.seed_value(), &mut initials)?;
        let batch = config.batch_size();
        let table = |(latent, initial)| Table::new(&resolved, &programs.states, batch, latent, initial);
        let tables: Vec<Table> = initials.into_iter().enumerate().filter_map(table).collect();
        let mut groups = resolved.groups.iter().map(group_spec).collect::<Result<Vec<_>>>()?;
        for (index, group) in groups.iter_mut().enumerate() {
            if resolved.latents.iter().any(|latent| latent.per == Some(index)) {
                let name = "rows".to_string();
                group.fields.push(FieldSpec { name, kind: Kind::Rows, shape: Vec::new(), needed: true });
            }
        }
        Ok(Engine {
            name: source.name,
            source,
            fingerprint: fingerprint(&programs.states),
            overrides: vec![None; resolved.hypers.len()],
            losses: vec![None; resolved.players.len()],
            unread: vec![None; resolved.players.len()],
            phase: if resolved.phases.is_empty() { None } else { Some(0) },
            horizon: config.horizon_steps().map(|steps| (0, steps)),
            resolved,
            config,
            device,
            store,
            specs: programs.states,
            groups,
            turns,
            metrics,
            outputs,
            tables,
            step: 0,
            calls: 0,
            last: Vec::new(),
            optimise_seconds,
            build_seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// The model's programs as lowering makes them, not yet optimised, after a change to what was resolved: for tests and tools.
    ///
    /// # Errors
    /// [`Error::Compiler`] when the change makes a model that cannot be lowered.
    #[doc(hidden)]
    pub fn lowered(&self, change: impl FnOnce(&mut Resolved)) -> Result<(Resolved, lower::Programs)> {
        let mut resolved = self.resolved.clone();
        change(&mut resolved);
        let place = |d: &Diagnostic| saddlepoint_compiler::Error::ir(d.message.clone());
        let programs = lower::lower(&resolved, &all_functions(self.source), self.config.batch_size(), &place)?;
        Ok((resolved, programs))
    }

    /// Samples of a batch.
    #[doc(hidden)]
    pub fn batch_size(&self) -> usize {
        self.config.batch_size()
    }

    /// Whether a turn of the current phase or a metric reads the data field; others need not be supplied.
    pub(super) fn uses_field(&self, group: usize, field: usize) -> bool {
        let wanted = Feed::Data { group, field };
        let moving = self.turns.iter().enumerate().filter(|(t, _)| self.moves(*t)).map(|(_, t)| &t.program);
        moving.chain(&self.metrics).any(|program| program.feeds.contains(&wanted))
            || self.tables.iter().any(|table| table.reads(&wanted))
    }
}

/// What the program of these players' turn is called.
pub(super) fn turn_name(resolved: &Resolved, players: &[usize]) -> String {
    let names: Vec<&str> = players.iter().map(|p| resolved.players[*p].name.as_str()).collect();
    format!("turn {}", names.join("+"))
}

/// An error of the model at its place in the user's source.
fn locate(source: &ModelSource, model: &Model, diagnostic: &Diagnostic) -> Error {
    let place = model.place(diagnostic.site);
    let (line, column) = (place.line, place.column);
    Error::Model { file: source.file.to_string(), line, column, message: diagnostic.message.clone() }
}

/// What the language says against a model.
fn refuse(source: &ModelSource, model: &Model, all: &[Diagnostic]) -> Error {
    let mut located = all.iter().map(|diagnostic| locate(source, model, diagnostic));
    match located.next() {
        Some(Error::Model { file, line, column, mut message }) => {
            // One error has one place; the others stand in its message with theirs.
            for other in located {
                message.push_str(&format!("\n{other}"));
            }
            Error::Model { file, line, column, message }
        }
        Some(other) => other,
        None => Error::device("the model does not resolve"),
    }
}

/// What is wanted of one field or argument.
pub(super) fn column_spec(name: &str, ty: &TensorType) -> Result<FieldSpec> {
    let open = || Error::device(format!("the type of {name} is not known"));
    let shape = ty.shape.iter().map(|d| d.known().ok_or_else(open)).collect::<Result<Vec<_>>>()?;
    let kind = match ty.element {
        Element::Float => Kind::Tensor,
        Element::Class(k) => Kind::Classes(k.known().ok_or_else(open)?),
    };
    Ok(FieldSpec { name: name.to_string(), shape, kind, needed: true })
}

fn group_spec(group: &saddlepoint_language::Group) -> Result<GroupSpec> {
    let field = |f: &saddlepoint_language::Field| column_spec(&f.name, &f.ty);
    Ok(GroupSpec { name: group.name.clone(), fields: group.fields.iter().map(field).collect::<Result<Vec<_>>>()? })
}

/// A number that tells models of different states apart (FNV-1a over names and types).
fn fingerprint(states: &States) -> u64 {
    // Of what has one row a sample the batch size does not count.
    let own = |spec: &saddlepoint_compiler::lower::StateSpec| match spec.rows_of {
        Some(_) => spec.ty.shape.get(1..).unwrap_or(&[]).to_vec(),
        None => spec.ty.shape.clone(),
    };
    let text = |spec: &_| saddlepoint_compiler::ir::Type::f32(own(spec));
    let text: String = states
        .iter()
        .map(|(name, spec)| match spec.rows_of {
            Some(_) => format!("{name}:rows of {};", text(spec)),
            None => format!("{name}:{};", spec.ty),
        })
        .collect();
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}
