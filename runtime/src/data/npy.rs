//! NumPy's `.npy` files: a header that is a Python dictionary, then the elements.
//!
//! What always holds: what the header claims is held against the file's length before memory is reserved for it.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::tensor::Tensor;

const MAGIC: &[u8] = b"\x93NUMPY";
/// More dimensions than this are taken for a damaged header; NumPy has no more either.
const MOST_DIMENSIONS: usize = 64;
/// What errors call a file that was given by its content.
const IN_MEMORY: &str = "the npy file";

/// The array in an `.npy` file, its first axis the samples. Booleans, integers of 8 to 64 bits and floating-point numbers of
/// 32 and 64 bits become f32, whatever the byte order; C and Fortran order read alike. Labels are [`Tensor::classes`] of it:
///
/// ```no_run
/// use saddlepoint_runtime::data;
///
/// let images = data::npy("images.npy")?;
/// let labels = data::npy("labels.npy")?.classes(10)?;
/// let pairs = (images, labels);
/// # Ok::<(), saddlepoint_runtime::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] where the file is damaged, cut short or of another element type, or a number is beyond f32; [`Error::Io`]
/// where it cannot be read.
pub fn npy(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let io = |error| Error::io(path, error);
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let refuse = |(expected, found)| Error::data(path.display().to_string(), expected, found);
    read(&mut BufReader::with_capacity(1 << 16, file), length).map_err(refuse)
}

impl Tensor {
    /// The array in an `.npy` file, from the file's content: as [`data::npy`](crate::data::npy).
    ///
    /// # Errors
    /// [`Error::Data`] where the content is damaged, cut short or of another element type, or a number is beyond f32.
    pub fn from_npy(bytes: &[u8]) -> Result<Tensor> {
        let refuse = |(expected, found)| Error::data(IN_MEMORY, expected, found);
        read(&mut &bytes[..], bytes.len() as u64).map_err(refuse)
    }
}

/// Writes an array in C order, of elements that a header calls `element`, to a file of version 1.
pub(crate) fn save(path: &Path, shape: &[usize], element: &str, bytes: impl Iterator<Item = u8>) -> Result<()> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let mut header = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({}), }}", axes.trim_end());
    // The elements begin at a multiple of 64 bytes, behind magic, version, length and the line's end.
    let whole = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64);
    let padding = whole - MAGIC.len() - 4 - header.len() - 1;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let length = u16::try_from(header.len())
        .map_err(|_| Error::data(path.display().to_string(), "a shape of fewer axes", format!("{} axes", shape.len())))?;
    let mut file = [MAGIC, &[1, 0], &length.to_le_bytes(), header.as_bytes()].concat();
    file.extend(bytes);
    write_atomically(path, &file)
}

/// What was expected, and what was found.
type Refusal = (String, String);

fn refusal<T>(expected: impl Into<String>, found: impl Into<String>) -> std::result::Result<T, Refusal> {
    Err((expected.into(), found.into()))
}

/// What a header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    element: Option<String>,
    fortran: Option<bool>,
    shape: Option<Vec<usize>>,
}

/// Reads a file of this length.
fn read(file: &mut dyn Read, length: u64) -> std::result::Result<Tensor, Refusal> {
    let cut = |error: std::io::Error| ("a whole npy file".to_string(), format!("one that is cut short ({error})"));
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(cut)?;
    if start.starts_with(b"PK") {
        return refusal("an npy file", "an npz archive: save each array with `numpy.save`, or unzip it");
    }
    if !start.starts_with(MAGIC) {
        return refusal("an npy file, which begins with \"\\x93NUMPY\"", "other content");
    }
    let mut size = [0; 4];
    let before = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return refusal("an npy file of version 1 to 3", format!("version {version}")),
    };
    file.read_exact(&mut size[..before]).map_err(cut)?;
    let header_length = u64::from(u32::from_le_bytes(size));
    let left = length.saturating_sub(8 + before as u64);
    if header_length > left {
        return refusal("a whole npy file", "a header longer than the file");
    }
    let mut header = Vec::new();
    file.take(header_length).read_to_end(&mut header).map_err(cut)?;
    let Header { element: Some(element), fortran: Some(fortran), shape: Some(shape) } = parse_header(&header)? else {
        return refusal("a header with `descr`, `fortran_order` and `shape`", shown(&header));
    };
    let Some((bytes, number)) = decoder(&element) else {
        return refusal("numbers (b1, i1 to i8, u1 to u8, f4, f8)", format!("elements of type {element:?}"));
    };
    let (left, count) = (left - header_length, shape.iter().try_fold(1usize, |product, axis| product.checked_mul(*axis)));
    let claimed = count.and_then(|count| (count as u64).checked_mul(bytes as u64));
    let (Some(count), true) = (count, claimed == Some(left)) else {
        return refusal(format!("the elements of {shape:?}, {bytes} bytes each"), format!("{left} bytes"));
    };
    let mut values = Vec::with_capacity(count);
    let mut buffer = vec![0; 1 << 13];
    while values.len() < count {
        let piece = &mut buffer[..bytes * (count - values.len()).min((1 << 13) / bytes)];
        file.read_exact(piece).map_err(cut)?;
        for element in piece.chunks_exact(bytes) {
            let value = number(element);
            if value.is_finite() && !(value as f32).is_finite() {
                return refusal("numbers that f32 can hold", format!("{value:e} at element {}", values.len()));
            }
            values.push(value as f32);
        }
    }
    let values = if fortran { from_fortran(&shape, &values) } else { values };
    Tensor::new(shape, values).map_err(|error| ("an array".to_string(), error.to_string()))
}

