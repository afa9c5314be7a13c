//! A run under way: what happens on the intervals, what is said, and how it ends.
//!
//! What always holds: a checkpoint is written only of a state whose every number is finite, and an older one goes only after a
//! newer one is whole. What only shows how training goes (log, curves, pictures) never ends it: a failure there is a warning.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use super::events::{Events, Kind};
use super::folder::Folder;
use super::log::{History, Log};
use super::progress::Progress;
use super::run::Intervals;
use super::show::{Show, Standing};
use super::watch::Watch;
use super::{Report, Training};
use crate::error::{Error, Result};

/// A run, fresh or taken up again.
pub(super) struct Session<'a> {
    pub folder: Option<Folder>,
    pub log: Option<Log>,
    pub history: History,
    pub events: Events,
    /// The model's step when the run began, and when it will end.
    pub first: u64,
    pub end: u64,
    /// The model's step when this call began.
    pub begun: u64,
    /// The newest checkpoint of this run.
    pub checkpoint: Option<PathBuf>,
    /// How many checkpoints stay.
    pub keep: usize,
    pub every: Intervals,
    /// The names of the logged values.
    pub names: Vec<String>,
    pub warnings: Vec<String>,
    pub watch: Watch,
    pub progress: Progress,
    pub show: Show<'a>,
    /// What TensorBoard reads.
    #[cfg(feature = "tensorboard")]
    pub tensorboard: Option<super::tensorboard::EventFile>,
    pub started: Instant,
    /// Seconds of training in earlier parts of the run.
    pub earlier: f64,
    /// Why the newest state is not in a checkpoint, where it should be.
    pub unsaved: Option<Error>,
    /// The kinds of files that could not be written, and were said.
    pub unwritten: BTreeSet<&'static str>,
}

