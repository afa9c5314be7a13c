//! Readers on files as they should be, and on those that are not.

mod csv;
mod images;
mod npy;
mod wav;

use std::path::{Path, PathBuf};

use crate::array::Array;
use crate::error::Result;
use crate::source::{Columns, Source};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        write(&folder.path().join(name), bytes);
    }
    folder
}

fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

/// The types of the columns, as the language writes them.
fn types(source: &dyn Source) -> Vec<String> {
    let columns = source.columns();
    columns.iter().map(|column| format!("{}: {}", column.name, column.kind.describe(&column.shape))).collect()
}

/// All numbers of a column.
fn numbers(source: &dyn Source, column: usize) -> Vec<f32> {
    let each: usize = source.columns()[column].shape.iter().product();
    let mut out = vec![0.0; each * source.len()];
    source.copy_numbers(column, &(0..source.len()).collect::<Vec<_>>(), &mut out).unwrap();
    out
}

fn classes(columns: &Columns, name: &str) -> Vec<i32> {
    match columns.column(name) {
        Some(Array::Classes(classes)) => classes.as_slice().to_vec(),
        other => panic!("{name} is {other:?}"),
    }
}

/// The message of the one error that this gives, which says all of these.
fn refused<T>(result: Result<T>, says: &[&str]) -> String {
    let text = match result {
        Ok(_) => panic!("this was to be refused; it should say {says:?}"),
        Err(error) => error.to_string(),
    };
    for part in says {
        assert!(text.contains(part), "{text}\ndoes not say {part}");
    }
    text
}
