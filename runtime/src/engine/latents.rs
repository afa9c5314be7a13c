//! Latents that own one row a sample (rule 32): their tables, and the way of rows into a program's states and back.
//!
//! Such a latent, and the optimisers' memory of it, are states of one batch's rows in every program. Their tables are kept
//! here. What always holds between calls: a table has as many rows as the samples seen of its group; a row that no batch has met
//! has the initial value where that does not depend on the sample's data, and zeros where it does.

use super::feed::{Feed, Moment};
use super::{Engine, Program};
use crate::array::Column;
use crate::device::any::StateStore;
use crate::error::{Error, Result};
use crate::streams::Stream;
use crate::tensor::Tensor;
use rand_distr::{Distribution, StandardNormal};
use saddlepoint_compiler::lower::{Init, Kind, States, latent_name};
use saddlepoint_language::Resolved;

/// One latent's table and the tables of the optimisers' memory of it.
pub(super) struct Table {
    latent: usize,
    /// The data group whose samples own the rows.
    pub(super) group: usize,
    /// The written initial value, as a program.
    initial: Option<Program>,
    /// States of one batch's rows, the latent's own first, each with the table behind it.
    columns: Vec<TableColumn>,
    /// Whether each row has its initial value.
    met: Vec<bool>,
}

struct TableColumn {
    state: String,
    /// Numbers a row.
    width: usize,
    values: Vec<f32>,
}

impl Table {
    /// An empty table for a latent, if it has rows and any program reads it.
    pub(super) fn new(
        resolved: &Resolved,
        states: &States,
        batch: usize,
        latent: usize,
        initial: Option<Program>,
    ) -> Option<Table> {
        let known = &resolved.latents[latent];
        let group = known.per?;
        let own = latent_name(&known.name);
        let of = |name: &str| states.get(name).is_some_and(|spec| spec.rows_of == Some(latent));
        let names = std::iter::once(own.clone()).chain(states.keys().filter(|name| **name != own).cloned());
        let columns = names.filter(|name| of(name)).map(|state| {
            let width = states.get(&state).map_or(0, |spec| spec.ty.elements() / batch.max(1));
            TableColumn { state, width, values: Vec::new() }
        });
        let columns: Vec<TableColumn> = columns.collect();
        (!columns.is_empty()).then_some(Table { latent, group, initial, columns, met: Vec::new() })
    }

    /// Whether the initial value is computed from the sample's data.
    fn reads_data(&self) -> bool {
        let data = |feed: &Feed| matches!(feed, Feed::Data { .. });
        self.initial.as_ref().is_some_and(|program| program.feeds.iter().any(data))
    }

    /// Whether its initial value reads this field.
    pub(super) fn reads(&self, field: &Feed) -> bool {
        self.initial.as_ref().is_some_and(|program| program.feeds.contains(field))
    }

    /// Makes room for this many rows.
    fn grow(&mut self, rows: usize) {
        if rows > self.met.len() {
            self.met.resize(rows, false);
            for column in &mut self.columns {
                column.values.resize(rows * column.width, 0.0);
            }
        }
    }

