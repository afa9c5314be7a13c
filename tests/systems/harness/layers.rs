//! The layers of the language over arrays, as its reference defines them, with the parameters of a point.

use super::Point;
use super::array::Array;

impl Point<'_> {
    /// x·Wᵀ + b along the last axis; without a bias if the layer has none.
    pub fn dense(&self, layer: &str, x: &Array) -> Array {
        let w = self.parameter(&format!("{layer}.weight"));
        let y = x.matmul(&w.transpose(&[1, 0]));
        match self.find(&format!("{layer}.bias")) {
            Some(b) => y + b,
            None => y,
        }
    }

    /// Cross-correlation of `[batch, c, …]`, dilation 1, one group.
    pub fn conv(&self, layer: &str, x: &Array, stride: usize, pad: usize) -> Array {
        let y = x.conv(&self.parameter(&format!("{layer}.weight")), stride, pad, 1, 1);
        self.channel_bias(layer, y)
    }

    /// The adjoint of cross-correlation: every element adds its kernel, shifted, to the result. Two spatial axes, or one.
    pub fn conv_transpose(&self, layer: &str, x: &Array, stride: usize, pad: usize) -> Array {
        let w = self.parameter(&format!("{layer}.weight"));
        let y = match x.rank() {
            4 => transposed(x, &w, stride, pad),
            _ => {
                // One axis of places is two, the first of extent 1, without stride or padding.
                let (x4, w4) = (with_row(x), with_row(&w));
                let y = transposed_by(&x4, &w4, [1, stride], [0, pad]);
                y.reshape(&[y.shape()[0], y.shape()[1], y.shape()[3]])
            }
        };
        self.channel_bias(layer, y)
    }

    fn channel_bias(&self, layer: &str, y: Array) -> Array {
        match self.find(&format!("{layer}.bias")) {
            Some(b) => {
                let mut shape = vec![1; y.rank() - 1];
                shape[0] = b.shape()[0];
                y + b.reshape(&shape)
            }
            None => y,
        }
    }

    /// Batch normalisation in training: statistics of this call, over batch and places.
    pub fn batch_norm(&self, layer: &str, x: &Array) -> Array {
        let over: Vec<usize> = (0..x.rank()).filter(|a| *a != 1).collect();
        let y = standardised(x, &over);
        let mut shape = vec![1; x.rank() - 1];
        shape[0] = x.shape()[1];
        let part = |name: &str| self.parameter(&format!("{layer}.{name}")).reshape(&shape);
        y * part("weight") + part("bias")
    }

    /// Batch normalisation in inference: running statistics.
    pub fn batch_norm_inference(&self, layer: &str, x: &Array) -> Array {
        let mut shape = vec![1; x.rank() - 1];
        shape[0] = x.shape()[1];
        let part = |name: &str| self.parameter(&format!("{layer}.{name}")).reshape(&shape);
        let deviation = part("running_var").map(|v| (v + 1e-5).sqrt());
        (x - part("running_mean")) / deviation * part("weight") + part("bias")
    }

    /// One learnt slope below 0.
    pub fn prelu(&self, layer: &str, x: &Array) -> Array {
        x.leaky_relu(self.parameter(&format!("{layer}.weight")).value())
    }

    /// The row that each class names.
    pub fn embed(&self, layer: &str, classes: &Array) -> Array {
        self.parameter(&format!("{layer}.weight")).looked_up(classes)
    }

    /// The next state of a gated recurrent unit; gates r, z, n.
    pub fn gru_cell(&self, layer: &str, x: &Array, h: &Array) -> Array {
        let n = h.shape()[1];
        let part = |y: &Array, gate: usize| y.slice(1, gate * n, (gate + 1) * n);
        let (input, state) = (self.gates(layer, "ih", x), self.gates(layer, "hh", h));
        let r = (part(&input, 0) + part(&state, 0)).sigmoid();
        let z = (part(&input, 1) + part(&state, 1)).sigmoid();
        let new = (part(&input, 2) + r * part(&state, 2)).tanh();
        (1.0 - &z) * new + z * h
    }

    fn gates(&self, layer: &str, kind: &str, x: &Array) -> Array {
        let w = self.parameter(&format!("{layer}.weight_{kind}"));
        x.matmul(&w.transpose(&[1, 0])) + self.parameter(&format!("{layer}.bias_{kind}"))
    }

    /// The states of a gated recurrent unit after every element of `[batch, T, k]`; held where the mask `[batch, T]` is 0.
    pub fn gru(&self, layer: &str, x: &Array, mask: Option<&Array>) -> Array {
        let n = self.parameter(&format!("{layer}.weight_hh")).shape()[1];
        let mut h = Array::zeros(&[x.shape()[0], n]);
        let states: Vec<Array> = (0..x.shape()[1])
            .map(|t| {
                let next = self.gru_cell(layer, &x.entry(1, t), &h);
                h = match mask {
                    Some(mask) => {
                        let counts = mask.slice(1, t, t + 1);
                        &next * &counts + &h * (1.0 - &counts)
                    }
                    None => next,
                };
                h.clone()
            })
            .collect();
        Array::stack(&states, 1)
    }
}

