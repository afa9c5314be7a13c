//! Ops that move elements without arithmetic: each is a strided walk that reads, or one that writes.

use super::strided::View;
use super::value::{Data, each_dtype};
use crate::ir::{Op, Type};

/// The walk over the operand that gives the result's elements in order; `None` for ops that are not of this kind.
fn reading_walk(op: &Op, operand: &Type) -> Option<View> {
    let mut view = View::of(&operand.shape);
    match op {
        Op::Reshape(_) => {}
        Op::Transpose(perm) => view.axes = perm.iter().map(|p| view.axes[*p]).collect(),
        Op::Reverse(axes) => {
            for a in axes {
                let (extent, stride) = view.axes[*a];
                view.base += (extent as isize - 1) * stride;
                view.axes[*a].1 = -stride;
            }
        }
        Op::Broadcast { shape, dims } => {
            let stride = |axis: usize| dims.iter().position(|d| *d == axis).map_or(0, |i| view.axes[i].1);
            view.axes = shape.iter().enumerate().map(|(axis, extent)| (*extent, stride(axis))).collect();
        }
        Op::Slice { start, stop, step } => {
            for (i, axis) in view.axes.iter_mut().enumerate() {
                view.base += start[i] as isize * axis.1;
                *axis = ((stop[i] - start[i]).div_ceil(step[i]), step[i] as isize * axis.1);
            }
        }
        _ => return None,
    }
    Some(view)
}

/// Ops with one operand whose result is a walk over it.
pub(super) fn rearrange<T: Copy>(op: &Op, ty: &Type, x: &Data<T>) -> Option<Data<T>> {
    let offsets = reading_walk(op, ty)?.offsets();
    Some(read(x, &offsets))
}

/// The elements at these offsets.
pub(super) fn read<T: Copy>(x: &Data<T>, offsets: &[usize]) -> Data<T> {
    each_dtype!(x, v => offsets.iter().map(|o| v[*o]).collect())
}

/// `x` spread into the result's shape, the rest filled with the one element of `value`.
pub(super) fn pad<T: Copy>(
    (lo, interior): (&[usize], &[usize]),
    operand: &Type,
    result: &Type,
    x: &Data<T>,
    value: &Data<T>,
) -> Data<T> {
    let mut walk = View::of(&result.shape);
    for (i, axis) in walk.axes.iter_mut().enumerate() {
        walk.base += lo[i] as isize * axis.1;
        *axis = (operand.shape[i], (interior[i] + 1) as isize * axis.1);
    }
    let mut data = read(value, &vec![0; result.elements()]);
    write(&mut data, &walk.offsets(), x);
    data
}

/// Operands side by side along an axis.
pub(super) fn concat<T: Copy>(axis: usize, result: &Type, parts: &[(&Type, &Data<T>)]) -> Option<Data<T>> {
    // Every element is written below; they only need some value of the right kind before. An empty first part has none.
    let (_, filled) = parts.iter().find(|(_, data)| !data.is_empty()).or(parts.first())?;
    if filled.is_empty() {
        return Some((*filled).clone());
    }
    let mut data = read(filled, &vec![0; result.elements()]);
    let mut at = 0;
    for (ty, part) in parts {
        let mut walk = View::of(&result.shape);
        walk.base = at as isize * walk.axes[axis].1;
        walk.axes[axis].0 = ty.shape[axis];
        write(&mut data, &walk.offsets(), part);
        at += ty.shape[axis];
    }
    Some(data)
}

/// Puts the elements of `x` at these offsets.
fn write<T: Copy>(data: &mut Data<T>, offsets: &[usize], x: &Data<T>) {
    fn put<A: Copy>(to: &mut [A], offsets: &[usize], from: &[A]) {
        for (o, v) in offsets.iter().zip(from) {
            to[*o] = *v;
        }
    }
    match (data, x) {
        (Data::F(to), Data::F(from)) => put(to, offsets, from),
        (Data::I(to), Data::I(from)) => put(to, offsets, from),
        (Data::B(to), Data::B(from)) => put(to, offsets, from),
        _ => {}
    }
}
