//! The engine behind every model: compiled programs, their states, and the steps of training.
//!
//! [`Engine::build`] decodes the model that `gan!` wrote into the user's crate, lowers it to programs, optimises and compiles
//! them. What always holds between calls: all states belong to the same step; a failed call leaves them as they were or
//! completely moved on, program by program.

mod build;
mod checkpoint;
mod describe;
mod emit;
mod explain;
mod feed;
mod initial;
mod latents;
mod link;
mod model;
mod outputs;
mod profile;
mod torch;
mod training;

pub use build::{ModelSource, Statics};
pub(crate) use link::Donors;
pub use link::NetDef;
pub use model::Model;
pub use outputs::FromArray;
pub use profile::{PartProfile, TurnProfile, TurnSummary};

use crate::array::{Array, Column};
use crate::config::Config;
use crate::device::any::{AnyDevice, Executable, StateStore};
use crate::error::{Error, Result};
use crate::source::loader::GroupSpec;
use feed::{Feed, Moment};
use latents::Table;
use saddlepoint_compiler::lower::States;
use saddlepoint_compiler::rewrite::Report;
use saddlepoint_language::Resolved;

/// A compiled program with what it wants as inputs.
struct Program {
    /// Its name, which keys its random draws.
    name: String,
    executable: Executable,
    feeds: Vec<Feed>,
    report: Report,
}

struct Turn {
    players: Vec<usize>,
    steps: usize,
    program: Program,
    /// Inner steps run since the last whole step: part of the key of random draws.
    inner: u32,
}

/// A model, built.
pub struct Engine {
    name: &'static str,
    source: &'static ModelSource,
    fingerprint: u64,
    resolved: Resolved,
    config: Config,
    device: AnyDevice,
    store: StateStore,
    specs: States,
    groups: Vec<GroupSpec>,
    turns: Vec<Turn>,
    metrics: Option<Program>,
    outputs: Vec<Program>,
    /// Latents that own one row a sample.
    tables: Vec<Table>,
    overrides: Vec<Option<f64>>,
    /// Completed steps.
    step: u64,
    /// The first step and number of steps over which `progress` goes from 0 to 1.
    horizon: Option<(u64, u64)>,
    /// Index of the current phase; all players move without phases.
    phase: Option<usize>,
    /// Calls of outputs so far: every call draws anew.
    calls: u32,
    /// Objective of each player at its last turn.
    losses: Vec<Option<f32>>,
    /// For each player the turn whose program has its objective, where that has not been read back yet.
    unread: Vec<Option<usize>>,
    /// The last batch, kept for metrics.
    last: Vec<Vec<Array>>,
    /// How long it took to optimise its programs.
    optimise_seconds: f64,
    /// How long it took to build.
    build_seconds: f64,
}

