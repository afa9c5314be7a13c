//! Named columns in memory ([`Columns`]), and a source several times over ([`Repeated`]).

use super::{ColumnSpec, Source, column_spec, copy_rows, wrong_kind};
use crate::array::Array;
use crate::error::{Error, Result};

/// A source whose columns are named arrays in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    name: String,
    rows: usize,
    columns: Vec<(String, Array)>,
}

impl Columns {
    /// Columns under their names, in order, each with the samples along its leading axis. `name` is what errors call the source.
    pub fn new(name: impl Into<String>, columns: Vec<(&str, Array)>) -> Result<Columns> {
        let name = name.into();
        let Some((_, first)) = columns.first() else {
            return Err(Error::data(name, "at least one column", "none"));
        };
        let rows = first.as_column().rows();
        for (index, (column, array)) in columns.iter().enumerate() {
            let found = array.as_column();
            if found.shape().is_empty() || found.rows() != rows {
                let found = format!("the shape {:?}", found.shape());
                return Err(Error::field(name, None, *column, format!("{rows} samples along the leading axis"), found));
            }
            if columns[..index].iter().any(|(other, _)| other == column) {
                return Err(Error::field(name, None, *column, "every name once", "a second column of this name"));
            }
        }
        let columns = columns.into_iter().map(|(name, array)| (name.to_string(), array)).collect();
        Ok(Columns { name, rows, columns })
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Array> {
        self.columns.iter().find(|(column, _)| column == name).map(|(_, array)| array)
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
        self.columns.iter().map(|(name, array)| column_spec(name, array.as_column())).collect()
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        match self.columns.get(column) {
            Some((_, Array::Tensor(tensor))) => copy_rows(tensor.as_slice(), self.rows, rows, out),
            _ => return Err(wrong_kind(self)),
        }
        Ok(())
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        match self.columns.get(column) {
            Some((_, Array::Classes(classes))) => copy_rows(classes.as_slice(), self.rows, rows, out),
            _ => return Err(wrong_kind(self)),
        }
        Ok(())
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
