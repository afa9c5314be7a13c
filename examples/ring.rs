//! Eight Gaussians on a ring: does the generator find them all? With instance noise annealed by a hyper (Sønderby et al. 2017),
//! and the plain GAN beside it. All five seeds are to find eight modes, with nine of ten samples within three deviations of one.
//!
//! `cargo run --release --example ring`: about four minutes on two cores; `--seed 1` is one of the five.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, coverage, measure, measure_seeds};

gan! {
    /// Both players see a blurred world that clears over the first 60% of training; then the learning rate falls.
    pub model Ring {
        data  x: [2];
        noise z: normal([16]);
        hyper blur: f32 = 0.5 * max(0.0, 1.0 - progress / 0.6);
        hyper rate: f32 = 5e-4 * min(1.0, 2.5 * (1.0 - progress));

        net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1) }

        let real = x + blur * normal([2]);
        let fake = G(z) + blur * normal([2]);
        player D minimizes { E[softplus(-D(real))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(rate, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// The same networks without the blur.
    pub model Plain {
        data  x: [2];
        noise z: normal([16]);

        net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1) }

        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(5e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

const SIGMA: f32 = 0.01;
const STEPS: u64 = 25_000;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read();
    let ring = data::ring(8, 1.0, SIGMA);
    let seeds = options.seeds(5);
    let mut good = 0;
    let mut found = [const { Vec::new() }; 4];
    for seed in seeds.clone() {
        let mut gan = Ring::build(options.config(512, seed))?;
        let mut plain = Plain::build(options.config(512, seed))?;
        if options.explain {
            println!("{}\n{}", gan.explain(), plain.explain());
            return Ok(());
        }
        let points = ring.sample(100_000, seed)?;
        if gan.fit(&points, options.fit_part(STEPS, "runs/ring", &format!("{seed}")))?.interrupted {
            return Ok(());
        }
        let blurred = coverage(&format!("ring_seed{seed}"), &ring, &gan.sample(2_500)?, Threshold::None, Threshold::None)?;
        good += usize::from(blurred.modes == 8 && blurred.high_quality >= 0.9);

        if plain.fit(&points, options.fit_part(STEPS, "runs/ring", &format!("plain-{seed}")))?.interrupted {
            return Ok(());
        }
        let sharp = coverage(&format!("plain_seed{seed}"), &ring, &plain.sample(2_500)?, Threshold::None, Threshold::None)?;
        let each = [blurred.modes as f64, blurred.high_quality, sharp.modes as f64, sharp.high_quality];
        found.iter_mut().zip(each).for_each(|(values, value)| values.push(value));
    }
    for (values, name) in found.iter().zip(["ring_modes", "ring_high_quality", "plain_modes", "plain_high_quality"]) {
        measure_seeds(name, values, Threshold::None);
    }
    let count = seeds.count() as f64;
    measure("ring_good_seeds", good as f64, Threshold::AtLeast(count));
    Ok(())
}
