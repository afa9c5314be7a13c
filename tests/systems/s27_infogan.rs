//! 27. InfoGAN (Chen et al. 2016): the generator's input has codes that Q reads off its pictures, a class and two numbers.
//!
//! Q is a head on the discriminator's trunk; what it knows of the codes, E ln Q(c|x) + H(c), is raised by a player of its own
//! that moves generator and trunk too.

use crate::harness::{Array, Point, System, normal_log_prob};
use saddlepoint::prelude::*;

gan! {
    /// Three players; G and the trunk belong to two of them.
    pub model Info {
        data x: [1, 8, 8];
        noise z: normal([3]);
        noise c: categorical(4);
        noise u: uniform([2], low = -1.0, high = 1.0);
        net G(z: [3], c: class(4), u: [2]) -> [1, 8, 8] {
            concat(z, c.one_hot(), u).dense(3 * 2 * 2).reshape([3, 2, 2]).batch_norm().relu()
                .conv_transpose(2, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Trunk(x: [1, 8, 8]) -> [5] {
            x.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).flatten().dense(5).leaky_relu(0.2)
        }
        net Real(h: [5]) -> [1] { h.dense(1) }
        net Q(h: [5]) -> ([4], [2], [2]) { let h = h.dense(6).relu(); (h.dense(4), h.dense(2), h.dense(2)) }
        let fake = Trunk(G(z, c, u));
        let (class, mu, s) = Q(fake);
        player D updates (Trunk, Real) minimizes { E[softplus(-Real(Trunk(x)))] + E[softplus(Real(fake))] }
        player G minimizes { E[softplus(-Real(fake))] }
        player Q updates (G, Trunk, Q) minimizes { E[cross_entropy(class, c)] - 0.1 * E[normal_log_prob(u, mu, s)] }
        train { D: adam(2e-4, beta1 = 0.5); G, Q: adam(1e-3, beta1 = 0.5); }
        output sample(c, u) = G(z, c, u);
        output classify(x) = argmax(Q(Trunk(x)).0);
    }
}

/// The codes of a batch.
struct Codes {
    c: Array,
    u: Array,
}

/// Fresh codes and the pictures made of them.
fn made(t: &Point<'_>) -> (Codes, Array) {
    let z = t.normal(&[t.batch(), 3]);
    let c = t.categorical(4, &[t.batch()]);
    let u = 2.0 * t.uniform(&[t.batch(), 2]) - 1.0;
    let input = Array::concat(&[&z, &c.one_hot(4), &u], 1);
    let x = generator(t, &input, true);
    (Codes { c, u }, x)
}

/// In training with the batch's own statistics, else with the running ones.
fn generator(t: &Point<'_>, input: &Array, training: bool) -> Array {
    let h = t.dense("G.dense_0", input).reshape(&[input.shape()[0], 3, 2, 2]);
    let norm = |layer: &str, x: &Array| if training { t.batch_norm(layer, x) } else { t.batch_norm_inference(layer, x) };
    let h = norm("G.batch_norm_0", &h).relu();
    let h = norm("G.batch_norm_1", &t.conv_transpose("G.conv_transpose_0", &h, 2, 1)).relu();
    t.conv_transpose("G.conv_transpose_1", &h, 2, 1).tanh()
}

fn trunk(t: &Point<'_>, x: &Array) -> Array {
    let h = t.conv("Trunk.conv_0", x, 2, 1).leaky_relu(0.2);
    let h = t.conv("Trunk.conv_1", &h, 2, 1).leaky_relu(0.2);
    t.dense("Trunk.dense_0", &h.flatten()).leaky_relu(0.2)
}

fn head(t: &Point<'_>, h: &Array) -> [Array; 3] {
    let h = t.dense("Q.dense_0", h).relu();
    ["Q.dense_1", "Q.dense_2", "Q.dense_3"].map(|layer| t.dense(layer, &h))
}

fn score(t: &Point<'_>, x: &Array) -> Array {
    t.dense("Real.dense_0", &trunk(t, x))
}

#[test]
fn codes_are_read_off_the_discriminators_trunk() {
    let system = System::of(&Info::build(Config::new().batch(3)).expect("it builds"));
    system.loss("D", |t| (-score(t, &t.data("x"))).softplus().mean() + score(t, &made(t).1).softplus().mean());
    system.loss("G", |t| (-score(t, &made(t).1)).softplus().mean());
    system.loss("Q", |t| {
        let (codes, x) = made(t);
        let [class, mu, s] = head(t, &trunk(t, &x));
        class.cross_entropy(&codes.c).mean() - 0.1 * normal_log_prob(&codes.u, &mu, &s).mean()
    });
    system.output("sample", 0, |t| {
        let input = Array::concat(&[&t.normal(&[t.batch(), 3]), &t.argument("c").one_hot(4), &t.argument("u")], 1);
        generator(t, &input, false)
    });
    system.output("classify", 0, |t| head(t, &trunk(t, &t.argument("x")))[0].argmax());
    system.audit();
}

/// What Q gives comes from the trunk that D trains.
#[test]
fn a_turn_of_the_discriminator_moves_what_q_reads() {
    let mut model = Info::build(Config::new().batch(3).seed(1)).expect("it builds");
    let x = Tensor::new([3, 1, 8, 8], (0..192).map(|i| (i as f32).sin()).collect()).expect("pictures");
    let trunk = |model: &Info| model.parameter("Trunk.dense_0.weight").expect("a parameter");
    let head = |model: &Info| model.parameter("Q.dense_1.weight").expect("a parameter");
    let (trunk_before, head_before) = (trunk(&model), head(&model));
    model.turn(InfoPlayer::D, &InfoBatch { x: x.clone() }).expect("a turn");
    let trunk_of_d = trunk(&model);
    assert_ne!(trunk_of_d, trunk_before);
    assert_eq!(head(&model), head_before);
    model.turn(InfoPlayer::Q, &InfoBatch { x }).expect("a turn");
    assert_ne!(trunk(&model), trunk_of_d);
    assert_ne!(head(&model), head_before);
}
