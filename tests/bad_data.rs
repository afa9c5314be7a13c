//! Data that are broken or do not suit the model, end to end: one clear error each, and the model goes on.

use std::fs;
use std::path::Path;

use saddlepoint::prelude::*;
use saddlepoint::{ColumnSpec, Columns, Error, Kind};

gan! {
    /// Small pictures with labels.
    pub model Small {
        data pair { x: [1, 4, 4], y: class(3) };
        noise z: normal([4]);
        net G(z: [4], y: class(3)) -> [1, 4, 4] { concat(z, one_hot(y)).dense(16).tanh().reshape([1, 4, 4]) }
        net D(x: [1, 4, 4], y: class(3)) -> [1] { concat(x.flatten(), one_hot(y)).dense(8).leaky_relu(0.2).dense(1) }
        player D minimizes { E[softplus(-D(x, y))] + E[softplus(D(G(z, y), y))] }
        player G minimizes { E[softplus(-D(G(z, y), y))] }
        train { D, G: adam(1e-3); }
    }
}

const BATCH: usize = 8;

fn build() -> Small {
    Small::build(Config::new().batch(BATCH).seed(3).workers(1)).expect("the model builds")
}

fn good() -> (Tensor, Classes) {
    let x = Tensor::new([20, 1, 4, 4], (0..320).map(|i| (i as f32 * 0.7).sin()).collect()).expect("pictures");
    (x, Classes::new([20], 3, (0..20).map(|i| i % 3).collect()).expect("labels"))
}

/// Fits on broken data: one error that says all of these. Then the model trains on whole data, as one that never saw the others.
fn refused(data: &impl Source, says: &[&str]) {
    let mut model = build();
    let error = model.fit(data, Fit::steps(20).quiet()).expect_err("these data are broken");
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    check(&error, says);
    let report = model.fit(&good(), Fit::steps(5).quiet()).expect("the model goes on");
    assert!(report.steps == 5 && report.metrics.iter().all(|(_, value)| value.is_some_and(f32::is_finite)));
}

fn check(error: &Error, says: &[&str]) {
    let text = error.to_string();
    for part in says {
        assert!(text.contains(part), "{text}\ndoes not say: {part}");
    }
    assert_eq!(text.lines().count(), 1, "one error is one line: {text}");
}

fn refused_by_reader<T>(read: saddlepoint::Result<T>, says: &[&str]) {
    match read {
        Ok(_) => panic!("this was to be refused: {says:?}"),
        Err(error) => check(&error, says),
    }
}

/// An IDX file of bytes.
fn idx(dimensions: &[u32], elements: &[u8]) -> Vec<u8> {
    let header = [0, 0, 8, dimensions.len() as u8];
    let dimensions = dimensions.iter().flat_map(|dimension| dimension.to_be_bytes());
    header.into_iter().chain(dimensions).chain(elements.iter().copied()).collect()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

/// A grey PNG picture of one colour, written by the library itself: a grid of one has a margin of 2 pixels.
fn save_picture(path: &Path, height: usize, width: usize) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    Tensor::zeros([1, 1, height - 4, width - 4]).save_grid(path).expect("a picture");
}

#[test]
fn an_idx_file_that_is_cut_short() {
    let pictures = idx(&[20, 4, 4], &[7; 320]);
    let at = folder(&[("train-images-idx3-ubyte", &pictures[..200]), ("train-labels-idx1-ubyte", &idx(&[20], &[0; 20]))]);
    refused_by_reader(
        data::idx(at.path()),
        &["train-images-idx3-ubyte: expected an IDX file in one piece, found one that claims [20, 4, 4] elements"],
    );
}

#[test]
fn pictures_of_another_size_than_the_model_takes() {
    let at = tempfile::tempdir().expect("a folder");
    for class in ["a", "b", "c"] {
        for number in 0..4 {
            save_picture(&at.path().join(class).join(format!("{number}.png")), 6, 5);
        }
    }
    let set = data::images(at.path()).classes().load().expect("whole pictures");
    let name = at.path().display().to_string();
    refused(&set, &[&name, "data group `pair`, field `x`: expected [1, 4, 4], found [1, 6, 5]"]);
    // One that is unlike the others is said by its name, with both sizes.
    save_picture(&at.path().join("b/2.png"), 6, 7);
    refused_by_reader(
        data::images(at.path()).classes().load(),
        &["2.png: expected 5×6 pixels (width × height) as in", "0.png (`.resize(…)` makes them alike), found 7×6"],
    );
    // Resized, they train.
    let set = data::images(at.path()).classes().resize(4, 4).load().expect("pictures of one size");
    build().fit(&set, Fit::steps(3).quiet()).expect("training");
}

#[test]
fn a_picture_that_claims_to_be_enormous() {
    let bytes = include_bytes!("../fuzz/seeds/picture/claims-more.png");
    let at = folder(&[("huge.png", bytes)]);
    refused_by_reader(
        data::images(at.path()).resize(4, 4).load(),
        &["huge.png: expected a picture of at most 67108864 pixels, found one that claims 100000×100000 pixels"],
    );
}

#[test]
fn a_folder_that_is_empty_or_without_pictures_or_not_there() {
    let at = tempfile::tempdir().expect("a folder");
    refused_by_reader(data::images(at.path()).load(), &["expected pictures (png, jpg, jpeg), found an empty folder"]);
    fs::write(at.path().join("notes.txt"), "no picture").expect("a file");
    refused_by_reader(data::images(at.path()).load(), &["expected pictures (png, jpg, jpeg), found none among 1 entries"]);
    refused_by_reader(data::images(at.path().join("nowhere")).load(), &["nowhere: "]);
}

