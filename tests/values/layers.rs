//! Layers against loops over their definitions (PyTorch's).

use crate::support::{Lowered, assert_close};
use saddlepoint::prelude::*;
use std::collections::BTreeMap;

gan! {
    #[allow(dead_code)] // only the text of the model is used
    pub model Layers {
        data pair { x: [4, 5, 6], t: [2, 7], r: [2, 3], y: class(5) }
        net Conv(x: [4, 5, 6]) -> [6, 3, 2] {
            x.conv(6, kernel = [3, 2], stride = [2, 3], pad = [1, 0], dilation = [1, 2], groups = 2)
        }
        net Row(t: [2, 7]) -> [3, 4] { t.conv(3, kernel = 3, stride = 2, pad = 1, bias = false) }
        net Up(x: [4, 5, 6]) -> [3, 10, 16] { x.conv_transpose(3, kernel = [3, 4], stride = [2, 3], pad = [1, 2], output_pad = [1, 1]) }
        net UpRow(t: [2, 7]) -> [1, 14] { t.conv_transpose(1, kernel = 4, stride = 2, pad = 1) }
        net Rows(r: [2, 3]) -> [2, 4] { r.dense(4) }
        #[frozen]
        net Instance(t: [2, 7]) -> [2, 7] { t.instance_norm() }
        net Layered(r: [2, 3]) -> [2, 3] { r.layer_norm() }
        net Prelu(r: [2, 3]) -> [2, 3] { r.prelu() }
        net Running(t: [2, 7]) -> [2, 7] { t.batch_norm() }
        net Table(y: class(5)) -> [3] { y.embed(3) }
        player P updates (Conv, Row, Up, UpRow, Rows, Layered, Prelu, Running, Table) minimizes {
            E[Conv(x)] + E[Row(t)] + E[Up(x)] + E[UpRow(t)] + E[Rows(r)] + E[Layered(r)] + E[Prelu(r)] + E[Running(t)] + E[Table(y)]
        }
        train { P: sgd(1.0); }
        output conv(x) = Conv(x);
        output row(t) = Row(t);
        output up(x) = Up(x);
        output up_row(t) = UpRow(t);
        output rows(r) = Rows(r);
        output instance(t) = Instance(t);
        output layered(r) = Layered(r);
        output slope(r) = Prelu(r);
        output running(t) = Running(t);
        output table(y) = Table(y);
    }
}

/// What an output reads and gives, over a batch of two samples.
struct Case {
    result: Vec<f64>,
    input: Vec<f64>,
    states: BTreeMap<String, Vec<f64>>,
}

fn case(output: &str) -> Case {
    let lowered = Lowered::of::<Layers>(2);
    let graph = lowered.output(output).clone();
    let point = lowered.point(&graph, 3);
    let result = point.run(&graph).output("result.0").expect("one result").to_f64s();
    let input = point.inputs[0].to_f64s();
    let states = graph.states.iter().zip(&point.states).map(|(slot, v)| (slot.name.clone(), v.to_f64s())).collect();
    Case { result, input, states }
}

/// Extents along the two spatial axes.
type Pair = [usize; 2];

struct Geometry {
    stride: Pair,
    pad: Pair,
    dilation: Pair,
    groups: usize,
}

/// `[n, c, h, w]` with a kernel `[f, c/groups, kh, kw]`.
fn conv(x: &[f64], [c, h, w]: [usize; 3], k: &[f64], f: usize, [kh, kw]: Pair, [oh, ow]: Pair, g: &Geometry) -> Vec<f64> {
    let (own, each) = (c / g.groups, f / g.groups);
    let mut out = vec![0.0; x.len() / (c * h * w) * f * oh * ow];
    for (e, y) in out.iter_mut().enumerate() {
        let (n, of, oy, ox) = (e / (f * oh * ow), e / (oh * ow) % f, e / ow % oh, e % ow);
        for (ci, i, j) in (0..own).flat_map(|ci| (0..kh).flat_map(move |i| (0..kw).map(move |j| (ci, i, j)))) {
            let iy = (oy * g.stride[0] + i * g.dilation[0]).wrapping_sub(g.pad[0]);
            let ix = (ox * g.stride[1] + j * g.dilation[1]).wrapping_sub(g.pad[1]);
            if iy < h && ix < w {
                let channel = of / each * own + ci;
                *y += x[((n * c + channel) * h + iy) * w + ix] * k[((of * own + ci) * kh + i) * kw + j];
            }
        }
    }
    out
}

/// Every place of the input adds its kernel `[c, f, kh, kw]` to the output.
fn scatter(x: &[f64], [c, h, w]: [usize; 3], k: &[f64], f: usize, [kh, kw]: Pair, [oh, ow]: Pair, g: &Geometry) -> Vec<f64> {
    let mut out = vec![0.0; x.len() / (c * h * w) * f * oh * ow];
    for (e, v) in x.iter().enumerate() {
        let (n, ci, iy, ix) = (e / (c * h * w), e / (h * w) % c, e / w % h, e % w);
        for (of, i, j) in (0..f).flat_map(|of| (0..kh).flat_map(move |i| (0..kw).map(move |j| (of, i, j)))) {
            let oy = (iy * g.stride[0] + i).wrapping_sub(g.pad[0]);
            let ox = (ix * g.stride[1] + j).wrapping_sub(g.pad[1]);
            if oy < oh && ox < ow {
                out[((n * f + of) * oh + oy) * ow + ox] += v * k[((ci * f + of) * kh + i) * kw + j];
            }
        }
    }
    out
}

