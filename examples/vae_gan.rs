//! VAE-GAN (Larsen et al. 2016, algorithm 1): the encoder minimises rec + KL(q(z|x) ‖ N(0, 1)), the decoder γ·rec + the adversarial loss
//! of reconstructions and of samples (by half each, so that D sees as much real as made), D the adversarial loss, where rec = ½‖D_l(x) − D_l(x̂)‖² in D's last hidden layer. Beside it a VAE
//! of the same encoder and decoder: its samples should be farther from the real pictures, by the Fréchet distance of the judge's features.
//!
//! `cargo run --release --example fetch -- fashion`, then `cargo run --release --example vae_gan`: about four minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::{Judge, measure_autoencoder};
use saddlepoint_examples_harness::{Options, Threshold, measure, rows, sets};

macro_rules! model {
    ($(#[$doc:meta])* $name:ident { $($rest:tt)* }) => {
        gan! {
            $(#[$doc])*
            pub model $name {
                data  x: [1, 28, 28];
                noise p: normal([32]);
                hyper rate: f32 = 5e-4 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
                fn down(x) {
                    x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                        .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2).flatten()
                }
                net Enc(x: [1, 28, 28]) -> ([32], [32]) { let h = down(x); (h.dense(32), h.dense(32)) }
                #[ema(0.995)]
                net Dec(z: [32]) -> [1, 28, 28] {
                    z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                        .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                        .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
                }
                let (mu, s) = Enc(x);
                let rec = Dec(mu + exp(0.5 * s) * normal([32]));
                output sample = Dec(p);
                output again(x) = Dec(Enc(x).0);
                $($rest)*
            }
        }
    };
}
model!(
    /// Pixels as Gaussians of variance 1/10.
    Vae {
        player Vae updates (Enc, Dec) minimizes { E[5 * square(rec - x).sum()] + E[kl_normal(mu, s)] }
        train { Vae: adam(rate); }
    }
);
model!(
    /// Three players at one point; the adversary never reaches the encoder, nor the reconstruction D.
    VaeGan {
        hyper gamma: f32 = 0.1;
        net D(x: [1, 28, 28]) -> ([1], [128]) { let h = down(x).dense(128).leaky_relu(0.2); (h.dense(1), h) }
        let new = Dec(p);
        let near = E[0.5 * square(D(x).1 - D(rec).1).sum()];
        player D minimizes { E[softplus(-D(x).0)] + 0.5 * E[softplus(D(rec).0)] + 0.5 * E[softplus(D(new).0)] }
        player Dec minimizes { gamma * near + 0.5 * E[softplus(-D(rec).0)] + 0.5 * E[softplus(-D(new).0)] }
        player Enc minimizes { near + E[kl_normal(mu, s)] }
        train simultaneous { D, Dec: adam(rate, beta1 = 0.5); Enc: adam(rate); }
        metric divergence = E[kl_normal(mu, s)];
    }
);

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["vae", "vae-gan"]);
    let mut distances = Vec::new();
    macro_rules! part {
        ($model:ident, $name:literal, $prefix:literal) => {
            if options.runs($name) {
                let mut model = $model::build(options.config(64, 1))?;
                if options.explain {
                    println!("{}", model.explain());
                    return Ok(());
                }
                let (sets::Parts { train, test }, mut judge) = (sets::fashion()?, Judge::fashion()?);
                let real = judge.judge_source(&test)?.features;
                let pictures = rows(&test, 0, 2_000)?;
                let report = model.fit(&train, options.fit_part(4_000, "runs/vae_gan", $name))?;
                let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
                let again = model.again(&pictures)?;
                again.save_grid(folder.join("reconstructions.png"))?;
                distances.push(measure_autoencoder($prefix, &mut judge, &real, &again, &model.sample(10_000)?)?);
            }
        };
    }
    part!(Vae, "vae", "vae_gan_baseline");
    part!(VaeGan, "vae-gan", "vae_gan");
    if let [vae, vae_gan] = distances[..] {
        measure("vae_gan_fid_over_vae", vae_gan / vae, Threshold::AtMost(1.0));
    }
    Ok(())
}
