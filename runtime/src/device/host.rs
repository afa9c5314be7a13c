//! What the host gives a program and gets from it, on every device.

use crate::{Error, Result};
use saddlepoint_compiler::ir::{DType, Slot};
use saddlepoint_compiler::plan::HostOutput;

/// Values of an input, row-major.
#[derive(Clone, Copy, Debug)]
pub enum HostSlice<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Integers; for an input of truth values, what is not 0 is true.
    I32(&'a [i32]),
}

impl HostSlice<'_> {
    fn dtype(&self) -> DType {
        match self {
            HostSlice::F32(_) => DType::F32,
            HostSlice::I32(_) => DType::I32,
        }
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        match self {
            HostSlice::F32(v) => v.len(),
            HostSlice::I32(v) => v.len(),
        }
    }
}

/// Whether a program's inputs have the number, types and sizes that it declares.
///
/// # Errors
/// [`Error::Device`] with the first that has not.
pub(super) fn check(wanted: &[Slot], given: &[HostSlice<'_>]) -> Result<()> {
    if given.len() != wanted.len() {
        return Err(Error::device(format!("the program has {} inputs, {} given", wanted.len(), given.len())));
    }
    for (slot, given) in wanted.iter().zip(given) {
        let dtype = if slot.ty.dtype == DType::Bool { DType::I32 } else { slot.ty.dtype };
        if given.dtype() != dtype || given.len() != slot.ty.elements() {
            let given = format!("{} values of {}", given.len(), given.dtype().name());
            return Err(Error::device(format!("input `{}` is {}, given are {given}", slot.name, slot.ty)));
        }
    }
    Ok(())
}

/// The words of an input's values; truth values are 0 or all bits.
#[cfg(feature = "gpu")]
pub(super) fn words(slot: &Slot, values: &HostSlice<'_>, to: &mut Vec<u32>) {
    match values {
        HostSlice::F32(v) => to.extend(v.iter().map(|v| v.to_bits())),
        HostSlice::I32(v) if slot.ty.dtype == DType::Bool => to.extend(v.iter().map(|v| if *v != 0 { u32::MAX } else { 0 })),
        HostSlice::I32(v) => to.extend(v.iter().map(|v| *v as u32)),
    }
}

/// A result's words, as its buffer holds them, as numbers in row-major order.
pub(super) fn numbers(output: &HostOutput, words: &[u32]) -> Vec<f32> {
    let number = |word: u32| match output.dtype {
        DType::F32 => f32::from_bits(word),
        DType::I32 => word as i32 as f32,
        DType::Bool => f32::from(word != 0),
    };
    row_major(output).into_iter().map(|place| number(words[place])).collect()
}

/// Places of all elements in row-major order.
fn row_major(output: &HostOutput) -> Vec<usize> {
    let mut places = vec![0usize];
    if output.shape.contains(&0) {
        return Vec::new();
    }
    for (extent, stride) in output.shape.iter().zip(&output.strides) {
        let along = |base: &usize| (0..*extent).map(|i| base + i * *stride as usize).collect::<Vec<_>>();
        places = places.iter().flat_map(along).collect();
    }
    places
}
