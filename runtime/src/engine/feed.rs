//! What a program's inputs are fed from.

use super::Program;
use crate::array::{Column, Kind};
use crate::device::HostSlice;
use crate::device::any::{Executable, StateStore};
use crate::error::{Error, Result};
use crate::source::loader::FieldSpec;
use crate::streams::Stream;
use saddlepoint_compiler::ir::Graph;
use saddlepoint_compiler::lower::{argument_name, data_name, hyper_name, rate_name};
use saddlepoint_language::Resolved;

/// The source of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// A field of a data group.
    Data {
        /// The group.
        group: usize,
        /// The field.
        field: usize,
    },
    /// A hyper's value at this step.
    Hyper(usize),
    /// A player's learning rate at this step.
    Rate(usize),
    /// A parameter of an output.
    Argument(usize),
    /// The key of the random draws.
    Key,
}

/// When a program runs: what its scalars and its random key depend on.
pub struct Moment<'a> {
    /// The model.
    pub resolved: &'a Resolved,
    /// Numbers that replace hypers' formulas.
    pub overrides: &'a [Option<f64>],
    /// The step under way.
    pub step: u64,
    /// 0 to 1.
    pub progress: f64,
    /// The model's seed.
    pub seed: u64,
    /// What keys the random draws beside seed and program: the step, or the call of an output.
    pub draw: u32,
    /// The inner step, or the chunk of an output; keys the draws as well.
    pub inner: u32,
}

/// The sources of a graph's inputs, in their order. `output` is the output whose program this is.
pub fn feeds(graph: &Graph, resolved: &Resolved, output: Option<usize>) -> Result<Vec<Feed>> {
    let find = |name: &str| {
        if name == "key" {
            return Some(Feed::Key);
        }
        for (g, group) in resolved.groups.iter().enumerate() {
            if let Some(f) = group.fields.iter().position(|f| data_name(&group.name, &f.name) == name) {
                return Some(Feed::Data { group: g, field: f });
            }
        }
        if let Some(h) = resolved.hypers.iter().position(|h| hyper_name(&h.name) == name) {
            return Some(Feed::Hyper(h));
        }
        if let Some(p) = resolved.players.iter().position(|p| rate_name(&p.name) == name) {
            return Some(Feed::Rate(p));
        }
        let parameters = &resolved.outputs.get(output?)?.parameters;
        parameters.iter().position(|p| argument_name(&p.name) == name).map(Feed::Argument)
    };
    let missing = |name: &str| Error::device(format!("the program's input {name} has no source"));
    graph.inputs.iter().map(|slot| find(&slot.name).ok_or_else(|| missing(&slot.name))).collect()
}

impl Program {
    /// Runs the program on a batch, `[group][field]`, and arguments.
    pub fn run(
        &mut self,
        store: &mut StateStore,
        moment: &Moment<'_>,
        batch: &[Vec<Column<'_>>],
        arguments: &[Column<'_>],
    ) -> Result<()> {
        self.with_inputs(moment, batch, arguments, |executable, inputs| executable.run(store, inputs))
    }

    /// Hands the executable and its inputs to `run`.
    pub fn with_inputs<T>(
        &mut self,
        moment: &Moment<'_>,
        batch: &[Vec<Column<'_>>],
        arguments: &[Column<'_>],
        run: impl FnOnce(&mut Executable, &[HostSlice<'_>]) -> Result<T>,
    ) -> Result<T> {
        let [k0, k1] = Stream::Program { name: &self.name }.key(moment.seed);
        let key = [k0 as i32, k1 as i32, moment.draw as i32, moment.inner as i32];
        let scalar = |feed: &Feed| match feed {
            Feed::Hyper(h) => moment.resolved.hyper_value(*h, moment.step as f64, moment.progress, moment.overrides),
            Feed::Rate(p) => moment.resolved.rate_value(*p, moment.step as f64, moment.progress, moment.overrides),
            _ => 0.0,
        } as f32;
        let scalars: Vec<[f32; 1]> = self.feeds.iter().map(|f| [scalar(f)]).collect();
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for (i, feed) in self.feeds.iter().enumerate() {
            let missing = || Error::data(self.name.clone(), "a value for every field used", "none");
            inputs.push(match feed {
                Feed::Key => HostSlice::I32(&key),
                Feed::Hyper(_) | Feed::Rate(_) => HostSlice::F32(&scalars[i]),
                Feed::Data { group, field } => slice(batch.get(*group).and_then(|g| g.get(*field)).ok_or_else(missing)?),
                Feed::Argument(k) => slice(arguments.get(*k).ok_or_else(missing)?),
            });
        }
        run(&mut self.executable, &inputs)
    }
}

fn slice<'a>(column: &Column<'a>) -> HostSlice<'a> {
    match column {
        Column::Tensor(t) => HostSlice::F32(t.as_slice()),
        Column::Classes(c) => HostSlice::I32(c.as_slice()),
        // No program has them as input: they choose the rows of tables.
        Column::Rows(_) => HostSlice::I32(&[]),
    }
}

/// Whether columns have the wanted kinds and shapes behind their batch axis, which has `rows` entries if given.
pub fn check_columns(place: &str, wanted: &[FieldSpec], columns: &[Column<'_>], rows: Option<usize>) -> Result<()> {
    if columns.len() != wanted.len() {
        return Err(Error::data(place, format!("{} fields", wanted.len()), columns.len().to_string()));
    }
    for (spec, column) in wanted.iter().zip(columns) {
        let shape = column.shape();
        let own = shape.get(1..).unwrap_or(&[]);
        if column.kind() != spec.kind || own != spec.shape {
            let (expected, found) = (spec.kind.describe(&spec.shape), column.kind().describe(own));
            return Err(Error::field(place, None, &spec.name, format!("{expected} a sample"), found));
        }
        if rows.is_some_and(|n| n != column.rows()) {
            let expected = format!("{} samples, the batch size", rows.unwrap_or_default());
            return Err(Error::field(place, None, &spec.name, expected, column.rows().to_string()));
        }
        if let Column::Rows(rows) = column {
            let mut sorted = rows.as_slice().to_vec();
            sorted.sort_unstable();
            if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                let found = format!("{} twice", twice[0]);
                return Err(Error::field(place, None, &spec.name, "every sample at most once in a batch", found));
            }
        }
        if let (Kind::Classes(k), Column::Classes(c)) = (spec.kind, column)
            && let Some(row) = c.as_slice().iter().position(|v| *v < 0 || *v as usize >= k)
        {
            let found = c.as_slice()[row].to_string();
            return Err(Error::field(place, Some(row), &spec.name, format!("classes 0 to {}", k - 1), found));
        }
    }
    Ok(())
}
