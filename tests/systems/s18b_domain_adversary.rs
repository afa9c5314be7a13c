//! System 18b. A common space by an adversary on the code (fader networks, Lample et al. 2017, and the shared latent spaces
//! of UNIT): beside tied layers and a discriminator a domain, a discriminator on codes tells the domains apart. Encoders
//! raise its loss, or want it to answer evenly. Turns: the code's discriminator, the pictures', then the coders.

use crate::harness::{Array, Point, System, kl_normal, waves};
use saddlepoint::prelude::*;

gan! {
    /// The confusion that encoders seek is decided when the model is built.
    pub model Shared {
        const UNIFORM: bool;
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
        net Dz(z: [3]) -> [1] { z.dense(6).leaky_relu(0.2).dense(1) }
        hyper confuse: f32 = 0.1;
        let ((ma, sa), (mb, sb)) = (Code(EA(a)), Code(EB(b)));
        let (za, zb) = (ma + exp(0.5 * sa) * normal([3]), mb + exp(0.5 * sb) * normal([3]));
        let (ra, rb) = (GA(Open(za)), GB(Open(zb)));
        let domain = E[softplus(-Dz(za))] + E[softplus(Dz(zb))];
        fn uneven(z) { E[0.5 * softplus(-Dz(z)) + 0.5 * softplus(Dz(z))] }
        let told = if UNIFORM { uneven(za) + uneven(zb) } else { -domain };
        player Dz minimizes { domain }
        player DA minimizes { E[softplus(-DA(a))] + E[softplus(DA(ra))] }
        player DB minimizes { E[softplus(-DB(b))] + E[softplus(DB(rb))] }
        player Coders updates (EA, EB, Code, Open, GA, GB) minimizes {
            E[square(ra - a).sum()] + E[square(rb - b).sum()] + E[kl_normal(ma, sa)] + E[kl_normal(mb, sb)]
                + E[softplus(-DA(ra))] + E[softplus(-DB(rb))] + confuse * told
        }
        train { Dz: adam(1e-2, beta1 = 0.5); DA, DB, Coders: adam(2e-4, beta1 = 0.5); }
        metric found = 0.5 * (E[Dz(za) > 0.0] + E[Dz(zb) < 0.0]);
        output to_b(a) = GB(Open(Code(EA(a)).0));
        output to_a(b) = GA(Open(Code(EB(b)).0));
    }
}

fn down(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.conv(&format!("{net}.conv_0"), x, 2, 1).leaky_relu(0.2)
}

fn logit(t: &Point<'_>, net: &str, x: &Array) -> Array {
    t.dense(&format!("{net}.dense_0"), &down(t, net, x).flatten())
}

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

fn domain_logit(t: &Point<'_>, z: &Array) -> Array {
    t.dense("Dz.dense_1", &t.dense("Dz.dense_0", z).leaky_relu(0.2))
}

/// Codes of both domains, drawn in this order: one `let` of the model makes both, whoever needs one of them.
fn codes(t: &Point<'_>) -> [((Array, Array), Array); 2] {
    [("EA", "a"), ("EB", "b")].map(|(encoder, field)| {
        let code = code(t, encoder, &t.data(field));
        let z = drawn(t, &code);
        (code, z)
    })
}

/// How uncertain the true domain is to the code's discriminator: −ln p for a, −ln(1 − p) for b.
fn surprise(t: &Point<'_>, [(_, za), (_, zb)]: &[((Array, Array), Array); 2]) -> f64 {
    (-domain_logit(t, za)).softplus().mean() + domain_logit(t, zb).softplus().mean()
}

fn check(uniform: bool) {
    let model = Shared::build(SharedConsts { UNIFORM: uniform }, Config::new().batch(3)).expect("it builds");
    let system = System::of(&model);
    system.loss("Dz", |t| surprise(t, &codes(t)));
    for (i, (player, field, decoder)) in [("DA", "a", "GA"), ("DB", "b", "GB")].into_iter().enumerate() {
        system.loss(player, |t| {
            let rec = opened(t, decoder, &codes(t)[i].1);
            (-logit(t, player, &t.data(field))).softplus().mean() + logit(t, player, &rec).softplus().mean()
        });
    }
    system.loss("Coders", |t| {
        let codes = codes(t);
        let mut total = 0.0;
        for (((m, s), z), [field, decoder, judge]) in codes.iter().zip([["a", "GA", "DA"], ["b", "GB", "DB"]]) {
            let rec = opened(t, decoder, z);
            total += (&rec - t.data(field)).square().sum_each().mean() + kl_normal(m, s).mean();
            total += (-logit(t, judge, &rec)).softplus().mean();
            if uniform {
                // Cross entropy of (½, ½) with (p, 1 − p).
                let p = domain_logit(t, z).sigmoid();
                total -= 0.1 * (0.5 * p.ln() + 0.5 * (1.0 - &p).ln()).mean();
            }
        }
        if uniform { total } else { total - 0.1 * surprise(t, &codes) }
    });
    system.metric("found", |t| {
        let [(_, za), (_, zb)] = codes(t);
        let right = |logit: Array| logit.map(|v| f64::from(u8::from(v > 0.0))).mean();
        0.5 * (right(domain_logit(t, &za)) + right(-domain_logit(t, &zb)))
    });
    system.output("to_b", 0, |t| opened(t, "GB", &code(t, "EA", &t.argument("a")).0));
    system.output("to_a", 0, |t| opened(t, "GA", &code(t, "EB", &t.argument("b")).0));
    system.audit();
}

#[test]
fn encoders_raise_the_loss_of_the_code_discriminator() {
    check(false);
}

#[test]
fn encoders_want_an_even_answer_of_the_code_discriminator() {
    check(true);
}

#[test]
fn the_code_discriminator_moves_before_the_coders() {
    // A turn of each player in the order of `train` is what a step does; in another order it is not.
    let batch = SharedBatch { a: waves(&[4, 1, 4, 4], 0.0), b: waves(&[4, 1, 4, 4], 1.0) };
    let after = |order: Option<[SharedPlayer; 4]>| {
        let mut model = Shared::build(SharedConsts { UNIFORM: false }, Config::new().batch(4).seed(1)).expect("it builds");
        model.set_confuse(50.0);
        match order {
            None => model.step(std::slice::from_ref(&batch)).expect("a step"),
            Some(order) => order.into_iter().for_each(|p| model.turn(p, &batch).expect("a turn")),
        }
        model.parameter("Code.dense_0.weight").expect("it is there")
    };
    use SharedPlayer::{Coders, DA, DB, Dz};
    let step = after(None);
    assert_eq!(after(Some([Dz, DA, DB, Coders])), step);
    assert_ne!(after(Some([Coders, Dz, DA, DB])), step);
}
