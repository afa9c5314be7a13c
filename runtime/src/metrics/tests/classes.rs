//! The Inception Score, modes and clusters in closed form.

use super::{close, tensor};
use crate::metrics::*;
use crate::tensor::{Classes, Tensor};

fn classes(count: usize, values: &[i32]) -> Classes {
    Classes::new([values.len()], count, values.to_vec()).unwrap()
}

/// Certain of each class in turn.
fn certain(samples: usize, count: usize) -> Tensor {
    tensor(count, (0..samples * count).map(|at| f32::from(at % count == at / count % count)).collect())
}

#[test]
fn the_inception_score_runs_from_one_to_the_number_of_classes() {
    let uniform = tensor(10, vec![0.1; 500]);
    let alike = inception_score(&uniform, 5).unwrap();
    close(alike.mean, 1.0, 1e-12);
    assert!(alike.deviation < 1e-12);
    let perfect = inception_score(&certain(100, 10), 10).unwrap();
    close(perfect.mean, 10.0, 1e-12);
    assert!(perfect.deviation < 1e-12);
    // One class only: certain, but without variety.
    close(inception_score(&tensor(2, [1.0, 0.0].repeat(8)), 1).unwrap().mean, 1.0, 1e-12);
    // Two parts, one of each kind.
    let mixed = tensor(2, [vec![0.5; 8], vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]].concat());
    let score = inception_score(&mixed, 2).unwrap();
    close(score.mean, 1.5, 1e-12);
    close(score.deviation, 0.5, 1e-12);
}

#[test]
fn what_is_no_distribution_is_refused_with_its_row() {
    let refused = |values: Vec<f32>| inception_score(&tensor(2, values), 1).unwrap_err().to_string();
    assert_eq!(refused(vec![0.5, 0.5, 0.5, 0.25]), "class probabilities, row 1: expected the sum 1, found 0.75");
    assert!(refused(vec![1.5, -0.5]).contains("row 0: expected numbers from 0, found -0.5"));
    assert!(refused(vec![0.5, 0.5, 0.5, f32::INFINITY]).contains("row 1: expected finite numbers"));
    assert!(inception_score(&Tensor::zeros([4]), 1).is_err() && inception_score(&Tensor::zeros([2, 2, 2]), 1).is_err());
    for splits in [0, 3] {
        let message = inception_score(&tensor(2, vec![0.5; 4]), splits).unwrap_err().to_string();
        assert!(message.contains("1 to 2") && message.contains(&splits.to_string()), "{message}");
    }
    // What f32 loses in a sum is no reason.
    assert!(inception_score(&tensor(1000, vec![1e-3; 3000]), 1).is_ok());
}

#[test]
fn classes_that_are_reached_are_counted() {
    let modes = class_modes(&classes(4, &[0, 1, 0, 1]), None).unwrap();
    assert_eq!((modes.modes, modes.classes), (2, 4));
    close(modes.divergence, 2.0_f64.ln(), 1e-12);
    assert_eq!(class_modes(&classes(3, &[2, 0, 1]), None).unwrap().modes, 3);
    assert!(class_modes(&classes(3, &[2, 0, 1]), None).unwrap().divergence.abs() < 1e-12);
    let skewed = class_modes(&classes(2, &[0, 0, 0, 1]), Some(&[0.5, 0.5])).unwrap();
    close(skewed.divergence, 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln(), 1e-12);
    assert_eq!(class_modes(&classes(2, &[0, 1]), Some(&[1.0, 0.0])).unwrap().divergence, f64::INFINITY);
    let refused = |reference: &[f64]| class_modes(&classes(2, &[0, 1]), Some(reference)).unwrap_err().to_string();
    assert!(refused(&[1.0]).contains("found 1") && refused(&[0.5, 0.6]).contains("sum 1"));
    assert!(refused(&[1.5, -0.5]).contains("-0.5") && refused(&[f64::NAN, 1.0]).contains("NaN"));
    assert!(class_modes(&classes(2, &[]), None).unwrap_err().to_string().contains("at least one"));
}

#[test]
fn three_digits_are_one_class_of_a_thousand() {
    let digit = |values: &[i32]| classes(10, values);
    let joined = stacked(&[&digit(&[1, 9]), &digit(&[2, 9]), &digit(&[3, 9])]).unwrap();
    assert_eq!((joined.count(), joined.as_slice()), (1000, [123, 999].as_slice()));
    assert!(stacked(&[]).is_err() && stacked(&[&digit(&[1]), &digit(&[1, 2])]).is_err());
    let many = classes(100_000, &[1]);
    assert!(stacked(&[&many, &many]).unwrap_err().to_string().contains("at most"));
    let scores = tensor(3, vec![0.1, 0.7, 0.2, 2.0, -1.0, 2.0]);
    assert_eq!(predictions(&scores).unwrap(), classes(3, &[1, 0]));
}

#[test]
fn clusters_are_named_as_suits_them_best() {
    let labels = classes(3, &[0, 0, 1, 1, 2, 2]);
    assert_eq!(cluster_accuracy(&labels, &classes(3, &[2, 2, 0, 0, 1, 1])).unwrap(), 1.0);
    // The greedy map of cluster 0 to class 0 would leave 3 right of 8; one to one, 0 → 1 and 1 → 0 have 5.
    let labels = classes(2, &[0, 0, 0, 1, 1, 0, 0, 0]);
    assert_eq!(cluster_accuracy(&labels, &classes(2, &[0, 0, 0, 0, 0, 1, 1, 1])).unwrap(), 5.0 / 8.0);
    // More clusters than classes, and fewer.
    let labels = classes(2, &[0, 0, 1, 1]);
    assert_eq!(cluster_accuracy(&labels, &classes(4, &[0, 1, 2, 2])).unwrap(), 0.75);
    assert_eq!(cluster_accuracy(&labels, &classes(1, &[0, 0, 0, 0])).unwrap(), 0.5);
    assert!(cluster_accuracy(&labels, &classes(2, &[0])).unwrap_err().to_string().contains("4 labels and 1 clusters"));
    assert!(cluster_accuracy(&classes(2, &[]), &classes(2, &[])).is_err());
}
