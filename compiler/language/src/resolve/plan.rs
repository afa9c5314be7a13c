//! Types of data, latents and nets; players; the training plan; phases.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::evaluate::{Evaluation, Mode, known_optimiser, optimiser_option};
use crate::resolve::{
    Attributes, Callable, Field, Group, Hyper, Init, Item, Latent, Net, Optimiser, OptimiserSpec, Output, Phase, Player,
    Resolved, Type, Updated,
};
use crate::target::TypesOnly;
use crate::tree::{self, Expr, ExprKind, Name, Setting, Site};
use crate::types::{Dim, Element, TensorType};

/// Fills in groups, latents, nets, hypers, noises, metrics and the parameters of outputs.
pub(super) fn types(resolved: &mut Resolved, diagnostics: &mut Vec<Diagnostic>) {
    let model = resolved.model.clone();
    resolved.hypers = model.hypers.iter().map(|item| Hyper { name: item.name.text.clone() }).collect();
    resolved.noises = model.noises.iter().map(|item| item.name.text.clone()).collect();
    resolved.metrics = model.metrics.iter().map(|item| item.name.text.clone()).collect();

    let mut types = TypesOnly;
    let mut e = Evaluation::new(resolved, &mut types, Mode::Training);
    let mut errors = Vec::new();

    let groups = model.groups.iter().map(|group| Group {
        name: group.name.text.clone(),
        single: group.single,
        fields: group
            .fields
            .iter()
            .map(|field| Field {
                name: field.name.text.clone(),
                ty: tensor(e.written_type(&field.ty), &field.name, &mut errors),
            })
            .collect(),
    });
    let groups: Vec<Group> = groups.collect();

    let mut latents = Vec::new();
    for item in &model.latents {
        let per = item.per.as_ref().and_then(|group| match resolved.names.values.get(&group.text) {
            Some(Item::Group(index)) => Some(*index),
            _ => {
                let hint = did_you_mean(&group.text, model.groups.iter().map(|group| group.name.text.as_str()));
                let all = listed("data groups", model.groups.iter().map(|group| group.name.text.as_str()));
                errors.push(Diagnostic::new(group.site, format!("there is no data group `{}`{hint}; {all}", group.text)));
                None
            }
        });
        let mut ty = tensor(e.written_type(&item.ty), &item.name, &mut errors);
        if ty.element != Element::Float {
            errors.push(Diagnostic::new(
                item.ty.site(),
                format!("a latent is trained, so it must be a tensor of numbers, got {ty}"),
            ));
            ty.element = Element::Float;
        }
        ty.per_sample = item.per.is_some();
        latents.push(Latent { name: item.name.text.clone(), ty, per });
    }

    let mut nets = Vec::new();
    for item in &model.nets {
        let attributes = attributes(&mut e, &item.attributes, &mut errors);
        let parameters =
            item.parameters.iter().map(|parameter| (parameter.name.text.clone(), e.written_type(&parameter.ty))).collect();
        let result = e.written_type(&item.result);
        nets.push(Net {
            name: item.name.text.clone(),
            external: item.body.is_none(),
            attributes,
            parameters,
            result,
            layers: false,
            updated: false,
        });
    }
    diagnostics.extend(e.take_diagnostics());
    resolved.groups = groups;
    resolved.latents = latents;
    resolved.nets = nets;
    diagnostics.append(&mut errors);

    for item in &model.outputs {
        let parameters =
            item.parameters.iter().map(|parameter| output_parameter(resolved, parameter, diagnostics)).collect();
        resolved.outputs.push(Output {
            name: item.name.text.clone(),
            parameters,
            takes_n: false,
            results: Vec::new(),
            tuple: false,
        });
    }
}

fn tensor(ty: Type, name: &Name, errors: &mut Vec<Diagnostic>) -> TensorType {
    match ty {
        Type::Tensor(ty) => ty,
        Type::Tuple(_) => {
            errors.push(Diagnostic::new(name.site, format!("`{}` must be one tensor or class, not a tuple", name.text)));
            TensorType { shape: vec![Dim::Open], element: Element::Float, per_sample: true }
        }
        Type::Unknown => TensorType { shape: vec![Dim::Open], element: Element::Float, per_sample: true },
    }
}

