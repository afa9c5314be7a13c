//! Expressions: constants fold, tensors become calls of the target.

use crate::diagnostic::did_you_mean;
use crate::evaluate::{Evaluation, Mode, Tracked, Value, World, scalar};
use crate::function::Function;
use crate::resolve::Item;
use crate::signature::{self, Arg, Operand, Plan};
use crate::target::{Layer, Target};
use crate::tree::{Binary, Expr, ExprKind, Name, Site};
use crate::types::{Dim, Element, TensorType};

impl<'a, T: Target> Evaluation<'a, T> {
    /// The value of an expression.
    pub(crate) fn expression(&mut self, expr: &Expr) -> Value<T::Tensor> {
        if !self.enter(expr.site) {
            return Value::Poison;
        }
        let value = self.entered(expr);
        self.leave();
        value
    }

    fn entered(&mut self, expr: &Expr) -> Value<T::Tensor> {
        let site = expr.site;
        match &expr.kind {
            ExprKind::Number { value } => Value::Number(Some(*value)),
            ExprKind::Bool { value } => Value::Flag(Some(*value)),
            ExprKind::Name { name } => self.lookup(name, site),
            ExprKind::Path { function, arguments } => self.rust(site, *function, arguments),
            ExprKind::Binary { op, left, right } => {
                let (left, right) = (self.expression(left), self.expression(right));
                self.operate(site, *op, left, right)
            }
            ExprKind::Neg { value } => self.negated(site, value),
            ExprKind::Call { .. } => self.call(expr),
            ExprKind::Expectation { value } => {
                let value = self.expression(value);
                self.expectation(site, value)
            }
            ExprKind::Field { value, field } => self.named_part(value, field),
            ExprKind::Part { value, index } => match self.expression(value) {
                Value::Tuple(mut parts) if *index < parts.len() => parts.swap_remove(*index),
                Value::Poison => Value::Poison,
                other => {
                    let got = other.describe();
                    self.report(
                        site,
                        format!("`.{index}` takes a part of a tuple, got {got}; an entry of a tensor is `x[{index}]`"),
                    )
                }
            },
            ExprKind::Index { value, index } => {
                let (value, index) = (self.expression(value), self.expression(index));
                self.indexed(site, value, index)
            }
            ExprKind::Tuple { parts } => {
                let parts = parts.iter().map(|part| self.expression(part)).collect();
                self.sized(site, Value::Tuple(parts))
            }
            ExprKind::List { items } => {
                let items = items.iter().map(|item| self.expression(item)).collect();
                self.sized(site, Value::List { items, open: false })
            }
            ExprKind::Range { from, to } => {
                let mut bound = |end: &Option<Box<Expr>>| {
                    end.as_ref().map(|end| match self.expression(end) {
                        Value::Number(number) => number,
                        Value::Poison => None,
                        other => {
                            let got = other.describe();
                            self.report(end.site, format!("a range needs numbers known at compile time, got {got}"));
                            None
                        }
                    })
                };
                Value::Range(bound(from), bound(to))
            }
            ExprKind::If { condition, then, otherwise } => {
                let condition_value = self.expression(condition);
                let chosen = match condition_value {
                    Value::Flag(flag) => flag,
                    Value::Number(number) => number.map(|number| number != 0.0),
                    Value::Poison => None,
                    other => {
                        let got = other.describe();
                        let message = format!(
                            "`if` needs a condition known at compile time, got {got}; write `select(c, a, b)` to choose by value"
                        );
                        self.report(condition.site, message);
                        None
                    }
                };
                match chosen {
                    Some(true) => self.value_of(then),
                    Some(false) => self.expression(otherwise),
                    None => {
                        let (a, b) = (self.value_of(then), self.expression(otherwise));
                        self.either(site, a, b)
                    }
                }
            }
            ExprKind::Block { block } => self.value_of(block),
            ExprKind::Closure { .. } => {
                self.report_here(site, "a closure `|…| …` is an argument of `repeat` and `vmap` only; declare a `fn`")
            }
            ExprKind::Unknown => Value::Poison,
        }
    }

