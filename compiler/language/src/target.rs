//! What an evaluation makes: nothing but types in the macro, graph nodes in the compiler.

use crate::function::Function;
use crate::types::TensorType;

/// A tensor with its type.
#[derive(Clone, Debug)]
pub struct Typed<T> {
    /// Its type.
    pub ty: TensorType,
    /// What the target made of it.
    pub tensor: T,
}

/// What the rows of a tensor are: it has a leading axis with one row a sample of the batch, one an entry of the `vmap`s around
/// it, or one for each of both, samples outermost. Without either it has no such axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// One for each sample.
    pub batch: bool,
    /// One for each entry of all `vmap`s around it, of which there are this many; None: it stands in none, or its value is the same for
    /// all entries.
    pub entries: Option<usize>,
}

impl Rows {
    /// Rows of the batch alone.
    pub const BATCH: Rows = Rows { batch: true, entries: None };

    /// Whether there is an axis of rows.
    pub fn any(self) -> bool {
        self.batch || self.entries.is_some()
    }

    /// Their number for a batch of this size.
    pub fn count(self, batch: usize) -> usize {
        self.entries.unwrap_or(1) * if self.batch { batch } else { 1 }
    }
}

/// The owner and name of a layer's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Index of the net in the model.
    pub net: usize,
    /// Full name by rule 5, such as `G.dense_0`; parameters are `G.dense_0.weight` and so on. Every call of a net
    /// uses the same names.
    pub name: String,
    /// Inference mode: the net is frozen, or the evaluation is an output.
    pub inference: bool,
}

/// A call of a function or layer whose operands and options have been checked.
#[derive(Debug)]
pub struct Call<'a, T> {
    /// What is called, with its options.
    pub function: &'a Function,
    /// Operands in order. In a `vmap` those with rows have the rows of the call and say `per_sample`.
    pub operands: &'a [Typed<T>],
    /// Types of the results; one except for `LstmCell`.
    pub results: &'a [TensorType],
    /// The rows of what is `per_sample` here.
    pub rows: Rows,
    /// For layers only.
    pub layer: Option<&'a Layer>,
}

/// What an evaluation makes of calls and leaves. Errors are messages; the evaluator adds the place.
pub trait Target {
    /// A value of the target.
    type Tensor: Clone;

    /// Whether only types are wanted: open constants are then admitted.
    fn types_only(&self) -> bool {
        false
    }

    /// A number: a batch-free scalar.
    fn number(&mut self, value: f64) -> Result<Self::Tensor, String>;

    /// A field of a data group of the model.
    fn data(&mut self, group: usize, field: usize, ty: &TensorType) -> Result<Self::Tensor, String>;

    /// A hyper: a batch-free scalar.
    fn hyper(&mut self, hyper: usize) -> Result<Self::Tensor, String>;

    /// A latent: batch-free, or the rows of this batch.
    fn latent(&mut self, latent: usize, ty: &TensorType) -> Result<Self::Tensor, String>;

    /// A parameter of an output.
    fn argument(&mut self, output: usize, parameter: usize, ty: &TensorType) -> Result<Self::Tensor, String>;

    /// A function or layer.
    fn call(&mut self, call: &Call<'_, Self::Tensor>) -> Result<Vec<Self::Tensor>, String>;

    /// `grad(y, v)`: the derivative of `y`, summed over its elements and the batch, with the type of `v`.
    fn gradient(&mut self, y: &Typed<Self::Tensor>, v: &Typed<Self::Tensor>) -> Result<Self::Tensor, String>;

    /// The value with rows, repeated over those that it is the same for: over all, if it has none. `to` has what `from` has.
    fn lift(&mut self, _tensor: &Self::Tensor, _from: Rows, _to: Rows) -> Result<Self::Tensor, String> {
        Err("`vmap` has no meaning here".to_string())
    }

    /// The value whose leading axis (behind its rows, if it has any) becomes rows of its own, inside of those.
    fn enter(&mut self, _tensor: &Self::Tensor, _rows: Rows) -> Result<Self::Tensor, String> {
        Err("`vmap` has no meaning here".to_string())
    }

    /// The converse of `enter`: the innermost `entries` of the rows become a leading axis; `rows` are those that stay.
    fn leave(&mut self, _tensor: &Self::Tensor, _rows: Rows, _entries: usize) -> Result<Self::Tensor, String> {
        Err("`vmap` has no meaning here".to_string())
    }

    /// A Rust function over the compiler's `Expr`, by its index in the model's table of paths; None: not known before a build.
    /// Operands that are `per_sample` have these rows.
    fn rust(
        &mut self,
        _path: usize,
        _operands: &[Typed<Self::Tensor>],
        _rows: Rows,
    ) -> Result<Option<Typed<Self::Tensor>>, String> {
        Err("Rust functions are not supported here".to_string())
    }

    /// Marks a value bound to a name, which `grad` may later differentiate by.
    fn bound(&mut self, _name: &str, _value: &Typed<Self::Tensor>) {}
}

/// The target of the macro: types and nothing else. It stands for what is not known before a build.
#[derive(Clone, Copy, Debug, Default)]
pub struct TypesOnly;

impl Target for TypesOnly {
    type Tensor = ();

    fn types_only(&self) -> bool {
        true
    }

    fn number(&mut self, _value: f64) -> Result<(), String> {
        Ok(())
    }

    fn data(&mut self, _group: usize, _field: usize, _ty: &TensorType) -> Result<(), String> {
        Ok(())
    }

    fn hyper(&mut self, _hyper: usize) -> Result<(), String> {
        Ok(())
    }

    fn latent(&mut self, _latent: usize, _ty: &TensorType) -> Result<(), String> {
        Ok(())
    }

    fn argument(&mut self, _output: usize, _parameter: usize, _ty: &TensorType) -> Result<(), String> {
        Ok(())
    }

    fn call(&mut self, call: &Call<'_, ()>) -> Result<Vec<()>, String> {
        Ok(vec![(); call.results.len()])
    }

    fn gradient(&mut self, _y: &Typed<()>, _v: &Typed<()>) -> Result<(), String> {
        Ok(())
    }

    fn lift(&mut self, _tensor: &(), _from: Rows, _to: Rows) -> Result<(), String> {
        Ok(())
    }

    fn enter(&mut self, _tensor: &(), _rows: Rows) -> Result<(), String> {
        Ok(())
    }

    fn leave(&mut self, _tensor: &(), _rows: Rows, _entries: usize) -> Result<(), String> {
        Ok(())
    }

    fn rust(&mut self, _path: usize, _operands: &[Typed<()>], _rows: Rows) -> Result<Option<Typed<()>>, String> {
        Ok(None)
    }
}
