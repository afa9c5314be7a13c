//! Names: scopes first, then the model's values as far as the body sees them (rule N3).

use crate::diagnostic::did_you_mean;
use crate::evaluate::{Binding, Evaluation, Formula, Frame, Mode, Value, World, limits, scalar};
use crate::resolve::{Callable, Item, Updated};
use crate::target::Target;
use crate::tree::{ConstKind, Site};

impl<'a, T: Target> Evaluation<'a, T> {
    /// The value of a name.
    pub(super) fn lookup(&mut self, name: &str, site: Site) -> Value<T::Tensor> {
        if let Some(binding) = self.binding(name) {
            let weight = limits::weight(&binding.value);
            if !self.spend(site, weight) {
                return Value::Poison;
            }
            return self.binding(name).map_or(Value::Poison, |binding| binding.value.clone());
        }
        if let Some(item) = self.resolved.names.values.get(name).copied() {
            return self.item(item, name, site);
        }
        if let Some(fields) = self.resolved.names.fields.get(name) {
            match fields[..] {
                [(group, field)] => return self.field(group, field, name, site),
                _ => {
                    let groups = &self.resolved.model.groups;
                    let full: Vec<String> =
                        fields.iter().map(|(group, _)| format!("`{}.{name}`", groups[*group].name.text)).collect();
                    return self
                        .report_here(site, format!("`{name}` is a field of several groups; write {}", full.join(" or ")));
                }
            }
        }
        if matches!(name, "step" | "progress") {
            return match self.formula {
                Some(Formula { open: true, .. }) => Value::Number(None),
                Some(formula) => Value::Number(Some(if name == "step" { formula.step } else { formula.progress })),
                None => self.report_here(
                    site,
                    format!("`{name}` is known in hypers and learning rates only; declare `hyper h: f32 = …;` with it and use `h` here"),
                ),
            };
        }
        if let Some(index) = self.resolved.model.outer.iter().position(|outer| outer.text == name) {
            return Value::Number(self.resolved.outer.get(index).copied().flatten());
        }
        if name == "E" {
            return self.report_here(site, "`E` is the expectation and stands before brackets: `E[…]`");
        }
        if self.resolved.names.unread.contains(name) {
            return Value::Poison;
        }
        let message = if let Some(callable) = self.resolved.names.callables.get(name) {
            let what = match callable {
                Callable::Net(_) => "a net",
                Callable::Fn(_) => "a fn",
                Callable::Divergence(_) => "a divergence",
            };
            format!("`{name}` is {what} and no value; call it: `{name}(…)`")
        } else {
            let hint = did_you_mean(name, self.visible());
            format!("nothing called `{name}` is declared here{hint}")
        };
        self.report_here(site, message)
    }

    pub(super) fn binding(&self, name: &str) -> Option<&Binding<T::Tensor>> {
        self.frame.scopes.iter().rev().flat_map(|scope| scope.iter().rev()).find(|binding| binding.name == name)
    }

    /// Names that could have been meant.
    fn visible(&self) -> Vec<&str> {
        let locals = self.frame.scopes.iter().flatten().map(|binding| binding.name.as_str());
        let values = self.resolved.names.values.iter().filter(|(_, item)| self.sees(**item)).map(|(name, _)| name.as_str());
        let fields = self
            .resolved
            .names
            .fields
            .keys()
            .map(String::as_str)
            .filter(|_| matches!(self.frame.world, World::Model { .. }));
        locals.chain(values).chain(fields).collect()
    }

    fn sees(&self, item: Item) -> bool {
        match (item, self.frame.world) {
            (Item::Const(_), _) => true,
            (Item::Hyper(_), World::Constants) => self.formula.is_some(),
            (_, World::Constants) => false,
            (Item::Hyper(_), _) => true,
            (Item::Let(index), World::Model { lets }) => index < lets,
            (_, World::Model { .. }) => true,
            (Item::Noise(_), World::Output | World::Initial { .. }) => true,
            (Item::Latent(index), World::Output) => {
                self.resolved.latents.get(index).is_some_and(|latent| latent.per.is_none())
            }
            (Item::Group(index), World::Initial { group }) => group == Some(index),
            _ => false,
        }
    }

    fn item(&mut self, item: Item, name: &str, site: Site) -> Value<T::Tensor> {
        if !self.sees(item) {
            let message = self.unseen(item, name);
            return self.report_here(site, message);
        }
        match item {
            Item::Const(index) => {
                let Some(constant) = self.resolved.consts.get(index) else { return Value::Number(None) };
                match constant.kind {
                    ConstKind::Bool => Value::Flag(constant.value.map(|value| value != 0.0)),
                    _ => Value::Number(constant.value),
                }
            }
            Item::Hyper(index) => self.hyper(index, site),
            Item::Group(index) => match self.resolved.model.groups[index].fields[..] {
                [ref only] if self.resolved.model.groups[index].single || only.name.text == name => {
                    self.field(index, 0, name, site)
                }
                [ref first, ..] => {
                    let example = first.name.text.clone();
                    self.report_here(
                        site,
                        format!("`{name}` is a data group; name a field of it, such as `{name}.{example}`"),
                    )
                }
                [] => Value::Poison,
            },
            Item::Noise(index) => {
                if let Some(value) = &self.memo.noises[index] {
                    return value.clone();
                }
                let resolved = self.resolved;
                let written = &resolved.model.noises[index].value;
                // Anything else has been reported where it is declared.
                let value = match crate::signature::is_drawn(written) {
                    true => self.detached(World::Net, |e| e.expression(written)),
                    false => Value::Poison,
                };
                self.mark(name, &value);
                self.memo.noises[index] = Some(value.clone());
                value
            }
            Item::Latent(index) => {
                if let Some(value) = &self.memo.latents[index] {
                    return value.clone();
                }
                let Some(latent) = self.resolved.latents.get(index) else { return Value::Poison };
                let tensor = self.target.latent(index, &latent.ty);
                let value = self.leaf(site, latent.ty.clone(), tensor, Some(Updated::Latent(index)));
                self.mark(name, &value);
                self.memo.latents[index] = Some(value.clone());
                value
            }
            Item::Let(index) => {
                let bound = self.evaluate_let(index);
                bound.into_iter().find(|(bound, _)| bound == name).map_or(Value::Poison, |(_, value)| value)
            }
        }
    }

