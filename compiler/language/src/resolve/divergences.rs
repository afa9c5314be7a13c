//! What follows from the divergences of a model, derived once: errors of f stand at the divergence's name.

use crate::diagnostic::Diagnostic;
use crate::divergence::{Analysis, Symbolic, derive};
use crate::evaluate::{Evaluation, Mode};
use crate::resolve::{Item, Resolved};
use crate::target::TypesOnly;
use crate::tree::{Divergence, Model};

/// Fills in `divergences`.
pub(super) fn analyse(resolved: &mut Resolved, diagnostics: &mut Vec<Diagnostic>) {
    let analyses = (0..resolved.model.divergences.len()).map(|index| analysis(resolved, index, diagnostics)).collect();
    resolved.divergences = analyses;
}

fn analysis(resolved: &Resolved, index: usize, diagnostics: &mut Vec<Diagnostic>) -> Analysis {
    let item = &resolved.model.divergences[index];
    let mut types = TypesOnly;
    let mut evaluation = Evaluation::new(resolved, &mut types, Mode::Training);
    evaluation.check_divergence(index);
    let errors = evaluation.take_diagnostics();
    if !errors.is_empty() {
        diagnostics.extend(errors);
        return Analysis::Unknown;
    }
    if open(resolved, item) {
        return Analysis::Unknown;
    }
    let mut symbolic = Symbolic;
    let mut evaluation = Evaluation::new(resolved, &mut symbolic, Mode::Training);
    let f = match evaluation.definition(index, crate::divergence::Expr::Ratio) {
        Ok(f) => f,
        Err(reason) => return Analysis::Opaque(reason),
    };
    match derive(&f, &item.parameter.text) {
        Ok(derived) => Analysis::Derived(Box::new(derived)),
        Err(what) => {
            let (name, parameter) = (&item.name.text, &item.parameter.text);
            diagnostics.push(Diagnostic::new(
                item.name.site,
                format!("`{name}` is no divergence: {what}; `{name}({parameter})` must be convex for {parameter} > 0"),
            ));
            Analysis::Unknown
        }
    }
}

/// Whether f may depend on a constant whose value is not known yet; a `fn` that it calls may use any.
fn open(resolved: &Resolved, item: &Divergence) -> bool {
    let model: &Model = &resolved.model;
    let mut names = Vec::new();
    item.value.names(&mut names);
    model.fns.iter().for_each(|known| known.body.names(&mut names));
    names.iter().any(|name| match resolved.names.values.get(*name) {
        Some(Item::Const(index)) => resolved.consts[*index].value.is_none(),
        _ => {
            let outer = model.outer.iter().position(|outer| outer.text == *name);
            outer.is_some_and(|outer| resolved.outer.get(outer).copied().flatten().is_none())
        }
    })
}
