//! Checkpoints and PyTorch state dicts: both are safetensors files from anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::{Checkpoint, StateDict};

fuzz_target!(|bytes: &[u8]| {
    checkpoint(bytes);
    // What lies behind the checksum is reached only under a true one.
    if let Some((covered, _)) = bytes.split_last_chunk::<4>() {
        checkpoint(&[covered, &crc32(covered).to_le_bytes()].concat());
    }
    if let Ok(dict) = StateDict::from_bytes(bytes) {
        for (shape, values) in dict.arrays.values() {
            assert_eq!(values.len(), shape.iter().product::<usize>());
            assert!(values.iter().all(|value| value.is_finite()));
        }
        let written = dict.to_bytes().expect("what was read can be written");
        assert_eq!(StateDict::from_bytes(&written).as_ref(), Ok(&dict));
    }
});

/// Reads bytes as a checkpoint; one that is whole is the same after writing and reading.
fn checkpoint(bytes: &[u8]) {
    let Ok(checkpoint) = Checkpoint::from_bytes(bytes) else { return };
    let written = checkpoint.to_bytes().expect("what was read can be written");
    let again = Checkpoint::from_bytes(&written).expect("what was written can be read");
    assert_eq!(again.to_bytes().expect("it can be written again"), written);
    assert_eq!((again.step, again.seed, &again.model, &again.notes), (checkpoint.step, checkpoint.seed, &checkpoint.model, &checkpoint.notes));
    let _ = (checkpoint.check_finite(), checkpoint.check_arrays(&again.arrays));
}

/// The checksum of gzip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
