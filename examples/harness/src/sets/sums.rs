//! SHA-256 sums of files and of folders.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// A SHA-256 sum: 64 hexadecimal digits, small letters.
pub type Sum = &'static str;

/// The sum of a file.
pub(super) fn of_file(path: &Path) -> io::Result<String> {
    let (mut file, mut sum) = (File::open(path)?, Sha256::new());
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hexadecimal(&sum.finalize())),
            count => sum.update(&piece[..count]),
        }
    }
}

/// The sum of a text with a line `SUM  PATH` for each of these files in a folder, sorted by path. Paths are written with `/`.
pub(super) fn of_files(folder: &Path, files: &[String]) -> io::Result<String> {
    let mut files: Vec<&String> = files.iter().collect();
    files.sort();
    let mut sum = Sha256::new();
    for file in files {
        sum.update(format!("{}  {file}\n", of_file(&folder.join(file))?));
    }
    Ok(hexadecimal(&sum.finalize()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standard_and_do_not_depend_on_the_order() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b"), "abc").unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        // FIPS 180-4: the sum of "abc", and of nothing.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of_file(&folder.path().join("b")).unwrap(), abc);
        std::fs::write(folder.path().join("list"), format!("{nothing}  a\n{abc}  b\n")).unwrap();
        let expected = of_file(&folder.path().join("list")).unwrap();
        for files in [["a", "b"], ["b", "a"]] {
            assert_eq!(of_files(folder.path(), &files.map(String::from)).unwrap(), expected);
        }
    }
}
