//! Event files for TensorBoard, in the folder `tensorboard` of a run: every logged value as a scalar (`objectives/D`,
//! `metrics/spread`), every picture of samples as an image (`samples/sample`). Behind the feature `tensorboard`.
//!
//! An event file is a sequence of records: length (u64), its checksum, a protocol-buffer message `Event`, its checksum; all
//! little-endian, checksums CRC-32C, masked. Each call of `fit` writes a file of its own. One that takes up an older run begins
//! with a session log, at which TensorBoard drops whatever older files hold from that step on.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};
use crate::picture::png_head;

/// What TensorBoard expects of the first event.
const VERSION: &str = "brain.Event:2";
/// `SessionLog.START`: whatever was written for this step and later ones is void.
const START: i32 = 1;

/// `tensorflow.Event`, as far as it is written here; the numbers are those of its definition.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

/// `tensorflow.Summary.Value`.
#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(oneof = "Shown", tags = "2, 4")]
    value: Option<Shown>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Shown {
    #[prost(float, tag = "2")]
    Scalar(f32),
    #[prost(message, tag = "4")]
    Image(Image),
}

/// `tensorflow.Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    encoded: Vec<u8>,
}

/// The event file of this call.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
    /// Bytes of whole records; a failed write is taken back to here before the next.
    whole: u64,
    torn: bool,
}

impl EventFile {
    /// Begins a file; `after` is the step that an older run is taken up at.
    pub(super) fn create(folder: &Path, after: Option<u64>) -> Result<EventFile> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        // TensorBoard reads files in the order of their names, so the time comes first.
        let (time, process) = (now() as u64, std::process::id());
        let name = |number: u32| folder.join(format!("events.out.tfevents.{time:010}.saddlepoint.{process}.{number:04}"));
        let mut number = 0;
        let (path, file) = loop {
            let path = name(number);
            match OpenOptions::new().create_new(true).append(true).open(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Error::io(&path, error)),
            }
        };
        let mut events = EventFile { path, file, whole: 0, torn: false };
        events.write(0, What::FileVersion(VERSION.to_string()))?;
        if let Some(step) = after {
            events.write(step + 1, What::SessionLog(SessionLog { status: START }))?;
        }
        Ok(events)
    }

    /// The logged values of a step, the first `players` of them objectives.
    pub(super) fn scalars(&mut self, step: u64, players: usize, names: &[String], values: &[Option<f32>]) -> Result<()> {
        let known = names.iter().zip(values).enumerate().filter_map(|(index, (name, value))| {
            let family = if index < players { "objectives" } else { "metrics" };
            Some(Value { tag: format!("{family}/{name}"), value: Some(Shown::Scalar((*value)?)) })
        });
        self.write(step, What::Summary(Summary { values: known.collect() }))
    }

    /// A picture of samples that was written to this file; nothing where there is none.
    pub(super) fn picture(&mut self, step: u64, output: &str, path: &Path) -> Result<()> {
        let Ok(encoded) = fs::read(path) else { return Ok(()) };
        let Some(head) = png_head(&encoded) else { return Ok(()) };
        let (height, width) = (head.height as i32, head.width as i32);
        let image = Image { height, width, colorspace: i32::from(head.channels), encoded };
        let value = Value { tag: format!("samples/{output}"), value: Some(Shown::Image(image)) };
        self.write(step, What::Summary(Summary { values: vec![value] }))
    }

    fn write(&mut self, step: u64, what: What) -> Result<()> {
        let event = Event { wall_time: now(), step: i64::try_from(step).unwrap_or(i64::MAX), what: Some(what) };
        let record = record(&event.encode_to_vec());
        let written = (|| {
            if self.torn {
                self.file.set_len(self.whole)?;
            }
            self.torn = true;
            self.file.write_all(&record)?;
            self.torn = false;
            self.whole += record.len() as u64;
            Ok(())
        })();
        written.map_err(|error| Error::io(&self.path, error))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The bytes of a record around a message.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), message, &masked(message)].concat()
}

