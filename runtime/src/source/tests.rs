//! Sources and the loader: which rows a batch takes, how fields find their columns, what is refused.

use std::collections::BTreeSet;

use super::loader::{FieldSpec, GroupSpec, Loader};
use super::{Columns, Source};
use crate::array::{Array, Column, Kind};
use crate::data::Pixels;
use crate::error::{Error, Result};
use crate::tensor::{Classes, Tensor};

fn numbers(count: usize) -> Tensor {
    Tensor::new([count, 2], (0..2 * count).map(|i| i as f32).collect()).unwrap()
}

fn labels(count: usize) -> Classes {
    Classes::new([count], 10, (0..count as i32).map(|i| i % 10).collect()).unwrap()
}

fn field(name: &str, kind: Kind, shape: &[usize]) -> FieldSpec {
    FieldSpec { name: name.into(), kind, shape: shape.to_vec(), needed: true }
}

fn group(fields: Vec<FieldSpec>) -> GroupSpec {
    GroupSpec { name: "pair".into(), fields }
}

fn pair() -> GroupSpec {
    group(vec![field("x", Kind::Tensor, &[2]), field("y", Kind::Classes(10), &[])])
}

/// The first elements of the first field of batch `inner`: which rows it took.
fn rows(loader: &Loader<'_>, inner: usize, group: usize) -> Vec<usize> {
    match loader.batches()[inner][group][0] {
        Column::Tensor(tensor) => (0..tensor.rows()).map(|row| tensor.row(row)[0] as usize / 2).collect(),
        Column::Classes(_) | Column::Rows(_) => panic!("numbers come first"),
    }
}

fn message<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("this was to be refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_epoch_takes_every_sample_once_and_the_next_in_another_order() {
    let (x, y) = (numbers(20), labels(20));
    let source = (&x, &y);
    let mut loader = Loader::new(&[pair()], &[&source], 5, 2, 7).unwrap();
    let mut epochs = Vec::new();
    for epoch in 0..3 {
        let mut taken = Vec::new();
        for step in 2 * epoch..2 * epoch + 2 {
            loader.load(step).unwrap();
            taken.extend([rows(&loader, 0, 0), rows(&loader, 1, 0)].concat());
        }
        assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 20);
        epochs.push(taken);
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && !epochs[0].is_sorted());
}

#[test]
fn fields_of_a_group_come_from_one_sample_and_groups_are_shuffled_apart() {
    let (x, y) = (numbers(20), labels(20));
    let source = (&x, &y);
    let mut loader = Loader::new(&[pair(), pair()], &[&source, &source], 10, 1, 7).unwrap();
    loader.load(0).unwrap();
    let Column::Classes(classes) = loader.batches()[0][0][1] else { panic!("labels come second") };
    let expected: Vec<i32> = rows(&loader, 0, 0).iter().map(|row| (row % 10) as i32).collect();
    assert_eq!(classes.as_slice(), expected);
    assert_ne!(rows(&loader, 0, 0), rows(&loader, 0, 1));
}

#[test]
fn a_batch_follows_from_seed_and_step_alone() {
    let x = numbers(23);
    let spec = [group(vec![field("x", Kind::Tensor, &[2])])];
    let at = |seed, steps: &[u64]| {
        let mut loader = Loader::new(&spec, &[&x], 5, 3, seed).unwrap();
        for &step in steps {
            loader.load(step).unwrap();
        }
        [rows(&loader, 0, 0), rows(&loader, 1, 0), rows(&loader, 2, 0)]
    };
    assert_eq!(at(7, &[0, 1, 2, 3, 4]), at(7, &[4]));
    assert_eq!(at(7, &[9, 4]), at(7, &[4]));
    assert_ne!(at(7, &[4]), at(8, &[4]));
}

#[test]
fn columns_are_found_by_name_or_else_in_order() {
    let spec = [pair()];
    let named = |x: &str, y: &str| {
        Columns::new("set", vec![(y, labels(8).into()), ("more", numbers(8).into()), (x, numbers(8).into())]).unwrap()
    };
    assert!(Loader::new(&spec, &[&named("x", "y")], 4, 1, 0).is_ok());
    // One name fits, so all have to.
    let text = message(Loader::new(&spec, &[&named("x", "label")], 4, 1, 0));
    assert!(text.contains("field `y`") && text.contains("`label`, `more`, `x`"), "{text}");
    // No name fits: in order, where a class stands for the numbers.
    let text = message(Loader::new(&spec, &[&named("a", "b")], 4, 1, 0));
    assert!(text.contains("expected [2], found class(10)"), "{text}");
    assert!(Loader::new(&spec, &[&(numbers(8), labels(8))], 4, 1, 0).is_ok());
    let text = message(Loader::new(&spec, &[&numbers(8)], 4, 1, 0));
    assert!(text.contains("field `y`") && text.contains("only 1 columns"), "{text}");
}

