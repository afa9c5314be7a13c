//! States: the values that persist between programs, by name.
//!
//! Each lies row-major in memory of its own, aligned to a cache line. What always holds: memory is as long as its type says and
//! lives as long as the store.

use super::memory::Memory;
use crate::{Error, Result};
use saddlepoint_compiler::ir::{DType, Type};
use std::collections::BTreeMap;

/// All states of a model.
#[derive(Default)]
pub struct StateStore {
    states: BTreeMap<String, State>,
}

struct State {
    ty: Type,
    memory: Memory,
}

impl StateStore {
    /// No states.
    pub fn new() -> StateStore {
        StateStore::default()
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
                let state = State { ty: ty.clone(), memory: Memory::zeroed(ty.elements()) };
                self.states.insert(name.to_string(), state);
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

    /// The values of a float state, row-major.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state or it is not of floats.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.get(name, DType::F32)?.memory.words().iter().map(|w| f32::from_bits(*w)).collect())
    }

    /// The values of an integer state, row-major; of truth values, 0 and 1.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state or it is of floats.
    pub fn read_i32(&self, name: &str) -> Result<Vec<i32>> {
        if self.ty(name).is_some_and(|ty| ty.dtype == DType::Bool) {
            return Ok(self.get(name, DType::Bool)?.memory.words().iter().map(|w| i32::from(*w != 0)).collect());
        }
        Ok(self.get(name, DType::I32)?.memory.words().iter().map(|w| *w as i32).collect())
    }

    /// Overwrites a float state with row-major values.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is not of floats, or the number of values differs.
    pub fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<()> {
        self.write(name, DType::F32, values.iter().map(|v| v.to_bits()))
    }

    /// Overwrites an integer state with row-major values, or one of truth values with what is not 0.
    ///
    /// # Errors
    /// [`Error::Device`] when there is no such state, it is of floats, or the number of values differs.
    pub fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<()> {
        if self.ty(name).is_some_and(|ty| ty.dtype == DType::Bool) {
            return self.write(name, DType::Bool, values.iter().map(|v| if *v != 0 { u32::MAX } else { 0 }));
        }
        self.write(name, DType::I32, values.iter().map(|v| *v as u32))
    }

    fn write(&mut self, name: &str, dtype: DType, values: impl ExactSizeIterator<Item = u32>) -> Result<()> {
        let expected = self.get(name, dtype)?.ty.elements();
        if values.len() != expected {
            return Err(Error::device(format!("state `{name}` has {expected} values, {} given", values.len())));
        }
        if let Some(state) = self.states.get_mut(name) {
            state.memory.words_mut().iter_mut().zip(values).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }

    fn get(&self, name: &str, dtype: DType) -> Result<&State> {
        let state = self.states.get(name).ok_or_else(|| Error::device(format!("no state `{name}`")))?;
        match state.ty.dtype == dtype {
            true => Ok(state),
            false => Err(Error::device(format!("state `{name}` is {}, not {}", state.ty, dtype.name()))),
        }
    }

    /// Base pointer of a state's memory, for programs compiled against this name and type.
    pub(super) fn pointer(&mut self, name: &str, ty: &Type) -> Result<*mut u32> {
        match self.states.get_mut(name) {
            Some(state) if state.ty == *ty => Ok(state.memory.as_mut_ptr()),
            Some(state) => Err(Error::device(format!("state `{name}` is {}, the program wants {ty}", state.ty))),
            None => Err(Error::device(format!("no state `{name}`: declare it before running the program"))),
        }
    }
}
