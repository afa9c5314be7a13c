//! Samples drawn at random for loops written by hand: see [`Source::draws`].

use rand::seq::SliceRandom;

use super::Source;
use super::guard::guarded;
use crate::array::{Array, Kind};
use crate::error::{Error, Result};
use crate::streams::Stream;
use crate::tensor::{Classes, Rows, Tensor};

/// Samples of a source, drawn at random without an end: every sample once, then every sample once in another order.
#[derive(Clone, Debug)]
pub struct Draws<'a, S> {
    source: &'a S,
    seed: u64,
    epoch: u64,
    /// The order of this epoch, and how many of it have been drawn.
    order: Vec<usize>,
    drawn: usize,
}

/// What samples can be drawn as: [`Tensor`] or [`Classes`] for a source with one column, a tuple of these for one with
/// several, in the order of [`Source::columns`]; `Vec<Array>` for any.
pub trait Drawn: Sized {
    /// From the columns; `source` is what errors name.
    ///
    /// # Errors
    /// [`Error::Data`] where there are more or fewer columns, or of another kind.
    fn from_columns(source: &str, columns: Vec<Array>) -> Result<Self>;
}

impl<'a, S: Source> Draws<'a, S> {
    pub(super) fn new(source: &'a S, seed: u64) -> Draws<'a, S> {
        Draws { source, seed, epoch: 0, order: Vec::new(), drawn: 0 }
    }

    /// The rows of the next `samples` samples.
    ///
    /// # Errors
    /// [`Error::Data`] where the source is empty.
    pub fn rows(&mut self, samples: usize) -> Result<Vec<usize>> {
        if samples > 0 && self.source.is_empty() {
            return Err(Error::data(self.source.name(), "samples to draw", "none"));
        }
        let mut rows = Vec::with_capacity(samples);
        while rows.len() < samples {
            if self.drawn == self.order.len() {
                self.order = (0..self.source.len()).collect();
                self.order.shuffle(&mut Stream::Draws { epoch: self.epoch }.open(self.seed));
                (self.epoch, self.drawn) = (self.epoch + 1, 0);
            }
            let taken = (samples - rows.len()).min(self.order.len() - self.drawn);
            rows.extend(&self.order[self.drawn..self.drawn + taken]);
            self.drawn += taken;
        }
        Ok(rows)
    }

    /// The next `samples` samples, batch axis first.
    ///
    /// # Errors
    /// [`Error::Data`] where the source is empty, fails, or has other columns than are asked for.
    pub fn draw<T: Drawn>(&mut self, samples: usize) -> Result<T> {
        let name = self.source.name();
        guarded(&name, || self.source.check())?;
        let rows = self.rows(samples)?;
        let mut columns = Vec::new();
        for (index, column) in self.source.columns().into_iter().enumerate() {
            let shape = [&[samples], column.shape.as_slice()].concat();
            let count = shape.iter().product();
            columns.push(match column.kind {
                Kind::Tensor => {
                    let mut values = vec![0.0; count];
                    guarded(&name, || self.source.copy_numbers(index, &rows, &mut values))?;
                    Array::Tensor(Tensor::new(shape, values)?)
                }
                Kind::Classes(classes) => {
                    let mut values = vec![0; count];
                    guarded(&name, || self.source.copy_classes(index, &rows, &mut values))?;
                    Array::Classes(Classes::new(shape, classes, values)?)
                }
                Kind::Rows => Array::Rows(Rows::new(rows.clone())),
            });
        }
        T::from_columns(&name, columns)
    }
}

/// One column as what was asked for.
trait One: Sized {
    /// What it is called.
    const NAME: &'static str;

    fn from_array(array: Array) -> Option<Self>;
}

impl One for Tensor {
    const NAME: &'static str = "numbers";

    fn from_array(array: Array) -> Option<Tensor> {
        match array {
            Array::Tensor(tensor) => Some(tensor),
            Array::Classes(_) | Array::Rows(_) => None,
        }
    }
}

impl One for Classes {
    const NAME: &'static str = "classes";

