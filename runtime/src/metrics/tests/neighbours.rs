//! What rests on nearest neighbours, against planted structure and against all distances one by one.

use super::{changed, close, joined, normal, rows, tensor};
use crate::metrics::distances::Distances;
use crate::metrics::features::Features;
use crate::metrics::*;
use crate::tensor::Tensor;

/// Five modes far apart, each a fifth of the samples in turns.
fn modes(seed: u64, samples: usize) -> Tensor {
    let normal = normal(seed, samples, 3);
    tensor(3, (0..samples).flat_map(|i| normal.row(i).iter().map(move |x| 0.1 * x + 10.0 * (i % 5) as f32)).collect())
}

#[test]
fn neighbours_are_those_of_direct_distances_also_far_from_the_origin() {
    // At 1000 with a spread of 1e-3, products alone lose half of the digits; some samples are there twice.
    let near = changed(&normal(1, 120, 5), |_, x| 1000.0 + 1e-3 * x);
    let references = joined(&joined(&near, &rows(&near, 0..20)), &changed(&normal(2, 30, 5), |_, x| 1e4 * x));
    let queries = joined(&rows(&near, 50..100), &normal(3, 10, 5));
    let all = |query: usize| {
        let squared = |row: usize| {
            queries.row(query).iter().zip(references.row(row)).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
        };
        let mut all: Vec<(f64, usize)> = (0..references.rows()).map(|row| (squared(row), row)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all
    };
    let (q, r) = Features::pair(&queries, &references, 1).unwrap();
    let distances = Distances::new(q, r);
    let found = distances
        .rows(|query, row| {
            let expected = all(query);
            let nearest: Vec<(f64, usize)> = row.nearest(7, None).iter().map(|n| (n.squared, n.index)).collect();
            let ties = expected.iter().filter(|(squared, _)| *squared == expected[0].0).count();
            let without = row.nearest(1, Some(expected[0].1))[0].index;
            let exact = expected.iter().all(|&(squared, index)| {
                row.within(index, squared)
                    && !row.nearer(index, squared)
                    && (row.squared(index) - squared).abs() <= 1e-6 * squared
            });
            nearest == expected[..7]
                && row.nearest_with_ties(None) == (expected[0].0, ties)
                && without == expected[1].1
                && exact
        })
        .unwrap();
    assert!(found.iter().all(|&right| right), "{found:?}");
}

#[test]
fn equal_distributions_have_the_expected_values() {
    let (real, generated) = (normal(1, 1500, 4), normal(2, 1500, 4));
    let manifold = precision_recall(&real, &generated, 3).unwrap();
    assert!(manifold.precision > 0.8 && manifold.recall > 0.8, "{manifold:?}");
    let dense = density_coverage(&real, &generated, 5).unwrap();
    // Expected coverage 1 − Π (n − i)/(2n − i) → 1 − 2⁻⁵ (Naeem et al. 2020, lemma 2).
    assert!((dense.density - 1.0).abs() < 0.05 && (dense.coverage - 31.0 / 32.0).abs() < 0.02, "{dense:?}");
    let test = nearest_neighbour_test(&real, &generated).unwrap();
    assert!((test.accuracy - 0.5).abs() < 0.04, "{test:?}");
    // The same samples: all balls hold themselves and the k − 1 nearer ones.
    assert_eq!(density_coverage(&real, &real, 5).unwrap(), DensityCoverage { density: 1.0, coverage: 1.0 });
    assert_eq!(precision_recall(&real, &real, 3).unwrap(), PrecisionRecall { precision: 1.0, recall: 1.0 });
}

#[test]
fn balls_on_a_line_are_counted_by_hand() {
    // Neighbours at k = 1: radii 1, 1, 3 of the real ones, 2, 1, 1 of the generated ones.
    let (real, generated) = (tensor(1, vec![0.0, 1.0, 4.0]), tensor(1, vec![-0.5, 1.5, 2.5]));
    let manifold = precision_recall(&real, &generated, 1).unwrap();
    assert_eq!((manifold.precision, manifold.recall), (1.0, 2.0 / 3.0));
    // −0.5 is in the ball of 0; 1.5 in those of 1 and 4; 2.5 in that of 4.
    let dense = density_coverage(&real, &generated, 1).unwrap();
    assert_eq!((dense.density, dense.coverage), (4.0 / 3.0, 1.0));
    // On the surface: inside for precision (eq. 2 there says ≤), outside for density.
    let surface = tensor(1, vec![-1.0, 7.0]);
    assert_eq!(precision_recall(&real, &surface, 1).unwrap().precision, 1.0);
    assert_eq!(density_coverage(&real, &surface, 1).unwrap().density, 0.0);
}

#[test]
fn dropped_modes_lower_recall_and_coverage_but_not_precision() {
    let (real, whole) = (modes(1, 1000), modes(2, 1000));
    let dropped = rows(&whole, (0..1000).filter(|i| i % 5 < 3));
    let (before, after) = (precision_recall(&real, &whole, 3).unwrap(), precision_recall(&real, &dropped, 3).unwrap());
    assert!(after.recall < 0.65 && before.recall > 0.85, "{before:?} {after:?}");
    assert!((after.precision - before.precision).abs() < 0.04, "{before:?} {after:?}");
    let dense = density_coverage(&real, &dropped, 5).unwrap();
    assert!((dense.coverage - 0.6 * 31.0 / 32.0).abs() < 0.03 && dense.density > 0.9, "{dense:?}");
    let test = nearest_neighbour_test(&real, &dropped).unwrap();
    assert!(test.real > 0.6, "{test:?}");
}

#[test]
fn noise_lowers_precision_and_density() {
    let real = modes(1, 1000);
    let noisy = changed(&modes(2, 1000), {
        let noise = normal(3, 1, 3000);
        let at = std::cell::Cell::new(0);
        move |_, x| x + 0.5 * noise.as_slice()[at.replace(at.get() + 1)]
    });
    let manifold = precision_recall(&real, &noisy, 3).unwrap();
    let dense = density_coverage(&real, &noisy, 5).unwrap();
    assert!(manifold.precision < 0.3 && dense.density < 0.3, "{manifold:?} {dense:?}");
    assert!(nearest_neighbour_test(&real, &noisy).unwrap().accuracy > 0.8);
}

#[test]
fn copies_of_real_samples_are_always_mistaken() {
    let real = normal(1, 200, 3);
    let test = nearest_neighbour_test(&real, &real).unwrap();
    assert_eq!(test, TwoSample { accuracy: 0.0, real: 0.0, generated: 0.0 });
    // Twice among the real samples and once among the generated ones: of a real sample's two nearest, one is right.
    let test = nearest_neighbour_test(&joined(&real, &real), &real).unwrap();
    assert_eq!(test, TwoSample { accuracy: 0.25, real: 0.5, generated: 0.0 });
    // All samples are one point: the share of the own kind among all others.
    let point = |n| Tensor::zeros([n, 2]);
    let test = nearest_neighbour_test(&point(4), &point(6)).unwrap();
    close(test.real, 3.0 / 9.0, 1e-15);
    close(test.generated, 5.0 / 9.0, 1e-15);
    let apart = nearest_neighbour_test(&real, &changed(&real, |_, x| x + 100.0)).unwrap();
    assert_eq!(apart, TwoSample { accuracy: 1.0, real: 1.0, generated: 1.0 });
}

#[test]
fn chance_is_one_half_also_for_unequal_numbers() {
    let test = nearest_neighbour_test(&normal(1, 2000, 3), &normal(2, 500, 3)).unwrap();
    assert!((test.accuracy - 0.5).abs() < 0.04 && test.real > 0.7 && test.generated < 0.3, "{test:?}");
}

#[test]
fn planted_copies_are_found() {
    let (training, held_out, fresh) = (normal(1, 400, 6), normal(2, 400, 6), normal(3, 300, 6));
    let clean = memorisation(&fresh, &training, &held_out).unwrap();
    assert!((clean.nearer_to_training - 0.5).abs() < 0.08 && clean.chance == 0.5, "{}", clean.nearer_to_training);
    let planted = joined(&rows(&fresh, 0..100), &changed(&rows(&training, 40..140), |_, x| x + 1e-4));
    let found = memorisation(&planted, &training, &held_out).unwrap();
    assert!(found.nearer_to_training > 0.7, "{}", found.nearer_to_training);
    assert_eq!(found.nearest[100..], (40..140).collect::<Vec<usize>>());
    assert!(found.distances[100..].iter().all(|&d| d < 3e-4) && found.distances[..100].iter().all(|&d| d > 0.1));
    assert!(found.held_out_distances.iter().all(|&d| d > 0.1));
    let copies = memorisation(&rows(&training, 0..50), &training, &held_out).unwrap();
    assert_eq!((copies.nearer_to_training, copies.quantiles(&[0.0, 1.0]).unwrap()), (1.0, vec![0.0, 0.0]));
    // In both sets: as likely a copy of either.
    assert_eq!(memorisation(&fresh, &training, &training).unwrap().nearer_to_training, 0.5);
    assert_eq!(memorisation(&fresh, &rows(&training, 0..100), &held_out).unwrap().chance, 0.2);
}

#[test]
fn quantiles_lie_between_samples() {
    let found = memorisation(&tensor(1, vec![1.0, 2.0, 4.0]), &tensor(1, vec![0.0]), &tensor(1, vec![5.0])).unwrap();
    assert_eq!(found.quantiles(&[0.0, 0.25, 0.5, 0.75, 1.0]).unwrap(), [1.0, 1.5, 2.0, 3.0, 4.0]);
    assert_eq!(found.held_out_quantiles(&[0.5]).unwrap(), [3.0]);
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(found.quantiles(&[wrong]).unwrap_err().to_string().contains("shares from 0 to 1"));
    }
}
