//! What is done with some data sets before they are kept.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Removes the emoji that only one of the two styles has, so that the sorted files of both folders are pairs.
pub(super) fn emoji_pairs(folder: &Path) -> io::Result<()> {
    let names = |style: &str| -> io::Result<BTreeSet<OsString>> {
        fs::read_dir(folder.join(style))?.map(|entry| Ok(entry?.file_name())).collect()
    };
    let (twitter, google) = (names("twitter")?, names("google")?);
    for (style, own, other) in [("twitter", &twitter, &google), ("google", &google, &twitter)] {
        for name in own.difference(other) {
            fs::remove_file(folder.join(style).join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["twitter/a.png", "twitter/b.png", "google/b.png", "google/c.png"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        emoji_pairs(folder.path()).unwrap();
        for style in ["twitter", "google"] {
            let left: Vec<_> = fs::read_dir(folder.path().join(style)).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left, ["b.png"]);
        }
    }
}
