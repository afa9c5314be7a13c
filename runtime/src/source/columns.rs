//! Named columns in memory ([`Columns`]), and a source several times over ([`Repeated`]).

use super::{ColumnSpec, Source, wrong_kind};
use crate::array::Array;
use crate::data::Pixels;
use crate::error::{Error, Result};

/// What a column of [`Columns`] is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum InMemory {
    /// Numbers or classes.
    Array(Array),
    /// Pictures as bytes.
    Pixels(Pixels),
}

/// A source whose columns are named and in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    name: String,
    rows: usize,
    columns: Vec<(String, InMemory)>,
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

impl InMemory {
    /// As the source of one column that it is.
    fn as_source(&self) -> &dyn Source {
        match self {
            InMemory::Array(Array::Tensor(tensor)) => tensor,
            InMemory::Array(Array::Classes(classes)) => classes,
            InMemory::Pixels(pixels) => pixels,
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
        let columns = columns.into_iter().map(|(name, values)| (name.to_string(), values)).collect();
        Ok(Columns { name, rows, columns })
    }

    /// The column of this name, where it is held as numbers or classes.
    pub fn column(&self, name: &str) -> Option<&Array> {
        self.columns.iter().find_map(|(column, values)| match values {
            InMemory::Array(array) if column == name => Some(array),
            _ => None,
        })
    }

    fn at(&self, column: usize) -> Result<&dyn Source> {
        self.columns.get(column).map(|(_, values)| values.as_source()).ok_or_else(|| wrong_kind(self))
    }
}

impl Source for Columns {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        let named = |(name, values): &(String, InMemory)| {
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

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        self.source.copy_numbers(column, &self.within(rows), out)
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        self.source.copy_classes(column, &self.within(rows), out)
    }
}
