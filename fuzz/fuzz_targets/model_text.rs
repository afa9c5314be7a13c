//! The text form of a model: any text is refused, or is a model that can be written again and checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_language::{check, decode, encode};

fuzz_target!(|text: &str| {
    if let Ok(model) = decode(text) {
        assert_eq!(decode(&encode(&model)).as_ref().map(encode), Ok(encode(&model)));
        let _ = check(&model);
    }
});
