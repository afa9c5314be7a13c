//! `metrics.jsonl`: one line a logging step, with the step, the seconds of training so far, and every value under its name.
//!
//! The keys are stable: `step` (completed steps), `seconds` (of training so far, over all parts of the run), then each
//! player's objective under the player's name and each metric under its own. A value is `null` where the player has not moved
//! or where the number is not finite. Taking up a run at an earlier step removes the lines beyond it, which are kept in a file
//! of their own.

use std::path::Path;
use std::{fs, io};

use super::lines::Lines;
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// The logged values of one step, in the order of the names.
pub(super) type Values = Vec<Option<f32>>;

/// What was logged so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    pub names: Vec<String>,
    pub points: Vec<(u64, Values)>,
    /// Seconds of training at the last point.
    pub seconds: f64,
}

/// The open log of a run.
pub(super) struct Log {
    lines: Lines,
}

impl Log {
    /// Opens the log of a run that stands at `step`: lines beyond it go to a file of their own, the others come back.
    pub(super) fn open(path: &Path, step: u64, names: &[String]) -> Result<(Log, History)> {
        let mut history = History { names: names.to_vec(), ..History::default() };
        match fs::read(path) {
            Ok(bytes) => trim(path, &String::from_utf8_lossy(&bytes), step, &mut history)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(path, error)),
        }
        Ok((Log { lines: Lines::open(path)? }, history))
    }

    /// Appends a line.
    pub(super) fn append(&mut self, step: u64, seconds: f64, names: &[String], values: &Values) -> Result<()> {
        let mut line = format!("{{\"step\":{step},\"seconds\":{seconds:.3}");
        for (name, value) in names.iter().zip(values) {
            // `{:?}` of an f32 is the shortest decimal that reads back to the same bits; JSON has no NaN and no infinity.
            let value = value.filter(|value| value.is_finite()).map_or("null".to_string(), |value| format!("{value:?}"));
            line += &format!(",{}:{value}", serde_json::Value::from(key(name)));
        }
        line.push('}');
        self.lines.append(&line)
    }
}

/// The key of a value: its name, unless the line's own keys have it.
fn key(name: &str) -> String {
    match name {
        "step" | "seconds" => format!("metric.{name}"),
        name => name.to_string(),
    }
}

fn trim(path: &Path, text: &str, step: u64, history: &mut History) -> Result<()> {
    let (mut kept, mut removed) = (String::new(), String::new());
    for line in text.split_inclusive('\n') {
        match parse(line, &history.names) {
            Some((at, seconds, values)) if at <= step && removed.is_empty() => {
                kept += line;
                history.seconds = seconds;
                history.points.push((at, values));
            }
            _ => removed += line,
        }
    }
    if removed.is_empty() {
        return Ok(());
    }
    let free = (1u32..).map(|number| path.with_extension(format!("after-{step:08}.{number}.jsonl")));
    if let Some(backup) = free.into_iter().find(|path| !path.exists()) {
        write_atomically(&backup, removed.as_bytes())?;
    }
    write_atomically(path, kept.as_bytes())
}

/// A whole line: its step, seconds and values; `None` where it is damaged or cut short.
fn parse(line: &str, names: &[String]) -> Option<(u64, f64, Values)> {
    let object: serde_json::Value = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
    let value = |name: &String| object.get(key(name)).and_then(|value| value.as_f64()).map(|value| value as f32);
    Some((object.get("step")?.as_u64()?, object.get("seconds")?.as_f64()?, names.iter().map(value).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names() -> Vec<String> {
        vec!["D".into(), "G".into()]
    }

    fn logged(path: &Path, steps: std::ops::RangeInclusive<u64>) {
        let (mut log, _) = Log::open(path, u64::MAX, &names()).unwrap();
        for step in steps {
            log.append(step, step as f64, &names(), &vec![Some(0.1 * step as f32), None]).unwrap();
        }
    }

    #[test]
    fn lines_read_back_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        logged(&path, 1..=3);
        assert_eq!(
            fs::read_to_string(&path).unwrap().lines().next(),
            Some(r#"{"step":1,"seconds":1.000,"D":0.1,"G":null}"#)
        );
        let (_, history) = Log::open(&path, 3, &names()).unwrap();
        assert_eq!(history.points[2], (3, vec![Some(0.1 * 3.0f32), None]));
        assert_eq!(history.seconds, 3.0);
    }

    #[test]
    fn a_metric_named_like_a_key_of_the_line_has_a_key_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let names = vec!["step".to_string()];
        Log::open(&path, 0, &names).unwrap().0.append(3, 0.5, &names, &vec![Some(7.0)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":3,\"seconds\":0.500,\"metric.step\":7.0}\n");
        assert_eq!(Log::open(&path, 3, &names).unwrap().1.points, [(3, vec![Some(7.0)])]);
    }

    #[test]
    fn lines_beyond_the_step_and_half_lines_are_kept_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        logged(&path, 1..=4);
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\":5,\"sec").unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        let (_, history) = Log::open(&path, 2, &names()).unwrap();
        assert_eq!(history.points.iter().map(|point| point.0).collect::<Vec<_>>(), [1, 2]);
        let removed = fs::read_to_string(folder.path().join("metrics.after-00000002.1.jsonl")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap() + &removed, whole);
        // Again: the second backup does not touch the first.
        logged(&path, 3..=3);
        Log::open(&path, 2, &names()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("metrics.after-00000002.1.jsonl")).unwrap(), removed);
        assert!(folder.path().join("metrics.after-00000002.2.jsonl").exists());
    }
}
