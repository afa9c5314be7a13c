//! PNG and JPEG pictures.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::data::Pixels;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = Pixels::from_picture(bytes) {
        assert_eq!(picture.bytes().len(), picture.shape().iter().product::<usize>());
    }
});
