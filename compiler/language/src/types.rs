//! Types of the language: what a value holds for one sample. The batch axis is never written.

use std::fmt;

/// An extent. In the macro some are unknown until the model is built (a `const` without value, a Rust constant in scope).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// Known now.
    Known(usize),
    /// Given at build; agrees with everything until then.
    Open,
}

impl Dim {
    /// The extent, if known.
    pub fn known(self) -> Option<usize> {
        match self {
            Dim::Known(n) => Some(n),
            Dim::Open => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Known(n) => write!(f, "{n}"),
            Dim::Open => write!(f, "?"),
        }
    }
}

/// What the entries of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// f32.
    Float,
    /// An integer 0…K−1; carries no gradient and takes part in no arithmetic.
    Class(Dim),
}

/// A tensor `[d0, d1, …]` of floats or classes; a scalar and a single class have no axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Axes of one sample, outermost first.
    pub shape: Vec<Dim>,
    /// What the entries are.
    pub element: Element,
    /// One value a sample (the batch axis is implicit), or one value for all: batch-free.
    pub per_sample: bool,
}

impl TensorType {
    /// A float tensor.
    pub fn float(shape: impl IntoIterator<Item = usize>, per_sample: bool) -> TensorType {
        TensorType { shape: shape.into_iter().map(Dim::Known).collect(), element: Element::Float, per_sample }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape.iter().map(Dim::to_string).collect::<Vec<_>>().join(", ");
        match (self.element, self.shape.is_empty()) {
            (Element::Float, _) => write!(f, "[{shape}]"),
            (Element::Class(k), true) => write!(f, "class({k})"),
            (Element::Class(k), false) => write!(f, "[{shape}] of class({k})"),
        }
    }
}
