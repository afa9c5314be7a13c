//! Progress of loads that take long: a bar on a terminal, nothing elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Loads that are over sooner show nothing.
const LONG: Duration = Duration::from_millis(700);

/// How far a load has come.
pub(super) struct Loading {
    bar: ProgressBar,
    started: Instant,
    shown: AtomicBool,
}

impl Loading {
    /// A load of so many parts.
    pub(super) fn new(what: impl Into<String>, parts: u64) -> Loading {
        let bar = ProgressBar::with_draw_target(Some(parts), ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{bar:24.cyan/blue} {percent}% of {msg}  ETA {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.into());
        Loading { bar, started: Instant::now(), shown: AtomicBool::new(false) }
    }

    /// So many parts are there.
    pub(super) fn reached(&self, parts: u64) {
        self.bar.set_position(parts);
        self.show();
    }

    /// One more part is there.
    pub(super) fn one_more(&self) {
        self.bar.inc(1);
        self.show();
    }

    fn show(&self) {
        if self.started.elapsed() > LONG && !self.shown.swap(true, Ordering::Relaxed) {
            // Hidden where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
