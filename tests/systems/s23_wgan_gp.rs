//! 23. WGAN with a gradient penalty (Gulrajani et al. 2017, algorithm 1), two-sided and one-sided.
//!
//! Second-order gradients, one ε a sample.

use crate::harness::{Array, Point, System, slope};
use saddlepoint::prelude::*;

gan! {
    /// The penalty's side is decided when the model is built.
    pub model WganGp {
        const ONE_SIDED: bool;
        data x: [2];
        noise z: normal([2]);
        hyper lambda: f32 = 10.0;
        fn mlp(v, n) { v.repeat(2, |h| h.dense(5).leaky_relu(0.2)).dense(n) }
        net G(z: [2]) -> [2] { mlp(z, 2) }
        net D(x: [2]) -> [1] { mlp(x, 1) }
        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        let slope = grad(D(mid), mid).norm() - 1.0;
        let penalty = if ONE_SIDED { E[square(relu(slope))] } else { E[square(slope)] };
        player D minimizes { E[D(fake)] - E[D(x)] + lambda * penalty }
        player G minimizes { -E[D(fake)] }
        train { D: adam(1e-4, beta1 = 0.0, beta2 = 0.9), steps = 5; G: adam(1e-4, beta1 = 0.0, beta2 = 0.9); }
        metric distance = E[D(x)] - E[D(fake)];
    }
}

fn mlp(t: &Point<'_>, net: &str, v: &Array) -> Array {
    let h = t.dense(&format!("{net}.dense_0"), v).leaky_relu(0.2);
    t.dense(&format!("{net}.dense_2"), &t.dense(&format!("{net}.dense_1"), &h).leaky_relu(0.2))
}

/// (|∇D(x̂)| − 1) a sample, by differences.
fn excess(t: &Point<'_>, mid: &Array) -> Array {
    slope(mid, |mid| mlp(t, "D", mid).sum()).norm_each() - 1.0
}

fn check(one_sided: bool) {
    let model = WganGp::build(WganGpConsts { ONE_SIDED: one_sided }, Config::new().batch(4)).expect("it builds");
    let system = System::of(&model);
    system.loss("D", |t| {
        let fake = mlp(t, "G", &t.normal(&[t.batch(), 2]));
        let (x, eps) = (t.data("x"), t.uniform(&[t.batch(), 1]));
        let excess = excess(t, &(&eps * &x + (1.0 - &eps) * &fake));
        let excess = if one_sided { excess.relu() } else { excess };
        mlp(t, "D", &fake).mean() - mlp(t, "D", &x).mean() + t.hyper("lambda") * excess.square().mean()
    });
    system.loss("G", |t| -mlp(t, "D", &mlp(t, "G", &t.normal(&[t.batch(), 2]))).mean());
    system.metric("distance", |t| {
        mlp(t, "D", &t.data("x")).mean() - mlp(t, "D", &mlp(t, "G", &t.normal(&[t.batch(), 2]))).mean()
    });
    system.audit();
}

#[test]
fn two_sided_penalty() {
    check(false);
}

#[test]
fn one_sided_penalty() {
    check(true);
}
