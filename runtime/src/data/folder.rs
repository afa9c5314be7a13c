//! The files of a folder that a reader takes, sorted by their paths, with the class of each where folders stand for classes.
//!
//! What always holds: the list depends on names alone, not on the order in which the system lists them; a folder that is linked
//! into itself is entered once.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::source::{Columns, InMemory};
use crate::tensor::Classes;

/// Which files a reader takes.
pub(super) struct Wanted {
    /// What errors call them.
    pub what: &'static str,
    /// Their endings, in small letters.
    pub endings: &'static [&'static str],
}

/// Where classes come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Labels {
    /// There are none.
    #[default]
    None,
    /// From the sub-folders: one class each, in the order of their names.
    Folders,
    /// From the sub-folders of these names, in this order.
    Among(Vec<String>),
}

/// The files found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listing {
    /// Their paths.
    pub files: Vec<PathBuf>,
    /// The class of each, and what the classes are called.
    pub classes: Option<(Vec<i32>, Vec<String>)>,
}

impl Listing {
    /// Lists a folder, or takes the one file that `root` is.
    pub(super) fn of(root: &Path, wanted: &Wanted, recursive: bool, labels: &Labels) -> Result<Listing> {
        let kind = fs::metadata(root).map_err(|error| Error::io(root, error))?;
        if kind.is_file() && *labels == Labels::None {
            return Ok(Listing { files: vec![root.to_path_buf()], classes: None });
        }
        let names = match labels {
            Labels::None => return files_of(root, wanted, recursive),
            Labels::Folders => folders_in(root)?,
            Labels::Among(names) => names.clone(),
        };
        if names.is_empty() {
            return Err(refuse(root, "a folder for each class", "no folder".to_string()));
        }
        let (mut files, mut classes) = (Vec::new(), Vec::new());
        for (class, name) in names.iter().enumerate() {
            let found = files_of(&root.join(name), wanted, true)?.files;
            classes.extend(std::iter::repeat_n(class as i32, found.len()));
            files.extend(found);
        }
        Ok(Listing { files, classes: Some((classes, names)) })
    }

    /// The columns `x`, and `y` where there are classes.
    pub(super) fn columns(self, root: &Path, x: InMemory) -> Result<Columns> {
        let name = root.display().to_string();
        match self.classes {
            None => Columns::new(name, vec![("x", x)]),
            Some((classes, names)) => {
                let classes = Classes::new([classes.len()], names.len(), classes)?;
                Columns::new(name, vec![("x", x), ("y", classes.into())])?.with_class_names("y", names)
            }
        }
    }
}

/// The wanted files of a folder, at least one.
fn files_of(folder: &Path, wanted: &Wanted, recursive: bool) -> Result<Listing> {
    let (mut files, mut skipped) = (Vec::new(), 0);
    gather(folder, wanted, recursive, &mut Vec::new(), &mut files, &mut skipped)?;
    if files.is_empty() {
        let empty = if skipped == 0 { "an empty folder".to_string() } else { format!("none among {skipped} entries") };
        let inside = !recursive && !folders_in(folder)?.is_empty();
        let hint =
            if inside { " (`.recursive()` looks into the folders inside, `.classes()` takes them for classes)" } else { "" };
        return Err(refuse(folder, format!("{} ({})", wanted.what, wanted.endings.join(", ")), empty + hint));
    }
    files.sort();
    Ok(Listing { files, classes: None })
}

/// Collects files; `above` are the folders on the way here, resolved, so that a link back is noticed.
fn gather(
    folder: &Path,
    wanted: &Wanted,
    recursive: bool,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
    skipped: &mut usize,
) -> Result<()> {
    let resolved = folder.canonicalize().map_err(|error| Error::io(folder, error))?;
    if above.contains(&resolved) {
        return Ok(());
    }
    above.push(resolved);
    for path in entries(folder)? {
        // What a link leads to counts; a link to nothing is an entry that is not wanted.
        match fs::metadata(&path) {
            Ok(kind) if kind.is_dir() && recursive => gather(&path, wanted, recursive, above, files, skipped)?,
            Ok(kind) if kind.is_file() && has_ending(&path, wanted.endings) => files.push(path),
            _ => *skipped += 1,
        }
    }
    above.pop();
    Ok(())
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| endings.contains(&ending.as_str()))
}

