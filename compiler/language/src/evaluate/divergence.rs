//! Divergences (rule 39): `d(u)`, and the parts that are derived from it or given with it. What is derived is an expression of
//! [`crate::divergence`], written here into what the evaluation makes.

use crate::diagnostic::did_you_mean;
use crate::divergence::{Analysis, Derived, Expr as Formula, Number, Symbolic, coefficient};
use crate::evaluate::call::Written;
use crate::evaluate::{Callee, Caller, Definition, Evaluation, Value, World, scalar};
use crate::function::Function;
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
        let resolved = self.resolved;
        let item = &resolved.model.divergences[index];
        let callee = Callee::Divergence(index, Definition::Value);
        self.pasted(written.site, callee, (item.parameter.text.clone(), u.clone()), &item.value)
    }

    /// An expression that sees the given name and the model's.
    fn pasted(
        &mut self,
        site: Site,
        callee: Callee,
        (name, value): (String, Value<T::Tensor>),
        body: &Expr,
    ) -> Value<T::Tensor> {
        if self.stack.iter().any(|caller| caller.callee == callee) {
            return self.report_here(site, "this divergence is defined by itself; write a formula");
        }
        let scopes = std::mem::replace(&mut self.frame.scopes, vec![Vec::new()]);
        self.stack.push(Caller { site, callee });
        self.bind_name(&name, value, false);
        let value = self.expression(body);
        self.stack.pop();
        self.frame.scopes = scopes;
        value
    }

    /// `d.conjugate(t)`, `d.activation(v)`, `d.threshold()`, `d.bound(p, q)`
    pub(super) fn divergence_part(&mut self, written: &Written<'_>, index: usize) -> Value<T::Tensor> {
        let values: Vec<Value<T::Tensor>> =
            written.arguments[1..].iter().map(|argument| self.expression(argument)).collect();
        if let Some(setting) = written.named.first() {
            let message = "the parts of a divergence take no argument by name".to_string();
            return self.report_here(setting.name.site, message);
        }
        if values.iter().any(Value::poisoned) {
            return Value::Poison;
        }
        let site = written.site;
        match (written.name, &values[..]) {
            ("conjugate", [t]) => self.conjugate(site, index, t.clone()),
            ("activation", [v]) => self.activation(site, index, v.clone()),
            ("threshold", []) => match &self.resolved.divergences[index] {
                Analysis::Derived(derived) => Value::Number(Some(derived.threshold)),
                Analysis::Unknown => Value::Number(None),
                Analysis::Opaque(reason) => {
                    let name = &self.resolved.model.divergences[index].name.text;
                    let message = format!(
                        "f′(1) of the divergence `{name}` cannot be derived: {reason}; write the number in place of `{name}.threshold()`"
                    );
                    self.report_here(site, message)
                }
            },
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
                let plural = if count == 1 { "argument" } else { "arguments" };
                self.report_here(site, format!("`{usage}` of a divergence takes {count} {plural}, got {got}"))
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
        let resolved = self.resolved;
        if let Some(given) = &resolved.model.divergences[index].conjugate {
            return self.given(site, Callee::Divergence(index, Definition::Conjugate), given, t);
        }
        // f* of what g made of a score is written over the score, in the form that neither overflows nor cancels.
        if let Value::Tensor(tensor) = &t
            && let Some((known, score)) = self.activated.get(&tensor.node)
            && *known == index
            && let Analysis::Derived(derived) = &resolved.divergences[index]
            && let Some(composed) = &derived.composed
        {
            let score = score.clone();
            return self.formula_of(site, composed, &Value::Tensor(score));
        }
        self.derived(site, index, "f*", t, |derived| derived.conjugate.as_ref())
    }

    fn activation(&mut self, site: Site, index: usize, v: Value<T::Tensor>) -> Value<T::Tensor> {
        let resolved = self.resolved;
        if let Some(given) = &resolved.model.divergences[index].activation {
            return self.given(site, Callee::Divergence(index, Definition::Activation), given, v);
        }
        let value = self.derived(site, index, "an output activation g", v.clone(), |derived| derived.activation.as_ref());
        if let (Value::Tensor(value), Value::Tensor(score)) = (&value, v)
            && value.node != score.node
        {
            self.activated.insert(value.node, (index, score));
        }
        value
    }

    /// A part that the user gave.
    fn given(&mut self, site: Site, callee: Callee, given: &Expr, value: Value<T::Tensor>) -> Value<T::Tensor> {
        let ExprKind::Closure { parameters, body } = &given.kind else {
            return self
                .report_here(given.site, "`conjugate` and `activation` are closures of one parameter, such as `|t| …`");
        };
        match &parameters[..] {
            [Pattern::Bind { name, .. }] => self.pasted(site, callee, (name.text.clone(), value), body),
            _ => self.report_here(given.site, "`conjugate` and `activation` are closures of one parameter, such as `|t| …`"),
        }
    }

    /// A part that follows from f.
    fn derived(
        &mut self,
        site: Site,
        index: usize,
        what: &str,
        value: Value<T::Tensor>,
        part: impl Fn(&Derived) -> Option<&Formula>,
    ) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let Some(operand) = self.operand(site, value) else { return Value::Poison };
        if operand.typed.ty.element != Element::Float {
            let ty = &operand.typed.ty;
            return self.report(site, format!("a divergence takes numbers, got {ty}"));
        }
        let operand = Value::Tensor(operand);
        let item = &resolved.model.divergences[index];
        let (name, u) = (&item.name.text, &item.parameter.text);
        let reason = match &resolved.divergences[index] {
            Analysis::Unknown => return operand,
            Analysis::Derived(derived) => match part(derived) {
                Some(formula) => return self.formula_of(site, formula, &operand),
                None => format!("f′({u}) = t is not solved for {u} in closed form"),
            },
            Analysis::Opaque(reason) => reason.clone(),
        };
        let message = format!(
            "{what} of the divergence `{name}` cannot be derived: {reason}; give it: `divergence {name}({u}) = …, conjugate = |t| …, \
             activation = |v| …;`"
        );
        self.report_here(site, message)
    }

    /// A formula in one variable, as calls.
    fn formula_of(&mut self, site: Site, formula: &Formula, at: &Value<T::Tensor>) -> Value<T::Tensor> {
        match formula {
            Formula::Number(n) => Value::Number(Some(n.value())),
            Formula::Ratio | Formula::Real => at.clone(),
            Formula::Sum(terms) => self.sum_of(site, terms, at),
            Formula::Product(factors) => self.product_of(site, factors, at),
            Formula::Power(base, e) if e.negative() => {
                let below = self.power_of(site, base, e.negated(), at);
                self.operate(site, Binary::Div, Value::Number(Some(1.0)), below)
            }
            Formula::Power(base, e) => self.power_of(site, base, *e, at),
            Formula::Exp(x) => self.function_of(site, Function::Exp, x, at),
            Formula::Ln(x) => self.function_of(site, Function::Ln, x, at),
            Formula::Sign(x) => self.function_of(site, Function::Sign, x, at),
            Formula::Softplus(x) => self.function_of(site, Function::Softplus, x, at),
            Formula::Tanh(x) => self.function_of(site, Function::Tanh, x, at),
            Formula::LogLambert(x) => self.function_of(site, Function::LogLambert, x, at),
            Formula::Clamp(x, low, high) => {
                let mut value = self.formula_of(site, x, at);
                for (function, bound) in [(Function::Max, low.value()), (Function::Min, high.value())] {
                    if bound.is_infinite() {
                        continue;
                    }
                    let (Some(x), Some(bound)) = (self.operand(site, value), self.operand(site, Value::Number(Some(bound))))
                    else {
                        return Value::Poison;
                    };
                    let ty = x.typed.ty.clone();
                    value = self.one(site, &function, vec![x, bound], ty);
                }
                value
            }
        }
    }

    fn function_of(&mut self, site: Site, function: Function, x: &Formula, at: &Value<T::Tensor>) -> Value<T::Tensor> {
        let x = self.formula_of(site, x, at);
        let Some(x) = self.operand(site, x) else { return Value::Poison };
        let ty = x.typed.ty.clone();
        self.one(site, &function, vec![x], ty)
    }

    fn power_of(&mut self, site: Site, base: &Formula, e: Number, at: &Value<T::Tensor>) -> Value<T::Tensor> {
        match e.value() {
            1.0 => self.formula_of(site, base, at),
            2.0 => self.function_of(site, Function::Square, base, at),
            0.5 => self.function_of(site, Function::Sqrt, base, at),
            exponent => self.function_of(site, Function::Pow { exponent }, base, at),
        }
    }

    /// Terms with a negative coefficient are subtracted.
    fn sum_of(&mut self, site: Site, terms: &[Formula], at: &Value<T::Tensor>) -> Value<T::Tensor> {
        let negative = |term: &Formula| coefficient(term.clone()).0.negative();
        let mut ordered: Vec<&Formula> = terms.iter().collect();
        ordered.sort_by_key(|term| (negative(term), matches!(term, Formula::Number(_))));
        let mut total: Option<Value<T::Tensor>> = None;
        for term in ordered {
            total = Some(match total {
                None => self.formula_of(site, term, at),
                Some(total) if negative(term) => {
                    let term = self.formula_of(site, &term.opposite(), at);
                    self.operate(site, Binary::Sub, total, term)
                }
                Some(total) => {
                    let term = self.formula_of(site, term, at);
                    self.operate(site, Binary::Add, total, term)
                }
            });
        }
        total.unwrap_or(Value::Number(Some(0.0)))
    }

    /// Negative powers stand below one line.
    fn product_of(&mut self, site: Site, factors: &[Formula], at: &Value<T::Tensor>) -> Value<T::Tensor> {
        let mut above: Option<Value<T::Tensor>> = None;
        let mut below: Option<Value<T::Tensor>> = None;
        for factor in factors {
            let (value, side) = match factor {
                Formula::Power(base, e) if e.negative() => (self.power_of(site, base, e.negated(), at), &mut below),
                factor => (self.formula_of(site, factor, at), &mut above),
            };
            *side = Some(match side.take() {
                None => value,
                Some(known) => self.operate(site, Binary::Mul, known, value),
            });
        }
        let above = above.unwrap_or(Value::Number(Some(1.0)));
        match below {
            None => above,
            Some(below) => self.operate(site, Binary::Div, above, below),
        }
    }

    /// The types of f, for the errors in it and in what is given with it.
    pub(crate) fn check_divergence(&mut self, index: usize) {
        let resolved = self.resolved;
        let item = &resolved.model.divergences[index];
        let tensor = self.target.number(f64::NAN);
        let value = self.leaf(item.parameter.site, scalar(), tensor, None);
        let lets = resolved.model.lets.len();
        self.detached(World::Model { lets }, |e| {
            let callee = |part| Callee::Divergence(index, part);
            let parameter = (item.parameter.text.clone(), value.clone());
            let result = e.pasted(item.name.site, callee(Definition::Value), parameter, &item.value);
            if !result.poisoned() && !matches!(&result, Value::Tensor(tensor) if tensor.typed.ty.shape.is_empty()) {
                let got = result.describe();
                let (name, u) = (&item.name.text, &item.parameter.text);
                e.report_here(item.value.site, format!("`{name}({u})` must be one number made of `{u}`, got {got}"));
            }
            for (given, part) in [(&item.conjugate, Definition::Conjugate), (&item.activation, Definition::Activation)] {
                if let Some(given) = given {
                    e.given(given.site, callee(part), given, value.clone());
                }
            }
        });
    }
}

impl Evaluation<'_, Symbolic> {
    /// f at `u`; or why it is not a formula of it.
    pub(crate) fn definition(&mut self, index: usize, u: Formula) -> Result<Formula, String> {
        let resolved = self.resolved;
        let item = &resolved.model.divergences[index];
        let value = self.leaf(item.parameter.site, scalar(), Ok(u), None);
        let (name, callee) = (item.parameter.text.clone(), Callee::Divergence(index, Definition::Value));
        let value = self.detached(World::Constants, |e| e.pasted(item.name.site, callee, (name, value), &item.value));
        match (value, self.diagnostics.first()) {
            (Value::Tensor(tensor), None) => Ok(tensor.typed.tensor),
            (_, Some(diagnostic)) => Err(diagnostic.message.clone()),
            _ => Err("f is not one number".to_string()),
        }
    }
}
