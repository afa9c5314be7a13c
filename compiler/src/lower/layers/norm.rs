//! Normalisations. ε is 10⁻⁵ inside the root, everywhere.

use super::super::functions::reduce::{centred, restored};
use super::super::states::Init;
use super::GraphTarget;
use crate::ir::Expr;
use saddlepoint_language::Layer;

const EPSILON: f32 = 1e-5;
/// Weight of the newest batch in running statistics.
const MOMENTUM: f32 = 0.1;

/// Batch normalisation (Ioffe and Szegedy 2015) of `[batch, c, …]`, statistics a channel. In training by the batch's biased
/// variance, in inference by the running averages; these take the unbiased variance, as PyTorch's do.
pub fn batch_norm(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr) -> Expr {
    let shape = x.shape();
    let channels = shape[1];
    let over: Vec<usize> = (0..shape.len()).filter(|a| *a != 1).collect();
    let mean_state = target.statistic(layer, "running_mean", &[channels], 0.0);
    let variance_state = target.statistic(layer, "running_var", &[channels], 1.0);
    let normalised = if layer.inference {
        let scale = inverse_deviation(&variance_state);
        (x - restored(&mean_state, x, &over)) * restored(&scale, x, &over)
    } else {
        let mean = x.mean(&over);
        let deviations = x - restored(&mean, x, &over);
        let variance = deviations.square().mean(&over);
        let count: usize = over.iter().map(|a| shape[*a]).product();
        let unbiased = variance.scale(count as f32 / (count.max(2) - 1) as f32);
        for (state, name, value) in [(mean_state, "running_mean", &mean), (variance_state, "running_var", &unbiased)] {
            let moved = state.scale(1.0 - MOMENTUM) + value.stop_grad().scale(MOMENTUM);
            target.move_statistic(layer, name, moved);
        }
        deviations * restored(&inverse_deviation(&variance), x, &over)
    };
    affine(target, layer, &normalised, &[channels], &[1])
}

/// Instance normalisation (Ulyanov et al. 2016) of `[batch, c, …]`: statistics a sample and channel, no parameters.
pub fn instance_norm(x: &Expr) -> Expr {
    let over: Vec<usize> = (2..x.rank()).collect();
    standardised(x, &over)
}

/// Layer normalisation (Ba et al. 2016) over all axes of one sample, with a weight and bias an element.
pub fn layer_norm(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr) -> Expr {
    let over: Vec<usize> = (1..x.rank()).collect();
    let y = standardised(x, &over);
    let own = x.shape()[1..].to_vec();
    affine(target, layer, &y, &own, &over)
}

/// x for x > 0, a·x below, with one learnt slope (start 0.25).
pub fn prelu(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr) -> Expr {
    let slope = target.parameter(layer, "weight", &[1], Init::Constant(0.25)).reshape(&[]);
    x.positive().select(x, &x.mul(&slope))
}

fn standardised(x: &Expr, over: &[usize]) -> Expr {
    let deviations = centred(x, over);
    let variance = deviations.square().mean(over);
    &deviations * restored(&inverse_deviation(&variance), x, over)
}

fn inverse_deviation(variance: &Expr) -> Expr {
    let deviation = variance.shift(EPSILON).sqrt();
    deviation.scalar(1.0) / deviation
}

fn affine(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, shape: &[usize], dims: &[usize]) -> Expr {
    let w = target.parameter(layer, "weight", shape, Init::Constant(1.0));
    let b = target.parameter(layer, "bias", shape, Init::Constant(0.0));
    x * w.broadcast(&x.shape(), dims) + b.broadcast(&x.shape(), dims)
}
