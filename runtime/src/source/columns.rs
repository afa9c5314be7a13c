//! Named columns in memory ([`Columns`]), and a source several times over ([`Repeated`]).

use super::{ColumnSpec, Source, wrong_kind};
use crate::array::Array;
use crate::data::{Clips, Pixels};
use crate::error::{Error, Result};
use crate::tensor::{Classes, Tensor, row_width};

/// What a column of [`Columns`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum InMemory {
    /// Numbers or classes.
    Array(Array),
    /// Pictures as bytes.
    Pixels(Pixels),
    /// Windows of recordings.
    Clips(Clips),
}

/// A source whose columns are named and in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    name: String,
    rows: usize,
    columns: Vec<Named>,
}

/// One of its columns.
#[derive(Clone, Debug, PartialEq)]
struct Named {
    name: String,
    values: InMemory,
    /// What the classes are called, where they have names.
    classes: Vec<String>,
}

impl<T: Into<Array>> From<T> for InMemory {
    fn from(array: T) -> InMemory {
        InMemory::Array(array.into())
    }
}

impl From<Pixels> for InMemory {
    fn from(pixels: Pixels) -> InMemory {
        InMemory::Pixels(pixels)
    }
}

impl From<Clips> for InMemory {
    fn from(clips: Clips) -> InMemory {
        InMemory::Clips(clips)
    }
}

impl InMemory {
    /// As the source of one column that it is.
    fn as_source(&self) -> &dyn Source {
        match self {
            InMemory::Array(Array::Tensor(tensor)) => tensor,
            InMemory::Array(Array::Classes(classes)) => classes,
            InMemory::Array(Array::Rows(rows)) => rows,
            InMemory::Pixels(pixels) => pixels,
            InMemory::Clips(clips) => clips,
        }
    }
}

impl Columns {
    /// Columns under their names, in order, each with the samples along its leading axis. `name` is what errors call the source.
    pub fn new(name: impl Into<String>, columns: Vec<(&str, InMemory)>) -> Result<Columns> {
        let name = name.into();
        let Some((_, first)) = columns.first() else {
            return Err(Error::data(name, "at least one column", "none"));
        };
        let rows = first.as_source().len();
        for (index, (column, values)) in columns.iter().enumerate() {
            let scalar = matches!(values, InMemory::Array(array) if array.as_column().shape().is_empty());
            let found = values.as_source().len();
            if scalar || found != rows {
                let found = if scalar { "a scalar".to_string() } else { format!("{found}") };
                return Err(Error::field(name, None, *column, format!("{rows} samples along the leading axis"), found));
            }
            if columns[..index].iter().any(|(other, _)| other == column) {
                return Err(Error::field(name, None, *column, "every name once", "a second column of this name"));
            }
        }
        let named = |(name, values): (&str, InMemory)| Named { name: name.to_string(), values, classes: Vec::new() };
        let columns = columns.into_iter().map(named).collect();
        Ok(Columns { name, rows, columns })
    }

    /// The column of this name, where it is held as numbers or classes.
    pub fn column(&self, name: &str) -> Option<&Array> {
        self.columns.iter().find_map(|column| match &column.values {
            InMemory::Array(array) if column.name == name => Some(array),
            _ => None,
        })
    }

    /// What the classes of this column are called, in order, where the data set has names for them.
    pub fn class_names(&self, column: &str) -> Option<&[String]> {
        let column = self.columns.iter().find(|named| named.name == column)?;
        (!column.classes.is_empty()).then_some(column.classes.as_slice())
    }

    /// Gives a column of classes these names, as many as there are classes.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column of so many classes.
    pub fn with_class_names(mut self, column: &str, names: Vec<String>) -> Result<Columns> {
        let at = self.find(column)?;
        match &self.columns[at].values {
            InMemory::Array(Array::Classes(classes)) if classes.count() == names.len() => {}
            values => {
                let found = describe(values);
                return Err(Error::field(&self.name, None, column, format!("class({})", names.len()), found));
            }
        }
        self.columns[at].classes = names;
        Ok(self)
    }

