//! Paths between samples: what a generator does between two latents shows whether it has learnt a space or a list.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

impl Tensor {
    /// From each row to the next in `steps` equal steps along great circles, the length going evenly from one's to the other's: for
    /// normal latents, which lie near a sphere (White 2016). Shape `[n, …]` with n ≥ 1 to `[(n − 1)·steps + 1, …]`.
    ///
    /// Rows in opposite directions, or a row of zeros, have no great circle: there the path is straight.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no rows, or `steps` is 0.
    pub fn spherical_path(&self, steps: usize) -> Result<Tensor> {
        path(self, steps, spherical)
    }

    /// From each row to the next in `steps` equal steps along straight lines. Shape `[n, …]` with n ≥ 1 to `[(n − 1)·steps + 1, …]`.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no rows, or `steps` is 0.
    pub fn linear_path(&self, steps: usize) -> Result<Tensor> {
        path(self, steps, |_, _| Box::new(|t| (1.0 - t, t)))
    }
}

/// What of the two ends a place between them has, from where it is, 0 to 1.
type Shares = Box<dyn Fn(f64) -> (f64, f64)>;

fn path(rows: &Tensor, steps: usize, shares: impl Fn(&[f32], &[f32]) -> Shares) -> Result<Tensor> {
    let (shape, n) = (rows.shape(), rows.rows());
    if shape.is_empty() || n == 0 || steps == 0 {
        return Err(Error::data("a path", "at least one row and one step", format!("{shape:?}, {steps} steps")));
    }
    let mut values = rows.row(0).to_vec();
    for (from, to) in (1..n).map(|i| (rows.row(i - 1), rows.row(i))) {
        let shares = shares(from, to);
        for step in 1..steps {
            let (a, b) = shares(step as f64 / steps as f64);
            values.extend(from.iter().zip(to).map(|(x, y)| (a * f64::from(*x) + b * f64::from(*y)) as f32));
        }
        values.extend(to);
    }
    Tensor::new([&[(n - 1) * steps + 1], &shape[1..]].concat(), values)
}

fn spherical(from: &[f32], to: &[f32]) -> Shares {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let (a, b) = (dot(from, from).sqrt(), dot(to, to).sqrt());
    let angle = (dot(from, to) / (a * b)).clamp(-1.0, 1.0).acos();
    // Also what is not a number.
    if !(angle.sin() > 1e-6) {
        return Box::new(|t| (1.0 - t, t));
    }
    Box::new(move |t| {
        let length = (1.0 - t) * a + t * b;
        let share = |t: f64, own: f64| (t * angle).sin() / angle.sin() * length / own;
        (share(1.0 - t, a), share(t, b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(row: &[f32]) -> f32 {
        row.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn great_circles_turn_and_grow_evenly() {
        let ends = Tensor::new([2, 2], vec![1.0, 0.0, 0.0, 3.0]).unwrap();
        let path = ends.spherical_path(4).unwrap();
        assert_eq!(path.shape(), [5, 2]);
        for i in 0..5 {
            let row = path.row(i);
            assert!((length(row) - (1.0 + 0.5 * i as f32)).abs() < 1e-6, "{row:?}");
            let angle = row[1].atan2(row[0]).to_degrees();
            assert!((angle - 22.5 * i as f32).abs() < 1e-4, "{angle}");
        }
    }

    #[test]
    fn ends_are_met_exactly_and_lines_are_straight() {
        let ends = Tensor::new([3, 1, 2], vec![1.0, 2.0, 3.0, 6.0, -3.0, -6.0]).unwrap();
        for path in [ends.spherical_path(2).unwrap(), ends.linear_path(2).unwrap()] {
            assert_eq!(path.shape(), [5, 1, 2]);
            assert_eq!([path.row(0), path.row(2), path.row(4)], [ends.row(0), ends.row(1), ends.row(2)]);
            // The first two are in one direction, the last two in opposite ones: straight either way.
            assert_eq!((path.row(1), path.row(3)), (&[2.0, 4.0][..], &[0.0, 0.0][..]));
        }
        let zeros = Tensor::zeros([2, 3]).spherical_path(3).unwrap();
        assert!(zeros.as_slice().iter().all(|v| *v == 0.0));
    }

    #[test]
    fn nothing_has_no_path() {
        assert!(Tensor::zeros([0, 3]).linear_path(2).is_err());
        assert!(Tensor::zeros([2, 3]).linear_path(0).unwrap_err().to_string().contains("0 steps"));
        assert_eq!(Tensor::zeros([1, 3]).spherical_path(5).unwrap().shape(), [1, 3]);
    }
}
