//! Values of the `const`s, in whatever order they stand.

use crate::diagnostic::Diagnostic;
use crate::evaluate::{Evaluation, Mode};
use crate::resolve::{Const, Given, Item, Resolved};
use crate::target::TypesOnly;
use crate::tree::{ConstKind, Model};

impl Resolved {
    /// A model of which nothing but the given constants is known.
    pub(super) fn empty(model: Model, given: Option<&Given<'_>>) -> Resolved {
        let outer = (0..model.outer.len()).map(|index| given.and_then(|given| given.outer.get(index).copied())).collect();
        Resolved {
            consts: Vec::new(),
            hypers: Vec::new(),
            groups: Vec::new(),
            noises: Vec::new(),
            latents: Vec::new(),
            divergences: Vec::new(),
            nets: Vec::new(),
            players: Vec::new(),
            train: Default::default(),
            phases: Vec::new(),
            metrics: Vec::new(),
            outputs: Vec::new(),
            outer,
            names: Default::default(),
            model,
        }
    }
}

/// Fills in `consts`.
pub(super) fn resolve(resolved: &mut Resolved, given: Option<&Given<'_>>, diagnostics: &mut Vec<Diagnostic>) {
    let items = resolved.model.consts.clone();
    let mut supplied = given.map(|given| given.consts).unwrap_or_default().iter().copied();
    resolved.consts = items
        .iter()
        .map(|item| Const {
            name: item.name.text.clone(),
            kind: item.kind,
            value: if item.value.is_none() { supplied.next() } else { None },
            given: item.value.is_none(),
        })
        .collect();
    for (item, known) in items.iter().zip(&resolved.consts) {
        if let (None, Some(value)) = (&item.value, known.value)
            && let Some(message) = misfit(item.kind, value, item.kind == ConstKind::Bool)
        {
            diagnostics.push(Diagnostic::new(
                item.name.site,
                format!("`{}` was given to `build` as {value}, but {message}", known.name),
            ));
        }
    }

    let mut left: Vec<usize> = (0..items.len()).filter(|index| items[*index].value.is_some()).collect();
    while !left.is_empty() {
        let ready = |index: &usize| {
            let mut used = Vec::new();
            if let Some(value) = &items[*index].value {
                value.names(&mut used);
            }
            used.iter().all(|name| match resolved.names.values.get(*name) {
                Some(Item::Const(other)) => !left.contains(other),
                _ => true,
            })
        };
        let Some(place) = left.iter().position(ready) else {
            for index in &left {
                let name = &items[*index].name;
                diagnostics.push(Diagnostic::new(name.site, format!("the const `{}` is computed from itself", name.text)));
            }
            return;
        };
        let index = left.remove(place);
        let item = &items[index];
        let Some(expr) = &item.value else { continue };
        let mut types = TypesOnly;
        let mut evaluation = Evaluation::new(resolved, &mut types, Mode::Training);
        let value = evaluation.constant(expr);
        diagnostics.extend(evaluation.take_diagnostics());
        if let Some((value, is_bool)) = value {
            if let Some(message) = misfit(item.kind, value.unwrap_or(1.0), is_bool) {
                diagnostics
                    .push(Diagnostic::new(expr.site, format!("the value of `{}` does not fit: {message}", item.name.text)));
            } else {
                resolved.consts[index].value = value;
            }
        }
    }
}

fn misfit(kind: ConstKind, value: f64, is_bool: bool) -> Option<&'static str> {
    match kind {
        ConstKind::Bool if !is_bool => Some("a `bool` is `true` or `false`"),
        ConstKind::Usize if is_bool || value < 0.0 || value.fract() != 0.0 => {
            Some("a `usize` is a whole number of at least 0")
        }
        ConstKind::F32 if is_bool => Some("an `f32` is a number"),
        _ => None,
    }
}
