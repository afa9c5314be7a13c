//! Arguments of a call as a rule sees them: types, compile-time constants, lists of these.

use crate::signature::Signature;
use crate::types::{Dim, Element, TensorType};

/// One argument.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Tensor(TensorType),
    /// None: known when the model is built.
    Number(Option<f64>),
    Flag(Option<bool>),
    /// Open: of unknown length, `items` holding at most one example.
    List {
        items: Vec<Arg>,
        open: bool,
    },
    /// What a rule takes no interest in, described.
    Other(String),
}

impl Arg {
    pub(crate) fn describe(&self) -> String {
        match self {
            Arg::Tensor(ty) => ty.to_string(),
            Arg::Number(Some(number)) => format!("the number {number}"),
            Arg::Number(None) => "a number".to_string(),
            Arg::Flag(_) => "a bool".to_string(),
            Arg::List { items, .. } => {
                format!("[{}]", items.iter().map(Arg::describe).collect::<Vec<_>>().join(", "))
            }
            Arg::Other(text) => text.clone(),
        }
    }
}

/// Why a call is refused, and which argument is to blame (none: the call).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) argument: Option<usize>,
}

impl From<String> for Problem {
    fn from(message: String) -> Problem {
        Problem { message, argument: None }
    }
}

/// The arguments of a call: the required ones, then the optional ones, None where left out.
pub(crate) struct Bound<'a> {
    pub(crate) signature: &'a Signature,
    pub(crate) arguments: &'a [Option<Arg>],
}

