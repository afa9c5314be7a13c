//! Pictures: grids of samples as PNG files.

use std::io::Cursor;
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::tensor::Tensor;

/// Pixels between the pictures of a grid, and around it.
const MARGIN: usize = 2;

/// How the samples of a tensor are pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    count: usize,
    channels: usize,
    height: usize,
    width: usize,
}

/// Whether samples with a leading batch axis are pictures that [`save_grid`] can draw.
pub(crate) fn is_pictures(shape: &[usize]) -> bool {
    matches!(shape, [_, 1 | 3, height, width] if *height > 1 && *width > 1)
}

impl Layout {
    fn color(self) -> ExtendedColorType {
        if self.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 }
    }
}

fn layout(shape: &[usize]) -> Option<Layout> {
    let (count, channels, height, width) = match *shape {
        [count, channels @ (1 | 3), height, width] => (count, channels, height, width),
        [channels @ (1 | 3), height, width] => (1, channels, height, width),
        [count, height, width] => (count, 1, height, width),
        _ => return None,
    };
    (count > 0 && height > 0 && width > 0).then_some(Layout { count, channels, height, width })
}

/// Writes the samples as one grid, as square as their number allows.
pub(crate) fn save_grid(tensor: &Tensor, path: &Path) -> Result<()> {
    let layout = pictures(tensor, path)?;
    let (width, height, pixels) = draw_grid(tensor.as_slice(), layout, MARGIN);
    save_png(path, width, height, layout.color(), &pixels)
}

/// Writes each sample as a file of its own.
pub(crate) fn save_each(tensor: &Tensor, folder: &Path) -> Result<()> {
    let layout = Layout { count: 1, ..pictures(tensor, folder)? };
    let size = layout.channels * layout.height * layout.width;
    for (number, picture) in tensor.as_slice().chunks_exact(size).enumerate() {
        let (width, height, pixels) = draw_grid(picture, layout, 0);
        save_png(&folder.join(format!("{number:05}.png")), width, height, layout.color(), &pixels)?;
    }
    Ok(())
}

/// How the samples of a tensor that goes to `path` are pictures.
fn pictures(tensor: &Tensor, path: &Path) -> Result<Layout> {
    layout(tensor.shape()).ok_or_else(|| {
        let expected = "pictures: [n, 1, h, w], [n, h, w] or [n, 3, h, w] with at least one sample";
        Error::data(path.display().to_string(), expected, format!("{:?}", tensor.shape()))
    })
}

/// Encodes the pixels as a PNG file and puts it in place as a whole.
pub(crate) fn save_png(path: &Path, width: usize, height: usize, color: ExtendedColorType, pixels: &[u8]) -> Result<()> {
    write_atomically(path, &encode_png(width, height, color, pixels)?)
}

/// The bytes of a PNG file of these pixels.
pub(crate) fn encode_png(width: usize, height: usize, color: ExtendedColorType, pixels: &[u8]) -> Result<Vec<u8>> {
    let mut encoded = Cursor::new(Vec::new());
    image::codecs::png::PngEncoder::new(&mut encoded)
        .write_image(pixels, width as u32, height as u32, color)
        .map_err(|error| Error::io("a picture", std::io::Error::other(error)))?;
    Ok(encoded.into_inner())
}

/// What the head of a PNG file says.
#[cfg(any(feature = "report", feature = "tensorboard"))]
pub(crate) struct PngHead {
    pub width: u32,
    pub height: u32,
    // Only TensorBoard's records name the number of channels.
    #[cfg_attr(not(feature = "tensorboard"), allow(dead_code))]
    pub channels: u8,
}

/// Reads the head of a PNG file; `None` where it is none.
#[cfg(any(feature = "report", feature = "tensorboard"))]
pub(crate) fn png_head(bytes: &[u8]) -> Option<PngHead> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    // The kinds of PNG: grey, RGB, palette, grey with alpha, RGBA.
    let channels = match bytes.get(25)? {
        0 => 1,
        2 | 3 => 3,
        4 => 2,
        6 => 4,
        _ => return None,
    };
    let head = PngHead { width: number(16)?, height: number(20)?, channels };
    (bytes.starts_with(b"\x89PNG\r\n\x1a\n") && head.width > 0 && head.height > 0).then_some(head)
}