    /// Puts initial values into rows that have none. `batch` is the batch that these rows stand in.
    fn meet(
        &mut self,
        store: &mut StateStore,
        moment: &Moment<'_>,
        rows: &[usize],
        batch: &[Vec<Column<'_>>],
    ) -> Result<()> {
        if rows.iter().all(|row| self.met[*row]) {
            return Ok(());
        }
        let own = &mut self.columns[0];
        let width = own.width;
        match &mut self.initial {
            Some(program) => {
                program.run(store, moment, batch, &[])?;
                let values = program.executable.result("result.0")?.unwrap_or_default();
                // A value that does not depend on the sample is the same for all.
                let stride = if values.len() == rows.len() * width { width } else { 0 };
                for (i, row) in rows.iter().enumerate().filter(|(_, row)| !self.met[**row]) {
                    if let Some(value) = values.get(i * stride..i * stride + width) {
                        own.values[row * width..(row + 1) * width].copy_from_slice(value);
                    }
                }
            }
            None => {
                for row in rows.iter().filter(|row| !self.met[**row]) {
                    // By the row, not by the moment: which batch comes first changes nothing.
                    let name = format!("{}.{row}", own.state);
                    let mut draws = Stream::Initial { parameter: &name }.open(moment.seed);
                    for value in &mut own.values[row * width..(row + 1) * width] {
                        *value = 0.02 * Distribution::<f32>::sample(&StandardNormal, &mut draws);
                    }
                }
            }
        }
        rows.iter().for_each(|row| self.met[*row] = true);
        Ok(())
    }

    /// Copies rows to the states.
    fn fetch(&self, store: &mut StateStore, rows: &[usize]) -> Result<()> {
        for column in &self.columns {
            let width = column.width;
            let values: Vec<f32> = rows.iter().flat_map(|r| &column.values[r * width..(r + 1) * width]).copied().collect();
            store.write_f32(&column.state, &values)?;
        }
        Ok(())
    }

    /// Copies the states back to the rows.
    fn keep(&mut self, store: &StateStore, rows: &[usize]) -> Result<()> {
        for column in &mut self.columns {
            let (width, values) = (column.width, store.read_f32(&column.state)?);
            for (row, value) in rows.iter().zip(values.chunks_exact(width.max(1))) {
                column.values[row * width..(row + 1) * width].copy_from_slice(value);
            }
        }
        Ok(())
    }

    /// Tables by the states' names, the latent's own first, for checkpoints; the last says which rows have been met.
    pub(super) fn arrays(&self, specs: &States) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut arrays = Vec::new();
        for column in &self.columns {
            let mut shape = specs.get(&column.state).map(|spec| spec.ty.shape.clone()).unwrap_or_default();
            if let Some(rows) = shape.first_mut() {
                *rows = self.met.len();
            }
            arrays.push((column.state.clone(), shape, column.values.clone()));
        }
        let met = self.met.iter().map(|met| f32::from(u8::from(*met))).collect();
        arrays.push((self.met_name(), vec![self.met.len()], met));
        arrays
    }

    fn met_name(&self) -> String {
        format!("{}.met", self.columns[0].state)
    }

    /// Takes tables over that [`Table::arrays`] wrote.
    pub(super) fn take(&mut self, find: &dyn Fn(&str) -> Option<Vec<f32>>) {
        let Some(met) = find(&self.met_name()) else { return };
        self.met = met.iter().map(|met| *met != 0.0).collect();
        for column in &mut self.columns {
            column.values = find(&column.state).unwrap_or_default();
            column.values.resize(self.met.len() * column.width, 0.0);
        }
    }

    /// The first number that is not finite, with its state's name.
    pub(super) fn non_finite(&self) -> Option<(String, f32)> {
        self.columns.iter().find_map(|c| c.values.iter().find(|v| !v.is_finite()).map(|v| (c.state.clone(), *v)))
    }
}

/// The rows of a batch's samples in a group, which come as its last column.
fn rows_of<'a>(batch: &[Vec<Column<'a>>], group: usize) -> &'a [usize] {
    match batch.get(group).and_then(|columns| columns.last()) {
        Some(Column::Rows(rows)) => rows.as_slice(),
        _ => &[],
    }
}

