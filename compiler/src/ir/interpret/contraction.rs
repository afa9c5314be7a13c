//! General products and convolutions.

use super::strided::View;
use super::value::Float;
use crate::ir::{ConvDims, DotDims, Type};

/// The offsets of an operand's elements in the order of these groups of axes, as `[batch, free, contracted]`.
fn regrouped(ty: &Type, groups: [&[usize]; 3]) -> (Vec<usize>, [usize; 3]) {
    let mut walk = View::of(&ty.shape);
    walk.axes = groups.iter().flat_map(|g| g.iter()).map(|a| walk.axes[*a]).collect();
    (walk.offsets(), groups.map(|g| g.iter().map(|a| ty.shape[*a]).product()))
}

/// result[b, m, n] = Σ_k lhs[b, m, k] · rhs[b, n, k] over the groups of axes that `dims` names.
pub(super) fn dot<T: Float>(dims: &DotDims, (lhs_ty, lhs): (&Type, &[T]), (rhs_ty, rhs): (&Type, &[T])) -> Vec<T> {
    let lhs_free = DotDims::free(lhs_ty.rank(), &dims.lhs_batch, &dims.lhs_contract);
    let rhs_free = DotDims::free(rhs_ty.rank(), &dims.rhs_batch, &dims.rhs_contract);
    let (l, [batch, m, k]) = regrouped(lhs_ty, [&dims.lhs_batch, &lhs_free, &dims.lhs_contract]);
    let (r, [_, n, _]) = regrouped(rhs_ty, [&dims.rhs_batch, &rhs_free, &dims.rhs_contract]);
    let l: Vec<T> = l.into_iter().map(|o| lhs[o]).collect();
    let r: Vec<T> = r.into_iter().map(|o| rhs[o]).collect();
    let mut result = Vec::with_capacity(batch * m * n);
    for b in 0..batch {
        for i in 0..m {
            let row = &l[(b * m + i) * k..][..k];
            result.extend((0..n).map(|j| inner_product(row, &r[(b * n + j) * k..][..k])));
        }
    }
    result
}

fn inner_product<T: Float>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).fold(T::from_f64(0.0), |sum, (x, y)| sum + *x * *y)
}

/// For every place of the output (row-major over the spatial axes): the pairs (offset in the kernel's plane, offset in the
/// input's plane) of the taps that meet an element of the input.
fn taps(dims: &ConvDims, input: &[usize], kernel: &[usize], output: &[usize]) -> Vec<Vec<(usize, usize)>> {
    let mut places: Vec<Vec<(usize, usize)>> = vec![vec![(0, 0)]];
    for axis in 0..input.len() {
        let along = |o: usize| {
            (0..kernel[axis]).filter_map(move |k| {
                // The place in the padded and dilated input, counted from the first element of the input.
                let place = (o * dims.stride[axis] + k * dims.kernel_dilation[axis]) as isize - dims.padding[axis].0;
                let dilation = dims.input_dilation[axis] as isize;
                let at = place / dilation;
                (place >= 0 && place % dilation == 0 && at < input[axis] as isize).then_some((k, at as usize))
            })
        };
        places = places
            .into_iter()
            .flat_map(|outer| {
                (0..output[axis]).map(move |o| {
                    let extend = |(k, i): &(usize, usize)| {
                        let (k, i) = (k * kernel[axis], i * input[axis]);
                        along(o).map(move |(dk, di)| (k + dk, i + di))
                    };
                    outer.iter().flat_map(extend).collect()
                })
            })
            .collect();
    }
    places
}

/// result[n, g·O + o, p] = Σ_c Σ_taps(p) x[n, g·C + c, i] · w[g·O + o, c, k].
pub(super) fn conv<T: Float>(dims: &ConvDims, (x_ty, x): (&Type, &[T]), (w_ty, w): (&Type, &[T]), result: &Type) -> Vec<T> {
    let (samples, features) = (result.shape[0], result.shape[1]);
    let (channels, group_channels, group_features) = (x_ty.shape[1], w_ty.shape[1], features / dims.groups);
    let places = taps(dims, &x_ty.shape[2..], &w_ty.shape[2..], &result.shape[2..]);
    let x_plane: usize = x_ty.shape[2..].iter().product();
    let w_plane: usize = w_ty.shape[2..].iter().product();
    let mut out = Vec::with_capacity(result.elements());
    for n in 0..samples {
        for o in 0..features {
            let first = n * channels + o / group_features * group_channels;
            let x = &x[first * x_plane..][..group_channels * x_plane];
            let w = &w[o * group_channels * w_plane..][..group_channels * w_plane];
            for taps in &places {
                let mut sum = T::from_f64(0.0);
                for (x, w) in x.chunks_exact(x_plane).zip(w.chunks_exact(w_plane)) {
                    for (k, i) in taps {
                        sum = sum + x[*i] * w[*k];
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}
