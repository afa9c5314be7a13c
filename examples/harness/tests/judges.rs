//! The judges whose weights are in the repository, held against real pictures.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::sets::{fashion, mnist};
use saddlepoint_examples_harness::{classes, rows};

/// More than a judge judges at a time, and no multiple of it.
const MANY: usize = 253;

#[test]
fn clothes_are_recognised() {
    // These are among the pictures that it learnt from; the figure on others is in judges/README.md.
    let sample = data::fashion_sample();
    let verdict = Judge::fashion().unwrap().judge_source(&sample).unwrap();
    let accuracy = verdict.accuracy(&classes(&sample, 0, sample.len()).unwrap()).unwrap();
    assert!(accuracy >= 0.9, "{accuracy}");
}

#[test]
fn samples_that_were_not_learnt_from_are_recognised_where_they_are_here() {
    for (name, parts, judge, least) in
        [("MNIST", mnist(), Judge::mnist(), 0.99), ("Fashion-MNIST", fashion(), Judge::fashion(), 0.91)]
    {
        let mut judge = judge.unwrap();
        let test = match parts {
            Ok(parts) => parts.test,
            Err(saddlepoint::Error::Absent { .. }) => {
                println!("skipped: {name} is not here");
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let labels = classes(&test, 0, test.len()).unwrap();
        let accuracy = judge.judge_source(&test).unwrap().accuracy(&labels).unwrap();
        assert!(accuracy >= least, "{name}: {accuracy}");
    }
}

#[test]
fn any_number_of_pictures_is_judged_each_by_itself() {
    let sample = data::fashion_sample();
    for mut judge in [Judge::mnist().unwrap(), Judge::fashion().unwrap()] {
        let many = judge.judge(&rows(&sample, 0, MANY).unwrap()).unwrap();
        assert_eq!(many.probabilities.shape(), [MANY, 10]);
        assert_eq!(many.features.shape(), [MANY, 64]);
        for i in [0, 250, MANY - 1] {
            let one = judge.judge(&rows(&sample, i, i + 1).unwrap()).unwrap();
            let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-5 * a.abs().max(1.0));
            assert!(near(one.probabilities.row(0), many.probabilities.row(i)), "picture {i}");
            assert!(near(one.features.row(0), many.features.row(i)), "picture {i}");
        }
        let sums = (0..many.probabilities.rows()).map(|i| many.probabilities.row(i).iter().sum::<f32>());
        assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-4));
        assert!(many.features.as_slice().iter().all(|feature| *feature >= 0.0));
    }
}

#[test]
fn none_are_judged_and_other_shapes_are_refused() {
    let mut judge = Judge::fashion().unwrap();
    assert_eq!(judge.judge(&Tensor::zeros([0, 1, 28, 28])).unwrap().features.shape(), [0, 64]);
    let error = judge.judge(&Tensor::zeros([2, 1, 32, 32])).unwrap_err();
    assert!(error.to_string().contains("[1, 28, 28]"), "{error}");
    let verdict = judge.judge(&Tensor::zeros([2, 1, 28, 28])).unwrap();
    assert!(verdict.accuracy(&Classes::zeros([3], 10)).unwrap_err().to_string().contains("2 pictures"));
}

#[test]
fn weights_are_small() {
    for name in ["mnist", "fashion"] {
        let bytes = std::fs::metadata(format!("{}/judges/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap().len();
        assert!(bytes <= 600_000, "{name}: {bytes} bytes");
    }
}
