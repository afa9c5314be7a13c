//! Limits of an evaluation, so that no model makes the macro hang or run out of memory or stack.
//!
//! They lie far above what a model that can be trained needs, and are documented in the language's reference.

use crate::diagnostic::Diagnostic;
use crate::evaluate::{Evaluation, Value};
use crate::target::Target;
use crate::tree::Site;

/// Rounds of one `for` or `repeat`.
pub(super) const ROUNDS: usize = 65_536;

/// Axes of a tensor.
const AXES: usize = 16;

/// Elements of a tensor for one sample.
const ELEMENTS: usize = 1 << 32;

/// Expressions evaluated for one turn, output or check, all rounds and calls unrolled.
const EXPRESSIONS: usize = 1_000_000;

/// What a call of a net or fn costs, in expressions.
pub(super) const CALL: usize = 20;

/// What an error costs that has been reported before: its message is made again, and nothing comes of it.
pub(super) const AGAIN: usize = 1_000;

/// Expressions inside of each other, through calls.
const DEPTH: usize = 512;

/// Values in one tuple or list, with those inside of them.
const PARTS: usize = 4_096;

/// What is left of the limits.
#[derive(Debug)]
pub(super) struct Budget {
    expressions: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget { expressions: EXPRESSIONS, depth: 0 }
    }
}

impl<'a, T: Target> Evaluation<'a, T> {
    /// Enters an expression; false when there is nothing left to spend, which has been reported then.
    pub(super) fn enter(&mut self, site: Site) -> bool {
        if !self.spend(site, 1) {
            return false;
        }
        if self.budget.depth >= DEPTH {
            self.report(
                site,
                format!(
                    "expressions and calls lie more than {DEPTH} deep in each other here; give parts of it names by `let`"
                ),
            );
            return false;
        }
        self.budget.depth += 1;
        true
    }

    /// Leaves what was entered.
    pub(super) fn leave(&mut self) {
        self.budget.depth -= 1;
    }

    /// Whether everything has been spent.
    pub(crate) fn spent(&self) -> bool {
        self.budget.expressions == 0
    }

    /// Spends on as many expressions, or on values that are copied.
    pub(super) fn spend(&mut self, site: Site, count: usize) -> bool {
        if self.spent() {
            return false;
        }
        self.budget.expressions = self.budget.expressions.saturating_sub(count);
        // Beside other errors it would be one more that those bring about.
        if self.spent() && self.diagnostics.is_empty() {
            let message = format!(
                "loops and calls unroll to more than {EXPRESSIONS} expressions here; use fewer rounds, or call a net from a loop in Rust \
                 (`step`, `turn`)"
            );
            self.diagnostics.push(Diagnostic::new(site, message));
        }
        !self.spent()
    }

    /// A tuple or list, unless it has too many parts.
    pub(super) fn sized(&mut self, site: Site, value: Value<T::Tensor>) -> Value<T::Tensor> {
        if parts(&value) <= PARTS {
            return value;
        }
        self.report(site, format!("a tuple or list holds at most {PARTS} values"))
    }

    /// Whether a result of this shape can be computed for every entry of the `vmap`s around it; what is wrong, if not.
    pub(super) fn computable_here(&self, shape: &[crate::types::Dim]) -> Result<(), String> {
        match self.frame.entries[..] {
            [] => Self::computable(shape),
            ref entries => {
                let all = entries.iter().map(|n| crate::types::Dim::Known(*n)).chain(shape.iter().copied());
                Self::computable(&all.collect::<Vec<_>>())
            }
        }
    }

    /// Whether a result's shape is one that can be computed; what is wrong, if not.
    fn computable(shape: &[crate::types::Dim]) -> Result<(), String> {
        if shape.len() > AXES {
            return Err(format!("a tensor has at most {AXES} axes, this one would have {}", shape.len()));
        }
        let known: Vec<usize> = shape.iter().filter_map(|dim| dim.known()).collect();
        match saddlepoint_shape::elements(&known) {
            Some(count) if count <= ELEMENTS => Ok(()),
            _ => Err(format!(
                "the shape {} has more elements than the {ELEMENTS} that one sample may have; look for a size that is too large",
                crate::signature::written(shape)
            )),
        }
    }
}

/// The number of values inside, and itself.
fn parts<X>(value: &Value<X>) -> usize {
    match value {
        Value::Tuple(all) | Value::List { items: all, .. } => all.iter().map(parts).sum::<usize>() + 1,
        _ => 1,
    }
}

/// The cost of a copy.
pub(super) fn weight<X>(value: &Value<X>) -> usize {
    match value {
        Value::Tuple(_) | Value::List { .. } => parts(value),
        _ => 1,
    }
}