/// The width, height and bytes of a grid, `channels` bytes a pixel, with this many pixels between the pictures and around them.
fn draw_grid(values: &[f32], layout: Layout, margin: usize) -> (usize, usize, Vec<u8>) {
    let Layout { count, channels, height, width } = layout;
    let across = (1..).find(|side| side * side >= count).unwrap_or(1);
    let down = count.div_ceil(across);
    let (grid_width, grid_height) = (across * (width + margin) + margin, down * (height + margin) + margin);
    let mut pixels = vec![0; grid_width * grid_height * channels];
    for (sample, picture) in values.chunks_exact(channels * height * width).enumerate() {
        let (left, top) = (sample % across * (width + margin) + margin, sample / across * (height + margin) + margin);
        for (index, &value) in picture.iter().enumerate() {
            let (channel, y, x) = (index / (height * width), index / width % height, index % width);
            pixels[((top + y) * grid_width + left + x) * channels + channel] = brightness(value);
        }
    }
    (grid_width, grid_height, pixels)
}

/// −1 is black, 1 is white, beyond is cut off; what is not a number is black.
fn brightness(value: f32) -> u8 {
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_row_by_row_with_a_margin() {
        // Three grey pictures of 1×2: a grid of 2×2 cells, the last one empty.
        let layout = Layout { count: 3, channels: 1, height: 1, width: 2 };
        let (width, height, pixels) = draw_grid(&[1.0, -1.0, 0.0, 1.0, 9.0, f32::NAN], layout, MARGIN);
        assert_eq!((width, height), (10, 8));
        let line = |y: usize| pixels[y * width..(y + 1) * width].to_vec();
        assert_eq!(line(2), [0, 0, 255, 0, 0, 0, 128, 255, 0, 0]);
        assert_eq!(line(5), [0, 0, 255, 0, 0, 0, 0, 0, 0, 0]);
        assert!(line(0).iter().chain(&line(1)).all(|&pixel| pixel == 0));
    }

    #[test]
    fn each_sample_is_a_file_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..2 * 3 * 2 * 4).map(|i| i as f32 / 24.0 - 1.0).collect();
        let samples = Tensor::new([2, 3, 2, 4], values).unwrap();
        samples.save_pictures(folder.path().join("each")).unwrap();
        for row in 0..2 {
            let file = image::open(folder.path().join(format!("each/{row:05}.png"))).unwrap().to_rgb8();
            assert_eq!(file.dimensions(), (4, 2));
            for (x, y, pixel) in file.enumerate_pixels() {
                let at = |channel: usize| samples.row(row)[(channel * 2 + y as usize) * 4 + x as usize];
                assert_eq!(pixel.0, [0, 1, 2].map(|channel| brightness(at(channel))));
            }
        }
        let error = Tensor::zeros([4, 5]).save_pictures(folder.path()).unwrap_err().to_string();
        assert!(error.contains("[4, 5]"), "{error}");
    }

    #[test]
    fn a_grid_is_a_png_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rgb.png");
        let mut tensor = Tensor::zeros([4, 3, 5, 6]);
        tensor.as_mut_slice()[30..60].fill(1.0); // the green plane of the first sample
        tensor.save_grid(&path).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (2 * 8 + 2, 2 * 7 + 2));
        assert_eq!(picture.get_pixel(2, 2).0, [128, 255, 128]);
        assert_eq!(picture.get_pixel(0, 0).0, [0, 0, 0]);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let error = Tensor::zeros([4, 2, 5, 6]).save_grid("nowhere.png").unwrap_err();
        assert!(error.to_string().contains("[4, 2, 5, 6]"), "{error}");
        assert!(Tensor::zeros([0, 1, 5, 6]).save_grid("nowhere.png").is_err());
        assert!(Tensor::zeros([4, 1, 5, 6]).save_grid("/proc/nowhere.png").is_err());
    }
}
