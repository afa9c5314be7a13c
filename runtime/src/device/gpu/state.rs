//! States on the device: one buffer for all, each at a multiple of 256 bytes.

use super::memory;
use super::shared::Shared;
use crate::{Error, Result};
use saddlepoint_compiler::ir::{DType, Type};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Elements between the beginnings of states: a multiple of this.
const ALIGNMENT: usize = 64;

/// All states of a model, on the device.
pub struct GpuStates {
    shared: Arc<Shared>,
    states: BTreeMap<String, State>,
    /// Elements up to the end of the last state.
    elements: usize,
    buffer: Option<wgpu::Buffer>,
    /// Elements of the buffer.
    room: usize,
    generation: u64,
    /// Tells these states from any others of the process.
    identity: u64,
}

struct State {
    ty: Type,
    first: usize,
}

impl GpuStates {
    pub(super) fn new(shared: Arc<Shared>) -> GpuStates {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let identity = NEXT.fetch_add(1, Ordering::Relaxed);
        GpuStates { shared, states: BTreeMap::new(), elements: 0, buffer: None, room: 0, generation: 0, identity }
    }

    /// Makes sure that a state exists; a new one is zero.
    ///
    /// # Errors
    /// [`Error::Device`] when it exists with another type.
    pub fn declare(&mut self, name: &str, ty: &Type) -> Result<()> {
        match self.states.get(name) {
            Some(state) if state.ty == *ty => Ok(()),
            Some(state) => Err(Error::device(format!("state `{name}` is {}, not {ty}", state.ty))),
            None => {
                self.states.insert(name.to_string(), State { ty: ty.clone(), first: self.elements });
                self.elements += ty.elements().next_multiple_of(ALIGNMENT);
                Ok(())
            }
        }
    }

    /// Names of all states, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.states.keys().map(String::as_str)
    }

    /// Type of a state.
    pub fn ty(&self, name: &str) -> Option<&Type> {
        self.states.get(name).map(|s| &s.ty)
    }

    /// The values of a float state, row-major. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is not of floats, or the device failed.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.read(name, &[DType::F32])?.into_iter().map(f32::from_bits).collect())
    }

    /// The values of an integer state, row-major; of truth values, 0 and 1. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is of floats, or the device failed.
    pub fn read_i32(&self, name: &str) -> Result<Vec<i32>> {
        let words = self.read(name, &[DType::I32, DType::Bool])?;
        Ok(match self.ty(name).map(|ty| ty.dtype) {
            Some(DType::Bool) => words.into_iter().map(|w| i32::from(w != 0)).collect(),
            _ => words.into_iter().map(|w| w as i32).collect(),
        })
    }

    /// Overwrites a float state with row-major values.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is not of floats, the number of values differs, or there is no memory.
    pub fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<()> {
        self.write(name, &[DType::F32], values.iter().map(|v| v.to_bits()).collect())
    }

    /// Overwrites an integer state with row-major values, or one of truth values with what is not 0.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is of floats, the number of values differs, or there is no memory.
    pub fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<()> {
        let truth = self.ty(name).is_some_and(|ty| ty.dtype == DType::Bool);
        let word = |v: &i32| {
            if !truth {
                *v as u32
            } else if *v != 0 {
                u32::MAX
            } else {
                0
            }
        };
        self.write(name, &[DType::I32, DType::Bool], values.iter().map(word).collect())
    }

    fn find(&self, name: &str, dtypes: &[DType]) -> Result<&State> {
        let state = self.states.get(name).ok_or_else(|| Error::device(format!("no state `{name}`")))?;
        match dtypes.contains(&state.ty.dtype) {
            true => Ok(state),
            false => Err(Error::device(format!("state `{name}` is {}, not {}", state.ty, dtypes[0].name()))),
        }
    }

    fn read(&self, name: &str, dtypes: &[DType]) -> Result<Vec<u32>> {
        let state = self.find(name, dtypes)?;
        let Some(buffer) = self.buffer.as_ref().filter(|_| self.room >= state.first + state.ty.elements()) else {
            // Nothing has been written yet.
            return Ok(vec![0; state.ty.elements()]);
        };
        let Shared { device, queue, .. } = &*self.shared;
        let words = self.shared.stream().read(device, queue, buffer, state.first, state.ty.elements());
        self.shared.check()?;
        words
    }

    fn write(&mut self, name: &str, dtypes: &[DType], words: Vec<u32>) -> Result<()> {
        let state = self.find(name, dtypes)?;
        let (first, expected) = (state.first, state.ty.elements());
        if words.len() != expected {
            return Err(Error::device(format!("state `{name}` has {expected} values, {} given", words.len())));
        }
        let (buffer, _) = self.buffer()?;
        let uploaded = self.shared.stream().upload(&self.shared.device, &buffer, first, &words);
        self.shared.check()?;
        uploaded
    }

    /// The buffer, with room for all that is declared, and numbers that tell it from any other.
    pub(super) fn buffer(&mut self) -> Result<(wgpu::Buffer, [u64; 2])> {
        if let Some(buffer) = self.buffer.as_ref().filter(|_| self.room >= self.elements) {
            return Ok((buffer.clone(), [self.identity, self.generation]));
        }
        let buffer = memory::words(&self.shared.device, "states", self.elements)?;
        if let Some(old) = &self.buffer {
            let size = self.room as u64 * memory::ELEMENT;
            self.shared.stream().encoder(&self.shared.device).copy_buffer_to_buffer(old, 0, &buffer, 0, size);
        }
        self.generation += 1;
        (self.room, self.buffer) = (self.elements, Some(buffer.clone()));
        Ok((buffer, [self.identity, self.generation]))
    }

    /// Where a state begins, for programs compiled against this name and type.
    pub(super) fn first(&self, name: &str, ty: &Type) -> Result<usize> {
        match self.states.get(name) {
            Some(state) if state.ty == *ty => Ok(state.first),
            Some(state) => Err(Error::device(format!("state `{name}` is {}, the program wants {ty}", state.ty))),
            None => Err(Error::device(format!("no state `{name}`: declare it before running the program"))),
        }
    }
}