/// Adds `bias[channel]` to `[n, c, places]`.
fn biased(mut y: Vec<f64>, bias: &[f64], places: usize) -> Vec<f64> {
    y.iter_mut().enumerate().for_each(|(e, v)| *v += bias[e / places % bias.len()]);
    y
}

fn standardised(x: &[f64], length: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for part in x.chunks(length) {
        let mean = part.iter().sum::<f64>() / length as f64;
        let variance = part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / length as f64;
        out.extend(part.iter().map(|v| (v - mean) / (variance + 1e-5).sqrt()));
    }
    out
}

#[test]
fn convolutions() {
    let found = case("conv");
    let g = Geometry { stride: [2, 3], pad: [1, 0], dilation: [1, 2], groups: 2 };
    let y = conv(&found.input, [4, 5, 6], &found.states["Conv.conv_0.weight"], 6, [3, 2], [3, 2], &g);
    assert_close("conv", &found.result, &biased(y, &found.states["Conv.conv_0.bias"], 6), 1e-12);

    let found = case("row");
    let g = Geometry { stride: [1, 2], pad: [0, 1], dilation: [1, 1], groups: 1 };
    let y = conv(&found.input, [2, 1, 7], &found.states["Row.conv_0.weight"], 3, [1, 3], [1, 4], &g);
    assert_close("row", &found.result, &y, 1e-12);
}

#[test]
fn transposed_convolutions() {
    let found = case("up");
    let g = Geometry { stride: [2, 3], pad: [1, 2], dilation: [1, 1], groups: 1 };
    let y = scatter(&found.input, [4, 5, 6], &found.states["Up.conv_transpose_0.weight"], 3, [3, 4], [10, 16], &g);
    assert_close("up", &found.result, &biased(y, &found.states["Up.conv_transpose_0.bias"], 160), 1e-12);

    let found = case("up_row");
    let g = Geometry { stride: [1, 2], pad: [0, 1], dilation: [1, 1], groups: 1 };
    let y = scatter(&found.input, [2, 1, 7], &found.states["UpRow.conv_transpose_0.weight"], 1, [1, 4], [1, 14], &g);
    assert_close("up_row", &found.result, &biased(y, &found.states["UpRow.conv_transpose_0.bias"], 14), 1e-12);
}

#[test]
fn dense_and_embedding() {
    let found = case("rows");
    let (w, b) = (&found.states["Rows.dense_0.weight"], &found.states["Rows.dense_0.bias"]);
    let rows = found.input.chunks(3);
    let wanted: Vec<f64> = rows
        .flat_map(|x| (0..4).map(|o| b[o] + (0..3).map(|i| x[i] * w[o * 3 + i]).sum::<f64>()).collect::<Vec<_>>())
        .collect();
    assert_close("rows", &found.result, &wanted, 1e-12);

    let found = case("table");
    let table = &found.states["Table.embed_0.weight"];
    let wanted: Vec<f64> = found.input.iter().flat_map(|y| table[*y as usize * 3..][..3].to_vec()).collect();
    assert_close("table", &found.result, &wanted, 0.0);
}

#[test]
fn normalisations() {
    // Means divide by a count, whose inverse is rounded to single precision.
    let found = case("instance");
    assert_close("instance", &found.result, &standardised(&found.input, 7), 1e-6);

    let found = case("layered");
    let (w, b) = (&found.states["Layered.layer_norm_0.weight"], &found.states["Layered.layer_norm_0.bias"]);
    let wanted: Vec<f64> = standardised(&found.input, 6).iter().enumerate().map(|(e, v)| v * w[e % 6] + b[e % 6]).collect();
    assert_close("layered", &found.result, &wanted, 1e-6);

    let found = case("running");
    let part = |name: &str| &found.states[&format!("Running.batch_norm_0.{name}")];
    let (m, v, w, b) = (part("running_mean"), part("running_var"), part("weight"), part("bias"));
    let one = |(e, x): (usize, &f64)| {
        let c = e / 7 % 2;
        (x - m[c]) / (v[c] + 1e-5).sqrt() * w[c] + b[c]
    };
    let wanted: Vec<f64> = found.input.iter().enumerate().map(one).collect();
    assert_close("running", &found.result, &wanted, 1e-7);

    let found = case("slope");
    let slope = found.states["Prelu.prelu_0.weight"][0];
    let wanted: Vec<f64> = found.input.iter().map(|x| if *x > 0.0 { *x } else { slope * x }).collect();
    assert_close("slope", &found.result, &wanted, 1e-12);
}
