//! Folders of pictures.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, RgbaImage};

use super::super::images;
use super::{classes, folder, numbers, refused, types};
use crate::data::Pixels;
use crate::source::Source;

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn grey(width: u32, height: u32, value: u8) -> Vec<u8> {
    png(GrayImage::from_pixel(width, height, Luma([value])))
}

fn rgb(width: u32, height: u32, value: [u8; 3]) -> Vec<u8> {
    png(RgbImage::from_pixel(width, height, Rgb(value)))
}

/// A PNG file that claims this size and holds nothing.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        let content = [name, data].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&content);
        png.extend((data.len() as u32).to_be_bytes());
        png.extend(content);
        png.extend(sum.sum().to_be_bytes());
    };
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[8, 2, 0, 0, 0]].concat());
    chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    png
}

#[test]
fn pictures_come_in_the_order_of_their_names_in_planes_from_black_to_white() {
    let mut first = RgbImage::from_pixel(3, 2, Rgb([0, 0, 0]));
    first.put_pixel(2, 0, Rgb([255, 51, 0]));
    let at = folder(&[("b.png", &rgb(3, 2, [255; 3])), ("a.PNG", &png(first)), ("notes.txt", b"no picture")]);
    let set = images(at.path()).load().unwrap();
    assert_eq!((set.len(), types(&set)), (2, vec!["x: [3, 2, 3]".to_string()]));
    let values: Vec<f32> = numbers(&set, 0).iter().map(|value| (value * 10.0).round() / 10.0).collect();
    let red = [-1.0, -1.0, 1.0, -1.0, -1.0, -1.0];
    let green = [-1.0, -1.0, -0.6, -1.0, -1.0, -1.0];
    assert_eq!(values, [&red[..], &green, &[-1.0; 6], &[1.0; 18]].concat());
    // One picture is a set of one.
    assert_eq!(images(at.path().join("b.png")).load().unwrap().len(), 1);
}