/// Brings the rows of a batch into the states, with initial values where they are met for the first time.
pub(super) fn fetch(
    tables: &mut [Table],
    store: &mut StateStore,
    moment: &Moment<'_>,
    batch: &[Vec<Column<'_>>],
) -> Result<()> {
    for table in tables {
        let rows = rows_of(batch, table.group);
        table.grow(rows.iter().max().map_or(0, |last| last + 1));
        table.meet(store, moment, rows, batch)?;
        table.fetch(store, rows)?;
    }
    Ok(())
}

/// Takes the rows of a batch back from the states.
pub(super) fn keep(tables: &mut [Table], store: &StateStore, batch: &[Vec<Column<'_>>]) -> Result<()> {
    tables.iter_mut().try_for_each(|table| table.keep(store, rows_of(batch, table.group)))
}

impl Engine {
    /// Makes every table as long as its source, and fills in what does not depend on data.
    pub(super) fn make_tables(&mut self, lengths: &[usize]) -> Result<()> {
        let chunk = self.config.batch_size();
        for table in &mut self.tables {
            let length = lengths.get(table.group).copied().unwrap_or(0);
            table.grow(length);
            if table.reads_data() {
                continue;
            }
            for first in (0..length).step_by(chunk) {
                // The last chunk overlaps the one before: a program computes whole chunks.
                let rows: Vec<usize> = (0..chunk).map(|i| (first + i).min(length - 1)).collect();
                let moment = Moment {
                    resolved: &self.resolved,
                    overrides: &self.overrides,
                    step: 0,
                    progress: 0.0,
                    seed: self.config.seed_value(),
                    draw: (first / chunk) as u32,
                    inner: 0,
                };
                table.meet(&mut self.store, &moment, &rows, &[])?;
            }
        }
        Ok(())
    }

    /// A latent: its value, or its table, one row a sample of its group.
    ///
    /// # Errors
    /// [`Error::Data`] when no program reads it.
    pub fn latent(&self, latent: usize) -> Result<Tensor> {
        let name = latent_name(&self.resolved.latents[latent].name);
        match self.tables.iter().find(|table| table.latent == latent) {
            Some(table) => {
                let (_, shape, values) = table.arrays(&self.specs).swap_remove(0);
                Tensor::new(shape, values)
            }
            None => self.state(&name),
        }
    }

    /// Sets a latent: its value, or the whole table. Optimisers begin anew with a table of another length.
    ///
    /// # Errors
    /// [`Error::Data`] when the shape is another one.
    pub fn set_latent(&mut self, latent: usize, value: &Tensor) -> Result<()> {
        let name = latent_name(&self.resolved.latents[latent].name);
        let Some(table) = self.tables.iter_mut().find(|table| table.latent == latent) else {
            return self.set_state(&name, value);
        };
        let shape = self.specs.get(&name).map(|spec| spec.ty.shape.clone()).unwrap_or_default();
        if shape.get(1..) != value.shape().get(1..) {
            let wanted = format!("[rows, …] of {:?} each", shape.get(1..).unwrap_or(&[]));
            return Err(Error::data(name, wanted, format!("{:?}", value.shape())));
        }
        let rows = value.rows();
        table.met = vec![true; rows];
        for (i, column) in table.columns.iter_mut().enumerate() {
            match i {
                0 => column.values = value.as_slice().to_vec(),
                _ => column.values.resize(rows * column.width, 0.0),
            }
        }
        Ok(())
    }
}

/// Sets latents without rows whose initial value is written.
pub(super) fn initialise_whole(
    store: &mut StateStore,
    states: &States,
    resolved: &Resolved,
    seed: u64,
    initials: &mut [Option<Program>],
) -> Result<()> {
    for (latent, program) in initials.iter_mut().enumerate() {
        let name = latent_name(&resolved.latents[latent].name);
        let Some(spec) = states.get(&name).filter(|spec| spec.rows_of.is_none()) else { continue };
        let Some(program) = program else { continue };
        debug_assert!(matches!(spec.kind, Kind::Latent { .. }) && matches!(spec.init, Init::Normal { .. }));
        let moment = Moment { resolved, overrides: &[], step: 0, progress: 0.0, seed, draw: 0, inner: 0 };
        program.run(store, &moment, &[], &[])?;
        // A draw is per sample: the first one is taken.
        let mut values = program.executable.result("result.0")?.unwrap_or_default();
        values.truncate(spec.ty.elements());
        if values.len() == spec.ty.elements() {
            store.write_f32(&name, &values)?;
        }
    }
    Ok(())
}
