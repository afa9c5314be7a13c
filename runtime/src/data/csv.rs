//! Tables as text: CSV files, plain or gzip.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder, Trim};
use flate2::read::MultiGzDecoder;

use super::loading::Loading;
use crate::error::{Error, Result};
use crate::source::{Columns, InMemory};
use crate::tensor::{Classes, Tensor};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Rows between two looks at the clock.
const ROWS_A_LOOK: usize = 4096;

/// A table to load: see [`csv()`].
#[derive(Clone, Debug)]
pub struct Csv {
    input: Input,
    header: bool,
    delimiter: u8,
    parts: Vec<(String, Part)>,
}

#[derive(Clone, Debug)]
enum Input {
    Path(PathBuf),
    Bytes(Vec<u8>),
}

/// What a column of the source is made of.
#[derive(Clone, Debug)]
enum Part {
    /// Several columns of the table, or none: all that no other part takes.
    Numbers(Option<Vec<CsvColumn>>),
    /// One column, a number a sample.
    Number(CsvColumn),
    /// One column of labels, and what they have to be where that is given.
    Classes(CsvColumn, Option<Vec<String>>),
}

/// A column of a table: its name in the header, or its position, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvColumn {
    /// By its name.
    Name(String),
    /// By its position, from 0.
    At(usize),
}

impl From<&str> for CsvColumn {
    fn from(name: &str) -> CsvColumn {
        CsvColumn::Name(name.to_string())
    }
}

impl From<String> for CsvColumn {
    fn from(name: String) -> CsvColumn {
        CsvColumn::Name(name)
    }
}

impl From<usize> for CsvColumn {
    fn from(position: usize) -> CsvColumn {
        CsvColumn::At(position)
    }
}

/// A table in a CSV file, plain or gzip, with a header line. Unless columns are chosen, all of them are numbers and together
/// one column `x: [k]`.
///
/// ```no_run
/// use saddlepoint_runtime::data;
///
/// // Header: sepal_length, sepal_width, species
/// let iris = data::csv("iris.csv").numbers("x", ["sepal_length", "sepal_width"]).classes("y", "species").load()?;
/// println!("{:?}", iris.class_names("y"));                                  // x: [2], y: class(3)
///
/// // No header; a label, then 784 pixels from 0 to 255.
/// let digits = data::csv("digits.csv").no_header().classes("y", 0).rest("x").load()?;
/// let digits = digits.with_shape("x", [1, 28, 28])?.map("x", |pixel| pixel / 127.5 - 1.0)?;
/// # Ok::<(), saddlepoint_runtime::Error>(())
/// ```
pub fn csv(path: impl AsRef<Path>) -> Csv {
    Csv::of(Input::Path(path.as_ref().to_path_buf()))
}

impl Csv {
    /// A table from a file's content, plain or gzip: as [`csv()`].
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Csv {
        Csv::of(Input::Bytes(bytes.into()))
    }

    fn of(input: Input) -> Csv {
        Csv { input, header: true, delimiter: b',', parts: Vec::new() }
    }

    /// The first line is data already; columns are chosen by position, from 0.
    pub fn no_header(mut self) -> Csv {
        self.header = false;
        self
    }

    /// What stands between two cells, if no comma: `b';'`, `b'\t'`.
    pub fn delimiter(mut self, delimiter: u8) -> Csv {
        self.delimiter = delimiter;
        self
    }

    /// A column `name: [k]` of these k columns of the table, by name or position (`1..785`), in this order.
    pub fn numbers<C: Into<CsvColumn>>(mut self, name: &str, columns: impl IntoIterator<Item = C>) -> Csv {
        let columns = columns.into_iter().map(Into::into).collect();
        self.parts.push((name.to_string(), Part::Numbers(Some(columns))));
        self
    }

    /// A column `name: [k]` of all columns of the table that nothing else takes.
    pub fn rest(mut self, name: &str) -> Csv {
        self.parts.push((name.to_string(), Part::Numbers(None)));
        self
    }

