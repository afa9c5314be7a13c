//! 9. StackGAN (Zhang et al. 2017).
//!
//! A first generator draws small pictures, a second one refines them. Stage one is trained alone, then both together, or the second
//! on a frozen first; and codes of conditions are drawn from N(μ(c), σ(c)), held near N(0, I) (conditioning augmentation).

use crate::harness::host::learnt;
use crate::harness::{Array, Point, System, kl_normal};
use saddlepoint::prelude::*;
use saddlepoint::{Classes, Tensor};

gan! {
    /// Stage one, then both together (`joint`) or stage one frozen (`paper`).
    pub model Stack {
        data pair { x: [1, 8, 8], y: class(4) }
        noise z: normal([3]);
        fn down(x, n) { x.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2) }
        fn verdict(h, y) { concat(h.flatten(), y.embed(2)).dense(4).leaky_relu(0.2).dense(1) }
        net G1(z: [3], y: class(4)) -> [1, 4, 4] {
            concat(z, y.embed(2)).dense(3 * 2 * 2).reshape([3, 2, 2]).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net G2(s: [1, 4, 4], y: class(4)) -> [1, 8, 8] {
            concat(s, y.embed(2).spread([4, 4])).conv(3, kernel = 3, pad = 1).relu()
                .repeat(2, |h| h + h.conv(3, kernel = 3, pad = 1).batch_norm().relu().conv(3, kernel = 3, pad = 1))
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D1(x: [1, 4, 4], y: class(4)) -> [1] { verdict(down(x, 2), y) }
        net D2(x: [1, 8, 8], y: class(4)) -> [1] { verdict(down(down(x, 2), 3), y) }
        let small = G1(z, y);
        let large = G2(small, y);
        let l1 = E[softplus(-D1(small, y))];
        let l2 = E[softplus(-D2(large, y))];
        player D1 minimizes { E[softplus(-D1(x.avg_pool(2), y))] + E[softplus(D1(small, y))] }
        player D2 minimizes { E[softplus(-D2(x, y))] + E[softplus(D2(large, y))] }
        player First updates G1 minimizes { l1 }
        player Second updates G2 minimizes { l2 }
        player Both updates (G1, G2) minimizes { l1 + l2 }
        train { D1, D2, First, Second, Both: adam(2e-4, beta1 = 0.5); }
        phase one: D1, First;
        phase joint: D1, D2, Both;
        phase paper: D2, Second;
        output sample(y) = G2(G1(z, y), y);
    }
}

gan! {
    /// Stage one with conditioning augmentation: G sees a draw, D the condition itself.
    pub model Augmented {
        data pair { x: [3], c: [2] }
        noise z: normal([2]);
        hyper lambda: f32 = 0.5;
        net Aug(c: [2]) -> ([3], [3]) { let h = c.dense(4).leaky_relu(0.2); (h.dense(3), h.dense(3)) }
        net G(z: [2], c: [3]) -> [3] { concat(z, c).dense(4).relu().dense(3).tanh() }
        net D(x: [3], c: [2]) -> [1] { concat(x, c).dense(4).leaky_relu(0.2).dense(1) }
        let (mu, s) = Aug(c);
        let fake = G(z, mu + exp(0.5 * s) * normal([3]));
        player D minimizes { E[softplus(-D(x, c))] + E[softplus(D(fake, c))] }
        player G updates (G, Aug) minimizes { E[softplus(-D(fake, c))] + lambda * E[kl_normal(mu, s)] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

/// Batch normalisation, in training or inference.
type Norm<'t> = fn(&Point<'t>, &str, &Array) -> Array;

fn first<'t>(t: &Point<'t>, y: &Array, norm: Norm<'t>) -> Array {
    let code = Array::concat(&[&t.normal(&[t.batch(), 3]), &t.embed("G1.embed_0", y)], 1);
    let h = t.dense("G1.dense_0", &code).reshape(&[t.batch(), 3, 2, 2]);
    t.conv_transpose("G1.conv_transpose_0", &norm(t, "G1.batch_norm_0", &h).relu(), 2, 1).tanh()
}

fn second<'t>(t: &Point<'t>, small: &Array, y: &Array, norm: Norm<'t>) -> Array {
    let seen = Array::concat(&[small, &t.embed("G2.embed_0", y).spread(&[4, 4])], 1);
    let mut h = t.conv("G2.conv_0", &seen, 1, 1).relu();
    for block in 0..2 {
        let inner = t.conv(&format!("G2.conv_{}", 2 * block + 1), &h, 1, 1);
        let inner = norm(t, &format!("G2.batch_norm_{block}"), &inner).relu();
        h = &h + t.conv(&format!("G2.conv_{}", 2 * block + 2), &inner, 1, 1);
    }
    t.conv_transpose("G2.conv_transpose_0", &h, 2, 1).tanh()
}

/// The score of a picture that is halved `halvings` times.
fn verdict(t: &Point<'_>, net: &str, halvings: usize, x: &Array, y: &Array) -> Array {
    let halve = |h: Array, i: usize| t.conv(&format!("{net}.conv_{i}"), &h, 2, 1).leaky_relu(0.2);
    let h = (0..halvings).fold(x.clone(), halve).flatten();
    let seen = Array::concat(&[&h, &t.embed(&format!("{net}.embed_0"), y)], 1);
    t.dense(&format!("{net}.dense_1"), &t.dense(&format!("{net}.dense_0"), &seen).leaky_relu(0.2))
}

#[test]
fn two_stages() {
    let system = System::of(&Stack::build(Config::new().batch(3)).expect("it builds"));
    let small = |t: &Point<'_>| first(t, &t.data("pair.y"), Point::batch_norm);
    let large = |t: &Point<'_>, small: &Array| second(t, small, &t.data("pair.y"), Point::batch_norm);
    let real = |t: &Point<'_>, net: &str, halvings: usize, x: &Array| {
        (-verdict(t, net, halvings, x, &t.data("pair.y"))).softplus().mean()
    };
    let fake = |t: &Point<'_>, net: &str, halvings: usize, x: &Array| {
        verdict(t, net, halvings, x, &t.data("pair.y")).softplus().mean()
    };
    system.loss("D1", |t| real(t, "D1", 1, &t.data("pair.x").avg_pool(2)) + fake(t, "D1", 1, &small(t)));
    system.loss("D2", |t| real(t, "D2", 2, &t.data("pair.x")) + fake(t, "D2", 2, &large(t, &small(t))));
    system.loss("First", |t| real(t, "D1", 1, &small(t)));
    system.loss("Second", |t| real(t, "D2", 2, &large(t, &small(t))));
    // One small picture is judged and refined: both terms see the same noise.
    system.loss("Both", |t| {
        let small = small(t);
        real(t, "D1", 1, &small) + real(t, "D2", 2, &large(t, &small))
    });
    system.output("sample", 0, |t| {
        let y = t.argument("y");
        second(t, &first(t, &y, Point::batch_norm_inference), &y, Point::batch_norm_inference)
    });
    system.audit();
}

