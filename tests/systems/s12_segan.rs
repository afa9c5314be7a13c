//! System 12. SEGAN, speech enhancement (Pascual, Bonafonte and Serrà 2017): a U-Net of strided one-dimensional convolutions
//! with skips and a noise tensor at its bottleneck, least-squares scores of (signal, noisy signal), and an L1 term whose
//! weight is warmed up. The paper's virtual batch normalisation is an instance normalisation here, which needs no reference
//! batch.

use crate::harness::{Array, Point, System, instance_norm, waves};
use saddlepoint::prelude::*;

gan! {
    /// Kernels of 5 in place of 31; three levels in place of eleven.
    pub model Segan {
        data pair { clean: [1, 32], noisy: [1, 32] }
        noise z: normal([4, 4]);
        hyper lambda: f32 = 100.0 * min(1.0, 10.0 * progress);
        fn down(x, n) { x.conv(n, kernel = 5, stride = 2, pad = 2) }
        fn up(x, skip, n) { concat(x.conv_transpose(n, kernel = 6, stride = 2, pad = 2).prelu(), skip) }
        net G(x: [1, 32], z: [4, 4]) -> [1, 32] {
            let e1 = down(x, 2).prelu();
            let e2 = down(e1, 3).prelu();
            let code = concat(down(e2, 4).prelu(), z);
            up(up(code, e2, 3), e1, 2).conv_transpose(1, kernel = 6, stride = 2, pad = 2).tanh()
        }
        net D(x: [1, 32], noisy: [1, 32]) -> [1] {
            concat(x, noisy).repeat([2, 3, 3], |h, n| down(h, n).instance_norm().leaky_relu(0.3))
                .conv(1, kernel = 1).flatten().dense(1)
        }
        let fake = G(noisy, z);
        player D minimizes { 0.5 * E[square(D(clean, noisy) - 1.0)] + 0.5 * E[square(D(fake, noisy))] }
        player G minimizes { 0.5 * E[square(D(fake, noisy) - 1.0)] + lambda * E[abs(fake - clean)] }
        train { D, G: rmsprop(2e-4); }
        output enhance(noisy) = G(noisy, z);
    }
}

fn generator(t: &Point<'_>, noisy: &Array) -> Array {
    let down = |level: usize, x: &Array| t.prelu(&format!("G.prelu_{level}"), &t.conv(&format!("G.conv_{level}"), x, 2, 2));
    let up = |level: usize, x: &Array, skip: &Array| {
        let h = t.conv_transpose(&format!("G.conv_transpose_{level}"), x, 2, 2);
        Array::concat(&[&t.prelu(&format!("G.prelu_{}", 3 + level), &h), skip], 1)
    };
    let e1 = down(0, noisy);
    let e2 = down(1, &e1);
    let code = Array::concat(&[&down(2, &e2), &t.normal(&[t.batch(), 4, 4])], 1);
    t.conv_transpose("G.conv_transpose_2", &up(1, &up(0, &code, &e2), &e1), 2, 2).tanh()
}

fn score(t: &Point<'_>, x: &Array, noisy: &Array) -> Array {
    let both = Array::concat(&[x, noisy], 1);
    let h = (0..3).fold(both, |h, i| instance_norm(&t.conv(&format!("D.conv_{i}"), &h, 2, 2)).leaky_relu(0.3));
    t.dense("D.dense_0", &t.conv("D.conv_3", &h, 1, 0).flatten())
}

#[test]
fn enhancement_of_signals() {
    let system = System::of(&Segan::build(Config::new().batch(2)).expect("it builds"));
    system.loss("D", |t| {
        let (clean, noisy) = (t.data("pair.clean"), t.data("pair.noisy"));
        let real = (score(t, &clean, &noisy) - 1.0).square().mean();
        0.5 * real + 0.5 * score(t, &generator(t, &noisy), &noisy).square().mean()
    });
    system.loss("G", |t| {
        let (clean, noisy) = (t.data("pair.clean"), t.data("pair.noisy"));
        let fake = generator(t, &noisy);
        0.5 * (score(t, &fake, &noisy) - 1.0).square().mean() + 100.0 * (fake - clean).abs().mean()
    });
    system.output("enhance", 0, |t| generator(t, &t.argument("noisy")));
    system.audit();
}

#[test]
fn the_distance_to_the_clean_signal_is_warmed_up() {
    let mut model = Segan::build(Config::new().batch(2).horizon(40)).expect("it builds");
    let pair = SeganPair { clean: waves(&[2, 1, 32], 0.0), noisy: waves(&[2, 1, 32], 0.3) };
    let batch = [SeganBatch { pair }];
    for step in 0..6 {
        let wanted = 25.0 * (step as f32).min(4.0);
        assert!((model.lambda() - wanted).abs() < 1e-3, "{} instead of {wanted} at step {step}", model.lambda());
        model.step(&batch).expect("a step");
    }
}