/// What number the bytes of an element are.
type Number = fn(&[u8]) -> f64;

/// How many bytes an element of this type has, and what number they are.
fn decoder(element: &str) -> Option<(usize, Number)> {
    macro_rules! numbers {
        ($($name:literal $type:ty),+) => {
            match element {
                $(concat!("<", $name) => Some((size_of::<$type>(), |bytes| {
                    bytes.try_into().map_or(f64::NAN, |bytes| <$type>::from_le_bytes(bytes) as f64)
                })),
                concat!(">", $name) => Some((size_of::<$type>(), |bytes| {
                    bytes.try_into().map_or(f64::NAN, |bytes| <$type>::from_be_bytes(bytes) as f64)
                })),)+
                "|u1" | "<u1" | ">u1" | "|b1" => Some((1, |bytes| f64::from(bytes[0]))),
                "|i1" | "<i1" | ">i1" => Some((1, |bytes| f64::from(bytes[0] as i8))),
                _ => None,
            }
        };
    }
    numbers!("u2" u16, "u4" u32, "u8" u64, "i2" i16, "i4" i32, "i8" i64, "f4" f32, "f8" f64)
}

/// Elements of which the first index runs fastest, so that the last one does.
fn from_fortran(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for axis in shape {
        strides.push(stride);
        stride *= axis;
    }
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[at]);
        // The next index, as an odometer.
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

/// Reads the dictionary `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse_header(header: &[u8]) -> std::result::Result<Header, Refusal> {
    let damaged = || ("a header that describes an array".to_string(), shown(header));
    let text = std::str::from_utf8(header).map_err(|_| damaged())?;
    let mut rest = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(damaged)?.trim();
    let mut found = Header::default();
    while !rest.is_empty() {
        let (key, after) = quoted(rest).ok_or_else(damaged)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(damaged)?.trim_start();
        let after = match key {
            "descr" if value.starts_with('[') => return refusal("an array of plain numbers", "an array of records"),
            "descr" => {
                let (element, after) = quoted(value).ok_or_else(damaged)?;
                found.element = Some(element.to_string());
                after
            }
            "fortran_order" => {
                let (fortran, after) = match value.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, value.strip_prefix("False").ok_or_else(damaged)?),
                };
                found.fortran = Some(fortran);
                after
            }
            "shape" => {
                let (inside, after) = value.strip_prefix('(').and_then(|value| value.split_once(')')).ok_or_else(damaged)?;
                found.shape = Some(shape(inside).ok_or_else(damaged)?);
                after
            }
            _ => return Err(damaged()),
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.is_empty() => after,
            None => return Err(damaged()),
        };
    }
    Ok(found)
}

/// A Python string, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// The inside of a Python tuple of whole numbers.
fn shape(inside: &str) -> Option<Vec<usize>> {
    let inside = inside.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let mut axes = Vec::new();
    for axis in inside.split(',') {
        // Python 2 wrote its long numbers with an L.
        axes.push(axis.trim().trim_end_matches('L').parse().ok()?);
        if axes.len() > MOST_DIMENSIONS {
            return None;
        }
    }
    Some(axes)
}

/// The beginning of a header, for an error.
fn shown(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(&header[..header.len().min(100)]);
    format!("{:?}", text.trim_end())
}
