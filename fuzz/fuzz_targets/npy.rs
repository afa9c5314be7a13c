//! NumPy arrays, as numbers and as classes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saddlepoint_runtime::Tensor;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(array) = Tensor::from_npy(bytes) {
        assert_eq!(array.as_slice().len(), array.shape().iter().product::<usize>());
        if let Ok(classes) = array.classes(10) {
            assert!(classes.as_slice().iter().all(|class| (0..10).contains(class)));
        }
    }
});
