//! Fetched data sets through their readers, where they are here: `cargo run --release --example fetch -- mnist fashion digits emoji`.

use saddlepoint::prelude::*;
use saddlepoint::{Columns, Error};
use saddlepoint_examples_harness::{classes, rows, sets};

/// What is not here is said and left out.
fn here<T>(name: &str, read: saddlepoint::Result<T>) -> Option<T> {
    match read {
        Ok(set) => Some(set),
        Err(error @ Error::Absent { .. }) => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn shape(source: &Columns) -> Vec<usize> {
    [vec![source.len()], source.columns()[0].shape.clone()].concat()
}

fn each_class(source: &Columns) -> Vec<usize> {
    let labels = classes(source, 0, source.len()).unwrap();
    (0..labels.count() as i32).map(|class| labels.as_slice().iter().filter(|&&label| label == class).count()).collect()
}

#[test]
fn digits_and_clothes_are_whole() {
    if let Some(parts) = here("mnist", sets::mnist()) {
        assert_eq!((shape(&parts.train), shape(&parts.test)), (vec![60_000, 1, 28, 28], vec![10_000, 1, 28, 28]));
        assert_eq!(each_class(&parts.train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
        assert_eq!(each_class(&parts.test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    }
    if let Some(parts) = here("fashion", sets::fashion()) {
        assert_eq!((shape(&parts.train), shape(&parts.test)), (vec![60_000, 1, 28, 28], vec![10_000, 1, 28, 28]));
        assert_eq!((each_class(&parts.train), each_class(&parts.test)), (vec![6_000; 10], vec![1_000; 10]));
        // The embedded ones are the first of each class.
        let (all, sample) = (rows(&parts.train, 0, 1).unwrap(), rows(&data::fashion_sample(), 0, 1).unwrap());
        assert_eq!(all, sample);
    }
    if let Some(set) = here("digits", sets::digits()) {
        assert_eq!(shape(&set), [1797, 1, 8, 8]);
        assert_eq!(each_class(&set), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let levels = rows(&set, 0, set.len()).unwrap().into_vec();
        assert!(levels.iter().all(|level| (-1.0..=1.0).contains(level)) && levels.contains(&-1.0) && levels.contains(&1.0));
    }
}

#[test]
fn emoji_are_pairs() {
    let Some(set) = here("emoji", sets::emoji(16)) else { return };
    assert_eq!((shape(&set.twitter), shape(&set.google)), (vec![3786, 3, 16, 16], vec![3786, 3, 16, 16]));
    // An emoji is nearer to itself in the other style than to the one 1,000 rows further on, far more often than not.
    let (twitter, google) = (rows(&set.twitter, 0, 3786).unwrap(), rows(&set.google, 0, 3786).unwrap());
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let nearer = (0..3786)
        .filter(|&i| distance(twitter.row(i), google.row(i)) < distance(twitter.row(i), google.row((i + 1_000) % 3786)))
        .count();
    assert!(nearer > 3_400, "{nearer} of 3786");
}
