//! What can go wrong while a model is built, trained, saved or read, in the user's terms.
//!
//! Every message says what happened, where, and what to do. After an error the model stays usable and nothing that was
//! saved before is lost.

use std::path::{Path, PathBuf};

/// The library's result type.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. Its `Debug` is its message, which is what a `main` that returns it prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Open constants or Rust functions do not fit the model: found when it is built, at its place in the source.
    #[error("{file}:{line}:{column}: {message}")]
    Model {
        /// Source file of the model.
        file: String,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
        /// What is wrong and what to do.
        message: String,
    },

    /// An extern net was not given its parameters.
    #[error("the extern net `{net}` has no parameters: give them with `Config::give(&trained)`, or let a player update it")]
    Missing {
        /// The net's name.
        net: String,
    },

    /// The device cannot be had, or failed.
    #[error("device: {message}")]
    Device {
        /// What is wrong and what to do.
        message: String,
    },

    /// Data that do not suit the model or are broken in themselves.
    #[error("{}", data_message(r#source, *row, field.as_deref(), expected, found))]
    Data {
        /// Where the data come from: a file, a data group, an argument.
        r#source: String,
        /// The sample, from 0, where one is to blame.
        row: Option<usize>,
        /// The field or column, where one is to blame.
        field: Option<String>,
        /// What is needed.
        expected: String,
        /// What is there instead.
        found: String,
    },

    /// Something that has to be fetched first, as a data set.
    #[error("{what} is not here; get it with: {remedy}")]
    Absent {
        /// What it is.
        what: String,
        /// The command that gets it.
        remedy: String,
    },

    /// A checkpoint that is damaged, foreign, or does not fit the model.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },

    /// A PyTorch state dict that is none, or does not fit the net.
    #[error("state dict {}: {message}", path.display())]
    StateDict {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },

    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// Training produced a value that is not finite.
    #[error(
        "training diverged at step {step}: {what} (player {player}). {} Try a smaller learning rate, `clip_norm`, or another \
         seed.",
        last_good(checkpoint.as_deref())
    )]
    Diverged {
        /// Completed steps when it was noticed.
        step: u64,
        /// The player whose objective or parameters it was.
        player: String,
        /// Which value, and what it was.
        what: String,
        /// The newest checkpoint written before, which holds finite values only.
        checkpoint: Option<PathBuf>,
    },

    /// A setting that makes no sense.
    #[error("setting `{setting}`: {message}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// What is wrong and what to do.
        message: String,
    },

    /// The compiler refused a graph: a fault of this library, or of a Rust function over `Expr`.
    #[error("compiling the model: {0}")]
    Compiler(saddlepoint_compiler::Error),
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// An [`Error::Io`] for this path.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Error {
        Error::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Checkpoint`] for this path.
    pub fn checkpoint(path: impl AsRef<Path>, message: impl Into<String>) -> Error {
        Error::Checkpoint { path: path.as_ref().to_path_buf(), message: message.into() }
    }

    /// An [`Error::Device`].
    pub fn device(message: impl Into<String>) -> Error {
        Error::Device { message: message.into() }
    }

    /// An [`Error::Data`] that no single row or field is to blame for.
    pub fn data(source: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Error {
        Error::Data { r#source: source.into(), row: None, field: None, expected: expected.into(), found: found.into() }
    }

    /// An [`Error::Data`] in one field, in one row where it is known.
    pub fn field(
        source: impl Into<String>,
        row: Option<usize>,
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        let (expected, found) = (expected.into(), found.into());
        Error::Data { r#source: source.into(), row, field: Some(field.into()), expected, found }
    }
}

impl From<saddlepoint_compiler::Error> for Error {
    fn from(error: saddlepoint_compiler::Error) -> Error {
        match error {
            saddlepoint_compiler::Error::Model { file, line, column, message } => {
                Error::Model { file, line, column, message }
            }
            other => Error::Compiler(other),
        }
    }
}

fn data_message(source: &str, row: Option<usize>, field: Option<&str>, expected: &str, found: &str) -> String {
    let mut place = source.to_string();
    if let Some(field) = field {
        place += &format!(", field `{field}`");
    }
    if let Some(row) = row {
        place += &format!(", row {row}");
    }
    format!("{place}: expected {expected}, found {found}")
}

fn last_good(checkpoint: Option<&Path>) -> String {
    match checkpoint {
        Some(path) => format!("The last good checkpoint is {}.", path.display()),
        None => "No checkpoint was written before.".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_errors_name_source_field_row_and_both_sides() {
        let error = Error::field("faces.bin", Some(17), "x", "finite numbers", "NaN");
        assert_eq!(error.to_string(), "faces.bin, field `x`, row 17: expected finite numbers, found NaN");
        assert_eq!(Error::data("group pair", "64 rows", "9").to_string(), "group pair: expected 64 rows, found 9");
        assert_eq!(format!("{error:?}"), error.to_string(), "a `main` that returns it prints the message");
    }

    #[test]
    fn divergence_names_the_checkpoint_to_go_back_to() {
        let checkpoint = Some(PathBuf::from("runs/a/checkpoints/step-00000500.safetensors"));
        let error = Error::Diverged { step: 612, player: "D".into(), what: "its objective is NaN".into(), checkpoint };
        let text = error.to_string();
        assert!(text.contains("step 612") && text.contains("player D") && text.contains("step-00000500"), "{text}");
    }

    #[test]
    fn a_compiler_error_about_the_model_keeps_its_place() {
        let message = "x".to_string();
        let error: Error = saddlepoint_compiler::Error::Model { file: "a.rs".into(), line: 3, column: 9, message }.into();
        assert_eq!(error.to_string(), "a.rs:3:9: x");
        assert!(matches!(error, Error::Model { line: 3, column: 9, .. }));
    }
}
