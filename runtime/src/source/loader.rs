//! From data sources to batches: fields are bound to columns once, then rows are gathered into buffers that stay.
//!
//! Each group's samples are shuffled anew every epoch, without replacement; what is left over at the end of an epoch when the
//! batch size does not divide it waits for the next shuffle. Which rows a batch takes follows from the seed, the group and the
//! batch's number alone: nothing has to be stored to go on after an interruption.

use rand::seq::SliceRandom;

use super::Source;
use super::guard::guarded;
use crate::array::{Array, Column, Kind};
use crate::error::{Error, Result};
use crate::streams::Stream;
use crate::tensor::is_class;

/// One field of a data group, as the model declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name.
    pub name: String,
    /// Numbers or classes.
    pub kind: Kind,
    /// The shape of one sample, without batch axis.
    pub shape: Vec<usize>,
    /// Whether a player that moves reads it. A field that none reads need not be in the source; it is then zeros.
    pub needed: bool,
}

/// One data group of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Its fields, in order.
    pub fields: Vec<FieldSpec>,
}

/// Gathers the batches of all groups.
pub struct Loader<'a> {
    groups: Vec<Group<'a>>,
    batch: usize,
    seed: u64,
    per_step: usize,
    /// The batches of the current step.
    current: Batches,
}

/// The batches of one step, in buffers that are filled again and again.
#[derive(Debug, Default)]
pub struct Batches {
    /// `[inner batch][group][field]`.
    fields: Vec<Vec<Vec<Array>>>,
}

impl Batches {
    /// Lends them: `[inner batch][group][field]`.
    pub fn columns(&self) -> Vec<Vec<Vec<Column<'_>>>> {
        let fields = |fields| Vec::from_iter(<[Array]>::iter(fields).map(Array::as_column));
        self.fields.iter().map(|groups| groups.iter().map(|group| fields(group)).collect()).collect()
    }
}

struct Group<'a> {
    source: &'a dyn Source,
    name: String,
    number: u32,
    /// The source's length when it was bound.
    rows: usize,
    fields: Vec<FieldSpec>,
    /// The column of each field, where it has one.
    columns: Vec<Option<usize>>,
    /// The order of the samples in `epoch`.
    order: Vec<usize>,
    epoch: Option<u64>,
}

impl<'a> Loader<'a> {
    /// Binds every group's fields to its source's columns and checks kinds, shapes and lengths.
    pub fn new(
        specs: &[GroupSpec],
        sources: &[&'a dyn Source],
        batch: usize,
        batches_per_step: usize,
        seed: u64,
    ) -> Result<Loader<'a>> {
        if specs.len() != sources.len() {
            let (expected, found) = (format!("{} data groups", specs.len()), format!("{}", sources.len()));
            return Err(Error::data("the data of this fit", expected, found));
        }
        let mut groups = Vec::with_capacity(specs.len());
        for (number, (spec, source)) in specs.iter().zip(sources).enumerate() {
            let name = format!("the data group `{}`", spec.name);
            groups.push(guarded(&name, || Group::bind(number as u32, spec, *source, batch))?);
        }
        let mut loader = Loader { groups, batch, seed, per_step: batches_per_step.max(1), current: Batches::default() };
        loader.current = loader.buffers();
        Ok(loader)
    }

    /// Buffers for the batches of one step.
    pub(super) fn buffers(&self) -> Batches {
        let step = || self.groups.iter().map(|group| group.buffers(self.batch)).collect();
        Batches { fields: (0..self.per_step).map(|_| step()).collect() }
    }

    /// The loader's own buffers, which it can then no longer load into.
    pub(super) fn take_buffers(&mut self) -> Batches {
        std::mem::take(&mut self.current)
    }

    /// Gathers the batches of this step (steps count from 0) into these buffers.
    pub(super) fn gather(&mut self, step: u64, batches: &mut Batches) -> Result<()> {
        for (inner, groups) in batches.fields.iter_mut().enumerate() {
            for (group, fields) in self.groups.iter_mut().zip(groups) {
                group.gather(self.seed, step * self.per_step as u64 + inner as u64, self.batch, fields)?;
            }
        }
        Ok(())
    }

    /// Gathers the batches of this step (steps count from 0).
    pub fn load(&mut self, step: u64) -> Result<()> {
        let mut batches = std::mem::take(&mut self.current);
        let outcome = self.gather(step, &mut batches);
        self.current = batches;
        outcome
    }

    /// The batches gathered last: `[inner batch][group][field]`.
    pub fn batches(&self) -> Vec<Vec<Vec<Column<'_>>>> {
        self.current.columns()
    }
}

