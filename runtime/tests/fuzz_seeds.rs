//! The seeds of the fuzz targets, and with them every input that once broke a reader, read as the targets read them: none
//! makes a reader panic, and what is whole reads.

use std::path::{Path, PathBuf};

use saddlepoint_runtime::data::{Clips, Csv, Pixels};
use saddlepoint_runtime::{Classes, Result, Tensor};

/// The files of a target's seeds, sorted by name.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(folder).expect("a folder of seeds");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a seed").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a readable seed"))).collect()
}

/// Reads all seeds of a target, of which so many are whole.
fn read(target: &str, whole: usize, read: impl Fn(&[u8]) -> Result<()>) {
    let (mut read_well, mut refused) = (0, Vec::new());
    for (path, bytes) in seeds(target) {
        match read(&bytes) {
            Ok(()) => read_well += 1,
            Err(error) => refused.push(format!("{}: {error}", path.display())),
        }
    }
    assert_eq!(read_well, whole, "of the seeds of {target} these were refused:\n{}", refused.join("\n"));
}

#[test]
fn the_seeds_of_idx() {
    read("idx", 2, |bytes| Pixels::from_idx(bytes).map(drop));
    read("idx", 1, |bytes| Classes::from_idx(bytes, 10).map(drop));
}

#[test]
fn the_seeds_of_npy() {
    read("npy", 4, |bytes| Tensor::from_npy(bytes).map(drop));
}

#[test]
fn the_seeds_of_csv() {
    read("csv", 5, |bytes| {
        let (how, bytes) = bytes.split_first().unwrap_or((&0, &[]));
        let table = Csv::from_bytes(bytes);
        let table = if how & 1 == 0 { table } else { table.no_header() };
        let table = if how & 2 == 0 { table } else { table.delimiter(b';') };
        let table = if how & 4 == 0 { table } else { table.classes("y", 0).rest("x") };
        let table = if how & 8 == 0 { table } else { table.numbers("z", ["a", "b"]).number("w", "b") };
        let table = if how & 13 == 0 { table.classes("y", "kind").rest("x") } else { table };
        table.load().map(drop)
    });
}

#[test]
fn the_seeds_of_wav() {
    read("wav", 5, |bytes| Clips::from_wav(bytes, 16, 5).map(drop));
}

#[test]
fn the_seeds_of_pictures() {
    // One is partly transparent, which is refused where nothing says what to do about it.
    read("picture", 3, |bytes| Pixels::from_picture(bytes).map(drop));
}
