//! A generator trained alone, by ‖G(E(x)) − x‖²: codes of pictures decode well, codes drawn from N(0, 1) do not, for nothing held the codes
//! at a distribution; drawn from a Gaussian fitted to the codes they do better. The same with codes that are parameters themselves, in the
//! unit ball (GLO, Bojanowski et al. 2018). The remedy is the VAE's divergence. Fréchet distances on the judge's features to the test
//! pictures.
//!
//! `cargo run --release --example fetch -- fashion`, then `cargo run --release --example autoencoder`: about three minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::{Judge, measure_autoencoder};
use saddlepoint_examples_harness::{Options, Threshold, fitted_gaussian, measure, rows, sets};

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
                output code(x) = Enc(x.flatten()).0;
                output draw = eps;
                output at(z: [32]) = G(z).reshape([1, 28, 28]);
            }
        }
    };
}
autoencoder!(
    /// The code is μ alone, and nothing holds it. Zeros for what it leaves out: each name is used.
    Plain, mu + 0 * s * eps, 0 * (mu + s).sum()
);
autoencoder!(
    /// The VAE: a code is drawn, and held at N(0, 1).
    Variational, mu + exp(0.5 * s) * eps, kl_normal(mu, s)
);

gan! {
    /// A code of its own for each picture, learnt with the generator. Nothing reads a picture.
    pub model Glo {
        data  x: [1, 28, 28];
        noise eps: normal([32]);
        latent w: [32] per x = 0.18 * normal([32]); // about as long as the ball
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
        fn ball(w) { w / max(1.0, w.norm()) }
        net G(z: [32]) -> [784] { z.dense(200).relu().dense(400).relu().dense(784).tanh() }
        let error = 5 * square(G(ball(w)) - x.flatten()).sum();
        player G minimizes { E[error] }
        player Code updates (w) minimizes { E[error] }
        train simultaneous { G: adam(rate); Code: adam(30.0 * rate); }
        output draw = eps;
        output at(z: [32]) = G(ball(z)).reshape([1, 28, 28]);
        output held(z: [32]) = ball(z);
    }
}

/// Samples to be judged.
const SAMPLES: usize = 10_000;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["plain", "glo", "variational"]);
    let mut distances = Vec::new();
    macro_rules! part {
        ($model:ident, $name:literal) => {
            if options.runs($name) {
                let mut model = $model::build(options.config(100, 1))?;
                if options.explain {
                    println!("{}", model.explain());
                } else {
                    let (sets::Parts { train, test }, mut judge) = (sets::fashion()?, Judge::fashion()?);
                    if model.fit(&train, options.fit_part(15_000, "runs/autoencoder", $name))?.interrupted {
                        return Ok(());
                    }
                    let real = judge.judge_source(&test)?.features;
                    let again = model.again(&rows(&test, 0, 2_000)?)?;
                    let prefix = concat!("autoencoder_", $name);
                    distances.push(measure_autoencoder(prefix, &mut judge, &real, &again, &model.sample(SAMPLES)?)?);
                    let codes = fitted_gaussian(&model.code(&rows(&train, 0, train.len())?)?, &model.draw(SAMPLES)?)?;
                    let fitted = metrics::frechet_distance(&real, &judge.judge(&model.at(&codes)?)?.features)?;
                    measure(&format!("{prefix}_fitted_fid"), fitted, Threshold::None);
                }
            }
        };
    }
    part!(Plain, "plain");
    part!(Variational, "variational");
    if let [plain, variational] = distances[..] {
        measure("autoencoder_samples_fid_over_vae", plain / variational, Threshold::AtLeast(1.0));
    }
    if options.runs("glo") {
        let mut model = Glo::build(options.config(100, 1))?;
        if options.explain {
            println!("{}", model.explain());
            return Ok(());
        }
        let (sets::Parts { train, test }, mut judge) = (sets::fashion()?, Judge::fashion()?);
        if model.fit(&train, options.fit_part(15_000, "runs/autoencoder", "glo"))?.interrupted {
            return Ok(());
        }
        let real = judge.judge_source(&test)?.features;
        let learnt = model.held(&model.w()?)?;
        let again = model.at(&learnt)?;
        let drawn = model.draw(SAMPLES)?;
        let samples = model.at(&fitted_gaussian(&learnt, &drawn)?)?;
        measure_autoencoder("autoencoder_glo", &mut judge, &real, &again, &samples)?;
    }
    Ok(())
}
