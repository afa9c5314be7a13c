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

/// The largest change of an element. One step of Adam moves no element by much more than its rate, so this counts steps.
pub fn largest_move(before: &[Tensor], after: &[Tensor]) -> f32 {
    let pairs = before.iter().zip(after).flat_map(|(a, b)| a.as_slice().iter().zip(b.as_slice()));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// What these parameters are now.
pub fn parameters<M: Model>(model: &M, names: &[&str]) -> Vec<Tensor> {
    names.iter().map(|name| model.parameter(name).unwrap_or_else(|e| panic!("{e}"))).collect()
}
