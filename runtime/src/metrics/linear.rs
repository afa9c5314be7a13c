//! The linear algebra of the metrics; all of faer that they use.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::parallel;
use crate::error::{Error, Result};

/// Columns of a product that one piece of work computes.
const PIECE: usize = 128;

/// Eigenvalues and eigenvectors of a symmetric matrix.
pub(super) struct Eigen {
    /// In ascending order.
    pub values: Vec<f64>,
    /// One a column.
    vectors: Mat<f64>,
}

/// `out[n × m] = a[n × width] · b[m × width]ᵀ`, all row-major.
pub(super) fn products(a: &[f64], b: &[f64], width: usize, out: &mut [f64]) {
    if width == 0 {
        return out.fill(0.0);
    }
    let (n, m) = (a.len() / width, b.len() / width);
    matmul(
        MatMut::from_row_major_slice_mut(out, n, m),
        Accum::Replace,
        MatRef::from_row_major_slice(a, n, width),
        MatRef::from_row_major_slice(b, m, width).transpose(),
        1.0,
        Par::Seq,
    );
}

/// `scale · aᵀ · a` of `a[rows × width]`, row-major.
///
/// # Errors
/// Those of [`parallel::pieces`].
pub(super) fn gram(a: &[f64], width: usize, scale: f64) -> Result<Vec<f64>> {
    let a = MatRef::from_row_major_slice(a, a.len() / width.max(1), width);
    multiply(a.transpose(), a, scale)
}

/// `scale · a · b`, row-major, in pieces on all cores.
fn multiply(a: MatRef<f64>, b: MatRef<f64>, scale: f64) -> Result<Vec<f64>> {
    let width = b.ncols();
    let bands = parallel::pieces(a.nrows(), PIECE, |rows| {
        let mut band = vec![0.0; rows.len() * width];
        let out = MatMut::from_row_major_slice_mut(&mut band, rows.len(), width);
        matmul(out, Accum::Replace, a.subrows(rows.start, rows.len()), b, scale, Par::Seq);
        Ok(band)
    })?;
    Ok(bands.concat())
}

impl Eigen {
    /// Of a symmetric matrix, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] where the iteration does not converge.
    pub(super) fn of(matrix: &[f64], width: usize) -> Result<Eigen> {
        let mut vectors = Mat::zeros(width, width);
        let values = decompose(matrix, Some(vectors.as_mut()))?;
        Ok(Eigen { values, vectors })
    }

    /// `Rᵀ · matrix · R` for `R = V·√λ`, a root of the decomposed matrix: `R·Rᵀ`. Eigenvalues that are nothing but rounding
    /// count as zero.
    ///
    /// # Errors
    /// Those of [`parallel::pieces`].
    pub(super) fn between_roots(&self, matrix: &[f64]) -> Result<Vec<f64>> {
        let width = self.values.len();
        let floor = noise(&self.values);
        let kept: Vec<usize> = (0..width).filter(|&i| self.values[i] > floor).collect();
        let root = Mat::from_fn(width, kept.len(), |i, j| self.vectors[(i, kept[j])] * self.values[kept[j]].sqrt());
        let half = multiply(root.transpose(), MatRef::from_row_major_slice(matrix, width, width), 1.0)?;
        multiply(MatRef::from_row_major_slice(&half, kept.len(), width), root.as_ref(), 1.0)
    }
}

/// The eigenvalues of a symmetric matrix, row-major, in ascending order.
///
/// # Errors
/// [`Error::Data`] where the iteration does not converge.
pub(super) fn eigenvalues(matrix: &[f64]) -> Result<Vec<f64>> {
    decompose(matrix, None)
}

/// What the rounding of a decomposition makes of an eigenvalue that is zero, at most.
pub(super) fn noise(values: &[f64]) -> f64 {
    values.iter().fold(0.0_f64, |most, value| most.max(value.abs())) * values.len() as f64 * f64::EPSILON
}

fn decompose(matrix: &[f64], vectors: Option<MatMut<f64>>) -> Result<Vec<f64>> {
    let width = matrix.len().isqrt();
    let wanted = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut values = Diag::zeros(width);
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(width, wanted, Par::Seq, Default::default()));
    self_adjoint_evd(
        MatRef::from_row_major_slice(matrix, width, width),
        values.as_mut(),
        vectors,
        Par::Seq,
        MemStack::new(&mut memory),
        Default::default(),
    )
    .map_err(|_| Error::data("a covariance", "a matrix with an eigendecomposition", "one that does not converge"))?;
    Ok(values.column_vector().iter().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_rows() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0]);
        let mut out = [0.0; 2];
        products(&a, &b, 3, &mut out);
        assert_eq!(out, [7.0, 16.0]);
        assert_eq!(gram(&a, 3, 0.5).unwrap(), [8.5, 11.0, 13.5, 11.0, 14.5, 18.0, 13.5, 18.0, 22.5]);
    }

    #[test]
    fn a_root_of_a_singular_matrix_leaves_its_null_space_out() {
        // Eigenvalue 0 along (1, −1), 4 along (1, 1).
        let eigen = Eigen::of(&[2.0, 2.0, 2.0, 2.0], 2).unwrap();
        assert!((eigen.values[1] - 4.0).abs() < 1e-12 && eigen.values[0].abs() < 1e-12);
        let between = eigen.between_roots(&[1.0, 0.0, 0.0, 1.0]).unwrap();
        assert!(between.len() == 1 && (between[0] - 4.0).abs() < 1e-12, "{between:?}");
        assert!(Eigen::of(&[0.0], 1).unwrap().between_roots(&[1.0]).unwrap().is_empty());
        assert!(eigenvalues(&[]).unwrap().is_empty());
    }
}