/// Rule N4: without a type it has that of the data field, noise or latent of its name.
fn output_parameter(resolved: &Resolved, parameter: &tree::Param, diagnostics: &mut Vec<Diagnostic>) -> Field {
    let name = &parameter.name;
    let mut types = TypesOnly;
    let mut e = Evaluation::new(resolved, &mut types, Mode::Training);
    let ty = match &parameter.ty {
        Some(ty) => {
            let mut errors = Vec::new();
            let ty = tensor(e.written_type(ty), name, &mut errors);
            diagnostics.append(&mut errors);
            ty
        }
        None => {
            let known = match resolved.names.values.get(&name.text) {
                Some(Item::Noise(_) | Item::Latent(_) | Item::Group(_)) => true,
                Some(_) => false,
                None => resolved.names.fields.contains_key(&name.text),
            };
            if known {
                e.type_of(name).unwrap_or(TensorType { shape: vec![Dim::Open], element: Element::Float, per_sample: true })
            } else {
                let message = format!(
                    "no data field, noise or latent is called `{0}`, so its type is not known; write `{0}: [d0, d1, …]`",
                    name.text
                );
                diagnostics.push(Diagnostic::new(name.site, message));
                TensorType { shape: vec![Dim::Open], element: Element::Float, per_sample: true }
            }
        }
    };
    diagnostics.extend(e.take_diagnostics());
    Field { name: name.text.clone(), ty }
}

fn attributes(e: &mut Evaluation<'_, TypesOnly>, written: &[tree::Attribute], errors: &mut Vec<Diagnostic>) -> Attributes {
    let mut attributes = Attributes::default();
    for attribute in written {
        let name = &attribute.name;
        let wanted = match name.text.as_str() {
            "spectral_norm" | "frozen" => 0,
            "clip" | "ema" | "init" => 1,
            other => {
                let hint = did_you_mean(other, ["spectral_norm", "clip", "frozen", "ema", "init"]);
                let message = format!(
                    "nets have no attribute `{other}`{hint}; they have `#[spectral_norm]`, `#[clip(0.01)]`, `#[frozen]`, `#[ema(0.999)]` and \
                     `#[init(normal(0.02))]`"
                );
                errors.push(Diagnostic::new(name.site, message));
                continue;
            }
        };
        if attribute.arguments.len() != wanted {
            let example = match name.text.as_str() {
                "clip" => "#[clip(0.01)]",
                "ema" => "#[ema(0.999)]",
                "init" => "#[init(normal(0.02))]",
                "frozen" => "#[frozen]",
                _ => "#[spectral_norm]",
            };
            errors.push(Diagnostic::new(name.site, format!("this attribute is written `{example}`")));
            continue;
        }
        match (name.text.as_str(), attribute.arguments.first()) {
            ("spectral_norm", _) => attributes.spectral_norm = true,
            ("frozen", _) => attributes.frozen = true,
            ("clip", Some(bound)) => {
                attributes.clip = number(e, bound);
                if attributes.clip.is_some_and(|bound| bound <= 0.0) {
                    errors.push(Diagnostic::new(bound.site, "the bound of `clip` must be above 0"));
                }
            }
            ("ema", Some(decay)) => {
                attributes.ema = number(e, decay);
                if attributes.ema.is_some_and(|decay| !(0.0..1.0).contains(&decay)) {
                    errors.push(Diagnostic::new(decay.site, "the decay of `ema` lies from 0 to below 1"));
                }
            }
            (_, Some(distribution)) => attributes.init = init(e, distribution, errors),
            (_, None) => {}
        }
    }
    if attributes.spectral_norm
        && attributes.init == Some(Init::Zeros)
        && let Some(init) = written.iter().find(|a| a.name.text == "init")
    {
        let message = "`#[spectral_norm]` divides weights by their largest singular value, which of zeros is 0; start from \
                       `normal(0.02)` or leave `init` out";
        errors.push(Diagnostic::new(init.name.site, message));
    }
    attributes
}

fn number(e: &mut Evaluation<'_, TypesOnly>, expr: &Expr) -> Option<f64> {
    e.constant(expr).map(|(value, _)| value.unwrap_or(f64::NAN))
}

fn init(e: &mut Evaluation<'_, TypesOnly>, expr: &Expr, errors: &mut Vec<Diagnostic>) -> Option<Init> {
    if let ExprKind::Call { name, arguments, named, .. } = &expr.kind
        && named.is_empty()
    {
        match (name.as_str(), &arguments[..]) {
            ("normal", [deviation]) => return Some(Init::Normal { deviation: number(e, deviation)? }),
            ("uniform", [low, high]) => return Some(Init::Uniform { low: number(e, low)?, high: number(e, high)? }),
            ("zeros", []) => return Some(Init::Zeros),
            _ => {}
        }
    }
    errors.push(Diagnostic::new(expr.site, "initial values are `normal(deviation)`, `uniform(low, high)` or `zeros()`"));
    None
}

