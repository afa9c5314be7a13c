//! Every measure of two sets refuses the same nonsense, in the same words.

use super::{normal, tensor};
use crate::metrics::*;
use crate::tensor::Tensor;
use crate::{Error, Result};

type Measure = fn(&Tensor, &Tensor) -> Result<()>;

const MEASURES: [(&str, Measure); 11] = [
    ("frechet_distance", |a, b| frechet_distance(a, b).map(drop)),
    ("kernel_distance", |a, b| kernel_distance(a, b).map(drop)),
    ("subsets", |a, b| kernel_distance_in_subsets(a, b, Subsets { count: 1, size: 2, seed: 0 }).map(drop)),
    ("gaussian_discrepancy", |a, b| gaussian_discrepancy(a, b).map(drop)),
    ("median_distance", |a, b| median_distance(a, b).map(drop)),
    ("sliced_wasserstein", |a, b| sliced_wasserstein(a, b, 1, 0).map(drop)),
    ("precision_recall", |a, b| precision_recall(a, b, 1).map(drop)),
    ("density_coverage", |a, b| density_coverage(a, b, 1).map(drop)),
    ("nearest_neighbour_test", |a, b| nearest_neighbour_test(a, b).map(drop)),
    ("memorisation", |a, b| memorisation(b, a, a).map(drop)),
    ("parzen", |a, b| parzen(b, a, a, &[1.0]).map(drop)),
];

#[test]
fn widths_empty_sets_and_numbers_that_are_not_finite_are_refused() {
    for (name, measure) in MEASURES {
        let real = normal(1, 8, 3);
        measure(&real, &normal(2, 8, 3)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let width = measure(&real, &normal(2, 8, 2)).unwrap_err().to_string();
        assert!(width.contains('3') && width.contains('2') && width.contains("generated samples"), "{name}: {width}");
        let mut broken = normal(2, 8, 3);
        broken.as_mut_slice()[3 * 5 + 1] = f32::NEG_INFINITY;
        let message = measure(&real, &broken).unwrap_err().to_string();
        assert_eq!(message, "generated samples, row 5: expected finite numbers, found -inf", "{name}");
        for few in [Tensor::zeros([0, 3]), Tensor::zeros([]), Tensor::zeros([8, 0])] {
            assert!(matches!(measure(&real, &few), Err(Error::Data { .. })), "{name}");
            assert!(matches!(measure(&few, &few), Err(Error::Data { .. })), "{name}");
        }
    }
}

#[test]
fn a_neighbour_needs_more_samples_than_its_number() {
    let (real, few) = (normal(1, 8, 2), normal(2, 3, 2));
    let message = precision_recall(&real, &few, 3).unwrap_err().to_string();
    assert_eq!(message, "generated samples: expected at least 4 samples, found 3");
    assert!(precision_recall(&real, &few, 2).is_ok());
    assert!(precision_recall(&real, &few, 0).unwrap_err().to_string().contains("from 1, found 0"));
    assert!(density_coverage(&real, &real, usize::MAX).is_err());
    assert!(evaluate(&real, &few).unwrap_err().to_string().contains("at least 6 samples"));
}

#[test]
fn the_largest_numbers_are_measured() {
    let huge = tensor(1, vec![f32::MAX, -f32::MAX, 0.0, f32::MAX]);
    for (name, measure) in MEASURES {
        measure(&huge, &huge).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}
