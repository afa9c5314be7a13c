//! What a build asks for: objectives, metrics, outputs, initial values of latents.

use crate::diagnostic::Diagnostic;
use crate::evaluate::{Binding, Evaluation, Mode, Value, World};
use crate::resolve::{Type, Updated};
use crate::target::{Target, Typed};
use crate::tree::{self, Expr, Site};
use crate::types::{Dim, Element, TensorType};

impl<'a, T: Target> Evaluation<'a, T> {
    /// The objective of a player, as written (to be maximised if the player maximises): a batch-free scalar. For a game it is the
    /// whole value: the lowering leaves out what the player cannot move (rule 13), since only the graph shows it through `let`s.
    pub fn objective(&mut self, player: usize) -> Result<Typed<T::Tensor>, Diagnostic> {
        let value = self.objective_value(player);
        self.single(value)
    }

    /// A metric: a batch-free scalar.
    pub fn metric(&mut self, metric: usize) -> Result<Typed<T::Tensor>, Diagnostic> {
        let value = self.metric_value(metric);
        self.single(value)
    }

    /// The results of an output, one for each part of a tuple. The evaluation must be in [`Mode::Inference`].
    pub fn output(&mut self, output: usize) -> Result<Vec<Typed<T::Tensor>>, Diagnostic> {
        let value = self.output_value(output);
        let parts = match value {
            Value::Tuple(parts) => parts,
            other => vec![other],
        };
        parts.into_iter().map(|part| self.single(part)).collect()
    }

    /// The initial value of a latent, where one is written: a tensor of the latent's type, over the fields of its group.
    pub fn initial(&mut self, latent: usize) -> Result<Option<Typed<T::Tensor>>, Diagnostic> {
        match self.initial_value(latent) {
            None => Ok(None),
            Some(value) => self.single(value).map(Some),
        }
    }

    fn single(&mut self, value: Value<T::Tensor>) -> Result<Typed<T::Tensor>, Diagnostic> {
        match value {
            Value::Tensor(tensor) if self.diagnostics.is_empty() => Ok(tensor.typed),
            _ => {
                Err(self.diagnostics.first().cloned().unwrap_or_else(|| {
                    Diagnostic::new(Site::default(), "internal: a value without tensor and without error")
                }))
            }
        }
    }

