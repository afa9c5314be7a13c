//! The rule of convolution: both cotangents are convolutions again, with stride and input dilation (input) or stride and kernel
//! dilation (kernel) exchanged. Closed under itself for all strides, paddings, dilations and groups.
//!
//! Along one spatial axis, with input length n dilated to n' = (n−1)·d + 1, kernel reach r = (k−1)·e + 1, stride s, padding
//! (lo, hi), and output length o, which spreads over o' = (o−1)·s + 1 places:
//!
//! - **input**: the cotangent dilated by s meets the reversed kernel; every d-th place of the result is one of the input.
//!   Padding before r−1−lo; after, what makes the result n places: n' + r − 1 in all.
//! - **kernel**: the input meets the cotangent as a kernel dilated by s, in steps of e. Padding before lo; after, what makes
//!   the result k places: o' + r − 1 in all. Rows of the input that no window reached are cropped by this, since
//!   the padding after is then smaller than hi.

use super::Site;
use crate::ir::{ConvDims, Expr};

/// y = conv(x, w).
pub(super) fn conv(dims: &ConvDims, site: &Site, g: &Expr) -> Vec<Option<Expr>> {
    let (x, w) = (&site.args[0], &site.args[1]);
    vec![site.when(0, || input(dims, x, w, g)), site.when(1, || kernel(dims, x, w, g))]
}

/// Lengths along a spatial axis, as signed numbers.
struct Axis {
    /// The dilated input's.
    input: isize,
    /// The dilated kernel's.
    reach: isize,
    /// The places from the first to the last window.
    output: isize,
}

fn axis(dims: &ConvDims, i: usize, x: &[usize], w: &[usize], y: &[usize]) -> Axis {
    let spread = |extent: usize, dilation: usize| ((extent - 1) * dilation + 1) as isize;
    Axis {
        input: spread(x[i + 2], dims.input_dilation[i]),
        reach: spread(w[i + 2], dims.kernel_dilation[i]),
        output: spread(y[i + 2], dims.stride[i]),
    }
}

/// `[A·B, C, …]` to `[A·C, B, …]`: the two kinds of features exchanged within each of A groups.
fn exchanged(v: &Expr, groups: usize) -> Expr {
    let shape = v.shape();
    let (rows, columns, rest) = (shape[0] / groups, shape[1], &shape[2..]);
    if groups == 1 {
        let perm: Vec<usize> = [1, 0].into_iter().chain(2..shape.len()).collect();
        return v.transpose(&perm);
    }
    let split = [&[groups, rows, columns][..], rest].concat();
    let perm: Vec<usize> = [0, 2, 1].into_iter().chain(3..shape.len() + 1).collect();
    v.reshape(&split).transpose(&perm).reshape(&[&[groups * columns, rows][..], rest].concat())
}

fn input(dims: &ConvDims, x: &Expr, w: &Expr, g: &Expr) -> Expr {
    let (x_shape, w_shape, y_shape) = (x.shape(), w.shape(), g.shape());
    let spatial: Vec<usize> = (2..x_shape.len()).collect();
    let padding = |i: usize| {
        let Axis { input, reach, output } = axis(dims, i, &x_shape, &w_shape, &y_shape);
        let lo = reach - 1 - dims.padding[i].0;
        (lo, input + reach - 1 - output - lo)
    };
    let geometry = ConvDims {
        stride: dims.input_dilation.clone(),
        padding: (0..spatial.len()).map(padding).collect(),
        input_dilation: dims.stride.clone(),
        kernel_dilation: dims.kernel_dilation.clone(),
        groups: dims.groups,
    };
    // A reversed axis of one place is itself.
    let reversed: Vec<usize> = spatial.into_iter().filter(|a| w_shape[*a] > 1).collect();
    g.conv(&exchanged(w, dims.groups).reverse(&reversed), geometry)
}

fn kernel(dims: &ConvDims, x: &Expr, w: &Expr, g: &Expr) -> Expr {
    let (x_shape, w_shape, y_shape) = (x.shape(), w.shape(), g.shape());
    let padding = |i: usize| {
        let Axis { input, reach, output } = axis(dims, i, &x_shape, &w_shape, &y_shape);
        let lo = dims.padding[i].0;
        (lo, output + reach - 1 - input - lo)
    };
    let geometry = ConvDims {
        stride: dims.kernel_dilation.clone(),
        padding: (0..dims.stride.len()).map(padding).collect(),
        input_dilation: dims.input_dilation.clone(),
        kernel_dilation: dims.stride.clone(),
        groups: dims.groups,
    };
    // Samples are what is summed over: they become the input features [C, groups·N, …]. The groups stay: the cotangent's
    // features [groups·O, N, …] are grouped as those of the kernel were.
    let samples = samples_as_features(x, dims.groups);
    exchanged(&samples.conv(&exchanged(g, 1), geometry), 1)
}

/// `[N, groups·C, …]` to `[C, groups·N, …]`.
fn samples_as_features(x: &Expr, groups: usize) -> Expr {
    let shape = x.shape();
    if groups == 1 {
        return exchanged(x, 1);
    }
    let (samples, channels, rest) = (shape[0], shape[1] / groups, &shape[2..]);
    let split = [&[samples, groups, channels][..], rest].concat();
    let perm: Vec<usize> = [2, 1, 0].into_iter().chain(3..shape.len() + 1).collect();
    x.reshape(&split).transpose(&perm).reshape(&[&[channels, groups * samples][..], rest].concat())
}
