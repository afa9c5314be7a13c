//! The embedded data set: 6,000 pictures of Fashion-MNIST, 600 a class.
//!
//! `data/fashion-sample/README.md` says how it was made; `examples/make_fashion_sample.rs` makes it.

use super::Pixels;
use super::idx::decode;
use crate::source::Columns;
use crate::tensor::Classes;

const IMAGES: &[u8] = include_bytes!("../../data/fashion-sample/images-idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("../../data/fashion-sample/labels-idx1-ubyte.gz");

/// Real pictures without any download: 600 of each of the ten classes of Fashion-MNIST. Columns `x: [1, 28, 28]`, from −1 to
/// 1, and `y: class(10)` (0 T-shirt, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 boot).
pub fn fashion_sample() -> Columns {
    let read = || {
        let (images, pixels) = decode(IMAGES).ok()?;
        let (labels, classes) = decode(LABELS).ok()?;
        let ([count, 28, 28], [labelled]) = (&images[..], &labels[..]) else { return None };
        let images = Pixels::new(*count, [1, 28, 28], pixels).ok()?;
        let labels = Classes::new([*labelled], 10, classes.into_iter().map(i32::from).collect()).ok()?;
        Columns::new("the Fashion-MNIST sample", vec![("x", images.into()), ("y", labels.into())]).ok()
    };
    read().expect("the embedded data set is whole: a test reads it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    #[test]
    fn pictures_can_be_changed() {
        let (sample, negatives) = (fashion_sample(), fashion_sample().map("x", |value| -value).unwrap());
        let numbers = |source: &Columns| {
            let mut pixels = vec![0.0; 784];
            source.copy_numbers(0, &[7], &mut pixels).unwrap();
            pixels
        };
        assert_eq!(negatives.columns(), sample.columns());
        assert_eq!(numbers(&negatives), numbers(&sample).iter().map(|value| -value).collect::<Vec<_>>());
        assert!(fashion_sample().map("y", |value| value).is_err(), "classes are no numbers");
    }

    #[test]
    fn the_sample_is_balanced_and_real() {
        let sample = fashion_sample();
        assert_eq!(sample.len(), 6000);
        let rows: Vec<usize> = (0..6000).collect();
        let mut labels = vec![0; 6000];
        sample.copy_classes(1, &rows, &mut labels).unwrap();
        for class in 0..10 {
            assert_eq!(labels.iter().filter(|&&label| label == class).count(), 600);
        }
        // The first pictures of the training set: an ankle boot, then T-shirts.
        assert_eq!(labels[..3], [9, 0, 0]);
        let mut pixels = vec![0.0; 6000 * 784];
        sample.copy_numbers(0, &rows, &mut pixels).unwrap();
        let mean = pixels.iter().map(|&value| f64::from(value)).sum::<f64>() / pixels.len() as f64;
        assert!((-0.45..-0.40).contains(&mean), "the set's mean brightness is 0.286 of white, this is {mean}");
        assert!(pixels.iter().all(|value| (-1.0..=1.0).contains(value)) && pixels.contains(&-1.0) && pixels.contains(&1.0));
    }
}
