//! 30. BiGAN and ALI (Donahue et al. 2017; Dumoulin et al. 2017): an encoder and a generator, each other's inverse.
//!
//! D judges pairs of picture and code, the encoder's against the generator's. One player moves encoder and generator, on the
//! discriminator's value with its sign or its labels flipped; they meet in D alone.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// The zero-sum game, or the labels flipped.
    pub model BiGan {
        const FLIPPED: bool;
        data x: [4];
        noise z: normal([2]);
        net Enc(x: [4]) -> [2] { x.dense(5).tanh().dense(2) }
        net G(z: [2]) -> [4] { z.dense(5).tanh().dense(4) }
        net D(x: [4], z: [2]) -> [1] { concat(x, z).dense(6).leaky_relu(0.2).dense(1) }
        let encoded = D(x, Enc(x));
        let generated = D(G(z), z);
        let value = E[softplus(-encoded)] + E[softplus(generated)];
        player D minimizes { value }
        player Pair updates (Enc, G) minimizes {
            if FLIPPED { E[softplus(encoded)] + E[softplus(-generated)] } else { -value }
        }
        train { D, Pair: adam(2e-4, beta1 = 0.5); }
        output code_again = Enc(G(z)) - z;
        output again(x) = G(Enc(x));
    }
}

fn encoder(t: &Point<'_>, x: &Array) -> Array {
    t.dense("Enc.dense_1", &t.dense("Enc.dense_0", x).tanh())
}

fn generator(t: &Point<'_>, z: &Array) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", z).tanh())
}

fn critic(t: &Point<'_>, x: &Array, z: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", &Array::concat(&[x, z], 1)).leaky_relu(0.2))
}

/// The scores of both pairs.
fn pairs(t: &Point<'_>) -> (Array, Array) {
    let (x, z) = (t.data("x"), t.normal(&[t.batch(), 2]));
    (critic(t, &x, &encoder(t, &x)), critic(t, &generator(t, &z), &z))
}

fn build(flipped: bool) -> BiGan {
    BiGan::build(BiGanConsts { FLIPPED: flipped }, Config::new().batch(4).seed(2)).expect("it builds")
}

fn check(flipped: bool) {
    let system = System::of(&build(flipped));
    let value = |(encoded, generated): (Array, Array)| (-encoded).softplus().mean() + generated.softplus().mean();
    system.loss("D", |t| value(pairs(t)));
    system.loss("Pair", |t| {
        let (encoded, generated) = pairs(t);
        match flipped {
            true => value((-encoded, -generated)),
            false => -value((encoded, generated)),
        }
    });
    system.output("code_again", 0, |t| {
        let z = t.normal(&[t.batch(), 2]);
        encoder(t, &generator(t, &z)) - z
    });
    system.output("again", 0, |t| generator(t, &encoder(t, &t.argument("x"))));
    system.audit();
}

#[test]
fn labels_flipped() {
    check(true);
}

#[test]
fn zero_sum() {
    check(false);
}

/// Weights of encoder and generator after a turn of theirs, from the same start but for a change.
fn turned(change: impl Fn(&mut BiGan)) -> [Vec<Tensor>; 2] {
    let mut model = build(true);
    change(&mut model);
    let x = Tensor::new([4, 4], (0..16).map(|i| (i as f32).sin()).collect()).expect("points");
    model.turn(BiGanPlayer::Pair, &BiGanBatch { x }).expect("a turn");
    let weight = |net: &str, i: usize| model.parameter(&format!("{net}.dense_{i}.weight")).expect("a weight");
    ["Enc", "G"].map(|net| vec![weight(net, 0), weight(net, 1)])
}

#[test]
fn encoder_and_generator_meet_in_the_discriminator_alone() {
    let negate = |model: &mut BiGan, name: &str| {
        let weight = model.parameter(name).expect("a weight");
        let negative = weight.as_slice().iter().map(|w| -w).collect();
        model.set_parameter(name, &Tensor::new(weight.shape(), negative).expect("a weight")).expect("set");
    };
    let [encoder, generator] = turned(|_| ());
    assert_eq!(turned(|model| negate(model, "G.dense_1.weight"))[0], encoder, "its turn sees nothing of the generator");
    assert_eq!(turned(|model| negate(model, "Enc.dense_1.weight"))[1], generator, "its turn sees nothing of the encoder");
    let [other_encoder, other_generator] = turned(|model| negate(model, "D.dense_1.weight"));
    assert!(other_encoder != encoder && other_generator != generator, "both turns see the discriminator");
}