#[test]
fn phases_move_their_stage() {
    let mut model = Stack::build(Config::new().batch(3).seed(1)).expect("it builds");
    let x = Tensor::from_fn(192, |i| (i as f32 * 0.7).sin()).reshape([3, 1, 8, 8]).expect("pictures");
    let y = Classes::new([3], 4, vec![0, 3, 1]).expect("classes");
    let batch = StackBatch { pair: StackPair { x, y } };
    let weights = |model: &Stack| ["G1", "G2", "D1", "D2"].map(|net| learnt(model, &format!("{net}.embed_0.weight")));
    let mut moved = |phase: StackPhase| {
        model.enter(phase);
        let before = weights(&model);
        model.step(std::slice::from_ref(&batch)).expect("a step");
        let after = weights(&model);
        let logged = model.metrics().expect("metrics");
        let logged = [logged.D1, logged.D2, logged.First, logged.Second, logged.Both].map(|v| v.is_some());
        ([0, 1, 2, 3].map(|i| before[i].values() != after[i].values()), logged)
    };
    // G1, G2, D1, D2; and the players that moved.
    assert_eq!(moved(StackPhase::one), ([true, false, true, false], [true, false, true, false, false]));
    assert_eq!(moved(StackPhase::joint), ([true; 4], [true, true, false, false, true]));
    assert_eq!(moved(StackPhase::paper), ([false, true, false, true], [false, true, false, true, false]));
}

#[test]
fn conditioning_augmentation() {
    let system = System::of(&Augmented::build(Config::new().batch(4)).expect("it builds"));
    let code = |t: &Point<'_>| {
        let h = t.dense("Aug.dense_0", &t.data("pair.c")).leaky_relu(0.2);
        (t.dense("Aug.dense_1", &h), t.dense("Aug.dense_2", &h))
    };
    let fake = |t: &Point<'_>| {
        let (mu, s) = code(t);
        let z = t.normal(&[t.batch(), 2]);
        let drawn = &mu + (s * 0.5).exp() * t.normal(mu.shape());
        t.dense("G.dense_1", &t.dense("G.dense_0", &Array::concat(&[&z, &drawn], 1)).relu()).tanh()
    };
    let score = |t: &Point<'_>, x: &Array| {
        t.dense("D.dense_1", &t.dense("D.dense_0", &Array::concat(&[x, &t.data("pair.c")], 1)).leaky_relu(0.2))
    };
    system.loss("D", |t| (-score(t, &t.data("pair.x"))).softplus().mean() + score(t, &fake(t)).softplus().mean());
    system.loss("G", |t| {
        let adversarial = (-score(t, &fake(t))).softplus().mean();
        let (mu, s) = code(t);
        adversarial + t.hyper("lambda") * kl_normal(&mu, &s).mean()
    });
    system.audit();
}
