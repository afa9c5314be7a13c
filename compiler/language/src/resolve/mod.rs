//! Resolution of a model: names, constants, types, players and the training plan, then a check of everything over types alone.
//!
//! [`check`] serves the macro: it never fails, and gives what could be resolved beside all errors. [`Resolved::new`] serves a
//! build, which knows every constant, and gives a model that evaluates without errors of the language's own.

mod check;
mod constants;
mod divergences;
mod names;
mod plan;
mod resolved;

pub(crate) use names::{Callable, Item};
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

/// Resolves and checks a model of which neither the constants without value nor those of the surrounding Rust code are known.
/// All errors at once, in the order of their places; what could not be resolved is unknown and agrees with everything.
pub fn check(model: &Model) -> (Resolved, Vec<Diagnostic>) {
    resolve(model, None)
}

impl Resolved {
    /// Resolves and checks a model with everything known.
    pub fn new(model: &Model, given: &Given<'_>) -> Result<Resolved, Vec<Diagnostic>> {
        let open = model.consts.iter().filter(|item| item.value.is_none()).count();
        if given.consts.len() != open || given.outer.len() != model.outer.len() {
            let message = format!(
                "internal: {} of {open} constants and {} of {} outer constants were given",
                given.consts.len(),
                given.outer.len(),
                model.outer.len()
            );
            return Err(vec![Diagnostic::new(Site::default(), message)]);
        }
        let (resolved, diagnostics) = resolve(model, Some(given));
        if diagnostics.is_empty() { Ok(resolved) } else { Err(diagnostics) }
    }
}

fn resolve(model: &Model, given: Option<&Given<'_>>) -> (Resolved, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut resolved = Resolved::empty(model.clone(), given);
    resolved.names = names::Names::of(model, &mut diagnostics);
    constants::resolve(&mut resolved, given, &mut diagnostics);
    plan::types(&mut resolved, &mut diagnostics);
    plan::players(&mut resolved, &mut diagnostics);
    plan::train(&mut resolved, &mut diagnostics);
    divergences::analyse(&mut resolved, &mut diagnostics);
    check::everything(&mut resolved, &mut diagnostics);
    let mut distinct: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        if !distinct.contains(&diagnostic) {
            distinct.push(diagnostic);
        }
    }
    distinct.sort_by_key(|diagnostic| diagnostic.site);
    (resolved, distinct)
}
