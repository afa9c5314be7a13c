//! The forms that take bodies or names: `repeat` and `grad`; `vmap` has a file of its own.

use crate::evaluate::call::Written;
use crate::evaluate::{Evaluation, Tracked, Value, limits};
use crate::target::{Target, Typed};
use crate::tree::{Expr, ExprKind, Pattern};
use crate::types::Element;

impl<'a, T: Target> Evaluation<'a, T> {
    pub(super) fn closure<'e>(
        &mut self,
        written: &Written<'e>,
        at: usize,
        counts: &[usize],
    ) -> Option<(&'e [Pattern], &'e Expr)> {
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
                let message = format!(
                    "`repeat` has at most {} rounds, got {n}; make the loop in Rust, around `step` or `turn`",
                    limits::ROUNDS
                );
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
        if v.depth < y.depth {
            let message = format!(
                "`{name}` belongs to the code around `vmap`, where it has one value for all entries; hand it in as an entry of its own: \
                 `vmap((…, copies({name}, n)), |(…, {name})| …)`"
            );
            return self.report(place.site, message);
        }
        match self.target.gradient(&y.typed, &v.typed) {
            Ok(tensor) => {
                let node = self.record.add(vec![y.node, v.node], true, None);
                Value::Tensor(Tracked { typed: Typed { ty: v.typed.ty, tensor }, node, depth: v.depth })
            }
            Err(message) => self.report(written.site, message),
        }
    }
}
