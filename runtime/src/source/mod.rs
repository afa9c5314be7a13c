//! Data sets: [`Source`] is what a model trains on; [`Tensor`], [`Classes`], tuples and [`Columns`] are sources.
//!
//! A source has a length and columns; a column has one value a sample, of one kind and shape. A source hands out rows by index
//! and holds no position: which rows a batch takes is the [`loader`](crate::source::loader)'s business.

mod columns;
mod draws;
pub(crate) mod guard;
pub mod loader;
pub(crate) mod prefetch;
mod subset;
#[cfg(test)]
mod tests;

pub use columns::{Columns, InMemory, Repeated};
pub use draws::{Drawn, Draws};
pub use subset::Subset;

use crate::array::{Column, Kind};
use crate::error::{Error, Result};
use crate::tensor::{Classes, Rows, Tensor};

/// One column of a source: what each sample has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name; empty where it has none.
    pub name: String,
    /// Numbers or classes.
    pub kind: Kind,
    /// The shape of one sample's value, without batch axis.
    pub shape: Vec<usize>,
}

/// A data set of fixed length with one or more columns.
///
/// A `fit` asks for the rows of the next steps on a thread of its own while the current step runs, so a source may take its
/// time: read a file, decode, augment. What it hands out for a row should follow from the row alone, or a resumed run will not
/// repeat the run that was interrupted. An error, or a panic, ends the fit with an error that names the source; what was
/// learnt until then is kept.
///
/// A source of one's own:
///
/// ```
/// use saddlepoint_runtime::{ColumnSpec, Error, Kind, Result, Source};
///
/// /// A sine wave a sample, its frequency decided by the row.
/// struct Waves {
///     count: usize,
/// }
///
/// impl Source for Waves {
///     fn name(&self) -> String {
///         "the waves".to_string()
///     }
///
///     fn len(&self) -> usize {
///         self.count
///     }
///
///     fn columns(&self) -> Vec<ColumnSpec> {
///         vec![ColumnSpec { name: "x".to_string(), kind: Kind::Tensor, shape: vec![1, 64] }]
///     }
///
///     fn copy_numbers(&self, _column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
///         for (row, wave) in rows.iter().zip(out.chunks_exact_mut(64)) {
///             let frequency = 1.0 + *row as f32 / self.count as f32;
///             for (t, value) in wave.iter_mut().enumerate() {
///                 *value = (frequency * t as f32 * 0.1).sin();
///             }
///         }
///         Ok(())
///     }
///
///     fn copy_classes(&self, _column: usize, _rows: &[usize], _out: &mut [i32]) -> Result<()> {
///         Err(Error::data(self.name(), "numbers", "classes"))
///     }
/// }
///
/// let waves = Waves { count: 1000 };
/// let (train, test) = waves.split(0.9, 7)?;      // at random, as the seed says
/// assert_eq!((train.len(), test.len()), (900, 100));
/// # Ok::<(), Error>(())
/// ```
pub trait Source: Sync {
    /// What errors call it.
    fn name(&self) -> String {
        "the data source".to_string()
    }

    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, in order.
    fn columns(&self) -> Vec<ColumnSpec>;

    /// Refuses a source whose parts do not fit together. A fit asks once, before anything else.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Copies these rows of a column of numbers to `out`, row after row; `out` has room for exactly these.
    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()>;

    /// Copies these rows of a column of classes to `out`, row after row; `out` has room for exactly these.
    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()>;

    /// The row that errors name for this row: the row of the data set behind, for sources that show others' rows.
    fn origin(&self, row: usize) -> usize {
        row
    }

    /// The same samples `times` times over, one whole round after the other.
    fn repeated(&self, times: usize) -> Repeated<'_, Self>
    where
        Self: Sized,
    {
        Repeated::new(self, times)
    }

    /// These rows alone, in this order.
    ///
    /// # Errors
    /// [`Error::Data`] for a row that is not there.
    fn subset(&self, rows: Vec<usize>) -> Result<Subset<'_, Self>>
    where
        Self: Sized,
    {
        Subset::new(self, rows)
    }

    /// Two parts, drawn at random: the first has this fraction of the samples, the second the others. The seed decides which.
    ///
    /// # Errors
    /// [`Error::Setting`] for a fraction that is not between 0 and 1.
    fn split(&self, fraction: f64, seed: u64) -> Result<(Subset<'_, Self>, Subset<'_, Self>)>
    where
        Self: Sized,
    {
        Subset::split(self, fraction, seed)
    }