    /// A column `name: []` of one column of the table: a single number a sample.
    pub fn number(mut self, name: &str, column: impl Into<CsvColumn>) -> Csv {
        self.parts.push((name.to_string(), Part::Number(column.into())));
        self
    }

    /// A column `name: class(K)`: every different text of the table's column is a class, in alphabetical order, or in that of
    /// numbers where all are whole numbers. [`Columns::class_names`] tells them.
    pub fn classes(mut self, name: &str, column: impl Into<CsvColumn>) -> Csv {
        self.parts.push((name.to_string(), Part::Classes(column.into(), None)));
        self
    }

    /// As [`classes`](Csv::classes), with these labels in this order: for a second table that has to number its classes as the
    /// first one does. Any other label is an error.
    pub fn classes_among<S: Into<String>>(
        mut self,
        name: &str,
        column: impl Into<CsvColumn>,
        labels: impl IntoIterator<Item = S>,
    ) -> Csv {
        let labels = labels.into_iter().map(Into::into).collect();
        self.parts.push((name.to_string(), Part::Classes(column.into(), Some(labels))));
        self
    }

    /// Reads the table. Long loads show their progress on a terminal.
    ///
    /// # Errors
    /// [`Error::Data`] with line and column: a cell that is no number, is empty, or is an unknown label; a line of another
    /// length than the first; a column that is not there; no line at all. [`Error::Io`] for what cannot be read.
    pub fn load(&self) -> Result<Columns> {
        match &self.input {
            Input::Bytes(bytes) => self.read("the table", BufReader::new(&bytes[..]), bytes.len() as u64),
            Input::Path(path) => {
                let io = |error| Error::io(path, error);
                let file = File::open(path).map_err(io)?;
                let length = file.metadata().map_err(io)?.len();
                self.read(&path.display().to_string(), BufReader::with_capacity(1 << 16, file), length)
            }
        }
    }

    fn read(&self, name: &str, mut input: impl BufRead, length: u64) -> Result<Columns> {
        let start = input.fill_buf().map_err(|error| Error::io(name, error))?;
        match start.starts_with(&GZIP) {
            true => self.parse(name, &mut MultiGzDecoder::new(input), None),
            false => self.parse(name, &mut input, Some(length)),
        }
    }

