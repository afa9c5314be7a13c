//! `vmap(v, |a| …)`: the closure over every entry of a leading axis at once.
//!
//! The entries become rows beside those of the batch: the body is evaluated once, on values that have one row for each sample
//! and entry. A value knows over which of the `vmap`s around it varies (its depth); where values meet that vary over different
//! ones, those that vary over fewer are repeated first ([`Evaluation::shared`]). What always holds: the depth of a value is at
//! most the number of `vmap`s around it; `let`s, noises, data and latents have depth 0 wherever they are first needed.

use crate::evaluate::call::{Written, agree};
use crate::evaluate::{Evaluation, Tracked, Value};
use crate::function::Function;
use crate::target::{Rows, Target, Typed};
use crate::tree::Site;
use crate::types::{Dim, TensorType};

/// Whether a function draws: anew for each entry, whatever its operands vary over.
pub(super) fn draws(function: &Function) -> bool {
    use Function::*;
    matches!(
        function,
        Normal
            | Uniform { .. }
            | Bernoulli
            | Categorical
            | Sample
            | Dropout { .. }
            | DiffAugment { .. }
            | OtherClass
            | OtherSample
    )
}

impl<'a, T: Target> Evaluation<'a, T> {
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
        let entry = self.entry(written.site, over);
        self.frame.entries.push(length.known().unwrap_or(1));
        let barrier = std::mem::replace(&mut self.frame.barrier, self.frame.scopes.len());
        self.frame.scopes.push(Vec::new());
        self.bind(&parameters[0], entry);
        let result = self.expression(body);
        self.frame.scopes.pop();
        self.frame.barrier = barrier;
        self.frame.entries.pop();
        self.collected(written.site, result, length)
    }

    /// A value of all entries as that of each: its leading axis becomes rows. The `vmap` has not been entered yet.
    fn entry(&mut self, site: Site, value: Value<T::Tensor>) -> Value<T::Tensor> {
        let tensor = match value {
            Value::Tuple(parts) => {
                return Value::Tuple(parts.into_iter().map(|part| self.entry(site, part)).collect());
            }
            Value::Tensor(tensor) => tensor,
            // `leading` has refused everything else.
            _ => return Value::Poison,
        };
        let depth = self.frame.entries.len();
        let ty = TensorType { shape: tensor.typed.ty.shape[1..].to_vec(), ..tensor.typed.ty.clone() };
        // Inside of other `vmap`s each of their entries has entries of its own.
        let (from, rows) = (self.rows(ty.per_sample, tensor.depth), self.rows(ty.per_sample, depth));
        let lifted = self.target.lift(&tensor.typed.tensor, from, rows);
        let made = lifted.and_then(|lifted| self.target.enter(&lifted, rows));
        match made {
            Ok(made) => {
                let node = self.record.add(vec![tensor.node], true, None);
                Value::Tensor(Tracked { typed: Typed { ty, tensor: made }, node, depth: depth + 1 })
            }
            Err(message) => self.report(site, message),
        }
    }

    /// The results of all entries on a new leading axis. The `vmap` has been left.
    fn collected(&mut self, site: Site, result: Value<T::Tensor>, length: Dim) -> Value<T::Tensor> {
        let tensor = match result {
            Value::Tuple(parts) => {
                return Value::Tuple(parts.into_iter().map(|part| self.collected(site, part, length)).collect());
            }
            other => match self.operand(site, other) {
                Some(tensor) => tensor,
                None => return Value::Poison,
            },
        };
        let depth = self.frame.entries.len();
        let mut ty = tensor.typed.ty.clone();
        ty.shape.insert(0, length);
        if let Err(message) = self.computable_here(&ty.shape) {
            return self.report(site, message);
        }
        if tensor.depth <= depth {
            // The same for all entries.
            return self.one(site, &Function::Copies { n: length }, vec![tensor], ty);
        }
        let rows = self.rows(ty.per_sample, depth);
        match self.target.leave(&tensor.typed.tensor, rows, length.known().unwrap_or(1)) {
            Ok(made) => {
                let node = self.record.add(vec![tensor.node], true, None);
                Value::Tensor(Tracked { typed: Typed { ty, tensor: made }, node, depth })
            }
            Err(message) => self.report(site, message),
        }
    }

    /// Operands with rows in common: those of the deepest of them, and of the batch if any has (or a result will have) one value
    /// a sample. Where none varies over the entries of a `vmap`, they stay as they are. Gives their depth and rows too.
    #[allow(clippy::type_complexity)] // one use, and a name would say no more
    pub(super) fn shared(
        &mut self,
        operands: Vec<Tracked<T::Tensor>>,
        results: &[TensorType],
        draws: bool,
    ) -> Result<(Vec<Typed<T::Tensor>>, usize, Rows), String> {
        let deepest = operands.iter().map(|operand| operand.depth).max().unwrap_or(0);
        let depth = if draws { self.frame.entries.len() } else { deepest };
        if depth == 0 {
            return Ok((operands.into_iter().map(|operand| operand.typed).collect(), 0, Rows::BATCH));
        }
        let batch = operands.iter().any(|operand| operand.typed.ty.per_sample) || results.iter().any(|ty| ty.per_sample);
        let rows = self.rows(batch, depth);
        let mut all = Vec::with_capacity(operands.len());
        for operand in operands {
            let from = self.rows(operand.typed.ty.per_sample, operand.depth);
            let Typed { ty, tensor } = operand.typed;
            all.push(match from.any() {
                true => Typed { ty: TensorType { per_sample: true, ..ty }, tensor: self.target.lift(&tensor, from, rows)? },
                false => Typed { ty, tensor },
            });
        }
        Ok((all, depth, rows))
    }

    /// The rows of a value that varies over this many of the `vmap`s around.
    fn rows(&self, batch: bool, depth: usize) -> Rows {
        let entries = (depth > 0).then(|| self.frame.entries[..depth].iter().product());
        Rows { batch, entries }
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
