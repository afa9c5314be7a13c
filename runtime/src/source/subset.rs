//! Some of a source's rows ([`Subset`]): see [`Source::subset`] and [`Source::split`].

use rand::seq::SliceRandom;

use super::{ColumnSpec, Source};
use crate::error::{Error, Result};
use crate::streams::Stream;

/// Some rows of a source, in an order of their own. Errors name the source's own rows.
#[derive(Clone, Debug)]
pub struct Subset<'a, S> {
    source: &'a S,
    /// Each smaller than the source's length when this was made.
    rows: Vec<usize>,
}

impl<'a, S: Source> Subset<'a, S> {
    pub(super) fn new(source: &'a S, rows: Vec<usize>) -> Result<Subset<'a, S>> {
        let length = source.len();
        if let Some(row) = rows.iter().find(|row| **row >= length) {
            return Err(Error::data(source.name(), format!("rows below {length}"), format!("row {row}")));
        }
        Ok(Subset { source, rows })
    }

    pub(super) fn split(source: &'a S, fraction: f64, seed: u64) -> Result<(Subset<'a, S>, Subset<'a, S>)> {
        if !(0.0..=1.0).contains(&fraction) {
            let message = format!("the part of the samples that comes first lies between 0 and 1, not at {fraction}");
            return Err(Error::Setting { setting: "split", message });
        }
        let mut first: Vec<usize> = (0..source.len()).collect();
        first.shuffle(&mut Stream::Split.open(seed));
        let second = first.split_off((fraction * source.len() as f64).round() as usize);
        Ok((Subset { source, rows: first }, Subset { source, rows: second }))
    }

    /// The rows of the source, in order.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    fn within(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|row| self.rows[*row]).collect()
    }
}

impl<S: Source> Source for Subset<'_, S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn columns(&self) -> Vec<ColumnSpec> {
        self.source.columns()
    }

    fn check(&self) -> Result<()> {
        self.source.check()
    }

    fn origin(&self, row: usize) -> usize {
        self.rows.get(row).map_or(row, |row| self.source.origin(*row))
    }

    fn copy_numbers(&self, column: usize, rows: &[usize], out: &mut [f32]) -> Result<()> {
        self.source.copy_numbers(column, &self.within(rows), out)
    }

    fn copy_classes(&self, column: usize, rows: &[usize], out: &mut [i32]) -> Result<()> {
        self.source.copy_classes(column, &self.within(rows), out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn a_split_shares_all_rows_out_and_follows_the_seed() {
        let x = Tensor::from_fn(50, |row| row as f32);
        let (train, test) = x.split(0.7, 3).unwrap();
        assert_eq!((train.len(), test.len()), (35, 15));
        let mut all = [train.rows(), test.rows()].concat();
        assert!(!all.is_sorted());
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert_eq!(x.split(0.7, 3).unwrap().0.rows(), train.rows());
        assert_ne!(x.split(0.7, 4).unwrap().0.rows(), train.rows());
        let mut out = [0.0; 2];
        test.copy_numbers(0, &[14, 0], &mut out).unwrap();
        assert_eq!(out, [test.rows()[14] as f32, test.rows()[0] as f32]);
        for wrong in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(x.split(wrong, 0), Err(Error::Setting { setting: "split", .. })));
        }
        assert!(x.split(1.0, 0).unwrap().1.is_empty());
    }

    #[test]
    fn a_subset_has_its_rows_and_names_those_of_the_source() {
        let x = Tensor::from_fn(9, |row| row as f32);
        let odd = x.subset(vec![7, 5, 3]).unwrap();
        let last = odd.subset(vec![2]).unwrap();
        let mut out = [0.0];
        last.copy_numbers(0, &[0], &mut out).unwrap();
        assert_eq!((out, last.origin(0), odd.repeated(2).origin(4)), ([3.0], 3, 5));
        assert!(x.subset(vec![9]).unwrap_err().to_string().contains("row 9"));
    }
}
