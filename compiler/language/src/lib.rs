//! The language of `gan!` without tokens and without a back end: its tree, names, types and evaluation.
//!
//! One evaluator serves twice. In the macro it runs over types alone, so that every error stands at the user's token while the
//! crate compiles; when a model is built it runs again, with every constant known, over a [`Target`] that makes graph nodes.
//! What the language means is therefore written once.

pub mod function;
pub mod target;
pub mod types;

pub use function::Function;
pub use target::{Call, Layer, Target, Typed};
pub use types::{Dim, Element, TensorType};
