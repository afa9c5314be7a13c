//! The programs of a model: turns with gradients and updates, metrics, outputs.

use super::optimiser::Update;
use super::states::{Kind, StateSpec, States};
use super::target::GraphTarget;
use super::{RustFunction, loss_name, rate_name};
use crate::autodiff;
use crate::ir::{Expr, Graph, NodeId, Op, Type};
use crate::rewrite;
use crate::{Error, Result};
use saddlepoint_language::{Diagnostic, Evaluation, Mode, Resolved, Updated};
use std::collections::BTreeSet;

/// One inner step of a player, or of all players of a simultaneous step.
pub struct Turn {
    /// Players that it moves, in the order of `train`.
    pub players: Vec<usize>,
    /// Inner steps a step.
    pub steps: usize,
    /// The program: forward, gradients, updates. Host results: `loss.PLAYER`.
    pub graph: Graph,
}

/// An output.
pub struct OutputProgram {
    /// Its index in the model.
    pub output: usize,
    /// The program for one chunk of the batch size; host results `result.0`, `result.1`, ….
    pub graph: Graph,
}

/// Everything a model does, as graphs, not yet optimised.
pub struct Programs {
    /// In the order of `train`.
    pub turns: Vec<Turn>,
    /// All metrics; host results are `metric.NAME`. `None` if the model has none.
    pub metrics: Option<Graph>,
    /// In the model's order.
    pub outputs: Vec<OutputProgram>,
    /// Initial values of latents that have one written, by latent; host result `result.0`, per sample or batch-free.
    pub initials: Vec<Option<Graph>>,
    /// What persists.
    pub states: States,
}

/// Lowers a model for batches of `batch` samples.
///
/// # Errors
/// What the language's rules say against the model once all constants are known, and what this compiler cannot execute, each
/// at its place in the source.
pub fn lower(
    resolved: &Resolved,
    functions: &[RustFunction],
    batch: usize,
    locate: &dyn Fn(&Diagnostic) -> Error,
) -> Result<Programs> {
    let lowering = Lowering { resolved, functions, batch, locate };
    // The first error ends the lowering of its program; what the others say is asked for only then.
    lowering.programs().map_err(|error| match error {
        Error::Model { .. } => lowering.all_errors(error),
        other => other,
    })
}

struct Lowering<'r> {
    resolved: &'r Resolved,
    functions: &'r [RustFunction],
    batch: usize,
    locate: &'r dyn Fn(&Diagnostic) -> Error,
}

