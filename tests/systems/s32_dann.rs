//! 32. Domain-adversarial training (Ganin et al. 2016): features for a label predictor that a domain classifier cannot use.
//!
//! One joint step for three players, the adversary's weight on a schedule; or one player behind a gradient reversal, which must
//! come to the same gradients.

use crate::harness::{Array, Point, System};
use crate::support::assert_close;
use saddlepoint::prelude::*;

gan! {
    /// Three objectives, one evaluation.
    pub model Dann {
        data source { x: [2, 8, 8], y: class(3) }
        data target { x: [2, 8, 8] }
        hyper lambda: f32 = 2.0 / (1.0 + exp(-10.0 * progress)) - 1.0;
        net F(x: [2, 8, 8]) -> [8] {
            x.conv(3, kernel = 3).relu().max_pool(2).conv(2, kernel = 2).relu().flatten()
        }
        net Label(h: [8]) -> [3] { h.dense(5).relu().dense(4).relu().dense(3) }
        net Domain(h: [8]) -> [1] { h.dense(5).relu().dense(1) }
        let (hs, ht) = (F(source.x), F(target.x));
        let label = E[cross_entropy(Label(hs), source.y)];
        let domain = E[softplus(-Domain(hs))] + E[softplus(Domain(ht))];
        player F minimizes { label - lambda * domain }
        player Label minimizes { label }
        player Domain minimizes { domain }
        train simultaneous { F, Label, Domain: sgd(0.01 / pow(1.0 + 10.0 * progress, 0.75), momentum = 0.9); }
        output classify(x: [2, 8, 8]) = argmax(Label(F(x)));
    }
}

gan! {
    /// One objective; the sign turns between features and domain classifier.
    pub model Reversed {
        data source { x: [2, 8, 8], y: class(3) }
        data target { x: [2, 8, 8] }
        hyper lambda: f32 = 2.0 / (1.0 + exp(-10.0 * progress)) - 1.0;
        net F(x: [2, 8, 8]) -> [8] {
            x.conv(3, kernel = 3).relu().max_pool(2).conv(2, kernel = 2).relu().flatten()
        }
        net Label(h: [8]) -> [3] { h.dense(5).relu().dense(4).relu().dense(3) }
        net Domain(h: [8]) -> [1] { h.dense(5).relu().dense(1) }
        let (hs, ht) = (F(source.x), F(target.x));
        let domain = E[softplus(-Domain(reverse(hs, lambda)))] + E[softplus(Domain(reverse(ht, lambda)))];
        player All updates (F, Label, Domain) minimizes { E[cross_entropy(Label(hs), source.y)] + domain }
        train { All: sgd(0.01 / pow(1.0 + 10.0 * progress, 0.75), momentum = 0.9); }
    }
}

fn features(t: &Point<'_>, x: &Array) -> Array {
    let h = t.conv("F.conv_0", x, 1, 0).relu();
    t.conv("F.conv_1", &max_pool(&h), 1, 0).relu().flatten()
}

/// The largest of every 2 × 2 places.
fn max_pool(x: &Array) -> Array {
    let [n, c, h, w] = [0, 1, 2, 3].map(|a| x.shape()[a]);
    let places = (0..n * c * (h / 2) * (w / 2)).map(|i| (i / (h / 2 * (w / 2)), i / (w / 2) % (h / 2), i % (w / 2)));
    let at = |map: usize, i: usize, j: usize| x.values()[(map * h + i) * w + j];
    let largest = |(map, i, j): (usize, usize, usize)| {
        let [i, j] = [2 * i, 2 * j];
        at(map, i, j).max(at(map, i, j + 1)).max(at(map, i + 1, j)).max(at(map, i + 1, j + 1))
    };
    Array::new(&[n, c, h / 2, w / 2], places.map(largest).collect())
}

fn label(t: &Point<'_>, h: &Array) -> Array {
    (0..2).fold(h.clone(), |h, i| t.dense(&format!("Label.dense_{i}"), &h).relu())
}

