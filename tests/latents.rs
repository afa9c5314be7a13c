//! Latents: trainable tensors without a net, one for the model or one row a sample, and the tables behind the latter.

use saddlepoint::prelude::*;
use saddlepoint::{Error, Fit, Rows, Tensor};

gan! {
    /// Optimal codes of points (generative latent optimisation): every sample owns one, all share a decoder.
    pub model Codes {
        data  x: [3];
        latent code: [2] per x;
        latent centre: [3];
        net G(code: [2]) -> [3] { code.dense(3, bias = false) }
        player Fit updates (G, code, centre) minimizes { E[square(G(code) + centre - x).sum()] }
        train { Fit: adam(0.05); }
        output render(code) = G(code) + centre;
    }
}

gan! {
    /// The plainest case, of which every number is known: a row moves by its own gradient and by nothing else.
    pub model Rowwise {
        data pair { x: [2], start: [2] }
        latent w: [2] per pair = start + 1.0;
        latent free: [2] = uniform([2], low = 5.0, high = 6.0);
        player w minimizes { 0.5 * E[square(w - x).sum()] }
        player free minimizes { 0.5 * square(free).sum() }
        train { w: sgd(1.0, momentum = 0.5); free: sgd(0.25); }
        metric far = E[square(w - x).sum()];
        output doubled(w) = 2.0 * w;
    }
}

fn points(n: usize) -> Tensor {
    let values = (0..n).map(|i| i as f32).flat_map(|i| [(i * 0.7).sin() + 2.0, (i * 1.3).cos(), (i * 0.7).sin()]).collect();
    Tensor::new([n, 3], values).expect("points")
}

fn batch(rows: Vec<usize>, x: [f32; 4]) -> RowwiseBatch {
    let start = rows.iter().flat_map(|row| [*row as f32, 0.0]).collect();
    let [x, start] = [x.to_vec(), start].map(|values| Tensor::new([2, 2], values).expect("two rows"));
    RowwiseBatch { pair: RowwisePair { rows: Rows::new(rows), x, start } }
}

#[test]
fn a_row_moves_with_its_sample_and_keeps_its_own_momentum() {
    let mut model = Rowwise::build(Config::new().batch(2).seed(1)).expect("it builds");
    // Rows 4 and 1 begin at (5, 1) and (2, 1); the gradient is (w − x)/2.
    model.step(&[batch(vec![4, 1], [1.0, 1.0, 0.0, 1.0])]).expect("a step");
    let w = model.w().expect("the table");
    assert_eq!(w.shape(), [5, 2]);
    assert_eq!([w.row(4), w.row(1)], [[3.0, 1.0], [1.0, 1.0]]);
    // Row 1 stays away, row 4 goes on with its momentum: b = 0.5·2 + (3 − 1)/2, w = 3 − 2.
    model.step(&[batch(vec![0, 4], [1.0, 1.0, 1.0, 1.0])]).expect("a step");
    let w = model.w().expect("the table");
    assert_eq!([w.row(4), w.row(1), w.row(0)], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]);
    // Metrics look at the rows of the last batch and change nothing.
    assert_eq!(model.metrics().expect("metrics").far, 0.0);
    assert_eq!(model.w().expect("the table"), w);
    let doubled = model.doubled(&w).expect("an output over all rows");
    assert_eq!((doubled.shape(), doubled.row(4)), ([5, 2].as_slice(), [2.0, 2.0].as_slice()));
    let free = model.free().expect("the value");
    assert_eq!(free.shape(), [2]);
    assert!(free.as_slice().iter().all(|v| (5.0 * 0.5625..6.0 * 0.5625).contains(v)), "two steps of a quarter: {free:?}");
}

#[test]
fn a_batch_with_a_sample_twice_is_refused() {
    let mut model = Rowwise::build(Config::new().batch(2)).expect("it builds");
    let error = model.step(&[batch(vec![3, 3], [0.0; 4])]).expect_err("which of the two would count?");
    assert!(matches!(error, Error::Data { .. }) && error.to_string().contains("3 twice"), "{error}");
}

#[test]
fn codes_are_found_and_survive_a_checkpoint() {
    let data = points(48);
    let mut model = Codes::build(Config::new().batch(16).seed(2)).expect("it builds");
    let far = |model: &mut Codes| {
        let codes = model.code().expect("the table");
        let images = model.render(&codes).expect("images");
        images.as_slice().iter().zip(data.as_slice()).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / 48.0
    };
    model.fit(&data, Fit::steps(30).quiet()).expect("a fit");
    assert_eq!(model.code().expect("the table").shape(), [48, 2]);
    let early = far(&mut model);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("codes.safetensors");
    model.save(&path).expect("saved");
    // Another batch size may go on with it: rows belong to samples.
    let mut other = Codes::build(Config::new().batch(8).seed(9)).expect("it builds");
    other.load(&path).expect("loaded");
    assert_eq!(other.code().expect("the table"), model.code().expect("the table"));
    let mut same = Codes::build(Config::new().batch(16).seed(2)).expect("it builds");
    same.load(&path).expect("loaded");

    model.fit(&data, Fit::steps(600).quiet()).expect("a fit");
    same.fit(&data, Fit::steps(600).quiet()).expect("a fit");
    assert_eq!(same.code().expect("the table"), model.code().expect("the table"), "moments came along");
    let late = far(&mut model);
    assert!(
        late < 0.02 && late < 0.1 * early,
        "the points lie in a plane, so codes of two numbers suffice: {early} then {late}"
    );
}

#[test]
fn latents_are_set_and_checked() {
    let mut model = Codes::build(Config::new().batch(4)).expect("it builds");
    assert_eq!(model.code().expect("an empty table").shape(), [0, 2]);
    let codes = Tensor::new([3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("codes");
    model.set_code(&codes).expect("set");
    assert_eq!(model.code().expect("the table"), codes);
    let error = model.set_code(&points(3)).expect_err("three numbers a row");
    assert!(error.to_string().contains("latent.code"), "{error}");
    model.set_centre(&Tensor::new([3], vec![1.0, 0.0, -1.0]).expect("a point")).expect("set");
    assert_eq!(model.centre().expect("the value").as_slice(), [1.0, 0.0, -1.0]);
}