impl Lowering<'_> {
    fn programs(&self) -> Result<Programs> {
        let mut states = States::new();
        let mut turns = Vec::new();
        let order = &self.resolved.train.order;
        if self.resolved.train.simultaneous {
            turns.push(self.turn(order, 1, &mut states)?);
        } else {
            for player in order {
                let steps = self.resolved.train.optimisers.get(*player).map_or(1, |o| o.steps);
                turns.push(self.turn(&[*player], steps, &mut states)?);
            }
        }
        let metrics = self.metrics(&mut states)?;
        let outputs = (0..self.resolved.outputs.len()).map(|o| self.output(o, &mut states)).collect::<Result<Vec<_>>>()?;
        let latents = 0..self.resolved.latents.len();
        let initials = latents.map(|l| self.initial(l, &mut states)).collect::<Result<Vec<_>>>()?;
        Ok(Programs { turns, metrics, outputs, initials, states })
    }

    /// Every error of every objective, metric and output: the first one's place, and the others in its message.
    fn all_errors(&self, first: Error) -> Error {
        let mut all: Vec<Diagnostic> = Vec::new();
        let mut collect = |averaged: bool, mode: Mode, part: &dyn Fn(&mut Evaluation<'_, GraphTarget<'_>>)| {
            let mut target = GraphTarget::new(self.resolved, self.functions, self.batch, averaged);
            let mut evaluation = Evaluation::new(self.resolved, &mut target, mode);
            part(&mut evaluation);
            for diagnostic in evaluation.diagnostics() {
                if !all.contains(diagnostic) {
                    all.push(diagnostic.clone());
                }
            }
        };
        for player in 0..self.resolved.players.len() {
            collect(false, Mode::Training, &|e| drop(e.objective(player)));
        }
        for metric in 0..self.resolved.metrics.len() {
            collect(false, Mode::Training, &|e| drop(e.metric(metric)));
        }
        for output in 0..self.resolved.outputs.len() {
            collect(true, Mode::Inference, &|e| drop(e.output(output)));
        }
        for latent in 0..self.resolved.latents.len() {
            collect(true, Mode::Inference, &|e| drop(e.initial(latent)));
        }
        all.sort_by_key(|diagnostic| diagnostic.site);
        let mut located = all.iter().map(|diagnostic| (self.locate)(diagnostic));
        match located.next() {
            Some(Error::Model { file, line, column, mut message }) => {
                for other in located {
                    message.push_str(&format!("\n{other}"));
                }
                Error::Model { file, line, column, message }
            }
            _ => first,
        }
    }
    fn turn(&self, players: &[usize], steps: usize, states: &mut States) -> Result<Turn> {
        let updated: BTreeSet<usize> = players.iter().flat_map(|p| self.updated_nets(*p)).collect();
        let mut target = GraphTarget::new(self.resolved, self.functions, self.batch, false).updating(updated);
        let mut objectives = Vec::new();
        {
            let mut evaluation = Evaluation::new(self.resolved, &mut target, Mode::Training);
            for player in players {
                let value = evaluation.objective(*player).map_err(|d| (self.locate)(&d))?;
                objectives.push(value.tensor);
            }
        }
        // All gradients are taken at the point before any update; a graph reads every state as it was at its start.
        let mut gradients = Vec::new();
        for (player, objective) in players.iter().zip(&objectives) {
            let moved = self.moved_parameters(*player, target.states());
            let mut reads: Vec<(String, Expr)> = Vec::new();
            for (name, spec) in &moved {
                reads.push((name.clone(), target.builder().state(name, spec.ty.clone())));
            }
            let stable = rewrite::stabilise_expr(target.builder(), objective, &[]);
            let wrt: Vec<NodeId> = reads.iter().map(|(_, e)| e.id()).collect();
            let own = match self.resolved.model.players[*player].game {
                true => movable_terms(&stable, &wrt),
                false => stable,
            };
            let sign = if self.resolved.players[*player].maximize { -1.0 } else { 1.0 };
            let seed = target.builder().full(sign, &own.shape());
            let wrt: Vec<Expr> = reads.iter().map(|(_, e)| e.clone()).collect();
            let found = autodiff::gradients(target.builder(), &[(own.clone(), seed)], &wrt);
            target.builder().output(loss_name(&self.resolved.players[*player].name), &own);
            gradients.push((*player, reads, found));
        }
        for (player, reads, found) in gradients {
            self.update(&mut target, player, &reads, found)?;
        }
        for (name, next) in target.moved_states() {
            target.write(&name, &next);
        }
        Ok(Turn { players: players.to_vec(), steps, graph: finish(target, states)? })
    }

    fn update(&self, target: &mut GraphTarget<'_>, player: usize, reads: &[(String, Expr)], found: Vec<Expr>) -> Result<()> {
        let settings = &self.resolved.players[player];
        let Some(spec) = self.resolved.train.optimisers.get(player) else {
            return Err(Error::ir(format!("player {} has no line in train", settings.name)));
        };
        let gradients = match spec.clip_norm {
            Some(limit) => clipped(&found, limit as f32),
            None => found,
        };
        let rate = target.input(&rate_name(&settings.name), Type::f32([]));
        let update = Update::new(target, player, spec, rate);
        for ((name, parameter), gradient) in reads.iter().zip(&gradients) {
            let mut next = update.apply(target, name, parameter, gradient);
            let net = match target.states().get(name).map(|s| &s.kind) {
                Some(Kind::Parameter { net }) => *net,
                _ => {
                    target.write(name, &next);
                    continue;
                }
            };
            let attributes = &self.resolved.nets[net].attributes;
            if let Some(limit) = attributes.clip {
                let limit = next.scalar(limit as f32);
                next = next.max(&limit.neg()).min(&limit);
            }
            if let Some(decay) = attributes.ema {
                let average = target.average(name, &next.shape());
                let moved = average.scale(decay as f32) + next.scale((1.0 - decay) as f32);
                target.write(&format!("{name}.average"), &moved);
            }
            target.write(name, &next);
        }
        Ok(())
    }

    fn metrics(&self, states: &mut States) -> Result<Option<Graph>> {
        if self.resolved.metrics.is_empty() {
            return Ok(None);
        }
        let mut target = GraphTarget::new(self.resolved, self.functions, self.batch, false);
        let mut values = Vec::new();
        {
            let mut evaluation = Evaluation::new(self.resolved, &mut target, Mode::Training);
            for metric in 0..self.resolved.metrics.len() {
                values.push(evaluation.metric(metric).map_err(|d| (self.locate)(&d))?.tensor);
            }
        }
        for (metric, value) in self.resolved.metrics.iter().zip(values) {
            let stable = rewrite::stabilise_expr(target.builder(), &value, &[]);
            target.builder().output(format!("metric.{metric}"), &stable);
        }
        finish(target, states).map(Some)
    }

    fn output(&self, output: usize, states: &mut States) -> Result<OutputProgram> {
        let mut target = GraphTarget::new(self.resolved, self.functions, self.batch, true);
        let values = {
            let mut evaluation = Evaluation::new(self.resolved, &mut target, Mode::Inference);
            evaluation.output(output).map_err(|d| (self.locate)(&d))?
        };
        for (i, value) in values.iter().enumerate() {
            let stable = rewrite::stabilise_expr(target.builder(), &value.tensor, &[]);
            target.builder().output(format!("result.{i}"), &stable);
        }
        Ok(OutputProgram { output, graph: finish(target, states)? })
    }

    fn initial(&self, latent: usize, states: &mut States) -> Result<Option<Graph>> {
        let mut target = GraphTarget::new(self.resolved, self.functions, self.batch, true);
        let value = Evaluation::new(self.resolved, &mut target, Mode::Inference).initial(latent);
        let Some(value) = value.map_err(|d| (self.locate)(&d))? else { return Ok(None) };
        let stable = rewrite::stabilise_expr(target.builder(), &value.tensor, &[]);
        target.builder().output("result.0", &stable);
        finish(target, states).map(Some)
    }

    fn updated_nets(&self, player: usize) -> Vec<usize> {
        let net = |u: &Updated| match u {
            Updated::Net(n) => Some(*n),
            Updated::Latent(_) => None,
        };
        self.resolved.players[player].updates.iter().filter_map(net).collect()
    }

    /// Latents and parameters of nets that a player moves, among those the program has met.
    fn moved_parameters(&self, player: usize, states: &States) -> Vec<(String, StateSpec)> {
        let updates = &self.resolved.players[player].updates;
        let moved = |spec: &StateSpec| match spec.kind {
            Kind::Parameter { net } => updates.contains(&Updated::Net(net)),
            Kind::Latent { latent } => updates.contains(&Updated::Latent(latent)),
            _ => false,
        };
        states.iter().filter(|(_, s)| moved(s)).map(|(n, s)| (n.clone(), s.clone())).collect()
    }
}

