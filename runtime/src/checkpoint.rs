//! Checkpoints: everything that an interrupted training needs to go on to the same bits, as one safetensors file.
//!
//! The file is an ordinary safetensors file, little-endian, whose metadata has one entry, `saddlepoint`: the header below as
//! JSON. Its last tensor, `checksum`, is the CRC-32 of every byte before it, so damage anywhere (length, header, payload) is
//! noticed before anything is interpreted. The same checkpoint gives the same bytes.
//!
//! Reading allocates in proportion to the file's real size, whatever the file claims.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::write_atomically;

/// The version of the layout of checkpoints that this library writes.
const FORMAT: u32 = 1;
const METADATA: &str = "saddlepoint";
const CHECKSUM: &str = "checksum";

/// A named array as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub values: Values,
}

/// The elements of a stored array.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Parameters, moments, statistics.
    F32(Vec<f32>),
    /// Classes.
    I32(Vec<i32>),
    /// Counters and positions.
    U64(Vec<u64>),
}

/// The state of a model at the end of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The model's name.
    pub model: String,
    /// What the model's text and its constants come to: checkpoints of another model are refused.
    pub fingerprint: u64,
    /// The seed of all randomness.
    pub seed: u64,
    /// Completed steps.
    pub step: u64,
    /// Whatever else has to be remembered, such as the phase or tuned choices.
    pub notes: BTreeMap<String, String>,
    /// Parameters, moments, statistics, counters, by name.
    pub arrays: BTreeMap<String, Stored>,
    /// Where it was read from.
    origin: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    library: String,
    model: String,
    fingerprint: String,
    seed: u64,
    step: u64,
    notes: BTreeMap<String, String>,
}

impl Stored {
    /// f32 numbers of this shape.
    pub fn f32(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Stored {
        Stored { shape: shape.into(), values: Values::F32(values) }
    }

    /// i32 numbers of this shape.
    pub fn i32(shape: impl Into<Vec<usize>>, values: Vec<i32>) -> Stored {
        Stored { shape: shape.into(), values: Values::I32(values) }
    }

    /// One counter.
    pub fn counter(value: u64) -> Stored {
        Stored { shape: vec![], values: Values::U64(vec![value]) }
    }

    fn describe(&self) -> String {
        format!("{}{:?}", self.values.name(), self.shape)
    }

    /// The first f32 that is not finite.
    pub(crate) fn non_finite(&self) -> Option<f32> {
        match &self.values {
            Values::F32(values) => values.iter().copied().find(|value| !value.is_finite()),
            _ => None,
        }
    }
}

impl Values {
    fn name(&self) -> &'static str {
        match self {
            Values::F32(_) => "f32",
            Values::I32(_) => "i32",
            Values::U64(_) => "u64",
        }
    }

