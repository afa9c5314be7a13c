//! IDX files, plain and gzip, as pictures and as labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::data::Pixels;
use saddlepoint_runtime::{Classes, Source};

fuzz_target!(|bytes: &[u8]| {
    // There is at least one picture, so a picture is no larger than the file warrants.
    if let Ok(pixels) = Pixels::from_idx(bytes) {
        assert_eq!(pixels.bytes().len(), pixels.count() * pixels.shape().iter().product::<usize>());
        let mut picture = vec![0.0; pixels.shape().iter().product()];
        pixels.copy_numbers(0, &[pixels.count() - 1], &mut picture).expect("the last picture is there");
    }
    if let Ok(labels) = Classes::from_idx(bytes, 10) {
        assert!(labels.as_slice().iter().all(|label| (0..10).contains(label)));
    }
});
