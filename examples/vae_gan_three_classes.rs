//! VAE-GAN whose discriminator has three classes (Lee's course on generative adversarial networks, 2018): D minimises the cross-entropy
//! of real, reconstructed and generated, the decoder γλ‖x − x̂‖² − ln D(real|x̂) − ln D(real|G(z)), the encoder λ‖x − x̂‖² + KL. Beside it a
//! VAE of the same encoder and decoder, as in `vae_gan.rs`: Fréchet distances of the judge's features.
//!
//! `cargo run --release --example fetch -- fashion`, then `cargo run --release --example vae_gan_three_classes`: about four minutes on two
//! cores.

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
                // Pixels as Gaussians of variance 1/10.
                let far = E[5 * square(rec - x).sum()];
                output sample = Dec(p);
                output again(x) = Dec(Enc(x).0);
                $($rest)*
            }
        }
    };
}
model!(
    /// The same encoder and decoder without a discriminator.
    Vae {
        player Vae updates (Enc, Dec) minimizes { far + E[kl_normal(mu, s)] }
        train { Vae: adam(rate); }
    }
);
model!(
    /// Encoder, decoder, discriminator.
    ThreeClasses {
        const REAL: usize = 0;
        const RECONSTRUCTED: usize = 1;
        const GENERATED: usize = 2;
        hyper gamma: f32 = 0.01;
        net D(x: [1, 28, 28]) -> [3] { down(x).dense(128).leaky_relu(0.2).dense(3) }
        let new = Dec(p);
        player Enc minimizes { far + E[kl_normal(mu, s)] }
        player Dec minimizes { gamma * far + E[cross_entropy(D(rec), REAL)] + E[cross_entropy(D(new), REAL)] }
        player D minimizes {
            E[cross_entropy(D(x), REAL)] + E[cross_entropy(D(rec), RECONSTRUCTED)] + E[cross_entropy(D(new), GENERATED)]
        }
        train simultaneous { Enc: adam(rate); Dec, D: adam(rate, beta1 = 0.5); }
        metric divergence = E[kl_normal(mu, s)];
        metric taken_for_real = E[argmax(D(new)) == REAL];
    }
);

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["vae", "three-classes"]);
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
                let report = model.fit(&train, options.fit_part(4_000, "runs/vae_gan_three_classes", $name))?;
                let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
                let again = model.again(&pictures)?;
                again.save_grid(folder.join("reconstructions.png"))?;
                distances.push(measure_autoencoder($prefix, &mut judge, &real, &again, &model.sample(10_000)?)?);
            }
        };
    }
    part!(Vae, "vae", "vae_gan_three_classes_baseline");
    part!(ThreeClasses, "three-classes", "vae_gan_three_classes");
    if let [vae, three_classes] = distances[..] {
        measure("vae_gan_three_classes_fid_over_vae", three_classes / vae, Threshold::AtMost(1.0));
    }
    Ok(())
}
