//! The forms that take bodies or names: `repeat`, `vmap`, `grad`.

use crate::evaluate::call::{Written, agree};
use crate::evaluate::{Evaluation, Tracked, Value, limits};
use crate::signature::{self, Bound};
use crate::target::{Target, Typed};
use crate::tree::{Expr, ExprKind, Pattern, Site};
use crate::types::{Dim, Element};

impl<'a, T: Target> Evaluation<'a, T> {
    fn closure<'e>(&mut self, written: &Written<'e>, at: usize, counts: &[usize]) -> Option<(&'e [Pattern], &'e Expr)> {
        match &written.arguments[at].kind {
            ExprKind::Closure { parameters, body } if counts.contains(&parameters.len()) => Some((parameters, body)),
            ExprKind::Closure { parameters, .. } => {
                let wanted = counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
                let got = parameters.len();
                self.report_here(
                    written.arguments[at].site,
                    format!("the closure of `{}` takes {wanted} parameters, got {got}", written.name),
                );
                None
            }
            _ => {
                let message =
                    format!("the last argument of `{}` is a closure, such as `|h| h.dense(64).relu()`", written.name);
                self.report_here(written.arguments[at].site, message);
                None
            }
        }
    }

    /// `repeat(x, n or list, |h, item| …)`
    pub(super) fn repeat(&mut self, written: &Written<'_>) -> Value<T::Tensor> {
        if !self.exactly(written, 3, "repeat(x, n, |h| …)") {
            return Value::Poison;
        }
        let mut value = self.expression(&written.arguments[0]);
        let rounds = self.expression(&written.arguments[1]);
        let Some((parameters, body)) = self.closure(written, 2, &[1, 2]) else { return Value::Poison };
        let items = match rounds {
            Value::Number(None) => vec![Value::Number(None)],
            Value::Number(Some(n)) if n > limits::ROUNDS as f64 => {
                let message = format!("`repeat` has at most {} rounds, got {n}", limits::ROUNDS);
                return self.report(written.arguments[1].site, message);
            }
            Value::Number(Some(n)) if n >= 0.0 && n.fract() == 0.0 => {
                (0..n as usize).map(|round| Value::Number(Some(round as f64))).collect()
            }
            Value::List { items, .. } => items,
            Value::Poison => return Value::Poison,
            other => {
                let got = other.describe();
                let message = format!("`repeat` takes a number of rounds or a list with an item for each, got {got}");
                return self.report(written.arguments[1].site, message);
            }
        };
        for item in items {
            self.frame.scopes.push(Vec::new());
            self.bind(&parameters[0], value);
            if let Some(parameter) = parameters.get(1) {
                self.bind(parameter, item);
            }
            value = self.expression(body);
            self.frame.scopes.pop();
            if value.poisoned() {
                return Value::Poison;
            }
        }
        value
    }

    /// `vmap(v, |a| …)`: evaluated for each entry and stacked.
    pub(super) fn vmap(&mut self, written: &Written<'_>) -> Value<T::Tensor> {
        if !self.exactly(written, 2, "vmap(v, |a| …)") {
            return Value::Poison;
        }
        let over = self.expression(&written.arguments[0]);
        let Some((parameters, body)) = self.closure(written, 1, &[1]) else { return Value::Poison };
        if over.poisoned() {
            return Value::Poison;
        }
        let length = match leading(&over) {
            Ok(length) => length,
            Err(message) => return self.report(written.site, message),
        };
        let rounds = if self.target.types_only() { 1 } else { length.known().unwrap_or(1) };
        let barrier = std::mem::replace(&mut self.frame.barrier, self.frame.scopes.len());
        let made = self.frame.net.clone();
        let mut results = Vec::new();
        for round in 0..rounds {
            // Every round uses the same layers.
            self.frame.net.clone_from(&made);
            let entry = self.entry(written.site, over.clone(), round);
            self.frame.scopes.push(Vec::new());
            self.bind(&parameters[0], entry);
            results.push(self.expression(body));
            self.frame.scopes.pop();
        }
        self.frame.barrier = barrier;
        self.collected(written.site, results, length)
    }

    fn entry(&mut self, site: Site, value: Value<T::Tensor>, round: usize) -> Value<T::Tensor> {
        match value {
            Value::Tuple(parts) => Value::Tuple(parts.into_iter().map(|part| self.entry(site, part, round)).collect()),
            other => self.indexed(site, other, Value::Number(Some(round as f64))),
        }
    }

    /// The results of all rounds on a new leading axis.
    fn collected(&mut self, site: Site, results: Vec<Value<T::Tensor>>, length: Dim) -> Value<T::Tensor> {
        if results.iter().any(Value::poisoned) || results.is_empty() {
            return Value::Poison;
        }
        if let Value::Tuple(first) = &results[0] {
            let parts = first.len();
            let mut columns: Vec<Vec<Value<T::Tensor>>> = (0..parts).map(|_| Vec::new()).collect();
            for result in results {
                if let Value::Tuple(values) = result {
                    values.into_iter().zip(&mut columns).for_each(|(value, column)| column.push(value));
                }
            }
            return Value::Tuple(columns.into_iter().map(|column| self.collected(site, column, length)).collect());
        }
        let Some(signature) = signature::find("stack") else { return Value::Poison };
        let list = Value::List { items: results, open: false };
        let seen = [Some(Self::argument(&list))];
        match (signature.rule)(&Bound { signature, arguments: &seen }) {
            Ok(mut plan) => {
                if let Some(result) = plan.results.first_mut() {
                    result.shape[0] = length;
                }
                self.carry_out(site, plan, &[Some(list)], true, None)
            }
            Err(problem) => self.report(site, problem.message),
        }
    }

    /// `grad(y, v)` (rule 11).
    pub(super) fn grad(&mut self, written: &Written<'_>) -> Value<T::Tensor> {
        if !self.exactly(written, 2, "grad(y, v)") {
            return Value::Poison;
        }
        let (y, v) = (self.expression(&written.arguments[0]), self.expression(&written.arguments[1]));
        let place = &written.arguments[1];
        let name = match &place.kind {
            ExprKind::Name { name } => name.clone(),
            ExprKind::Field { field, .. } => field.text.clone(),
            ExprKind::Unknown => return Value::Poison,
            _ => {
                let message = "`grad(y, v)` differentiates by a name: bind this value first, `let v = …;`, compute `y` from `v`, and write `v` here";
                return self.report(place.site, message);
            }
        };
        if y.poisoned() || v.poisoned() {
            return Value::Poison;
        }
        let (y, v) = match (y, v) {
            (Value::Tensor(y), Value::Tensor(v)) => (y, v),
            (y, Value::Tensor(_)) => {
                let got = y.describe();
                return self.report(written.arguments[0].site, format!("`grad(y, v)` differentiates one tensor, got {got}"));
            }
            (_, v) => {
                let got = v.describe();
                return self.report(place.site, format!("`grad(y, v)` differentiates by a tensor, but `{name}` is {got}"));
            }
        };
        for (ty, what) in [(&y.typed.ty, "y"), (&v.typed.ty, "v")] {
            if ty.element != Element::Float {
                let message = format!("classes carry no gradient, and `{what}` of `grad(y, v)` is {ty}");
                return self.report(place.site, message);
            }
        }
        if v.typed.ty.per_sample && !y.typed.ty.per_sample {
            let message = format!(
                "`{name}` has one value a sample, so `y` of `grad(y, {name})` must have too, or samples would mix; leave out the `E[…]` in it"
            );
            return self.report(written.arguments[0].site, message);
        }
        if !self.record.reaches(y.node, v.node) {
            let message = format!(
                "no gradient leads from `y` to `{name}`: `grad(y, {name})` needs a `y` that was computed from `{name}` itself"
            );
            return self.report(place.site, message);
        }
        match self.target.gradient(&y.typed, &v.typed) {
            Ok(tensor) => {
                let node = self.record.add(vec![y.node, v.node], true, None);
                Value::Tensor(Tracked { typed: Typed { ty: v.typed.ty, tensor }, node })
            }
            Err(message) => self.report(written.site, message),
        }
    }
}

/// The common length of the leading axes.
fn leading<X>(value: &Value<X>) -> Result<Dim, String> {
    match value {
        Value::Tensor(tensor) => match tensor.typed.ty.shape.first() {
            Some(length) => Ok(*length),
            None => Err(format!("`vmap` runs over the leading axis, but {} has no axes", tensor.typed.ty)),
        },
        Value::Tuple(parts) => {
            let mut common = Dim::Open;
            for part in parts {
                let length = leading(part)?;
                if !agree(common, length) {
                    return Err(format!("`vmap` runs over leading axes of one length, got {common} and {length}"));
                }
                common = if common == Dim::Open { length } else { common };
            }
            Ok(common)
        }
        other => Err(format!("`vmap` runs over the leading axis of a tensor, got {}", other.describe())),
    }
}
