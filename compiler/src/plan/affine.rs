//! Affine index maps: where, in a value, an iteration of a kernel reads or writes.
//!
//! A kernel iterates over a box of axes. The index of a value along one of its logical axes is an [`Affine`] function of the
//! iteration: `offset + Σ coefs[k] · i[k]`. Transposes, slices, reversals, broadcasts and windows compose with such maps
//! without restriction; a reshape takes the digits of a linear index apart and may ask for an axis of the iteration to be
//! split first ([`Obstacle::Split`]), or be impossible ([`Obstacle::Cut`]).

use crate::ir::{Op, row_major_strides};

/// `offset + Σ coefs[k] · i[k]` over the axes of an iteration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Affine {
    /// Value at the origin.
    pub offset: i64,
    /// One coefficient an axis of the iteration.
    pub coefs: Vec<i64>,
}

impl Affine {
    /// A constant over an iteration of `rank` axes.
    pub fn constant(offset: i64, rank: usize) -> Affine {
        Affine { offset, coefs: vec![0; rank] }
    }

    /// The index along one axis.
    pub fn axis(axis: usize, rank: usize) -> Affine {
        let mut a = Affine::constant(0, rank);
        a.coefs[axis] = 1;
        a
    }

    /// `self · factor`.
    pub fn scaled(&self, factor: i64) -> Affine {
        Affine { offset: self.offset * factor, coefs: self.coefs.iter().map(|c| c * factor).collect() }
    }

    /// `self + other · factor`, in place.
    pub fn add_scaled(&mut self, other: &Affine, factor: i64) {
        self.offset += other.offset * factor;
        for (c, o) in self.coefs.iter_mut().zip(&other.coefs) {
            *c += o * factor;
        }
    }

    /// `self + constant`.
    pub fn shifted(mut self, by: i64) -> Affine {
        self.offset += by;
        self
    }

    /// Least and largest value over the box, both included. Extents must not be zero.
    pub fn range(&self, extents: &[usize]) -> (i64, i64) {
        let (mut lo, mut hi) = (self.offset, self.offset);
        for (c, e) in self.coefs.iter().zip(extents) {
            let reach = c * (*e as i64 - 1);
            if reach < 0 { lo += reach } else { hi += reach }
        }
        (lo, hi)
    }
}

/// Why an index map cannot be written over the iteration as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Split this axis of the iteration: the inner part gets extent `inner`.
    Split {
        /// The axis.
        axis: usize,
        /// Extent of the new inner axis; it divides the axis's extent.
        inner: usize,
    },
    /// No refinement helps: the reshape must be carried out in memory.
    Cut,
}

/// The address in elements of an index, given the stride of each of its axes.
pub fn address(map: &[Affine], strides: &[i64], rank: usize) -> Affine {
    let mut sum = Affine::constant(0, rank);
    for (index, stride) in map.iter().zip(strides) {
        sum.add_scaled(index, *stride);
    }
    sum
}

/// Takes a map of a view's result to the map of its operand. `None` when `op` is no view.
pub fn through_view(
    op: &Op,
    map: &[Affine],
    result: &[usize],
    operand: &[usize],
    extents: &[usize],
) -> Option<Result<Vec<Affine>, Obstacle>> {
    Some(Ok(match op {
        Op::StopGrad | Op::Hold => map.to_vec(),
        Op::Transpose(perm) => {
            let mut inner = vec![Affine::default(); perm.len()];
            for (i, p) in perm.iter().enumerate() {
                inner[*p] = map[i].clone();
            }
            inner
        }
        Op::Reverse(axes) => {
            let flip = |(i, m): (usize, &Affine)| match axes.contains(&i) {
                true => m.scaled(-1).shifted(operand[i] as i64 - 1),
                false => m.clone(),
            };
            map.iter().enumerate().map(flip).collect()
        }
        Op::Broadcast { dims, .. } => dims.iter().map(|d| map[*d].clone()).collect(),
        Op::Slice { start, step, .. } => {
            map.iter().enumerate().map(|(i, m)| m.scaled(step[i] as i64).shifted(start[i] as i64)).collect()
        }
        Op::Unfold { axis, stride, dilation, .. } => {
            let mut position = map[*axis].scaled(*stride as i64);
            position.add_scaled(&map[axis + 1], *dilation as i64);
            let mut inner = map.to_vec();
            inner.splice(*axis..axis + 2, [position]);
            inner
        }
        Op::Reshape(_) => return Some(through_reshape(map, result, operand, extents)),
        _ => return None,
    }))
}

