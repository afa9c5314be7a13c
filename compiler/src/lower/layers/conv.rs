//! Convolutions over `[batch, channels, …]` with one or more spatial axes.

use super::super::states::Init;
use super::GraphTarget;
use crate::ir::{ConvDims, Expr};
use saddlepoint_language::Layer;

/// Options of a convolution, one entry a spatial axis.
pub struct Geometry<'a> {
    /// Output channels.
    pub features: usize,
    /// Extent of the kernel.
    pub kernel: Vec<usize>,
    /// Step of the window.
    pub stride: &'a [usize],
    /// Zeros on both sides.
    pub pad: &'a [usize],
    /// Distance of the kernel's taps.
    pub dilation: &'a [usize],
    /// Feature groups.
    pub groups: usize,
}

/// Options of a transposed convolution, one entry a spatial axis.
pub struct TransposedGeometry<'a> {
    /// Output channels.
    pub features: usize,
    /// Extent of the kernel.
    pub kernel: Vec<usize>,
    /// Step of the window of the convolution that this is the adjoint of.
    pub stride: &'a [usize],
    /// Padding of that convolution.
    pub pad: &'a [usize],
    /// Extra places at the end, which settle its remainder.
    pub output_pad: &'a [usize],
}

/// W `[n, c/groups, k…]` and b start uniform within 1/√(c/groups·Πk), as PyTorch's.
pub fn conv(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, geometry: &Geometry<'_>, bias: bool) -> Expr {
    let inputs = x.shape()[1] / geometry.groups;
    let mut shape = vec![geometry.features, inputs];
    shape.extend(&geometry.kernel);
    let init = fan_in(inputs, &geometry.kernel);
    let w = target.weight(layer, "weight", &shape, init, 0);
    let y = x.conv(
        &w,
        ConvDims {
            stride: geometry.stride.to_vec(),
            padding: geometry.pad.iter().map(|p| (*p as isize, *p as isize)).collect(),
            input_dilation: vec![1; geometry.kernel.len()],
            kernel_dilation: geometry.dilation.to_vec(),
            groups: geometry.groups,
        },
    );
    with_bias(target, layer, y, bias.then_some((geometry.features, init)))
}

/// The adjoint of a convolution: W `[c, n, k…]` as PyTorch's, which counts n·Πk inputs for the initial bound.
///
/// Written as a convolution of the dilated input with the reversed kernel; no back end multiplies the inserted zeros.
pub fn conv_transpose(
    target: &mut GraphTarget<'_>,
    layer: &Layer,
    x: &Expr,
    g: &TransposedGeometry<'_>,
    bias: bool,
) -> Expr {
    let inputs = x.shape()[1];
    let mut shape = vec![inputs, g.features];
    shape.extend(&g.kernel);
    let init = fan_in(g.features, &g.kernel);
    let w = target.weight(layer, "weight", &shape, init, 1);
    let mut perm: Vec<usize> = (0..shape.len()).collect();
    perm.swap(0, 1);
    let spatial: Vec<usize> = (2..shape.len()).collect();
    let kernel = w.transpose(&perm).reverse(&spatial);
    let padding = (0..g.kernel.len()).map(|i| {
        let around = g.kernel[i] as isize - 1 - g.pad[i] as isize;
        (around, around + g.output_pad[i] as isize)
    });
    let y = x.conv(
        &kernel,
        ConvDims {
            stride: vec![1; g.kernel.len()],
            padding: padding.collect(),
            input_dilation: g.stride.to_vec(),
            kernel_dilation: vec![1; g.kernel.len()],
            groups: 1,
        },
    );
    with_bias(target, layer, y, bias.then_some((g.features, init)))
}

fn fan_in(inputs: usize, kernel: &[usize]) -> Init {
    let count = inputs * kernel.iter().product::<usize>();
    Init::within(1.0 / (count as f32).sqrt())
}

fn with_bias(target: &mut GraphTarget<'_>, layer: &Layer, y: Expr, bias: Option<(usize, Init)>) -> Expr {
    match bias {
        Some((n, init)) => {
            let b = target.parameter(layer, "bias", &[n], init);
            &y + b.broadcast(&y.shape(), &[1])
        }
        None => y,
    }
}
