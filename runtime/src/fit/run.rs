//! The training loop: batches in, steps, and on their intervals the log, the curves, the grids, the checkpoints.
//!
//! What always holds: a checkpoint is written only of a state whose every number is finite; a run that is taken up again sees
//! the batches, and leaves the numbers, of the run that was never interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::events::{Events, Kind};
use super::folder::{Folder, Manifest, Resumed};
use super::interrupt::Interrupt;
use super::log::{History, Log};
use super::progress::Progress;
use super::session::Session;
use super::show::Show;
use super::watch::Watch;
use super::{Fit, Report, Training};
use crate::checkpoint::{Checkpoint, Values};
use crate::error::{Error, Result};
use crate::source::Source;
use crate::source::loader::Loader;
use crate::source::prefetch::Feed;

/// Trains on these sources, one a data group in the model's order, as `fit` says.
pub fn drive(training: &mut dyn Training, sources: &[&dyn Source], fit: &Fit) -> Result<Report> {
    let every = Intervals::of(fit)?;
    let (groups, batch) = (training.groups(), training.batch_size());
    // Data that do not suit the model are refused before anything is moved or written.
    let loader = Loader::new(&groups, sources, batch, training.batches_per_step(), training.seed())?;
    let samples = groups.iter().zip(sources).map(|(group, source)| (group.name.clone(), source.len())).collect();
    let mut session = begin(training, sources, fit, every, samples)?;
    training.set_horizon(session.first, fit.steps);
    // Batches are gathered on a thread of their own, which ends when the feed is dropped.
    let outcome = std::thread::scope(|scope| {
        let feed = Feed::begin(loader, scope, session.begun..session.end, fit.prefetch)?;
        train(training, feed, fit, &mut session)
    });
    session.finish(training, outcome)
}

/// The loop; whether it was interrupted.
fn train(training: &mut dyn Training, mut feed: Feed<'_>, fit: &Fit, session: &mut Session<'_>) -> Result<bool> {
    let interrupt = Interrupt::listen();
    let stopped = || interrupt.asked() || fit.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
    let end = session.end;
    while training.step_index() < end {
        let batches = match feed.next(training.step_index()) {
            Ok(batches) => batches,
            Err(error) => {
                // The state is as good as before: what was learnt so far is kept.
                session.save(training)?;
                return Err(error);
            }
        };
        training.step(&batches.columns())?;
        let step = training.step_index();
        session.progress.step(step);
        if session.every.log(step, end) || !training.objectives_are_finite() {
            session.log(training, step)?;
        }
        if session.every.grid(step, end) {
            session.draw(training, step)?;
        }
        let interrupted = step < end && stopped();
        if session.every.checkpoint(step, end) || interrupted {
            session.save(training)?;
        }
        if interrupted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How often what happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intervals {
    log: u64,
    grid: u64,
    checkpoint: u64,
}

impl Intervals {
    fn of(fit: &Fit) -> Result<Intervals> {
        if fit.keep == 0 {
            let message = "at least the newest checkpoint stays: keep 1 or more".to_string();
            return Err(Error::Setting { setting: "keep", message });
        }
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

    pub(super) fn log(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.log) || step == end
    }

    pub(super) fn grid(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.grid) || step == end
    }

    pub(super) fn checkpoint(&self, step: u64, end: u64) -> bool {
        step.is_multiple_of(self.checkpoint) || step == end
    }
}

/// The run at its beginning, fresh or taken up again.
fn begin<'a>(
    training: &mut dyn Training,
    sources: &'a [&'a dyn Source],
    fit: &Fit,
    every: Intervals,
    samples: BTreeMap<String, usize>,
) -> Result<Session<'a>> {
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
    let mut session = Session {
        folder: None,
        log: None,
        history: History { names: names.clone(), ..History::default() },
        events: Events::default(),
        first,
        end: first + fit.steps,
        begun: first,
        checkpoint: None,
        keep: fit.keep,
        every,
        names,
        warnings: Vec::new(),
        watch: Watch::default(),
        progress: Progress::Quiet,
        show: Show::new(training, sources),
        #[cfg(feature = "tensorboard")]
        tensorboard: None,
        earlier: 0.0,
        started: Instant::now(),
        unsaved: None,
        unwritten: BTreeSet::new(),
    };
    let (mut remarks, mut warnings) = (Vec::new(), Vec::new());
    if let Some(root) = &fit.folder {
        let bytes = size(&training.snapshot()?);
        let resumed = if fit.resume { Folder::resume(root)? } else { None };
        let (folder, event) = match resumed {
            Some(Resumed { folder, manifest: old, checkpoint, path, damaged }) => {
                same_setting("seed", manifest.seed, old.seed)?;
                same_setting("batch", manifest.batch as u64, old.batch as u64)?;
                training.restore(&checkpoint)?;
                warnings.extend(damaged.iter().map(|error| format!("passed over: {error}")));
                if old.samples != manifest.samples {
                    let (then, now) = (&old.samples, &manifest.samples);
                    warnings.push(format!(
                        "the data have changed since the run began, so it will not be the same: samples were {then:?}, are {now:?}"
                    ));
                }
                remarks.push(format!("going on from {}", path.display()));
                session.first = old.first_step;
                session.end = old.first_step + fit.steps;
                session.begun = training.step_index();
                session.checkpoint = Some(path);
                manifest.first_step = old.first_step;
                if session.begun < session.end {
                    folder.check_room(bytes)?;
                }
                if old != manifest {
                    folder.describe(&manifest)?;
                }
                (folder, Kind::Resumed)
            }
            None => {
                let (folder, moved) = Folder::fresh(root, &manifest, bytes)?;
                remarks.extend(moved.map(|moved| format!("the run that was there is now {}", moved.display())));
                (folder, Kind::Began)
            }
        };
        let (log, history) = Log::open(&folder.file("metrics.jsonl"), training.step_index(), &session.names)?;
        session.events = Events::open(&folder.file("events.jsonl"))?;
        session.events.add(session.begun, event, "")?;
        #[cfg(feature = "tensorboard")]
        {
            let after = (event == Kind::Resumed).then_some(session.begun);
            session.tensorboard = Some(super::tensorboard::EventFile::create(&folder.file("tensorboard"), after)?);
        }
        session.earlier = history.seconds;
        (session.log, session.history, session.folder) = (Some(log), history, Some(folder));
    }
    session.progress = Progress::new(session.begun, session.end, fit.quiet);
    session.started = Instant::now();
    remarks.iter().for_each(|remark| session.progress.say(remark));
    for warning in warnings {
        session.warn(session.begun, warning)?;
    }
    Ok(session)
}

/// About how many bytes a checkpoint takes on disk.
fn size(checkpoint: &Checkpoint) -> u64 {
    let bytes = |values: &Values| match values {
        Values::F32(values) => 4 * values.len(),
        Values::I32(values) => 4 * values.len(),
        Values::U64(values) => 8 * values.len(),
    };
    checkpoint.arrays.values().map(|array| bytes(&array.values) as u64).sum()
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