/// Closes a program and adds its states to the model's.
fn finish(target: GraphTarget<'_>, states: &mut States) -> Result<Graph> {
    let before = states.len();
    for (name, spec) in target.states() {
        match states.get(name) {
            Some(known) if known.ty != spec.ty => {
                return Err(Error::ir(format!("{name} is {} in one program and {} in another", known.ty, spec.ty)));
            }
            Some(_) => {}
            None => {
                states.insert(name.clone(), StateSpec { order: before + spec.order, ..spec.clone() });
            }
        }
    }
    target.builder().clone().finish()
}

/// Gradients scaled so that their common norm is at most `limit` (Pascanu et al. 2013, algorithm 1).
fn clipped(gradients: &[Expr], limit: f32) -> Vec<Expr> {
    let squares = gradients.iter().map(|g| g.square().sum_all()).reduce(|a, b| a + b);
    let Some(total) = squares else { return Vec::new() };
    let norm = total.shift(1e-12).sqrt();
    let factor = (norm.scalar(limit) / &norm).min(&norm.scalar(1.0));
    gradients.iter().map(|g| g * &factor).collect()
}

/// The sum of those terms of an objective that depend on any of `wrt`; the whole if none does.
///
/// In a game one formula serves both players, but a player's turn leaves out what it cannot move.
fn movable_terms(objective: &Expr, wrt: &[NodeId]) -> Expr {
    let builder = objective.builder().clone();
    let depends = builder.with_graph(|g| {
        let mut depends = vec![false; g.nodes.len()];
        for id in g.ids() {
            depends[id.index()] = wrt.contains(&id) || g.node(id).args.iter().any(|a| depends[a.index()]);
        }
        depends
    });
    fn walk(e: &Expr, negative: bool, depends: &[bool], terms: &mut Vec<Expr>) {
        if !depends[e.id().index()] {
            return;
        }
        let (op, args) = e.builder().with_graph(|g| (g.node(e.id()).op.clone(), g.node(e.id()).args.clone()));
        match op {
            Op::Add => {
                for a in args {
                    walk(&e.builder().expr(a), negative, depends, terms);
                }
            }
            Op::Neg => walk(&e.builder().expr(args[0]), !negative, depends, terms),
            _ => terms.push(if negative { e.neg() } else { e.clone() }),
        }
    }
    let mut terms = Vec::new();
    walk(objective, false, &depends, &mut terms);
    terms.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| objective.clone())
}