/// The names of the folders in a folder, sorted.
fn folders_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        match path.file_name().and_then(OsStr::to_str) {
            Some(name) => names.push(name.to_string()),
            None => return Err(refuse(&path, "a folder whose name is text, for a class", "another name".to_string())),
        }
    }
    names.sort();
    Ok(names)
}

/// What is in a folder, without what systems hide there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

fn refuse(path: &Path, expected: impl Into<String>, found: String) -> Error {
    Error::data(path.display().to_string(), expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: Wanted = Wanted { what: "texts", endings: &["txt", "md"] };

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        folder
    }

    fn names(folder: &Path, listing: &Listing) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string().replace('\\', "/");
        listing.files.iter().map(name).collect()
    }

    fn refused(result: Result<Listing>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn files_come_sorted_by_ending_and_hidden_ones_not_at_all() {
        let folder = tree(&["b.txt", "a.MD", ".c.txt", "d.png", "in/z.txt", "in/deeper/y.md"]);
        let at = folder.path();
        assert_eq!(names(at, &Listing::of(at, &TEXTS, false, &Labels::None).unwrap()), ["a.MD", "b.txt"]);
        let all = Listing::of(at, &TEXTS, true, &Labels::None).unwrap();
        assert_eq!(names(at, &all), ["a.MD", "b.txt", "in/deeper/y.md", "in/z.txt"]);
        let one = Listing::of(&at.join("d.png"), &TEXTS, false, &Labels::None).unwrap();
        assert_eq!(names(at, &one), ["d.png"]);
    }

    #[test]
    fn folders_are_classes_in_the_order_of_their_names_or_as_given() {
        let folder = tree(&["wolf/1.txt", "cat/2.txt", "cat/old/3.txt", "readme.txt"]);
        let at = folder.path();
        let sorted = Listing::of(at, &TEXTS, false, &Labels::Folders).unwrap();
        assert_eq!(names(at, &sorted), ["cat/2.txt", "cat/old/3.txt", "wolf/1.txt"]);
        assert_eq!(sorted.classes, Some((vec![0, 0, 1], vec!["cat".into(), "wolf".into()])));
        let given = Labels::Among(vec!["wolf".into(), "cat".into()]);
        let given = Listing::of(at, &TEXTS, false, &given).unwrap();
        assert_eq!(given.classes.unwrap().0, [0, 1, 1]);
        let absent = Labels::Among(vec!["dog".into()]);
        assert!(refused(Listing::of(at, &TEXTS, false, &absent)).contains("dog"));
    }

    #[test]
    fn a_folder_without_what_is_wanted_is_refused() {
        let folder = tree(&["a.png", "empty/b.png", "full/c.txt"]);
        let at = folder.path();
        let text = refused(Listing::of(at, &TEXTS, false, &Labels::None));
        assert!(text.contains("expected texts (txt, md), found none among 3 entries (`.recursive()`"), "{text}");
        let text = refused(Listing::of(at, &TEXTS, false, &Labels::Folders));
        assert!(text.contains("empty: expected texts (txt, md), found none among 1 entries"), "{text}");
        fs::create_dir(at.join("void")).unwrap();
        let text = refused(Listing::of(&at.join("void"), &TEXTS, false, &Labels::None));
        assert!(text.ends_with("found an empty folder"), "{text}");
        assert!(refused(Listing::of(&at.join("void"), &TEXTS, false, &Labels::Folders)).contains("a folder for each class"));
        assert!(refused(Listing::of(&at.join("absent"), &TEXTS, false, &Labels::None)).contains("absent"));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_linked_into_itself_is_entered_once() {
        let folder = tree(&["in/a.txt"]);
        let at = folder.path();
        std::os::unix::fs::symlink(at, at.join("in/back")).unwrap();
        std::os::unix::fs::symlink(at.join("nowhere"), at.join("in/broken.txt")).unwrap();
        assert_eq!(names(at, &Listing::of(at, &TEXTS, true, &Labels::None).unwrap()), ["in/a.txt"]);
    }
}
