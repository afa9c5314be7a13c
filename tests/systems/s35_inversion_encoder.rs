//! 35. Inversion of a generator by an encoder (Zhu et al. 2016): autoencoding with a decoder that is given and frozen.
//!
//! The encoder starts as the trunk of the discriminator that the generator was trained against.

use crate::harness::{Array, Point, System};
use crate::s34_inversion::{Toy, ToyNet, codes, generator, trained, trunk};
use saddlepoint::prelude::*;

gan! {
    /// The trunk has the critic's layers, so that they can be copied.
    pub model Encode {
        data x: [1, 4, 4];
        extern net G(z: [3]) -> [1, 4, 4] = crate::s34_inversion::Toy::G;
        net Trunk(x: [1, 4, 4]) -> [6] { x.conv(2, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(6).tanh() }
        net Enc(x: [1, 4, 4]) -> [3] { Trunk(x).dense(3) }
        player Enc updates (Enc, Trunk) minimizes { E[square(G(Enc(x)) - x).sum()] }
        train { Enc: adam(0.01); }
        output features(x) = Trunk(x);
        output encode(x) = Enc(x);
        output render(z: [3]) = G(z);
        output error(x) = square(G(Enc(x)) - x).mean();
    }
}

pub fn encoder(t: &Point<'_>, x: &Array) -> Array {
    t.dense("Enc.dense_0", &trunk(t, "Trunk", x))
}

/// The pictures that it learns on: what the generator makes.
pub fn pictures(toy: &mut Toy) -> Tensor {
    toy.render(&codes(16, 0.1)).expect("pictures")
}

/// An encoder that starts from the critic's trunk.
pub fn build(toy: &Toy) -> Encode {
    let mut model = Encode::build(Config::new().batch(16).seed(35).give(toy)).expect("it builds");
    model.copy_net(EncodeNet::Trunk, toy, ToyNet::Trunk).expect("the same layers");
    model
}

/// The encoder after so many steps.
pub fn fitted(toy: &mut Toy, steps: u64) -> Encode {
    let mut model = build(toy);
    model.fit(&pictures(toy), Fit::steps(steps).quiet()).expect("a fit");
    model
}

#[test]
fn an_autoencoder_whose_decoder_is_frozen() {
    let system = System::of(&build(&trained()));
    system.loss("Enc", |t| {
        let x = t.data("x");
        (generator(t, &encoder(t, &x)) - x).square().sum_each().mean()
    });
    system.output("encode", 0, |t| encoder(t, &t.argument("x")));
    system.output("features", 0, |t| trunk(t, "Trunk", &t.argument("x")));
    system.output("error", 0, |t| {
        let x = t.argument("x");
        (generator(t, &encoder(t, &x)) - x).square().mean_each()
    });
    system.audit();
}

#[test]
fn the_encoder_starts_as_the_critics_trunk_and_leaves_it() {
    let mut toy = trained();
    let x = pictures(&mut toy);
    let mean = |errors: Tensor| errors.as_slice().iter().sum::<f32>() / 16.0;
    let mut model = build(&toy);
    let features = toy.features(&x).expect("features");
    assert_eq!(model.features(&x).expect("features"), features);
    let before = mean(model.error(&x).expect("errors"));
    model.fit(&x, Fit::steps(150).quiet()).expect("a fit");
    let after = mean(model.error(&x).expect("errors"));
    assert!(after < 0.3 * before, "{before} then {after}");
    assert_ne!(model.features(&x).expect("features"), features, "it is trained on");
    assert_eq!(toy.features(&x).expect("features"), features, "the critic keeps its own");
    assert_eq!(model.render(&codes(4, 2.0)).expect("pictures"), toy.render(&codes(4, 2.0)).expect("pictures"));
}
