//! System 18c. A common space by cycles (ComboGAN, Anoosheh et al. 2018): an encoder and a decoder a domain; a picture that
//! is encoded here, decoded there, encoded there and decoded here comes back. Discriminators judge what comes from the other
//! domain.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Nothing is tied.
    pub model Combo {
        data x: [4];
        data y: [4];
        fn mlp(v, n) { v.dense(5).tanh().dense(n) }
        net EX(x: [4]) -> [3] { mlp(x, 3) }
        net EY(y: [4]) -> [3] { mlp(y, 3) }
        net GX(z: [3]) -> [4] { mlp(z, 4) }
        net GY(z: [3]) -> [4] { mlp(z, 4) }
        net DX(x: [4]) -> [1] { mlp(x, 1) }
        net DY(y: [4]) -> [1] { mlp(y, 1) }
        hyper lambda: f32 = 10.0;
        let (as_y, as_x) = (GY(EX(x)), GX(EY(y)));
        player DX minimizes { E[softplus(-DX(x))] + E[softplus(DX(as_x))] }
        player DY minimizes { E[softplus(-DY(y))] + E[softplus(DY(as_y))] }
        player Coders updates (EX, EY, GX, GY) minimizes {
            E[softplus(-DX(as_x))] + E[softplus(-DY(as_y))]
                + lambda * (E[abs(GX(EY(as_y)) - x).sum()] + E[abs(GY(EX(as_x)) - y).sum()])
        }
        train { DX, DY, Coders: adam(2e-4, beta1 = 0.5); }
        metric returned = E[abs(GX(EY(as_y)) - x).sum()];
        output to_y(x) = GY(EX(x));
        output to_x(y) = GX(EY(y));
    }
}

fn mlp(t: &Point<'_>, net: &str, v: &Array) -> Array {
    t.dense(&format!("{net}.dense_1"), &t.dense(&format!("{net}.dense_0"), v).tanh())
}

/// Nets applied one after the other.
fn through(t: &Point<'_>, nets: &[&str], v: &Array) -> Array {
    nets.iter().fold(v.clone(), |v, net| mlp(t, net, &v))
}

fn returned(t: &Point<'_>, nets: &[&str], v: &Array) -> f64 {
    (through(t, nets, v) - v).abs().sum_each().mean()
}

#[test]
fn there_and_back_through_two_codes() {
    let system = System::of(&Combo::build(Config::new().batch(3)).expect("it builds"));
    for (player, field, other, way) in [("DX", "x", "y", ["EY", "GX"]), ("DY", "y", "x", ["EX", "GY"])] {
        system.loss(player, |t| {
            let fake = through(t, &way, &t.data(other));
            (-mlp(t, player, &t.data(field))).softplus().mean() + mlp(t, player, &fake).softplus().mean()
        });
    }
    system.loss("Coders", |t| {
        let (x, y) = (t.data("x"), t.data("y"));
        let fooled = |nets: &[&str], v: &Array| (-through(t, nets, v)).softplus().mean();
        fooled(&["EY", "GX", "DX"], &y)
            + fooled(&["EX", "GY", "DY"], &x)
            + 10.0 * (returned(t, &["EX", "GY", "EY", "GX"], &x) + returned(t, &["EY", "GX", "EX", "GY"], &y))
    });
    system.metric("returned", |t| returned(t, &["EX", "GY", "EY", "GX"], &t.data("x")));
    system.output("to_y", 0, |t| through(t, &["EX", "GY"], &t.argument("x")));
    system.output("to_x", 0, |t| through(t, &["EY", "GX"], &t.argument("y")));
    system.audit();
}
