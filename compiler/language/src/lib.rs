//! The language of `gan!` without tokens and without a back end: its tree, names, types and evaluation.
//!
//! One evaluator serves twice. In the macro it runs over types alone, so that every error stands at the user's token while the
//! crate compiles; when a model is built it runs again, with every constant known, over a [`Target`] that makes graph nodes.
//! What the language means is therefore written once.
//!
//! The path of a model: the macro reads tokens into a [`tree::Model`], checks it, and emits [`encode`]d text; a build
//! [`decode`]s it, makes a [`Resolved`] of it and the constants that were given, and evaluates objectives and outputs with an
//! [`Evaluation`].

mod code;
mod diagnostic;
mod divergence;
mod evaluate;
pub mod function;
mod link;
mod resolve;
mod signature;
pub mod target;
pub mod tree;
pub mod types;
mod usage;

pub use code::{decode, encode};
pub use diagnostic::{Diagnostic, nearest};
pub use evaluate::{Evaluation, Mode};
pub use function::Function;
pub use link::{Linked, Origin, link};
pub use resolve::{
    Attributes, Const, Field, Given, Group, Hyper, Init, Latent, Net, Optimiser, OptimiserSpec, Output, Phase, Player,
    Resolved, Train, Type, Updated, check,
};
pub use target::{Call, Layer, Rows, Target, Typed, TypesOnly};
pub use tree::Model;
pub use types::{Dim, Element, TensorType};
pub use usage::{Unused, Use, unused, uses};
