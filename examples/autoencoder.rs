//! A generator trained alone, by ‖G(E(x)) − x‖²: codes of pictures decode well, codes drawn at random do not, for nothing held the codes
//! at a distribution. The remedy is the VAE's divergence; and codes that are parameters themselves (GLO, Bojanowski et al. 2018),
//! drawn from a Gaussian fitted to them. Fréchet distances on the judge's features to the test pictures.
//!
//! `cargo run --release --example fetch -- fashion`, then `cargo run --release --example autoencoder`: about two minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::{Judge, measure_autoencoder};
use saddlepoint_examples_harness::{Options, Threshold, measure, rows, sets};

macro_rules! autoencoder {
    ($(#[$doc:meta])* $name:ident, $z:expr, $divergence:expr) => {
        gan! {
            $(#[$doc])*
            pub model $name {
                data  x: [1, 28, 28];
                noise eps: normal([32]);
                hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
                net Enc(x: [784]) -> ([32], [32]) {
                    let h = x.dense(400).relu().dense(200).relu();
                    (h.dense(32), h.dense(32))
                }
                net G(z: [32]) -> [784] { z.dense(200).relu().dense(400).relu().dense(784).tanh() }
                fn code(mu, s, eps) { $z }
                fn held(mu, s) { $divergence }
                let (mu, s) = Enc(x.flatten());
                // Pixels as Gaussians of variance 1/10.
                let error = 5 * square(G(code(mu, s, eps)) - x.flatten()).sum();
                player Auto updates (Enc, G) minimizes { E[error] + E[held(mu, s)] }
                train { Auto: adam(rate); }
                output sample = G(eps).reshape([1, 28, 28]);
                output again(x) = G(Enc(x.flatten()).0).reshape([1, 28, 28]);
            }
        }
    };
}
autoencoder!(
    /// The code is μ alone, and nothing holds it.
    Plain, mu + 0 * s * eps, 0 * (mu + s).sum()
);
autoencoder!(
    /// The VAE: a code is drawn, and held at N(0, 1).
    Variational, mu + exp(0.5 * s) * eps, kl_normal(mu, s)
);

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["plain", "variational"]);
    let sets::Parts { train, test } = sets::fashion()?;
    let mut judge = Judge::fashion()?;
    let real = judge.judge_source(&test)?.features;
    let pictures = rows(&test, 0, 2_000)?;
    let mut distances = Vec::new();
    macro_rules! part {
        ($model:ident, $name:literal) => {
            if options.runs($name) {
                let mut model = $model::build(options.config(100, 1))?;
                if options.explain {
                    println!("{}", model.explain());
                    return Ok(());
                }
                if model.fit(&train, options.fit_part(15_000, "runs/autoencoder", $name))?.interrupted {
                    return Ok(());
                }
                let again = model.again(&pictures)?;
                let prefix = concat!("autoencoder_", $name);
                distances.push(measure_autoencoder(prefix, &mut judge, &real, &again, &model.sample(10_000)?)?);
            }
        };
    }
    part!(Plain, "plain");
    part!(Variational, "variational");
    if let [plain, variational] = distances[..] {
        measure("autoencoder_samples_fid_over_vae", plain / variational, Threshold::AtLeast(1.0));
    }
    Ok(())
}
