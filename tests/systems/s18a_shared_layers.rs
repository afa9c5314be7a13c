//! System 18a. A common space of two domains by shared layers (coupled GANs, Liu and Tuzel 2016; UNIT, Liu, Breuel and Kautz
//! 2017): variational autoencoders of both domains whose last encoder layers and first decoder layers are one, with a
//! discriminator a domain. The variant with a tag has one encoder and one decoder, which are told the domain by a class.

use crate::harness::{Array, Point, System, kl_normal, waves};
use saddlepoint::prelude::*;

gan! {
    /// `Code` and `Open` are the tied layers: nets called from both domains.
    pub model Tied {
        data a: [1, 4, 4];
        data b: [1, 4, 4];
        fn down(x) { x.conv(2, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2) }
        fn up(h) { h.conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh() }
        net EA(x: [1, 4, 4]) -> [2, 2, 2] { down(x) }
        net EB(x: [1, 4, 4]) -> [2, 2, 2] { down(x) }
        net Code(h: [2, 2, 2]) -> ([3], [3]) { let h = h.flatten().dense(5).relu(); (h.dense(3), h.dense(3)) }
        net Open(z: [3]) -> [2, 2, 2] { z.dense(8).relu().reshape([2, 2, 2]) }
        net GA(h: [2, 2, 2]) -> [1, 4, 4] { up(h) }
        net GB(h: [2, 2, 2]) -> [1, 4, 4] { up(h) }
        net DA(x: [1, 4, 4]) -> [1] { down(x).flatten().dense(1) }
        net DB(x: [1, 4, 4]) -> [1] { down(x).flatten().dense(1) }
        let ((ma, sa), (mb, sb)) = (Code(EA(a)), Code(EB(b)));
        let (za, zb) = (ma + exp(0.5 * sa) * normal([3]), mb + exp(0.5 * sb) * normal([3]));
        let (ra, rb) = (GA(Open(za)), GB(Open(zb)));
        player DA minimizes { E[softplus(-DA(a))] + E[softplus(DA(ra))] }
        player DB minimizes { E[softplus(-DB(b))] + E[softplus(DB(rb))] }
        player Coders updates (EA, EB, Code, Open, GA, GB) minimizes {
            E[square(ra - a).sum()] + E[square(rb - b).sum()] + E[kl_normal(ma, sa)] + E[kl_normal(mb, sb)]
                + E[softplus(-DA(ra))] + E[softplus(-DB(rb))]
        }
        train { DA, DB, Coders: adam(2e-4, beta1 = 0.5); }
        output to_b(a) = GB(Open(Code(EA(a)).0));
        output to_a(b) = GA(Open(Code(EB(b)).0));
    }
}

gan! {
    /// One encoder and one decoder for both domains.
    pub model Tagged {
        data a: [4];
        data b: [4];
        const A: usize = 0;
        const B: usize = 1;
        net Enc(x: [4], tag: class(2)) -> ([3], [3]) {
            let h = concat(x, tag.one_hot()).dense(5).tanh();
            (h.dense(3), h.dense(3))
        }
        net Dec(z: [3], tag: class(2)) -> [4] { concat(z, tag.embed(2)).dense(5).tanh().dense(4) }
        net DA(x: [4]) -> [1] { x.dense(4).leaky_relu(0.2).dense(1) }
        net DB(x: [4]) -> [1] { x.dense(4).leaky_relu(0.2).dense(1) }
        fn coded(m, s) { m + exp(0.5 * s) * normal([3]) }
        let ((ma, sa), (mb, sb)) = (Enc(a, label(A, 2)), Enc(b, label(B, 2)));
        let (ra, rb) = (Dec(coded(ma, sa), label(A, 2)), Dec(coded(mb, sb), label(B, 2)));
        player DA minimizes { E[softplus(-DA(a))] + E[softplus(DA(ra))] }
        player DB minimizes { E[softplus(-DB(b))] + E[softplus(DB(rb))] }
        player Coder updates (Enc, Dec) minimizes {
            E[square(ra - a).sum()] + E[square(rb - b).sum()] + E[kl_normal(ma, sa)] + E[kl_normal(mb, sb)]
                + E[softplus(-DA(ra))] + E[softplus(-DB(rb))]
        }
        train { DA, DB, Coder: adam(1e-2, beta1 = 0.5); }
        output to_b(a) = Dec(Enc(a, label(A, 2)).0, label(B, 2));
        output kept(a) = Dec(Enc(a, label(A, 2)).0, label(A, 2));
    }
}

fn down(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.conv(&format!("{net}.conv_0"), x, 2, 1).leaky_relu(0.2)
}

fn logit(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_0"), &down(t, net, x).flatten())
}

/// Mean and log variance.
fn code(t: &Point<'_>, encoder: &str, x: &Array) -> (Array, Array) {
    let h = t.dense("Code.dense_0", &down(t, encoder, x).flatten()).relu();
    (t.dense("Code.dense_1", &h), t.dense("Code.dense_2", &h))
}

fn opened(t: &Point<'_>, decoder: &str, z: &Array) -> Array {
    let h = t.dense("Open.dense_0", z).relu().reshape(&[z.shape()[0], 2, 2, 2]);
    t.conv_transpose(&format!("{decoder}.conv_transpose_0"), &h, 2, 1).tanh()
}