impl Engine {
    /// Every player's turn: inner step j of every turn takes `batches[j % batches.len()]`, `[group][field]` each.
    ///
    /// # Errors
    /// [`Error::Data`] when a batch does not suit the model.
    pub fn step(&mut self, batches: &[Vec<Vec<Column<'_>>>]) -> Result<()> {
        self.step_by(batches, Engine::run_turn)
    }

    /// A step whose inner steps are made by `run`, which is handed the turn's index and the batch.
    fn step_by(
        &mut self,
        batches: &[Vec<Vec<Column<'_>>>],
        mut run: impl FnMut(&mut Engine, usize, &[Vec<Column<'_>>]) -> Result<()>,
    ) -> Result<()> {
        if batches.is_empty() {
            return Err(Error::data("step", "at least one batch", "none"));
        }
        for batch in batches {
            self.check_batch(batch)?;
        }
        for turn in 0..self.turns.len() {
            if !self.moves(turn) {
                continue;
            }
            for inner in 0..self.turns[turn].steps {
                self.turns[turn].inner = inner as u32;
                run(self, turn, &batches[inner % batches.len()])?;
            }
        }
        self.keep_last(batches);
        self.step += 1;
        for turn in &mut self.turns {
            turn.inner = 0;
        }
        Ok(())
    }

    /// One inner step of one player (of all players, in a simultaneous game). Does not end the step.
    ///
    /// # Errors
    /// [`Error::Data`] when the batch does not suit the model; [`Error::Setting`] for a player that `train` does not name.
    pub fn turn(&mut self, player: usize, batch: &[Vec<Column<'_>>]) -> Result<()> {
        self.check_batch(batch)?;
        let Some(turn) = self.turns.iter().position(|t| t.players.contains(&player)) else {
            return Err(Error::Setting { setting: "player", message: "train does not name this player".into() });
        };
        self.run_turn(turn, batch)?;
        self.turns[turn].inner += 1;
        self.keep_last(&[batch.to_vec()]);
        Ok(())
    }

    /// Objectives of all players, in the model's order, at their last turns; then the metrics on the last batch. `None`: the
    /// player has not moved.
    ///
    /// # Errors
    /// [`Error::Data`] when there are metrics but no step has been made.
    pub fn metrics(&mut self) -> Result<Vec<Option<f32>>> {
        self.read_losses()?;
        let mut values = self.losses.clone();
        let Some(program) = &mut self.metrics else { return Ok(values) };
        if self.last.is_empty() && !self.groups.is_empty() {
            return Err(Error::data("metrics", "a step before the first metrics", "none"));
        }
        let last: Vec<Vec<Column<'_>>> = self.last.iter().map(|g| g.iter().map(Array::as_column).collect()).collect();
        let moment = Moment {
            resolved: &self.resolved,
            overrides: &self.overrides,
            step: self.step.saturating_sub(1),
            progress: progress(self.step.saturating_sub(1), self.horizon),
            seed: self.config.seed_value(),
            draw: self.step.saturating_sub(1) as u32,
            inner: 0,
        };
        latents::fetch(&mut self.tables, &mut self.store, &moment, &last)?;
        program.run(&mut self.store, &moment, &last, &[])?;
        for metric in &self.resolved.metrics {
            let value = program.executable.result(&format!("metric.{metric}"))?;
            values.push(value.and_then(|v| v.first().copied()));
        }
        Ok(values)
    }

    /// Reads objectives back that are still on the device.
    fn read_losses(&mut self) -> Result<()> {
        for player in 0..self.losses.len() {
            let Some(turn) = self.unread[player].take() else { continue };
            let name = saddlepoint_compiler::lower::loss_name(&self.resolved.players[player].name);
            self.losses[player] = self.turns[turn].program.executable.result(&name)?.and_then(|v| v.first().copied());
        }
        Ok(())
    }

    /// The current value of a hyper.
    pub fn hyper(&self, index: usize) -> f32 {
        let progress = progress(self.step, self.horizon);
        self.resolved.hyper_value(index, self.step as f64, progress, &self.overrides) as f32
    }

    /// Replaces a hyper's formula by a number.
    pub fn set_hyper(&mut self, index: usize, value: f32) {
        if let Some(slot) = self.overrides.get_mut(index) {
            *slot = Some(f64::from(value));
        }
    }

    /// Enters a phase: from the next step on only its players move.
    pub fn enter(&mut self, phase: usize) {
        if phase < self.resolved.phases.len() {
            self.phase = Some(phase);
            self.losses.fill(None);
            self.unread.fill(None);
        }
    }

    /// How long the build took in all, and the optimiser's share of it, in seconds.
    pub fn build_seconds(&self) -> [f64; 2] {
        [self.build_seconds, self.optimise_seconds]
    }

    /// How often the host and a GPU met since the model was built; `None` on the CPU.
    #[cfg(feature = "gpu")]
    #[doc(hidden)]
    pub fn traffic(&self) -> Option<crate::device::gpu::Traffic> {
        self.device.traffic()
    }

    /// Loses the GPU, as a driver may; for tests.
    #[cfg(feature = "gpu")]
    #[doc(hidden)]
    pub fn lose_device(&self) {
        self.device.lose();
    }

    /// What the compiler made of the model, from the build's own records.
    pub(crate) fn brief(&self) -> String {
        let turns = self.turns.iter().map(|t| &t.program);
        let programs = turns.chain(&self.metrics).chain(&self.outputs);
        let mut text = self.heading();
        for program in programs {
            let plan = program.executable.summary();
            text += &format!("\n{}\n{}\n", program.name, program.report);
            text += &format!(
                "  plan: {} kernels ({} distinct), {} contractions, {} barriers; {:.3} GFLOP in contractions; arena {:.2} MB \
                 (lower bound {:.2})\n",
                plan.kernels,
                plan.distinct_kernels,
                plan.contractions,
                plan.barriers,
                plan.contraction_flops as f64 / 1e9,
                plan.arena_bytes as f64 / 1e6,
                plan.arena_bound_bytes as f64 / 1e6
            );
            text += &format!("  time by the roofline: {:.1} µs\n", plan.time as f64 / 1e6);
        }
        text
    }

    /// Whether a turn belongs to the current phase.
    fn moves(&self, turn: usize) -> bool {
        match self.phase.and_then(|p| self.resolved.phases.get(p)) {
            Some(phase) => self.turns[turn].players.iter().any(|p| phase.players.contains(p)),
            None => true,
        }
    }

    fn run_turn(&mut self, index: usize, batch: &[Vec<Column<'_>>]) -> Result<()> {
        self.turn_by(index, batch, |program, store, moment| program.run(store, moment, batch, &[]))
    }

    /// An inner step of a turn, whose program is run by `run`.
    fn turn_by<T>(
        &mut self,
        index: usize,
        batch: &[Vec<Column<'_>>],
        run: impl FnOnce(&mut Program, &mut StateStore, &Moment<'_>) -> Result<T>,
    ) -> Result<T> {
        let turn = &mut self.turns[index];
        let moment = Moment {
            resolved: &self.resolved,
            overrides: &self.overrides,
            step: self.step,
            progress: progress(self.step, self.horizon),
            seed: self.config.seed_value(),
            draw: self.step as u32,
            inner: turn.inner,
        };
        latents::fetch(&mut self.tables, &mut self.store, &moment, batch)?;
        let done = run(&mut turn.program, &mut self.store, &moment)?;
        latents::keep(&mut self.tables, &self.store, batch)?;
        for player in &turn.players {
            let name = saddlepoint_compiler::lower::loss_name(&self.resolved.players[*player].name);
            if self.device.is_immediate() {
                self.losses[*player] = turn.program.executable.result(&name)?.and_then(|v| v.first().copied());
            } else {
                // Asking would wait for the device.
                (self.losses[*player], self.unread[*player]) = (None, Some(index));
            }
        }
        Ok(done)
    }

    /// Keeps the last batch where metrics will want it.
    fn keep_last(&mut self, batches: &[Vec<Vec<Column<'_>>>]) {
        if self.metrics.is_none() {
            return;
        }
        if let Some(batch) = batches.last() {
            let own = |column: &Column<'_>| match column {
                Column::Tensor(t) => Array::Tensor((*t).clone()),
                Column::Classes(c) => Array::Classes((*c).clone()),
                Column::Rows(rows) => Array::Rows((*rows).clone()),
            };
            self.last = batch.iter().map(|group| group.iter().map(own).collect()).collect();
        }
    }

    /// Whether a batch has the model's groups, fields, shapes, classes and batch size.
    fn check_batch(&self, batch: &[Vec<Column<'_>>]) -> Result<()> {
        if batch.len() != self.groups.len() {
            let wanted = format!("{} data groups", self.groups.len());
            return Err(Error::data("batch", wanted, batch.len().to_string()));
        }
        for (group, columns) in self.groups.iter().zip(batch) {
            feed::check_columns(
                &format!("data group {}", group.name),
                &group.fields,
                columns,
                Some(self.config.batch_size()),
            )?;
        }
        Ok(())
    }
}

/// Where training stands, from 0 to 1.
fn progress(step: u64, horizon: Option<(u64, u64)>) -> f64 {
    match horizon {
        Some((first, steps)) if steps > 0 => (step.saturating_sub(first) as f64 / steps as f64).min(1.0),
        _ => 0.0,
    }
}