/// Maps a reshape's result index to its operand's index, group by group of axes with equal products.
fn through_reshape(map: &[Affine], result: &[usize], operand: &[usize], extents: &[usize]) -> Result<Vec<Affine>, Obstacle> {
    let rank = extents.len();
    let mut inner = vec![Affine::constant(0, rank); operand.len()];
    if result.iter().product::<usize>() == 0 {
        return Ok(inner);
    }
    let (mut r, mut o) = (0, 0);
    while r < result.len() && o < operand.len() {
        let (r0, o0) = (r, o);
        let (mut pr, mut po) = (result[r], operand[o]);
        (r, o) = (r + 1, o + 1);
        while pr != po {
            if pr < po {
                pr *= result[r];
                r += 1;
            } else {
                po *= operand[o];
                o += 1;
            }
        }
        if r - r0 == 1 && o - o0 == 1 {
            inner[o0] = map[r0].clone();
            continue;
        }
        let strides: Vec<i64> = row_major_strides(&result[r0..r]).into_iter().map(|s| s as i64).collect();
        let linear = address(&map[r0..r], &strides, rank);
        digits(&linear, &operand[o0..o], extents, &mut inner[o0..o])?;
    }
    Ok(inner)
}

/// Writes a linear index as the digits of a mixed-radix number with the given extents.
fn digits(linear: &Affine, shape: &[usize], extents: &[usize], out: &mut [Affine]) -> Result<(), Obstacle> {
    let strides: Vec<i64> = row_major_strides(shape).into_iter().map(|s| s as i64).collect();
    let mut rest = linear.offset;
    let mut reach = vec![0i64; shape.len()];
    if rest < 0 {
        return Err(Obstacle::Cut);
    }
    for j in 0..shape.len() {
        out[j].offset = rest / strides[j];
        rest %= strides[j];
        reach[j] = out[j].offset;
    }
    for (k, (coef, extent)) in linear.coefs.iter().zip(extents).enumerate() {
        if *coef == 0 || *extent <= 1 {
            continue;
        }
        // The digit whose unit is the largest not above the coefficient; extents of 1 have a neighbour's unit and no room.
        let Some(j) = (0..shape.len()).find(|j| shape[*j] > 1 && strides[*j] <= *coef) else { return Err(Obstacle::Cut) };
        if coef % strides[j] != 0 {
            return Err(Obstacle::Cut);
        }
        let step = coef / strides[j];
        if step * (*extent as i64 - 1) >= shape[j] as i64 {
            let inner = shape[j] as i64 / step;
            let fits = inner > 1 && shape[j] as i64 % step == 0 && *extent as i64 % inner == 0 && inner < *extent as i64;
            return Err(if fits { Obstacle::Split { axis: k, inner: inner as usize } } else { Obstacle::Cut });
        }
        reach[j] += step * (*extent as i64 - 1);
        out[j].coefs[k] = step;
    }
    if reach.iter().zip(shape).any(|(reach, extent)| *reach >= *extent as i64) {
        return Err(Obstacle::Cut);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(shape: &[usize]) -> Vec<Affine> {
        (0..shape.len()).map(|a| Affine::axis(a, shape.len())).collect()
    }

    #[test]
    fn flattening_asks_for_a_split_and_then_takes_the_digits() {
        let op = Op::Reshape(vec![2, 12]);
        let map = identity(&[2, 12]);
        let first = through_view(&op, &map, &[2, 12], &[2, 3, 4], &[2, 12]).unwrap();
        assert_eq!(first, Err(Obstacle::Split { axis: 1, inner: 4 }));
        let mut map = vec![Affine::axis(0, 3), Affine::axis(1, 3).scaled(4)];
        map[1].add_scaled(&Affine::axis(2, 3), 1);
        let second = through_view(&op, &map, &[2, 12], &[2, 3, 4], &[2, 3, 4]).unwrap();
        assert_eq!(second, Ok(identity(&[2, 3, 4])));
    }

    #[test]
    fn unflattening_is_the_linear_index() {
        let op = Op::Reshape(vec![2, 3]);
        let inner = through_view(&op, &identity(&[2, 3]), &[2, 3], &[6], &[2, 3]).unwrap().unwrap();
        assert_eq!(inner, vec![Affine { offset: 0, coefs: vec![3, 1] }]);
    }

    #[test]
    fn digits_that_straddle_are_refused() {
        let op = Op::Reshape(vec![3, 2]);
        let inner = through_view(&op, &identity(&[3, 2]), &[3, 2], &[2, 3], &[3, 2]).unwrap();
        assert_eq!(inner, Err(Obstacle::Cut));
    }
}