    fn unseen(&self, item: Item, name: &str) -> String {
        match (self.frame.world, item) {
            (World::Model { .. }, _) => {
                format!("`{name}` is declared further below, and a `let` sees only the `let`s above it; move it up")
            }
            (World::Net, _) => {
                format!(
                    "a net sees its parameters, consts, hypers, nets and fns, not `{name}`; make it a parameter of the net"
                )
            }
            (World::Output, Item::Let(_)) => format!(
                "an output does not see the `let` `{name}`, which belongs to training; write its value here, or make a `fn` of it"
            ),
            (World::Output, _) => {
                format!("data and per-sample latents reach an output as parameters; write `output name({name}) = …;`")
            }
            (World::Constants, _) => {
                format!("`{name}` is not known here: only numbers, consts and, in hypers and learning rates, hypers are")
            }
            (World::Initial { .. }, _) => {
                format!(
                    "the initial value of a latent sees the fields of its group, noises, nets, fns and consts, not `{name}`"
                )
            }
        }
    }

    /// A field of a data group, given that the name has been resolved to it.
    pub(super) fn field(&mut self, group: usize, field: usize, name: &str, site: Site) -> Value<T::Tensor> {
        if !self.sees(Item::Group(group)) {
            let message = self.unseen(Item::Group(group), name);
            return self.report_here(site, message);
        }
        if let Some(value) = &self.memo.fields[group][field] {
            return value.clone();
        }
        // A type that could not be read agrees with everything.
        if matches!(self.resolved.model.groups[group].fields[field].ty, crate::tree::Type::Unknown { .. }) {
            return Value::Poison;
        }
        let Some(known) = self.resolved.groups.get(group).and_then(|group| group.fields.get(field)) else {
            return Value::Poison;
        };
        let tensor = self.target.data(group, field, &known.ty);
        let value = self.leaf(site, known.ty.clone(), tensor, None);
        self.mark(&known.name, &value);
        self.memo.fields[group][field] = Some(value.clone());
        value
    }

    fn hyper(&mut self, index: usize, site: Site) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let Some(formula) = self.formula else {
            if let Some(value) = &self.memo.hypers[index] {
                return value.clone();
            }
            let tensor = self.target.hyper(index);
            let value = self.leaf(site, scalar(), tensor, None);
            self.memo.hypers[index] = Some(value.clone());
            return value;
        };
        if formula.open {
            return Value::Number(None);
        }
        if let Some(value) = formula.overrides.get(index).copied().flatten() {
            return Value::Number(Some(value));
        }
        if formula.depth > resolved.model.hypers.len() {
            return self.report_here(site, "this hyper is computed from itself");
        }
        self.formula = Some(Formula { depth: formula.depth + 1, ..formula });
        let value = self.expression(&resolved.model.hypers[index].value);
        self.formula = Some(formula);
        value
    }

    pub(crate) fn evaluate_let(&mut self, index: usize) -> Vec<(String, Value<T::Tensor>)> {
        if let Some(bound) = &self.memo.lets[index] {
            return bound.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        let resolved = self.resolved;
        let item = &resolved.model.lets[index];
        let bound = self.detached(World::Model { lets: index }, |e| {
            let name = item.pattern.names().first().map_or("_", |name| name.text.as_str());
            e.frame.item = Some((format!("let.{name}"), 0));
            let value = e.expression(&item.value);
            e.bind(&item.pattern, value);
            e.frame.scopes.pop().unwrap_or_default()
        });
        let bound: std::collections::BTreeMap<String, Value<T::Tensor>> =
            bound.into_iter().map(|binding| (binding.name, binding.value)).collect();
        self.memo.lets[index] = Some(bound.clone());
        bound.into_iter().collect()
    }

    /// Evaluates something that belongs to the model, not to the body in which it is first needed.
    pub(super) fn detached<R>(&mut self, world: World, body: impl FnOnce(&mut Self) -> R) -> R {
        let frame = std::mem::replace(&mut self.frame, Frame::new(world, self.mode == Mode::Inference));
        let stack = std::mem::take(&mut self.stack);
        let formula = self.formula.take();
        let result = body(self);
        self.frame = frame;
        self.stack = stack;
        self.formula = formula;
        result
    }

    /// Tells the target of a value bound to a name.
    pub(super) fn mark(&mut self, name: &str, value: &Value<T::Tensor>) {
        if let Value::Tensor(tensor) = value {
            self.target.bound(name, &tensor.typed);
        }
    }
}
