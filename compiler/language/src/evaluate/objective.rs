//! What a build asks for: objectives, metrics, outputs, initial values of latents.

use crate::diagnostic::Diagnostic;
use crate::evaluate::{Binding, Evaluation, Frame, Mode, Tracked, Value, World};
use crate::resolve::{Resolved, Updated};
use crate::target::{Target, Typed};
use crate::tree::{Binary, Block, Expr, ExprKind, Pattern, Site};
use crate::types::Element;

impl<'a, T: Target> Evaluation<'a, T> {
    /// The objective of a player, as written (to be maximised if the player maximises): a batch-free scalar.
    pub fn objective(&mut self, player: usize) -> Result<Typed<T::Tensor>, Diagnostic> {
        let value = self.objective_value(player);
        self.single(value)
    }

    /// A metric: a batch-free scalar.
    pub fn metric(&mut self, metric: usize) -> Result<Typed<T::Tensor>, Diagnostic> {
        let value = self.metric_value(metric);
        self.single(value)
    }

    /// The results of an output, one for each part of a tuple. The evaluation must be in [`Mode::Inference`].
    pub fn output(&mut self, output: usize) -> Result<Vec<Typed<T::Tensor>>, Diagnostic> {
        let value = self.output_value(output);
        let parts = match value {
            Value::Tuple(parts) => parts,
            other => vec![other],
        };
        parts.into_iter().map(|part| self.single(part)).collect()
    }

    fn single(&mut self, value: Value<T::Tensor>) -> Result<Typed<T::Tensor>, Diagnostic> {
        match value {
            Value::Tensor(tensor) if self.diagnostics.is_empty() => Ok(tensor.typed),
            _ => {
                Err(self.diagnostics.first().cloned().unwrap_or_else(|| {
                    Diagnostic::new(Site::default(), "internal: a value without tensor and without error")
                }))
            }
        }
    }
}