    fn parse(&self, name: &str, input: &mut dyn Read, length: Option<u64>) -> Result<Columns> {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(self.delimiter).trim(Trim::All);
        let mut table = builder.from_reader(input);
        let mut record = ByteRecord::new();
        let broken = |error: csv::Error| Error::data(name, "a table that can be read to its end", error.to_string());
        let mut next = |record: &mut ByteRecord| table.read_byte_record(record).map_err(broken);
        let mut more = next(&mut record)?;
        if !more {
            return Err(Error::data(name, "a table", "an empty file"));
        }
        let width = record.len();
        let mut header = None;
        if self.header {
            header = Some(record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
            more = next(&mut record)?;
        }
        if !more {
            return Err(Error::data(name, "lines below the header (`.no_header()` where there is none)", "none"));
        }
        let titles = Titles { source: name, header, width };
        let mut parts = self.bind(&titles)?;
        let loading = Loading::new(name, length.unwrap_or(0));
        let mut rows = 0;
        while more {
            let line = record.position().map_or(0, |position| position.line());
            if record.len() != width {
                let found = format!("{} cells", record.len());
                return Err(Error::data(
                    format!("{name}, line {line}"),
                    format!("{width} cells as in the first line"),
                    found,
                ));
            }
            for part in &mut parts {
                part.take(&titles, line, &record)?;
            }
            rows += 1;
            if rows % ROWS_A_LOOK == 0 && length.is_some() {
                loading.reached(record.position().map_or(0, |position| position.byte()));
            }
            more = next(&mut record)?;
        }
        let mut columns = Vec::new();
        let mut names = Vec::new();
        for part in parts {
            let (values, classes) = part.finish(rows)?;
            columns.push((part_name(&self.parts, columns.len()), values));
            names.push(classes);
        }
        let labelled: Vec<String> = columns.iter().map(|(name, _)| name.to_string()).collect();
        let mut columns = Columns::new(name, columns)?;
        for (column, names) in labelled.iter().zip(names).filter(|(_, names)| !names.is_empty()) {
            columns = columns.with_class_names(column, names)?;
        }
        Ok(columns)
    }

    /// Finds the columns of every part.
    fn bind(&self, titles: &Titles<'_>) -> Result<Vec<Filling>> {
        let mut taken = vec![false; titles.width];
        for (_, part) in &self.parts {
            let columns: &[CsvColumn] = match part {
                Part::Numbers(columns) => columns.as_deref().unwrap_or_default(),
                Part::Number(column) | Part::Classes(column, _) => std::slice::from_ref(column),
            };
            for column in columns {
                taken[titles.find(column)?] = true;
            }
        }
        let all = [(String::new(), Part::Numbers(None))];
        let parts: &[(String, Part)] = if self.parts.is_empty() { &all } else { &self.parts };
        let mut fillings = Vec::with_capacity(parts.len());
        for (name, part) in parts {
            fillings.push(match part {
                Part::Numbers(Some(columns)) => {
                    let at = columns.iter().map(|column| titles.find(column)).collect::<Result<Vec<_>>>()?;
                    Filling::Numbers { at, scalar: false, values: Vec::new() }
                }
                Part::Numbers(None) => {
                    let at: Vec<usize> = (0..titles.width).filter(|at| !taken[*at]).collect();
                    if at.is_empty() {
                        return Err(Error::field(titles.source, None, name, "columns that nothing else takes", "none"));
                    }
                    Filling::Numbers { at, scalar: false, values: Vec::new() }
                }
                Part::Number(column) => {
                    Filling::Numbers { at: vec![titles.find(column)?], scalar: true, values: Vec::new() }
                }
                Part::Classes(column, among) => Filling::classes(titles.find(column)?, among.as_deref()),
            });
        }
        Ok(fillings)
    }
}

/// The name of a part; without parts there is one, `x`.
fn part_name(parts: &[(String, Part)], index: usize) -> &str {
    parts.get(index).map_or("x", |(name, _)| name)
}

/// How the columns of a table are called.
struct Titles<'a> {
    source: &'a str,
    header: Option<Vec<String>>,
    width: usize,
}

impl Titles<'_> {
    fn find(&self, column: &CsvColumn) -> Result<usize> {
        let refuse =
            |name: String, found: String| Err(Error::field(self.source, None, name, "a column of this name", found));
        match (column, &self.header) {
            (CsvColumn::At(at), _) if *at < self.width => Ok(*at),
            (CsvColumn::At(at), _) => {
                let (expected, found) = (format!("a column below {} (from 0)", self.width), at.to_string());
                Err(Error::data(self.source, expected, found))
            }
            (CsvColumn::Name(name), None) => refuse(name.clone(), "a table without header: choose by position".to_string()),
            (CsvColumn::Name(name), Some(header)) => {
                let mut places = (0..header.len()).filter(|at| header[*at] == *name);
                match (places.next(), places.next()) {
                    (Some(at), None) => Ok(at),
                    (Some(_), Some(_)) => refuse(name.clone(), "several: choose by position".to_string()),
                    _ => {
                        let names: Vec<String> = header.iter().take(20).map(|title| format!("`{}`", shown(title))).collect();
                        refuse(name.clone(), format!("only {}", names.join(", ")))
                    }
                }
            }
        }
    }

    /// An error in one cell.
    fn refuse(&self, line: u64, at: usize, expected: &str, found: &[u8]) -> Error {
        let name = match self.header.as_ref().and_then(|header| header.get(at)) {
            Some(title) => format!("column `{}`", shown(title)),
            None => format!("column {at} (from 0)"),
        };
        let text = String::from_utf8_lossy(&found[..found.len().min(100)]);
        let found = if found.is_empty() { "an empty cell".to_string() } else { format!("`{}`", shown(&text)) };
        Error::data(format!("{}, line {line}, {name}", self.source), expected, found)
    }
}

