//! One PNG or JPEG picture, from the bytes of its file to samples of 8 bits.
//!
//! What always holds: nothing is reserved for what a header claims before the claim is held against the file's length and
//! against [`MOST_PIXELS`].

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, imageops};

use super::Pixels;
use crate::error::{Error, Result};
use crate::source::guard::guarded;

/// Pictures that claim more are refused: 8192×8192.
pub(super) const MOST_PIXELS: u64 = 1 << 26;
/// Deflate, which PNG is packed with, cannot pack tighter than this.
const TIGHTEST_PNG: u64 = 1032;
/// A block of 8×8 pixels takes at least a bit of a JPEG file.
const MOST_PIXELS_A_JPEG_BYTE: u64 = 8 * 64;
/// What the decoders may reserve beside the picture.
const MOST_MEMORY: u64 = 1 << 29;

/// What to make of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    /// 1 or 3: converted to this; else it has to have 1 or 3.
    pub channels: Option<usize>,
    /// Whether to cut the middle out: in the proportions of `size`, or else a square.
    pub crop: bool,
    /// Height and width to resize to.
    pub size: Option<(usize, usize)>,
}

/// A decoded picture: `bytes` are rows of pixels, the channels of a pixel together.
pub(super) struct Picture {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub bytes: Vec<u8>,
}

/// What was expected, and what was found.
pub(super) type Refusal = (String, String);

impl Picture {
    /// Decodes a file's bytes.
    pub(super) fn decode(file: &[u8], form: &Form) -> std::result::Result<Picture, Refusal> {
        let image = decode(file)?;
        let color = image.color();
        let channels = match (form.channels, color.channel_count()) {
            (Some(channels), _) => channels,
            (None, found @ (1 | 3)) => usize::from(found),
            (None, found) => {
                let found = format!("{found}: it is partly transparent");
                return Err(("1 or 3 channels (`.grey()` or `.rgb()` puts it on white)".to_string(), found));
            }
        };
        let image = if color.has_alpha() { on_white(&image) } else { image };
        let image = if form.crop { crop(&image, form.size.unwrap_or((1, 1))) } else { image };
        let resized = |image: DynamicImage| match form.size {
            Some((height, width)) if (image.height() as usize, image.width() as usize) != (height, width) => {
                image.resize_exact(width as u32, height as u32, imageops::FilterType::Lanczos3)
            }
            _ => image,
        };
        let image = resized(match channels {
            1 => DynamicImage::ImageLuma8(image.into_luma8()),
            _ => DynamicImage::ImageRgb8(image.into_rgb8()),
        });
        let (height, width) = (image.height() as usize, image.width() as usize);
        Ok(Picture { height, width, channels, bytes: image.into_bytes() })
    }

    /// Writes the channels one after the other, each as rows of pixels.
    pub(super) fn write_planes(&self, out: &mut [u8]) {
        let plane = self.height * self.width;
        for (pixel, values) in self.bytes.chunks_exact(self.channels).enumerate() {
            for (channel, value) in values.iter().enumerate() {
                out[channel * plane + pixel] = *value;
            }
        }
    }
}

fn decode(file: &[u8]) -> std::result::Result<DynamicImage, Refusal> {
    let format = match image::guess_format(file) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ if file.is_empty() => return Err(("a PNG or JPEG picture".to_string(), "an empty file".to_string())),
        _ => return Err(("a PNG or JPEG picture".to_string(), "other content".to_string())),
    };
    if format == ImageFormat::Png && !palettes_are_whole(file) {
        return Err((
            "a whole PNG or JPEG picture".to_string(),
            "a damaged one (a palette of no whole colours)".to_string(),
        ));
    }
    let damaged = |error: image::ImageError| ("a whole PNG or JPEG picture".to_string(), format!("a damaged one ({error})"));
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let claim = format!("one that claims {width}×{height} pixels (width × height)");
    if pixels > MOST_PIXELS {
        return Err((format!("a picture of at most {MOST_PIXELS} pixels"), claim));
    }
    let length = file.len() as u64;
    let most = match format {
        ImageFormat::Jpeg => length * MOST_PIXELS_A_JPEG_BYTE,
        _ => length * TIGHTEST_PNG * 8 / u64::from(decoder.original_color_type().bits_per_pixel()).max(1),
    };
    if pixels > most {
        return Err((
            "a whole PNG or JPEG picture".to_string(),
            format!("{claim} in {length} bytes, more than they can hold"),
        ));
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Whether every palette of a PNG file is a list of colours, three bytes each: the decoder takes that for granted.
fn palettes_are_whole(file: &[u8]) -> bool {
    let mut chunks = file.get(8..).unwrap_or_default();
    while let [a, b, c, d, name @ ..] = chunks {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if name.starts_with(b"PLTE") && (length == 0 || !length.is_multiple_of(3)) {
            return false;
        }
        // The name, the data, a check sum.
        chunks = name.get(4 + length + 4..).unwrap_or_default();
    }
    true
}

/// What shines through is white.
fn on_white(image: &DynamicImage) -> DynamicImage {
    let with_alpha = image.to_rgba8();
    let mut opaque = image::RgbImage::new(image.width(), image.height());
    for (out, pixel) in opaque.pixels_mut().zip(with_alpha.pixels()) {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        *out = Rgb([r, g, b].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    DynamicImage::ImageRgb8(opaque)
}

/// The largest part of these proportions (height : width), from the middle.
fn crop(image: &DynamicImage, (height, width): (usize, usize)) -> DynamicImage {
    let (across, down) = (u64::from(image.width()), u64::from(image.height()));
    let (height, width) = (height as u64, width as u64);
    // The whole height or the whole width stays; at least a pixel of the other.
    let (new_across, new_down) = match across * height > down * width {
        true => ((down * width / height).max(1), down),
        false => (across, (across * height / width).max(1)),
    };
    let (left, top) = ((across - new_across) / 2, (down - new_down) / 2);
    image.crop_imm(left as u32, top as u32, new_across as u32, new_down as u32)
}

impl Pixels {
    /// One PNG or JPEG picture from its file's content, grey or RGB as it is: `[channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::Data`] where the content is damaged, of another format, partly transparent, or claims to be enormous.
    pub fn from_picture(file: &[u8]) -> Result<Pixels> {
        guarded("the picture", || {
            let refuse = |(expected, found)| Error::data("the picture", expected, found);
            let picture = Picture::decode(file, &Form::default()).map_err(refuse)?;
            let mut bytes = vec![0; picture.bytes.len()];
            picture.write_planes(&mut bytes);
            Pixels::new(1, [picture.channels, picture.height, picture.width], bytes)
        })
    }
}