    /// The value of a block that must have one.
    pub(super) fn value_of(&mut self, block: &crate::tree::Block) -> Value<T::Tensor> {
        match self.block(block) {
            Some(value) => value,
            None => self.report_here(block.site, "this body ends without a value; end it with an expression without `;`"),
        }
    }

    /// Both branches of an `if` whose condition is known when the model is built.
    fn either(&mut self, site: Site, a: Value<T::Tensor>, b: Value<T::Tensor>) -> Value<T::Tensor> {
        match (a, b) {
            (Value::Poison, other) | (other, Value::Poison) => other,
            (Value::Number(_), Value::Number(_)) => Value::Number(None),
            (Value::Flag(_), Value::Flag(_)) => Value::Flag(None),
            (Value::Tensor(a), Value::Tensor(b)) => {
                let (first, second) = (&a.typed.ty, &b.typed.ty);
                let kinds = matches!(first.element, Element::Float) == matches!(second.element, Element::Float);
                if first.shape.len() != second.shape.len() || !kinds {
                    return self.report(site, branches(&first.to_string(), &second.to_string()));
                }
                let mut typed = a.typed;
                for (x, y) in typed.ty.shape.iter_mut().zip(&b.typed.ty.shape) {
                    if x != y {
                        *x = Dim::Open;
                    }
                }
                typed.ty.per_sample |= b.typed.ty.per_sample;
                // Depends on both: what gradient may reach, it may reach through either.
                let node = self.record.add(vec![a.node, b.node], true, None);
                Value::Tensor(Tracked { typed, node, depth: a.depth.max(b.depth) })
            }
            (Value::Tuple(a), Value::Tuple(b)) if a.len() == b.len() => {
                Value::Tuple(a.into_iter().zip(b).map(|(a, b)| self.either(site, a, b)).collect())
            }
            (a @ (Value::Number(_) | Value::Flag(_)), b @ Value::Tensor(_))
            | (a @ Value::Tensor(_), b @ (Value::Number(_) | Value::Flag(_))) => {
                match (self.operand(site, a), self.operand(site, b)) {
                    (Some(a), Some(b)) => self.either(site, Value::Tensor(a), Value::Tensor(b)),
                    _ => Value::Poison,
                }
            }
            (a @ Value::List { .. }, Value::List { .. }) => a,
            (a, b) => self.report(site, branches(&a.describe(), &b.describe())),
        }
    }

