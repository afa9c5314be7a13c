//! Recurrent layers and spectral normalisation against PyTorch in f64: results, losses, gradients, and the vectors of the power
//! iteration (`fixtures/make_layers.py` made the files). Graphs run in the f64 interpreter, then the same on the machine.

use crate::support::{Lowered, Point, assert_close, writes};
use saddlepoint::compiler::ir::Graph;
use saddlepoint::compiler::{plan, rewrite};
use saddlepoint::prelude::*;
use safetensors::SafeTensors;
use std::collections::BTreeMap;

gan! {
    pub model Recurrent {
        data pair { x: [5, 3], m: [5], v: [3], h: [4], c: [4] }
        net Gru(x: [5, 3]) -> [5, 4] { x.gru(4) }
        net GruBack(x: [5, 3]) -> [5, 4] { x.gru(4, reverse = true) }
        net GruMasked(x: [5, 3], m: [5]) -> [5, 4] { x.gru(4, mask = m) }
        net GruBackMasked(x: [5, 3], m: [5]) -> [5, 4] { x.gru(4, mask = m, reverse = true) }
        net Lstm(x: [5, 3]) -> [5, 4] { x.lstm(4) }
        net LstmBack(x: [5, 3]) -> [5, 4] { x.lstm(4, reverse = true) }
        net LstmMasked(x: [5, 3], m: [5]) -> [5, 4] { x.lstm(4, mask = m) }
        net LstmBackMasked(x: [5, 3], m: [5]) -> [5, 4] { x.lstm(4, mask = m, reverse = true) }
        net GruCell(v: [3], h: [4]) -> [4] { v.gru_cell(h) }
        net LstmCell(v: [3], h: [4], c: [4]) -> ([4], [4]) { v.lstm_cell(h, c) }
        let (state, cell) = LstmCell(v, h, c);
        player P updates (Gru, GruBack, GruMasked, GruBackMasked, Lstm, LstmBack, LstmMasked, LstmBackMasked, GruCell, LstmCell)
        minimizes {
            E[square(Gru(x))] + E[square(GruBack(x))] + E[square(GruMasked(x, m))] + E[square(GruBackMasked(x, m))]
                + E[square(Lstm(x))] + E[square(LstmBack(x))] + E[square(LstmMasked(x, m))] + E[square(LstmBackMasked(x, m))]
                + E[square(GruCell(v, h))] + E[state * cell]
        }
        train { P: sgd(1.0); }
        output gru(x) = Gru(x);
        output gru_back(x) = GruBack(x);
        output gru_masked(x, m) = GruMasked(x, m);
        output gru_back_masked(x, m) = GruBackMasked(x, m);
        output lstm(x) = Lstm(x);
        output lstm_back(x) = LstmBack(x);
        output lstm_masked(x, m) = LstmMasked(x, m);
        output lstm_back_masked(x, m) = LstmBackMasked(x, m);
        output gru_cell(v, h) = GruCell(v, h);
        output lstm_cell(v, h, c) = LstmCell(v, h, c);
    }
}

gan! {
    pub model Spectral {
        data pair { x: [2, 5, 5], w: [2, 5, 5], y: class(4) }
        #[spectral_norm]
        net D(x: [2, 5, 5], y: class(4)) -> [1] {
            let h = x.conv(3, kernel = 3, stride = 2, pad = 1).tanh().conv_transpose(2, kernel = 4, stride = 2, pad = 1).tanh();
            (h.flatten().dense(6).tanh() * y.embed(6)).dense(1, bias = false)
        }
        player D minimizes { E[D(w, y)] - E[D(x, y)] + E[square(grad(D(x, y), x).norm() - 1.0)] }
        train { D: sgd(1.0); }
        output score(x, y) = D(x, y);
    }
}

macro_rules! of_length {
    ($model:ident, $t:literal) => {
        gan! {
            #[allow(dead_code)] // only the text of the model is used
            pub model $model {
                data x: [$t, 6];
                data w: [$t] of class(9);
                net N(x: [$t, 6], w: [$t] of class(9)) -> [1] {
                    (x.gru(8, mask = w != 0)[$t - 1] + x.lstm(8, reverse = true)[0]).dense(1)
                }
                player N minimizes { E[square(N(x, w))] }
                train { N: adam(1e-3); }
            }
        }
    };
}
of_length!(Short, 8);
of_length!(Long, 16);

