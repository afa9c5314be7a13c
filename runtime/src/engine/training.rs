//! The engine as the training loop sees it.

use super::Engine;
use crate::array::{Array, Column, Kind};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::fit::{Description, Fit, Report, Training};
use crate::source::Source;
use crate::source::loader::GroupSpec;
use crate::streams::Stream;
use crate::tensor::Tensor;
use saddlepoint_language::TensorType;

/// Samples of a grid from fixed noise.
const GRID: usize = 64;
/// Samples of a plane from fixed noise.
const POINTS: usize = 512;

impl Engine {
    /// Trains over data, one source a data group in the model's order.
    ///
    /// # Errors
    /// [`crate::Error::Data`], [`crate::Error::Io`], [`crate::Error::Checkpoint`], [`crate::Error::Diverged`]; nothing that was
    /// saved before is lost.
    pub fn fit(&mut self, groups: Vec<&dyn Source>, fit: Fit) -> Result<Report> {
        let lengths: Vec<usize> = groups.iter().map(|source| source.len()).collect();
        self.make_tables(&lengths)?;
        crate::fit::drive(self, &groups, &fit)
    }
}

impl Training for Engine {
    fn model_name(&self) -> &str {
        self.name
    }

    fn step_index(&self) -> u64 {
        self.step
    }

    fn set_horizon(&mut self, first: u64, steps: u64) {
        self.horizon = Some((first, steps));
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size()
    }

    fn seed(&self) -> u64 {
        self.config.seed_value()
    }

    fn batches_per_step(&self) -> usize {
        (0..self.turns.len()).filter(|t| self.moves(*t)).map(|t| self.turns[t].steps).max().unwrap_or(1)
    }

    fn groups(&self) -> Vec<GroupSpec> {
        let mut groups = self.groups.clone();
        for (g, group) in groups.iter_mut().enumerate() {
            for (f, field) in group.fields.iter_mut().enumerate() {
                // Positions are no field of the model.
                field.needed = field.kind == Kind::Rows || self.uses_field(g, f);
            }
        }
        groups
    }

    fn step(&mut self, batches: &[Vec<Vec<Column<'_>>>]) -> Result<()> {
        Engine::step(self, batches)
    }

    fn metric_names(&self) -> Vec<String> {
        let players = self.resolved.players.iter().map(|p| p.name.clone());
        players.chain(self.resolved.metrics.iter().cloned()).collect()
    }

    fn players(&self) -> usize {
        self.resolved.players.len()
    }

    fn metrics(&mut self) -> Result<Vec<Option<f32>>> {
        Engine::metrics(self)
    }

    fn fixed_samples(&mut self) -> Result<Vec<(String, Tensor)>> {
        let mut samples = Vec::new();
        for output in 0..self.resolved.outputs.len() {
            if !self.resolved.outputs[output].parameters.is_empty() {
                continue;
            }
            let name = self.resolved.outputs[output].name.clone();
            // The same call number every time: the same noise.
            let call = Stream::FixedNoise { output: &name }.key(self.config.seed_value())[0];
            let results = self.resolved.outputs[output].results.clone();
            // Points in a plane and single numbers show a distribution: it takes more of them than of pictures.
            let few = |result: &TensorType| result.shape.iter().map(|size| size.known()).product::<Option<usize>>();
            let plain = results.iter().filter_map(few).any(|size| size <= 2);
            let count = if plain { POINTS } else { GRID };
            for (index, result) in self.output_at(output, &[], Some(count), call)?.into_iter().enumerate() {
                if let (Array::Tensor(tensor), true) = (result, results[index].per_sample) {
                    // Of several results each has pictures of its own.
                    let name = if index == 0 { name.clone() } else { format!("{name}.{index}") };
                    samples.push((name, tensor));
                }
            }
        }
        Ok(samples)
    }

    fn snapshot(&self) -> Result<Checkpoint> {
        self.to_checkpoint()
    }

    fn describe(&self) -> Description {
        Engine::describe(self)
    }

    fn non_finite(&self) -> Result<Option<(String, f32)>> {
        self.first_non_finite()
    }

    fn mover(&self, state: &str) -> Option<String> {
        Engine::mover(self, state).map(str::to_string)
    }

    fn objectives_are_finite(&self) -> bool {
        self.losses.iter().flatten().all(|loss| loss.is_finite())
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.take_checkpoint(checkpoint)
    }
}
