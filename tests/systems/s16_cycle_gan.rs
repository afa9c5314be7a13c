//! 16. CycleGAN (Zhu et al. 2017, equations 1-3; least-squares critics; section 5.2 for the identity term).
//!
//! Two maps between domains without pairs, in one step together, then each critic, which sees a pool of earlier translations.

use crate::harness::{Array, Point, System, instance_norm};
use saddlepoint::prelude::*;

gan! {
    /// Residual maps and critics of patches, on pictures of 4 by 4.
    pub model Cycle {
        data a: [2, 4, 4];
        data b: [2, 4, 4];
        fn mapper(x) {
            x.conv(3, kernel = 3, pad = 1).instance_norm().relu()
                .conv(4, kernel = 4, stride = 2, pad = 1).instance_norm().relu()
                .repeat(2, |h| h + h.conv(4, kernel = 3, pad = 1).instance_norm().relu().conv(4, kernel = 3, pad = 1).instance_norm())
                .conv_transpose(3, kernel = 4, stride = 2, pad = 1).instance_norm().relu()
                .conv(2, kernel = 3, pad = 1).tanh()
        }
        fn critic(x) {
            x.repeat([3, 4], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).conv(1, kernel = 3, pad = 1)
        }
        net GAB(x: [2, 4, 4]) -> [2, 4, 4] { mapper(x) }
        net GBA(x: [2, 4, 4]) -> [2, 4, 4] { mapper(x) }
        net DA(x: [2, 4, 4]) -> [1, 1, 1] { critic(x) }
        net DB(x: [2, 4, 4]) -> [1, 1, 1] { critic(x) }
        hyper identity: f32 = 5.0;
        let (fa, fb) = (GBA(b), GAB(a));
        fn lsgan(real, fake) { 0.5 * E[square(real - 1.0)] + 0.5 * E[square(fake)] }
        player Maps updates (GAB, GBA) minimizes {
            0.5 * E[square(DB(fb) - 1.0)] + 0.5 * E[square(DA(fa) - 1.0)]
                + 10.0 * (E[abs(GBA(fb) - a)] + E[abs(GAB(fa) - b)])
                + identity * (E[abs(GAB(b) - b)] + E[abs(GBA(a) - a)])
        }
        player DA minimizes { lsgan(DA(a), DA(replay(fa, 5))) }
        player DB minimizes { lsgan(DB(b), DB(replay(fb, 5))) }
        train { Maps, DA, DB: adam(2e-4, beta1 = 0.5); }
        output to_b(a) = GAB(a);
        output to_a(b) = GBA(b);
    }
}

fn mapper(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let conv = |i: usize, x: &Array, stride| {
        let pad = 1;
        instance_norm(&t.conv(&format!("{net}.conv_{i}"), x, stride, pad))
    };
    let mut h = conv(1, &conv(0, x, 1).relu(), 2).relu();
    for block in 0..2 {
        h = &h + conv(3 + 2 * block, &conv(2 + 2 * block, &h, 1).relu(), 1);
    }
    let large = instance_norm(&t.conv_transpose(&format!("{net}.conv_transpose_0"), &h, 2, 1)).relu();
    t.conv(&format!("{net}.conv_6"), &large, 1, 1).tanh()
}

fn critic(t: &Point<'_>, net: &str, x: &Array) -> Array {
    let h = t.conv(&format!("{net}.conv_0"), x, 2, 1).leaky_relu(0.2);
    t.conv(&format!("{net}.conv_2"), &t.conv(&format!("{net}.conv_1"), &h, 2, 1).leaky_relu(0.2), 1, 1)
}

fn against(t: &Point<'_>, net: &str, real: &Array, fake: &Array) -> f64 {
    0.5 * (critic(t, net, real) - 1.0).square().mean() + 0.5 * critic(t, net, fake).square().mean()
}

#[test]
fn maps_and_critics() {
    let system = System::of(&Cycle::build(Config::new().batch(2)).expect("it builds"));
    system.loss("Maps", |t| {
        let (a, b) = (t.data("a"), t.data("b"));
        let (fa, fb) = (mapper(t, "GBA", &b), mapper(t, "GAB", &a));
        let fooled = (critic(t, "DB", &fb) - 1.0).square().mean() + (critic(t, "DA", &fa) - 1.0).square().mean();
        let cycle = (mapper(t, "GBA", &fb) - &a).abs().mean() + (mapper(t, "GAB", &fa) - &b).abs().mean();
        let kept = (mapper(t, "GAB", &b) - &b).abs().mean() + (mapper(t, "GBA", &a) - &a).abs().mean();
        0.5 * fooled + 10.0 * cycle + t.hyper("identity") * kept
    });
    system.loss("DA", |t| {
        let earlier = t.replay("replay.player.DA.0", &mapper(t, "GBA", &t.data("b")));
        against(t, "DA", &t.data("a"), &earlier)
    });
    system.loss("DB", |t| {
        let earlier = t.replay("replay.player.DB.0", &mapper(t, "GAB", &t.data("a")));
        against(t, "DB", &t.data("b"), &earlier)
    });
    system.output("to_b", 0, |t| mapper(t, "GAB", &t.argument("a")));
    system.audit();
}

#[test]
fn critics_see_earlier_translations() {
    let mut model = Cycle::build(Config::new().batch(2).seed(3)).expect("it builds");
    let picture = |phase: f32| {
        let values = (0..64).map(|i| (phase + i as f32 * 0.37).sin()).collect();
        Tensor::new([2, 2, 4, 4], values).expect("two pictures")
    };
    let pool = |model: &Cycle| model.parameter("replay.player.DA.0.samples").expect("a pool").as_slice().to_vec();
    let mut before = pool(&model);
    assert!(before.iter().all(|v| *v == 0.0));
    let mut kept = 0;
    for step in 0..8 {
        model.step(&[CycleBatch { a: picture(step as f32), b: picture(0.5 + step as f32) }]).expect("a step");
        let after = pool(&model);
        let slot = |pool: &[f32], i: usize| pool[i * 32..(i + 1) * 32].to_vec();
        // While it fills, what is there stays; then some are exchanged and some stay.
        kept +=
            (0..5).filter(|i| slot(&before, *i) == slot(&after, *i) && slot(&after, *i).iter().any(|v| *v != 0.0)).count();
        before = after;
    }
    assert!(before.iter().all(|v| v.abs() < 1.0) && before.chunks(32).all(|slot| slot.iter().any(|v| *v != 0.0)));
    assert!((12..40).contains(&kept), "slots that stayed as they were: {kept}");
}
