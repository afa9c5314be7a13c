//! Saddlepoint: write the min-max game of an adversarial model the way a paper writes it; it is checked while your crate compiles,
//! becomes one optimised program, and trains as native code.
//!
//! Start with [`gan!`] and the [`prelude`].

pub use saddlepoint_compiler as compiler;
pub use saddlepoint_macros::gan;
#[cfg(feature = "metrics")]
pub use saddlepoint_runtime::metrics;
pub use saddlepoint_runtime::{
    Array, Classes, Column, ColumnSpec, Columns, Config, Device, Drawn, Draws, Error, Fit, InMemory, Kind, Model, NetDef,
    Report, Result, Rows, Source, Subset, Tensor, TorchNames, data,
};

/// Everything that a model and its training need.
pub mod prelude {
    #[cfg(feature = "metrics")]
    pub use crate::metrics;
    pub use crate::{Classes, Config, Device, Fit, Model, Report, Rows, Source, Tensor, TorchNames, data, gan};
    pub use saddlepoint_compiler::ir::Expr;
}

/// What the expansion of [`gan!`] refers to. Not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use saddlepoint_compiler::ir::Expr;
    pub use saddlepoint_compiler::lower::RustFunction;
    pub use saddlepoint_runtime::{Engine, FromArray, ModelSource, Statics};
}

/// The front page, compiled like any other test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
