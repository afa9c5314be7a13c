//! Two losses for the same networks on digits: Goodfellow et al. 2014 with the generator of its section 3, min −E ln D(x) − E ln(1 − D(G(z)))
//! for D and −E ln D(G(z)) for G; and LSGAN (Mao et al. 2017), min ½E(D(x) − 1)² + ½E D(G(z))² for D and ½E(D(G(z)) − 1)² for G.
//! The networks are a DCGAN's (Radford et al. 2016).
//!
//! Scored by the judge's features (Fréchet distance to the test pictures), the classes it finds, and how equal their shares are.
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example gan_pictures`: about three minutes on two cores.
//! At equal rates (5·10⁻⁴) D runs ahead: distance 10, shares 0.15 from equal ones. The run folder has a path between latents, `path.png`, beside the samples.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, measure, sets};

gan! {
    /// Which of both is decided when the model is built.
    pub model GanPictures {
        const LEAST_SQUARES: bool;
        data  x: [1, 28, 28];
        noise z: normal([64]);
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
        #[ema(0.995)]
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2).flatten().dense(1)
        }
        fn taken_for_real(v) { if LEAST_SQUARES { 0.5 * square(v - 1) } else { softplus(-v) } }
        fn taken_for_made(v) { if LEAST_SQUARES { 0.5 * square(v) } else { softplus(v) } }
        let fake = D(G(z));
        player D minimizes { E[taken_for_real(D(x))] + E[taken_for_made(fake)] }
        player G minimizes { E[taken_for_real(fake)] }
        train { D: adam(0.2 * rate, beta1 = 0.5); G: adam(rate, beta1 = 0.5); }
        metric real = E[D(x)];
        metric made = E[fake];
        output sample = G(z);
        output latent = z;
        output at(z) = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["non-saturating", "least-squares"]);
    for (part, prefix, least_squares) in
        [("non-saturating", "gan_pictures", false), ("least-squares", "lsgan_pictures", true)]
    {
        if !options.runs(part) {
            continue;
        }
        let mut gan = GanPictures::build(GanPicturesConsts { LEAST_SQUARES: least_squares }, options.config(64, 1))?;
        if options.explain {
            println!("{}", gan.explain());
            continue;
        }
        let sets::Parts { train, test } = sets::mnist()?;
        let report = gan.fit(&train, options.fit_part(5_000, "runs/gan_pictures", part))?;
        let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
        let samples = gan.sample(10_000)?;
        samples.save_grid(folder.join("many.png"))?;
        // From each of eleven latents to the next: a generator that has learnt a space changes its pictures step by step.
        let latents = gan.latent(11)?.spherical_path(9)?;
        gan.at(&latents)?.save_grid(folder.join("path.png"))?;
        let mut judge = Judge::mnist()?;
        let real = judge.judge_source(&test)?.features;
        let verdict = judge.judge(&samples)?;
        let modes = metrics::class_modes(&verdict.classes()?, None)?;
        measure(&format!("{prefix}_fid"), metrics::frechet_distance(&real, &verdict.features)?, Threshold::None);
        measure(&format!("{prefix}_classes"), modes.modes as f64, Threshold::None);
        measure(&format!("{prefix}_divergence_of_classes"), modes.divergence, Threshold::AtMost(0.1));
    }
    Ok(())
}
