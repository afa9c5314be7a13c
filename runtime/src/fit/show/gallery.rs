//! The pictures of a run folder as the report embeds them: a bounded number, each of a bounded size.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::ExtendedColorType;
use image::imageops::FilterType;

use crate::error::{Error, Result};
use crate::fit::folder::Folder;
use crate::picture::{PngHead, encode_png, png_head};

/// Frames of one output, at most.
pub(super) const FRAMES: usize = 24;
/// Pixels of a side, at most: larger pictures are made smaller.
pub(super) const SIDE: u32 = 800;
/// Bytes of all pictures together, at most.
pub(super) const BYTES: usize = 6 << 20;

/// The pictures of one output over the steps.
#[derive(Debug, PartialEq)]
pub(super) struct Gallery {
    pub output: String,
    /// In the order of their steps.
    pub frames: Vec<Frame>,
    /// How many there are in the folder.
    pub all: usize,
    /// Samples of the data, where they are pictures too.
    pub real: Option<Frame>,
}

/// An embedded picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Frame {
    pub step: u64,
    /// As a `data:` address.
    pub address: String,
    pub width: u32,
    pub height: u32,
}

/// Reads the pictures of a run folder, evenly chosen where there are more than fit.
pub(super) fn read(folder: &Folder) -> Result<Vec<Gallery>> {
    let files = list(&folder.samples())?;
    let mut frames = FRAMES;
    loop {
        let galleries = embed(&files, frames)?;
        let bytes: usize = galleries
            .iter()
            .flat_map(|gallery| gallery.frames.iter().chain(&gallery.real))
            .map(|frame| frame.address.len() * 3 / 4)
            .sum();
        if bytes <= BYTES || frames == 1 {
            return Ok(if bytes <= BYTES { galleries } else { Vec::new() });
        }
        frames /= 2;
    }
}

/// The files of each output: its pictures by step, and the real samples.
type Files = BTreeMap<String, (BTreeMap<u64, PathBuf>, Option<PathBuf>)>;

fn list(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(Error::io(folder, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| Error::io(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".png"));
        let Some((output, step)) = name.and_then(|name| name.rsplit_once('-')) else { continue };
        let (output, step) = (output.to_string(), step.to_string());
        match step.parse() {
            Ok(step) => drop(files.entry(output).or_default().0.insert(step, path)),
            Err(_) if step == "real" => files.entry(output).or_default().1 = Some(path),
            Err(_) => {}
        }
    }
    files.retain(|_, (steps, _)| !steps.is_empty());
    Ok(files)
}

fn embed(files: &Files, frames: usize) -> Result<Vec<Gallery>> {
    let gallery = |(output, (steps, real)): (&String, &(BTreeMap<u64, PathBuf>, Option<PathBuf>))| {
        let steps: Vec<(u64, &PathBuf)> = steps.iter().map(|(step, path)| (*step, path)).collect();
        let chosen = spread(steps.len(), frames).into_iter().map(|at| steps[at]);
        Ok(Gallery {
            output: output.clone(),
            frames: chosen.filter_map(|(step, path)| frame(step, path).transpose()).collect::<Result<_>>()?,
            all: steps.len(),
            real: real.as_ref().and_then(|path| frame(0, path).transpose()).transpose()?,
        })
    };
    files.iter().map(gallery).collect()
}

/// Indices below `count`, at most `most` of them, the last one always, the others evenly before it.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let parts = most.saturating_sub(1).max(1);
    let first = if most > 1 { 0 } else { 1 };
    (first..=parts).map(|part| part * (count - 1) / parts).collect()
}

/// A picture, made smaller where it is large; `None` where the file is no picture (any more).
fn frame(step: u64, path: &Path) -> Result<Option<Frame>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, error)),
    };
    let Some(PngHead { width, height, .. }) = png_head(&bytes) else { return Ok(None) };
    let (bytes, width, height) = match width.max(height) > SIDE {
        false => (bytes, width, height),
        true => {
            let Ok(picture) = image::load_from_memory(&bytes) else { return Ok(None) };
            let small = picture.resize(SIDE, SIDE, FilterType::Triangle).to_rgb8();
            let (width, height) = small.dimensions();
            (encode_png(width as usize, height as usize, ExtendedColorType::Rgb8, small.as_raw())?, width, height)
        }
    };
    let address = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes));
    Ok(Some(Frame { step, address, width, height }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::save_png;

    #[test]
    fn chosen_frames_are_spread_and_the_last_is_among_them() {
        assert_eq!(spread(0, 5), [0usize; 0]);
        assert_eq!(spread(3, 5), [0, 1, 2]);
        assert_eq!(spread(100, 4), [0, 33, 66, 99]);
        assert_eq!(spread(100, 1), [99]);
    }

    fn folder_with(pictures: &[(&str, u32)]) -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::at(temporary.path());
        for (name, side) in pictures {
            // Noise, which no encoder makes smaller.
            let mut state = 1u32;
            let mut noise = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let pixels: Vec<u8> = (0..side * side).map(|_| noise()).collect();
            save_png(&folder.samples().join(name), *side as usize, *side as usize, ExtendedColorType::L8, &pixels).unwrap();
        }
        (temporary, folder)
    }

    #[test]
    fn pictures_are_found_by_output_and_step_and_large_ones_made_smaller() {
        let (_kept, folder) =
            folder_with(&[("a-00000020.png", 8), ("a-00000003.png", 8), ("a-real.png", 8), ("b-1-00000001.png", 1600)]);
        fs::write(folder.samples().join("a-00000004.png"), "damaged").unwrap();
        fs::write(folder.samples().join("notes.txt"), "").unwrap();
        let galleries = read(&folder).unwrap();
        assert_eq!(galleries.iter().map(|gallery| gallery.output.as_str()).collect::<Vec<_>>(), ["a", "b-1"]);
        assert_eq!(galleries[0].frames.iter().map(|frame| frame.step).collect::<Vec<_>>(), [3, 20]);
        assert!(galleries[0].real.is_some() && galleries[1].real.is_none());
        assert_eq!((galleries[1].frames[0].width, galleries[1].frames[0].height), (SIDE, SIDE));
    }

    #[test]
    fn all_pictures_together_keep_to_the_bound() {
        let names: Vec<String> = (0..40).map(|step| format!("a-{step:08}.png")).collect();
        let pictures: Vec<(&str, u32)> = names.iter().map(|name| (name.as_str(), 780)).collect();
        let (_kept, folder) = folder_with(&pictures);
        let galleries = read(&folder).unwrap();
        let bytes: usize = galleries[0].frames.iter().map(|frame| frame.address.len() * 3 / 4).sum();
        assert!(bytes <= BYTES && galleries[0].frames.len() > 2, "{bytes}");
        assert_eq!((galleries[0].all, galleries[0].frames.last().unwrap().step), (40, 39));
    }
}
