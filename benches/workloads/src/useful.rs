//! The useful work of a step, counted by hand: the multiplications and additions of products and convolutions that the paper's
//! algorithm needs, whoever carries it out.
//!
//! Gradients that nothing uses do not count: the generator's in the discriminator's turn, the discriminator's weights' in the
//! generator's, that of a net's input where it is data or noise. Windows are counted whole, also where they reach over the edge;
//! zeros that a transposed convolution inserts are not, nor products with a state of zeros. A piecewise linear activation has no
//! second derivative. Spectral norm's products with one vector are left out.

use crate::{Size, Workload};

/// A net as the floating-point operations of its layers' products for one sample. A layer's three products (forward, gradient of
/// the input, gradient of the weight) are of one size.
struct Net {
    /// Of the layers that see the net's own input and nothing else.
    first: Vec<f64>,
    /// Of the others, the last layer at the end.
    rest: Vec<f64>,
}

impl Net {
    /// Layers one after the other.
    fn chain<const N: usize>(layers: [f64; N]) -> Net {
        Net { first: layers[..1].to_vec(), rest: layers[1..].to_vec() }
    }

    /// A pass through all layers; as much as all their weight gradients, or all their input gradients.
    fn pass(&self) -> f64 {
        self.first.iter().sum::<f64>() + self.behind_first()
    }

    /// A pass without the first layers: the input gradients that reach all weights.
    fn behind_first(&self) -> f64 {
        self.rest.iter().sum()
    }

    /// A pass without the last layer: what decides all activations.
    fn before_last(&self) -> f64 {
        self.pass() - self.rest.last().unwrap_or(&0.0)
    }
}

/// A dense layer's product for one sample.
fn dense(inputs: f64, outputs: f64) -> f64 {
    2.0 * inputs * outputs
}

/// That of a convolution with windows of so many places, or of its transpose: there are as many windows as the smaller picture has
/// places.
fn conv(places: f64, window: f64, inputs: f64, outputs: f64) -> f64 {
    2.0 * places * window * inputs * outputs
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

/// Generator and discriminator of a workload, every width times `w`.
fn nets(workload: Workload, w: f64) -> (Net, Net) {
    match workload {
        Workload::W1 => {
            let h = 128.0 * w;
            (
                Net::chain([dense(2.0, h), dense(h, h), dense(h, 2.0)]),
                Net::chain([dense(2.0, h), dense(h, h), dense(h, 1.0)]),
            )
        }
        Workload::W2 => {
            let (narrow, wide) = (256.0 * w, 512.0 * w);
            (
                Net::chain([dense(64.0, narrow), dense(narrow, wide), dense(wide, 784.0)]),
                Net::chain([dense(784.0, wide), dense(wide, narrow), dense(narrow, 1.0)]),
            )
        }
        Workload::W3 | Workload::W4 => {
            let (few, many) = (32.0 * w, 64.0 * w);
            (
                Net::chain([dense(64.0, 49.0 * many), conv(49.0, 16.0, many, few), conv(196.0, 16.0, few, 1.0)]),
                Net::chain([conv(196.0, 16.0, 1.0, few), conv(49.0, 16.0, few, many), dense(49.0 * many, 1.0)]),
            )
        }
        Workload::Residual => (residual_generator(w), residual_discriminator(w)),
        Workload::Sequence => (sequence_generator(w), sequence_discriminator(w)),
        Workload::Dcgan64 => (
            Net::chain([
                dense(100.0, 8.0 * w * 16.0),
                conv(16.0, 16.0, 8.0 * w, 4.0 * w),
                conv(64.0, 16.0, 4.0 * w, 2.0 * w),
                conv(256.0, 16.0, 2.0 * w, w),
                conv(1024.0, 16.0, w, 3.0),
            ]),
            Net::chain([
                conv(1024.0, 16.0, 3.0, w),
                conv(256.0, 16.0, w, 2.0 * w),
                conv(64.0, 16.0, 2.0 * w, 4.0 * w),
                conv(16.0, 16.0, 4.0 * w, 8.0 * w),
                dense(8.0 * w * 16.0, 1.0),
            ]),
        ),
    }
}

/// Blocks that end at 8×8, 16×16 and 32×32 places; their shortcuts lie before the upsampling.
fn residual_generator(w: f64) -> Net {
    let mut rest = Vec::new();
    for (places, inputs, outputs) in [(64.0, 8.0 * w, 4.0 * w), (256.0, 4.0 * w, 2.0 * w), (1024.0, 2.0 * w, w)] {
        rest.extend([conv(places, 9.0, inputs, outputs), conv(places, 9.0, outputs, outputs)]);
        rest.push(conv(places / 4.0, 1.0, inputs, outputs));
    }
    rest.push(conv(1024.0, 9.0, w, 3.0));
    Net { first: vec![dense(64.0, 8.0 * w * 16.0)], rest }
}

/// Blocks that begin at 32×32, 16×16 and 8×8 places, their shortcuts behind the pooling, and one that stays at 4×4. The first
/// block's convolution and its shortcut both see the picture.
fn residual_discriminator(w: f64) -> Net {
    let first = vec![conv(1024.0, 9.0, 3.0, w), conv(256.0, 1.0, 3.0, w)];
    let mut rest = vec![conv(1024.0, 9.0, w, w)];
    for (places, inputs, outputs) in [(256.0, w, 2.0 * w), (64.0, 2.0 * w, 4.0 * w)] {
        rest.extend([conv(places, 9.0, inputs, outputs), conv(places, 9.0, outputs, outputs)]);
        rest.push(conv(places / 4.0, 1.0, inputs, outputs));
    }
    rest.extend([conv(16.0, 9.0, 4.0 * w, 4.0 * w); 2]);
    rest.push(dense(4.0 * w, 1.0));
    Net { first, rest }
}

/// Twenty steps: three gates of the state, from the second step on of the point made last, and the next point. The first point
/// is zeros.
fn sequence_generator(h: f64) -> Net {
    let rest = [vec![dense(16.0, 3.0 * h); 19], vec![dense(h, 3.0 * h); 20], vec![dense(h, 16.0); 20]].concat();
    Net { first: vec![dense(32.0, h)], rest }
}

/// Twenty points, and the state from the second on: the first is zeros.
fn sequence_discriminator(h: f64) -> Net {
    let rest = [vec![dense(h, 3.0 * h); 19], vec![dense(h, 1.0)]].concat();
    Net { first: vec![dense(16.0, 3.0 * h); 20], rest }
}

/// Floating-point operations of one step of a workload at this size.
pub fn useful(workload: Workload, size: Size) -> f64 {
    let (g, d) = nets(workload, size.width as f64);
    let sample = match workload {
        Workload::W4 => 5.0 * (discriminate(&g, &d) + penalty(&d)) + generate(&g, &d),
        _ => discriminate(&g, &d) + generate(&g, &d),
    };
    size.batch as f64 * sample
}