    /// The value as an operand; None after an error.
    pub(super) fn operand(&mut self, site: Site, value: Value<T::Tensor>) -> Option<Tracked<T::Tensor>> {
        let number = match value {
            Value::Tensor(tensor) => return Some(tensor),
            Value::Number(number) => number.unwrap_or(f64::NAN),
            Value::Flag(flag) => flag.map_or(f64::NAN, f64::from),
            Value::Poison => return None,
            other => {
                let got = other.describe();
                let part = match got.starts_with('(') {
                    true => "; take a part by `.0`, or name all of them: `let (a, b) = …;`",
                    false => "",
                };
                self.report(site, format!("expected a tensor, got {got}{part}"));
                return None;
            }
        };
        let tensor = self.target.number(number);
        match self.leaf(site, scalar(), tensor, None) {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// What a signature sees of a value.
    pub(super) fn argument(value: &Value<T::Tensor>) -> Arg {
        match value {
            Value::Tensor(tensor) => Arg::Tensor(tensor.typed.ty.clone()),
            Value::Number(number) => Arg::Number(*number),
            Value::Flag(flag) => Arg::Flag(*flag),
            Value::List { items, open } => Arg::List { items: items.iter().map(Self::argument).collect(), open: *open },
            other => Arg::Other(other.describe()),
        }
    }

    /// A binary operator.
    pub(super) fn operate(
        &mut self,
        site: Site,
        op: Binary,
        left: Value<T::Tensor>,
        right: Value<T::Tensor>,
    ) -> Value<T::Tensor> {
        if left.poisoned() || right.poisoned() {
            return Value::Poison;
        }
        if let (Some(a), Some(b)) = (constant(&left), constant(&right)) {
            return folded(op, a, b);
        }
        match signature::binary(op, Self::argument(&left), Self::argument(&right)) {
            Ok(plan) => {
                let passes = matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div);
                self.carry_out(site, plan, &[Some(left), Some(right)], passes, None)
            }
            Err(problem) => self.report(site, problem.message),
        }
    }

    fn negated(&mut self, site: Site, value: &Expr) -> Value<T::Tensor> {
        match self.expression(value) {
            Value::Number(number) => Value::Number(number.map(|number| -number)),
            Value::Poison => Value::Poison,
            Value::Tensor(tensor) if tensor.typed.ty.element != Element::Float => {
                let got = tensor.typed.ty.to_string();
                self.report(site, format!("`-` takes numbers, got {got}: classes take part in no arithmetic"))
            }
            value => match self.operand(site, value) {
                Some(tensor) => {
                    let ty = tensor.typed.ty.clone();
                    self.one(site, &Function::Neg, vec![tensor], ty)
                }
                None => Value::Poison,
            },
        }
    }

    /// A function with one result through which gradient passes.
    pub(super) fn one(
        &mut self,
        site: Site,
        function: &Function,
        operands: Vec<Tracked<T::Tensor>>,
        ty: TensorType,
    ) -> Value<T::Tensor> {
        self.emit(site, function, operands, &[ty], None, true).pop().unwrap_or(Value::Poison)
    }

    /// Executes a checked call.
    pub(super) fn carry_out(
        &mut self,
        site: Site,
        plan: Plan,
        arguments: &[Option<Value<T::Tensor>>],
        passes: bool,
        layer: Option<&Layer>,
    ) -> Value<T::Tensor> {
        let mut operands = Vec::with_capacity(plan.operands.len());
        for operand in &plan.operands {
            let value = match operand {
                Operand::Argument(index) => arguments.get(*index).cloned().flatten(),
                Operand::Entry(index, entry) => match arguments.get(*index) {
                    Some(Some(Value::List { items, .. })) => items.get(*entry).cloned(),
                    _ => None,
                },
                Operand::Label { index, classes } => {
                    let ty = TensorType { shape: vec![], element: Element::Class(*classes), per_sample: false };
                    self.emit(site, &Function::Label { index: *index }, vec![], &[ty], None, false).pop()
                }
            };
            match self.operand(site, value.unwrap_or(Value::Poison)) {
                Some(operand) => operands.push(operand),
                None => return Value::Poison,
            }
        }
        let mixed = operands.iter().any(|operand| operand.typed.ty.per_sample);
        if layer.is_some() || (mixed && !elementwise(&plan.function)) {
            operands = operands.into_iter().map(|operand| self.over_batch(site, operand)).collect();
        }
        let mut results = self.emit(site, &plan.function, operands, &plan.results, layer, passes);
        if results.len() == 1 { results.pop().unwrap_or(Value::Poison) } else { Value::Tuple(results) }
    }

    /// The value for every sample of the batch.
    pub(super) fn over_batch(&mut self, site: Site, operand: Tracked<T::Tensor>) -> Tracked<T::Tensor> {
        if operand.typed.ty.per_sample {
            return operand;
        }
        let ty = TensorType { per_sample: true, ..operand.typed.ty.clone() };
        match self.one(site, &Function::OverBatch, vec![operand.clone()], ty) {
            Value::Tensor(tensor) => tensor,
            _ => operand,
        }
    }

    pub(super) fn expectation(&mut self, site: Site, value: Value<T::Tensor>) -> Value<T::Tensor> {
        if self.frame.world == World::Net {
            return self.report(
                site,
                "`E[…]` averages over the batch and cannot stand in a net; `mean()` averages one sample's elements",
            );
        }
        if self.mode == Mode::Inference {
            return self.report(
                site,
                "`E[…]` mixes samples and cannot stand in an output; `mean()` averages one sample's elements",
            );
        }
        if self.frame.barrier > 0 {
            return self.report(site, "`E[…]` cannot stand inside `vmap`; average the result of `vmap`");
        }
        if matches!(value, Value::Tuple(_)) {
            let got = value.describe();
            return self.report(site, format!("`E[…]` takes one tensor, got {got}; take a part by `.0`"));
        }
        let Some(operand) = self.operand(site, value) else { return Value::Poison };
        if operand.typed.ty.element != Element::Float {
            let got = operand.typed.ty.to_string();
            return self.report(site, format!("`E[…]` averages numbers, got {got}"));
        }
        self.one(site, &Function::Expectation, vec![operand], scalar())
    }

    /// `group.field`
    fn named_part(&mut self, value: &Expr, field: &Name) -> Value<T::Tensor> {
        if let ExprKind::Name { name } = &value.kind
            && self.binding(name).is_none()
            && let Some(Item::Group(group)) = self.resolved.names.values.get(name)
        {
            let fields = &self.resolved.model.groups[*group].fields;
            return match fields.iter().position(|known| known.name.text == field.text) {
                Some(index) => self.field(*group, index, &field.text, field.site),
                None => {
                    let hint = did_you_mean(&field.text, fields.iter().map(|known| known.name.text.as_str()));
                    let all: Vec<String> = fields.iter().map(|known| format!("`{}`", known.name.text)).collect();
                    let message =
                        format!("the data group `{name}` has no field `{}`{hint}; it has {}", field.text, all.join(", "));
                    self.report_here(field.site, message)
                }
            };
        }
        let value = self.expression(value);
        match value {
            Value::Poison => Value::Poison,
            other => {
                let got = other.describe();
                self.report_here(field.site, format!("{got} has no field `{}`; only data groups have fields", field.text))
            }
        }
    }

    /// `x[i]`, `x[a..b]`
    pub(super) fn indexed(&mut self, site: Site, value: Value<T::Tensor>, index: Value<T::Tensor>) -> Value<T::Tensor> {
        if value.poisoned() && !matches!(value, Value::List { .. }) || index.poisoned() {
            return Value::Poison;
        }
        match (value, index) {
            (Value::List { mut items, open: true }, _) => items.pop().unwrap_or(Value::Poison),
            (Value::List { items, .. }, Value::Number(None)) => items.into_iter().next().unwrap_or(Value::Poison),
            (Value::List { items, .. }, Value::Number(Some(index))) => match items.get(index as usize) {
                Some(item) if index >= 0.0 && index.fract() == 0.0 => item.clone(),
                _ => self.report(site, format!("there is no entry {index} in a list of {}", items.len())),
            },
            (Value::Tensor(tensor), index) => self.indexed_tensor(site, tensor, index),
            (Value::Tuple(_), Value::Number(Some(index))) => {
                self.report(site, format!("a part of a tuple is taken by `.{index}`, not by brackets"))
            }
            (other, _) => {
                let got = other.describe();
                self.report(site, format!("brackets take an entry of a tensor or list, got {got}"))
            }
        }
    }

    fn indexed_tensor(&mut self, site: Site, tensor: Tracked<T::Tensor>, index: Value<T::Tensor>) -> Value<T::Tensor> {
        let mut ty = tensor.typed.ty.clone();
        let Some(length) = ty.shape.first().copied() else {
            return self.report(site, format!("brackets take an entry of the leading axis, but {ty} has no axes"));
        };
        let whole = |number: f64| number >= 0.0 && number.fract() == 0.0;
        let end = length.known().map(|length| length as f64);
        match index {
            Value::Number(index) => {
                let at = index.unwrap_or(0.0);
                if !whole(at) || (index.is_some() && end.is_some_and(|end| at >= end)) {
                    return self.report(
                        site,
                        format!("there is no entry {at} in {ty}: entries go from 0 to {}", end.map_or(0.0, |end| end - 1.0)),
                    );
                }
                ty.shape.remove(0);
                self.one(site, &Function::Index { index: at as usize }, vec![tensor], ty)
            }
            Value::Range(from, to) => {
                let from = from.unwrap_or(Some(0.0));
                let to = to.unwrap_or(end);
                let (mut first, mut last) = (0, 1);
                ty.shape[0] = Dim::Open;
                if let (Some(from), Some(to)) = (from, to) {
                    if !whole(from) || !whole(to) || from >= to || end.is_some_and(|end| to > end) {
                        return self.report(
                            site,
                            format!("the range {from}..{to} does not lie in the leading axis of {}", tensor.typed.ty),
                        );
                    }
                    (first, last) = (from as usize, to as usize);
                    ty.shape[0] = Dim::Known(last - first);
                }
                self.one(site, &Function::Slice { axis: 0, from: first, to: last }, vec![tensor], ty)
            }
            other => {
                let got = other.describe();
                let message = format!(
                    "an index must be known at compile time, got {got}; choose by value with `one_hot` and `matmul`"
                );
                self.report(site, message)
            }
        }
    }

    /// A Rust function over the compiler's `Expr` (rule N5).
    fn rust(&mut self, site: Site, path: usize, arguments: &[Expr]) -> Value<T::Tensor> {
        let mut operands = Vec::new();
        for argument in arguments {
            let value = self.expression(argument);
            match self.operand(argument.site, value) {
                Some(operand) => operands.push(operand),
                None => return Value::Poison,
            }
        }
        let parents = operands.iter().map(|operand| operand.node).collect();
        let (typed, depth, rows) = match self.shared(operands, &[], false) {
            Ok(shared) => shared,
            Err(message) => return self.report(site, message),
        };
        match self.target.rust(path, &typed, rows) {
            // The macro cannot know the result: it agrees with everything until the model is built.
            Ok(None) => Value::Poison,
            Ok(Some(mut typed)) => {
                let node = self.record.add(parents, true, None);
                // What has the rows of its operands varies over what they vary over.
                let depth = if typed.ty.per_sample { depth } else { 0 };
                typed.ty.per_sample &= rows.batch;
                Value::Tensor(Tracked { typed, node, depth })
            }
            Err(message) => self.report(site, message),
        }
    }
}

fn branches(a: &str, b: &str) -> String {
    format!(
        "the branches of this `if` give {a} and {b}; its condition is known only when the model is built, so both must be of one kind"
    )
}

fn constant<X>(value: &Value<X>) -> Option<Option<f64>> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Flag(flag) => Some(flag.map(f64::from)),
        _ => None,
    }
}

