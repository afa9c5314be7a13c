//! The training loop: batches in, steps, and on their intervals the log, the curves, the grids, the checkpoints.
//!
//! What always holds: a checkpoint is written only of a state whose every number is finite; a run that is taken up again sees
//! the batches, and leaves the numbers, of the run that was never interrupted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::folder::{Folder, Manifest, Resumed};
use super::interrupt::Interrupt;
use super::log::{History, Log};
use super::progress::Progress;
use super::watch::Watch;
use super::{Fit, Report, Training, curves};
use crate::error::{Error, Result};
use crate::picture;
use crate::source::Source;
use crate::source::loader::Loader;

/// Trains on these sources, one a data group in the model's order, as `fit` says.
pub fn drive(training: &mut dyn Training, sources: &[&dyn Source], fit: &Fit) -> Result<Report> {
    let every = Intervals::of(fit)?;
    let (groups, batch) = (training.groups(), training.batch_size());
    // Data that do not suit the model are refused before anything is moved or written.
    let mut loader = Loader::new(&groups, sources, batch, training.batches_per_step(), training.seed())?;
    let samples = groups.iter().zip(sources).map(|(group, source)| (group.name.clone(), source.len())).collect();
    let run = Run::begin(training, fit, samples)?;
    let (first, end) = (run.first, run.end);
    training.set_horizon(first, fit.steps);
    let mut session =
        Session { names: training.metric_names(), every, begun: training.step_index(), run, started: Instant::now() };
    let mut progress = Progress::new(training.step_index(), end, fit.quiet);
    session.run.remarks.iter().chain(&session.run.warnings).for_each(|remark| progress.say(remark));
    let interrupt = Interrupt::listen();
    let stopped = || interrupt.asked() || fit.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
    let mut interrupted = false;
    while training.step_index() < end {
        if let Err(error) = loader.load(training.step_index()) {
            // The state is as good as before: what was learnt so far is kept.
            session.save(training)?;
            return Err(error);
        }
        training.step(&loader.batches())?;
        let step = training.step_index();
        progress.step(step);
        if session.every.log(step, end) {
            session.log(training, step, &mut progress)?;
        }
        if session.every.grid(step, end) {
            session.draw(training, step, &progress)?;
        }
        interrupted = step < end && stopped();
        if session.every.checkpoint(step, end) || interrupted {
            session.save(training)?;
        }
        if interrupted {
            break;
        }
    }
    progress.finish();
    session.curves(training)?;
    if interrupted {
        progress.say(&session.goodbye(training.step_index()));
    }
    Ok(session.report(training.step_index(), interrupted))
}

/// How often what happens.
struct Intervals {
    log: u64,
    grid: u64,
    checkpoint: u64,
}

impl Intervals {
    fn of(fit: &Fit) -> Result<Intervals> {
        let tenth = (fit.steps / 10).max(1);
        let interval = |setting, asked: Option<u64>, usual| match asked {
            Some(0) => Err(Error::Setting { setting, message: "an interval is at least one step".to_string() }),
            asked => Ok(asked.unwrap_or(usual)),
        };
        Ok(Intervals {
            log: interval("log_every", fit.log_every, (fit.steps / 100).clamp(1, 100))?,
            grid: interval("grid_every", fit.grid_every, tenth)?,
            checkpoint: interval("checkpoint_every", fit.checkpoint_every, tenth)?,
        })
    }

    fn log(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.log) || step == end
    }

    fn grid(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.grid) || step == end
    }

    fn checkpoint(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.checkpoint) || step == end
    }
}

/// A run at its beginning, fresh or taken up again.
struct Run {
    folder: Option<Folder>,
    log: Option<Log>,
    history: History,
    /// The model's step when the run began, and when it will end.
    first: u64,
    end: u64,
    /// The newest checkpoint of this run.
    checkpoint: Option<PathBuf>,
    /// What there is to say at the beginning, and what was noticed while training.
    remarks: Vec<String>,
    warnings: Vec<String>,
    watch: Watch,
}

impl Run {
    fn begin(training: &mut dyn Training, fit: &Fit, samples: BTreeMap<String, usize>) -> Result<Run> {
        let names = training.metric_names();
        let first = training.step_index();
        let mut manifest = Manifest {
            model: training.model_name().to_string(),
            library: env!("CARGO_PKG_VERSION").to_string(),
            seed: training.seed(),
            batch: training.batch_size(),
            first_step: first,
            steps: fit.steps,
            samples,
        };
        let mut run = Run {
            folder: None,
            log: None,
            history: History { names: names.clone(), ..History::default() },
            first,
            end: first + fit.steps,
            checkpoint: None,
            remarks: Vec::new(),
            warnings: Vec::new(),
            watch: Watch::default(),
        };
        let Some(root) = &fit.folder else { return Ok(run) };
        let resumed = if fit.resume { Folder::resume(root)? } else { None };
        let folder = match resumed {
            Some(Resumed { folder, manifest: old, checkpoint, path, damaged }) => {
                same_setting("seed", manifest.seed, old.seed)?;
                same_setting("batch", manifest.batch as u64, old.batch as u64)?;
                training.restore(&checkpoint)?;
                run.warnings.extend(damaged.iter().map(|error| format!("passed over: {error}")));
                if old.samples != manifest.samples {
                    let (then, now) = (&old.samples, &manifest.samples);
                    run.warnings.push(format!(
                        "the data have changed since the run began, so it will not be the same: samples were {then:?}, are {now:?}"
                    ));
                }
                run.remarks.push(format!("going on from {}", path.display()));
                run.first = old.first_step;
                run.end = old.first_step + fit.steps;
                run.checkpoint = Some(path);
                manifest.first_step = old.first_step;
                if old != manifest {
                    folder.describe(&manifest)?;
                }
                folder
            }
            None => {
                let (folder, moved) = Folder::fresh(root, &manifest)?;
                run.remarks.extend(moved.map(|moved| format!("the run that was there is now {}", moved.display())));
                folder
            }
        };
        let (log, history) = Log::open(&folder.file("metrics.jsonl"), training.step_index(), &names)?;
        (run.log, run.history, run.folder) = (Some(log), history, Some(folder));
        Ok(run)
    }
}

