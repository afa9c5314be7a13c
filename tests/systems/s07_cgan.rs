//! 7. Conditional GAN that is taught with mismatched pairs (Mirza and Osindero 2014; Reed et al. 2016).
//!
//! Design A: one score on condition and picture. Design B: one trunk, a head for realism and a head for the match.

use crate::harness::{Array, Point, System};
use saddlepoint::prelude::*;

gan! {
    /// Design A: matched pairs are real, generated and mismatched ones are not, each half.
    pub model OneScore {
        data  pair { x: [3], y: class(4) }
        noise z: normal([2]);
        net G(z: [2], y: class(4)) -> [3] { concat(z, y.one_hot()).dense(5).tanh().dense(3) }
        net D(x: [3], y: class(4)) -> [1] { concat(x, y.one_hot()).dense(6).leaky_relu(0.2).dense(1) }
        let fake = G(z, y);
        let wrong = other_class(y);
        player D minimizes {
            E[softplus(-D(x, y))] + 0.5 * E[softplus(D(fake, y))] + 0.5 * E[softplus(D(x, wrong))]
        }
        player G minimizes { E[softplus(-D(fake, y))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        metric mismatched = E[wrong != y];
        output sample(y) = G(z, y);
    }
}

gan! {
    /// Design B, on pictures.
    pub model TwoHeads {
        data pair { x: [1, 8, 8], y: class(4) }
        noise z: normal([3]);
        net G(z: [3], y: class(4)) -> [1, 8, 8] {
            concat(z, y.one_hot()).dense(3 * 2 * 2).reshape([3, 2, 2]).batch_norm().relu()
                .conv_transpose(2, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Trunk(x: [1, 8, 8]) -> [5] {
            x.repeat([2, 3], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).flatten().dense(5).relu()
        }
        net Real(h: [5]) -> [1] { h.dense(1) }
        net Match(h: [5], y: class(4)) -> [1] { concat(h, y.embed(3)).dense(4).relu().dense(1) }
        let (real, fake) = (Trunk(x), Trunk(G(z, y)));
        player D updates (Trunk, Real, Match) minimizes {
            E[softplus(-Real(real))] + E[softplus(Real(fake))]
                + E[softplus(-Match(real, y))] + E[softplus(Match(real, other_class(y)))]
        }
        player G minimizes { E[softplus(-Real(fake))] + E[softplus(-Match(fake, y))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        output sample(y) = G(z, y);
    }
}

#[test]
fn one_score_on_the_pair() {
    let made = |t: &Point<'_>, y: &Array| {
        let z = t.normal(&[t.batch(), 2]);
        t.dense("G.dense_1", &t.dense("G.dense_0", &Array::concat(&[&z, &y.one_hot(4)], 1)).tanh())
    };
    let score = |t: &Point<'_>, x: &Array, y: &Array| {
        t.dense("D.dense_1", &t.dense("D.dense_0", &Array::concat(&[x, &y.one_hot(4)], 1)).leaky_relu(0.2))
    };
    let system = System::of(&OneScore::build(Config::new().batch(4)).expect("it builds"));
    system.loss("D", |t| {
        let (x, y) = (t.data("pair.x"), t.data("pair.y"));
        let fake = made(t, &y);
        // A matched pair counts once; of the two kinds of wrong pairs each counts half.
        let right = (-score(t, &x, &y)).softplus().mean();
        let wrong = [score(t, &fake, &y), score(t, &x, &t.other_class(&y, 4))];
        right + wrong.iter().map(|v| 0.5 * v.softplus().mean()).sum::<f64>()
    });
    system.loss("G", |t| {
        let y = t.data("pair.y");
        let fake = made(t, &y);
        (-score(t, &fake, &y)).softplus().mean()
    });
    system.metric("mismatched", |_| 1.0);
    system.output("sample", 0, |t| made(t, &t.argument("y")));
    system.audit();
}

/// A picture from noise; `norm` is batch normalisation in training or inference.
fn generator(t: &Point<'_>, y: &Array, norm: impl Fn(&str, &Array) -> Array) -> Array {
    let b = t.batch();
    let code = Array::concat(&[&t.normal(&[b, 3]), &y.one_hot(4)], 1);
    let h = norm("G.batch_norm_0", &t.dense("G.dense_0", &code).reshape(&[b, 3, 2, 2])).relu();
    let h = norm("G.batch_norm_1", &t.conv_transpose("G.conv_transpose_0", &h, 2, 1)).relu();
    t.conv_transpose("G.conv_transpose_1", &h, 2, 1).tanh()
}

fn trunk(t: &Point<'_>, x: &Array) -> Array {
    let h = t.conv("Trunk.conv_0", x, 2, 1).leaky_relu(0.2);
    t.dense("Trunk.dense_0", &t.conv("Trunk.conv_1", &h, 2, 1).leaky_relu(0.2).flatten()).relu()
}

/// How well a picture's features go with a class.
fn matching(t: &Point<'_>, h: &Array, y: &Array) -> Array {
    let pair = Array::concat(&[h, &t.embed("Match.embed_0", y)], 1);
    t.dense("Match.dense_1", &t.dense("Match.dense_0", &pair).relu())
}

#[test]
fn one_trunk_and_two_heads() {
    let system = System::of(&TwoHeads::build(Config::new().batch(3)).expect("it builds"));
    system.loss("D", |t| {
        let y = t.data("pair.y");
        let real = trunk(t, &t.data("pair.x"));
        let fake = trunk(t, &generator(t, &y, |layer, h| t.batch_norm(layer, h)));
        let realism = (-t.dense("Real.dense_0", &real)).softplus().mean() + t.dense("Real.dense_0", &fake).softplus().mean();
        let other = t.other_class(&y, 4);
        realism + (-matching(t, &real, &y)).softplus().mean() + matching(t, &real, &other).softplus().mean()
    });
    system.loss("G", |t| {
        let y = t.data("pair.y");
        let fake = trunk(t, &generator(t, &y, |layer, h| t.batch_norm(layer, h)));
        (-t.dense("Real.dense_0", &fake)).softplus().mean() + (-matching(t, &fake, &y)).softplus().mean()
    });
    system.output("sample", 0, |t| generator(t, &t.argument("y"), |layer, h| t.batch_norm_inference(layer, h)));
    system.audit();
}
