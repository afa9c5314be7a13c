//! The folder of a run: where its files lie, how an older run is kept, where a run is taken up again.
//!
//! ```text
//! run.json                                what was trained, from which step, for how long
//! metrics.jsonl                           one line a logging step
//! events.jsonl                            one line an event: began, resumed, warning, finished, …
//! losses.svg, losses.png                  the objectives as curves; metrics.svg, metrics.png: the metrics
//! samples/sample-00000500.png             outputs as pictures, from noise that is always the same
//! checkpoints/step-00000500.safetensors
//! report.html                             all of this on one page
//! ```
//!
//! Nothing that an earlier run wrote is ever deleted; of its own checkpoints a run keeps as many as [`Fit::keep`] says.
//!
//! [`Fit::keep`]: super::Fit::keep

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::files::write_atomically;

const MANIFEST: &str = "run.json";
const CHECKPOINTS: &str = "checkpoints";
const SAMPLES: &str = "samples";

/// What a run is, as its folder remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The model's name.
    pub model: String,
    /// The version of the library that wrote it.
    pub library: String,
    /// The seed.
    pub seed: u64,
    /// Samples a batch.
    pub batch: usize,
    /// The model's step when the run began.
    pub first_step: u64,
    /// How many steps the run was to have.
    pub steps: u64,
    /// How many samples each data group had.
    pub samples: BTreeMap<String, usize>,
}

/// The folder of the current run.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

/// Where an interrupted run goes on.
pub(super) struct Resumed {
    pub folder: Folder,
    pub manifest: Manifest,
    pub checkpoint: Checkpoint,
    pub path: PathBuf,
    /// Newer checkpoints that could not be used, and why.
    pub damaged: Vec<Error>,
}

impl Folder {
    /// A folder at this path, whatever is there.
    #[cfg(all(test, feature = "report"))]
    pub(super) fn at(root: &Path) -> Folder {
        Folder { root: root.to_path_buf() }
    }

    /// A fresh folder with room for a checkpoint of so many bytes. A run already there is moved aside, to the first free of
    /// `name.1`, `name.2`, …; says where to.
    pub(super) fn fresh(root: &Path, manifest: &Manifest, bytes: u64) -> Result<(Folder, Option<PathBuf>)> {
        let folder = Folder { root: root.to_path_buf() };
        let empty = is_empty(root)?;
        fs::create_dir_all(root).map_err(|error| unusable(root, &error))?;
        // Before the older run moves: then nothing has changed where a new one cannot begin.
        folder.check_room(bytes)?;
        let moved = if empty { None } else { Some(move_aside(root)?) };
        fs::create_dir_all(root).map_err(|error| unusable(root, &error))?;
        folder.describe(manifest).map_err(|error| match error {
            Error::Io { source, .. } => unusable(root, &source),
            other => other,
        })?;
        Ok((folder, moved))
    }

