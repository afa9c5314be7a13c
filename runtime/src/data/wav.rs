//! Recordings: WAV files of integers or floating-point numbers, cut into clips of one length.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader};

use super::Clips;
use super::folder::{Labels, Listing, Wanted};
use super::loading::Loading;
use crate::error::{Error, Result};
use crate::source::Columns;
use crate::source::guard::guarded;

const RECORDINGS: Wanted = Wanted { what: "recordings", endings: &["wav"] };
/// What errors call a file that was given by its content.
const IN_MEMORY: &str = "the recording";

/// Recordings to load: see [`wav`].
#[derive(Clone, Debug)]
pub struct Wav {
    root: PathBuf,
    recursive: bool,
    labels: Labels,
    clip: Option<usize>,
    hop: Option<usize>,
    mono: bool,
    rate: Option<u32>,
}

/// The WAV files in a folder, or one file: the column `x: [channels, length]`, from −1 to 1, sorted by file name.
///
/// ```no_run
/// use saddlepoint_runtime::data;
///
/// let speech = data::wav("speech").clip(8192).hop(4096).rate(8000).load()?;      // x: [1, 8192], half overlapping
/// let speakers = data::wav("speakers").classes().mono().clip(8000).load()?;      // x: [1, 8000], y: class(K)
/// # Ok::<(), saddlepoint_runtime::Error>(())
/// ```
///
/// Integers of 8 to 32 bits and floats of 32 bits are read; floats beyond −1 and 1 are cut off there. All files must have one
/// sample rate, and one number of channels unless they are mixed to [`mono`](Wav::mono). Without [`clip`](Wav::clip) every file
/// is one sample, and all must be of one length. Recordings stay in memory once, however much clips overlap.
pub fn wav(path: impl AsRef<Path>) -> Wav {
    let root = path.as_ref().to_path_buf();
    Wav { root, recursive: false, labels: Labels::None, clip: None, hop: None, mono: false, rate: None }
}

impl Wav {
    /// Takes the files in folders inside the folder as well.
    pub fn recursive(mut self) -> Wav {
        self.recursive = true;
        self
    }

    /// Each folder inside the folder is a class, in the order of their names; they become the column `y: class(K)`, and
    /// [`Columns::class_names`] tells their names.
    pub fn classes(mut self) -> Wav {
        self.labels = Labels::Folders;
        self
    }

    /// As [`classes`](Wav::classes), with the folders of these names, in this order.
    pub fn classes_among<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Wav {
        self.labels = Labels::Among(names.into_iter().map(Into::into).collect());
        self
    }

    /// Cuts clips of so many samples, as many as fit into a recording. What is left over at its end is dropped; a recording
    /// that is shorter gives one clip that ends in silence.
    pub fn clip(mut self, samples: usize) -> Wav {
        self.clip = Some(samples);
        self
    }

    /// Samples from the beginning of a clip to that of the next; else the length of a clip, so that they do not overlap.
    pub fn hop(mut self, samples: usize) -> Wav {
        self.hop = Some(samples);
        self
    }

    /// Mixes all channels to one.
    pub fn mono(mut self) -> Wav {
        self.mono = true;
        self
    }

    /// The sample rate that the files have to have; else that of the first. Nothing is resampled.
    pub fn rate(mut self, hertz: u32) -> Wav {
        self.rate = Some(hertz);
        self
    }

    /// Reads all of them. Long loads show their progress on a terminal.
    ///
    /// # Errors
    /// [`Error::Data`] that names the file: a folder without recordings; a file that is damaged, cut short or empty; another
    /// sample rate, number of channels or length than the others'. [`Error::Io`] for what cannot be read.
    pub fn load(&self) -> Result<Columns> {
        for (setting, value) in [("clip", self.clip), ("hop", self.hop)] {
            if value == Some(0) {
                return Err(Error::Setting { setting, message: "it has at least one sample".to_string() });
            }
        }
        let mut listing = Listing::of(&self.root, &RECORDINGS, self.recursive, &self.labels)?;
        let loading = Loading::new(format!("{} recordings", listing.files.len()), listing.files.len() as u64);
        let (mut clips, mut classes) = (None::<(Clips, usize)>, Vec::new());
        for (index, path) in listing.files.iter().enumerate() {
            let recording = self.read(path)?;
            let refuse = |expected, found| Err(Error::data(path.display().to_string(), expected, found));
            let frames = recording.samples.len() / recording.channels;
            let first = listing.files[0].display();
            let (clips, channels) = clips.get_or_insert_with(|| {
                let length = self.clip.unwrap_or(frames);
                let rate = self.rate.unwrap_or(recording.rate);
                (Clips::new(recording.channels, length, self.hop.unwrap_or(length), rate), recording.channels)
            });
            if recording.rate != clips.sample_rate() {
                let as_first = if self.rate.is_some() { String::new() } else { format!(" as in {first}") };
                return refuse(format!("{} samples a second{as_first}", clips.sample_rate()), recording.rate.to_string());
            }
            if recording.channels != *channels {
                let expected = format!("{channels} channels as in {first} (`.mono()` mixes them to one)");
                return refuse(expected, recording.channels.to_string());
            }
            let count = clips.add(&recording.samples);
            if self.clip.is_none() && clips.length() != frames {
                let expected = format!("{} samples as in {first} (`.clip(n)` cuts clips of one length)", clips.length());
                return refuse(expected, frames.to_string());
            }
            if let Some((of_files, _)) = &listing.classes {
                classes.extend(std::iter::repeat_n(of_files[index], count));
            }
            loading.one_more();
        }
        let Some((clips, _)) = clips else {
            return Err(Error::data(self.root.display().to_string(), "recordings", "none"));
        };
        if let Some((of_files, _)) = &mut listing.classes {
            *of_files = classes;
        }
        listing.columns(&self.root, clips.into())
    }