impl Session<'_> {
    /// Reads the values of the last step, and refuses to go on where they or the state are not finite.
    pub(super) fn log(&mut self, training: &mut dyn Training, step: u64) -> Result<()> {
        let values = training.metrics()?;
        let seconds = self.earlier + self.started.elapsed().as_secs_f64();
        if let Some(log) = &mut self.log {
            let written = log.append(step, seconds, &self.names, &values);
            self.tolerate("the log", step, written)?;
        }
        #[cfg(feature = "tensorboard")]
        if let Some(events) = &mut self.tensorboard {
            let written = events.scalars(step, training.players(), &self.names, &values);
            self.tolerate("the events for TensorBoard", step, written)?;
        }
        self.progress.values(step, &self.names, &values);
        let wrong = values.iter().position(|value| value.is_some_and(|value| !value.is_finite()));
        if let Some(index) = wrong {
            let (name, value) = (&self.names[index], values[index].unwrap_or(f32::NAN));
            let what = if index < training.players() { "its objective" } else { "a metric" };
            return Err(self.diverged(step, name.clone(), format!("{what} is {value}")));
        }
        let players = training.players().min(self.names.len());
        for warning in self.watch.objectives(&self.names[..players], &values) {
            self.warn(step, warning)?;
        }
        self.history.points.push((step, values));
        self.check_state(training)
    }

    /// Says a warning, once it is sure to be remembered.
    pub(super) fn warn(&mut self, step: u64, warning: String) -> Result<()> {
        self.progress.say(&format!("warning: {warning}"));
        let written = self.events.add(step, Kind::Warning, &warning);
        self.warnings.push(warning);
        self.tolerate("the events", step, written)
    }

    /// Turns a failure to write what training can do without into a warning, one for each kind of file.
    fn tolerate(&mut self, what: &'static str, step: u64, written: Result<()>) -> Result<()> {
        match written {
            Err(error @ (Error::Io { .. } | Error::Setting { .. })) => match self.unwritten.insert(what) {
                true => self.warn(step, format!("{what} could not be written: {error}. Training goes on without")),
                false => Ok(()),
            },
            other => other,
        }
    }

    fn check_state(&self, training: &dyn Training) -> Result<()> {
        match training.non_finite()? {
            Some((name, value)) => Err(self.diverged_in(training, &name, value)),
            None => Ok(()),
        }
    }

    fn diverged_in(&self, training: &dyn Training, name: &str, value: f32) -> Error {
        let owner = || name.split('.').next().unwrap_or(name).to_string();
        let player = training.mover(name).unwrap_or_else(owner);
        self.diverged(training.step_index(), player, format!("`{name}` holds {value}"))
    }

    fn diverged(&self, step: u64, player: String, what: String) -> Error {
        Error::Diverged { step, player, what, checkpoint: self.checkpoint.clone() }
    }

    /// Writes a checkpoint, unless one of this step is there, and never one of a state that is not finite. Where it cannot be
    /// written the older ones are whole, and training goes on: the next one may fit again.
    pub(super) fn save(&mut self, training: &dyn Training) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let step = training.step_index();
        let path = folder.checkpoint(step);
        if self.checkpoint.as_ref() == Some(&path) || step == self.first {
            return Ok(());
        }
        let checkpoint = training.snapshot()?;
        if let Some((name, value)) = checkpoint.non_finite() {
            return Err(self.diverged_in(training, name, value));
        }
        match checkpoint.write(&path) {
            Ok(()) => {
                let removed = folder.retain(self.keep, self.first, step);
                (self.checkpoint, self.unsaved) = (Some(path), None);
                self.tolerate("the removal of old checkpoints", step, removed)
            }
            Err(error) => {
                let older = match &self.checkpoint {
                    Some(older) => format!("the last whole one is {}", older.display()),
                    None => "there is none before it".to_string(),
                };
                let warning = format!("no checkpoint of step {step}: {error}; {older}. Training goes on");
                self.unsaved = Some(error);
                self.warn(step, warning)
            }
        }
    }

    /// Draws the outputs that have a picture, the curves so far, and the report.
    pub(super) fn draw(&mut self, training: &mut dyn Training, step: u64) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        for (output, samples) in training.fixed_samples()? {
            if let Some(warning) = self.watch.samples(&output, &samples) {
                self.warn(step, warning)?;
            }
            let drawn = self.show.samples(&folder, &output, step, &samples);
            self.tolerate("the samples", step, drawn)?;
            #[cfg(feature = "tensorboard")]
            if let Some(events) = &mut self.tensorboard {
                let written = events.picture(step, &output, &folder.grid(&output, step));
                self.tolerate("the events for TensorBoard", step, written)?;
            }
        }
        // The last step's are drawn when it is known how the run ended.
        if step < self.end { self.overview(training, step) } else { Ok(()) }
    }

    /// Draws the curves and writes the report.
    fn overview(&mut self, training: &dyn Training, step: u64) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let elapsed = self.started.elapsed().as_secs_f64();
        let standing = Standing {
            model: training.model_name(),
            history: &self.history,
            players: training.players().min(self.names.len()),
            events: &self.events.all,
            first: self.first,
            step,
            end: self.end,
            seed: training.seed(),
            batch: training.batch_size(),
            seconds: self.earlier + elapsed,
            speed: (step.saturating_sub(self.begun), elapsed),
            time: super::events::now(),
        };
        let (curves, report) = (self.show.curves(&folder, &standing), self.show.report(&folder, &standing));
        self.tolerate("the curves", step, curves)?;
        self.tolerate("the report", step, report)
    }

    /// Ends the run: draws what is still to be drawn, writes down how it ended, and says so.
    pub(super) fn finish(mut self, training: &mut dyn Training, outcome: Result<bool>) -> Result<Report> {
        let step = training.step_index();
        let outcome = match (outcome, self.unsaved.take()) {
            (Ok(_), Some(error)) => Err(self.lost(step, error)),
            (outcome, _) => outcome,
        };
        let (event, text) = match &outcome {
            Ok(false) => (Kind::Finished, String::new()),
            Ok(true) => (Kind::Interrupted, self.goodbye(step)),
            Err(error @ Error::Diverged { .. }) => (Kind::Diverged, error.to_string()),
            Err(error) => (Kind::Failed, error.to_string()),
        };
        let written = self.events.add(step, event, &text);
        // An error that ended the run is what the caller must hear of, not one of these.
        let shown = self.tolerate("the events", step, written).and_then(|()| self.overview(training, step));
        self.progress.finish();
        let interrupted = outcome?;
        shown?;
        if interrupted {
            self.progress.say(&text);
        }
        Ok(self.report(step, interrupted))
    }

    /// The error of a run whose last state could not be saved.
    fn lost(&self, step: u64, error: Error) -> Error {
        let Error::Io { path, source } = error else { return error };
        let older = match &self.checkpoint {
            Some(older) => format!("the last whole checkpoint is {}", older.display()),
            None => "no checkpoint was written before".to_string(),
        };
        let message = format!("{source}; step {step} is not saved, {older}. The model still has it: `save` it elsewhere");
        Error::Io { path, source: std::io::Error::new(source.kind(), message) }
    }

    fn goodbye(&self, step: u64) -> String {
        match &self.checkpoint {
            Some(path) => format!("stopped after step {step}; saved {}: `.resume()` goes on from there", path.display()),
            None => format!("stopped after step {step}; nothing was saved, for want of `.into_dir(…)`"),
        }
    }

    fn report(self, step: u64, interrupted: bool) -> Report {
        let values = self.history.points.last().map(|(_, values)| values.clone());
        let values = values.unwrap_or_else(|| vec![None; self.names.len()]);
        let steps = step.saturating_sub(self.begun);
        Report {
            step,
            steps,
            metrics: self.names.into_iter().zip(values).collect(),
            interrupted,
            steps_per_second: steps as f64 / self.started.elapsed().as_secs_f64().max(1e-9),
            folder: self.folder.map(|folder| folder.root().to_path_buf()),
            checkpoint: self.checkpoint,
            warnings: self.warnings,
        }
    }
}
