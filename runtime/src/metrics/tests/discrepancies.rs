//! Kernel and Wasserstein distances: unbiased around zero, and what they see.

use super::{changed, close, joined, normal, rows, tensor};
use crate::metrics::*;
use crate::tensor::Tensor;

#[test]
fn unbiased_discrepancies_of_equal_distributions_scatter_around_zero() {
    for discrepancy in [kernel_distance as fn(&Tensor, &Tensor) -> crate::Result<f64>, gaussian_discrepancy] {
        let values: Vec<f64> =
            (0..60).map(|seed| discrepancy(&normal(2 * seed, 40, 4), &normal(2 * seed + 1, 60, 4)).unwrap()).collect();
        let negative = values.iter().filter(|&&value| value < 0.0).count();
        assert!((15..=50).contains(&negative), "{negative} of 60 are negative");
        let mean = values.iter().sum::<f64>() / 60.0;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 59.0).sqrt();
        assert!(mean.abs() < 3.0 * deviation / 60_f64.sqrt(), "{mean} with a deviation of {deviation}");
    }
}

#[test]
fn the_kernel_distance_is_its_definition() {
    let (x, y) = (normal(1, 5, 3), normal(2, 4, 3));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let kernel = |a: &[f32], b: &[f32]| (dot(a, b) / 3.0 + 1.0).powi(3);
    let mean = |a: &Tensor, b: &Tensor, same: bool| {
        let pairs = (0..a.rows()).flat_map(|i| (0..b.rows()).map(move |j| (i, j))).filter(|(i, j)| !same || i != j);
        let values: Vec<f64> = pairs.map(|(i, j)| kernel(a.row(i), b.row(j))).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let expected = mean(&x, &x, true) + mean(&y, &y, true) - 2.0 * mean(&x, &y, false);
    close(kernel_distance(&x, &y).unwrap(), expected, 1e-12);
}

#[test]
fn many_rows_in_tiles_sum_as_few_do() {
    // More rows than a tile has; each sample three times leaves the mean across the sets as it was.
    let (x, y) = (normal(1, 300, 2), normal(2, 200, 2));
    let thrice = |t: &Tensor| joined(&joined(t, t), t);
    let (few, many) = (kernel_distance(&x, &y).unwrap(), kernel_distance(&thrice(&x), &thrice(&y)).unwrap());
    let diagonal = |t: &Tensor| {
        let own = |row: usize| (t.row(row).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / 2.0 + 1.0).powi(3);
        (0..t.rows()).map(own).sum::<f64>()
    };
    let within = |t: &Tensor| {
        let n = t.rows() as f64;
        let all = kernel_within(t) * n * (n - 1.0);
        (9.0 * all + 6.0 * diagonal(t)) / (3.0 * n * (3.0 * n - 1.0)) - kernel_within(t)
    };
    close(many - few, within(&x) + within(&y), 1e-9);
}

/// The mean of the kernel over pairs of different samples, directly.
fn kernel_within(t: &Tensor) -> f64 {
    let dot = |i: usize, j: usize| t.row(i).iter().zip(t.row(j)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let n = t.rows();
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).filter(|(i, j)| i != j);
    pairs.map(|(i, j)| (dot(i, j) / 2.0 + 1.0).powi(3)).sum::<f64>() / (n * (n - 1)) as f64
}

#[test]
fn subsets_follow_their_seed_and_fit_the_samples() {
    let (real, generated) = (normal(1, 60, 3), changed(&normal(2, 50, 3), |_, x| x + 0.5));
    let on = |subsets| kernel_distance_in_subsets(&real, &generated, subsets);
    let subsets = Subsets { count: 30, size: 40, seed: 1 };
    assert_eq!(on(subsets).unwrap(), on(subsets).unwrap());
    assert_ne!(on(subsets).unwrap(), on(Subsets { seed: 2, ..subsets }).unwrap());
    let all = kernel_distance(&real, &generated).unwrap();
    let spread = on(subsets).unwrap();
    assert!((spread.mean - all).abs() < spread.deviation, "{spread}, {all} on all");
    let whole = on(Subsets { size: 50, ..subsets }).unwrap();
    assert!(whole.deviation > 0.0, "of 60 real samples 50 are drawn anew each time");
    let message = on(Subsets::default()).unwrap_err().to_string();
    assert!(message.contains("2 to 50") && message.contains("100 of 1000"), "{message}");
    assert!(on(Subsets { count: 0, ..subsets }).is_err() && on(Subsets { size: 1, ..subsets }).is_err());
}

#[test]
fn gaussian_kernels_see_what_differs() {
    let real = normal(1, 300, 2);
    let near = gaussian_discrepancy(&real, &normal(2, 300, 2)).unwrap();
    let far = gaussian_discrepancy(&real, &changed(&normal(2, 300, 2), |_, x| x + 1.0)).unwrap();
    assert!(near.abs() < 0.01 && far > 0.1, "{near} {far}");
    // Two points a distance of 2 apart against the one between them.
    let (a, b) = (tensor(1, vec![0.0, 2.0]), tensor(1, vec![1.0, 1.0]));
    let expected = (-2.0_f64).exp() + 1.0 - 2.0 * (-0.5_f64).exp();
    close(gaussian_discrepancy_with(&a, &b, &[1.0]).unwrap(), expected, 1e-12);
    let both = gaussian_discrepancy_with(&real, &a_shift(&real), &[0.5, 2.0]).unwrap();
    let one = |s| gaussian_discrepancy_with(&real, &a_shift(&real), &[s]).unwrap();
    close(both, (one(0.5) + one(2.0)) / 2.0, 1e-10);
    assert!(gaussian_discrepancy_with(&real, &real, &[]).unwrap_err().to_string().contains("at least one"));
    assert!(gaussian_discrepancy_with(&real, &real, &[1.0, 0.0]).unwrap_err().to_string().contains("found 0"));
}

fn a_shift(samples: &Tensor) -> Tensor {
    changed(samples, |_, x| x + 1.0)
}

#[test]
fn the_median_is_of_distances_between_different_samples() {
    // Distances 1, 2, 3, and 0 left out; then 1, 3, 4, 2, 3, 1.
    assert_eq!(median_distance(&tensor(1, vec![0.0, 1.0]), &tensor(1, vec![3.0])).unwrap(), 2.0);
    assert_eq!(median_distance(&tensor(1, vec![0.0, 1.0, 1.0]), &tensor(1, vec![3.0])).unwrap(), 2.0);
    assert_eq!(median_distance(&tensor(1, vec![0.0, 1.0]), &tensor(1, vec![3.0, 4.0])).unwrap(), 2.5);
    let one = Tensor::zeros([4, 2]);
    assert_eq!(median_distance(&one, &one).unwrap(), 1.0);
    assert_eq!(gaussian_discrepancy(&one, &one).unwrap(), 0.0);
    // Of many samples some stand for all.
    let (a, b) = (normal(1, 2500, 2), normal(2, 500, 2));
    close(median_distance(&a, &b).unwrap(), median_distance(&rows(&a, 0..900), &b).unwrap(), 0.05);
}

#[test]
fn wasserstein_distances_are_shifts_and_sorted_differences() {
    let (a, b) = (tensor(1, vec![1.0, 5.0, 3.0]), tensor(1, vec![2.0, 2.0, 9.0]));
    close(wasserstein(&a, &b).unwrap(), (1.0 + 1.0 + 4.0) / 3.0, 1e-15);
    close(wasserstein(&a, &joined(&a_shift(&a), &a_shift(&a))).unwrap(), 1.0, 1e-15);
    assert!(wasserstein(&normal(1, 4, 2), &normal(1, 4, 2)).unwrap_err().to_string().contains("one number a sample"));
    // A shift by v is |v·direction| in every direction; its mean over the circle is 2|v|/π.
    let real = normal(3, 100, 2);
    let sliced = sliced_wasserstein(&real, &changed(&real, |column, x| if column == 0 { x + 3.0 } else { x }), 4000, 1);
    close(sliced.unwrap(), 6.0 / std::f64::consts::PI, 0.03);
    let other = normal(4, 70, 2);
    let of = |seed| sliced_wasserstein(&real, &other, 20, seed).unwrap();
    assert!(of(1) == of(1) && of(1) != of(2));
    assert_eq!(sliced_wasserstein(&real, &real, 5, 0).unwrap(), 0.0);
    assert!(sliced_wasserstein(&real, &real, 0, 0).is_err());
    // In one dimension every direction is the exact distance.
    close(sliced_wasserstein(&a, &b, 3, 0).unwrap(), 2.0, 1e-15);
}