    /// Makes a column one of classes in `0..count`: one of whole numbers, or one of classes of which there were fewer or more.
    /// Names of classes stay where their number does.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column, or a value is no class in `0..count`.
    pub fn with_classes(mut self, column: &str, count: usize) -> Result<Columns> {
        let at = self.find(column)?;
        let named = |error| match error {
            Error::Data { row, expected, found, .. } => Error::field(&self.name, row, column, expected, found),
            other => other,
        };
        let classes = match &self.columns[at].values {
            InMemory::Array(Array::Tensor(numbers)) => numbers.classes(count).map_err(named)?,
            InMemory::Array(Array::Classes(old)) => {
                Classes::new(old.shape(), count, old.as_slice().to_vec()).map_err(named)?
            }
            values => return Err(Error::field(&self.name, None, column, "whole numbers or classes", describe(values))),
        };
        if self.columns[at].classes.len() != count {
            self.columns[at].classes.clear();
        }
        self.columns[at].values = classes.into();
        Ok(self)
    }

    /// Gives the samples of a column of numbers another shape of as many elements, without batch axis.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column of numbers, or the number of elements is another.
    pub fn with_shape(mut self, column: &str, shape: impl Into<Vec<usize>>) -> Result<Columns> {
        let (at, shape) = (self.find(column)?, shape.into());
        let each: Option<usize> = shape.iter().try_fold(1usize, |product, axis| product.checked_mul(*axis));
        match &mut self.columns[at].values {
            InMemory::Array(Array::Tensor(numbers)) if each == Some(row_width(numbers.shape())) => {
                let whole = [&[self.rows], shape.as_slice()].concat();
                *numbers = std::mem::replace(numbers, Tensor::zeros([0])).reshape(whole)?;
                Ok(self)
            }
            values => {
                let found = describe(values);
                Err(Error::field(&self.name, None, column, format!("numbers that make {shape:?}"), found))
            }
        }
    }

    /// Changes every number of a column, as to bring it into the range of the generator's last layer. Pictures held as bytes become
    /// numbers, of four times the size.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no such column of numbers.
    pub fn map(mut self, column: &str, change: impl Fn(f32) -> f32) -> Result<Columns> {
        let at = self.find(column)?;
        match &mut self.columns[at].values {
            InMemory::Array(Array::Tensor(numbers)) => {
                numbers.as_mut_slice().iter_mut().for_each(|value| *value = change(*value));
                Ok(self)
            }
            InMemory::Pixels(pixels) => {
                let mut numbers = pixels.to_tensor();
                numbers.as_mut_slice().iter_mut().for_each(|value| *value = change(*value));
                self.columns[at].values = numbers.into();
                Ok(self)
            }
            values => {
                let found = describe(values);
                Err(Error::field(&self.name, None, column, "a column of numbers", found))
            }
        }
    }

    fn find(&self, column: &str) -> Result<usize> {
        let names = || self.columns.iter().map(|named| format!("`{}`", named.name)).collect::<Vec<_>>().join(", ");
        let at = self.columns.iter().position(|named| named.name == column);
        at.ok_or_else(|| Error::field(&self.name, None, column, "a column of this name", format!("only {}", names())))
    }

    fn at(&self, column: usize) -> Result<&dyn Source> {
        self.columns.get(column).map(|named| named.values.as_source()).ok_or_else(|| wrong_kind(self))
    }
}

/// The type of a column, as the language writes it.
fn describe(values: &InMemory) -> String {
    let columns = values.as_source().columns();
    columns.iter().map(|column| column.kind.describe(&column.shape)).collect::<Vec<_>>().join(", ")
}

impl Source for Columns {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        let named = |Named { name, values, .. }: &Named| {
            values.as_source().columns().into_iter().map(|column| ColumnSpec { name: name.clone(), ..column }).collect()
        };
        self.columns.iter().flat_map::<Vec<_>, _>(named).collect()
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        self.at(column)?.copy_numbers(0, rows, out)
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        self.at(column)?.copy_classes(0, rows, out)
    }
}

/// A source several times over: see [`Source::repeated`].
#[derive(Clone, Debug)]
pub struct Repeated<'a, S> {
    source: &'a S,
    times: usize,
}

impl<'a, S: Source> Repeated<'a, S> {
    pub(super) fn new(source: &'a S, times: usize) -> Repeated<'a, S> {
        Repeated { source, times }
    }

    fn within(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|row| row % self.source.len().max(1)).collect()
    }
}

impl<S: Source> Source for Repeated<'_, S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn len(&self) -> usize {
        self.source.len() * self.times
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        self.source.columns()
    }

    fn check(&self) -> Result<()> {
        self.source.check()
    }

    fn origin(&self, row: usize) -> usize {
        self.source.origin(row % self.source.len().max(1))
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        self.source.copy_numbers(column, &self.within(rows), out)
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        self.source.copy_classes(column, &self.within(rows), out)
    }
}