#[test]
fn many_pictures_are_read_in_order_on_all_cores() {
    let files: Vec<(String, Vec<u8>)> = (0..60).map(|i| (format!("{i:02}.png"), grey(4, 4, 4 * i as u8))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let at = folder(&files);
    let all = numbers(&images(at.path()).load().unwrap(), 0);
    for (picture, values) in all.chunks(16).enumerate() {
        assert!(values.iter().all(|value| ((value + 1.0) * 127.5).round() == 4.0 * picture as f32));
    }
    // Two are broken: the first of them is the error, every time.
    for broken in ["17.png", "41.png"] {
        std::fs::write(at.path().join(broken), &files[0].1[..30]).unwrap();
    }
    for _ in 0..20 {
        refused(images(at.path()).load(), &["17.png", "expected a whole PNG or JPEG picture, found a damaged one"]);
    }
}

#[test]
fn folders_are_classes_with_names() {
    let at = folder(&[("sun/1.png", &grey(2, 2, 9)), ("moon/1.png", &grey(2, 2, 1)), ("moon/2.png", &grey(2, 2, 2))]);
    let set = images(at.path()).classes().load().unwrap();
    assert_eq!(types(&set), ["x: [1, 2, 2]", "y: class(2)"]);
    assert_eq!(classes(&set, "y"), [0, 0, 1]);
    assert_eq!(set.class_names("y").unwrap(), ["moon", "sun"]);
    let set = images(at.path()).classes_among(["sun", "moon"]).load().unwrap();
    assert_eq!((classes(&set, "y"), set.class_names("y").unwrap().join(" ")), (vec![0, 1, 1], "sun moon".to_string()));
    assert_eq!(images(at.path()).recursive().load().unwrap().len(), 3);
    refused(images(at.path()).load(), &["expected pictures (png, jpg, jpeg)", "`.classes()`"]);
}

#[test]
fn pictures_are_resized_without_aliasing_and_cropped_to_the_middle() {
    // Fine stripes make an even grey, not one of their colours.
    let stripes = GrayImage::from_fn(64, 64, |x, _| Luma([if x % 2 == 0 { 0 } else { 255 }]));
    // White, with a black square in the middle of the long side.
    let wide = GrayImage::from_fn(12, 4, |x, _| Luma([if (4..8).contains(&x) { 0 } else { 255 }]));
    let at = folder(&[("stripes.png", &png(stripes)), ("wide.png", &png(wide))]);
    let at = |name| at.path().join(name);
    let small = numbers(&images(at("stripes.png")).resize(8, 8).load().unwrap(), 0);
    assert!(small.iter().all(|value| value.abs() < 0.1), "{small:?}");
    let square = images(at("wide.png")).crop().load().unwrap();
    assert_eq!((types(&square), numbers(&square, 0)), (vec!["x: [1, 4, 4]".to_string()], vec![-1.0; 16]));
    let tall = images(at("wide.png")).crop().resize(4, 2).load().unwrap();
    assert_eq!((types(&tall), numbers(&tall, 0)), (vec!["x: [1, 4, 2]".to_string()], vec![-1.0; 8]));
    let whole = numbers(&images(at("wide.png")).resize(1, 3).load().unwrap(), 0);
    assert!(whole[0] > 0.6 && whole[1] < -0.6 && whole[2] > 0.6, "{whole:?}");
    refused(images(at("wide.png")).resize(0, 3).load(), &["setting `resize`", "0×3"]);
    refused(images(at("wide.png")).resize(usize::MAX, 3).load(), &["setting `resize`"]);
}

#[test]
fn channels_are_converted_only_when_asked() {
    let mut clear = RgbaImage::from_pixel(2, 2, image::Rgba([255, 0, 0, 255]));
    clear.put_pixel(1, 1, image::Rgba([255, 0, 0, 0]));
    let at = folder(&[("a.png", &grey(2, 2, 0)), ("b.png", &rgb(2, 2, [255, 0, 0])), ("clear.png", &png(clear))]);
    let says = ["b.png: expected 1 channel (grey) as in", "a.png (`.grey()` or `.rgb()` converts), found 3 channels (RGB)"];
    refused(images(at.path()).load(), &says);
    refused(images(at.path().join("clear.png")).load(), &["clear.png", "found 4: it is partly transparent"]);
    let set = images(at.path()).rgb().load().unwrap();
    assert_eq!(types(&set), ["x: [3, 2, 2]"]);
    let last = &numbers(&set, 0)[24..];
    // Red, but white where it is clear.
    assert_eq!(last, [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 1.0, -1.0, -1.0, -1.0, 1.0]);
    assert_eq!(types(&images(at.path()).grey().load().unwrap()), ["x: [1, 2, 2]"]);
}

#[test]
fn jpeg_is_read_and_laid_as_its_orientation_says() {
    let picture = RgbImage::from_fn(16, 8, |x, _| if x < 8 { Rgb([255; 3]) } else { Rgb([0; 3]) });
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&picture).unwrap();
    // The same, with an EXIF block that says: turn by 90 degrees.
    let exif = [&b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"[..]].concat();
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend((exif.len() as u16 + 2).to_be_bytes());
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    let at = folder(&[("flat.jpg", &jpeg), ("turned.jpeg", &turned)]);
    let flat = images(at.path().join("flat.jpg")).load().unwrap();
    let values = numbers(&flat, 0);
    assert!(types(&flat) == ["x: [3, 8, 16]"] && values[0] > 0.9 && values[15] < -0.9);
    let turned = images(at.path().join("turned.jpeg")).load().unwrap();
    let values = numbers(&turned, 0);
    assert!(types(&turned) == ["x: [3, 16, 8]"] && values[0] > 0.9 && values[7] > 0.9 && values[15 * 8] < -0.9);
}

#[test]
fn sizes_that_differ_are_refused_with_both() {
    let at = folder(&[("a.png", &grey(4, 3, 0)), ("b.png", &grey(5, 3, 0))]);
    refused(images(at.path()).load(), &["b.png: expected 4×3 pixels", "as in", "a.png (`.resize(…)`", "found 5×3"]);
    assert_eq!(types(&images(at.path()).resize(3, 4).load().unwrap()), ["x: [1, 3, 4]"]);
}

#[test]
fn claims_and_damage_are_refused_by_file() {
    let at = folder(&[
        ("huge.png", &claiming(100_000, 100_000)),
        ("large.png", &claiming(8000, 8000)),
        ("cut.png", &rgb(9, 9, [1, 2, 3])[..40]),
        ("empty.png", b""),
        ("text.png", b"not a picture at all"),
    ]);
    let load = |name| images(at.path().join(name)).load();
    refused(load("huge.png"), &["huge.png: expected a picture of at most", "found one that claims 100000×100000 pixels"]);
    refused(load("large.png"), &["large.png", "8000×8000", "more than they can hold"]);
    refused(load("cut.png"), &["cut.png: expected a whole PNG or JPEG picture, found a damaged one"]);
    refused(load("empty.png"), &["empty.png: expected a PNG or JPEG picture, found an empty file"]);
    refused(load("text.png"), &["text.png: expected a PNG or JPEG picture, found other content"]);
    refused(load("absent.png"), &["absent.png"]);
}

#[test]
fn one_picture_is_read_from_memory() {
    let picture = Pixels::from_picture(&rgb(2, 1, [1, 2, 3])).unwrap();
    assert_eq!((picture.shape(), picture.bytes()), ([3, 1, 2], &[1, 1, 2, 2, 3, 3][..]));
    refused(Pixels::from_picture(b"GIF89a"), &["expected a PNG or JPEG picture, found other content"]);
}
