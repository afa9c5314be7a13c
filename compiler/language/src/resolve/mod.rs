//! Resolution of a model: names, constants, types, players and the training plan, before anything is evaluated.

mod names;
mod resolved;

pub use resolved::{
    Attributes, Const, Field, Group, Hyper, Init, Latent, Net, Optimiser, OptimiserSpec, Output, Phase, Player, Resolved,
    Train, Type, Updated,
};

use crate::diagnostic::Diagnostic;
use crate::tree::{Model, Site};

/// What a build knows that the macro does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// Values of the `const`s without value, in model order; a bool is 0 or 1.
    pub consts: &'a [f64],
    /// Values of [`Model::outer`], in order.
    pub outer: &'a [f64],
}

impl Resolved {
    /// Resolves and checks a model with everything known. All errors at once.
    pub fn new(model: &Model, given: &Given<'_>) -> Result<Resolved, Vec<Diagnostic>> {
        let _ = (model, given);
        Err(vec![Diagnostic::new(Site::default(), "internal: models are not resolved yet")])
    }
}
