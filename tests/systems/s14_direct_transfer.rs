//! System 14. Transfer between unpaired domains by an adversary alone: G maps pictures of X, D has seen pictures of Y only.
//! That the content survives is left to G's shallowness, as the course has it; nothing in the objective asks for it. Data of
//! both domains are groups of their own, shuffled apart.

use crate::harness::{Array, Point, System, waves};
use saddlepoint::prelude::*;

gan! {
    /// From grey to coloured pictures.
    pub model Transfer {
        data x: [1, 4, 4];
        data y: [3, 4, 4];
        net G(x: [1, 4, 4]) -> [3, 4, 4] { x.conv(4, kernel = 3, pad = 1).leaky_relu(0.2).conv(3, kernel = 1).tanh() }
        net D(y: [3, 4, 4]) -> [1] { y.conv(3, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(1) }
        let fake = G(x);
        player D minimizes { E[softplus(-D(y))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        metric content = E[square(fake.mean(axis = 0) - x[0])];
        output translate(x) = G(x);
    }
}

fn generator(t: &Point<'_>, x: &Array) -> Array {
    t.conv("G.conv_1", &t.conv("G.conv_0", x, 1, 1).leaky_relu(0.2), 1, 0).tanh()
}

fn logit(t: &Point<'_>, y: &Array) -> Array {
    t.dense("D.dense_0", &t.conv("D.conv_0", y, 2, 1).leaky_relu(0.2).flatten())
}

#[test]
fn adversary_of_the_target_domain_alone() {
    let system = System::of(&Transfer::build(Config::new().batch(3)).expect("it builds"));
    system.loss("D", |t| {
        (-logit(t, &t.data("y"))).softplus().mean() + logit(t, &generator(t, &t.data("x"))).softplus().mean()
    });
    system.loss("G", |t| (-logit(t, &generator(t, &t.data("x")))).softplus().mean());
    system.metric("content", |t| {
        let grey = generator(t, &t.data("x")).mean_over(&[1]);
        (grey - t.data("x").entry(1, 0)).square().mean()
    });
    system.output("translate", 0, |t| generator(t, &t.argument("x")));
    system.audit();
}

#[test]
fn the_domains_are_not_paired() {
    // The same pictures of Y in another order: both players go where they went.
    let y = waves(&[2, 3, 4, 4], 1.0);
    let turned = Tensor::new([2, 3, 4, 4], [y.row(1), y.row(0)].concat()).expect("two pictures");
    let after = |y: Tensor| {
        let mut model = Transfer::build(Config::new().batch(2).seed(3)).expect("it builds");
        for _ in 0..3 {
            model.step(&[TransferBatch { x: waves(&[2, 1, 4, 4], 0.0), y: y.clone() }]).expect("a step");
        }
        ["G.conv_0.weight", "D.dense_0.weight"].map(|name| model.parameter(name).expect("it is there"))
    };
    for (a, b) in after(y).iter().zip(after(turned)) {
        let far = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-5, "{far}");
    }
}
