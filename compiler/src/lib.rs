//! The compiler as a library. It reads top to bottom as the pipeline, one module a stage:
//!
//! [`lower`] (model → graph) → [`autodiff`] → [`rewrite`] → [`plan`] → [`codegen`]; [`ir`] is what they speak.

pub mod autodiff;
pub mod codegen;
mod error;
pub mod ir;
pub mod lower;
pub mod plan;
pub mod rewrite;
pub mod testing;

pub use error::{Error, Result};
