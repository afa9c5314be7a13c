//! IDX files, the format of MNIST and its relatives: a magic number with the element type and the rank, the dimensions
//! (big-endian), the elements. Plain or gzip, told apart by their first bytes.
//!
//! A file that is cut short, is longer than it says, or claims more than it can hold is refused before memory is reserved for
//! the claim.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::Pixels;
use crate::error::{Error, Result};
use crate::source::Columns;
use crate::tensor::Classes;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The type code of unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;
/// More elements than this in one file are taken for a damaged header.
const MOST_ELEMENTS: usize = 1 << 32;
/// Deflate cannot pack tighter than this.
const TIGHTEST: usize = 1032;
/// What errors call a file that was given by its content.
const IN_MEMORY: &str = "the IDX file";

/// A data set in IDX files. A folder with `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, plain or `.gz`, gives the
/// columns `x` and `y`; a file of pictures gives `x` alone. Pictures are `[1, height, width]` from −1 to 1; there are as many
/// classes as the largest label says.
pub fn idx(path: impl AsRef<Path>) -> Result<Columns> {
    let path = path.as_ref();
    let name = path.display().to_string();
    if !path.is_dir() {
        return Columns::new(name, vec![("x", idx_images(path)?.into())]);
    }
    let labels_path = either(path, "train-labels-idx1-ubyte")?;
    let images = idx_images(either(path, "train-images-idx3-ubyte")?)?;
    let (dimensions, labels) = read_bytes(&labels_path)?;
    let count = labels.iter().max().map_or(1, |&largest| usize::from(largest) + 1);
    let labels = classes(&labels_path.display().to_string(), &dimensions, labels, count)?;
    if labels.rows() != images.count() {
        let found = format!("{} labels", labels.rows());
        return Err(Error::data(name, format!("a label for each of {} pictures", images.count()), found));
    }
    Columns::new(name, vec![("x", images.into()), ("y", labels.into())])
}

/// The pictures of one IDX file of rank 3, as bytes.
pub fn idx_images(path: impl AsRef<Path>) -> Result<Pixels> {
    let path = path.as_ref();
    let (dimensions, bytes) = read_bytes(path)?;
    pixels(&path.display().to_string(), &dimensions, bytes)
}

fn pixels(source: &str, dimensions: &[usize], bytes: Vec<u8>) -> Result<Pixels> {
    match *dimensions {
        [0, ..] => Err(Error::data(source, "pictures", "none")),
        [count, height, width] => Pixels::new(count, [1, height, width], bytes),
        _ => Err(Error::data(source, "pictures: three dimensions", format!("{dimensions:?}"))),
    }
}

impl Pixels {
    /// The pictures of an IDX file of rank 3, from the file's content, plain or gzip.
    ///
    /// # Errors
    /// [`Error::Data`] where the content is damaged, cut short, or no pictures.
    pub fn from_idx(bytes: &[u8]) -> Result<Pixels> {
        let (dimensions, bytes) = decode_in_memory(bytes)?;
        pixels(IN_MEMORY, &dimensions, bytes)
    }
}

impl Classes {
    /// The labels of an IDX file of rank 1, from the file's content, plain or gzip: classes in `0..count`.
    ///
    /// # Errors
    /// [`Error::Data`] where the content is damaged, cut short, no labels, or a label is out of range.
    pub fn from_idx(bytes: &[u8], count: usize) -> Result<Classes> {
        let (dimensions, bytes) = decode_in_memory(bytes)?;
        classes(IN_MEMORY, &dimensions, bytes, count)
    }
}

fn decode_in_memory(bytes: &[u8]) -> Result<(Vec<usize>, Vec<u8>)> {
    decode(bytes).map_err(|(expected, found)| Error::data(IN_MEMORY, expected, found))
}

/// The labels of one IDX file of rank 1, classes in `0..count`.
pub fn idx_labels(path: impl AsRef<Path>, count: usize) -> Result<Classes> {
    let path = path.as_ref();
    let (dimensions, bytes) = read_bytes(path)?;
    classes(&path.display().to_string(), &dimensions, bytes, count)
}

fn classes(source: &str, dimensions: &[usize], bytes: Vec<u8>, count: usize) -> Result<Classes> {
    if dimensions.len() != 1 {
        return Err(Error::data(source, "labels: one dimension", format!("{dimensions:?}")));
    }
    if let Some(row) = bytes.iter().position(|&label| usize::from(label) >= count) {
        let (expected, found) = (format!("a class in 0..{count}"), bytes[row].to_string());
        return Err(Error::Data { source: source.to_string(), row: Some(row), field: None, expected, found });
    }
    Classes::new(dimensions, count, bytes.into_iter().map(i32::from).collect())
}

/// The dimensions and elements of an IDX file of unsigned bytes.
pub fn read_bytes(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<u8>)> {
    let path = path.as_ref();
    let file = fs::read(path).map_err(|error| Error::io(path, error))?;
    decode(&file).map_err(|(expected, found)| refuse(path, expected, found))
}

/// As [`read_bytes`], from the file's content; what was expected and what was found where it is refused.
pub(super) fn decode(file: &[u8]) -> std::result::Result<(Vec<usize>, Vec<u8>), (String, String)> {
    if file.starts_with(&GZIP) {
        decode_stream(&mut GzDecoder::new(file), file.len().saturating_mul(TIGHTEST))
    } else {
        decode_stream(&mut &file[..], file.len())
    }
}

