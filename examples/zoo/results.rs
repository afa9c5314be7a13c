//! What running a row gave, kept as a file beside the table so that only rows whose code or settings changed are run again.

use crate::rows::{Row, Run};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

/// A line `measure NAME VALUE LIMIT pass|fail` of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What was measured.
    pub name: String,
    /// The figure, as printed.
    pub value: String,
    /// `>=…`, `<=…`, or `-` where nothing is judged.
    pub limit: String,
    /// Whether it is within the limit.
    pub pass: bool,
}

/// What a command of a row printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// SHA-256 of the example's source and arguments.
    pub code: String,
    /// Seconds it ran for.
    pub seconds: f64,
    /// Training steps of all its fits that left a run folder.
    pub steps: u64,
    /// Processors that it had.
    pub processors: usize,
    /// All measures, in order.
    pub measures: Vec<Measure>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// What a row's commands printed, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The commands.
    pub runs: Vec<Ran>,
}

impl Outcome {
    /// Whether every command ended well and every judged measure is within its limit, and there is one.
    pub fn passes(&self) -> bool {
        let mut judged = self.judged().peekable();
        self.runs.iter().all(|run| run.failure.is_none()) && judged.peek().is_some() && judged.all(|measure| measure.pass)
    }

    /// The measures of all commands.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.runs.iter().flat_map(|run| &run.measures)
    }

    /// Those that have a limit.
    pub fn judged(&self) -> impl Iterator<Item = &Measure> {
        self.measures().filter(|measure| measure.limit != "-")
    }

    /// Whether these are not the results of the row's commands and their examples as they are now.
    pub fn is_stale(&self, row: &Row, root: &Path) -> io::Result<bool> {
        let now: Vec<String> = row.runs.iter().map(|run| code_of(run, root)).collect::<io::Result<_>>()?;
        Ok(now.iter().ne(self.runs.iter().map(|run| &run.code)))
    }
}

/// Reads a measure's line.
pub fn measure_of(line: &str) -> Option<Measure> {
    let words: Vec<&str> = line.strip_prefix("measure ")?.split(' ').collect();
    let [name, value, limit, verdict] = words[..] else { return None };
    let pass = match verdict {
        "pass" => true,
        "fail" => false,
        _ => return None,
    };
    Some(Measure { name: name.into(), value: value.into(), limit: limit.into(), pass })
}

/// What tells whether a command is to be run again: its example's source, and its arguments. What they stand on, library and harness, has
/// tests of its own, and would have every row measured again for every change.
fn code_of(run: &Run, root: &Path) -> io::Result<String> {
    let file = root.join("examples").join(run.example).with_extension("rs");
    let bytes = fs::read(&file).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())))?;
    // The same on systems whose files have other line ends.
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    let hash = Sha256::digest(format!("{} {:?}\n{text}", run.example, run.arguments));
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All files below a folder, in order of their names.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// Where a row's result is kept.
pub fn file_of(row: &Row, root: &Path) -> PathBuf {
    root.join("docs/zoo").join(format!("{:02}.json", row.number))
}

/// The kept result of a row, if there is a readable one.
pub fn kept(row: &Row, root: &Path) -> Option<Outcome> {
    serde_json::from_slice(&fs::read(file_of(row, root)).ok()?).ok()
}

/// Runs a row's commands, of which those whose code has not changed keep what they printed unless all are `wanted`; shows what they print,
/// and keeps results and picture.
pub fn run(row: &Row, root: &Path, wanted: bool) -> io::Result<Outcome> {
    let file = file_of(row, root);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", folder.display())))?;
    }
    let before = kept(row, root).unwrap_or_default().runs;
    let mut outcome = Outcome::default();
    for (place, run) in row.runs.iter().enumerate() {
        let code = code_of(run, root)?;
        let same = before.iter().find(|ran| ran.code == code && ran.failure.is_none() && !wanted);
        outcome.runs.push(match same {
            Some(ran) => ran.clone(),
            None => run_one(row, run, code, root)?,
        });
        // After every command, with what is known of those behind it: an interruption loses one at most.
        let known = outcome.runs.iter().chain(before.iter().skip(place + 1)).cloned().collect();
        fs::write(&file, serde_json::to_string_pretty(&Outcome { runs: known })? + "\n")?;
    }
    Ok(outcome)
}

fn run_one(row: &Row, run: &Run, code: String, root: &Path) -> io::Result<Ran> {
    // Before the clock runs: seconds are those of the example, not of its build.
    let status = cargo(root).args(["build", "--quiet", "--release", "--example", run.example]).status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{} does not build", run.example)));
    }
    let (start, now) = (Instant::now(), SystemTime::now());
    let folder = root.join("runs/zoo").join(format!("{:02}-{}", row.number, run.example));
    let mut measures = Vec::new();
    let failure = command(run, root, &folder, &mut measures).err().map(|error| error.to_string());
    let seconds = start.elapsed().as_secs_f64().round();
    // What was measured stands without a picture.
    if let Err(error) = keep_picture(row, run, root, &folder) {
        eprintln!("no picture: {error}");
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Ran { code, seconds, steps: steps_of(&folder, now)?, processors, measures, failure })
}