/// Fills in players and phases.
pub(super) fn players(resolved: &mut Resolved, diagnostics: &mut Vec<Diagnostic>) {
    let model = resolved.model.clone();
    let movable: Vec<&str> = model
        .nets
        .iter()
        .map(|net| net.name.text.as_str())
        .chain(model.latents.iter().map(|latent| latent.name.text.as_str()))
        .collect();
    if model.players.is_empty() && model.unread.is_empty() {
        diagnostics.push(Diagnostic::new(
            model.name.site,
            "a model needs a player, such as `player D minimizes { … }`, or a game `min G, max D { … }`",
        ));
    }
    for player in &model.players {
        let own = [player.name.clone()];
        let written = if player.updates.is_empty() { &own[..] } else { &player.updates[..] };
        let mut updates = Vec::new();
        for name in written {
            let found = match (resolved.names.callables.get(&name.text), resolved.names.values.get(&name.text)) {
                (Some(Callable::Net(index)), _) => Updated::Net(*index),
                (_, Some(Item::Latent(index))) => Updated::Latent(*index),
                _ if resolved.names.unread.contains(&name.text) => continue,
                _ => {
                    let hint = did_you_mean(&name.text, movable.iter().copied());
                    let message = if player.updates.is_empty() {
                        format!(
                            "player `{0}` names no net or latent `{0}`{hint}; say what it moves: `player {0} updates (…)`",
                            name.text
                        )
                    } else {
                        format!(
                            "there is no net or latent `{}` that player `{}` could update{hint}; {}",
                            name.text,
                            player.name.text,
                            listed("nets and latents", movable.iter().copied())
                        )
                    };
                    diagnostics.push(Diagnostic::new(name.site, message));
                    continue;
                }
            };
            if let Updated::Net(index) = found {
                resolved.nets[index].updated = true;
                if resolved.nets[index].attributes.frozen {
                    let message = format!("the net `{}` is `#[frozen]`, so no player can update it", name.text);
                    diagnostics.push(Diagnostic::new(name.site, message));
                }
            }
            if updates.contains(&found) {
                diagnostics.push(Diagnostic::new(name.site, format!("`{}` is listed twice", name.text)));
            } else {
                updates.push(found);
            }
        }
        resolved.players.push(Player { name: player.name.text.clone(), updates, maximize: player.maximize });
    }
}

/// Fills in the training plan, and phases in its order.
pub(super) fn train(resolved: &mut Resolved, diagnostics: &mut Vec<Diagnostic>) {
    let model = resolved.model.clone();
    let mut specs: Vec<Option<OptimiserSpec>> = vec![None; model.players.len()];
    let mut order: Vec<usize> = Vec::new();
    let mut rates = Vec::new();
    let mut errors = Vec::new();
    let mut types = TypesOnly;
    let mut e = Evaluation::new(resolved, &mut types, Mode::Training);

    if let Some(second) = model.trains.get(1) {
        errors.push(Diagnostic::new(second.site, "a model has one `train`; put all lines into the first"));
    }
    for train in &model.trains {
        for line in &train.lines {
            let spec = optimiser(&mut e, line, train.simultaneous, &mut errors);
            rates.extend(spec.rate.clone());
            for name in &line.players {
                match player(resolved, name, &mut errors) {
                    Some(index) if order.contains(&index) => {
                        errors.push(Diagnostic::new(
                            name.site,
                            format!("player `{}` has a line already; every player has exactly one", name.text),
                        ));
                    }
                    Some(index) => {
                        order.push(index);
                        specs[index] = Some(spec.clone());
                    }
                    None => {}
                }
            }
        }
    }
    for rate in &rates {
        let value = e.check_formula(rate, "a learning rate");
        if let Some(value) = value.filter(|value| *value < 0.0 || value.is_nan()) {
            errors.push(Diagnostic::new(
                rate.site,
                format!(
                    "a learning rate is a number from 0 upwards, got {value}; a player that goes uphill is written `maximizes`"
                ),
            ));
        }
    }
    diagnostics.extend(e.take_diagnostics());
    let unread = model.unread.iter().any(|name| name.text == "train");
    if unread {
        // Its lines, or some of them, could not be read: that has been reported.
    } else if model.trains.is_empty() && !model.players.is_empty() {
        let players: Vec<&str> = model.players.iter().map(|player| player.name.text.as_str()).collect();
        errors.push(Diagnostic::new(
            model.name.site,
            format!(
                "the model lacks its training plan; write `train {{ {}: adam(2e-4, beta1 = 0.5); }}`",
                players.join(", ")
            ),
        ));
    } else {
        for (player, spec) in model.players.iter().zip(&specs) {
            if spec.is_none() {
                let name = &player.name.text;
                errors.push(Diagnostic::new(
                    player.name.site,
                    format!("player `{name}` has no line in `train`; write `{name}: adam(2e-4, beta1 = 0.5);` there"),
                ));
            }
        }
    }
    let phases: Vec<Phase> = model
        .phases
        .iter()
        .map(|phase| {
            let mut players: Vec<usize> =
                phase.players.iter().filter_map(|name| player(resolved, name, &mut errors)).collect();
            players.sort_by_key(|index| order.iter().position(|other| other == index));
            players.dedup();
            Phase { name: phase.name.text.clone(), players }
        })
        .collect();
    if let Some(train) = model.trains.first().filter(|train| train.simultaneous) {
        together(resolved, train.site, &order, &phases, &mut errors);
    }
    resolved.phases = phases;
    resolved.train.simultaneous = model.trains.first().is_some_and(|train| train.simultaneous);
    resolved.train.order = order;
    resolved.train.optimisers = specs
        .into_iter()
        .map(|spec| {
            spec.unwrap_or(OptimiserSpec { kind: Optimiser::Sgd { momentum: 0.0 }, steps: 1, clip_norm: None, rate: None })
        })
        .collect();
    diagnostics.append(&mut errors);
}