fn folded<X>(op: Binary, a: Option<f64>, b: Option<f64>) -> Value<X> {
    let both = a.zip(b);
    match op {
        Binary::Add => Value::Number(both.map(|(a, b)| a + b)),
        Binary::Sub => Value::Number(both.map(|(a, b)| a - b)),
        Binary::Mul => Value::Number(both.map(|(a, b)| a * b)),
        Binary::Div => Value::Number(both.map(|(a, b)| a / b)),
        Binary::Less => Value::Flag(both.map(|(a, b)| a < b)),
        Binary::LessEqual => Value::Flag(both.map(|(a, b)| a <= b)),
        Binary::Greater => Value::Flag(both.map(|(a, b)| a > b)),
        Binary::GreaterEqual => Value::Flag(both.map(|(a, b)| a >= b)),
        Binary::Equal => Value::Flag(both.map(|(a, b)| a == b)),
        Binary::NotEqual => Value::Flag(both.map(|(a, b)| a != b)),
    }
}

/// Operands of these may be per sample or not, each for itself.
fn elementwise(function: &Function) -> bool {
    use Function::*;
    matches!(
        function,
        Add | Sub
            | Mul
            | Div
            | Less
            | LessEqual
            | Greater
            | GreaterEqual
            | Equal
            | NotEqual
            | Max
            | Min
            | Select
            | Mix
            | Reverse
            | StraightThrough
    )
}