    fn from_array(array: Array) -> Option<Classes> {
        match array {
            Array::Classes(classes) => Some(classes),
            Array::Tensor(_) | Array::Rows(_) => None,
        }
    }
}

impl Drawn for Vec<Array> {
    fn from_columns(_: &str, columns: Vec<Array>) -> Result<Vec<Array>> {
        Ok(columns)
    }
}

fn describe(columns: &[Array]) -> String {
    let kind = |column: &Array| match column {
        Array::Tensor(_) => "numbers",
        Array::Classes(_) => "classes",
        Array::Rows(_) => "positions",
    };
    columns.iter().map(kind).collect::<Vec<_>>().join(", ")
}

macro_rules! drawn {
    ($type:ty: $($part:ident),+) => {
        fn from_columns(source: &str, columns: Vec<Array>) -> Result<$type> {
            let names = [$($part::NAME),+];
            let found = describe(&columns);
            let refused = || Error::data(source, format!("the columns asked for: {}", names.join(", ")), found.clone());
            if columns.len() != names.len() {
                return Err(refused());
            }
            let mut columns = columns.into_iter();
            let parts = ($(columns.next().and_then($part::from_array).ok_or_else(refused)?),+);
            Ok(parts)
        }
    };
}

impl Drawn for Tensor {
    drawn!(Tensor: Tensor);
}

impl Drawn for Classes {
    drawn!(Classes: Classes);
}

#[allow(private_bounds)]
impl<A: One, B: One> Drawn for (A, B) {
    drawn!((A, B): A, B);
}

#[allow(private_bounds)]
impl<A: One, B: One, C: One> Drawn for (A, B, C) {
    drawn!((A, B, C): A, B, C);
}

#[allow(private_bounds)]
impl<A: One, B: One, C: One, D: One> Drawn for (A, B, C, D) {
    drawn!((A, B, C, D): A, B, C, D);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_go_through_all_samples_before_they_repeat_one() {
        let x = Tensor::from_fn(10, |row| row as f32);
        let mut draws = x.draws(5);
        let mut all = [draws.rows(4).unwrap(), draws.rows(4).unwrap(), draws.rows(12).unwrap()].concat();
        assert_eq!(x.draws(5).rows(20).unwrap(), all);
        assert_ne!(x.draws(6).rows(20).unwrap(), all);
        assert_ne!(all[..10], all[10..]);
        all[..10].sort_unstable();
        all[10..].sort_unstable();
        assert_eq!(all, [(0..10).collect::<Vec<_>>(), (0..10).collect()].concat());
        assert!(Tensor::zeros([0, 2]).draws(0).rows(1).unwrap_err().to_string().contains("none"));
    }

    #[test]
    fn samples_come_as_what_is_asked_for() {
        let pairs = (Tensor::from_fn(10, |row| row as f32), Classes::new([10], 10, (0..10).collect()).unwrap());
        let (x, y): (Tensor, Classes) = pairs.draws(1).draw(6).unwrap();
        assert!(x.as_slice().iter().zip(y.as_slice()).all(|(x, y)| *x == *y as f32));
        assert_eq!((x.shape(), y.count()), (&[6][..], 10));
        let whole: Vec<Array> = pairs.draws(1).draw(6).unwrap();
        assert_eq!(whole, [Array::from(x), Array::from(y)]);
        let refused = |error: Error| error.to_string();
        let text = refused(pairs.draws(1).draw::<Tensor>(6).unwrap_err());
        assert!(text.contains("asked for: numbers, found numbers, classes"), "{text}");
        let text = refused(pairs.draws(1).draw::<(Tensor, Tensor)>(6).unwrap_err());
        assert!(text.contains("asked for: numbers, numbers, found numbers, classes"), "{text}");
        assert!(pairs.0.draws(1).draw::<Classes>(6).is_err());
    }
}
