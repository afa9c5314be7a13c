//! System 18d. A common space by semantic consistency (domain transfer networks, Taigman et al. 2017; XGAN, Royer et al.
//! 2017): the code of a picture and the code of its translation are the same. Both sides of the distance are trained, so
//! autoencoders keep codes from collapsing.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// XGAN with the tied part of its coders.
    pub model Semantic {
        data x: [4];
        data y: [4];
        net EX(x: [4]) -> [5] { x.dense(5).tanh() }
        net EY(y: [4]) -> [5] { y.dense(5).tanh() }
        net Code(h: [5]) -> [3] { h.dense(3) }
        net Open(z: [3]) -> [5] { z.dense(5).tanh() }
        net GX(h: [5]) -> [4] { h.dense(4) }
        net GY(h: [5]) -> [4] { h.dense(4) }
        net DX(x: [4]) -> [1] { x.dense(5).tanh().dense(1) }
        net DY(y: [4]) -> [1] { y.dense(5).tanh().dense(1) }
        hyper semantic: f32 = 2.0;
        fn code_x(x) { Code(EX(x)) }
        fn code_y(y) { Code(EY(y)) }
        let (zx, zy) = (code_x(x), code_y(y));
        let (as_y, as_x) = (GY(Open(zx)), GX(Open(zy)));
        let kept = E[abs(code_y(as_y) - zx).sum()] + E[abs(code_x(as_x) - zy).sum()];
        player DX minimizes { E[softplus(-DX(x))] + E[softplus(DX(as_x))] }
        player DY minimizes { E[softplus(-DY(y))] + E[softplus(DY(as_y))] }
        player Coders updates (EX, EY, Code, Open, GX, GY) minimizes {
            E[square(GX(Open(zx)) - x).sum()] + E[square(GY(Open(zy)) - y).sum()]
                + E[softplus(-DX(as_x))] + E[softplus(-DY(as_y))] + semantic * kept
        }
        train { DX, DY, Coders: adam(2e-4, beta1 = 0.5); }
        metric kept = kept;
        output to_y(x) = GY(Open(code_x(x)));
        output to_x(y) = GX(Open(code_y(y)));
    }
}

fn code(t: &Point<'_>, side: &str, v: &Array) -> Array {
    t.dense("Code.dense_0", &t.dense(&format!("E{side}.dense_0"), v).tanh())
}

fn decoded(t: &Point<'_>, side: &str, z: &Array) -> Array {
    t.dense(&format!("G{side}.dense_0"), &t.dense("Open.dense_0", z).tanh())
}

fn logit(t: &Point<'_>, side: &str, v: &Array) -> Array {
    t.dense(&format!("D{side}.dense_1"), &t.dense(&format!("D{side}.dense_0"), v).tanh())
}

/// (here, there, the field here).
const SIDES: [(&str, &str, &str); 2] = [("X", "Y", "x"), ("Y", "X", "y")];

fn kept(t: &Point<'_>) -> f64 {
    let parts = SIDES.map(|(here, there, field)| {
        let z = code(t, here, &t.data(field));
        (code(t, there, &decoded(t, there, &z)) - z).abs().sum_each().mean()
    });
    parts.iter().sum()
}

#[test]
fn codes_survive_the_translation() {
    let system = System::of(&Semantic::build(Config::new().batch(3)).expect("it builds"));
    for (here, there, field) in SIDES {
        system.loss(&format!("D{here}"), |t| {
            let other = if field == "x" { "y" } else { "x" };
            let fake = decoded(t, here, &code(t, there, &t.data(other)));
            (-logit(t, here, &t.data(field))).softplus().mean() + logit(t, here, &fake).softplus().mean()
        });
    }
    system.loss("Coders", |t| {
        let parts = SIDES.map(|(here, there, field)| {
            let v = t.data(field);
            let z = code(t, here, &v);
            let distance = (decoded(t, here, &z) - v).square().sum_each().mean();
            distance + (-logit(t, there, &decoded(t, there, &z))).softplus().mean()
        });
        parts.iter().sum::<f64>() + 2.0 * kept(t)
    });
    system.metric("kept", kept);
    system.output("to_y", 0, |t| decoded(t, "Y", &code(t, "X", &t.argument("x"))));
    system.output("to_x", 0, |t| decoded(t, "X", &code(t, "Y", &t.argument("y"))));
    system.audit();
}