/// Reads a stream that yields at most `most` bytes.
fn decode_stream(stream: &mut dyn Read, most: usize) -> std::result::Result<(Vec<usize>, Vec<u8>), (String, String)> {
    let whole = "an IDX file in one piece";
    let cut = |error: std::io::Error| (whole.to_string(), format!("one that is cut short or damaged ({error})"));
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).map_err(cut)?;
    let [0, 0, element, rank] = magic else {
        return Err(("an IDX file, which begins with two zero bytes".to_string(), format!("{magic:02x?}")));
    };
    if element != UNSIGNED_BYTE {
        return Err(("an IDX file of unsigned bytes (type 0x08)".to_string(), format!("type 0x{element:02x}")));
    }
    let mut dimensions = Vec::with_capacity(usize::from(rank));
    for _ in 0..rank {
        let mut dimension = [0; 4];
        stream.read_exact(&mut dimension).map_err(cut)?;
        dimensions.push(u32::from_be_bytes(dimension) as usize);
    }
    let claimed = dimensions.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
    let Some(claimed) = claimed.filter(|&claimed| claimed <= MOST_ELEMENTS && claimed <= most) else {
        return Err((whole.to_string(), format!("one that claims {dimensions:?} elements, more than it can hold")));
    };
    let mut bytes = Vec::new();
    stream.take(claimed as u64).read_to_end(&mut bytes).map_err(cut)?;
    if bytes.len() < claimed {
        return Err((format!("{claimed} elements for {dimensions:?}"), format!("{}: it is cut short", bytes.len())));
    }
    let mut beyond = [0];
    match stream.read(&mut beyond).map_err(cut)? {
        0 => Ok((dimensions, bytes)),
        _ => Err((format!("{claimed} elements for {dimensions:?}"), "more than that".to_string())),
    }
}

fn either(folder: &Path, name: &str) -> Result<PathBuf> {
    let (plain, packed) = (folder.join(name), folder.join(format!("{name}.gz")));
    if plain.exists() || !packed.exists() { Ok(plain) } else { Ok(packed) }
}

fn refuse(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::data(path.display().to_string(), expected, found)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(dimensions: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        file.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
        file.extend(bytes);
        file
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(file: &[u8], part: &str) {
        let (expected, found) = decode(file).unwrap_err();
        assert!(found.contains(part) || expected.contains(part), "expected {expected}, found {found}");
    }

    #[test]
    fn plain_and_packed_files_read_alike() {
        let plain = file(&[2, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
        let expected = (vec![2, 2, 3], plain[16..].to_vec());
        assert_eq!(decode(&plain), Ok(expected.clone()));
        assert_eq!(decode(&gzip(&plain)), Ok(expected));
    }

    #[test]
    fn what_is_broken_is_refused_and_said() {
        let whole = file(&[2, 2, 3], &[7; 12]);
        refused(&whole[..20], "cut short");
        for length in 0..whole.len() {
            decode(&whole[..length]).unwrap_err();
        }
        let packed = gzip(&whole);
        for length in 0..packed.len() {
            decode(&packed[..length]).unwrap_err();
        }
        refused(&[whole.clone(), vec![1]].concat(), "more than that");
        refused(&gzip(&file(&[2, 2, 3], &[7; 9])), "cut short");
        refused(b"\x89PNG\r\n", "two zero bytes");
        refused(&[0, 0, 0x0d, 1, 0, 0, 0, 0], "type 0x0d");
        refused(&[], "cut short");
    }

    #[test]
    fn a_claim_beyond_the_file_is_refused_before_memory_is_taken() {
        let claim = file(&[u32::MAX, u32::MAX, u32::MAX], &[1, 2, 3]);
        refused(&claim, "more than it can hold");
        refused(&gzip(&claim), "more than it can hold");
        refused(&gzip(&file(&[1 << 30], &[0; 9])), "more than it can hold");
    }

    #[test]
    fn no_pictures_of_an_enormous_size_are_refused() {
        let error = Pixels::from_idx(&file(&[0, u32::MAX, u32::MAX], &[])).unwrap_err();
        assert!(error.to_string().contains("expected pictures, found none"), "{error}");
        assert!(Pixels::new(0, [usize::MAX, 2, 2], Vec::new()).is_err());
    }

    #[test]
    fn a_folder_gives_pictures_with_labels() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("train-images-idx3-ubyte.gz"), gzip(&file(&[3, 1, 2], &[0, 255, 51, 102, 0, 0]))).unwrap();
        fs::write(at("train-labels-idx1-ubyte"), file(&[3], &[4, 0, 2])).unwrap();
        let set = idx(folder.path()).unwrap();
        let columns: Vec<_> = crate::Source::columns(&set)
            .iter()
            .map(|column| (column.name.clone(), column.kind.describe(&column.shape)))
            .collect();
        assert_eq!(columns, [("x".into(), "[1, 1, 2]".to_string()), ("y".into(), "class(5)".to_string())]);
        let mut pixels = [0.0; 4];
        crate::Source::copy_numbers(&set, 0, &[1, 0], &mut pixels).unwrap();
        assert!(pixels.iter().zip([-0.6, -0.2, -1.0, 1.0]).all(|(found, expected)| (found - expected).abs() < 1e-6));
        // Fewer labels than pictures, a label out of range, no file at all.
        fs::write(at("train-labels-idx1-ubyte"), file(&[2], &[4, 0])).unwrap();
        assert!(idx(folder.path()).unwrap_err().to_string().contains("2 labels"));
        let error = idx_labels(at("train-labels-idx1-ubyte"), 3).unwrap_err();
        assert!(matches!(error, Error::Data { row: Some(0), .. }), "{error}");
        assert!(idx(at("absent")).unwrap_err().to_string().contains("absent"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, dimensions in proptest::collection::vec(0u32.., 0..5)) {
            let _ = decode(&bytes);
            let near = file(&dimensions, &bytes);
            let _ = decode(&gzip(&near));
            if let Ok((dimensions, elements)) = decode(&near) {
                assert_eq!(dimensions.iter().product::<usize>(), elements.len());
            }
        }
    }
}
