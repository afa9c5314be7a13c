//! Writing files so that a crash, a full disk or a kill leaves either the old content or the new, never a part.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Replaces the file at `path` by these bytes: written beside it, flushed to the disk, renamed over it. Makes the folder. A
/// symbolic link stays one; what is no file (a folder, a device) is refused.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let refuse = |error: io::Error| Error::io(path, error);
    let path = &match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(refuse(io::ErrorKind::IsADirectory.into())),
        // A rename would put a file in the place of the device.
        Ok(there) if !there.is_file() => return Err(refuse(io::Error::other("there is something that is no file"))),
        Ok(_) => fs::canonicalize(path).map_err(refuse)?,
        Err(_) => path.to_path_buf(),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    make_folder(folder).map_err(|error| Error::io(folder, error))?;
    let temporary = temporary_name(folder);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // The old file is untouched; what was written of the new one only takes up room.
        let _ = fs::remove_file(&temporary);
        return Err(refuse(error));
    }
    sync_folder(folder)
}

/// Makes a folder and those above it last through a power failure, as far as they are new.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).collect();
    fs::create_dir_all(folder)?;
    for new in missing {
        if let Some(above) = new.parent() {
            sync(if above.as_os_str().is_empty() { Path::new(".") } else { above })?;
        }
    }
    Ok(())
}

/// Makes a rename in this folder last through a power failure, where the system has a way to ask for it.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    sync(folder).map_err(|error| Error::io(folder, error))
}

fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A name in this folder that no other process, and no other thread of this one, writes to.
fn temporary_name(folder: &Path) -> PathBuf {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".saddlepoint.{}.{number}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_content_replaces_the_old_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // As long as a name may be.
        let long = folder.path().join("n".repeat(255));
        write_atomically(&long, b"new").unwrap();
        assert_eq!(fs::read(&long).unwrap(), b"new");
    }

    #[test]
    fn a_failed_write_says_which_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"kept").unwrap();
        let error = write_atomically(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(fs::read(path.join("inside")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let below = write_atomically(&path.join("inside/file"), b"new").unwrap_err();
        assert!(below.to_string().contains("inside"), "{below}");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_stay_devices() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, b"old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&target).unwrap(), b"new");
        // A file of the system that is no regular one, without touching a device: a socket.
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(write_atomically(&socket, b"new").unwrap_err().to_string().contains("no file"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn threads_that_write_one_file_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::thread::scope(|scope| {
            for letter in [b'a', b'b', b'c', b'd'] {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| write_atomically(path, &[letter; 5_000]).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 5_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
