//! Reductions, scans and windows: elements of the operand are combined into one of the result, in row-major order.

use super::strided::{View, around};
use super::value::Float;
use crate::ir::Type;

/// Where each element of the operand goes in the result of reducing `axes`.
fn destinations(ty: &Type, axes: &[usize]) -> (usize, Vec<usize>) {
    let kept: Vec<usize> = (0..ty.rank()).filter(|a| !axes.contains(a)).collect();
    let result = View::of(&kept.iter().map(|a| ty.shape[*a]).collect::<Vec<_>>());
    let mut walk = View::of(&ty.shape);
    for (a, axis) in walk.axes.iter_mut().enumerate() {
        axis.1 = kept.iter().position(|k| *k == a).map_or(0, |i| result.axes[i].1);
    }
    (kept.iter().map(|a| ty.shape[*a]).product(), walk.offsets())
}

/// Sum over the axes.
pub(super) fn sum<T: Float>(axes: &[usize], ty: &Type, x: &[T]) -> Vec<T> {
    let (count, to) = destinations(ty, axes);
    accumulate(count, &to, x)
}

/// Maximum over the axes: the running maximum m becomes x where x > m.
pub(super) fn max<T: Float>(axes: &[usize], ty: &Type, x: &[T]) -> Vec<T> {
    let (count, to) = destinations(ty, axes);
    let mut result = vec![T::from_f64(f64::NEG_INFINITY); count];
    for (o, v) in to.iter().zip(x) {
        result[*o] = if result[*o] > *v { result[*o] } else { *v };
    }
    result
}

/// Running sum along an axis.
pub(super) fn cum_sum<T: Float>(axis: usize, reverse: bool, ty: &Type, x: &[T]) -> Vec<T> {
    let (outer, extent, inner) = around(&ty.shape, axis);
    let mut result = x.to_vec();
    for o in 0..outer {
        for i in 0..inner {
            let mut total = T::from_f64(0.0);
            for step in 0..extent {
                let place = if reverse { extent - 1 - step } else { step };
                let at = (o * extent + place) * inner + i;
                total = total + x[at];
                result[at] = total;
            }
        }
    }
    result
}

/// The walk over axis `axis` of a tensor of this shape by windows: the axis becomes two, `[windows, taps]`.
fn windows(shape: &[usize], axis: usize, (count, stride): (usize, usize), (size, dilation): (usize, usize)) -> Vec<usize> {
    let mut walk = View::of(shape);
    let step = walk.axes[axis].1;
    walk.axes.splice(axis..=axis, [(count, stride as isize * step), (size, dilation as isize * step)]);
    walk.offsets()
}

/// Offsets into the operand of each element of an unfolded result.
pub(super) fn unfold(axis: usize, (stride, dilation): (usize, usize), operand: &Type, result: &Type) -> Vec<usize> {
    windows(&operand.shape, axis, (result.shape[axis], stride), (result.shape[axis + 1], dilation))
}

/// Sums every tap into its place.
pub(super) fn fold<T: Float>(
    axis: usize,
    (stride, dilation): (usize, usize),
    operand: &Type,
    result: &Type,
    x: &[T],
) -> Vec<T> {
    let to = windows(&result.shape, axis, (operand.shape[axis], stride), (operand.shape[axis + 1], dilation));
    accumulate(result.elements(), &to, x)
}

/// Offsets into the operand of each element of a gathered result. Indices are clamped.
pub(super) fn gather(axis: usize, shape: &[usize], indices: &[i32]) -> Vec<usize> {
    let (outer, extent, inner) = around(shape, axis);
    let last = extent as i64 - 1;
    let rows: Vec<usize> = indices.iter().map(|i| i64::from(*i).clamp(0, last) as usize).collect();
    let row = |o: usize| rows.iter().flat_map(move |r| (0..inner).map(move |i| (o * extent + r) * inner + i));
    (0..outer).flat_map(row).collect()
}

/// The adjoint of [`gather`]: updates are summed into the rows that the indices name.
pub(super) fn scatter_add<T: Float>(axis: usize, result: &Type, indices: &[i32], updates: &[T]) -> Vec<T> {
    accumulate(result.elements(), &gather(axis, &result.shape, indices), updates)
}

/// Sums `x[e]` into place `to[e]` of a result that starts at 0.
fn accumulate<T: Float>(count: usize, to: &[usize], x: &[T]) -> Vec<T> {
    let mut result = vec![T::from_f64(0.0); count];
    for (o, v) in to.iter().zip(x) {
        result[*o] = result[*o] + *v;
    }
    result
}
