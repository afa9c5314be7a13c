//! The functions and layers of the language: their arguments and what they make of which types.
//!
//! A [`Signature`] names the arguments; its rule gets them [`Bound`] and answers with a [`Plan`]: the [`Function`] with its
//! options, the operands, the types of the results. Rules see types only, so one table serves the macro and every target.
//! Families of functions have a file each; forms that need bodies (`repeat`, `vmap`, `grad`, `list`) are the evaluator's.

mod arguments;
mod classes;
mod draw;
mod elementwise;
mod layer;
mod product;
mod reduction;
mod shape;
#[cfg(test)]
mod tests;

use crate::function::Function;
use crate::tree::{Expr, ExprKind};
use crate::types::{Dim, TensorType};

pub(crate) use arguments::{Arg, Bound, Problem, written};
pub(crate) use elementwise::{binary, folded};

/// A rule: types and options of the arguments to a plan.
type Rule = fn(&Bound<'_>) -> Result<Plan, Problem>;

/// A function or layer of the language.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    /// Arguments that must be given, in order.
    pub(crate) required: &'static [&'static str],
    /// Arguments with a default, given by name only.
    pub(crate) optional: &'static [&'static str],
    /// The first required argument is two or more, handed to the rule as a list.
    pub(crate) variadic: bool,
    /// Owns parameters: may be called in nets only.
    pub(crate) layer: bool,
    /// Whether gradient passes to the operands.
    pub(crate) passes: bool,
    pub(crate) rule: Rule,
}

/// A checked call.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) function: Function,
    pub(crate) operands: Vec<Operand>,
    pub(crate) results: Vec<TensorType>,
}

/// Where an operand comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// An argument.
    Argument(usize),
    /// An entry of a list argument.
    Entry(usize, usize),
    /// A constant class.
    Label { index: usize, classes: Dim },
}

impl Plan {
    /// A plan with one result whose operands are the first `operands` arguments.
    pub(crate) fn one(function: Function, operands: usize, result: TensorType) -> Plan {
        Plan { function, operands: (0..operands).map(Operand::Argument).collect(), results: vec![result] }
    }
}

const fn function(name: &'static str, required: &'static [&'static str], rule: Rule) -> Signature {
    Signature { name, required, optional: &[], variadic: false, layer: false, passes: true, rule }
}

const fn layer(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    rule: Rule,
) -> Signature {
    Signature { name, required, optional, variadic: false, layer: true, passes: true, rule }
}

impl Signature {
    const fn with(mut self, optional: &'static [&'static str]) -> Signature {
        self.optional = optional;
        self
    }

    const fn without_gradient(mut self) -> Signature {
        self.passes = false;
        self
    }

    const fn two_or_more(mut self) -> Signature {
        self.variadic = true;
        self
    }

    /// How it is called: `dense(x, n, bias = …)`.
    pub(crate) fn usage(&self) -> String {
        let mut arguments: Vec<String> = self.required.iter().map(|name| name.to_string()).collect();
        if self.variadic {
            arguments = vec!["a".to_string(), "b".to_string(), "…".to_string()];
        }
        arguments.extend(self.optional.iter().map(|name| format!("{name} = …")));
        format!("{}({})", self.name, arguments.join(", "))
    }
}

/// Forms that the evaluator handles itself.
pub(crate) const FORMS: [&str; 4] = ["grad", "list", "repeat", "vmap"];

/// The signature of a name.
pub(crate) fn find(name: &str) -> Option<&'static Signature> {
    tables().find(|signature| signature.name == name)
}

/// Every name that can be called without being declared.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    tables().map(|signature| signature.name).chain(FORMS)
}

fn tables() -> impl Iterator<Item = &'static Signature> {
    [elementwise::TABLE, reduction::TABLE, shape::TABLE, product::TABLE, classes::TABLE, draw::TABLE, layer::TABLE]
        .into_iter()
        .flatten()
}

/// Whether a `noise` may be this: a call of a distribution.
pub(crate) fn is_drawn(value: &Expr) -> bool {
    matches!(&value.kind, ExprKind::Call { name, .. } if draw::DISTRIBUTIONS.contains(&name.as_str()))
}