    fn read(&self, path: &Path) -> Result<Sound> {
        let io = |error| Error::io(path, error);
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let name = path.display().to_string();
        guarded(&name, || Sound::read(&name, BufReader::with_capacity(1 << 16, file), length, self.mono))
    }
}

/// One recording.
struct Sound {
    channels: usize,
    rate: u32,
    /// The channels, one after the other.
    samples: Vec<f32>,
}

impl Sound {
    /// Reads a file of this length.
    fn read(name: &str, file: impl Read, length: u64, mono: bool) -> Result<Sound> {
        let broken = |error: hound::Error| {
            let found = match error {
                hound::Error::IoError(error) => format!("one that is cut short or unreadable ({error})"),
                hound::Error::Unsupported => "one of another kind (compressed, or of other numbers)".to_string(),
                error => format!("a damaged one ({error})"),
            };
            Error::data(name, "a whole WAV file of integers or 32-bit floats", found)
        };
        let mut reader = WavReader::new(file).map_err(broken)?;
        let spec = reader.spec();
        let (channels, rate) = (usize::from(spec.channels), spec.sample_rate);
        if channels == 0 || rate == 0 || !(1..=32).contains(&spec.bits_per_sample) {
            return Err(Error::data(name, "a whole WAV file", "a damaged one (no channels, rate or bits)"));
        }
        // The header may claim more than there is; a sample takes at least a byte.
        let claimed = u64::from(reader.len()).min(length) as usize;
        let mut interleaved = Vec::with_capacity(claimed);
        match spec.sample_format {
            SampleFormat::Float => {
                for sample in reader.samples::<f32>() {
                    let sample = sample.map_err(broken)?;
                    if !sample.is_finite() {
                        let found = format!("{sample} at sample {}", interleaved.len() / channels);
                        return Err(Error::data(name, "finite samples", found));
                    }
                    interleaved.push(sample.clamp(-1.0, 1.0));
                }
            }
            SampleFormat::Int => {
                let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
                for sample in reader.samples::<i32>() {
                    interleaved.push((sample.map_err(broken)? as f32 * scale).clamp(-1.0, 1.0));
                }
            }
        }
        let frames = interleaved.len() / channels;
        if frames == 0 {
            return Err(Error::data(name, "a recording", "one without samples"));
        }
        let mut samples = Vec::with_capacity(if mono { frames } else { frames * channels });
        if mono {
            let mix = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
            samples.extend(interleaved.chunks_exact(channels).map(mix));
            return Ok(Sound { channels: 1, rate, samples });
        }
        for channel in 0..channels {
            samples.extend(interleaved.iter().skip(channel).step_by(channels).take(frames));
        }
        Ok(Sound { channels, rate, samples })
    }
}

impl Clips {
    /// Clips of one recording, from its file's content: as [`wav`].
    ///
    /// # Errors
    /// [`Error::Data`] where the content is damaged, cut short or empty; [`Error::Setting`] for a length or hop of nothing.
    pub fn from_wav(bytes: &[u8], length: usize, hop: usize) -> Result<Clips> {
        for (setting, value) in [("clip", length), ("hop", hop)] {
            if value == 0 {
                return Err(Error::Setting { setting, message: "it has at least one sample".to_string() });
            }
        }
        let sound = guarded(IN_MEMORY, || Sound::read(IN_MEMORY, bytes, bytes.len() as u64, false))?;
        let mut clips = Clips::new(sound.channels, length, hop, sound.rate);
        clips.add(&sound.samples);
        Ok(clips)
    }
}