fn label_loss(t: &Point<'_>) -> f64 {
    let logits = t.dense("Label.dense_2", &label(t, &features(t, &t.data("source.x"))));
    logits.cross_entropy(&t.data("source.y")).mean()
}

fn domain_loss(t: &Point<'_>) -> f64 {
    let score = |x: &Array| t.dense("Domain.dense_1", &t.dense("Domain.dense_0", &features(t, x)).relu());
    (-score(&t.data("source.x"))).softplus().mean() + score(&t.data("target.x")).softplus().mean()
}

#[test]
fn three_players_in_one_joint_step() {
    let system = System::of(&Dann::build(Config::new().batch(4)).expect("it builds"));
    system.loss("F", |t| label_loss(t) - t.hyper("lambda") * domain_loss(t));
    system.loss("Label", label_loss);
    system.loss("Domain", domain_loss);
    system.output("classify", 0, |t| t.dense("Label.dense_2", &label(t, &features(t, &t.argument("x")))).argmax());
    system.audit();
}

#[test]
fn a_reversed_gradient_is_that_of_three_players() {
    let joint = System::of(&Dann::build(Config::new().batch(4)).expect("it builds"));
    let reversed = System::of(&Reversed::build(Config::new().batch(4)).expect("it builds"));
    reversed.loss("All", |t| label_loss(t) + domain_loss(t));
    for (player, layer) in [
        ("F", "conv_0"),
        ("F", "conv_1"),
        ("Label", "dense_0"),
        ("Label", "dense_1"),
        ("Label", "dense_2"),
        ("Domain", "dense_0"),
        ("Domain", "dense_1"),
    ] {
        for part in ["weight", "bias"] {
            let name = format!("{player}.{layer}.{part}");
            let (wanted, found) = (joint.gradient(player, &name), reversed.gradient("All", &name));
            assert!(wanted.values().iter().any(|g| g.abs() > 1e-4), "{name} has no gradient to compare");
            assert_close(&name, found.values(), wanted.values(), 1e-12);
        }
    }
    reversed.audit_diverted();
}

fn pictures(by: f32) -> Tensor {
    Tensor::new([4, 2, 8, 8], (0..512).map(|i| (by * i as f32).sin()).collect()).expect("pictures")
}

/// Both ways go the same way, schedules and momentum included.
#[test]
fn both_ways_take_the_same_steps() {
    let config = || Config::new().batch(4).seed(7).horizon(8);
    let mut joint = Dann::build(config()).expect("it builds");
    let mut reversed = Reversed::build(config()).expect("it builds");
    let nets = [(DannNet::F, ReversedNet::F), (DannNet::Label, ReversedNet::Label), (DannNet::Domain, ReversedNet::Domain)];
    for (there, here) in nets {
        reversed.copy_net(here, &joint, there).expect("the same layers");
    }
    let y = || Classes::new([4], 3, vec![0, 2, 1, 0]).expect("labels");
    let mut weights = Vec::new();
    for step in 0..6 {
        let progress = f64::from(step) / 8.0;
        let lambda = 2.0 / (1.0 + (-10.0 * progress).exp()) - 1.0;
        assert_close("λ", &[f64::from(joint.lambda())], &[lambda], 1e-6);
        let (x, target) = (pictures(0.7), pictures(1.3));
        let source = DannSource { x: x.clone(), y: y() };
        joint.step(&[DannBatch { source, target: DannTarget { x: target.clone() } }]).expect("a step");
        let source = ReversedSource { x, y: y() };
        reversed.step(&[ReversedBatch { source, target: ReversedTarget { x: target } }]).expect("a step");
        weights.push(joint.parameter("F.conv_0.weight").expect("a weight"));
    }
    for name in ["F.conv_0.weight", "F.conv_1.bias", "Label.dense_2.weight", "Domain.dense_0.weight"] {
        let numbers = |value: Tensor| value.as_slice().iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let [a, b] = [joint.parameter(name), reversed.parameter(name)].map(|value| numbers(value.expect("a parameter")));
        assert_close(name, &b, &a, 1e-6);
    }
    assert!(weights.windows(2).all(|pair| pair[0] != pair[1]), "features move at every step");
}
