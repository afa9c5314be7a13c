//! The name spaces of a model (rule N2): values, and what can be called. Players, phases, metrics and outputs have their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::signature;
use crate::tree::{Model, Name};

/// A value of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Const(usize),
    Hyper(usize),
    Group(usize),
    Noise(usize),
    Latent(usize),
    Let(usize),
}

/// Something of the model that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callable {
    Net(usize),
    Fn(usize),
    Divergence(usize),
}

/// What the names of a model stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) values: BTreeMap<String, Item>,
    pub(crate) callables: BTreeMap<String, Callable>,
    pub(crate) players: BTreeMap<String, usize>,
    /// Names of items that could not be read: what they stand for is not known.
    pub(crate) unread: BTreeSet<String>,
    /// Fields by bare name, as (group, field).
    pub(crate) fields: BTreeMap<String, Vec<(usize, usize)>>,
}

/// Methods that the macro gives every model.
const METHODS: [&str; 15] = [
    "build",
    "fit",
    "step",
    "turn",
    "metrics",
    "enter",
    "engine",
    "engine_mut",
    "save",
    "load",
    "parameter",
    "set_parameter",
    "copy_net",
    "explain",
    "new",
];

impl Names {
    pub(crate) fn of(model: &Model, diagnostics: &mut Vec<Diagnostic>) -> Names {
        let unread = model.unread.iter().map(|name| name.text.clone()).collect();
        let mut names = Names { unread, ..Names::default() };
        let mut report = |name: &Name, message: String| diagnostics.push(Diagnostic::new(name.site, message));

        let values = (model.consts.iter().enumerate().map(|(i, item)| (&item.name, Item::Const(i))))
            .chain(model.hypers.iter().enumerate().map(|(i, item)| (&item.name, Item::Hyper(i))))
            .chain(model.groups.iter().enumerate().map(|(i, item)| (&item.name, Item::Group(i))))
            .chain(model.noises.iter().enumerate().map(|(i, item)| (&item.name, Item::Noise(i))))
            .chain(model.latents.iter().enumerate().map(|(i, item)| (&item.name, Item::Latent(i))))
            .chain(
                model
                    .lets
                    .iter()
                    .enumerate()
                    .flat_map(|(i, item)| item.pattern.names().into_iter().map(move |name| (name, Item::Let(i)))),
            );
        for (name, item) in values {
            reserved(name, &mut report);
            if matches!(name.text.as_str(), "step" | "progress") {
                report(
                    name,
                    format!("`{}` is the language's own name for the state of training; choose another", name.text),
                );
            }
            if names.values.contains_key(&name.text) {
                report(name, format!("the name `{}` is declared twice; rename one of the two", name.text));
            } else {
                names.values.insert(name.text.clone(), item);
            }
        }

        let callables = (model.nets.iter().enumerate().map(|(i, item)| (&item.name, Callable::Net(i))))
            .chain(model.fns.iter().enumerate().map(|(i, item)| (&item.name, Callable::Fn(i))))
            .chain(model.divergences.iter().enumerate().map(|(i, item)| (&item.name, Callable::Divergence(i))));
        for (name, item) in callables {
            reserved(name, &mut report);
            if signature::names().any(|known| known == name.text) {
                report(
                    name,
                    format!("`{}` is a function of the language and cannot be redefined; choose another name", name.text),
                );
            } else if names.callables.contains_key(&name.text) {
                report(name, format!("`{}` is declared twice; rename one of the two", name.text));
            } else {
                names.callables.insert(name.text.clone(), item);
            }
        }

        for (index, player) in model.players.iter().enumerate() {
            reserved(&player.name, &mut report);
            if names.players.insert(player.name.text.clone(), index).is_some() {
                report(&player.name, format!("player `{}` is declared twice; rename one of the two", player.name.text));
            }
        }
        let mut logged: Vec<&str> = model.players.iter().map(|player| player.name.text.as_str()).collect();
        for metric in &model.metrics {
            reserved(&metric.name, &mut report);
            if logged.contains(&metric.name.text.as_str()) {
                report(
                    &metric.name,
                    format!("a player or metric is called `{}` already; rename this metric", metric.name.text),
                );
            }
            logged.push(&metric.name.text);
        }
        distinct(model.phases.iter().map(|phase| &phase.name), "phase", &mut report);
        for group in &model.groups {
            distinct(group.fields.iter().map(|field| &field.name), "field", &mut report);
        }
        for net in &model.nets {
            distinct(net.parameters.iter().map(|field| &field.name), "parameter", &mut report);
        }
        for item in &model.fns {
            distinct(item.parameters.iter().map(|field| &field.name), "parameter", &mut report);
        }
        methods(model, &mut report);

        for (g, group) in model.groups.iter().enumerate() {
            for (f, field) in group.fields.iter().enumerate() {
                reserved(&field.name, &mut report);
                names.fields.entry(field.name.text.clone()).or_default().push((g, f));
            }
        }
        names
    }
}

/// Outputs, hypers and latents become methods of the model, and nets its constants.
fn methods(model: &Model, report: &mut impl FnMut(&Name, String)) {
    let mut taken: Vec<String> = METHODS.iter().map(|name| name.to_string()).collect();
    let outputs = model.outputs.iter().map(|output| (&output.name, false));
    let settable = model.hypers.iter().map(|hyper| (&hyper.name, true));
    let latents = model.latents.iter().map(|latent| (&latent.name, true));
    for (name, setter) in outputs.chain(settable).chain(latents) {
        reserved(name, report);
        let mut methods = vec![name.text.clone()];
        if setter {
            methods.push(format!("set_{}", name.text));
        }
        for method in methods {
            if taken.contains(&method) {
                report(
                    name,
                    format!(
                        "`{}` becomes a method of the model, which has a method `{method}` already; rename it",
                        name.text
                    ),
                );
            }
            taken.push(method);
        }
    }
    for net in &model.nets {
        if taken.contains(&net.name.text) {
            let message = "becomes a constant of the model, which has a method of this name already; rename it";
            report(&net.name, format!("the net `{}` {message}", net.name.text));
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a Name>, what: &str, report: &mut impl FnMut(&Name, String)) {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if seen.contains(&name.text.as_str()) {
            report(name, format!("{what} `{}` is declared twice; rename one of the two", name.text));
        }
        seen.push(&name.text);
    }
}

fn reserved(name: &Name, report: &mut impl FnMut(&Name, String)) {
    if name.text == "E" {
        report(name, "`E` is the expectation, so no item can be called `E`; an encoder may be called `Enc`".to_string());
    }
}
