//! Euclidean distances between all samples of two sets: estimated by products of matrices, decided by direct differences.
//!
//! |q − r|² = |q|² + |r|² − 2 q·r is fast but cancels where two samples are close beside their norms. Samples are therefore
//! taken relative to the mean of the references, every estimate comes with a bound on its error, and whatever the bound leaves
//! open – which neighbour is nearer, who is inside of a ball – is decided by Σ (qᵢ − rᵢ)² of the samples themselves. So results
//! are those of direct distances, and equal samples have distance zero.

use super::features::Features;
use super::{linear, parallel};
use crate::error::Result;

/// How much larger than the bound on its error an estimate is that is taken as the distance itself.
const FAR: f64 = 1e6;

/// Two sets of samples, ready for the distances between them.
pub(super) struct Distances<'a> {
    queries: Features<'a>,
    references: Features<'a>,
    relative: [Vec<f64>; 2],
    norms: [Vec<f64>; 2],
    slack: f64,
}

/// The squared distances from one query to all references.
pub(super) struct Row<'a> {
    all: &'a Distances<'a>,
    query: usize,
    products: &'a [f64],
}

/// A reference and the squared distance to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    pub index: usize,
    pub squared: f64,
}

impl<'a> Distances<'a> {
    /// From each of `queries` to each of `references`, which are as wide.
    pub(super) fn new(queries: Features<'a>, references: Features<'a>) -> Distances<'a> {
        let origin = references.mean();
        let relative = [queries.relative_to(&origin), references.relative_to(&origin)];
        let width = references.width;
        let norms = relative
            .each_ref()
            .map(|rows| rows.chunks_exact(width).map(|row| row.iter().map(|x| x * x).sum()).collect::<Vec<f64>>());
        // Rounding of product, norms, differences and direct sum, each at most about width·ε of (|q| + |r|)² ≤ 2(|q|² + |r|²).
        let slack = (4 * width + 16) as f64 * f64::EPSILON;
        Distances { queries, references, relative, norms, slack }
    }

    /// `work` for each query, in order; in memory that does not grow with the number of queries.
    ///
    /// # Errors
    /// Those of [`parallel::pieces`].
    pub(super) fn rows<T: Send>(&self, work: impl Fn(usize, &Row) -> T + Sync) -> Result<Vec<T>> {
        let (width, columns) = (self.queries.width, self.references.rows);
        let pieces = parallel::pieces(self.queries.rows, parallel::rows_a_tile(columns), |queries| {
            let mut tile = vec![0.0; queries.len() * columns];
            let rows = &self.relative[0][queries.start * width..queries.end * width];
            linear::products(rows, &self.relative[1], width, &mut tile);
            let rows = queries.zip(tile.chunks_exact(columns));
            Ok(rows.map(|(query, products)| work(query, &Row { all: self, query, products })).collect::<Vec<_>>())
        })?;
        Ok(pieces.into_iter().flatten().collect())
    }
}

impl Row<'_> {
    /// The estimate of the squared distance to a reference, and the bound on its error.
    fn estimate(&self, reference: usize) -> (f64, f64) {
        let norms = self.all.norms[0][self.query] + self.all.norms[1][reference];
        ((norms - 2.0 * self.products[reference]).max(0.0), self.all.slack * norms)
    }

    /// The squared distance to a reference, from direct differences.
    fn direct(&self, reference: usize) -> f64 {
        let pairs = self.all.queries.row(self.query).iter().zip(self.all.references.row(reference));
        pairs.map(|(&q, &r)| (f64::from(q) - f64::from(r)).powi(2)).sum()
    }

    /// The squared distance to a reference, correct to six digits at least.
    pub(super) fn squared(&self, reference: usize) -> f64 {
        let (estimate, bound) = self.estimate(reference);
        if estimate > FAR * bound { estimate } else { self.direct(reference) }
    }

    /// Whether a reference is nearer than the root of `squared`.
    pub(super) fn nearer(&self, reference: usize, squared: f64) -> bool {
        self.decide(reference, squared, |direct| direct < squared)
    }

    /// Whether a reference is as near as the root of `squared`, or nearer.
    pub(super) fn within(&self, reference: usize, squared: f64) -> bool {
        self.decide(reference, squared, |direct| direct <= squared)
    }

    fn decide(&self, reference: usize, squared: f64, by: impl Fn(f64) -> bool) -> bool {
        let (estimate, bound) = self.estimate(reference);
        if (estimate - squared).abs() > bound { estimate < squared } else { by(self.direct(reference)) }
    }

    /// The `k` nearest references but `left_out`, nearest first; of equally near ones the first.
    pub(super) fn nearest(&self, k: usize, left_out: Option<usize>) -> Vec<Neighbour> {
        let mut nearest: Vec<Neighbour> = Vec::with_capacity(k + 1);
        for index in (0..self.products.len()).filter(|&index| Some(index) != left_out) {
            let farthest = if nearest.len() < k { f64::INFINITY } else { nearest.last().map_or(0.0, |n| n.squared) };
            let (estimate, bound) = self.estimate(index);
            if estimate - bound >= farthest {
                continue;
            }
            let squared = self.direct(index);
            if squared < farthest {
                let at = nearest.partition_point(|n| n.squared <= squared);
                nearest.insert(at, Neighbour { index, squared });
                nearest.truncate(k);
            }
        }
        nearest
    }

    /// The squared distance to the nearest reference but `left_out`, and how many are as near.
    pub(super) fn nearest_with_ties(&self, left_out: Option<usize>) -> (f64, usize) {
        let mut nearest = (f64::INFINITY, 0);
        for index in (0..self.products.len()).filter(|&index| Some(index) != left_out) {
            let (estimate, bound) = self.estimate(index);
            if estimate - bound > nearest.0 {
                continue;
            }
            let squared = self.direct(index);
            if squared < nearest.0 {
                nearest = (squared, 1);
            } else if squared == nearest.0 {
                nearest.1 += 1;
            }
        }
        nearest
    }
}
