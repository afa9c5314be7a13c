//! Divergences (rule 39): `d(u)`, and the parts that are derived from it or given with it.

use crate::diagnostic::did_you_mean;
use crate::evaluate::call::Written;
use crate::evaluate::{Evaluation, Value, scalar};
use crate::function::{DivergencePart, Function};
use crate::target::Target;
use crate::tree::{Binary, Expr, ExprKind, Pattern, Site};
use crate::types::Element;

impl<'a, T: Target> Evaluation<'a, T> {
    /// `d(u)`: its definition with `u` in place of the parameter.
    pub(super) fn divergence(&mut self, written: &Written<'_>, index: usize) -> Value<T::Tensor> {
        let values: Vec<Value<T::Tensor>> = written.arguments.iter().map(|argument| self.expression(argument)).collect();
        let [u] = &values[..] else {
            let (name, got) = (written.name, values.len());
            return self.report_here(written.site, format!("`{name}(u)` takes 1 argument, got {got}"));
        };
        let item = &self.resolved.model.divergences[index];
        self.pasted(&[(item.parameter.text.clone(), u.clone())], &item.value)
    }

    /// An expression that sees the given names and constants only.
    fn pasted(&mut self, names: &[(String, Value<T::Tensor>)], body: &Expr) -> Value<T::Tensor> {
        let scopes = std::mem::replace(&mut self.frame.scopes, vec![Vec::new()]);
        for (name, value) in names {
            self.bind_name(name, value.clone(), false);
        }
        let value = self.expression(body);
        self.frame.scopes = scopes;
        value
    }

    /// `d.conjugate(t)`, `d.activation(v)`, `d.threshold()`, `d.bound(p, q)`
    pub(super) fn divergence_part(&mut self, written: &Written<'_>, index: usize) -> Value<T::Tensor> {
        let values: Vec<Value<T::Tensor>> =
            written.arguments[1..].iter().map(|argument| self.expression(argument)).collect();
        if values.iter().any(Value::poisoned) {
            return Value::Poison;
        }
        let site = written.site;
        match (written.name, &values[..]) {
            ("conjugate", [t]) => self.conjugate(site, index, t.clone()),
            ("activation", [v]) => self.activation(site, index, v.clone()),
            ("threshold", []) => {
                let function = Function::Divergence { index, part: DivergencePart::Threshold };
                self.one(site, &function, vec![], scalar())
            }
            ("bound", [p, q]) => {
                let (real, fake) = self.bound_terms(site, index, p.clone(), q.clone());
                self.operate(site, Binary::Sub, real, fake)
            }
            (name @ ("conjugate" | "activation" | "threshold" | "bound"), got) => {
                let (usage, count) = match name {
                    "threshold" => ("threshold()", 0),
                    "bound" => ("bound(p, q)", 2),
                    "conjugate" => ("conjugate(t)", 1),
                    _ => ("activation(v)", 1),
                };
                let got = got.len();
                self.report_here(site, format!("`{usage}` of a divergence takes {count} arguments, got {got}"))
            }
            (name, _) => {
                let hint = did_you_mean(name, ["conjugate", "activation", "threshold", "bound"]);
                let message = format!(
                    "a divergence has no `{name}`{hint}; it has `conjugate(t)`, `activation(v)`, `threshold()` and `bound(p, q)`"
                );
                self.report_here(site, message)
            }
        }
    }

    /// The two terms of `d.bound(p, q)` = `E[g(p)] − E[f*(g(q))]`.
    fn bound_terms(
        &mut self,
        site: Site,
        index: usize,
        p: Value<T::Tensor>,
        q: Value<T::Tensor>,
    ) -> (Value<T::Tensor>, Value<T::Tensor>) {
        let real = self.activation(site, index, p);
        let real = self.expectation(site, real);
        let fake = self.activation(site, index, q);
        let fake = self.conjugate(site, index, fake);
        (real, self.expectation(site, fake))
    }

    fn conjugate(&mut self, site: Site, index: usize, t: Value<T::Tensor>) -> Value<T::Tensor> {
        let given = &self.resolved.model.divergences[index].conjugate;
        self.derived(site, index, DivergencePart::Conjugate, given.as_ref(), t)
    }

    fn activation(&mut self, site: Site, index: usize, v: Value<T::Tensor>) -> Value<T::Tensor> {
        let given = &self.resolved.model.divergences[index].activation;
        self.derived(site, index, DivergencePart::Activation, given.as_ref(), v)
    }

    fn derived(
        &mut self,
        site: Site,
        index: usize,
        part: DivergencePart,
        given: Option<&Expr>,
        value: Value<T::Tensor>,
    ) -> Value<T::Tensor> {
        if let Some(Expr { kind: ExprKind::Closure { parameters, body }, site }) = given {
            return match &parameters[..] {
                [Pattern::Bind { name, .. }] => self.pasted(&[(name.text.clone(), value)], body),
                _ => self.report_here(*site, "`conjugate` and `activation` are closures of one parameter, such as `|t| …`"),
            };
        }
        let Some(operand) = self.operand(site, value) else { return Value::Poison };
        let ty = operand.typed.ty.clone();
        if ty.element != Element::Float {
            return self.report(site, format!("a divergence takes numbers, got {ty}"));
        }
        self.one(site, &Function::Divergence { index, part }, vec![operand], ty)
    }
}
