//! Training over data: what a fit is told ([`Fit`]), what it drives ([`Training`]), what it says at the end ([`Report`]).
//!
//! [`drive`] is the loop. It knows nothing of how a model computes, and the model knows nothing of folders, pictures and signals.

mod describe;
mod events;
mod folder;
mod interrupt;
mod lines;
mod log;
mod progress;
mod run;
mod session;
mod show;
#[cfg(feature = "tensorboard")]
mod tensorboard;
#[cfg(test)]
mod tests;
mod watch;

pub use describe::{Description, NetDescription, PlayerDescription};
pub use run::drive;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::array::Column;
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::source::loader::GroupSpec;
use crate::tensor::Tensor;

/// What a fit drives: a compiled model with its state.
pub trait Training {
    /// The model's name.
    fn model_name(&self) -> &str;

    /// Completed steps.
    fn step_index(&self) -> u64;

    /// From now on `progress` is (step − first) / steps.
    fn set_horizon(&mut self, first: u64, steps: u64);

    /// Samples a batch.
    fn batch_size(&self) -> usize;

    /// The seed of all randomness.
    fn seed(&self) -> u64;

    /// How many batches a step consumes: the largest `steps` of the players that move.
    fn batches_per_step(&self) -> usize;

    /// The data groups, in the model's order.
    fn groups(&self) -> Vec<GroupSpec>;

    /// One step: every moving player's turn; batches are `[inner batch][group][field]`.
    fn step(&mut self, batches: &[Vec<Vec<Column<'_>>>]) -> Result<()>;

    /// The names of the logged values: the players' objectives in the model's order, then the metrics.
    fn metric_names(&self) -> Vec<String>;

    /// How many of these are players' objectives.
    fn players(&self) -> usize;

    /// The logged values of the last step; `None` for a player that does not move in this phase.
    fn metrics(&mut self) -> Result<Vec<Option<f32>>>;

    /// The outputs that need no argument, from noise that is the same at every call.
    fn fixed_samples(&mut self) -> Result<Vec<(String, Tensor)>>;

    /// Everything needed to go on to the same bits.
    fn snapshot(&self) -> Result<Checkpoint>;

    /// Goes back to a snapshot, or refuses it and changes nothing.
    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()>;

    /// What the report of a run says of the model.
    fn describe(&self) -> Description {
        Description::default()
    }

    /// The first piece of state that is not finite: its name, and the value.
    fn non_finite(&self) -> Result<Option<(String, f32)>> {
        Ok(self.snapshot()?.non_finite().map(|(name, value)| (name.to_string(), value)))
    }

    /// The player that moves a piece of state, where one does.
    fn mover(&self, _state: &str) -> Option<String> {
        None
    }

    /// Whether the players' objectives of the last step are finite, as far as that is known without reading anything back.
    fn objectives_are_finite(&self) -> bool {
        true
    }
}

/// Checkpoints that a run keeps unless told otherwise: all of them at the usual interval.
const KEEP: usize = 10;

/// How to train: how long, where to, how often to log, draw and save.
#[derive(Clone, Debug)]
pub struct Fit {
    steps: u64,
    folder: Option<PathBuf>,
    resume: bool,
    log_every: Option<u64>,
    grid_every: Option<u64>,
    checkpoint_every: Option<u64>,
    keep: usize,
    quiet: bool,
    stop: Option<Arc<AtomicBool>>,
    prefetch: usize,
}

/// Steps whose batches are gathered ahead unless a fit says otherwise.
const PREFETCH: usize = 2;

/// What a fit did.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Completed steps of the model, at the end.
    pub step: u64,
    /// Steps made by this call.
    pub steps: u64,
    /// The values logged last, objectives first, by name.
    pub metrics: Vec<(String, Option<f32>)>,
    /// Whether it was stopped (Ctrl-C, SIGTERM or [`Fit::stop_when`]) before its last step.
    pub interrupted: bool,
    /// Steps a second of this call, everything included.
    pub steps_per_second: f64,
    /// The run folder, where there is one.
    pub folder: Option<PathBuf>,
    /// The last checkpoint written or resumed from.
    pub checkpoint: Option<PathBuf>,
    /// What was noticed while training: collapsed outputs, players that stand still, checkpoints that could not be used.
    pub warnings: Vec<String>,
}

impl Fit {
    /// This many steps from where the model is.
    pub fn steps(steps: u64) -> Fit {
        Fit {
            steps,
            folder: None,
            resume: false,
            log_every: None,
            grid_every: None,
            checkpoint_every: None,
            keep: KEEP,
            quiet: false,
            stop: None,
            prefetch: PREFETCH,
        }
    }

    /// Writes metrics, curves, sample grids and checkpoints to this folder. A run already there is moved aside
    /// (`runs/dcgan.1`, …), never deleted, unless it is [resumed](Fit::resume).
    ///
    /// A folder that cannot be written, or has no room for a checkpoint, is refused before the first step. Once training runs,
    /// what cannot be written does not end it: it is a warning, said once for each kind of file, and the log catches up as soon
    /// as there is room. A checkpoint that cannot be written leaves the older ones whole. Where the last one of the fit is
    /// among these, the fit ends with that error; the model itself has everything that it learnt.
    pub fn into_dir(mut self, folder: impl Into<PathBuf>) -> Fit {
        self.folder = Some(folder.into());
        self
    }

    /// Goes on from the newest whole checkpoint in the folder, to the same bits as if the run had never stopped; starts afresh
    /// where there is none. The number of steps is that of the whole run.
    pub fn resume(mut self) -> Fit {
        self.resume = true;
        self
    }

    /// Logs objectives and metrics every so many steps (else about a hundred times a fit, and every 100 steps at least).
    pub fn log_every(mut self, steps: u64) -> Fit {
        self.log_every = Some(steps);
        self
    }

    /// Draws a grid of samples every so many steps (else ten times a fit).
    pub fn grid_every(mut self, steps: u64) -> Fit {
        self.grid_every = Some(steps);
        self
    }

    /// Writes a checkpoint every so many steps (else ten times a fit), and always at the end.
    pub fn checkpoint_every(mut self, steps: u64) -> Fit {
        self.checkpoint_every = Some(steps);
        self
    }

    /// Keeps the newest so many checkpoints of the run and removes older ones (else ten). `usize::MAX` keeps all.
    ///
    /// An older one goes only after a newer one is whole; what earlier runs wrote is never removed.
    pub fn keep(mut self, checkpoints: usize) -> Fit {
        self.keep = checkpoints;
        self
    }

    /// Says nothing while training.
    pub fn quiet(mut self) -> Fit {
        self.quiet = true;
        self
    }

    /// Gathers the batches of up to so many steps ahead, on a thread of its own, while the current step runs (else of 2). With
    /// 0 every step waits for its batches. The batches are the same; each step ahead takes the memory of one step's batches.
    pub fn prefetch(mut self, steps: usize) -> Fit {
        self.prefetch = steps;
        self
    }

    /// Stops after the current step once the flag is set, as Ctrl-C and SIGTERM do: saves, and reports `interrupted`.
    pub fn stop_when(mut self, flag: Arc<AtomicBool>) -> Fit {
        self.stop = Some(flag);
        self
    }
}
