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
/// The entry of the metadata by which a checkpoint is known.
pub(crate) const METADATA: &str = "saddlepoint";
const CHECKSUM: &str = "checksum";
/// What errors call a checkpoint that came from no file.
const IN_MEMORY: &str = "(in memory)";
/// What names of optimisers' states begin with.
const OPTIMISER: &str = "optimiser.";
/// How many differences a refusal lists.
const LISTED: usize = 4;

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

    /// The bytes that [`Checkpoint::write`] writes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.encode().map_err(|message| self.refuse(message))
    }

    /// Reads what [`Checkpoint::to_bytes`] gave, with every check of [`Checkpoint::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        Checkpoint::decode(bytes).map_err(|message| Error::checkpoint(IN_MEMORY, message))
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
        let origin = if self.origin.as_os_str().is_empty() { Path::new(IN_MEMORY) } else { &self.origin };
        Error::checkpoint(origin, message)
    }

    /// Refuses a checkpoint of another model.
    pub fn check_model(&self, model: &str) -> Result<()> {
        match self.model == model {
            true => Ok(()),
            false => Err(self.refuse(format!("it holds the model `{}`, not `{model}`", self.model))),
        }
    }

    /// Refuses a checkpoint of another version of the model; [`Checkpoint::check_arrays`] before it can say what differs.
    pub fn check_version(&self, fingerprint: u64) -> Result<()> {
        match self.fingerprint == fingerprint {
            true => Ok(()),
            false => Err(self.refuse(format!("it was written by another version of the model `{}`", self.model))),
        }
    }

    /// Refuses a checkpoint whose arrays are not exactly these, by name, shape and element type, and says which differ. Call
    /// it before taking any.
    pub fn check_arrays(&self, expected: &BTreeMap<String, Stored>) -> Result<()> {
        let mut differences = Vec::new();
        for (name, array) in expected {
            let wanted = array.describe();
            match self.arrays.get(name) {
                None => differences.push((name, format!("`{name}` {wanted} of the model is not in it"))),
                Some(found) if found.describe() != wanted => {
                    differences.push((name, format!("`{name}` is {} in it, {wanted} in the model", found.describe())));
                }
                Some(_) => {}
            }
        }
        for (name, array) in self.arrays.iter().filter(|(name, _)| !expected.contains_key(*name)) {
            differences.push((name, format!("it has `{name}` {}, the model does not", array.describe())));
        }
        if differences.is_empty() {
            return Ok(());
        }
        let optimiser = |name: &String| name.starts_with(OPTIMISER);
        let what = match differences.iter().all(|(name, _)| optimiser(name)) {
            true => "it was trained with another optimiser, or other players",
            false => "it is of other nets",
        };
        // What a net is made of explains the optimiser's states of it, not the other way round.
        differences.sort_by_key(|(name, _)| optimiser(name));
        let more = differences.len().saturating_sub(LISTED);
        let mut list: Vec<String> = differences.into_iter().take(LISTED).map(|(_, text)| text).collect();
        list.extend((more > 0).then(|| format!("{more} more")));
        Err(self.refuse(format!("{what}: {}", list.join("; "))))
    }

    /// Refuses a checkpoint with a number that is not finite: nothing good can come of it.
    pub fn check_finite(&self) -> Result<()> {
        match self.non_finite() {
            Some((name, value)) => Err(self.refuse(format!("`{name}` holds {value} in it: use an older one"))),
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
            // A whole file of the format with none of our marks is somebody else's; damage hits one mark, not both.
            let marked = |parsed: &SafeTensors<'_>| {
                let entry = SafeTensors::read_metadata(bytes)
                    .is_ok_and(|(_, data)| data.metadata().as_ref().is_some_and(|data| data.contains_key(METADATA)));
                entry || parsed.tensor(CHECKSUM).is_ok()
            };
            return Err(match parsed {
                Ok(parsed) if !marked(&parsed) => foreign("its metadata have no entry of saddlepoint's"),
                _ => "the file is damaged or cut short (its checksum does not match), or no checkpoint at all: use an older one"
                    .to_string(),
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
    format!("this is not a checkpoint of saddlepoint's: {reason} (a PyTorch state dict is read by `load_torch`)")
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        let mut checkpoint = Checkpoint::new("Dcgan", 0xfeed_beef_0123_4567, 7, 1200);
        checkpoint.notes.insert("phase".into(), "play".into());
        checkpoint.notes.insert("a \"quoted\" note".into(), "ü".into());
        let arrays = [
            ("G.dense_0.weight", Stored::f32([2, 3], vec![0.5, -0.0, f32::MIN_POSITIVE / 8.0, 1e-30, 3.0e38, -7.25])),
            ("G.dense_0.bias", Stored::f32([0], vec![])),
            ("latent.class", Stored::i32([3], vec![-1, 0, i32::MAX])),
            ("steps", Stored::counter(u64::MAX - 1)),
        ];
        checkpoint.arrays.extend(arrays.map(|(name, array)| (name.to_string(), array)));
        checkpoint
    }

    fn refused(bytes: &[u8]) -> String {
        Checkpoint::decode(bytes).unwrap_err()
    }

    /// The same bytes with a checksum that fits them.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let covered = bytes.len() - 4;
        let checksum = crc32(&bytes[..covered]);
        bytes[covered..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    #[test]
    fn what_is_written_reads_back_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        sample().write(&path).unwrap();
        let mut read = Checkpoint::read(&path).unwrap();
        assert_eq!(read.origin, path);
        read.origin = PathBuf::new();
        assert_eq!(read, sample());
        let bits = |checkpoint: &Checkpoint| {
            let numbers = checkpoint.numbers("G.dense_0.weight", &[2, 3]).unwrap();
            numbers.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(&read), bits(&sample()));
        assert_eq!(fs::read(&path).unwrap(), sample().encode().unwrap());
        assert_eq!(sample().encode().unwrap(), sample().encode().unwrap());
    }

    #[test]
    fn other_readers_of_the_format_see_the_arrays() {
        let bytes = sample().encode().unwrap();
        let parsed = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(parsed.tensor("G.dense_0.weight").unwrap().shape(), [2, 3]);
        assert_eq!(parsed.tensor(CHECKSUM).unwrap().data(), &bytes[bytes.len() - 4..]);
    }

    #[test]
    fn damage_of_any_byte_and_any_loss_at_the_end_is_noticed() {
        let whole = sample().encode().unwrap();
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                let message = refused(&damaged);
                assert!(message.contains("damaged"), "byte {at}: {message}");
            }
        }
        for length in 0..whole.len() {
            assert!(refused(&whole[..length]).contains("cut short"));
        }
        assert!(refused(&[whole, vec![0]].concat()).contains("damaged"));
    }

    #[test]
    fn a_header_that_lies_is_refused_even_under_a_true_checksum() {
        let whole = sample().encode().unwrap();
        for length in [0, 7, 1 << 20, 99_999_999, u64::MAX] {
            let mut lying = whole.clone();
            lying[..8].copy_from_slice(&length.to_le_bytes());
            refused(&sealed(lying));
        }
        // A tensor of 2^60 numbers.
        let text = String::from_utf8_lossy(&whole).replace("\"shape\":[2,3]", "\"shape\":[1152921504606846976,3]");
        refused(&sealed(text.into_bytes()));
    }

    #[test]
    fn foreign_files_are_told_from_damaged_ones() {
        let data = [0; 8];
        let view = TensorView::new(Dtype::F32, vec![2], &data).unwrap();
        let foreign = safetensors::serialize([("weight", view)], None).unwrap();
        assert!(refused(&foreign).contains("not a checkpoint of saddlepoint's"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        fs::write(&path, [0x89; 4000]).unwrap();
        let error = Checkpoint::read(&path).unwrap_err();
        assert!(matches!(&error, Error::Checkpoint { .. }) && error.to_string().contains("picture.png"), "{error}");
        assert!(matches!(Checkpoint::read(folder.path().join("absent")), Err(Error::Io { .. })));
    }

    #[test]
    fn the_seeds_of_fuzzing_are_read_or_refused() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/checkpoint");
        let mut names = Vec::new();
        for seed in fs::read_dir(seeds).unwrap() {
            let path = seed.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let read = (Checkpoint::from_bytes(&bytes).is_ok(), crate::torch::StateDict::from_bytes(&bytes).is_ok());
            names.push((path.file_name().unwrap().to_string_lossy().into_owned(), read));
        }
        names.sort();
        let readable: Vec<_> = names.iter().filter(|(_, read)| *read != (false, false)).collect();
        assert_eq!(readable, [&("state-dict".to_string(), (false, true)), &("whole".to_string(), (true, false))]);
        assert!(names.len() > readable.len());
    }

    #[test]
    fn another_format_says_which() {
        let bytes = sample().encode().unwrap();
        let from = b"\\\"format\\\":1,";
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let mut newer = bytes.clone();
        newer[at + from.len() - 2] = b'2';
        let message = refused(&sealed(newer));
        assert!(message.contains("format 2") && message.contains("format 1"), "{message}");
    }

    #[test]
    fn a_checkpoint_that_does_not_fit_the_model_says_where() {
        let checkpoint = sample();
        let message = |result: Result<()>| result.unwrap_err().to_string();
        assert!(checkpoint.check_model("Dcgan").is_ok() && checkpoint.check_version(0xfeed_beef_0123_4567).is_ok());
        assert!(message(checkpoint.check_model("Star")).contains("the model `Dcgan`, not `Star`"));
        assert!(message(checkpoint.check_version(1)).contains("another version"));
        assert!(checkpoint.check_arrays(&sample().arrays).is_ok());
        let mut expected = sample().arrays;
        expected.insert("G.dense_0.weight".into(), Stored::f32([3, 2], vec![0.0; 6]));
        let text = message(checkpoint.check_arrays(&expected));
        assert!(text.contains("f32[2, 3]") && text.contains("f32[3, 2]") && text.contains("G.dense_0.weight"), "{text}");
        expected.remove("G.dense_0.weight");
        assert!(
            message(checkpoint.check_arrays(&expected)).contains("it has `G.dense_0.weight` f32[2, 3], the model does not")
        );
        expected = sample().arrays;
        expected.insert("optimiser.D.m.D.bias".into(), Stored::f32([1], vec![0.0]));
        let text = message(checkpoint.check_arrays(&expected));
        assert!(text.contains("another optimiser") && text.contains("`optimiser.D.m.D.bias` f32[1]"), "{text}");
        (0..9).for_each(|i| drop(expected.insert(format!("z.{i}"), Stored::f32([1], vec![0.0]))));
        // The nets come before the optimisers, and a list has an end.
        let text = message(checkpoint.check_arrays(&expected));
        assert!(text.contains("other nets: `z.0`") && text.ends_with("; 6 more"), "{text}");
        assert_eq!(checkpoint.counter("steps").unwrap(), u64::MAX - 1);
        assert!(checkpoint.numbers("steps", &[]).is_err() && checkpoint.counter("latent.class").is_err());
    }

    #[test]
    fn arrays_that_are_not_what_they_say_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        sample().write(&path).unwrap();
        let mut wrong = sample();
        wrong.arrays.insert("w".into(), Stored::f32([4], vec![0.0; 3]));
        assert!(wrong.write(&path).unwrap_err().to_string().contains("`w`"));
        let mut reserved = sample();
        reserved.arrays.insert(CHECKSUM.into(), Stored::counter(0));
        assert!(reserved.write(&path).is_err());
        assert_eq!(Checkpoint::read(&path).unwrap().arrays, sample().arrays);
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_found() {
        let mut checkpoint = sample();
        assert_eq!(checkpoint.non_finite(), None);
        checkpoint.arrays.insert("D.weight".into(), Stored::f32([2], vec![1.0, f32::NEG_INFINITY]));
        assert_eq!(checkpoint.non_finite(), Some(("D.weight", f32::NEG_INFINITY)));
        assert!(sample().check_finite().is_ok() && checkpoint.check_finite().is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, at: usize, patch: u64) {
            let _ = Checkpoint::decode(&bytes);
            // Nearly right, under a true checksum.
            let mut near = sample().encode().unwrap();
            let from = at % (near.len() - 12);
            near[from..from + 8].copy_from_slice(&patch.to_le_bytes());
            let _ = Checkpoint::decode(&sealed(near));
        }
    }
}