    fn encode(&self) -> (Dtype, Vec<u8>) {
        match self {
            Values::F32(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Values::I32(values) => (Dtype::I32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Values::U64(values) => (Dtype::U64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        }
    }

    fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Values> {
        let words = || bytes.as_chunks::<4>().0.iter();
        match dtype {
            Dtype::F32 => Some(Values::F32(words().map(|word| f32::from_le_bytes(*word)).collect())),
            Dtype::I32 => Some(Values::I32(words().map(|word| i32::from_le_bytes(*word)).collect())),
            Dtype::U64 => Some(Values::U64(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())),
            _ => None,
        }
    }
}

impl Checkpoint {
    /// An empty checkpoint of this model after `step` steps.
    pub fn new(model: impl Into<String>, fingerprint: u64, seed: u64, step: u64) -> Checkpoint {
        Checkpoint { model: model.into(), fingerprint, seed, step, ..Checkpoint::default() }
    }

    /// Writes the file: either all of it is there afterwards, or what was there before.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, &self.encode().map_err(|message| Error::checkpoint(path, message))?)
    }

    /// Reads a file whole and checks it: length, checksum, header, and that it is a checkpoint of this library.
    pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        let mut checkpoint = Checkpoint::decode(&bytes).map_err(|message| Error::checkpoint(path, message))?;
        checkpoint.origin = path.to_path_buf();
        Ok(checkpoint)
    }

    /// An error about this checkpoint, with the file it came from.
    pub fn refuse(&self, message: impl Into<String>) -> Error {
        let origin = if self.origin.as_os_str().is_empty() { Path::new("(in memory)") } else { &self.origin };
        Error::checkpoint(origin, message)
    }

    /// Refuses a checkpoint of another model, or of another version of this one.
    pub fn check_model(&self, model: &str, fingerprint: u64) -> Result<()> {
        if self.model != model {
            return Err(self.refuse(format!("it holds the model `{}`, not `{model}`", self.model)));
        }
        if self.fingerprint != fingerprint {
            return Err(self.refuse(format!(
                "it was written by another version of the model `{model}`: a net, a player, a constant or the batch size has \
                 changed since"
            )));
        }
        Ok(())
    }

    /// Refuses a checkpoint whose arrays are not exactly these, by name, shape and element type. Call it before taking any.
    pub fn check_arrays(&self, expected: &BTreeMap<String, Stored>) -> Result<()> {
        for (name, array) in expected {
            match self.arrays.get(name) {
                None => return Err(self.refuse(format!("the array `{name}` is missing"))),
                Some(found) if found.describe() != array.describe() => {
                    let (expected, found) = (array.describe(), found.describe());
                    return Err(self.refuse(format!("the array `{name}` is {found}, the model needs {expected}")));
                }
                Some(_) => {}
            }
        }
        match self.arrays.keys().find(|name| !expected.contains_key(*name)) {
            Some(name) => Err(self.refuse(format!("the array `{name}` is none of the model's"))),
            None => Ok(()),
        }
    }

    /// The f32 array of this name and shape.
    pub fn numbers(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        match self.arrays.get(name) {
            Some(Stored { shape: found, values: Values::F32(values) }) if found == shape => Ok(values),
            Some(found) => {
                Err(self.refuse(format!("the array `{name}` is {}, the model needs f32{shape:?}", found.describe())))
            }
            None => Err(self.refuse(format!("the array `{name}` is missing"))),
        }
    }

    /// The counter of this name.
    pub fn counter(&self, name: &str) -> Result<u64> {
        match self.arrays.get(name) {
            Some(Stored { values: Values::U64(values), .. }) if values.len() == 1 => Ok(values[0]),
            _ => Err(self.refuse(format!("the counter `{name}` is missing"))),
        }
    }

    /// The first array with a value that is not finite, and that value.
    pub fn non_finite(&self) -> Option<(&str, f32)> {
        self.arrays.iter().find_map(|(name, array)| Some((name.as_str(), array.non_finite()?)))
    }

    fn encode(&self) -> std::result::Result<Vec<u8>, String> {
        let header = Header {
            format: FORMAT,
            library: env!("CARGO_PKG_VERSION").to_string(),
            model: self.model.clone(),
            fingerprint: format!("{:016x}", self.fingerprint),
            seed: self.seed,
            step: self.step,
            notes: self.notes.clone(),
        };
        let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
        let encoded: Vec<_> = self.arrays.iter().map(|(name, array)| (name, array, array.values.encode())).collect();
        let mut views = Vec::with_capacity(encoded.len() + 1);
        for (name, array, (dtype, bytes)) in &encoded {
            if name.as_str() == CHECKSUM {
                return Err(format!("no array may be called `{CHECKSUM}`"));
            }
            let view = TensorView::new(*dtype, array.shape.clone(), bytes)
                .map_err(|error| format!("the array `{name}` does not have the shape {:?}: {error}", array.shape))?;
            views.push((name.as_str(), view));
        }
        // The format sorts tensors by falling alignment: the only one of bytes comes last.
        let room = TensorView::new(Dtype::U8, vec![4], &[0; 4]).map_err(|error| error.to_string())?;
        views.push((CHECKSUM, room));
        // One entry only: the order of several would depend on hashing.
        let metadata = HashMap::from([(METADATA.to_string(), header)]);
        let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())?;
        let covered = bytes.len() - 4;
        let checksum = crc32(&bytes[..covered]);
        bytes[covered..].copy_from_slice(&checksum.to_le_bytes());
        Ok(bytes)
    }

    fn decode(bytes: &[u8]) -> std::result::Result<Checkpoint, String> {
        let Some((covered, stored)) = bytes.split_last_chunk::<4>() else {
            return Err(format!("the file is cut short: {} bytes", bytes.len()));
        };
        let whole = crc32(covered) == u32::from_le_bytes(*stored);
        let parsed = SafeTensors::deserialize(bytes);
        if !whole {
            let ours = SafeTensors::read_metadata(bytes)
                .is_ok_and(|(_, data)| data.metadata().as_ref().is_some_and(|data| data.contains_key(METADATA)));
            return Err(match (ours, parsed) {
                (false, Ok(_)) => foreign("its metadata have no entry of saddlepoint's"),
                _ => "the file is damaged or cut short: its checksum does not match. Use an older checkpoint".to_string(),
            });
        }
        let parsed = parsed.map_err(|error| foreign(&error.to_string()))?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| foreign(&error.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|metadata| metadata.get(METADATA));
        let header = header.ok_or_else(|| foreign("its metadata have no entry of saddlepoint's"))?;
        let header: Header = serde_json::from_str(header).map_err(|error| foreign(&error.to_string()))?;
        if header.format != FORMAT {
            return Err(format!(
                "it has format {}, written by version {} of the library; this version reads format {FORMAT}",
                header.format, header.library
            ));
        }
        let fingerprint = u64::from_str_radix(&header.fingerprint, 16).map_err(|error| foreign(&error.to_string()))?;
        let mut arrays = BTreeMap::new();
        for (name, view) in parsed.iter().filter(|(name, _)| *name != CHECKSUM) {
            let values = Values::decode(view.dtype(), view.data())
                .ok_or_else(|| foreign(&format!("the array `{name}` has elements of type {:?}", view.dtype())))?;
            arrays.insert(name.to_string(), Stored { shape: view.shape().to_vec(), values });
        }
        let Header { model, seed, step, notes, .. } = header;
        Ok(Checkpoint { model, fingerprint, seed, step, notes, arrays, origin: PathBuf::new() })
    }
}

fn foreign(reason: &str) -> String {
    format!("this is not a checkpoint of saddlepoint's: {reason}")
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