impl<'a> Group<'a> {
    fn bind(number: u32, spec: &GroupSpec, source: &'a dyn Source, batch: usize) -> Result<Group<'a>> {
        source.check()?;
        let name = format!("{} for the data group `{}`", source.name(), spec.name);
        let present = source.columns();
        let by_name = spec.fields.iter().any(|field| present.iter().any(|column| column.name == field.name));
        let mut columns = Vec::with_capacity(spec.fields.len());
        for (index, field) in spec.fields.iter().enumerate() {
            if field.kind == Kind::Rows {
                // Filled with positions, from no column.
                columns.push(None);
                continue;
            }
            let at = match by_name {
                true => present.iter().position(|column| column.name == field.name),
                false => (index < present.len()).then_some(index),
            };
            let expected = field.kind.describe(&field.shape);
            match at {
                Some(at) => {
                    let column = &present[at];
                    if (column.kind, &column.shape) != (field.kind, &field.shape) {
                        return Err(Error::field(name, None, &field.name, expected, column.kind.describe(&column.shape)));
                    }
                }
                None if field.needed => {
                    let names: Vec<_> = present.iter().map(|column| format!("`{}`", column.name)).collect();
                    let found = match by_name {
                        true => format!("no column of this name, only {}", names.join(", ")),
                        false => format!("only {} columns", present.len()),
                    };
                    return Err(Error::field(name, None, &field.name, expected, found));
                }
                None => {}
            }
            columns.push(at);
        }
        let reads_any = columns.iter().any(Option::is_some) || spec.fields.iter().any(|field| field.kind == Kind::Rows);
        if reads_any && source.len() < batch {
            let expected = format!("at least {batch} samples for one batch (`Config::batch` sets its size)");
            return Err(Error::data(name, expected, format!("{}", source.len())));
        }
        let rows = source.len();
        Ok(Group { source, name, number, rows, fields: spec.fields.clone(), columns, order: Vec::new(), epoch: None })
    }

    fn buffers(&self, batch: usize) -> Vec<Array> {
        let whole = |field: &FieldSpec| [&[batch], field.shape.as_slice()].concat();
        self.fields.iter().map(|field| Array::zeros(field.kind, whole(field))).collect()
    }

    fn gather(&mut self, seed: u64, number: u64, batch: usize, buffers: &mut [Array]) -> Result<()> {
        if self.columns.iter().all(Option::is_none) && self.fields.iter().all(|field| field.kind != Kind::Rows) {
            return Ok(());
        }
        let an_epoch = (self.rows / batch) as u64;
        let (epoch, place) = (number / an_epoch, (number % an_epoch) as usize);
        if self.epoch != Some(epoch) {
            self.order.clear();
            self.order.extend(0..self.rows);
            self.order.shuffle(&mut Stream::Shuffle { group: self.number, epoch }.open(seed));
            self.epoch = Some(epoch);
        }
        let rows = &self.order[place * batch..(place + 1) * batch];
        for ((field, column), buffer) in self.fields.iter().zip(&self.columns).zip(buffers) {
            if let Array::Rows(positions) = buffer {
                positions.as_mut_slice().copy_from_slice(rows);
            }
            let Some(column) = *column else { continue };
            match buffer {
                Array::Tensor(tensor) => {
                    guarded(&self.name, || self.source.copy_numbers(column, rows, tensor.as_mut_slice()))?;
                    let origin = |at: usize| self.source.origin(rows[at]);
                    check_numbers(&self.name, &field.name, batch, origin, tensor.as_slice())?;
                }
                Array::Rows(_) => {}
                Array::Classes(classes) => {
                    let count = classes.count();
                    guarded(&self.name, || self.source.copy_classes(column, rows, classes.as_mut_slice()))?;
                    let origin = |at: usize| self.source.origin(rows[at]);
                    check_classes(&self.name, &field.name, batch, origin, classes.as_slice(), count)?;
                }
            }
        }
        Ok(())
    }
}

/// Refuses numbers that are not finite, with the row of the source they came from.
fn check_numbers(source: &str, field: &str, batch: usize, origin: impl Fn(usize) -> usize, values: &[f32]) -> Result<()> {
    // Zero times anything finite is zero: one pass without branches in the usual case.
    if values.iter().map(|value| value * 0.0).sum::<f32>() == 0.0 {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let row = origin(at / (values.len() / batch).max(1));
            Err(Error::field(source, Some(row), field, "finite numbers", values[at].to_string()))
        }
        None => Ok(()),
    }
}

/// Refuses classes out of range, with the row of the source they came from.
fn check_classes(
    source: &str,
    field: &str,
    batch: usize,
    origin: impl Fn(usize) -> usize,
    values: &[i32],
    count: usize,
) -> Result<()> {
    match values.iter().position(|&value| !is_class(value, count)) {
        Some(at) => {
            let row = origin(at / (values.len() / batch).max(1));
            Err(Error::field(source, Some(row), field, format!("a class in 0..{count}"), values[at].to_string()))
        }
        None => Ok(()),
    }
}
