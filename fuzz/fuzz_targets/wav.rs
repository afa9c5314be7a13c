//! Recordings, cut into clips.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::Source;
use saddlepoint_runtime::data::Clips;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(clips) = Clips::from_wav(bytes, 16, 5) {
        let mut clip = vec![0.0; clips.columns()[0].shape.iter().product()];
        for row in [0, clips.len() - 1] {
            clips.copy_numbers(0, &[row], &mut clip).expect("the first and last clips are there");
            assert!(clip.iter().all(|sample| (-1.0..=1.0).contains(sample)));
        }
    }
});