/// What players that move together cannot: update one net twice, or stay behind in a phase (rule 17).
fn together(resolved: &Resolved, train: Site, order: &[usize], phases: &[Phase], errors: &mut Vec<Diagnostic>) {
    let name = |player: usize| &resolved.players[player].name;
    for (place, player) in order.iter().enumerate() {
        for updated in &resolved.players[*player].updates {
            let Some(other) = order[..place].iter().find(|o| resolved.players[**o].updates.contains(updated)) else {
                continue;
            };
            let what = match updated {
                Updated::Net(net) => &resolved.nets[*net].name,
                Updated::Latent(latent) => &resolved.latents[*latent].name,
            };
            let (a, b) = (name(*other), name(*player));
            let message = format!(
                "`train simultaneous` moves everything once a step, but the players `{a}` and `{b}` both update `{what}`; add their \
                 objectives in one player, or let turns alternate: `train {{ … }}`"
            );
            errors.push(Diagnostic::new(train, message));
        }
    }
    for (phase, item) in phases.iter().zip(&resolved.model.phases) {
        if let Some(left) = order.iter().find(|player| !phase.players.contains(player)) {
            let (phase, left) = (&phase.name, name(*left));
            let message = format!(
                "`train simultaneous` moves all players at once, but the phase `{phase}` leaves out `{left}`; let turns alternate: \
                 `train {{ … }}`"
            );
            errors.push(Diagnostic::new(item.name.site, message));
        }
    }
}

fn player(resolved: &Resolved, name: &Name, errors: &mut Vec<Diagnostic>) -> Option<usize> {
    let found = resolved.names.players.get(&name.text).copied();
    if found.is_none() && !resolved.names.unread.contains(&name.text) {
        let hint = did_you_mean(&name.text, resolved.names.players.keys().map(String::as_str));
        let all = listed("players", resolved.model.players.iter().map(|player| player.name.text.as_str()));
        errors.push(Diagnostic::new(
            name.site,
            format!("there is no player `{0}`{hint}; {all}; another is declared `player {0} minimizes {{ … }}`", name.text),
        ));
    }
    found
}

/// `the players here are `D`, `G``
fn listed<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { format!("there are no {what} here") } else { format!("the {what} here are {}", names.join(", ")) }
}