/// The steps of all run folders here that were begun since then; earlier runs lie beside them, moved aside.
fn steps_of(folder: &Path, since: SystemTime) -> io::Result<u64> {
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(folder, &mut files)?;
    }
    let mut steps = 0;
    for file in files.iter().filter(|file| file.ends_with("run.json")) {
        if fs::metadata(file)?.modified()? >= since {
            let run: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
            steps += run["steps"].as_u64().unwrap_or(0);
        }
    }
    Ok(steps)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn command(run: &Run, root: &Path, folder: &Path, measures: &mut Vec<Measure>) -> io::Result<()> {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--release", "--example", run.example, "--"]);
    command.args(run.arguments).arg("--into").arg(folder).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    for line in child.stdout.take().map(|out| BufReader::new(out).lines()).into_iter().flatten() {
        let line = line?;
        println!("{line}");
        measures.extend(measure_of(&line));
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

/// Copies the last picture of samples to stand beside the table.
fn keep_picture(row: &Row, run: &Run, root: &Path, folder: &Path) -> io::Result<()> {
    let (part, output) = run.picture;
    if output.is_empty() {
        return Ok(());
    }
    let kept = root.join("docs/zoo").join(format!("{:02}.png", row.number));
    if output.ends_with(".png") {
        return fs::copy(folder.join(part).join(output), kept).map(drop);
    }
    let samples = folder.join(part).join("samples");
    let step = |file: &Path| -> Option<u64> {
        file.file_name()?.to_str()?.strip_prefix(output)?.strip_prefix('-')?.strip_suffix(".png")?.parse().ok()
    };
    let mut pictures = Vec::new();
    collect(&samples, &mut pictures)
        .map_err(|e| io::Error::new(e.kind(), format!("the samples of the row, {}: {e}", samples.display())))?;
    if let Some(last) = pictures.iter().max_by_key(|file| step(file)).filter(|file| step(file).is_some()) {
        fs::copy(last, kept)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;
    use std::time::Duration;

    #[test]
    fn lines_of_measures_are_read_and_others_are_not() {
        let measure = measure_of("measure ring_modes 8.0000 >=8 pass").unwrap();
        assert_eq!((measure.name.as_str(), measure.limit.as_str(), measure.pass), ("ring_modes", ">=8", true));
        assert!(!measure_of("measure ring_modes 7.0000 >=8 fail").unwrap().pass);
        for line in ["ring_modes 8", "measure ring_modes 8.0 >=8", "measure ring_modes 8.0 >=8 maybe", ""] {
            assert_eq!(measure_of(line), None);
        }
    }

    #[test]
    fn results_are_stale_where_a_command_or_its_example_is_another() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let row = ROWS.iter().find(|row| row.runs.len() > 1).unwrap();
        let ran = |run: &Run| Ran {
            code: code_of(run, root).unwrap(),
            seconds: 1.0,
            steps: 1,
            processors: 2,
            measures: vec![],
            failure: None,
        };
        let now = Outcome { runs: row.runs.iter().map(ran).collect() };
        assert!(!now.is_stale(row, root).unwrap());
        let other = Run { example: row.runs[0].example, arguments: &["--seed", "9"], picture: ("", "") };
        let mut changed = now.clone();
        changed.runs[0] = ran(&other);
        assert!(changed.is_stale(row, root).unwrap(), "other arguments");
        let mut fewer = now.clone();
        fewer.runs.pop();
        assert!(fewer.is_stale(row, root).unwrap(), "a command that was not run");

        // And another source under the same name.
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("examples")).unwrap();
        fs::write(folder.path().join("examples").join(other.example).with_extension("rs"), "fn main() {}").unwrap();
        assert_ne!(code_of(&row.runs[0], folder.path()).unwrap(), now.runs[0].code);
    }

    #[test]
    fn steps_are_those_of_the_run_folders_begun_since() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let before = SystemTime::now() - Duration::from_secs(60);
        for (part, steps) in [("one", 30), ("other", 12)] {
            fs::create_dir_all(root.join(part)).unwrap();
            fs::write(root.join(part).join("run.json"), format!("{{\"steps\": {steps}}}")).unwrap();
        }
        assert_eq!(steps_of(root, before).unwrap(), 42);
        assert_eq!(steps_of(root, SystemTime::now() + Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(steps_of(&root.join("nothing"), before).unwrap(), 0);
    }

    #[test]
    fn a_row_passes_when_something_is_judged_and_all_of_it_passes() {
        let ran = |lines: &[&str], failure: Option<&str>| Ran {
            code: String::new(),
            seconds: 1.0,
            steps: 1,
            processors: 2,
            measures: lines.iter().filter_map(|line| measure_of(line)).collect(),
            failure: failure.map(Into::into),
        };
        let outcome = |lines: &[&str], failure: Option<&str>| Outcome { runs: vec![ran(lines, failure)] };
        let (good, bad, told) = ("measure a 1 >=1 pass", "measure b 0 >=1 fail", "measure c 3 - pass");
        assert!(outcome(&[told, good], None).passes());
        assert!(!outcome(&[good, bad], None).passes());
        assert!(!outcome(&[told], None).passes(), "nothing is judged");
        assert!(!outcome(&[good], Some("exit status: 1")).passes());
        assert!(!Outcome { runs: vec![ran(&[good], None), ran(&[bad], None)] }.passes());
    }
}
