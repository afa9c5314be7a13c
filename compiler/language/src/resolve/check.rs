//! The check of a whole model over types alone: every net, let, objective, metric, output, formula and initial value.

use crate::diagnostic::Diagnostic;
use crate::evaluate::{Evaluation, Mode, Value};
use crate::resolve::Resolved;
use crate::target::TypesOnly;
use crate::tree::ExprKind;
use crate::types::TensorType;

/// Checks everything and fills in what only an evaluation tells: results of outputs, owners of layers.
pub(super) fn everything(resolved: &mut Resolved, diagnostics: &mut Vec<Diagnostic>) {
    let mut owners = vec![false; resolved.nets.len()];
    let (mut errors, mut spent) = (Vec::new(), false);
    let mut with = |resolved: &Resolved, mode: Mode, part: &mut dyn FnMut(&mut Evaluation<'_, TypesOnly>)| {
        // What is left of a model that is too large is not looked at: each part would take as long.
        if spent {
            return;
        }
        let mut types = TypesOnly;
        let mut evaluation = Evaluation::new(resolved, &mut types, mode);
        part(&mut evaluation);
        spent = evaluation.spent();
        errors.extend(evaluation.take_diagnostics());
        owners.iter_mut().zip(evaluation.owners()).for_each(|(known, owns)| *known |= owns);
    };

    with(resolved, Mode::Training, &mut |e| (0..resolved.nets.len()).for_each(|net| e.net_alone(net)));
    with(resolved, Mode::Training, &mut |e| {
        for hyper in &resolved.model.hypers {
            e.check_formula(&hyper.value, "a hyper");
        }
    });
    with(resolved, Mode::Training, &mut |e| {
        for noise in &resolved.model.noises {
            if !crate::signature::is_drawn(&noise.value) && noise.value.kind != ExprKind::Unknown {
                let example = match noise.value.kind {
                    ExprKind::List { .. } => "; for numbers of this shape write `normal([…])`",
                    _ => "",
                };
                let message = format!(
                    "a noise is a distribution: `normal([…])`, `uniform([…])`, `bernoulli(p, […])` or `categorical(K)`{example}"
                );
                e.complain(noise.value.site, message);
            } else {
                e.look(&noise.name);
            }
        }
        (0..resolved.model.lets.len()).for_each(|index| drop(e.evaluate_let(index)));
        (0..resolved.players.len()).for_each(|player| drop(e.objective_value(player)));
        (0..resolved.metrics.len()).for_each(|metric| drop(e.metric_value(metric)));
        (0..resolved.latents.len()).for_each(|latent| drop(e.initial_value(latent)));
    });
    with(resolved, Mode::Training, &mut |e| {
        crate::usage::uncalled(&resolved.model).into_iter().for_each(|index| e.fn_alone(index));
    });
    let mut results = Vec::new();
    for output in 0..resolved.outputs.len() {
        let mut value = Value::Poison;
        with(resolved, Mode::Inference, &mut |e| value = e.output_value(output));
        results.push(value);
    }

    for (output, value) in resolved.outputs.iter_mut().zip(results) {
        output.tuple = matches!(value, Value::Tuple(_));
        let types = types(value);
        let per_sample = types.iter().any(|ty| ty.per_sample);
        output.takes_n = per_sample && !output.parameters.iter().any(|parameter| parameter.ty.per_sample);
        output.results = types;
    }
    // A name that a player lists in error may stand for any net, and so may an item that could not be read.
    let certain = resolved.model.unread.is_empty()
        && resolved
            .model
            .players
            .iter()
            .zip(&resolved.players)
            .all(|(written, known)| known.updates.len() >= written.updates.len().max(1));
    for (index, net) in resolved.nets.iter_mut().enumerate() {
        net.layers = owners[index] || net.external;
        let item = &resolved.model.nets[index];
        let idle = net.layers && !net.external && !net.updated && !net.attributes.frozen;
        if idle && certain && !item.name.text.starts_with('_') && !resolved.model.players.is_empty() {
            let name = &net.name;
            errors.push(Diagnostic::new(
                item.name.site,
                format!(
                    "no player updates the net `{name}`; list it, `player … updates (…, {name})`, or mark it `#[frozen]`"
                ),
            ));
        }
    }
    diagnostics.append(&mut errors);
}

/// Types of the results; none where an error left one unknown.
fn types(value: Value<()>) -> Vec<TensorType> {
    match value {
        Value::Tensor(tensor) => vec![tensor.typed.ty],
        Value::Tuple(parts) => {
            let count = parts.len();
            let types: Vec<TensorType> = parts.into_iter().flat_map(types).collect();
            if types.len() == count { types } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}
