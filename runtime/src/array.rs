//! A tensor or classes, owned ([`Array`]) or lent ([`Column`]): what goes into and comes out of a compiled program.

use crate::tensor::{Classes, Rows, Tensor};

/// What the elements of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// f32 numbers.
    Tensor,
    /// Classes in `0..K`.
    Classes(usize),
    /// Positions of the samples in their source.
    Rows,
}

/// One field of a batch, lent to a step, or an argument of an output; the batch axis first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    /// Numbers.
    Tensor(&'a Tensor),
    /// Classes.
    Classes(&'a Classes),
    /// Positions of the samples in their source.
    Rows(&'a Rows),
}

/// A tensor or classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Numbers.
    Tensor(Tensor),
    /// Classes.
    Classes(Classes),
    /// Positions of the samples in their source.
    Rows(Rows),
}

impl Kind {
    /// The type as the language writes it, for samples of this shape: `[3, 4]`, `class(10)`, `[7] of class(10)`.
    pub fn describe(self, shape: &[usize]) -> String {
        match (self, shape) {
            (Kind::Tensor, _) => format!("{shape:?}"),
            (Kind::Rows, _) => "the position of its sample in the source".to_string(),
            (Kind::Classes(count), []) => format!("class({count})"),
            (Kind::Classes(count), _) => format!("{shape:?} of class({count})"),
        }
    }
}

impl<'a> Column<'a> {
    /// The shape, batch axis first.
    pub fn shape(&self) -> &'a [usize] {
        match self {
            Column::Tensor(tensor) => tensor.shape(),
            Column::Classes(classes) => classes.shape(),
            Column::Rows(rows) => rows.shape(),
        }
    }

    /// What the elements are.
    pub fn kind(&self) -> Kind {
        match self {
            Column::Tensor(_) => Kind::Tensor,
            Column::Classes(classes) => Kind::Classes(classes.count()),
            Column::Rows(_) => Kind::Rows,
        }
    }

    /// The length of the leading axis.
    pub fn rows(&self) -> usize {
        self.shape().first().copied().unwrap_or(1)
    }
}

impl Array {
    /// Lends it.
    pub fn as_column(&self) -> Column<'_> {
        match self {
            Array::Tensor(tensor) => Column::Tensor(tensor),
            Array::Classes(classes) => Column::Classes(classes),
            Array::Rows(rows) => Column::Rows(rows),
        }
    }

    /// Zeros, or class 0, of this kind and whole shape.
    pub fn zeros(kind: Kind, shape: impl Into<Vec<usize>>) -> Array {
        match kind {
            Kind::Tensor => Array::Tensor(Tensor::zeros(shape)),
            Kind::Classes(count) => Array::Classes(Classes::zeros(shape, count)),
            Kind::Rows => Array::Rows(Rows::new(vec![0; shape.into().first().copied().unwrap_or(0)])),
        }
    }
}

impl From<Tensor> for Array {
    fn from(tensor: Tensor) -> Array {
        Array::Tensor(tensor)
    }
}

impl From<Classes> for Array {
    fn from(classes: Classes) -> Array {
        Array::Classes(classes)
    }
}

impl<'a> From<&'a Tensor> for Column<'a> {
    fn from(tensor: &'a Tensor) -> Column<'a> {
        Column::Tensor(tensor)
    }
}

impl<'a> From<&'a Classes> for Column<'a> {
    fn from(classes: &'a Classes) -> Column<'a> {
        Column::Classes(classes)
    }
}

impl<'a> From<&'a Rows> for Column<'a> {
    fn from(rows: &'a Rows) -> Column<'a> {
        Column::Rows(rows)
    }
}
