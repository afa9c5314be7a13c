//! 19. Voice conversion without parallel speech (CycleGAN-VC, Kaneko and Kameoka 2018).
//!
//! A CycleGAN over sequences of mel-cepstra whose maps and critics are gated 1-D convolutions; an identity term while the maps are
//! young; the logarithm of F0 by an affine map.

use crate::harness::{Array, Point, System, instance_norm};
use saddlepoint::prelude::*;

gan! {
    /// Four cepstra in eight frames; the logarithm of the fundamental frequency is converted beside them.
    pub model Voices {
        data a: [4, 8];
        data b: [4, 8];
        const MEAN_A: f32 = 5.1;
        const DEVIATION_A: f32 = 0.25;
        const MEAN_B: f32 = 4.6;
        const DEVIATION_B: f32 = 0.2;
        fn gated(h, n, s) { concat(h.conv(n, kernel = 3, stride = s, pad = 1).instance_norm(), h.conv(n, kernel = 3, stride = s, pad = 1).instance_norm()).glu() }
        fn mapper(x) {
            let down = gated(x.conv(8, kernel = 5, pad = 2).glu(), 4, 2);
            let deep = down.repeat(2, |h| h + gated(h, 4, 1).conv(4, kernel = 3, pad = 1).instance_norm());
            deep.conv(8, kernel = 3, pad = 1).pixel_shuffle(2).instance_norm().conv(4, kernel = 5, pad = 2)
        }
        fn critic(x) { gated(x.conv(4, kernel = 3, pad = 1).glu(), 4, 2).conv(1, kernel = 1).mean().reshape([1]).sigmoid() }
        net GAB(x: [4, 8]) -> [4, 8] { mapper(x) }
        net GBA(x: [4, 8]) -> [4, 8] { mapper(x) }
        net DA(x: [4, 8]) -> [1] { critic(x) }
        net DB(x: [4, 8]) -> [1] { critic(x) }
        hyper identity: f32 = 5.0 * (progress < 0.34) + 0.5;
        let (fa, fb) = (GBA(b), GAB(a));
        player Maps updates (GAB, GBA) minimizes {
            E[square(DB(fb) - 1.0)] + E[square(DA(fa) - 1.0)]
                + 10.0 * (E[abs(GBA(fb) - a)] + E[abs(GAB(fa) - b)])
                + identity * (E[abs(GAB(b) - b)] + E[abs(GBA(a) - a)])
        }
        player DA minimizes { E[square(DA(a) - 1.0)] + E[square(DA(fa))] }
        player DB minimizes { E[square(DB(b) - 1.0)] + E[square(DB(replay(fb, 4)))] }
        train { Maps: adam(2e-4, beta1 = 0.5); DA, DB: adam(1e-4, beta1 = 0.5); }
        output convert(x: [4, 8], f0: [8]) = (GAB(x), (f0 - MEAN_A) / DEVIATION_A * DEVIATION_B + MEAN_B);
    }
}

/// a·σ(b) of the two halves of the channels.
fn glu(x: &Array) -> Array {
    let half = x.shape()[1] / 2;
    x.slice(1, 0, half) * x.slice(1, half, 2 * half).sigmoid()
}

/// Layers of a net, taken in order.
struct Layers<'p> {
    t: &'p Point<'p>,
    net: &'static str,
    next: usize,
}

impl Layers<'_> {
    fn conv(&mut self, x: &Array, stride: usize, pad: usize) -> Array {
        self.next += 1;
        self.t.conv(&format!("{}.conv_{}", self.net, self.next - 1), x, stride, pad)
    }

    fn gated(&mut self, x: &Array, stride: usize) -> Array {
        let (value, gate) = (self.conv(x, stride, 1), self.conv(x, stride, 1));
        instance_norm(&value) * instance_norm(&gate).sigmoid()
    }
}

/// Two channels become one of twice the length, whose places alternate between them.
fn shuffled(x: &Array) -> Array {
    let [batch, channels, length] = [0, 1, 2].map(|a| x.shape()[a]);
    let mut values = Vec::new();
    for sample in 0..batch {
        for channel in 0..channels / 2 {
            for place in 0..2 * length {
                values.push(x.values()[(sample * channels + 2 * channel + place % 2) * length + place / 2]);
            }
        }
    }
    Array::new(&[batch, channels / 2, 2 * length], values)
}

fn mapper(t: &Point<'_>, net: &'static str, x: &Array) -> Array {
    let mut layers = Layers { t, net, next: 0 };
    let first = glu(&layers.conv(x, 1, 2));
    let mut h = layers.gated(&first, 2);
    for _ in 0..2 {
        let gated = layers.gated(&h, 1);
        h = &h + instance_norm(&layers.conv(&gated, 1, 1));
    }
    let large = instance_norm(&shuffled(&layers.conv(&h, 1, 1)));
    layers.conv(&large, 1, 2)
}

fn critic(t: &Point<'_>, net: &'static str, x: &Array) -> Array {
    let mut layers = Layers { t, net, next: 0 };
    let first = glu(&layers.conv(x, 1, 1));
    let h = layers.gated(&first, 2);
    layers.conv(&h, 1, 0).mean_each().sigmoid()
}

fn judged(t: &Point<'_>, net: &'static str, real: &Array, fake: &Array) -> f64 {
    (critic(t, net, real) - 1.0).square().mean() + critic(t, net, fake).square().mean()
}

#[test]
fn two_speakers() {
    let system = System::of(&Voices::build(Config::new().batch(2)).expect("it builds"));
    system.loss("Maps", |t| {
        let (a, b) = (t.data("a"), t.data("b"));
        let (fa, fb) = (mapper(t, "GBA", &b), mapper(t, "GAB", &a));
        let fooled = (critic(t, "DB", &fb) - 1.0).square().mean() + (critic(t, "DA", &fa) - 1.0).square().mean();
        let cycle = (mapper(t, "GBA", &fb) - &a).abs().mean() + (mapper(t, "GAB", &fa) - &b).abs().mean();
        let kept = (mapper(t, "GAB", &b) - &b).abs().mean() + (mapper(t, "GBA", &a) - &a).abs().mean();
        fooled + 10.0 * cycle + t.hyper("identity") * kept
    });
    system.loss("DA", |t| judged(t, "DA", &t.data("a"), &mapper(t, "GBA", &t.data("b"))));
    system.loss("DB", |t| {
        let earlier = t.replay("replay.player.DB.0", &mapper(t, "GAB", &t.data("a")));
        judged(t, "DB", &t.data("b"), &earlier)
    });
    system.output("convert", 0, |t| mapper(t, "GAB", &t.argument("x")));
    system.output("convert", 1, |t| (t.argument("f0") - 5.1) / 0.25 * 0.2 + 4.6);
    system.audit();
}

#[test]
fn the_identity_term_fades() {
    let mut model = Voices::build(Config::new().batch(2).horizon(10)).expect("it builds");
    let batch = || {
        let cepstra = || Tensor::new([2, 4, 8], (0..64).map(|i| (i as f32).sin()).collect()).expect("frames");
        VoicesBatch { a: cepstra(), b: cepstra() }
    };
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(model.identity());
        model.step(&[batch()]).expect("a step");
    }
    assert_eq!(seen, [5.5, 5.5, 5.5, 5.5, 0.5, 0.5]);
}
