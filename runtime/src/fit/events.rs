//! `events.jsonl`: what happened to a run and when, one line an event. A run that is taken up again goes on appending.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use crate::error::Result;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A run began.
    Began,
    /// It was taken up again.
    Resumed,
    /// Something was noticed.
    Warning,
    /// It was stopped before its last step.
    Interrupted,
    /// It ended because a number was no longer finite.
    Diverged,
    /// It ended with another error.
    Failed,
    /// It made its last step.
    Finished,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// Seconds since the beginning of 1970, UTC.
    pub time: u64,
    /// Completed steps of the model.
    pub step: u64,
    pub event: Kind,
    /// What a person should know; empty where the kind says it all.
    pub text: String,
}

/// The events of a run, those of the file and those that were added.
#[derive(Debug, Default)]
pub(super) struct Events {
    file: Option<Lines>,
    pub all: Vec<Event>,
}

impl Events {
    /// Reads what is there and gets ready to append. Lines that are damaged are passed over.
    pub(super) fn open(path: &Path) -> Result<Events> {
        let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let all = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Events { file: Some(Lines::open(path)?), all })
    }

    /// Adds an event. It is remembered even where it cannot be written.
    pub(super) fn add(&mut self, step: u64, event: Kind, text: &str) -> Result<()> {
        let event = Event { time: now(), step, event, text: text.to_string() };
        let line = serde_json::to_string(&event).unwrap_or_default();
        self.all.push(event);
        match &mut self.file {
            Some(file) => file.append(&line),
            None => Ok(()),
        }
    }
}

/// Seconds since the beginning of 1970, UTC.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back_and_damaged_lines_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut events = Events::open(&path).unwrap();
        events.add(0, Kind::Began, "").unwrap();
        events.add(7, Kind::Warning, "a \"quote\" and\na line").unwrap();
        let said = events.all.clone();
        drop(events);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().next().unwrap().ends_with(r#","step":0,"event":"began","text":""}"#), "{text}");
        fs::write(&path, text + "{\"time\":1,").unwrap();
        let mut events = Events::open(&path).unwrap();
        assert_eq!(events.all, said);
        events.add(9, Kind::Finished, "").unwrap();
        assert_eq!(Events::open(&path).unwrap().all.len(), 3);
    }
}