/// Other batches or other noise would not be the same run.
fn same_setting(setting: &'static str, now: u64, then: u64) -> Result<()> {
    if now == then {
        return Ok(());
    }
    let message =
        format!("the run to resume has {then}, this model was built with {now}: build it with {then}, or do not resume");
    Err(Error::Setting { setting, message })
}

/// A run under way.
struct Session {
    run: Run,
    names: Vec<String>,
    every: Intervals,
    started: Instant,
    /// The model's step when this call began.
    begun: u64,
}

impl Session {
    /// Reads the values of the last step, and refuses to go on where they or the state are not finite.
    fn log(&mut self, training: &mut dyn Training, step: u64, progress: &mut Progress) -> Result<()> {
        let values = training.metrics()?;
        let seconds = self.run.history.seconds + self.started.elapsed().as_secs_f64();
        if let Some(log) = &mut self.run.log {
            log.append(step, seconds, &self.names, &values)?;
        }
        progress.values(step, &self.names, &values);
        let wrong = values.iter().position(|value| value.is_some_and(|value| !value.is_finite()));
        if let Some(index) = wrong {
            let (name, value) = (&self.names[index], values[index].unwrap_or(f32::NAN));
            let what = if index < training.players() { "its objective" } else { "a metric" };
            return Err(self.diverged(step, name.clone(), format!("{what} is {value}")));
        }
        let players = training.players().min(self.names.len());
        let warnings = self.run.watch.objectives(&self.names[..players], &values);
        self.warn(warnings, progress);
        self.run.history.points.push((step, values));
        self.check_state(training, step)
    }

    fn warn(&mut self, warnings: impl IntoIterator<Item = String>, progress: &Progress) {
        for warning in warnings {
            progress.say(&format!("warning: {warning}"));
            self.run.warnings.push(warning);
        }
    }

    fn check_state(&self, training: &dyn Training, step: u64) -> Result<()> {
        match training.non_finite()? {
            Some((name, value)) => Err(self.diverged_in(step, &name, value)),
            None => Ok(()),
        }
    }

    fn diverged_in(&self, step: u64, name: &str, value: f32) -> Error {
        let owner = name.split('.').next().unwrap_or(name).to_string();
        self.diverged(step, owner, format!("`{name}` holds {value}"))
    }

    fn diverged(&self, step: u64, player: String, what: String) -> Error {
        Error::Diverged { step, player, what, checkpoint: self.run.checkpoint.clone() }
    }

    /// Writes a checkpoint, unless one of this step is there, and never one of a state that is not finite.
    fn save(&mut self, training: &dyn Training) -> Result<()> {
        let Some(folder) = &self.run.folder else { return Ok(()) };
        let step = training.step_index();
        let path = folder.checkpoint(step);
        if self.run.checkpoint.as_ref() == Some(&path) || step == self.run.first {
            return Ok(());
        }
        let checkpoint = training.snapshot()?;
        if let Some((name, value)) = checkpoint.non_finite() {
            return Err(self.diverged_in(step, name, value));
        }
        checkpoint.write(&path)?;
        self.run.checkpoint = Some(path);
        Ok(())
    }

    /// Draws the outputs that are pictures, and the curves so far.
    fn draw(&mut self, training: &mut dyn Training, step: u64, progress: &Progress) -> Result<()> {
        let Some(folder) = self.run.folder.clone() else { return Ok(()) };
        for (output, samples) in training.fixed_samples()? {
            let warning = self.run.watch.samples(&output, &samples);
            self.warn(warning, progress);
            if picture::is_pictures(samples.shape()) {
                samples.save_grid(folder.grid(&output, step))?;
            }
        }
        self.curves(training)
    }

    fn curves(&self, training: &dyn Training) -> Result<()> {
        let Some(folder) = &self.run.folder else { return Ok(()) };
        let (players, all) = (training.players().min(self.names.len()), self.names.len());
        let name = training.model_name();
        curves::draw(&self.run.history, 0..players, &format!("{name}: objectives"), &folder.file("losses.png"))?;
        curves::draw(&self.run.history, players..all, &format!("{name}: metrics"), &folder.file("metrics.png"))
    }

    fn goodbye(&self, step: u64) -> String {
        match &self.run.checkpoint {
            Some(path) => format!("stopped after step {step}; saved {}: `.resume()` goes on from there", path.display()),
            None => format!("stopped after step {step}; nothing was saved, for want of `.into_dir(…)`"),
        }
    }

    fn report(self, step: u64, interrupted: bool) -> Report {
        let values = self.run.history.points.last().map(|(_, values)| values.clone());
        let values = values.unwrap_or_else(|| vec![None; self.names.len()]);
        let steps = step.saturating_sub(self.begun);
        Report {
            step,
            steps,
            metrics: self.names.into_iter().zip(values).collect(),
            interrupted,
            steps_per_second: steps as f64 / self.started.elapsed().as_secs_f64().max(1e-9),
            folder: self.run.folder.map(|folder| folder.root().to_path_buf()),
            checkpoint: self.run.checkpoint,
            warnings: self.run.warnings,
        }
    }
}