/// The checksum of a record's part, masked because checksums of data that contain checksums are weak.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The events of a file, for tests: step and tags each; a session log is the tag `start`.
#[cfg(test)]
pub(super) fn tags(path: &Path) -> Vec<(i64, Vec<String>)> {
    let tags = |event: &Event| match &event.what {
        Some(What::Summary(summary)) => summary.values.iter().map(|value| value.tag.clone()).collect(),
        Some(What::SessionLog(_)) => vec!["start".to_string()],
        _ => Vec::new(),
    };
    tests::read(path).unwrap().iter().map(|event| (event.step, tags(event))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event of a file, or what is wrong with it.
    pub(super) fn read(path: &Path) -> std::result::Result<Vec<Event>, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let (mut rest, mut events) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (head, after) = rest.split_at_checked(12).ok_or("a record's head is cut short")?;
            if head[8..] != masked(&head[..8]) {
                return Err("the checksum of a length is wrong".into());
            }
            let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
            let (message, after) = after.split_at_checked(length).ok_or("a record is cut short")?;
            let (checksum, after) = after.split_at_checked(4).ok_or("a record's checksum is cut short")?;
            if checksum != masked(message) {
                return Err("the checksum of a message is wrong".into());
            }
            events.push(Event::decode(message).map_err(|error| error.to_string())?);
            rest = after;
        }
        Ok(events)
    }

    fn scalar(tag: &str, value: f32) -> Value {
        Value { tag: tag.into(), value: Some(Shown::Scalar(value)) }
    }

    #[test]
    fn the_checksum_is_the_one_of_the_format() {
        // CRC-32C of 32 zero bytes, from RFC 3720, B.4; masked as the format says.
        let crc = 0x8a91_36aa_u32;
        assert_eq!(crc32c::crc32c(&[0; 32]), crc);
        assert_eq!(u32::from_le_bytes(masked(&[0; 32])), crc.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn scalars_and_pictures_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let picture = folder.path().join("sample.png");
        crate::Tensor::zeros([4, 3, 5, 6]).save_grid(&picture).unwrap();
        let mut file = EventFile::create(&folder.path().join("tensorboard"), None).unwrap();
        let names = ["D", "G", "spread"].map(String::from);
        file.scalars(10, 2, &names, &[Some(0.25), None, Some(f32::NAN)]).unwrap();
        file.picture(10, "sample", &picture).unwrap();
        file.picture(10, "none", &folder.path().join("missing.png")).unwrap();
        let events = read(&file.path).unwrap();
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].what, Some(What::FileVersion(VERSION.into())));
        let Some(What::Summary(summary)) = &events[1].what else { panic!("{:?}", events[1]) };
        assert_eq!((events[1].step, summary.values.len()), (10, 2));
        assert_eq!(summary.values[0], scalar("objectives/D", 0.25));
        assert_eq!(summary.values[1].tag, "metrics/spread");
        let Some(What::Summary(summary)) = &events[2].what else { panic!("{:?}", events[2]) };
        let Some(Shown::Image(image)) = &summary.values[0].value else { panic!("{summary:?}") };
        assert_eq!((image.width, image.height, image.colorspace), (2 * 8 + 2, 2 * 7 + 2, 3));
        assert_eq!(image.encoded, fs::read(&picture).unwrap());
    }

    #[test]
    fn a_run_taken_up_again_voids_later_steps_in_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventFile::create(folder.path(), None).unwrap();
        let second = EventFile::create(folder.path(), Some(30)).unwrap();
        assert!(first.path < second.path);
        let events = read(&second.path).unwrap();
        assert_eq!((events[1].step, &events[1].what), (31, &Some(What::SessionLog(SessionLog { status: START }))));
        assert_eq!(read(&first.path).unwrap().len(), 1);
    }

    #[test]
    fn part_of_a_record_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(folder.path(), None).unwrap();
        let writable = std::mem::replace(&mut file.file, File::open(&file.path).unwrap());
        assert!(file.scalars(1, 1, &["D".into()], &[Some(1.0)]).is_err());
        OpenOptions::new().append(true).open(&file.path).unwrap().write_all(b"part").unwrap();
        assert!(read(&file.path).is_err());
        file.file = writable;
        file.scalars(2, 1, &["D".into()], &[Some(2.0)]).unwrap();
        assert_eq!(read(&file.path).unwrap().iter().map(|event| event.step).collect::<Vec<_>>(), [0, 2]);
    }
}