/// One line of `train`.
fn optimiser(
    e: &mut Evaluation<'_, TypesOnly>,
    line: &tree::TrainLine,
    simultaneous: bool,
    errors: &mut Vec<Diagnostic>,
) -> OptimiserSpec {
    let mut spec = OptimiserSpec { kind: Optimiser::Sgd { momentum: 0.0 }, steps: 1, clip_norm: None, rate: None };
    for setting in &line.settings {
        let site = setting.value.site;
        match setting.name.text.as_str() {
            "steps" if simultaneous => errors.push(Diagnostic::new(
                setting.name.site,
                "`train simultaneous` moves every player once a step, so `steps` has no meaning; leave it out",
            )),
            "steps" => match e.constant(&setting.value) {
                Some((Some(steps), false)) if steps >= 1.0 && steps.fract() == 0.0 && steps <= 1e6 => {
                    spec.steps = steps as usize
                }
                Some((None, false)) | None => {}
                Some((got, _)) => {
                    errors.push(Diagnostic::new(
                        site,
                        format!(
                            "`steps` counts inner steps, a whole number from 1 to 1000000, got {}",
                            got.map_or("a bool".to_string(), |got| got.to_string())
                        ),
                    ));
                }
            },
            "clip_norm" => match e.constant(&setting.value) {
                Some((Some(norm), false)) if norm > 0.0 => spec.clip_norm = Some(norm),
                Some((None, false)) | None => {}
                Some(_) => errors.push(Diagnostic::new(
                    site,
                    "`clip_norm` is the largest norm of the gradient, a number above 0; to clip nothing, leave it out",
                )),
            },
            other => {
                let hint = did_you_mean(other, ["steps", "clip_norm"]);
                let message = format!("a line of `train` has no setting `{other}`{hint}; it has `steps` and `clip_norm`");
                errors.push(Diagnostic::new(setting.name.site, message));
            }
        }
    }
    const USAGE: &str = "optimisers are `sgd(lr, momentum = 0.0)`, `adam(lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0.0)` and \
                         `rmsprop(lr, alpha = 0.99, eps = 1e-8)`";
    let (name, arguments, named) = match &line.optimiser.kind {
        ExprKind::Call { name, method: false, arguments, named } => (name.as_str(), arguments, named),
        ExprKind::Unknown => return spec,
        _ => {
            errors.push(Diagnostic::new(line.optimiser.site, USAGE));
            return spec;
        }
    };
    let known: &[(&str, f64)] = match name {
        "sgd" => &[("momentum", 0.0)],
        "adam" => &[("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8), ("decay", 0.0)],
        "rmsprop" => &[("alpha", 0.99), ("eps", 1e-8)],
        other => {
            let hint = match known_optimiser(other) {
                Some(remedy) => format!(": {remedy}"),
                None => did_you_mean(other, ["sgd", "adam", "rmsprop"]),
            };
            errors.push(Diagnostic::new(line.optimiser.site, format!("there is no optimiser `{other}`{hint}; {USAGE}")));
            return spec;
        }
    };
    match &arguments[..] {
        [rate] => spec.rate = Some(rate.clone()),
        other => {
            let message =
                format!("`{name}` takes one argument without name, its learning rate, got {}; {USAGE}", other.len());
            errors.push(Diagnostic::new(line.optimiser.site, message));
        }
    }
    let values = settings(e, name, known, named, errors);
    spec.kind = match (name, &values[..]) {
        ("sgd", [momentum]) => Optimiser::Sgd { momentum: *momentum },
        ("adam", [beta1, beta2, eps, decay]) => Optimiser::Adam { beta1: *beta1, beta2: *beta2, eps: *eps, decay: *decay },
        (_, [alpha, eps]) => Optimiser::RmsProp { alpha: *alpha, eps: *eps },
        _ => spec.kind,
    };
    spec
}

fn settings(
    e: &mut Evaluation<'_, TypesOnly>,
    optimiser: &str,
    known: &[(&str, f64)],
    named: &[Setting],
    errors: &mut Vec<Diagnostic>,
) -> Vec<f64> {
    let mut values: Vec<f64> = known.iter().map(|(_, default)| *default).collect();
    for setting in named {
        let name = setting.name.text.as_str();
        match known.iter().position(|(known, _)| *known == name) {
            Some(index) => {
                if let Some(value) = number(e, &setting.value) {
                    if matches!(name, "beta1" | "beta2" | "alpha") && !value.is_nan() && !(0.0..1.0).contains(&value) {
                        errors.push(Diagnostic::new(
                            setting.value.site,
                            format!("`{name}` lies from 0 to below 1, got {value}"),
                        ));
                    }
                    values[index] = value;
                }
            }
            None => {
                let hint = did_you_mean(name, known.iter().map(|(known, _)| *known).chain(["steps", "clip_norm"]));
                let names: Vec<String> = known.iter().map(|(known, _)| format!("`{known}`")).collect();
                let message = if matches!(name, "steps" | "clip_norm") {
                    format!(
                        "`{name}` is a setting of the line, not of `{optimiser}`; write it after the bracket: `{optimiser}(…), {name} = …;`"
                    )
                } else if let Some(remedy) = optimiser_option(optimiser, name) {
                    format!("`{optimiser}` has no option `{name}`: {remedy}")
                } else {
                    format!("`{optimiser}` has no option `{name}`{hint}; it has {}", names.join(", "))
                };
                errors.push(Diagnostic::new(setting.name.site, message));
            }
        }
    }
    values
}
