//! System 17. StarGAN (Choi et al. 2018): one map for all domains, which reads its target as a class tiled onto the picture,
//! and one critic with two heads: a gradient-penalised score of patches and the domain. Real pictures teach the domain head,
//! fakes the map; the way back to the picture's own domain closes a cycle.

use crate::harness::{Array, Point, System, instance_norm, slope};
use saddlepoint::prelude::*;

gan! {
    /// Three domains.
    pub model Star {
        data face { x: [2, 8, 8], c0: class(3) }
        noise c: categorical(3);
        net G(x: [2, 8, 8], c: class(3)) -> [2, 8, 8] {
            concat(x, c.one_hot().spread([8, 8])).conv(3, kernel = 4, stride = 2, pad = 1).instance_norm().relu()
                .repeat(2, |h| h + h.conv(3, kernel = 3, pad = 1).instance_norm().relu().conv(3, kernel = 3, pad = 1))
                .conv_transpose(2, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [2, 8, 8]) -> ([1, 2, 2], [3]) {
            let h = x.repeat([3, 4], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2));
            (h.conv(1, kernel = 3, pad = 1), h.flatten().dense(3))
        }
        let fake = G(x, c);
        let mid = mix(x, fake, uniform([1]));
        let (score, class) = D(x);
        let (fake_score, fake_class) = D(fake);
        player D minimizes {
            E[fake_score] - E[score] + 10.0 * E[square(grad(D(mid).0.mean(), mid).norm() - 1.0)]
                + E[cross_entropy(class, c0)]
        }
        player G minimizes { -E[fake_score] + E[cross_entropy(fake_class, c)] + 10.0 * E[abs(x - G(fake, c0))] }
        train { D: adam(1e-4, beta1 = 0.5), steps = 5; G: adam(1e-4, beta1 = 0.5); }
        metric named = E[argmax(D(x).1) == c0];
        output translate(x, c) = G(x, c);
    }
}

fn map(t: &Point<'_>, x: &Array, c: &Array) -> Array {
    let both = Array::concat(&[x, &c.one_hot(3).spread(&[8, 8])], 1);
    let mut h = instance_norm(&t.conv("G.conv_0", &both, 2, 1)).relu();
    for first in [1, 3] {
        let inner = instance_norm(&t.conv(&format!("G.conv_{first}"), &h, 1, 1)).relu();
        h = &h + t.conv(&format!("G.conv_{}", first + 1), &inner, 1, 1);
    }
    t.conv_transpose("G.conv_transpose_0", &h, 2, 1).tanh()
}

/// Scores of patches, and logits of the domains.
fn critic(t: &Point<'_>, x: &Array) -> (Array, Array) {
    let h = (0..2).fold(x.clone(), |h, i| t.conv(&format!("D.conv_{i}"), &h, 2, 1).leaky_relu(0.2));
    (t.conv("D.conv_2", &h, 1, 1), t.dense("D.dense_0", &h.flatten()))
}

#[test]
fn one_map_for_all_domains() {
    let system = System::of(&Star::build(Config::new().batch(2)).expect("it builds"));
    system.loss("D", |t| {
        let (x, c0, c) = (t.data("face.x"), t.data("face.c0"), t.categorical(3, &[t.batch()]));
        let fake = map(t, &x, &c);
        // One number a sample, not one a pixel.
        let eps = t.uniform(&[t.batch(), 1, 1, 1]);
        let mid = &eps * &x + (1.0 - &eps) * &fake;
        let slope = slope(&mid, |mid| critic(t, mid).0.mean_each().sum());
        let (score, class) = critic(t, &x);
        critic(t, &fake).0.mean() - score.mean()
            + 10.0 * (slope.norm_each() - 1.0).square().mean()
            + class.cross_entropy(&c0).mean()
    });
    system.loss("G", |t| {
        let (x, c0, c) = (t.data("face.x"), t.data("face.c0"), t.categorical(3, &[t.batch()]));
        let fake = map(t, &x, &c);
        let (score, class) = critic(t, &fake);
        let back = map(t, &fake, &c0);
        -score.mean() + class.cross_entropy(&c).mean() + 10.0 * (x - back).abs().mean()
    });
    system.metric("named", |t| critic(t, &t.data("face.x")).1.argmax().equals(&t.data("face.c0")).mean());
    system.output("translate", 0, |t| map(t, &t.argument("x"), &t.argument("c")));
    system.audit();
}
