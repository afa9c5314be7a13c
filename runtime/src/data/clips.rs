//! Windows of recordings: the samples are kept once, however much the windows overlap, and cut as batches are gathered.

use crate::array::Kind;
use crate::error::{Error, Result};
use crate::source::{ColumnSpec, Source, wrong_kind};

/// Clips of one length, cut from recordings: as a column `[channels, length]`, from −1 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Clips {
    channels: usize,
    length: usize,
    hop: usize,
    sample_rate: u32,
    /// All recordings, one after the other; of each, its channels one after the other.
    samples: Vec<f32>,
    recordings: Vec<Recording>,
    /// The number of clips of all.
    count: usize,
}

/// Where a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recording {
    /// Its first sample.
    start: usize,
    /// Samples a channel.
    frames: usize,
    /// The number of its first clip.
    first: usize,
}

impl Clips {
    /// An empty set of clips of this shape, `hop` frames from one clip's beginning to the next one's.
    pub(super) fn new(channels: usize, length: usize, hop: usize, sample_rate: u32) -> Clips {
        Clips { channels, length, hop, sample_rate, samples: Vec::new(), recordings: Vec::new(), count: 0 }
    }

    /// Adds a recording, its channels one after the other, and tells how many clips it gave: as many as fit, and one that ends
    /// in silence where none fits.
    pub(super) fn add(&mut self, samples: &[f32]) -> usize {
        let frames = samples.len() / self.channels;
        let clips = frames.checked_sub(self.length).map_or(1, |beyond| beyond / self.hop + 1);
        self.recordings.push(Recording { start: self.samples.len(), frames, first: self.count });
        self.samples.extend(samples);
        self.count += clips;
        clips
    }

    /// How many clips there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Samples of a clip, of each channel.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Samples a second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Copies one clip to `out`, which has its size.
    fn copy(&self, clip: usize, out: &mut [f32]) {
        let at = self.recordings.partition_point(|recording| recording.first <= clip).saturating_sub(1);
        let Recording { start, frames, first } = self.recordings[at];
        let begin = (clip - first) * self.hop;
        let there = self.length.min(frames - begin);
        for (channel, out) in out.chunks_exact_mut(self.length).enumerate() {
            let from = start + channel * frames + begin;
            out[..there].copy_from_slice(&self.samples[from..from + there]);
            out[there..].fill(0.0);
        }
    }
}

impl Source for Clips {
    fn name(&self) -> String {
        "the recordings".to_string()
    }

    fn len(&self) -> usize {
        self.count
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        vec![ColumnSpec { name: String::new(), kind: Kind::Tensor, shape: vec![self.channels, self.length] }]
    }

    fn copy_numbers(&self, _: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(self.channels * self.length)) {
            if row >= self.count {
                return Err(Error::data(self.name(), format!("clips below {}", self.count), format!("clip {row}")));
            }
            self.copy(row, out);
        }
        Ok(())
    }

    fn copy_classes(&self, _: usize, _: &[usize], _: &mut [i32]) -> Result<()> {
        Err(wrong_kind(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_overlap_keep_to_their_recording_and_end_in_silence_where_it_is_short() {
        let mut clips = Clips::new(2, 4, 2, 8000);
        let recording = |frames: usize, from: f32| -> Vec<f32> {
            let channel = |sign: f32| (0..frames).map(move |t| sign * (from + t as f32));
            channel(1.0).chain(channel(-1.0)).collect()
        };
        assert_eq!(clips.add(&recording(9, 10.0)), 3);
        assert_eq!(clips.add(&recording(3, 50.0)), 1);
        assert_eq!(clips.add(&recording(4, 70.0)), 1);
        assert_eq!((clips.len(), clips.columns()[0].shape.clone()), (5, vec![2, 4]));
        let at = |row| {
            let mut out = [9.0; 8];
            clips.copy_numbers(0, &[row], &mut out).unwrap();
            out
        };
        assert_eq!(at(0), [10.0, 11.0, 12.0, 13.0, -10.0, -11.0, -12.0, -13.0]);
        assert_eq!(at(2), [14.0, 15.0, 16.0, 17.0, -14.0, -15.0, -16.0, -17.0]);
        assert_eq!(at(3), [50.0, 51.0, 52.0, 0.0, -50.0, -51.0, -52.0, 0.0]);
        assert_eq!(at(4), [70.0, 71.0, 72.0, 73.0, -70.0, -71.0, -72.0, -73.0]);
        assert!(clips.copy_numbers(0, &[5], &mut [0.0; 8]).is_err());
    }
}
