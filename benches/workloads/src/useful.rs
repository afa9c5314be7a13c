//! The useful work of a step, counted by hand: the multiplications and additions of products and convolutions that the paper's
//! algorithm needs, whoever carries it out.
//!
//! Gradients that nothing uses do not count: the generator's in the discriminator's turn, the discriminator's weights' in the
//! generator's, that of a net's input where it is data or noise. Windows are counted whole, also where they reach over the edge;
//! zeros that a transposed convolution inserts are not. A piecewise linear activation has no second derivative.

/// A net as the floating-point operations of its layers' products for one sample, in order. A layer's three products (forward,
/// gradient of the input, gradient of the weight) are of one size.
struct Net([f64; 3]);

impl Net {
    /// A pass through all layers; as much as all their weight gradients, or all their input gradients.
    fn pass(&self) -> f64 {
        self.0.iter().sum()
    }

    /// A pass without the first layer: the input gradients that reach all weights.
    fn behind_first(&self) -> f64 {
        self.0[1..].iter().sum()
    }

    /// A pass without the last layer: what decides all activations.
    fn before_last(&self) -> f64 {
        self.0[..2].iter().sum()
    }
}

/// A dense layer's product for one sample.
fn dense(inputs: f64, outputs: f64) -> f64 {
    2.0 * inputs * outputs
}

/// That of a convolution with windows of 4×4, or of its transpose: there are as many as the smaller picture has places.
fn conv(places: f64, inputs: f64, outputs: f64) -> f64 {
    2.0 * places * 4.0 * 4.0 * inputs * outputs
}

/// D on real and fake samples with all weight gradients; the fakes are G's.
fn discriminate(g: &Net, d: &Net) -> f64 {
    g.pass() + 2.0 * (d.pass() + d.pass() + d.behind_first())
}

/// G's weight gradients through D.
fn generate(g: &Net, d: &Net) -> f64 {
    g.pass() + d.pass() + d.pass() + g.pass() + g.behind_first()
}

/// The gradient penalty: the activations at the mixture; the gradient with respect to it, whose first product is the last layer's
/// weight itself; then for every layer the weight's gradient, and for all but the last the way on.
fn penalty(d: &Net) -> f64 {
    d.before_last() + d.before_last() + d.pass() + d.before_last()
}

/// Floating-point operations of one step of a workload.
pub fn useful(workload: crate::Workload) -> f64 {
    use crate::Workload::{W1, W2, W3, W4};
    let (g, d) = match workload {
        W1 => (
            [dense(2.0, 128.0), dense(128.0, 128.0), dense(128.0, 2.0)],
            [dense(2.0, 128.0), dense(128.0, 128.0), dense(128.0, 1.0)],
        ),
        W2 => (
            [dense(64.0, 256.0), dense(256.0, 512.0), dense(512.0, 784.0)],
            [dense(784.0, 512.0), dense(512.0, 256.0), dense(256.0, 1.0)],
        ),
        W3 | W4 => (
            [dense(64.0, 64.0 * 49.0), conv(49.0, 64.0, 32.0), conv(196.0, 32.0, 1.0)],
            [conv(196.0, 1.0, 32.0), conv(49.0, 32.0, 64.0), dense(64.0 * 49.0, 1.0)],
        ),
    };
    let (g, d) = (Net(g), Net(d));
    let sample = match workload {
        W1 | W2 | W3 => discriminate(&g, &d) + generate(&g, &d),
        W4 => 5.0 * (discriminate(&g, &d) + penalty(&d)) + generate(&g, &d),
    };
    workload.batch() as f64 * sample
}
