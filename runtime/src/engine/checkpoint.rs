//! A model's whole state to a checkpoint and back, and single parameters by name.

use super::Engine;
use super::latents::Table;
use crate::checkpoint::{Checkpoint, Stored, Values};
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use saddlepoint_compiler::ir::DType;
use saddlepoint_compiler::lower::Kind;
use saddlepoint_language::Updated;
use std::collections::BTreeMap;
use std::path::Path;

/// Names of what a checkpoint holds besides the states.
const INNER: &str = "counter.inner";
const CALLS: &str = "counter.calls";
const HORIZON: &str = "horizon";
const PHASE: &str = "phase";
/// More than any training makes, and few enough to count on from.
const MOST_STEPS: u64 = 1 << 48;

impl Engine {
    /// Everything needed to go on to the same bits.
    pub(super) fn to_checkpoint(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.name, self.fingerprint, self.config.seed_value(), self.step);
        checkpoint.arrays = self.arrays()?;
        let mut note = |key: &str, value: String| checkpoint.notes.insert(key.to_string(), value);
        if let Some((first, steps)) = self.horizon {
            note(HORIZON, format!("{first} {steps}"));
        }
        if let Some(phase) = self.phase {
            note(PHASE, self.resolved.phases[phase].name.clone());
        }
        for (hyper, value) in self.resolved.hypers.iter().zip(&self.overrides) {
            if let Some(value) = value {
                note(&format!("hyper.{}", hyper.name), format!("{:016x}", value.to_bits()));
            }
        }
        Ok(checkpoint)
    }

    /// Writes a checkpoint, unless a state is not finite.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let checkpoint = self.to_checkpoint()?;
        if let Some((name, value)) = checkpoint.non_finite() {
            let message = format!("nothing was written, for `{name}` of the model holds {value}: load an older checkpoint");
            return Err(Error::checkpoint(path, message));
        }
        checkpoint.write(path)
    }

    /// Takes over a checkpoint of this model, or refuses it and changes nothing.
    pub(super) fn take_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        checkpoint.check_model(self.name)?;
        checkpoint.check_arrays(&self.expected(checkpoint)?)?;
        checkpoint.check_version(self.fingerprint)?;
        checkpoint.check_finite()?;
        let note = |key: &str| checkpoint.notes.get(key);
        let horizon = match note(HORIZON) {
            Some(text) => {
                let numbers = text.split_once(' ').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                Some(numbers.ok_or_else(|| checkpoint.refuse("its horizon is no pair of numbers"))?)
            }
            None => None,
        };
        let phase = match note(PHASE) {
            Some(name) => {
                let found = self.resolved.phases.iter().position(|p| p.name == *name);
                Some(found.ok_or_else(|| checkpoint.refuse(format!("the model has no phase `{name}`")))?)
            }
            None => None,
        };
        let mut overrides = vec![None; self.resolved.hypers.len()];
        for (hyper, slot) in self.resolved.hypers.iter().zip(&mut overrides) {
            if let Some(text) = note(&format!("hyper.{}", hyper.name)) {
                let bits = u64::from_str_radix(text, 16);
                let bits = bits.map_err(|_| checkpoint.refuse(format!("the value of hyper `{}` is damaged", hyper.name)))?;
                *slot = Some(f64::from_bits(bits));
            }
        }
        let inner = (0..self.turns.len()).map(|t| checkpoint.counter(&format!("{INNER}.{t}")));
        let inner = inner.collect::<Result<Vec<_>>>()?;
        let small = |value: u64, name: &str| {
            u32::try_from(value).map_err(|_| checkpoint.refuse(format!("its counter `{name}` is {value}")))
        };
        let inner = inner.into_iter().map(|count| small(count, INNER)).collect::<Result<Vec<_>>>()?;
        let calls = small(checkpoint.counter(CALLS)?, CALLS)?;
        if checkpoint.step > MOST_STEPS {
            return Err(checkpoint.refuse(format!("its step is {}", checkpoint.step)));
        }
        for table in &mut self.tables {
            table.take(&|name| match checkpoint.arrays.get(name).map(|array| &array.values) {
                Some(Values::F32(values)) => Some(values.clone()),
                _ => None,
            });
        }
        for (name, _) in self.specs.iter().filter(|(_, spec)| spec.rows_of.is_none()) {
            match checkpoint.arrays.get(name).map(|a| &a.values) {
                Some(Values::F32(values)) => self.store.write_f32(name, values)?,
                Some(Values::I32(values)) => self.store.write_i32(name, values)?,
                _ => {}
            }
        }
        for (turn, count) in self.turns.iter_mut().zip(inner) {
            turn.inner = count;
        }
        (self.calls, self.step) = (calls, checkpoint.step);
        // They were of another state.
        self.losses.fill(None);
        self.unread.fill(None);
        (self.horizon, self.phase, self.overrides) = (horizon, phase, overrides);
        Ok(())
    }

    /// The player that moves a state, if one does.
    pub(super) fn mover(&self, state: &str) -> Option<&str> {
        let moved = match &self.specs.get(state)?.kind {
            Kind::Optimiser { player } => return Some(&self.resolved.players.get(*player)?.name),
            Kind::Average { of } => return self.mover(of),
            Kind::Parameter { net } | Kind::Statistic { net } | Kind::SingularVector { net, .. } => Updated::Net(*net),
            Kind::Latent { latent } => Updated::Latent(*latent),
            Kind::Replay => return None,
        };
        let mut players = self.resolved.players.iter();
        Some(&players.find(|player| player.updates.contains(&moved))?.name)
    }

    /// The first state that is not finite: its name, and the value.
    pub(super) fn first_non_finite(&self) -> Result<Option<(String, f32)>> {
        for (name, _) in self.specs.iter().filter(|(_, s)| s.ty.dtype == DType::F32) {
            if let Some(value) = self.store.read_f32(name)?.into_iter().find(|v| !v.is_finite()) {
                return Ok(Some((name.clone(), value)));
            }
        }
        Ok(self.tables.iter().find_map(Table::non_finite))
    }

    /// What a checkpoint of this model holds: tables of latents may be of any common length.
    fn expected(&self, checkpoint: &Checkpoint) -> Result<BTreeMap<String, Stored>> {
        let mut arrays = self.arrays()?;
        for table in &self.tables {
            let own = table.arrays(&self.specs);
            let rows = own.last().and_then(|(name, ..)| checkpoint.arrays.get(name)?.shape.first().copied());
            for (name, mut shape, _) in own {
                if let (Some(first), Some(rows)) = (shape.first_mut(), rows) {
                    *first = rows;
                }
                arrays.insert(name, Stored::f32(shape, Vec::new()));
            }
        }
        Ok(arrays)
    }

    fn arrays(&self) -> Result<BTreeMap<String, Stored>> {
        let mut arrays = BTreeMap::new();
        for (name, spec) in self.specs.iter().filter(|(_, spec)| spec.rows_of.is_none()) {
            let stored = match spec.ty.dtype {
                DType::F32 => Stored::f32(spec.ty.shape.clone(), self.store.read_f32(name)?),
                _ => Stored::i32(spec.ty.shape.clone(), self.store.read_i32(name)?),
            };
            arrays.insert(name.clone(), stored);
        }
        for (name, shape, values) in self.tables.iter().flat_map(|table| table.arrays(&self.specs)) {
            arrays.insert(name, Stored::f32(shape, values));
        }
        for (i, turn) in self.turns.iter().enumerate() {
            arrays.insert(format!("{INNER}.{i}"), Stored::counter(u64::from(turn.inner)));
        }
        arrays.insert(CALLS.to_string(), Stored::counter(u64::from(self.calls)));
        Ok(arrays)
    }

    /// A state by its name: a parameter such as `G.dense_0.weight`, a running statistic, an optimiser's moment such as
    /// `optimiser.D.m.D.dense_0.weight`.
    ///
    /// # Errors
    /// [`Error::Data`] when there is none of this name.
    pub fn state(&self, name: &str) -> Result<Tensor> {
        let spec = self.specs.get(name).ok_or_else(|| self.unknown(name))?;
        Tensor::new(spec.ty.shape.clone(), self.store.read_f32(name)?)
    }

    /// Sets a state. An average of a parameter is not set along with it.
    ///
    /// # Errors
    /// [`Error::Data`] when there is none of this name or it has another shape.
    pub fn set_state(&mut self, name: &str, value: &Tensor) -> Result<()> {
        let spec = self.specs.get(name).ok_or_else(|| self.unknown(name))?;
        if spec.ty.shape != value.shape() {
            return Err(Error::data(name, format!("{:?}", spec.ty.shape), format!("{:?}", value.shape())));
        }
        self.store.write_f32(name, value.as_slice())
    }

    /// Names of all parameters, in order.
    pub fn parameter_names(&self) -> Vec<&str> {
        let parameter = |kind: &Kind| matches!(kind, Kind::Parameter { .. });
        self.specs.iter().filter(|(_, s)| parameter(&s.kind)).map(|(n, _)| n.as_str()).collect()
    }

    fn unknown(&self, name: &str) -> Error {
        Error::data(format!("model {}", self.name), format!("one of {}", self.parameter_names().join(", ")), name)
    }
}
