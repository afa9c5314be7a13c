//! Files of JSON lines to which a run appends: only whole lines, each handed to the system at once, so that a process that
//! dies loses at most the line it was writing.
//!
//! A write that fails (a full disk) takes back the part that was written and keeps the line for the next write.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// An open file of lines.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    /// Bytes of the file that are whole lines.
    whole: u64,
    /// Lines that are still to be written.
    pending: String,
    /// A failed write may have left a part of a line behind.
    torn: bool,
}

impl Lines {
    /// Opens or makes the file. What an earlier process left as half a line becomes a line of its own, which readers pass over.
    pub(super) fn open(path: &Path) -> Result<Lines> {
        let fail = |error| Error::io(path, error);
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(fail)?;
        let whole = file.seek(SeekFrom::End(0)).map_err(fail)?;
        let mut last = [b'\n'];
        if whole > 0 {
            file.seek(SeekFrom::Start(whole - 1)).and_then(|_| file.read_exact(&mut last)).map_err(fail)?;
        }
        let pending = if last[0] == b'\n' { String::new() } else { "\n".to_string() };
        Ok(Lines { path: path.to_path_buf(), file, whole, pending, torn: false })
    }

    /// Appends a line, after those that could not be written before.
    pub(super) fn append(&mut self, line: &str) -> Result<()> {
        self.pending += line;
        self.pending.push('\n');
        self.flush().map_err(|error| Error::io(&self.path, error))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.torn {
            self.file.set_len(self.whole)?;
            self.torn = false;
        }
        self.torn = true;
        self.file.write_all(self.pending.as_bytes())?;
        self.torn = false;
        self.whole += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; a part of a line is taken back all the same.
        if self.torn || !self.pending.is_empty() {
            let _ = self.flush().or_else(|_| self.file.set_len(self.whole));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn half_a_line_of_an_earlier_process_does_not_swallow_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        fs::write(&path, "{\"a\":1}\n{\"b\"").unwrap();
        Lines::open(&path).unwrap().append("{\"c\":3}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\"\n{\"c\":3}\n");
        Lines::open(&path).unwrap().append("{\"d\":4}").unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("{\"c\":3}\n{\"d\":4}\n"));
    }

    #[test]
    fn a_line_is_in_the_file_as_soon_as_it_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let mut lines = Lines::open(&path).unwrap();
        for count in 1..4 {
            lines.append("{}").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n".repeat(count));
        }
    }

    #[test]
    fn a_line_that_could_not_be_written_is_written_with_the_next_and_parts_are_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let mut lines = Lines::open(&path).unwrap();
        lines.append("{\"a\":1}").unwrap();
        // A handle that cannot write stands for a full disk.
        let writable = std::mem::replace(&mut lines.file, File::open(&path).unwrap());
        assert!(lines.append("{\"b\":2}").unwrap_err().to_string().contains("lines.jsonl"));
        // What a full disk leaves: the part of the line for which there was room.
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"b").unwrap();
        assert!(lines.append("{\"c\":3}").is_err());
        lines.file = writable;
        lines.append("{\"d\":4}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n{\"d\":4}\n");
    }
}
