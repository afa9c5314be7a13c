//! Strided walks over row-major data: most ops that move elements are one such walk.

use super::super::row_major_strides;

/// A walk over a tensor: where the first element is and how far apart neighbours along each axis are.
pub(super) struct View {
    /// Offset of element (0, …, 0).
    pub base: isize,
    /// Extent and stride of each axis, outermost first.
    pub axes: Vec<(usize, isize)>,
}

impl View {
    /// The row-major walk over a shape.
    pub fn of(shape: &[usize]) -> View {
        let strides = row_major_strides(shape).into_iter().map(|s| s as isize);
        View { base: 0, axes: shape.iter().copied().zip(strides).collect() }
    }

    /// The offsets visited, in row-major order of the walk's own axes.
    pub fn offsets(&self) -> Vec<usize> {
        let mut offsets = vec![self.base];
        for &(extent, stride) in &self.axes {
            let along = |start: isize| (0..extent as isize).map(move |i| start + i * stride);
            offsets = offsets.into_iter().flat_map(along).collect();
        }
        offsets.into_iter().map(|o| o as usize).collect()
    }
}

/// Extents before, at and after an axis.
pub(super) fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