/// Every tensor of a file with its shape.
struct Fixture(BTreeMap<String, (Vec<usize>, Vec<f64>)>);

impl Fixture {
    fn read(name: &str) -> Fixture {
        let path = format!("{}/tests/fixtures/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).expect("the fixture is in the repository");
        let file = SafeTensors::deserialize(&bytes).expect("a whole safetensors file");
        let values = |data: &[u8]| data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        let one = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            (name, (view.shape().to_vec(), values(view.data())))
        };
        Fixture(file.tensors().into_iter().map(one).collect())
    }

    fn values(&self, name: &str) -> &[f64] {
        &self.0.get(name).unwrap_or_else(|| panic!("the fixture has no {name}")).1
    }

    fn tensor(&self, name: &str) -> Tensor {
        let (shape, values) = &self.0[name];
        Tensor::new(shape.clone(), values.iter().map(|v| *v as f32).collect()).expect("shape and values agree")
    }

    /// Everything that a program reads, from the file.
    fn point(&self, lowered: &Lowered, graph: &Graph) -> Point {
        let mut point = lowered.point(graph, 1);
        for slot in graph.inputs.iter().filter(|s| !s.name.starts_with("rate.")) {
            point.set(graph, &slot.name, self.values(slot.name.rsplit('.').next().unwrap_or_default()));
        }
        for slot in &graph.states {
            point.set(graph, &slot.name, self.values(&slot.name));
        }
        point
    }

    /// Sets the states of a built model that the file knows.
    fn give(&self, model: &mut impl Model) {
        let known =
            |name: &&String| !["grad.", "next.", "result."].iter().any(|p| name.starts_with(p)) && name.contains('.');
        for name in self.0.keys().filter(known) {
            model.set_parameter(name, &self.tensor(name)).expect("the fixture names this model's states");
        }
    }
}

/// The turn's loss, and what it takes off each parameter, which with `sgd(1.0)` is the gradient.
fn compare_turn(lowered: &Lowered, player: &str, fixture: &Fixture, gradients: usize) -> BTreeMap<String, Vec<f64>> {
    let graph = &lowered.turn(player).graph;
    let outcome = fixture.point(lowered, graph).run(graph);
    let loss = outcome.output(&format!("loss.{player}")).expect("a turn gives its loss").to_f64s();
    assert_close("loss", &loss, fixture.values("loss"), 1e-7);
    let written = writes(graph, &outcome);
    let mut compared = 0;
    for (name, (_, wanted)) in fixture.0.iter().filter(|(name, _)| name.starts_with("grad.")) {
        let parameter = &name["grad.".len()..];
        let found: Vec<f64> =
            fixture.values(parameter).iter().zip(&written[parameter]).map(|(old, new)| old - new).collect();
        // The mean divides by a count, whose inverse is rounded to single precision.
        assert_close(name, &found, wanted, 1e-7);
        assert!(wanted.iter().any(|g| g.abs() > 1e-4), "{name} is nothing");
        compared += 1;
    }
    assert_eq!(compared, gradients);
    written
}

#[test]
fn recurrent_layers() {
    let (lowered, fixture) = (Lowered::of::<Recurrent>(3), Fixture::read("recurrent"));
    for net in &lowered.resolved.nets {
        let name = net.name.chars().enumerate().fold(String::new(), |name, (i, c)| match c.is_uppercase() && i > 0 {
            true => name + "_" + &c.to_lowercase().to_string(),
            false => name + &c.to_lowercase().to_string(),
        });
        let graph = lowered.output(&name);
        let outcome = fixture.point(&lowered, graph).run(graph);
        let result = |i: usize| outcome.output(&format!("result.{i}")).expect("a result").to_f64s();
        assert_close(&net.name, &result(0), fixture.values(&format!("result.{}", net.name)), 1e-12);
        if net.name == "LstmCell" {
            assert_close("cell", &result(1), fixture.values("result.LstmCell.1"), 1e-12);
        }
    }
    compare_turn(&lowered, "P", &fixture, 40);
}

