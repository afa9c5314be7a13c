//! Outputs at any batch size: compiled for one chunk, run in padded chunks.

use super::build::column_spec;
use super::feed::{Moment, check_columns};
use super::{Engine, progress};
use crate::array::{Array, Column, Kind};
use crate::error::{Error, Result};
use crate::tensor::{Classes, Rows, Tensor};

impl Engine {
    /// Runs an output on arguments of any common number of samples, or for `n` samples where it draws everything itself.
    ///
    /// # Errors
    /// [`Error::Data`] when an argument does not suit the output.
    pub fn output(&mut self, output: usize, arguments: &[Column<'_>], n: Option<usize>) -> Result<Vec<Array>> {
        self.calls = self.calls.wrapping_add(1);
        self.output_at(output, arguments, n, self.calls)
    }

    /// As [`Engine::output`], drawing noise for the given call number: equal numbers give equal draws.
    pub(super) fn output_at(
        &mut self,
        output: usize,
        arguments: &[Column<'_>],
        n: Option<usize>,
        call: u32,
    ) -> Result<Vec<Array>> {
        let description = &self.resolved.outputs[output];
        let place = format!("output {}", description.name);
        let wanted = description.parameters.iter().map(|p| column_spec(&p.name, &p.ty)).collect::<Result<Vec<_>>>()?;
        let results = description.results.clone();
        check_columns(&place, &wanted, arguments, None)?;
        let rows = arguments.first().map(Column::rows).or(n).unwrap_or(1);
        if let Some(other) = arguments.iter().find(|a| a.rows() != rows) {
            return Err(Error::data(place, format!("{rows} samples in every argument"), other.rows().to_string()));
        }
        let chunk = self.config.batch_size();
        let mut collected: Vec<Collected> = Vec::new();
        for result in &results {
            let spec = column_spec("result", result)?;
            collected.push(Collected { spec, per_sample: result.per_sample, floats: Vec::new(), classes: Vec::new() });
        }
        for (number, first) in (0..rows.max(1)).step_by(chunk).enumerate() {
            let count = chunk.min(rows - first.min(rows));
            let padded = arguments.iter().map(|a| padded_rows(a, first, count, chunk)).collect::<Result<Vec<_>>>()?;
            let columns: Vec<Column<'_>> = padded.iter().map(Array::as_column).collect();
            let moment = Moment {
                resolved: &self.resolved,
                overrides: &self.overrides,
                step: self.step,
                progress: progress(self.step, self.horizon),
                seed: self.config.seed_value(),
                draw: call,
                inner: number as u32,
            };
            let program = &mut self.outputs[output];
            program.run(&mut self.store, &moment, &[], &columns)?;
            for (i, part) in collected.iter_mut().enumerate() {
                part.take(program, i, count)?;
            }
        }
        collected.into_iter().map(|part| part.finish(rows)).collect()
    }
}

/// What a typed output method makes of a result.
pub trait FromArray: Sized {
    /// The value, if it is there and of this kind.
    ///
    /// # Errors
    /// [`Error::Device`]: the program gave something else than the model's text says.
    fn from_array(array: Option<Array>) -> Result<Self>;
}

impl FromArray for Tensor {
    fn from_array(array: Option<Array>) -> Result<Tensor> {
        match array {
            Some(Array::Tensor(tensor)) => Ok(tensor),
            _ => Err(Error::device("an output did not give numbers")),
        }
    }
}

impl FromArray for Classes {
    fn from_array(array: Option<Array>) -> Result<Classes> {
        match array {
            Some(Array::Classes(classes)) => Ok(classes),
            _ => Err(Error::device("an output did not give classes")),
        }
    }
}

/// One result as it grows chunk by chunk.
struct Collected {
    spec: crate::source::loader::FieldSpec,
    per_sample: bool,
    floats: Vec<f32>,
    classes: Vec<i32>,
}

impl Collected {
    fn take(&mut self, program: &super::Program, index: usize, count: usize) -> Result<()> {
        let name = format!("result.{index}");
        let missing = || Error::device(format!("{name} was not computed"));
        let each: usize = self.spec.shape.iter().product();
        let kept = if self.per_sample { each * count } else { each };
        let fresh = self.per_sample || (self.floats.is_empty() && self.classes.is_empty());
        if !fresh {
            return Ok(());
        }
        match self.spec.kind {
            Kind::Tensor => {
                let values = program.executable.result(&name)?.ok_or_else(missing)?;
                self.floats.extend(values.iter().take(kept));
            }
            Kind::Classes(_) => {
                let values = program.executable.result(&name)?.ok_or_else(missing)?;
                // Classes come back as numbers, exactly: they are below 2²⁴.
                self.classes.extend(values.iter().take(kept).map(|v| *v as i32));
            }
            Kind::Rows => return Err(missing()),
        }
        Ok(())
    }

    fn finish(self, rows: usize) -> Result<Array> {
        let mut shape = self.spec.shape;
        if self.per_sample {
            shape.insert(0, rows);
        }
        Ok(match self.spec.kind {
            Kind::Tensor => Array::Tensor(Tensor::new(shape, self.floats)?),
            Kind::Classes(k) => Array::Classes(Classes::new(shape, k, self.classes)?),
            Kind::Rows => Array::Rows(Rows::new(Vec::new())),
        })
    }
}

/// Rows `first..first + count` of a column, the last one repeated until there are `chunk`.
fn padded_rows(column: &Column<'_>, first: usize, count: usize, chunk: usize) -> Result<Array> {
    let mut shape = column.shape().to_vec();
    if let Some(lead) = shape.first_mut() {
        *lead = chunk;
    }
    let row = |i: usize| first + i.min(count.saturating_sub(1));
    Ok(match column {
        // Of no samples there is none to repeat; what is computed is not looked at.
        Column::Tensor(_) if count == 0 => Array::Tensor(Tensor::zeros(shape)),
        Column::Classes(c) if count == 0 => Array::Classes(Classes::zeros(shape, c.count())),
        Column::Tensor(t) => {
            let values = (0..chunk).flat_map(|i| t.row(row(i)).iter().copied()).collect();
            Array::Tensor(Tensor::new(shape, values)?)
        }
        Column::Classes(c) => {
            let values = (0..chunk).flat_map(|i| c.row(row(i)).iter().copied()).collect();
            Array::Classes(Classes::new(shape, c.count(), values)?)
        }
        Column::Rows(rows) => Array::Rows((*rows).clone()),
    })
}
