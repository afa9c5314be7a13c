//! Archives are unpacked: tar streams and zip files. Of an archive with an entry that leads out of the folder, or a link among
//! the files that are kept, nothing is trusted.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// More than this in one package is taken for a damaged one.
const MOST_BYTES: u64 = 1 << 31;

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// An entry that would lie outside of the folder.
    #[error("its entry `{0}` leads out of the folder that it is unpacked into")]
    Outside(String),
    /// A link or something else that is neither file nor folder.
    #[error("its entry `{0}` is neither a file nor a folder")]
    NoFile(String),
    /// More than can be right.
    #[error("it holds more than {MOST_BYTES} bytes")]
    TooLarge,
    /// Nothing that was wanted.
    #[error("it holds none of the files that were expected")]
    Nothing,
    /// It is cut short or damaged, or the disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The files to keep: (beginning of the path in the archive, what replaces it).
pub(super) type Keep<'a> = &'a [(&'a str, &'a str)];

/// Unpacks a tar stream into a folder; the paths of the files, with `/`.
pub(super) fn tar(stream: impl Read, folder: &Path, keep: Keep) -> Result<Vec<String>, Refused> {
    let mut unpacked = Unpacked::into(folder, keep);
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        unpacked.entry(&name, kind.is_dir(), kind.is_file(), &mut entry)?;
    }
    unpacked.files()
}

/// Unpacks a zip file into a folder, as [`tar`].
pub(super) fn zip(file: File, folder: &Path, keep: Keep) -> Result<Vec<String>, Refused> {
    let mut archive = zip::ZipArchive::new(file).map_err(io::Error::from)?;
    let mut unpacked = Unpacked::into(folder, keep);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(io::Error::from)?;
        let (name, is_folder, is_link) =
            (entry.name().map_err(io::Error::from)?.into_owned(), entry.is_dir(), entry.is_symlink());
        unpacked.entry(&name, is_folder, !is_folder && !is_link, &mut entry)?;
    }
    unpacked.files()
}

struct Unpacked<'a> {
    folder: &'a Path,
    keep: Keep<'a>,
    left: u64,
    files: Vec<String>,
}

impl<'a> Unpacked<'a> {
    fn into(folder: &'a Path, keep: Keep<'a>) -> Unpacked<'a> {
        Unpacked { folder, keep, left: MOST_BYTES, files: Vec::new() }
    }

    fn entry(&mut self, name: &str, is_folder: bool, is_file: bool, content: &mut dyn Read) -> Result<(), Refused> {
        let inside = inside(name).ok_or_else(|| Refused::Outside(name.to_string()))?;
        let renamed = |(from, to): &(&str, &str)| inside.strip_prefix(from).map(|rest| format!("{to}{rest}"));
        let Some(path) = self.keep.iter().find_map(renamed).filter(|path| !path.is_empty() && !is_folder) else {
            return Ok(());
        };
        if !is_file {
            return Err(Refused::NoFile(name.to_string()));
        }
        let target = self.folder.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // Never over a file that is there: a second entry of one name is as suspect as one that leads outside.
        let copied = io::copy(&mut content.take(self.left + 1), &mut File::create_new(&target)?)?;
        self.left = self.left.checked_sub(copied).ok_or(Refused::TooLarge)?;
        self.files.push(path);
        Ok(())
    }

    fn files(self) -> Result<Vec<String>, Refused> {
        if self.files.is_empty() { Err(Refused::Nothing) } else { Ok(self.files) }
    }
}

/// An entry's path, if it stays inside on every system: relative, without `..`, and without what only Windows takes for a
/// separator or a drive.
fn inside(name: &str) -> Option<String> {
    if name.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let safe = |part: &&str| *part != ".." && !part.contains(['\\', ':', '\0']);
    parts.iter().all(safe).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A tar of entries whose names are written as they are, whatever they say.
    fn tarball(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in entries {
            let mut header = tar::Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn zipped(entries: &[(&str, &[u8])]) -> File {
        let mut writer = zip::ZipWriter::new(tempfile::tempfile().unwrap());
        for (name, content) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap()
    }

    const KEEP: Keep = &[("package/data/", ""), ("package/names.json", "about/names.json")];

    #[test]
    fn what_is_wanted_is_unpacked_and_nothing_else() {
        let entries: &[(&str, &[u8])] =
            &[("./package/data/a/one", b"1"), ("package/names.json", b"{}"), ("package/index.js", b"no")];
        for is_zip in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let files = match is_zip {
                true => zip(zipped(entries), folder.path(), KEEP),
                false => tar(&tarball(entries)[..], folder.path(), KEEP),
            };
            assert_eq!(files.unwrap(), ["a/one", "about/names.json"]);
            assert_eq!(fs::read(folder.path().join("a/one")).unwrap(), b"1");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }
    }

    #[test]
    fn entries_that_lead_outside_are_refused_even_if_they_are_not_wanted() {
        for name in ["../evil", "package/data/../../../evil", "/evil", "package\\data\\..\\evil", "C:evil"] {
            let above = tempfile::tempdir().unwrap();
            let folder = above.path().join("set");
            fs::create_dir(&folder).unwrap();
            let entries: &[(&str, &[u8])] = &[(name, b"bad"), ("package/data/one", b"1")];
            for result in [tar(&tarball(entries)[..], &folder, KEEP), zip(zipped(entries), &folder, KEEP)] {
                assert!(matches!(&result, Err(Refused::Outside(entry)) if entry == name), "{name}: {result:?}");
            }
            assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        }
    }

    #[test]
    fn links_and_second_entries_of_a_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "package/data/link", "/etc").unwrap();
        let archive = builder.into_inner().unwrap();
        assert!(matches!(tar(&archive[..], folder.path(), KEEP), Err(Refused::NoFile(_))));
        let twice = tarball(&[("package/data/one", b"1"), ("package/data/one", b"2")]);
        assert!(matches!(tar(&twice[..], folder.path(), KEEP), Err(Refused::Io(_))));
        assert_eq!(fs::read(folder.path().join("one")).unwrap(), b"1");
    }

    #[test]
    fn archives_without_the_files_or_cut_short_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = tarball(&[("package/index.js", b"no")]);
        assert!(matches!(tar(&other[..], folder.path(), KEEP), Err(Refused::Nothing)));
        let whole = tarball(&[("package/data/one", &[7; 2000])]);
        assert!(matches!(tar(&whole[..1000], folder.path(), KEEP), Err(Refused::Io(_))));
        assert!(matches!(zip(tempfile::tempfile().unwrap(), folder.path(), KEEP), Err(Refused::Io(_))));
    }
}