    /// Samples drawn at random without an end, for loops written by hand: every sample once, then every sample once in
    /// another order. The seed decides all of it.
    ///
    /// ```
    /// use saddlepoint_runtime::{Classes, Source, Tensor};
    ///
    /// let x = Tensor::new([100, 2], vec![0.5; 200])?;
    /// let y = Classes::new([100], 10, vec![7; 100])?;
    /// let pairs = (x, y);
    /// let mut prompts = pairs.draws(1);
    /// let (x, y): (Tensor, Classes) = prompts.draw(64)?;
    /// assert_eq!((x.shape(), y.shape()), (&[64, 2][..], &[64][..]));
    /// # Ok::<(), saddlepoint_runtime::Error>(())
    /// ```
    fn draws(&self, seed: u64) -> Draws<'_, Self>
    where
        Self: Sized,
    {
        Draws::new(self, seed)
    }
}

impl<S: Source> Source for &S {
    fn name(&self) -> String {
        (**self).name()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        (**self).columns()
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn origin(&self, row: usize) -> usize {
        (**self).origin(row)
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        (**self).copy_numbers(column, rows, out)
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        (**self).copy_classes(column, rows, out)
    }
}

impl Source for Tensor {
    fn name(&self) -> String {
        "the tensor".to_string()
    }

    fn len(&self) -> usize {
        self.rows()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        vec![column_spec("", Column::Tensor(self))]
    }

    fn copy_numbers(&self, _: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        copy_rows(self.as_slice(), self.rows(), rows, out);
        Ok(())
    }

    fn copy_classes(&self, _: usize, _: &[usize], _: &mut [i32]) -> Result<()> {
        Err(wrong_kind(self))
    }
}

impl Source for Classes {
    fn name(&self) -> String {
        "the classes".to_string()
    }

    fn len(&self) -> usize {
        self.rows()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        vec![column_spec("", Column::Classes(self))]
    }

    fn copy_numbers(&self, _: usize, _: &[usize], _: &mut [f32]) -> Result<()> {
        Err(wrong_kind(self))
    }

    fn copy_classes(&self, _: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        copy_rows(self.as_slice(), self.rows(), rows, out);
        Ok(())
    }
}

/// Positions have a length and nothing to train on.
impl Source for Rows {
    fn name(&self) -> String {
        "the rows".to_string()
    }

    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        Vec::new()
    }

    fn copy_numbers(&self, _: usize, _: &[usize], _: &mut [f32]) -> Result<()> {
        Err(wrong_kind(self))
    }

    fn copy_classes(&self, _: usize, _: &[usize], _: &mut [i32]) -> Result<()> {
        Err(wrong_kind(self))
    }
}

/// The column of a source that is one array with a leading batch axis.
pub(crate) fn column_spec(name: &str, column: Column<'_>) -> ColumnSpec {
    ColumnSpec { name: name.to_string(), kind: column.kind(), shape: column.shape().get(1..).unwrap_or(&[]).to_vec() }
}

/// Rows of a row-major array with `count` rows.
pub(crate) fn copy_rows<T: Copy>(from: &[T], count: usize, rows: &[usize], out: &mut [T]) {
    let width = from.len().checked_div(count).unwrap_or(0);
    if width == 0 {
        return;
    }
    for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
        out.copy_from_slice(&from[row * width..(row + 1) * width]);
    }
}

/// Numbers were asked of a column of classes, or the other way round.
pub(crate) fn wrong_kind(source: &dyn Source) -> Error {
    Error::data(source.name(), "a column read as what it is", "numbers read as classes or classes as numbers")
}

macro_rules! tuple_source {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Source),+> Source for ($($part,)+) {
            fn name(&self) -> String {
                [$(self.$index.name()),+].join(" with ")
            }

            fn len(&self) -> usize {
                let mut length = usize::MAX;
                $(length = length.min(self.$index.len());)+
                length
            }

            fn columns(&self) -> Vec<ColumnSpec> {
                let mut columns = Vec::new();
                $(columns.extend(self.$index.columns());)+
                columns
            }

            fn check(&self) -> Result<()> {
                let first = self.0.len();
                $(
                    self.$index.check()?;
                    if self.$index.len() != first {
                        let found = format!("{} in part {} of the tuple", self.$index.len(), $index);
                        return Err(Error::data(self.name(), format!("{first} samples in every part"), found));
                    }
                )+
                Ok(())
            }

            fn origin(&self, row: usize) -> usize {
                self.0.origin(row)
            }

            fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
                let mut column = column;
                $(
                    let width = self.$index.columns().len();
                    if column < width {
                        return self.$index.copy_numbers(column, rows, out);
                    }
                    column -= width;
                )+
                Err(Error::data(self.name(), "a column of the tuple", format!("{column} more columns than there are")))
            }

            fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
                let mut column = column;
                $(
                    let width = self.$index.columns().len();
                    if column < width {
                        return self.$index.copy_classes(column, rows, out);
                    }
                    column -= width;
                )+
                Err(Error::data(self.name(), "a column of the tuple", format!("{column} more columns than there are")))
            }
        }
    };
}

tuple_source!(A 0, B 1);
tuple_source!(A 0, B 1, C 2);
tuple_source!(A 0, B 1, C 2, D 3);