    pub(crate) fn objective_value(&mut self, player: usize) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let Some(item) = resolved.model.players.get(player) else { return Value::Poison };
        let lets = resolved.model.lets.len();
        let updates = resolved.players.get(player).map(|player| player.updates.clone()).unwrap_or_default();
        let what = format!("the objective of player `{}`", item.name.text);
        self.detached(World::Model { lets }, |e| {
            e.frame.item = Some((format!("player.{}", item.name.text), 0));
            let value = e.value_of(&item.body);
            let site = item.body.value.as_ref().map_or(item.body.site, |value| value.site);
            let value = e.averaged(site, value, &what);
            if let Value::Tensor(tensor) = &value
                && let Some(sources) = e.record.sources(tensor.node)
            {
                for (index, updated) in updates.iter().enumerate() {
                    if !sources.contains(updated) {
                        e.unreached(item, index, *updated);
                    }
                }
            }
            value
        })
    }

    /// Rule 10: what a player updates must receive gradient from its objective.
    fn unreached(&mut self, player: &tree::Player, index: usize, updated: Updated) {
        let (name, kind) = match updated {
            Updated::Net(net) => (&self.resolved.model.nets[net].name.text, "net"),
            Updated::Latent(latent) => (&self.resolved.model.latents[latent].name.text, "latent"),
        };
        let site = player.updates.get(index).map_or(player.name.site, |name| name.site);
        let player = &player.name.text;
        let message = format!(
            "no gradient from the objective of player `{player}` reaches the {kind} `{name}` that it updates: use `{name}` in the objective \
             without `stop`, `sample`, `argmax` or `replay` in between, or update another net"
        );
        self.report_here(site, message);
    }

    pub(crate) fn metric_value(&mut self, metric: usize) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let Some(item) = resolved.model.metrics.get(metric) else { return Value::Poison };
        let what = format!("the metric `{}`", item.name.text);
        self.detached(World::Model { lets: resolved.model.lets.len() }, |e| {
            e.frame.item = Some((format!("metric.{}", item.name.text), 0));
            let value = e.expression(&item.value);
            e.averaged(item.value.site, value, &what)
        })
    }

    /// Checks for one number.
    fn averaged(&mut self, site: Site, value: Value<T::Tensor>, what: &str) -> Value<T::Tensor> {
        if value.poisoned() {
            return Value::Poison;
        }
        let got = value.describe();
        if matches!(value, Value::Tuple(_) | Value::List { .. } | Value::Range(..)) {
            return self.report(site, format!("{what} must be one number, got {got}"));
        }
        let Some(tensor) = self.operand(site, value) else { return Value::Poison };
        let ty = &tensor.typed.ty;
        if ty.element != Element::Float {
            return self.report(site, format!("{what} must be one number, got {ty}"));
        }
        if ty.per_sample {
            return self.report(
                site,
                format!("{what} must be one number, got {ty} for each sample; average over the batch by `E[…]`"),
            );
        }
        if ty.shape.iter().any(|dim| *dim != Dim::Open) || !ty.shape.is_empty() {
            return self.report(site, format!("{what} must be one number, got {ty}; write `E[…]`, `mean()` or `sum()`"));
        }
        Value::Tensor(tensor)
    }

    pub(crate) fn output_value(&mut self, output: usize) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let Some(item) = resolved.model.outputs.get(output) else { return Value::Poison };
        self.mode = Mode::Inference;
        let parameters = resolved.outputs.get(output).map(|output| output.parameters.clone()).unwrap_or_default();
        self.detached(World::Output, |e| {
            for (index, name) in item.parameters.iter().map(|parameter| &parameter.name).enumerate() {
                let value = match parameters.get(index) {
                    // An error in the parameter has been reported.
                    None => Value::Poison,
                    Some(field) => {
                        let tensor = e.target.argument(output, index, &field.ty);
                        e.leaf(name.site, field.ty.clone(), tensor, None)
                    }
                };
                e.mark(&name.text, &value);
                e.frame.scopes[0].push(Binding { name: name.text.clone(), value, mutable: false });
            }
            let value = e.expression(&item.value);
            let site = item.value.site;
            match value {
                Value::Tuple(parts) => {
                    let nested = parts.iter().any(|part| matches!(part, Value::Tuple(_) | Value::List { .. }));
                    if nested {
                        return e.report(site, "an output gives a tensor or a tuple of tensors, got a nested tuple");
                    }
                    Value::Tuple(parts.into_iter().map(|part| e.tensor(site, part)).collect())
                }
                other => e.tensor(site, other),
            }
        })
    }

    fn tensor(&mut self, site: Site, value: Value<T::Tensor>) -> Value<T::Tensor> {
        self.operand(site, value).map_or(Value::Poison, Value::Tensor)
    }

    pub(crate) fn initial_value(&mut self, latent: usize) -> Option<Value<T::Tensor>> {
        let resolved = self.resolved;
        let item = resolved.model.latents.get(latent)?;
        let initial = item.initial.as_ref()?;
        let known = resolved.latents.get(latent)?;
        Some(self.detached(World::Initial { group: known.per }, |e| {
            let value = e.expression(initial);
            let got = value.describe();
            let ty = Type::Tensor(known.ty.clone());
            match e.conform(initial.site, value, &ty, false) {
                Ok(value) => value,
                Err(()) => {
                    let message = format!(
                        "the latent `{}` is {}, but its initial value is {got}; change one of the two",
                        known.name, known.ty
                    );
                    e.report(initial.site, message)
                }
            }
        }))
    }

    /// A net on its own, over stand-ins for its parameters: used by the check, which sees nets that nothing calls too.
    pub(crate) fn net_alone(&mut self, index: usize) {
        let resolved = self.resolved;
        let Some(known) = resolved.nets.get(index) else { return };
        let site = resolved.model.nets[index].name.site;
        let scope = known.parameters.iter().map(|(name, ty)| (name.clone(), self.placeholder(site, ty))).collect();
        self.net_body(index, site, scope);
    }

    /// A `fn` on its own, over arguments of which nothing is known: names, numbers of arguments and options are checked.
    pub(crate) fn fn_alone(&mut self, index: usize) {
        let resolved = self.resolved;
        let Some(item) = resolved.model.fns.get(index) else { return };
        self.detached(World::Model { lets: resolved.model.lets.len() }, |e| {
            e.frame.alone = true;
            for parameter in &item.parameters {
                if let Some(ty) = &parameter.ty {
                    e.written_type(ty);
                }
                e.bind_name(&parameter.name.text, Value::Poison, false);
            }
            e.value_of(&item.body);
        });
    }

    fn placeholder(&mut self, site: Site, ty: &Type) -> Value<T::Tensor> {
        match ty {
            Type::Unknown => Value::Poison,
            Type::Tuple(parts) => Value::Tuple(parts.iter().map(|part| self.placeholder(site, part)).collect()),
            Type::Tensor(ty) => {
                let tensor = self.target.number(f64::NAN);
                self.leaf(site, TensorType { per_sample: true, ..ty.clone() }, tensor, None)
            }
        }
    }

    /// A written type.
    pub(crate) fn written_type(&mut self, ty: &tree::Type) -> Type {
        self.detached(World::Constants, |e| e.resolved_type(ty))
    }

    fn resolved_type(&mut self, ty: &tree::Type) -> Type {
        match ty {
            tree::Type::Unknown { .. } => Type::Unknown,
            tree::Type::Tuple { parts, .. } => Type::Tuple(parts.iter().map(|part| self.resolved_type(part)).collect()),
            tree::Type::Tensor { shape, class, .. } => {
                let mut fine = true;
                let mut dims = Vec::new();
                for dim in shape {
                    let extent = self.extent(dim, "an axis");
                    fine &= extent.is_some();
                    dims.extend(extent);
                }
                let element = match class {
                    None => Element::Float,
                    Some(classes) => match self.extent(classes, "the number of classes") {
                        Some(classes) => Element::Class(classes),
                        None => return Type::Unknown,
                    },
                };
                if fine { Type::Tensor(TensorType { shape: dims, element, per_sample: true }) } else { Type::Unknown }
            }
        }
    }

    fn extent(&mut self, expr: &Expr, what: &str) -> Option<Dim> {
        match self.expression(expr) {
            Value::Number(None) => Some(Dim::Open),
            Value::Number(Some(n)) if n >= 1.0 && n.fract() == 0.0 && n <= f64::from(u32::MAX) => {
                Some(Dim::Known(n as usize))
            }
            Value::Poison => None,
            other => {
                let got = other.describe();
                self.report_here(expr.site, format!("{what} must be a whole number of at least 1, got {got}"));
                None
            }
        }
    }
}