#[test]
fn a_field_nobody_reads_need_not_be_there_and_is_zero() {
    let mut spec = pair();
    spec.fields[1].needed = false;
    let x = numbers(8);
    let mut loader = Loader::new(&[spec], &[&x], 4, 1, 0).unwrap();
    loader.load(1).unwrap();
    assert_eq!(loader.batches()[0][0][1].shape(), [4]);
    assert!(matches!(loader.batches()[0][0][1], Column::Classes(classes) if classes.as_slice() == [0; 4]));
}

#[test]
fn kinds_shapes_and_lengths_that_do_not_fit_are_refused_before_training() {
    let wide = [group(vec![field("x", Kind::Tensor, &[3])])];
    assert!(message(Loader::new(&wide, &[&numbers(8)], 4, 1, 0)).contains("expected [3], found [2]"));
    let few = [group(vec![field("y", Kind::Classes(4), &[])])];
    assert!(message(Loader::new(&few, &[&labels(8)], 4, 1, 0)).contains("expected class(4), found class(10)"));
    let spec = [group(vec![field("x", Kind::Tensor, &[2])])];
    assert!(message(Loader::new(&spec, &[&numbers(3)], 4, 1, 0)).contains("at least 4 samples"));
    assert!(message(Loader::new(&spec, &[&numbers(0)], 4, 1, 0)).contains("found 0"));
    assert!(message(Loader::new(&spec, &[], 4, 1, 0)).contains("1 data groups"));
    assert!(message(Loader::new(&[pair()], &[&(numbers(8), labels(9))], 4, 1, 0)).contains("9 in part 1"));
}

#[test]
fn numbers_that_are_not_finite_are_refused_with_their_row() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = numbers(8);
        x.as_mut_slice()[2 * 5 + 1] = wrong;
        let spec = [group(vec![field("x", Kind::Tensor, &[2])])];
        let mut loader = Loader::new(&spec, &[&x], 4, 1, 0).unwrap();
        let error = [0, 1].iter().find_map(|&step| loader.load(step).err()).unwrap();
        let Error::Data { row, field, found, .. } = &error else { panic!("{error}") };
        assert_eq!((*row, field.as_deref(), found.as_str()), (Some(5), Some("x"), wrong.to_string().as_str()));
    }
}

#[test]
fn classes_that_a_foreign_source_hands_out_are_checked() {
    struct Liar;
    impl Source for Liar {
        fn len(&self) -> usize {
            4
        }
        fn columns(&self) -> Vec<super::ColumnSpec> {
            labels(4).columns()
        }
        fn copy_numbers(&self, _: usize, _: &[usize], _: &mut [f32]) -> Result<()> {
            Ok(())
        }
        fn copy_classes(&self, _: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
            for (out, row) in out.iter_mut().zip(rows) {
                *out = if *row == 2 { 10 } else { 9 };
            }
            Ok(())
        }
    }
    let spec = [group(vec![field("y", Kind::Classes(10), &[])])];
    let mut loader = Loader::new(&spec, &[&Liar], 4, 1, 0).unwrap();
    let error = loader.load(0).unwrap_err();
    assert!(matches!(&error, Error::Data { row: Some(2), .. }) && error.to_string().contains("0..10"), "{error}");
}

#[test]
fn repeated_sources_and_tuples_hand_out_the_rows_they_should() {
    let x = numbers(3);
    let twice = x.repeated(2);
    let mut out = [0.0; 4];
    twice.copy_numbers(0, &[4, 2], &mut out).unwrap();
    assert_eq!((twice.len(), out), (6, [2.0, 3.0, 4.0, 5.0]));
    let three = (numbers(3), labels(3), Pixels::new(3, [1, 1, 1], vec![0, 255, 0]).unwrap());
    let mut pixel = [0.0; 2];
    three.copy_numbers(2, &[1, 0], &mut pixel).unwrap();
    assert_eq!((pixel, three.columns().len()), ([1.0, -1.0], 3));
    assert!(three.copy_numbers(1, &[0], &mut pixel[..1]).is_err() && three.copy_numbers(3, &[0], &mut pixel).is_err());
}

#[test]
fn columns_of_different_lengths_or_of_one_name_are_refused() {
    assert!(message(Columns::new("set", vec![("x", numbers(3).into()), ("y", labels(4).into())])).contains("field `y`"));
    assert!(message(Columns::new("set", vec![("x", numbers(3).into()), ("x", labels(3).into())])).contains("second"));
    assert!(message(Columns::new("set", vec![("x", Tensor::new([], vec![1.0]).unwrap().into())])).contains("scalar"));
    assert!(message(Columns::new("set", vec![])).contains("at least one column"));
    let set = Columns::new("set", vec![("x", numbers(3).into())]).unwrap();
    assert!(matches!(set.column("x"), Some(Array::Tensor(tensor)) if tensor.rows() == 3));
}
