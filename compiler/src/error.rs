//! What the compiler reports.

/// Anything that can go wrong while a graph is built, read, checked or compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An ill-formed graph or an operation on operands that do not suit it.
    #[error("{message}")]
    Ir {
        /// What is wrong, with both types and the op.
        message: String,
    },
    /// A model whose open dimensions, constants or Rust functions do not fit, at its place in the user's source.
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
    /// Code generation failed: a fault of this compiler, never the user's.
    #[error("internal: code generation failed: {message}")]
    Codegen {
        /// What failed, and for which kernel.
        message: String,
    },
}

impl Error {
    /// An [`Error::Ir`].
    pub fn ir(message: impl Into<String>) -> Error {
        Error::Ir { message: message.into() }
    }

    /// An [`Error::Codegen`].
    pub fn codegen(message: impl Into<String>) -> Error {
        Error::Codegen { message: message.into() }
    }
}

/// The compiler's result type.
pub type Result<T> = std::result::Result<T, Error>;
