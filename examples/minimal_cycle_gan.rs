//! CycleGAN (Zhu et al. 2017) in as many lines as it takes: `cargo run --release --example minimal_cycle_gan`
//!
//! Pictures of clothes and photographic negatives of other clothes: no picture has its pair in the data.
use saddlepoint::prelude::*;

gan! {
    /// Two maps and two critics, with pools of fifty earlier translations.
    pub model Cycle {
        data a: [1, 28, 28];
        data b: [1, 28, 28];
        fn mapper(x) {
            x.conv(16, kernel = 7, pad = 3).instance_norm().relu().conv(32, kernel = 4, stride = 2, pad = 1).instance_norm().relu()
                .repeat(2, |h| h + h.conv(32, kernel = 3, pad = 1).instance_norm().relu().conv(32, kernel = 3, pad = 1).instance_norm())
                .conv_transpose(16, kernel = 4, stride = 2, pad = 1).instance_norm().relu().conv(1, kernel = 7, pad = 3).tanh()
        }
        fn critic(x) { x.repeat([16, 32], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).conv(1, kernel = 3, pad = 1) }
        net GAB(x: [1, 28, 28]) -> [1, 28, 28] { mapper(x) }
        net GBA(x: [1, 28, 28]) -> [1, 28, 28] { mapper(x) }
        net DA(x: [1, 28, 28]) -> [1, 7, 7] { critic(x) }
        net DB(x: [1, 28, 28]) -> [1, 7, 7] { critic(x) }
        let (fa, fb) = (GBA(b), GAB(a));
        fn lsgan(real, fake) { 0.5 * E[square(real - 1.0)] + 0.5 * E[square(fake)] }
        player Maps updates (GAB, GBA) minimizes {
            0.5 * E[square(DB(fb) - 1.0)] + 0.5 * E[square(DA(fa) - 1.0)] + 10.0 * (E[abs(GBA(fb) - a)] + E[abs(GAB(fa) - b)])
        }
        player DA minimizes { lsgan(DA(a), DA(replay(fa, 50))) }
        player DB minimizes { lsgan(DB(b), DB(replay(fb, 50))) }
        train { Maps, DA, DB: adam(2e-4, beta1 = 0.5); }
        output to_b(a) = GAB(a);
    }
}

fn main() -> saddlepoint::Result<()> {
    let (clothes, inverted) = (data::fashion_sample(), data::fashion_sample().map("x", |value| -value)?);
    let (a, _) = clothes.split(0.5, 1)?;
    let (_, b) = inverted.split(0.5, 1)?;
    let mut cycle = Cycle::build(Config::new().batch(8).seed(1))?;
    cycle.fit(CycleData { a: &a, b: &b }, Fit::steps(600).into_dir("runs/minimal_cycle_gan"))?;
    let (pictures, _): (Tensor, Classes) = a.draws(2).draw(64)?;
    pictures.save_grid("runs/minimal_cycle_gan/clothes.png")?;
    cycle.to_b(&pictures)?.save_grid("runs/minimal_cycle_gan/translated.png")
}
