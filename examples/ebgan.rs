//! Energy-based GAN (Zhao, Mathieu and LeCun 2017): D is an autoencoder and its error the energy, minimise E D(x) + E[m − D(G(z))]₊ for
//! D and E D(G(z)) + 0.1·f for G, where the pull-away term f is the mean squared cosine of the codes of two fakes.
//!
//! The autoencoder learns from real pictures alone first. Without the margin (the ablation) the energies of fakes grow without end.
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example ebgan`: about two minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, measure, sets};

gan! {
    /// Energies are mean squared errors of a picture's pixels. The autoencoder's result is linear: energies have no bound.
    pub model Ebgan {
        const MARGIN: bool;
        data x: [1, 28, 28];
        noise z: normal([64]);
        hyper margin: f32 = 0.2;
        hyper pull: f32 = 0.1;
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
        #[ema(0.995)]
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Enc(x: [784]) -> [32] { x.dense(256).relu().dense(32) }
        net Dec(h: [32]) -> [784] { h.dense(256).relu().dense(784) }
        fn energy(x) { square(Dec(Enc(x)) - x).mean() }
        fn pushed(e) { if MARGIN { relu(margin - e) } else { -e } }
        let real = x.flatten();
        let fake = G(z).flatten();
        let code = Enc(fake);
        player Warm updates (Enc, Dec) minimizes { E[energy(real)] }
        player D updates (Enc, Dec) minimizes { E[energy(real)] + E[pushed(energy(fake))] }
        player G minimizes { E[energy(fake)] + pull * E[square(cosine(code, other_sample(code)))] }
        train { Warm: adam(1e-3); D: adam(0.5 * rate, beta1 = 0.5); G: adam(rate, beta1 = 0.5); }
        phase warm: Warm;
        phase play: D, G;
        metric of_real = E[energy(real)];
        metric of_fakes = E[energy(fake)];
        metric alike = E[square(cosine(code, other_sample(code)))];
        output sample = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["margin", "no-margin"]);
    let mut energies = Vec::new();
    for (part, margin, steps) in [("margin", true, 6_000), ("no-margin", false, 500)] {
        if !options.runs(part) {
            continue;
        }
        let mut gan = Ebgan::build(EbganConsts { MARGIN: margin }, options.config(64, 1))?;
        if options.explain {
            println!("{}", gan.explain());
            return Ok(());
        }
        let sets::Parts { train, test } = sets::mnist()?;
        let untrained = gan.sample(5_000)?;
        if gan.fit(&train, Fit::steps(1_000))?.interrupted {
            return Ok(());
        }
        gan.enter(EbganPhase::play);
        let energy = match gan.fit(&train, options.fit_part(steps, "runs/ebgan", part)) {
            Ok(report) if report.interrupted => return Ok(()),
            Ok(_) => gan.metrics()?.of_fakes.map_or(f64::NAN, f64::from),
            Err(saddlepoint::Error::Diverged { .. }) if !margin => f64::INFINITY,
            Err(error) => return Err(error),
        };
        energies.push(energy);
        if margin {
            let mut judge = Judge::mnist()?;
            let samples = gan.sample(5_000)?;
            let verdict = judge.judge(&samples)?;
            let real = judge.judge_source(&test)?.features;
            let distance = metrics::frechet_distance(&real, &verdict.features)?;
            let before = metrics::frechet_distance(&real, &judge.judge(&untrained)?.features)?;
            let modes = metrics::class_modes(&verdict.classes()?, None)?;
            measure("ebgan_fid_untrained", before, Threshold::None);
            measure("ebgan_fid", distance, Threshold::None);
            measure("ebgan_fid_share_of_untrained", distance / before, Threshold::AtMost(0.1));
            measure("ebgan_classes", modes.modes as f64, Threshold::None);
            measure("ebgan_divergence_of_classes", modes.divergence, Threshold::AtMost(0.1));
        }
        measure(&format!("ebgan_{part}_energy_of_fakes"), energy, Threshold::None);
    }
    if let [margin, none] = energies[..] {
        measure("ebgan_energy_without_margin_over_with", none / margin, Threshold::AtLeast(10.0));
    }
    Ok(())
}
