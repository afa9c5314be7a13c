//! Sentences for systems whose outputs are words: all of them, so that expectations over what a model says are exact sums.

use saddlepoint::{Classes, Model, Tensor};

/// Every sentence of this length over this many words.
pub fn all_sentences(words: usize, length: usize) -> Vec<Vec<i32>> {
    let place = |t: usize| words.pow((length - 1 - t) as u32);
    (0..words.pow(length as u32)).map(|i| (0..length).map(|t| (i / place(t) % words) as i32).collect()).collect()
}

/// Rows of equal length as classes.
pub fn classes(rows: &[Vec<i32>], count: usize) -> Classes {
    Classes::new([rows.len(), rows[0].len()], count, rows.concat()).expect("classes below their number")
}

/// What these parameters are now.
pub fn parameters<M: Model>(model: &M, names: &[&str]) -> Vec<Tensor> {
    names.iter().map(|name| model.parameter(name).unwrap_or_else(|e| panic!("{e}"))).collect()
}
