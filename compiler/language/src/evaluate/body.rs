//! Bodies: blocks, statements, patterns.

use crate::diagnostic::did_you_mean;
use crate::evaluate::{Binding, Evaluation, Value, limits};
use crate::target::Target;
use crate::tree::{Block, Expr, Name, Pattern, Statement};

/// Rounds of a `for` beyond which types alone are checked once.
const ROUNDS_CHECKED: usize = 256;

impl<'a, T: Target> Evaluation<'a, T> {
    /// A block in a scope of its own; None when it has no value.
    pub(super) fn block(&mut self, block: &Block) -> Option<Value<T::Tensor>> {
        self.frame.scopes.push(Vec::new());
        for statement in &block.statements {
            self.statement(statement);
        }
        let value = block.value.as_ref().map(|value| self.expression(value));
        self.frame.scopes.pop();
        value
    }

    pub(super) fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Let { pattern, value } => {
                let value = self.expression(value);
                self.bind(pattern, value);
            }
            Statement::Assign { name, op, value: expr } => {
                let value = self.expression(expr);
                let value = match op {
                    None => value,
                    Some(op) => {
                        let old = self.lookup(&name.text, name.site);
                        self.operate(expr.site, *op, old, value)
                    }
                };
                if let Some(binding) = self.assigned(name) {
                    binding.value = value;
                    let binding = self.binding(&name.text).map(|binding| binding.value.clone());
                    if let Some(value) = binding {
                        self.mark(&name.text, &value);
                    }
                }
            }
            Statement::Push { name, value } => {
                let site = value.site;
                let value = self.expression(value);
                if matches!(value, Value::List { .. }) {
                    self.report_here(site, "a list holds tensors, not lists; `stack` this one first");
                    return;
                }
                if let Some(binding) = self.assigned(name) {
                    match &mut binding.value {
                        Value::List { items, open } => {
                            if !*open || items.is_empty() {
                                items.push(value);
                            }
                        }
                        Value::Poison => {}
                        other => {
                            let got = other.describe();
                            self.report_here(
                                name.site,
                                format!("`push` appends to a `list()`, but `{}` is {got}", name.text),
                            );
                        }
                    }
                }
            }
            Statement::For { pattern, over, body } => self.repeat_for(pattern, over, body),
        }
    }

    /// The variable that a statement changes.
    fn assigned(&mut self, name: &Name) -> Option<&mut Binding<T::Tensor>> {
        let place = self.frame.scopes.iter().enumerate().rev().find_map(|(depth, scope)| {
            scope.iter().rposition(|binding| binding.name == name.text).map(|index| (depth, index))
        });
        let Some((depth, index)) = place else {
            let locals: Vec<&str> = self.frame.scopes.iter().flatten().map(|binding| binding.name.as_str()).collect();
            let hint = did_you_mean(&name.text, locals);
            self.report_here(
                name.site,
                format!("there is no local variable `{}` to change{hint}; declare `let mut {0}`", name.text),
            );
            return None;
        };
        if !self.frame.scopes[depth][index].mutable {
            self.report_here(name.site, format!("`{}` cannot be changed; declare it `let mut {0}`", name.text));
            return None;
        }
        if depth < self.frame.barrier {
            let message = format!(
                "`{}` belongs to the code around `vmap`, whose rounds run side by side; return the value instead",
                name.text
            );
            self.report_here(name.site, message);
            return None;
        }
        Some(&mut self.frame.scopes[depth][index])
    }

    fn repeat_for(&mut self, pattern: &Pattern, over: &Expr, body: &Block) {
        let range = self.expression(over);
        let mut rounds = match range {
            Value::Range(from, Some(to)) => match (from.unwrap_or(Some(0.0)), to) {
                (Some(from), Some(to)) => {
                    if from.fract() != 0.0 || to.fract() != 0.0 {
                        self.report(over.site, format!("`for` needs a range of whole numbers, got {from}..{to}"));
                        return;
                    }
                    if to - from > limits::ROUNDS as f64 {
                        let message = format!(
                            "a `for` has at most {} rounds, {from}..{to} are more; make the loop in Rust, around `step` or `turn`",
                            limits::ROUNDS
                        );
                        self.report(over.site, message);
                        return;
                    }
                    let count = (to - from).max(0.0) as usize;
                    if self.target.types_only() && count > ROUNDS_CHECKED {
                        None
                    } else {
                        Some((0..count).map(|round| Value::Number(Some(from + round as f64))).collect::<Vec<_>>())
                    }
                }
                _ => None,
            },
            Value::List { items, open: false } => Some(items),
            Value::List { mut items, open: true } => {
                let example = items.pop().unwrap_or(Value::Poison);
                self.open_round(pattern, example, body);
                return;
            }
            Value::Poison => Some(vec![Value::Poison]),
            other => {
                let got = other.describe();
                self.report(
                    over.site,
                    format!("`for` runs over a constant range such as `0..T`, or over a list, got {got}"),
                );
                Some(vec![Value::Poison])
            }
        };
        match rounds.take() {
            Some(rounds) => rounds.into_iter().for_each(|item| self.round(pattern, item, body)),
            None => self.open_round(pattern, Value::Number(None), body),
        }
    }

    fn round(&mut self, pattern: &Pattern, item: Value<T::Tensor>, body: &Block) {
        if self.spent() {
            return;
        }
        let looped = std::mem::replace(&mut self.frame.looped, true);
        self.frame.scopes.push(Vec::new());
        self.bind(pattern, item);
        if self.block(body).is_some() {
            let site = body.value.as_ref().map_or(body.site, |value| value.site);
            self.report_here(site, "the value of a `for` body goes nowhere; assign it to a `let mut` variable or `push` it");
        }
        self.frame.scopes.pop();
        self.frame.looped = looped;
    }

    /// One round for unknown many: lists that grew are of unknown length from here on.
    fn open_round(&mut self, pattern: &Pattern, item: Value<T::Tensor>, body: &Block) {
        let lengths = self.list_lengths();
        self.round(pattern, item, body);
        let after = self.list_lengths();
        for ((depth, index, before), (_, _, now)) in lengths.into_iter().zip(after) {
            if before != now
                && let Value::List { items, open } = &mut self.frame.scopes[depth][index].value
            {
                *open = true;
                items.truncate(1);
            }
        }
    }

    fn list_lengths(&self) -> Vec<(usize, usize, usize)> {
        let bindings = self.frame.scopes.iter().enumerate();
        bindings
            .flat_map(|(depth, scope)| {
                scope.iter().enumerate().map(move |(index, binding)| match &binding.value {
                    Value::List { items, .. } => (depth, index, items.len()),
                    _ => (depth, index, 0),
                })
            })
            .collect()
    }

    /// Binds the names of a pattern in the innermost scope.
    pub(super) fn bind(&mut self, pattern: &Pattern, value: Value<T::Tensor>) {
        match pattern {
            Pattern::Ignore { .. } => {}
            Pattern::Bind { name, mutable } => {
                if name.text == "E" {
                    self.report_here(
                        name.site,
                        "`E` is the expectation, so no name can be `E`; an encoder may be called `Enc`",
                    );
                }
                self.mark(&name.text, &value);
                self.bind_name(&name.text, value, *mutable);
            }
            Pattern::Tuple { parts, site } => match value {
                Value::Tuple(values) if values.len() == parts.len() => {
                    parts.iter().zip(values).for_each(|(part, value)| self.bind(part, value));
                }
                Value::Poison => parts.iter().for_each(|part| self.bind(part, Value::Poison)),
                other => {
                    let got = other.describe();
                    self.report(*site, format!("this pattern takes a tuple of {}, but the value is {got}", parts.len()));
                    parts.iter().for_each(|part| self.bind(part, Value::Poison));
                }
            },
        }
    }

    pub(super) fn bind_name(&mut self, name: &str, value: Value<T::Tensor>, mutable: bool) {
        if let Some(scope) = self.frame.scopes.last_mut() {
            scope.push(Binding { name: name.to_string(), value, mutable });
        }
    }
}
