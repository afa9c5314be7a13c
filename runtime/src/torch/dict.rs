//! The file of a state dict: safetensors with floating-point arrays, and the batch counters of batch normalisations.
//!
//! In: bytes of anybody. Out: arrays in f32, or a message that names the entry. Reading allocates in proportion to the file's
//! real size, whatever the file claims. The same state dict gives the same bytes.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::{BTreeMap, HashMap};

/// How PyTorch calls the counter of batches that a batch normalisation has seen. It carries no number that a net computes with.
pub(crate) const TRACKED: &str = "num_batches_tracked";

/// The arrays of a PyTorch state dict by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// Shape and row-major values of each entry.
    pub arrays: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// `num_batches_tracked` of each module that has one, by the entry's full name.
    pub tracked: BTreeMap<String, i64>,
}

impl StateDict {
    /// Reads the bytes of a safetensors file with f32, f64, f16 or bf16 arrays.
    ///
    /// # Errors
    /// A message: what the file is instead, or which entry is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateDict, String> {
        let parsed = SafeTensors::deserialize(bytes).map_err(|error| not_a_dict(bytes, &error.to_string()))?;
        let metadata = SafeTensors::read_metadata(bytes).ok().and_then(|(_, metadata)| metadata.metadata().clone());
        if metadata.is_some_and(|entries| entries.contains_key(crate::checkpoint::METADATA)) {
            return Err("this is a checkpoint of saddlepoint's, not a state dict: `load` reads it".to_string());
        }
        let mut dict = StateDict::default();
        for (name, view) in parsed.iter() {
            if name == TRACKED || name.ends_with(&format!(".{TRACKED}")) {
                let count = counter(&view).ok_or_else(|| format!("the entry `{name}` is no whole number"))?;
                dict.tracked.insert(name.to_string(), count);
                continue;
            }
            let values = numbers(view.dtype(), view.data()).ok_or_else(|| {
                format!("the entry `{name}` has elements of type {:?}; parameters are F32, F64, F16 or BF16", view.dtype())
            })?;
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format!("the entry `{name}` holds {value}, which is no finite f32"));
            }
            dict.arrays.insert(name.to_string(), (view.shape().to_vec(), values));
        }
        Ok(dict)
    }

    /// The bytes of the file that `safetensors.torch.load_file` reads.
    ///
    /// # Errors
    /// A message, when an array does not have its shape.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let arrays = self.arrays.iter().map(|(name, (shape, values))| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, Dtype::F32, shape.clone(), bytes)
        });
        let counters = self.tracked.iter().map(|(name, count)| (name, Dtype::I64, vec![], count.to_le_bytes().to_vec()));
        let encoded: Vec<_> = arrays.chain(counters).collect();
        let mut views = Vec::with_capacity(encoded.len());
        for (name, dtype, shape, bytes) in &encoded {
            let view = TensorView::new(*dtype, shape.clone(), bytes)
                .map_err(|error| format!("the entry `{name}` does not have the shape {shape:?}: {error}"))?;
            views.push((name.as_str(), view));
        }
        // One entry only: the order of several would depend on hashing.
        let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
    }
}

/// What a file is that is no safetensors file, and what to do with it.
fn not_a_dict(bytes: &[u8], reason: &str) -> String {
    let zip = bytes.starts_with(b"PK\x03\x04");
    let pickle = matches!(bytes, [0x80, 2..=5, ..]);
    if zip || pickle {
        return "this is a pickle, as `torch.save` writes it, and reading one can run code of others. Convert it once: python -c \
                \"import torch, safetensors.torch as s; s.save_file(torch.load('net.pt', weights_only=True), 'net.safetensors')\""
            .to_string();
    }
    format!(
        "this is no whole safetensors file ({reason}); write one with `safetensors.torch.save_file(net.state_dict(), path)`"
    )
}