/// Instance normalisation of `[batch, c, …]`.
pub fn instance_norm(x: &Array) -> Array {
    standardised(x, &(2..x.rank()).collect::<Vec<_>>())
}

fn standardised(x: &Array, over: &[usize]) -> Array {
    let mut kept = x.shape().to_vec();
    over.iter().for_each(|a| kept[*a] = 1);
    let centred = x - &x.mean_over(over).reshape(&kept);
    let deviation = centred.square().mean_over(over).map(|v| (v + 1e-5).sqrt()).reshape(&kept);
    centred / deviation
}

fn with_row(x: &Array) -> Array {
    x.reshape(&[x.shape()[0], x.shape()[1], 1, x.shape()[2]])
}

fn transposed(x: &Array, w: &Array, stride: usize, pad: usize) -> Array {
    transposed_by(x, w, [stride; 2], [pad; 2])
}

fn transposed_by(x: &Array, w: &Array, stride: [usize; 2], pad: [usize; 2]) -> Array {
    let [batch, channels, height, width] = [0, 1, 2, 3].map(|a| x.shape()[a]);
    let [made, kh, kw] = [1, 2, 3].map(|a| w.shape()[a]);
    let [oh, ow] = [(height - 1) * stride[0] + kh - 2 * pad[0], (width - 1) * stride[1] + kw - 2 * pad[1]];
    let mut y = vec![0.0; batch * made * oh * ow];
    let places = (0..batch * channels * height * width).map(|i| (i / width / height, i / width % height, i % width));
    for ((row, i, j), x) in places.zip(x.values()) {
        let (sample, channel) = (row / channels, row % channels);
        for n in 0..made {
            for (k, w) in w.values()[(channel * made + n) * kh * kw..][..kh * kw].iter().enumerate() {
                let (p, q) = (i * stride[0] + k / kw, j * stride[1] + k % kw);
                if (pad[0]..pad[0] + oh).contains(&p) && (pad[1]..pad[1] + ow).contains(&q) {
                    y[((sample * made + n) * oh + p - pad[0]) * ow + q - pad[1]] += w * x;
                }
            }
        }
    }
    Array::new(&[batch, made, oh, ow], y)
}

/// The Kullback-Leibler divergence of N(mu, eˢ) from N(0, 1), one number a sample.
pub fn kl_normal(mu: &Array, s: &Array) -> Array {
    ((s.exp() + mu.square() - 1.0 - s) * 0.5).sum_each()
}

/// ln N(x; mu, eˢ), one number a sample.
pub fn normal_log_prob(x: &Array, mu: &Array, s: &Array) -> Array {
    ((x - mu).square() / s.exp() + s + std::f64::consts::TAU.ln()).sum_each() * -0.5
}
