//! System 22. Wasserstein GAN (Arjovsky, Chintala and Bottou 2017, algorithm 1): a critic whose weights are clipped after
//! every update, and which makes five updates for one of the generator, both by RMSProp.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// The paper's constants.
    pub model Wgan {
        data x: [2];
        noise z: normal([3]);
        net G(z: [3]) -> [2] { z.dense(5).relu().dense(2) }
        #[clip(0.01)]
        net D(x: [2]) -> [1] { x.dense(6).leaky_relu(0.2).dense(1) }
        let fake = G(z);
        player D maximizes { E[D(x)] - E[D(fake)] }
        player G minimizes { -E[D(fake)] }
        train { D: rmsprop(5e-5), steps = 5; G: rmsprop(5e-5); }
        metric distance = E[D(x)] - E[D(fake)];
        output sample = G(z);
    }
}

fn generator(t: &Point<'_>) -> Array {
    t.dense("G.dense_1", &t.dense("G.dense_0", &t.normal(&[t.batch(), 3])).relu())
}

fn critic(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_1", &t.dense("D.dense_0", x).leaky_relu(0.2))
}

fn distance(t: &Point<'_>) -> f64 {
    critic(t, &t.data("x")).mean() - critic(t, &generator(t)).mean()
}

#[test]
fn distance_of_earth_movers() {
    let system = System::of(&Wgan::build(Config::new().batch(4)).expect("it builds"));
    system.gain("D", distance);
    system.loss("G", |t| -critic(t, &generator(t)).mean());
    system.metric("distance", distance);
    system.output("sample", 0, generator);
    system.audit();
}

fn built() -> Wgan {
    Wgan::build(Config::new().batch(4).seed(6)).expect("it builds")
}

fn batch(phase: f32) -> WganBatch {
    WganBatch { x: waves(&[4, 2], phase) }
}

fn parameters(model: &Wgan, net: &str) -> Vec<f32> {
    let names = ["dense_0.weight", "dense_0.bias", "dense_1.weight", "dense_1.bias"];
    names.iter().flat_map(|name| model.parameter(&format!("{net}.{name}")).expect("it is there").into_vec()).collect()
}

#[test]
fn weights_stay_within_the_clip_after_every_critic_step() {
    let mut model = built();
    let largest = |values: Vec<f32>| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    assert!(largest(parameters(&model, "D")) > 0.1, "initial values are not clipped");
    let maps = parameters(&model, "G");
    for i in 0..20 {
        let before = parameters(&model, "D");
        model.turn(WganPlayer::D, &batch(i as f32)).expect("a turn");
        let after = parameters(&model, "D");
        assert_ne!(before, after, "turn {i} moves the critic");
        assert_eq!(largest(after), 0.01, "turn {i}");
    }
    assert_eq!(parameters(&model, "G"), maps, "the critic's turns leave the generator");
    model.turn(WganPlayer::G, &batch(0.0)).expect("a turn");
    assert!(largest(parameters(&model, "G")) > 0.1, "the generator is not clipped");
}

#[test]
fn five_critic_updates_with_batches_of_their_own_for_one_of_the_generator() {
    let after = |phases: &[f32]| {
        let mut model = built();
        model.step(&phases.iter().map(|p| batch(*p)).collect::<Vec<_>>()).expect("a step");
        (parameters(&model, "D"), parameters(&model, "G"))
    };
    let step = after(&[0.0, 1.0, 2.0, 3.0, 4.0]);
    for j in 0..5 {
        let mut phases = [0.0, 1.0, 2.0, 3.0, 4.0];
        phases[j] = 2.5;
        assert_ne!(after(&phases).0, step.0, "update {j} looks at batch {j}");
    }
    assert_eq!(after(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), step, "there is no sixth update");
    // RMSProp's first update is ten learning rates for every parameter, whatever its gradient: the generator makes one.
    let moved = step.1.iter().zip(parameters(&built(), "G")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!((moved / 5e-5 - 10.0).abs() < 0.1, "{} learning rates", moved / 5e-5);
}