#[test]
fn a_picture_that_is_damaged() {
    let at = tempfile::tempdir().expect("a folder");
    save_picture(&at.path().join("a.png"), 8, 8);
    let whole = fs::read(at.path().join("a.png")).expect("a picture");
    fs::write(at.path().join("b.png"), &whole[..whole.len() / 2]).expect("a file");
    refused_by_reader(data::images(at.path()).load(), &["b.png: expected a whole PNG or JPEG picture, found a damaged one"]);
}

#[test]
fn labels_out_of_range() {
    let (x, _) = good();
    // More classes than the model has.
    let many = Classes::new([20], 7, vec![6; 20]).expect("labels");
    refused(&(x.clone(), many), &["data group `pair`, field `y`: expected class(3), found class(7)"]);
    // Where they are read.
    let at = folder(&[("labels", &idx(&[4], &[0, 2, 1, 3]))]);
    refused_by_reader(data::idx_labels(at.path().join("labels"), 3), &["labels, row 3: expected a class in 0..3, found 3"]);
    refused_by_reader(Tensor::from_fn(4, |row| row as f32).classes(3), &["row 3: expected a class in 0..3, found 3"]);
    // From a source that does not keep its word.
    refused(&Liar { x }, &["data group `pair`, field `y`, row 13: expected a class in 0..3, found -1"]);
}

/// Labels that are not what its column says.
struct Liar {
    x: Tensor,
}

impl Source for Liar {
    fn len(&self) -> usize {
        self.x.len()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        let y = ColumnSpec { name: "y".to_string(), kind: Kind::Classes(3), shape: Vec::new() };
        self.x.columns().into_iter().map(|x| ColumnSpec { name: "x".to_string(), ..x }).chain([y]).collect()
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> saddlepoint::Result<()> {
        self.x.copy_numbers(column, rows, out)
    }

    fn copy_classes(&self, _: usize, rows: &[usize], out: &mut [i32]) -> saddlepoint::Result<()> {
        for (row, class) in rows.iter().zip(out) {
            *class = if *row == 13 { -1 } else { 0 };
        }
        Ok(())
    }
}

#[test]
fn numbers_that_are_not_finite() {
    let (x, y) = good();
    for (wrong, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut x = x.clone();
        x.as_mut_slice()[16 * 9 + 4] = wrong;
        let set = Columns::new("faces", vec![("x", x.into()), ("y", y.clone().into())]).expect("columns");
        let place = "faces for the data group `pair`, field `x`, row 9: expected finite numbers, found ";
        refused(&set, &[&format!("{place}{name}")]);
        // The row is that of the data set, also where a part of it trains.
        let half = set.subset((4..20).collect()).expect("rows that are there");
        refused(&half, &["row 9: expected finite numbers"]);
    }
    let table = "a,b\n1,2\nnan,4\n";
    refused_by_reader(data::Csv::from_bytes(table).load(), &["line 3, column `a`: expected a finite number, found `nan`"]);
}

#[test]
fn a_batch_that_is_larger_than_the_data_set() {
    let (x, y) = good();
    let few = (x, y);
    let few = few.subset(vec![0, 1, 2]).expect("rows that are there");
    refused(
        &few,
        &["data group `pair`: expected at least 8 samples for one batch (`Config::batch` sets its size), found 3"],
    );
}

#[test]
fn a_source_that_panics() {
    struct Panics(Tensor);
    impl Source for Panics {
        fn name(&self) -> String {
            "the camera".to_string()
        }
        fn len(&self) -> usize {
            self.0.len()
        }
        fn columns(&self) -> Vec<ColumnSpec> {
            Liar { x: self.0.clone() }.columns()
        }
        fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> saddlepoint::Result<()> {
            assert!(!rows.contains(&17), "the lens cap is on");
            self.0.copy_numbers(column, rows, out)
        }
        fn copy_classes(&self, _: usize, _: &[usize], out: &mut [i32]) -> saddlepoint::Result<()> {
            out.fill(1);
            Ok(())
        }
    }
    refused(
        &Panics(good().0),
        &["the camera for the data group `pair`: expected its values, found a panic: the lens cap is on"],
    );
}

#[test]
fn what_was_learnt_before_bad_data_is_saved_and_goes_on() {
    let at = tempfile::tempdir().expect("a folder");
    let run = at.path().join("run");
    let (mut x, y) = good();
    let whole = (x.clone(), y.clone());
    let fit = || Fit::steps(30).into_dir(&run).quiet();
    // A row that the first step does not take breaks; the step that takes it ends the fit.
    let checkpoint = |step: u64| run.join(format!("checkpoints/step-{step:08}.safetensors"));
    let mut trained = None;
    for row in 0..20 {
        x.as_mut_slice().copy_from_slice(whole.0.as_slice());
        x.as_mut_slice()[16 * row] = f32::NAN;
        build().fit(&(x.clone(), y.clone()), fit()).expect_err("a number is missing");
        trained = (1..30).find(|step| checkpoint(*step).exists());
        if trained.is_some() {
            break;
        }
    }
    let trained = trained.expect("some row is not in the first batch, and what was learnt until its turn is saved");
    let mut again = build();
    let report = again.fit(&whole, fit().resume()).expect("repaired data train on");
    assert_eq!((report.step, report.steps), (30, 30 - trained));
    // The same as if the data had been whole from the start.
    let mut never = build();
    never.fit(&whole, Fit::steps(30).quiet()).expect("training");
    let weight = |model: &Small| model.parameter("D.dense_0.weight").expect("a parameter");
    assert_eq!(weight(&again), weight(&never));
}