fn counter(view: &TensorView<'_>) -> Option<i64> {
    match (view.dtype(), view.data().as_chunks::<8>()) {
        (Dtype::I64, ([one], [])) => Some(i64::from_le_bytes(*one)),
        _ => None,
    }
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = || bytes.as_chunks::<2>().0.iter().map(|half| u16::from_le_bytes(*half));
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()),
        Dtype::F64 => Some(bytes.as_chunks::<8>().0.iter().map(|word| f64::from_le_bytes(*word) as f32).collect()),
        Dtype::BF16 => Some(halves().map(|half| f32::from_bits(u32::from(half) << 16)).collect()),
        Dtype::F16 => Some(halves().map(from_half).collect()),
        _ => None,
    }
}

/// IEEE 754 binary16 to binary32, exactly.
fn from_half(half: u16) -> f32 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(half & 0x3ff) / 1024.0;
    sign * match (half >> 10) & 0x1f {
        0 => fraction * 2f32.powi(-14),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        exponent => (1.0 + fraction) * 2f32.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> StateDict {
        let arrays = [("0.weight", (vec![2, 3], vec![1.5, -0.0, 1e-40, 3e38, -7.25, 0.0])), ("0.bias", (vec![0], vec![]))];
        StateDict {
            arrays: arrays.map(|(name, array)| (name.to_string(), array)).into(),
            tracked: [("2.num_batches_tracked".to_string(), -3)].into(),
        }
    }

    fn file(dtype: Dtype, bytes: &[u8], shape: &[usize]) -> Vec<u8> {
        let view = TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        safetensors::serialize([("w", view)], None).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_to_the_same_bits() {
        let bytes = sample().to_bytes().unwrap();
        let read = StateDict::from_bytes(&bytes).unwrap();
        assert_eq!(read, sample());
        let bits = |dict: &StateDict| dict.arrays["0.weight"].1.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&sample()));
        assert_eq!(read.to_bytes().unwrap(), bytes);
    }

    #[test]
    fn other_float_types_become_f32() {
        let values = |dtype, bytes: &[u8]| {
            StateDict::from_bytes(&file(dtype, bytes, &[bytes.len() * 8 / dtype.bitsize()])).unwrap().arrays["w"].1.clone()
        };
        let doubles: Vec<u8> = [0.1f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(values(Dtype::F64, &doubles), [0.1f32, -2.0]);
        let halves: Vec<u8> =
            [0x3c00u16, 0xc000, 0x3555, 0x0001, 0x8000, 0x7bff].iter().flat_map(|v| v.to_le_bytes()).collect();
        let wanted = [1.0, -2.0, 0.333_251_95, 5.960_464_5e-8, -0.0, 65504.0];
        assert_eq!(values(Dtype::F16, &halves), wanted);
        let brains: Vec<u8> = [0x3f80u16, 0xc020].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(values(Dtype::BF16, &brains), [1.0, -2.5]);
    }

    #[test]
    fn what_is_no_state_dict_is_refused_with_what_to_do() {
        let refused = |bytes: &[u8]| StateDict::from_bytes(bytes).unwrap_err();
        for pickle in [&b"PK\x03\x04 and so on"[..], &[0x80, 2, b'}']] {
            let message = refused(pickle);
            assert!(message.contains("torch.load('net.pt', weights_only=True)"), "{message}");
        }
        assert!(refused(b"").contains("no whole safetensors file"));
        assert!(refused(&file(Dtype::I32, &[0; 8], &[2])).contains("`w` has elements of type I32"));
        assert!(refused(&file(Dtype::F32, &f32::NAN.to_le_bytes(), &[1])).contains("`w` holds NaN"));
        assert!(refused(&file(Dtype::F64, &1e300f64.to_le_bytes(), &[1])).contains("`w` holds inf"));
        let whole = sample().to_bytes().unwrap();
        for length in 0..whole.len() {
            refused(&whole[..length]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, at: usize, patch: u64) {
            let _ = StateDict::from_bytes(&bytes);
            let mut near = sample().to_bytes().unwrap();
            let from = at % (near.len() - 8);
            near[from..from + 8].copy_from_slice(&patch.to_le_bytes());
            let _ = StateDict::from_bytes(&near);
        }
    }
}
