//! 36. The hybrid of both inversions (Zhu et al. 2016): the search for a picture's code starts where the encoder puts it.
//!
//! The initial value of a sample's row is an expression over that sample.

use crate::harness::System;
use crate::s34_inversion::{Invert, generator, trained};
use crate::s35_inversion_encoder::{fitted, pictures};
use saddlepoint::prelude::*;

gan! {
    /// Generator and encoder are given; only codes move.
    pub model Hybrid {
        data x: [1, 4, 4];
        extern net G(z: [3]) -> [1, 4, 4] = crate::s34_inversion::Toy::G;
        extern net Enc(x: [1, 4, 4]) -> [3] = crate::s35_inversion_encoder::Encode::Enc;
        hyper rate: f32 = 0.05;
        latent w: [3] per x = Enc(x);
        player w minimizes { E[square(G(w) - x).sum()] }
        train { w: adam(rate); }
        output error(x, w) = square(G(w) - x).mean();
    }
}

fn mean(errors: &Tensor) -> f32 {
    errors.as_slice().iter().sum::<f32>() / errors.rows() as f32
}

#[test]
fn a_code_that_starts_at_the_encoders() {
    let mut toy = trained();
    let encoder = fitted(&mut toy, 30);
    let config = Config::new().batch(4).give(&toy).give(&encoder);
    let system = System::of(&Hybrid::build(config).expect("it builds"));
    system.loss("w", |t| (generator(t, &t.parameter("latent.w")) - t.data("x")).square().sum_each().mean());
    system.audit();
}

#[test]
fn a_few_steps_from_the_encoders_code_beat_many_from_anywhere() {
    let mut toy = trained();
    let mut encoder = fitted(&mut toy, 150);
    let x = pictures(&mut toy);
    let mut hybrid = Hybrid::build(Config::new().batch(16).give(&toy).give(&encoder)).expect("it builds");

    // A step that moves nothing shows where the rows begin.
    hybrid.set_rate(0.0);
    hybrid.fit(&x, Fit::steps(1).quiet()).expect("a fit");
    assert_eq!(hybrid.w().expect("the table"), encoder.encode(&x).expect("codes"));

    let start = hybrid.w().expect("the table");
    let start = mean(&hybrid.error(&x, &start).expect("errors"));
    hybrid.set_rate(0.05);
    hybrid.fit(&x, Fit::steps(20).quiet()).expect("a fit");
    let w = hybrid.w().expect("the table");
    let found = mean(&hybrid.error(&x, &w).expect("errors"));

    let mut anywhere = Invert::build(Config::new().batch(16).seed(6).give(&toy)).expect("it builds");
    anywhere.fit(&x, Fit::steps(40).quiet()).expect("a fit");
    let w = anywhere.w().expect("the table");
    let many = mean(&anywhere.error(&x, &w).expect("errors"));
    assert!(found < 0.5 * start && found < many, "{start}, then {found} after 20 steps; {many} after 40 from anywhere");
}