/// Text that fits into a message.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    start.escape_debug().to_string()
}

/// A column of the source as it grows.
enum Filling {
    Numbers { at: Vec<usize>, scalar: bool, values: Vec<f32> },
    Classes { at: usize, given: bool, labels: Vec<String>, known: BTreeMap<String, i32>, values: Vec<i32> },
}

impl Filling {
    fn classes(at: usize, among: Option<&[String]>) -> Filling {
        let labels = among.unwrap_or_default().to_vec();
        let known = labels.iter().cloned().zip(0..).collect();
        Filling::Classes { at, given: among.is_some(), labels, known, values: Vec::new() }
    }

    fn take(&mut self, titles: &Titles<'_>, line: u64, record: &ByteRecord) -> Result<()> {
        let cell = |at: usize| record.get(at).unwrap_or_default();
        match self {
            Filling::Numbers { at, values, .. } => {
                for &at in at.iter() {
                    let number = std::str::from_utf8(cell(at)).ok().and_then(|text| text.parse::<f32>().ok());
                    match number.filter(|number| number.is_finite()) {
                        Some(number) => values.push(number),
                        None => return Err(titles.refuse(line, at, "a finite number", cell(at))),
                    }
                }
            }
            Filling::Classes { at, given, labels, known, values } => {
                let label = match std::str::from_utf8(cell(*at)) {
                    Ok(label) if !label.is_empty() => label,
                    _ => return Err(titles.refuse(line, *at, "a label", cell(*at))),
                };
                let class = match known.get(label) {
                    Some(class) => *class,
                    None if *given => {
                        let expected = format!("one of the {} labels given", labels.len());
                        return Err(titles.refuse(line, *at, &expected, cell(*at)));
                    }
                    None => {
                        let class = labels.len() as i32;
                        labels.push(label.to_string());
                        known.insert(label.to_string(), class);
                        class
                    }
                };
                values.push(class);
            }
        }
        Ok(())
    }

    /// The column, and the names of its classes.
    fn finish(self, rows: usize) -> Result<(InMemory, Vec<String>)> {
        match self {
            Filling::Numbers { scalar: true, values, .. } => Ok((Tensor::new([rows], values)?.into(), Vec::new())),
            Filling::Numbers { at, values, .. } => Ok((Tensor::new([rows, at.len()], values)?.into(), Vec::new())),
            Filling::Classes { given: true, labels, values, .. } => {
                Ok((Classes::new([rows], labels.len(), values)?.into(), labels))
            }
            Filling::Classes { labels, mut values, .. } => {
                let (sorted, classes) = in_order(labels);
                values.iter_mut().for_each(|value| *value = classes[*value as usize]);
                Ok((Classes::new([rows], sorted.len(), values)?.into(), sorted))
            }
        }
    }
}

/// Labels in order, and the class of each in the order they came in.
fn in_order(labels: Vec<String>) -> (Vec<String>, Vec<i32>) {
    let numbers: Option<Vec<i64>> = labels.iter().map(|label| label.parse().ok()).collect();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    match numbers {
        // Labels that are one number in two spellings stay apart, in the order of their text.
        Some(numbers) => order.sort_by(|&a, &b| numbers[a].cmp(&numbers[b]).then_with(|| labels[a].cmp(&labels[b]))),
        None => order.sort_by(|&a, &b| labels[a].cmp(&labels[b])),
    }
    let mut classes = vec![0; labels.len()];
    for (class, &label) in order.iter().enumerate() {
        classes[label] = class as i32;
    }
    (order.into_iter().map(|label| labels[label].clone()).collect(), classes)
}