fn drawn(t: &Point<'_>, (m, s): &(Array, Array)) -> Array {
    m + (s * 0.5).exp() * t.normal(m.shape())
}

/// The codes' distributions and draws of both domains: one `let` of the model makes both, whoever needs one of them.
fn codes(t: &Point<'_>, code: impl Fn(usize) -> (Array, Array)) -> [((Array, Array), Array); 2] {
    [code(0), code(1)].map(|code| {
        let z = drawn(t, &code);
        (code, z)
    })
}

fn critic(real: &Array, fake: &Array) -> f64 {
    (-real).softplus().mean() + fake.softplus().mean()
}

/// What one domain adds to the coders' objective: distance, divergence of the code, adversary.
fn autoencoder(x: &Array, (m, s): &(Array, Array), rec: &Array, score: &Array) -> f64 {
    let distance = (x - rec).square().sum_each() + kl_normal(m, s);
    distance.mean() + (-score).softplus().mean()
}

#[test]
fn tied_layers() {
    let system = System::of(&Tied::build(Config::new().batch(3)).expect("it builds"));
    let both = |t: &Point<'_>| codes(t, |i| code(t, ["EA", "EB"][i], &t.data(["a", "b"][i])));
    for (i, (player, field, decoder)) in [("DA", "a", "GA"), ("DB", "b", "GB")].into_iter().enumerate() {
        system.loss(player, |t| {
            critic(&logit(t, player, &t.data(field)), &logit(t, player, &opened(t, decoder, &both(t)[i].1)))
        });
    }
    system.loss("Coders", |t| {
        let parts =
            both(t).into_iter().zip([("a", "GA", "DA"), ("b", "GB", "DB")]).map(|((code, z), (field, decoder, judge))| {
                let rec = opened(t, decoder, &z);
                autoencoder(&t.data(field), &code, &rec, &logit(t, judge, &rec))
            });
        parts.sum()
    });
    system.output("to_b", 0, |t| opened(t, "GB", &code(t, "EA", &t.argument("a")).0));
    system.output("to_a", 0, |t| opened(t, "GA", &code(t, "EB", &t.argument("b")).0));
    system.audit();
}

fn tagged(t: &Point<'_>, x: &Array, tag: f64) -> (Array, Array) {
    let tag = Array::full(&[x.shape()[0]], tag).one_hot(2);
    let h = t.dense("Enc.dense_0", &Array::concat(&[x, &tag], 1)).tanh();
    (t.dense("Enc.dense_1", &h), t.dense("Enc.dense_2", &h))
}

fn untagged(t: &Point<'_>, z: &Array, tag: f64) -> Array {
    let tag = t.embed("Dec.embed_0", &Array::full(&[z.shape()[0]], tag));
    t.dense("Dec.dense_1", &t.dense("Dec.dense_0", &Array::concat(&[z, &tag], 1)).tanh())
}

fn mlp_logit(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_1"), &t.dense(&format!("{net}.dense_0"), x).leaky_relu(0.2))
}

#[test]
fn one_encoder_and_a_tag() {
    let system = System::of(&Tagged::build(Config::new().batch(3)).expect("it builds"));
    let both = |t: &Point<'_>| codes(t, |i| tagged(t, &t.data(["a", "b"][i]), i as f64));
    for (i, (player, field)) in [("DA", "a"), ("DB", "b")].into_iter().enumerate() {
        system.loss(player, |t| {
            let rec = untagged(t, &both(t)[i].1, i as f64);
            critic(&mlp_logit(t, player, &t.data(field)), &mlp_logit(t, player, &rec))
        });
    }
    system.loss("Coder", |t| {
        let parts = both(t).into_iter().enumerate().map(|(i, (code, z))| {
            let rec = untagged(t, &z, i as f64);
            autoencoder(&t.data(["a", "b"][i]), &code, &rec, &mlp_logit(t, ["DA", "DB"][i], &rec))
        });
        parts.sum()
    });
    system.output("to_b", 0, |t| untagged(t, &tagged(t, &t.argument("a"), 0.0).0, 1.0));
    system.output("kept", 0, |t| untagged(t, &tagged(t, &t.argument("a"), 0.0).0, 0.0));
    system.audit();
}

#[test]
fn the_tag_decides_the_domain_that_is_decoded() {
    let mut model = Tagged::build(Config::new().batch(8).seed(5)).expect("it builds");
    // The domains differ by their level.
    let raised = |by: f32| {
        let small = waves(&[8, 4], by).into_vec().iter().map(|v| 0.2 * v + by).collect();
        Tensor::new([8, 4], small).expect("eight samples")
    };
    let batch = TaggedBatch { a: raised(-2.0), b: raised(2.0) };
    for _ in 0..400 {
        model.step(std::slice::from_ref(&batch)).expect("a step");
    }
    let level = |x: Tensor| x.as_slice().iter().sum::<f32>() / 32.0;
    let (kept, swapped) = (level(model.kept(&batch.a).expect("a")), level(model.to_b(&batch.a).expect("b")));
    assert!(kept < -1.0 && swapped > 0.0, "kept at {kept}, swapped to {swapped}");
}
