//! Recordings.

use std::io::Cursor;

use hound::{SampleFormat, WavSpec, WavWriter};

use super::super::{Clips, wav};
use super::{classes, folder, numbers, refused, types};
use crate::source::Source;

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample, sample_format: SampleFormat::Int }
}

fn integers(spec: WavSpec, samples: &[i32]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

fn floats(channels: u16, samples: &[f32]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let spec = WavSpec { sample_format: SampleFormat::Float, ..spec(channels, 8000, 32) };
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

fn ramp(rate: u32, frames: i32) -> Vec<u8> {
    integers(spec(1, rate, 16), &(0..frames).map(|t| t * 256).collect::<Vec<_>>())
}

#[test]
fn every_width_reads_from_minus_one_to_one() {
    for (bits, least, half) in [(8, -128, 64), (16, -32_768, 16_384), (24, -8_388_608, 4_194_304), (32, i32::MIN, 1 << 30)] {
        let file = integers(spec(1, 8000, bits), &[least, half, 0]);
        let clips = Clips::from_wav(&file, 3, 3).unwrap();
        assert_eq!((numbers(&clips, 0), clips.sample_rate()), (vec![-1.0, 0.5, 0.0], 8000), "{bits} bits");
    }
    let clips = Clips::from_wav(&floats(1, &[0.25, -1.5, 1.5]), 3, 3).unwrap();
    assert_eq!(numbers(&clips, 0), [0.25, -1.0, 1.0]);
}

#[test]
fn channels_come_apart_or_are_mixed() {
    let at = folder(&[("a.wav", &floats(2, &[0.1, -0.5, 0.2, -0.5, 0.3, 0.5]))]);
    let stereo = wav(at.path()).load().unwrap();
    assert_eq!((types(&stereo), numbers(&stereo, 0)), (vec!["x: [2, 3]".into()], vec![0.1, 0.2, 0.3, -0.5, -0.5, 0.5]));
    let mono = wav(at.path()).mono().load().unwrap();
    assert_eq!(types(&mono), ["x: [1, 3]"]);
    assert!(numbers(&mono, 0).iter().zip([-0.2, -0.15, 0.4]).all(|(found, expected)| (found - expected).abs() < 1e-6));
}

#[test]
fn clips_are_cut_file_after_file_and_carry_the_class_of_their_folder() {
    let at = folder(&[("low/1.wav", &ramp(8000, 10)), ("high/2.wav", &ramp(8000, 3)), ("high/1.wav", &ramp(8000, 8))]);
    let set = wav(at.path()).classes().clip(4).hop(2).load().unwrap();
    assert_eq!((types(&set), set.len()), (vec!["x: [1, 4]".to_string(), "y: class(2)".to_string()], 3 + 1 + 4));
    assert_eq!(classes(&set, "y"), [0, 0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(set.class_names("y").unwrap(), ["high", "low"]);
    let units: Vec<f32> = numbers(&set, 0).iter().map(|value| value * 128.0).collect();
    assert_eq!(units[4..8], [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(units[12..16], [0.0, 1.0, 2.0, 0.0]);
    assert_eq!(units[28..], [6.0, 7.0, 8.0, 9.0]);
    assert_eq!(wav(at.path()).recursive().clip(4).load().unwrap().len(), 2 + 1 + 2);
}

#[test]
fn files_that_differ_are_refused() {
    let at = folder(&[("a.wav", &ramp(8000, 5)), ("b.wav", &ramp(8000, 6)), ("c.wav", &ramp(16_000, 5))]);
    refused(wav(at.path()).load(), &["b.wav: expected 5 samples as in", "a.wav (`.clip(n)`", "found 6"]);
    refused(wav(at.path()).clip(5).load(), &["c.wav: expected 8000 samples a second as in", "a.wav, found 16000"]);
    refused(wav(at.path()).clip(5).rate(44_100).load(), &["a.wav: expected 44100 samples a second, found 8000"]);
    let at = folder(&[("a.wav", &ramp(8000, 4)), ("b.wav", &floats(2, &[0.0; 8]))]);
    refused(wav(at.path()).load(), &["b.wav: expected 1 channels as in", "`.mono()`", "found 2"]);
    assert_eq!(wav(at.path()).mono().load().unwrap().len(), 2);
    refused(wav(at.path()).clip(0).load(), &["setting `clip`"]);
    refused(wav(at.path()).hop(0).load(), &["setting `hop`"]);
    refused(wav(at.path().join("absent")).load(), &["absent"]);
    refused(wav(folder(&[("a.mp3", b"x")]).path()).load(), &["expected recordings (wav), found none among 1 entries"]);
}

#[test]
fn broken_files_are_refused_by_name() {
    let whole = ramp(8000, 50);
    // Where the length of the samples stands in what the writer writes.
    let data = whole.windows(4).position(|name| name == b"data").unwrap();
    for length in 0..whole.len() {
        refused(Clips::from_wav(&whole[..length], 4, 4), &["the recording: expected"]);
    }
    let mut claims = whole.clone();
    claims[data + 4..data + 8].copy_from_slice(&0xffff_fffeu32.to_le_bytes());
    refused(Clips::from_wav(&claims, 4, 4), &["cut short"]);
    refused(Clips::from_wav(&integers(spec(1, 8000, 16), &[]), 4, 4), &["one without samples"]);
    refused(Clips::from_wav(&floats(1, &[0.0, 0.0, f32::NAN]), 4, 4), &["finite samples, found NaN at sample 2"]);
    refused(Clips::from_wav(b"OggS", 4, 4), &["a whole WAV file"]);
    let at = folder(&[("a.wav", &whole), ("b.wav", &whole[..60])]);
    refused(wav(at.path()).clip(4).load(), &["b.wav: expected a whole WAV file", "cut short"]);
}