impl Bound<'_> {
    fn argument(&self, index: usize) -> Option<&Arg> {
        self.arguments.get(index).and_then(Option::as_ref)
    }

    pub(crate) fn given(&self, index: usize) -> bool {
        self.argument(index).is_some()
    }

    fn parameter(&self, index: usize) -> &'static str {
        let required = self.signature.required;
        required.get(index).or_else(|| self.signature.optional.get(index - required.len())).copied().unwrap_or("argument")
    }

    pub(crate) fn problem<T>(&self, index: usize, message: String) -> Result<T, Problem> {
        Err(Problem { message, argument: Some(index) })
    }

    fn expected<T>(&self, index: usize, expected: &str) -> Result<T, Problem> {
        let got = self.argument(index).map_or("nothing".to_string(), Arg::describe);
        let (name, parameter) = (self.signature.name, self.parameter(index));
        self.problem(index, format!("`{parameter}` of `{name}` must be {expected}, got {got}"))
    }

    /// A tensor of floats or classes; constants are scalars.
    pub(crate) fn tensor(&self, index: usize) -> Result<TensorType, Problem> {
        match self.argument(index) {
            Some(arg) => self.tensor_of(index, arg),
            None => self.expected(index, "a tensor"),
        }
    }

    pub(crate) fn tensor_of(&self, index: usize, arg: &Arg) -> Result<TensorType, Problem> {
        match arg {
            Arg::Tensor(ty) => Ok(ty.clone()),
            Arg::Number(_) | Arg::Flag(_) => Ok(TensorType::float([], false)),
            _ => self.problem(
                index,
                format!(
                    "`{}` of `{}` must be a tensor, got {}{}",
                    self.parameter(index),
                    self.signature.name,
                    arg.describe(),
                    match arg {
                        Arg::Other(text) if text.starts_with('(') => {
                            "; take a part by `.0`, or name all of them: `let (a, b) = …;`"
                        }
                        _ => "",
                    }
                ),
            ),
        }
    }

    /// A tensor of floats.
    pub(crate) fn float(&self, index: usize) -> Result<TensorType, Problem> {
        let ty = self.tensor(index)?;
        match ty.element {
            Element::Float => Ok(ty),
            Element::Class(_) => self.problem(
                index,
                format!(
                    "`{}` takes numbers, got {ty}: classes take part in no arithmetic; make it a tensor by `one_hot()`, or in a \
                     net by `embed(n)`",
                    self.signature.name
                ),
            ),
        }
    }

    /// Classes, with their number.
    pub(crate) fn class(&self, index: usize) -> Result<(TensorType, Dim), Problem> {
        let ty = self.tensor(index)?;
        match ty.element {
            Element::Class(classes) => Ok((ty, classes)),
            Element::Float => self.expected(index, "a class or a tensor of classes"),
        }
    }

    /// Entries of a list of tensors. Open: at most one example of unknown many.
    pub(crate) fn tensors(&self, index: usize) -> Result<(Vec<TensorType>, bool), Problem> {
        match self.argument(index) {
            Some(Arg::List { items, open }) => {
                Ok((items.iter().map(|item| self.tensor_of(index, item)).collect::<Result<_, _>>()?, *open))
            }
            _ => self.expected(index, "a list"),
        }
    }

    /// A compile-time number; NaN while it is open.
    pub(crate) fn number(&self, index: usize) -> Result<f64, Problem> {
        match self.argument(index) {
            Some(Arg::Number(number)) => Ok(number.unwrap_or(f64::NAN)),
            Some(Arg::Flag(flag)) => Ok(flag.map_or(f64::NAN, f64::from)),
            _ => self.expected(index, "a number known at compile time (a literal, a `const`, or arithmetic on these)"),
        }
    }

    pub(crate) fn number_or(&self, index: usize, default: f64) -> Result<f64, Problem> {
        if self.given(index) { self.number(index) } else { Ok(default) }
    }

    pub(crate) fn flag_or(&self, index: usize, default: bool) -> Result<bool, Problem> {
        match self.argument(index) {
            None => Ok(default),
            Some(Arg::Flag(flag)) => Ok(flag.unwrap_or(default)),
            _ => self.expected(index, "`true` or `false`"),
        }
    }

    fn extent(&self, index: usize, arg: &Arg, least: usize) -> Result<Dim, Problem> {
        let number = match arg {
            Arg::Number(None) => return Ok(Dim::Open),
            Arg::Number(Some(number)) => *number,
            _ => {
                return self
                    .expected(index, "a whole number known at compile time (a literal, a `const`, or arithmetic on these)");
            }
        };
        if number.fract() != 0.0 || number < least as f64 || number > u32::MAX as f64 {
            let (name, parameter) = (self.signature.name, self.parameter(index));
            return self.problem(
                index,
                format!("`{parameter}` of `{name}` must be a whole number of at least {least}, got {number}"),
            );
        }
        Ok(Dim::Known(number as usize))
    }

    /// A count of at least `least`.
    pub(crate) fn count(&self, index: usize, least: usize) -> Result<Dim, Problem> {
        match self.argument(index) {
            Some(arg) => self.extent(index, arg, least),
            None => self.expected(index, "a whole number"),
        }
    }

    /// A shape written as a list.
    pub(crate) fn shape(&self, index: usize) -> Result<Vec<Dim>, Problem> {
        match self.argument(index) {
            Some(Arg::List { items, open: false }) => items.iter().map(|item| self.extent(index, item, 1)).collect(),
            _ => self.expected(index, "a shape, such as `[64, 7, 7]`"),
        }
    }

    /// One number for every spatial axis, or a list with one for each.
    pub(crate) fn sizes(&self, index: usize, axes: usize, least: usize, default: usize) -> Result<Vec<Dim>, Problem> {
        match self.argument(index) {
            None => Ok(vec![Dim::Known(default); axes]),
            Some(Arg::List { items, open: false }) if items.len() == axes => {
                items.iter().map(|item| self.extent(index, item, least)).collect()
            }
            Some(Arg::List { .. }) => self.expected(index, &format!("a number or a list of {axes}, one a spatial axis")),
            Some(arg) => Ok(vec![self.extent(index, arg, least)?; axes]),
        }
    }

    /// An axis of a tensor of `rank` axes; negative from the end. None: left out.
    pub(crate) fn axis(&self, index: usize, ty: &TensorType) -> Result<Option<usize>, Problem> {
        if !self.given(index) {
            return Ok(None);
        }
        let number = self.number(index)?;
        let rank = ty.shape.len() as f64;
        let axis = if number < 0.0 { number + rank } else { number };
        match axis {
            _ if number.is_nan() && rank > 0.0 => Ok(Some(0)),
            _ if axis.fract() == 0.0 && (0.0..rank).contains(&axis) => Ok(Some(axis as usize)),
            _ => self.problem(index, format!("axis {number} does not exist in {ty}, whose axes are {}", axes(ty))),
        }
    }

    /// Whether any tensor among the arguments holds one value a sample.
    pub(crate) fn per_sample(&self) -> bool {
        fn holds(arg: &Arg) -> bool {
            match arg {
                Arg::Tensor(ty) => ty.per_sample,
                Arg::List { items, .. } => items.iter().any(holds),
                _ => false,
            }
        }
        self.arguments.iter().flatten().any(holds)
    }

    /// A tensor of floats of this shape, per sample if an argument is.
    pub(crate) fn result(&self, shape: Vec<Dim>) -> TensorType {
        TensorType { shape, element: Element::Float, per_sample: self.per_sample() }
    }
}

fn axes(ty: &TensorType) -> String {
    match ty.shape.len() {
        0 => "none".to_string(),
        1 => "0 (or -1)".to_string(),
        rank => format!("0 to {} (or -{rank} to -1)", rank - 1),
    }
}

/// Whether two extents may be equal.
pub(crate) fn agree(a: Dim, b: Dim) -> bool {
    a == b || a == Dim::Open || b == Dim::Open
}

/// The better known of two extents that agree.
pub(crate) fn known(a: Dim, b: Dim) -> Dim {
    if a == Dim::Open { b } else { a }
}

/// A shape in brackets.
pub(crate) fn written(shape: &[Dim]) -> String {
    format!("[{}]", shape.iter().map(Dim::to_string).collect::<Vec<_>>().join(", "))
}

/// The extent where it is known, else a stand-in that no one reads.
pub(crate) fn or_one(dims: &[Dim]) -> Vec<usize> {
    dims.iter().map(|dim| dim.known().unwrap_or(1)).collect()
}
