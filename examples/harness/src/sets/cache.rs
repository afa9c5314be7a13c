//! The folder of fetched data sets. What always holds: a data set's folder is there whole, under the sums of this table, or it
//! counts as not there.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::table::{Pin, Set};

/// The environment variable that says where data sets are kept.
pub const VARIABLE: &str = "SADDLEPOINT_DATA";
/// Names the packages that a folder came from; a folder whose file says something else is of another version.
const ORIGIN: &str = "origin.txt";
/// The beginning of the names of folders that are being filled.
const UNFINISHED: &str = ".unfinished-";

/// Where data sets are kept.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The folder that `SADDLEPOINT_DATA` names, or `saddlepoint` in the user's cache folder (on Linux `XDG_CACHE_HOME`, or
    /// `~/.cache`); in the system's folder for temporary files where there is none.
    pub fn of_user() -> Cache {
        let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        let usual = || dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("saddlepoint");
        Cache { root: named.unwrap_or_else(usual) }
    }

    /// A cache in this folder.
    pub fn at(root: impl Into<PathBuf>) -> Cache {
        Cache { root: root.into() }
    }

    /// The folder of all data sets.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a data set, where it is there.
    pub fn folder(&self, set: &Set) -> Option<PathBuf> {
        let folder = self.root.join(set.name);
        (fs::read_to_string(folder.join(ORIGIN)).ok()? == origin(set)).then_some(folder)
    }

    /// Keeps every other process out until it is dropped, and removes what an interrupted one left unfinished.
    pub(super) fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.root)?;
        let lock = File::create(self.root.join(".lock"))?;
        lock.lock()?;
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(lock)
    }

    /// A folder beside the data sets, which goes when it is dropped.
    pub(super) fn unfinished(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&self.root)
    }

    /// Takes a folder that is complete as this data set's, in place of one of another version.
    pub(super) fn keep(&self, set: &Set, complete: &Path) -> io::Result<PathBuf> {
        fs::write(complete.join(ORIGIN), origin(set))?;
        let folder = self.root.join(set.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(complete, &folder)?;
        Ok(folder)
    }
}

/// What a data set's folder says of itself.
fn origin(set: &Set) -> String {
    let mut text = format!("{}: {}\nLicence: {}\n", set.title, set.contents, set.licence);
    for package in set.packages {
        let (what, sum) = match package.pin {
            Pin::Archive(sum) => ("archive", sum),
            Pin::Files(sum) => ("files", sum),
        };
        text += &format!("{:?} {} {}, {what} sha256 {sum}\n", package.registry, package.name, package.version);
    }
    text
}
