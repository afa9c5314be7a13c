//! Values of torch-fidelity, clean-fid, prdc, SciPy and scikit-learn on the same features; `make_values.py` makes them.

use serde_json::Value;

use super::{close, rows};
use crate::metrics::features::Features;
use crate::metrics::{self, kernel};
use crate::tensor::{Classes, Tensor};

fn real() -> Tensor {
    Tensor::from_npy(include_bytes!("values/real.npy")).unwrap()
}

fn generated() -> Tensor {
    Tensor::from_npy(include_bytes!("values/generated.npy")).unwrap()
}

fn probabilities() -> Tensor {
    Tensor::from_npy(include_bytes!("values/probabilities.npy")).unwrap()
}

fn values() -> Value {
    serde_json::from_str(include_str!("values/values.json")).unwrap()
}

fn value(path: &str) -> f64 {
    values().pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no value {path}"))
}

#[test]
fn frechet_distances_are_those_of_torch_fidelity_and_clean_fid() {
    let distance = metrics::frechet_distance(&real(), &generated()).unwrap();
    close(distance, value("/frechet_torch_fidelity"), 1e-10);
    close(distance, value("/frechet_clean_fid"), 1e-10);
}

#[test]
fn kernel_distances_are_those_of_torch_fidelity_and_clean_fid() {
    let first = rows(&real(), 0..400);
    let distance = metrics::kernel_distance(&first, &generated()).unwrap();
    close(distance, value("/kernel_clean_fid_400"), 1e-10);
    close(distance, value("/kernel_torch_fidelity_400"), 1e-10);
    let discrepancy = metrics::gaussian_discrepancy_with(&first, &generated(), &[2.5]).unwrap();
    close(discrepancy, value("/gaussian_torch_fidelity_400"), 1e-10);
}

#[test]
fn kernel_distances_on_the_same_subsets_scatter_as_those_of_torch_fidelity() {
    let subsets: Vec<(Vec<usize>, Vec<usize>)> = serde_json::from_value(values()["subsets"].clone()).unwrap();
    let (real, generated) = (real(), generated());
    let (real, generated) = Features::pair(&real, &generated, 2).unwrap();
    let spread = kernel::over_subsets(&real, &generated, subsets.into_iter()).unwrap();
    close(spread.mean, value("/kernel_subsets_mean"), 1e-10);
    close(spread.deviation, value("/kernel_subsets_deviation"), 1e-10);
}

#[test]
fn precision_recall_density_and_coverage_are_those_of_prdc_and_torch_fidelity() {
    for k in [3, 5] {
        let at = |name: &str| value(&format!("/prdc_{k}/{name}"));
        let manifold = metrics::precision_recall(&real(), &generated(), k).unwrap();
        assert_eq!((manifold.precision, manifold.recall), (at("precision"), at("recall")));
        let dense = metrics::density_coverage(&real(), &generated(), k).unwrap();
        close(dense.density, at("density"), 1e-14);
        assert_eq!(dense.coverage, at("coverage"));
    }
    let manifold = metrics::precision_recall(&real(), &generated(), 3).unwrap();
    // torch-fidelity takes means in f32.
    close(manifold.precision, value("/prc_torch_fidelity/precision"), 1e-6);
    close(manifold.recall, value("/prc_torch_fidelity/recall"), 1e-6);
}

#[test]
fn the_neighbour_test_is_a_leave_one_out_classifier_of_scikit_learn() {
    let test = metrics::nearest_neighbour_test(&real(), &generated()).unwrap();
    close(test.real, value("/two_sample/real"), 1e-14);
    close(test.generated, value("/two_sample/generated"), 1e-14);
}

#[test]
fn the_inception_score_is_that_of_torch_fidelity() {
    let score = metrics::inception_score(&probabilities(), 10).unwrap();
    close(score.mean, value("/inception_mean"), 1e-10);
    close(score.deviation, value("/inception_deviation"), 1e-10);
}

#[test]
fn parzen_transport_and_assignment_are_those_of_scikit_learn_and_scipy() {
    let estimate = metrics::parzen_log_likelihood(&generated(), &real(), 0.5).unwrap();
    close(estimate.mean, value("/parzen_half"), 1e-10);
    let first = |samples: &Tensor| Tensor::from_fn(samples.rows(), |row| samples.row(row)[0]);
    close(metrics::wasserstein(&first(&real()), &first(&generated())).unwrap(), value("/wasserstein"), 1e-10);
    let clusters: Vec<i32> = serde_json::from_value(values()["clusters"].clone()).unwrap();
    let clusters = Classes::new([clusters.len()], 10, clusters).unwrap();
    let labels = metrics::predictions(&probabilities()).unwrap();
    close(metrics::cluster_accuracy(&labels, &clusters).unwrap(), value("/cluster_accuracy"), 1e-14);
}