#[test]
fn recurrent_layers_on_the_machine() {
    let fixture = Fixture::read("recurrent");
    let mut model = Recurrent::build(Config::new().batch(3)).expect("the model builds");
    fixture.give(&mut model);
    let [x, m, v, h, c] = ["x", "m", "v", "h", "c"].map(|name| fixture.tensor(name));
    let close = |what: &str, found: &Tensor| {
        let found: Vec<f64> = found.as_slice().iter().map(|v| f64::from(*v)).collect();
        assert_close(what, &found, fixture.values(&format!("result.{what}")), 1e-6);
    };
    close("Gru", &model.gru(&x).expect("an output"));
    close("GruBackMasked", &model.gru_back_masked(&x, &m).expect("an output"));
    close("LstmMasked", &model.lstm_masked(&x, &m).expect("an output"));
    close("LstmBack", &model.lstm_back(&x).expect("an output"));
    let (state, cell) = model.lstm_cell(&v, &h, &c).expect("an output");
    close("LstmCell", &state);
    close("LstmCell.1", &cell);
    let names: Vec<&String> = fixture.0.keys().filter(|name| name.starts_with("grad.")).collect();
    let before: Vec<Tensor> = names.iter().map(|n| model.parameter(&n["grad.".len()..]).expect("a parameter")).collect();
    model.step(&[RecurrentBatch { pair: RecurrentPair { x, m, v, h, c } }]).expect("a step");
    for (name, before) in names.iter().zip(before) {
        let after = model.parameter(&name["grad.".len()..]).expect("a parameter");
        let moved: Vec<f64> = before.as_slice().iter().zip(after.as_slice()).map(|(b, a)| f64::from(b - a)).collect();
        assert_close(name, &moved, fixture.values(name), 1e-6);
    }
}

#[test]
fn longer_sequences_need_no_more_machine_code() {
    let summary = |lowered: Lowered| {
        let turn = &lowered.turn("N").graph;
        let (graph, _) = rewrite::optimise(turn, &rewrite::Options::default()).expect("the turn is well-formed");
        plan::plan(&graph, &plan::Options::new(2)).expect("a plan").summary
    };
    let (short, long) = (summary(Lowered::of::<Short>(4)), summary(Lowered::of::<Long>(4)));
    assert!(long.kernels > short.kernels + 24, "{short:?} {long:?}");
    assert!(long.distinct_kernels <= short.distinct_kernels + 4, "{short:?} {long:?}");
}

#[test]
fn spectral_normalisation() {
    let (lowered, fixture) = (Lowered::of::<Spectral>(3), Fixture::read("spectral"));
    let score = lowered.output("score");
    let outcome = fixture.point(&lowered, score).run(score);
    assert_close("score", &outcome.output("result.0").expect("a result").to_f64s(), fixture.values("result.score"), 1e-12);
    assert!(outcome.writes.is_empty(), "an output writes nothing");
    let written = compare_turn(&lowered, "D", &fixture, 8);
    let mut vectors = 0;
    for (name, (_, wanted)) in fixture.0.iter().filter(|(name, _)| name.starts_with("next.")) {
        assert_close(name, &written[&name["next.".len()..]], wanted, 1e-12);
        vectors += 1;
    }
    assert_eq!(vectors, 10, "two vectors a weight; scales, biases and results have none");
}

#[test]
fn spectral_normalisation_on_the_machine() {
    let fixture = Fixture::read("spectral");
    let mut model = Spectral::build(Config::new().batch(3)).expect("the model builds");
    fixture.give(&mut model);
    let classes = Classes::new([3], 4, vec![2, 0, 3]).expect("three classes");
    let score = model.score(&fixture.tensor("x"), &classes).expect("an output");
    let found: Vec<f64> = score.as_slice().iter().map(|v| f64::from(*v)).collect();
    assert_close("score", &found, fixture.values("result.score"), 1e-5);
    let pair = SpectralPair { x: fixture.tensor("x"), w: fixture.tensor("w"), y: classes };
    model.step(&[SpectralBatch { pair }]).expect("a step");
    assert!((f64::from(model.metrics().expect("metrics").D) - fixture.values("loss")[0]).abs() < 1e-5);
    for (name, (_, wanted)) in &fixture.0 {
        let close = |name: &str, wanted: &[f64]| {
            let found = model.parameter(name).expect("a state");
            let found: Vec<f64> = found.as_slice().iter().map(|v| f64::from(*v)).collect();
            assert_close(name, &found, wanted, 1e-5);
        };
        if let Some(name) = name.strip_prefix("next.") {
            close(name, wanted);
        } else if let Some(name) = name.strip_prefix("grad.") {
            let moved: Vec<f64> = fixture.values(name).iter().zip(wanted).map(|(w, g)| w - g).collect();
            close(name, &moved);
        }
    }
}
