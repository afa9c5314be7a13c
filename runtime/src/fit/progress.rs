//! What a fit says while it runs: a bar on a terminal, a line now and then elsewhere, nothing when asked to be quiet.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// The least time between two lines when the output is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Where progress is shown.
pub(super) enum Progress {
    /// A bar that is redrawn.
    Bar(ProgressBar),
    /// Lines.
    Lines(Lines),
    /// Nowhere.
    Quiet,
}

/// The state of progress in lines.
pub(super) struct Lines {
    first: u64,
    end: u64,
    started: Instant,
    last: Option<Instant>,
}

impl Progress {
    /// Begins at step `first` of a run that ends at step `end`.
    pub(super) fn new(first: u64, end: u64, quiet: bool) -> Progress {
        if quiet {
            return Progress::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Progress::Lines(Lines { first, end, started: Instant::now(), last: None });
        }
        let bar = ProgressBar::new(end).with_position(first);
        let template = "{bar:24.cyan/blue} {pos}/{len}  {speed}  {msg}  ETA {left}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        // Over the steps of this call alone: a resumed run did not make the others in this time.
        let speed =
            move |state: &ProgressState| state.pos().saturating_sub(first) as f64 / state.elapsed().as_secs_f64().max(1e-9);
        // Writing to the bar's own buffer cannot fail.
        let style = style.with_key("speed", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1} steps/s", speed(state));
        });
        let style = style.with_key("left", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let left = end.saturating_sub(state.pos()) as f64 / speed(state);
            let _ = match left.is_finite() {
                true => write!(out, "{left:.0} s"),
                false => write!(out, "–"),
            };
        });
        bar.set_style(style);
        bar.reset_elapsed();
        Progress::Bar(bar)
    }

    /// A step is done.
    pub(super) fn step(&self, step: u64) {
        if let Progress::Bar(bar) = self {
            bar.set_position(step);
        }
    }

    /// Values were logged.
    pub(super) fn values(&mut self, step: u64, names: &[String], values: &[Option<f32>]) {
        let shown = || {
            let known = names.iter().zip(values).filter_map(|(name, value)| Some(format!("{name} {:.4}", (*value)?)));
            known.collect::<Vec<_>>().join("  ")
        };
        match self {
            Progress::Bar(bar) => bar.set_message(shown()),
            Progress::Lines(lines) => {
                let due = lines.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
                if due || step == lines.end {
                    let seconds = lines.started.elapsed().as_secs_f64();
                    let speed = (step - lines.first) as f64 / seconds.max(1e-9);
                    let left = (lines.end - step) as f64 / speed.max(1e-9);
                    eprintln!("step {step}/{}  {speed:.1} steps/s  {}  ETA {left:.0} s", lines.end, shown());
                    lines.last = Some(Instant::now());
                }
            }
            Progress::Quiet => {}
        }
    }

    /// Something worth a line of its own.
    pub(super) fn say(&self, message: &str) {
        match self {
            Progress::Bar(bar) => bar.println(message),
            Progress::Lines(_) => eprintln!("{message}"),
            Progress::Quiet => {}
        }
    }

    /// The fit is over.
    pub(super) fn finish(&self) {
        if let Progress::Bar(bar) = self {
            bar.abandon();
        }
    }
}