    /// The folder of an interrupted run with its newest whole checkpoint; `None` where no checkpoint was written yet.
    pub(super) fn resume(root: &Path) -> Result<Option<Resumed>> {
        let folder = Folder { root: root.to_path_buf() };
        if root.is_file() {
            return Err(unusable(root, &std::io::ErrorKind::NotADirectory.into()));
        }
        let mut damaged = Vec::new();
        for path in folder.checkpoints()?.into_iter().rev() {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => {
                    let manifest = folder.manifest()?;
                    return Ok(Some(Resumed { folder, manifest, checkpoint, path, damaged }));
                }
                Err(error) => damaged.push(error),
            }
        }
        match damaged.into_iter().next() {
            Some(newest) => Err(newest),
            None => Ok(None),
        }
    }

    /// Writes down what the run is.
    pub(super) fn describe(&self, manifest: &Manifest) -> Result<()> {
        let path = self.root.join(MANIFEST);
        let text = serde_json::to_string_pretty(manifest).map_err(|error| Error::io(&path, std::io::Error::other(error)))?;
        write_atomically(&path, (text + "\n").as_bytes())
    }

    fn manifest(&self) -> Result<Manifest> {
        let path = self.root.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
        serde_json::from_str(&text).map_err(|error| Error::io(&path, std::io::Error::other(error)))
    }

    /// The checkpoints, oldest first.
    pub(super) fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        Ok(self.numbered_checkpoints()?.into_iter().map(|(_, path)| path).collect())
    }

    fn numbered_checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.root.join(CHECKPOINTS);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unusable(&self.root, &error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| Error::io(&folder, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let step = name.strip_prefix("step-").and_then(|name| name.strip_suffix(".safetensors"));
            if let Some(step) = step.and_then(|step| step.parse::<u64>().ok()) {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Refuses a folder in which a checkpoint of this size cannot be written: said now, not at the first one hours later.
    pub(super) fn check_room(&self, bytes: u64) -> Result<()> {
        let checkpoints = self.root.join(CHECKPOINTS);
        let folder = if checkpoints.is_dir() { checkpoints } else { self.root.clone() };
        let probe = folder.join(format!(".room.{}.tmp", std::process::id()));
        let filled = File::create(&probe).and_then(|mut file| {
            let zeros = vec![0; (bytes.min(1 << 20)) as usize];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(zeros.len() as u64);
                file.write_all(&zeros[..now as usize])?;
                left -= now;
            }
            file.flush()
        });
        let removed = fs::remove_file(&probe);
        filled.and(removed).map_err(|error| unusable(&folder, &error))
    }

    /// Removes the oldest checkpoints of this run until `keep` are left, the one just written at `step` among them. What came
    /// before the run's first step, or lies beyond its present one (damaged, or put there by hand), is not touched.
    pub(super) fn retain(&self, keep: usize, first: u64, step: u64) -> Result<()> {
        let own = self.numbered_checkpoints()?.into_iter().filter(|(at, _)| *at > first && *at <= step);
        let own: Vec<PathBuf> = own.map(|(_, path)| path).collect();
        for path in &own[..own.len().saturating_sub(keep.max(1))] {
            fs::remove_file(path).map_err(|error| Error::io(path, error))?;
        }
        Ok(())
    }

    /// The folder itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A file directly in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The grid of an output after this step.
    pub(super) fn grid(&self, output: &str, step: u64) -> PathBuf {
        self.samples().join(format!("{output}-{step:08}.png"))
    }

    /// Samples of the data that look like those of this output.
    #[cfg(feature = "report")]
    pub(super) fn real(&self, output: &str) -> PathBuf {
        self.samples().join(format!("{output}-real.png"))
    }

    /// Where the pictures of samples lie.
    pub(super) fn samples(&self) -> PathBuf {
        self.root.join(SAMPLES)
    }

    /// The checkpoint after this step.
    pub(super) fn checkpoint(&self, step: u64) -> PathBuf {
        self.root.join(CHECKPOINTS).join(format!("step-{step:08}.safetensors"))
    }
}

/// Whether there is nothing at this path, or an empty folder. What is no folder of a run is refused: it is not ours to move.
fn is_empty(root: &Path) -> Result<bool> {
    let mut entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(unusable(root, &error)),
    };
    if entries.next().is_none() {
        return Ok(true);
    }
    if root.join(MANIFEST).is_file() {
        return Ok(false);
    }
    let message =
        format!("{} holds files that no run wrote (there is no {MANIFEST}): choose another folder", root.display());
    Err(Error::Setting { setting: "into_dir", message })
}

/// Why a folder cannot take a run, and what to do.
fn unusable(root: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    let at = root.display();
    let message = match error.kind() {
        _ if root.is_file() => format!("{at} is a file, not a folder: choose another path"),
        ErrorKind::NotADirectory => format!("a part of the path {at} is a file, not a folder: choose another path"),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("{at} cannot be written ({error}): choose a folder that you may write to")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            format!("{at} has no room for a checkpoint ({error}): free some, or choose another disk")
        }
        _ => return Error::io(root, std::io::Error::new(error.kind(), error.to_string())),
    };
    Error::Setting { setting: "into_dir", message }
}

fn move_aside(root: &Path) -> Result<PathBuf> {
    // The last part is taken from the real path, so that `runs/a/` and `.` have one.
    let root = fs::canonicalize(root).map_err(|error| Error::io(root, error))?;
    let name = root.file_name().unwrap_or_default();
    let mut number = 1u64;
    loop {
        let mut aside = name.to_os_string();
        aside.push(format!(".{number}"));
        let aside = root.with_file_name(aside);
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(&root, &aside).map_err(|error| unusable(&root, &error))?;
            return Ok(aside);
        }
        number += 1;
    }
}
