//! Folders of pictures: PNG and JPEG files, decoded on all cores.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Pixels;
use super::folder::{Labels, Listing, Wanted};
use super::loading::Loading;
use super::picture::{Form, MOST_PIXELS, Picture};
use crate::error::{Error, Result};
use crate::source::Columns;
use crate::source::guard::guarded;

const PICTURES: Wanted = Wanted { what: "pictures", endings: &["png", "jpg", "jpeg"] };

/// Pictures to load: see [`images`].
#[derive(Clone, Debug)]
pub struct Images {
    root: PathBuf,
    recursive: bool,
    labels: Labels,
    form: Form,
}

/// The PNG and JPEG pictures in a folder, or one picture: the column `x: [channels, height, width]`, from −1 (black) to 1
/// (white), sorted by file name.
///
/// ```no_run
/// use saddlepoint_runtime::data;
///
/// let faces = data::images("faces").crop().resize(64, 64).rgb().load()?;        // x: [3, 64, 64]
/// let animals = data::images("animals").classes().resize(32, 32).grey().load()?; // x: [1, 32, 32], y: class(K)
/// println!("{:?}", animals.class_names("y"));
/// # Ok::<(), saddlepoint_runtime::Error>(())
/// ```
///
/// All pictures must have one size unless they are [resized](Images::resize), and one number of channels, 1 or 3, unless they
/// are converted ([`grey`](Images::grey), [`rgb`](Images::rgb)). They are kept as bytes, a quarter of the room of f32. A
/// picture lies as its EXIF orientation says; deeper colours than 8 bits are rounded.
pub fn images(folder: impl AsRef<Path>) -> Images {
    Images { root: folder.as_ref().to_path_buf(), recursive: false, labels: Labels::None, form: Form::default() }
}

impl Images {
    /// Takes the pictures in folders inside the folder as well.
    pub fn recursive(mut self) -> Images {
        self.recursive = true;
        self
    }

    /// Each folder inside the folder is a class, in the order of their names; they become the column `y: class(K)`, and
    /// [`Columns::class_names`] tells their names. Pictures outside of them are left out.
    pub fn classes(mut self) -> Images {
        self.labels = Labels::Folders;
        self
    }

    /// As [`classes`](Images::classes), with the folders of these names, in this order: for a second data set that has to
    /// number its classes as the first one does.
    pub fn classes_among<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Images {
        self.labels = Labels::Among(names.into_iter().map(Into::into).collect());
        self
    }

    /// Resizes every picture, by a filter that keeps small pictures of large ones free of aliasing (Lanczos). The proportions
    /// change with the size unless [`crop`](Images::crop) is asked for too.
    pub fn resize(mut self, height: usize, width: usize) -> Images {
        self.form.size = Some((height, width));
        self
    }

    /// Takes the largest part from the middle that has the proportions asked for by [`resize`](Images::resize), or the largest
    /// square.
    pub fn crop(mut self) -> Images {
        self.form.crop = true;
        self
    }

    /// Converts to one channel: `[1, height, width]`. Transparent parts become white.
    pub fn grey(mut self) -> Images {
        self.form.channels = Some(1);
        self
    }

    /// Converts to three channels: `[3, height, width]`. Transparent parts become white.
    pub fn rgb(mut self) -> Images {
        self.form.channels = Some(3);
        self
    }

    /// Reads all of them. Long loads show their progress on a terminal.
    ///
    /// # Errors
    /// [`Error::Data`] that names the file: a folder without pictures, a picture that is damaged or claims to be enormous,
    /// another size or number of channels than the first one's. [`Error::Io`] for what cannot be read.
    pub fn load(&self) -> Result<Columns> {
        if let Some((height, width)) = self.form.size
            && (height == 0 || width == 0 || (height as u64).saturating_mul(width as u64) > MOST_PIXELS)
        {
            let message = format!("a size has 1 to {MOST_PIXELS} pixels, not {height}×{width}");
            return Err(Error::Setting { setting: "resize", message });
        }
        let listing = Listing::of(&self.root, &PICTURES, self.recursive, &self.labels)?;
        let pixels = self.read(&listing.files)?;
        listing.columns(&self.root, pixels.into())
    }

    /// Reads these files, of which there is at least one.
    fn read(&self, files: &[PathBuf]) -> Result<Pixels> {
        let first = self.decode(&files[0])?;
        let shape = [first.channels, first.height, first.width];
        let each = first.bytes.len();
        let too_many = || {
            let expected = "pictures that fit into memory (`.resize(…)` makes them smaller)";
            Error::data(self.root.display().to_string(), expected, format!("{} of {shape:?}", files.len()))
        };
        let total = each.checked_mul(files.len()).ok_or_else(too_many)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(total).map_err(|_| too_many())?;
        bytes.resize(total, 0);
        let loading = Loading::new(format!("{} pictures", files.len()), files.len() as u64);
        fill(&mut bytes, each, |index, out| {
            let again;
            let picture = match index {
                0 => &first,
                _ => {
                    again = self.decode(&files[index])?;
                    self.same(shape, &files[0], &again, &files[index])?;
                    &again
                }
            };
            picture.write_planes(out);
            loading.one_more();
            Ok(())
        })?;
        Pixels::new(files.len(), shape, bytes)
    }

    fn decode(&self, path: &Path) -> Result<Picture> {
        let file = std::fs::read(path).map_err(|error| Error::io(path, error))?;
        let name = path.display().to_string();
        let refuse = |(expected, found)| Error::data(name.clone(), expected, found);
        guarded(&name, || Picture::decode(&file, &self.form).map_err(refuse))
    }

    /// Refuses a picture that is unlike the first.
    fn same(&self, [channels, height, width]: [usize; 3], first: &Path, picture: &Picture, path: &Path) -> Result<()> {
        let first = first.display();
        let refuse = |expected, found| Err(Error::data(path.display().to_string(), expected, found));
        if picture.channels != channels {
            let name = |channels| if channels == 1 { "1 channel (grey)" } else { "3 channels (RGB)" };
            let expected = format!("{} as in {first} (`.grey()` or `.rgb()` converts)", name(channels));
            return refuse(expected, name(picture.channels).to_string());
        }
        if (picture.height, picture.width) != (height, width) {
            let expected = format!("{width}×{height} pixels (width × height) as in {first} (`.resize(…)` makes them alike)");
            return refuse(expected, format!("{}×{}", picture.width, picture.height));
        }
        Ok(())
    }
}

/// Fills pieces of `each` bytes on all cores. The first piece that fails, in their order, is the error.
fn fill(bytes: &mut [u8], each: usize, work: impl Fn(usize, &mut [u8]) -> Result<()> + Sync) -> Result<()> {
    let count = bytes.len() / each.max(1);
    let pieces = Mutex::new(bytes.chunks_exact_mut(each.max(1)).enumerate());
    let (failed, failure) = (AtomicBool::new(false), Mutex::new(None::<(usize, Error)>));
    let worker = || {
        // Pieces are handed out in order: when one fails, those before it are done or at work, and none after it is needed.
        while !failed.load(Ordering::Relaxed) {
            let next = pieces.lock().ok().and_then(|mut pieces| pieces.next());
            let Some((index, piece)) = next else { return };
            if let Err(error) = work(index, piece) {
                failed.store(true, Ordering::Relaxed);
                if let Ok(mut failure) = failure.lock()
                    && failure.as_ref().is_none_or(|(other, _)| index < *other)
                {
                    *failure = Some((index, error));
                }
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(count);
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(worker);
        }
        worker();
    });
    match failure.into_inner() {
        Ok(Some((_, error))) => Err(error),
        _ => Ok(()),
    }
}
