//! The synthetic benchmark of PacGAN (Lin et al. 2018, table 1): eight Gaussians on a ring (radius 1, σ 0.01) and twenty-five on a grid
//! (2 apart, σ 0.05), modes found and share of 2,500 samples within 3σ of one. E softplus(−D(x)) + E softplus(D(G(z))) against
//! E softplus(−D(G(z))), plain, with D judging packs of two samples, and with instance noise; and WGAN-GP. Beside the published
//! figures, which stand for 400 epochs of 100,000 points and count a mode from its first sample on, ours from a tenth of its share.
//! Networks, optimisers and lengths are not the paper's; WGAN-GP has λ = 0.1, where its own paper has 10.
//!
//! `cargo run --release --example grid`: about three minutes on two cores for one seed; `--seeds 5` gives medians and ranges.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, measure_seeds};
use std::f32::consts::FRAC_1_SQRT_2;

gan! {
    /// D sees the samples of G one by one, the learning rate is constant.
    pub model Plain {
        data  x: [2];
        noise z: normal([2]);
        net G(z: [2]) -> [2] { z.dense(128).relu().dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(128).relu().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(5e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// PacGAN2: D judges two samples together, both real or both made, and so sees a lack of variety.
    pub model Packed {
        data  one: [2];
        data  other: [2];
        noise z: normal([2]);
        noise w: normal([2]);
        net G(z: [2]) -> [2] { z.dense(128).relu().dense(128).relu().dense(128).relu().dense(2) }
        net D(pack: [4]) -> [1] { pack.dense(128).relu().dense(128).relu().dense(128).relu().dense(1) }
        let fake = concat(G(z), G(w));
        player D minimizes { E[softplus(-D(concat(one, other)))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(5e-4, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// Instance noise that clears over the first 60% of training; then the learning rate falls.
    pub model Blurred {
        data  x: [2];
        noise z: normal([2]);
        hyper blur: f32 = 0.5 * max(0.0, 1.0 - progress / 0.6);
        hyper rate: f32 = 5e-4 * min(1.0, 2.5 * (1.0 - progress));
        net G(z: [2]) -> [2] { z.dense(128).relu().dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(128).relu().dense(1) }
        let fake = G(z) + blur * normal([2]);
        player D minimizes { E[softplus(-D(x + blur * normal([2])))] + E[softplus(D(fake))] }
        player G minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(rate, beta1 = 0.5); }
        output sample = G(z);
    }
}

gan! {
    /// The critic's slope is held near 1; the learning rate falls over the second half.
    pub model WganGp {
        data  x: [2];
        noise z: normal([2]);
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress));
        net G(z: [2]) -> [2] { z.dense(128).relu().dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(128).relu().dense(1) }
        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(x)] + 0.1 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(rate, beta1 = 0.5, beta2 = 0.9), steps = 5;  G: adam(rate, beta1 = 0.5, beta2 = 0.9); }
        output sample = G(z);
    }
}

/// Trains the named model in a folder of its own and gives its samples; `None`: stop here.
type Run = fn(&Options, u64, &dyn Source, &str) -> saddlepoint::Result<Option<Tensor>>;

macro_rules! run {
    ($model:ident, $data:expr, $batch:literal, $steps:literal) => {
        |options, seed, points, part| {
            let mut gan = $model::build(options.config($batch, seed))?;
            if options.explain {
                println!("{}", gan.explain());
                return Ok(None);
            }
            let fit = options.fit_part($steps, "runs/grid", part);
            if gan.fit($data(points), fit)?.interrupted { Ok(None) } else { gan.sample(2_500).map(Some) }
        }
    };
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["plain", "pac2", "blurred", "wgan_gp"]);
    const NONE: [Threshold; 2] = [Threshold::None; 2];
    let least = |modes, quality| [Threshold::AtLeast(modes), quality];
    // On the ring and on the grid: the published figures, modes and percents of high quality; what has to be reached.
    type Row = (&'static str, Run, [&'static str; 2], [[Threshold; 2]; 2]);
    let models: [Row; 4] = [
        ("plain", run!(Plain, |x| PlainData { x }, 256, 15_000), ["GAN 6.3, 98.2", "GAN 17.3, 94.8"], [NONE, NONE]),
        (
            "pac2",
            run!(Packed, |x| PackedData { one: x, other: x }, 256, 15_000),
            ["PacGAN2 7.9, 95.6", "PacGAN2 23.8, 91.3"],
            [NONE, NONE],
        ),
        (
            "blurred",
            run!(Blurred, |x| BlurredData { x }, 512, 15_000),
            ["none", "none"],
            [least(8.0, Threshold::AtLeast(0.9)), NONE],
        ),
        ("wgan_gp", run!(WganGp, |x| WganGpData { x }, 256, 5_000), ["none", "none"], [NONE, least(24.0, Threshold::None)]),
    ];
    // The grid is divided by 2√2, for networks whose initial values expect numbers about 1.
    let mixtures = [("ring", data::ring(8, 1.0, 0.01)), ("grid", data::grid25(FRAC_1_SQRT_2, 0.025 * FRAC_1_SQRT_2))];
    let mut found = vec![];
    for (name, run, published, wanted) in models.into_iter().filter(|m| options.runs(m.0)) {
        for (i, (shape, mixture)) in mixtures.iter().enumerate() {
            let (mut modes, mut quality) = (vec![], vec![]);
            for seed in options.seeds(1) {
                let points = mixture.sample(100_000, seed)?;
                let Some(made) = run(&options, seed, &points, &format!("{name}-{shape}-{seed}"))? else { return Ok(()) };
                let coverage = mixture.coverage(&made)?;
                println!("{name}, {shape}, seed {seed}: {coverage:?}; published: {}", published[i]);
                modes.push(coverage.modes as f64);
                quality.push(coverage.high_quality);
            }
            found.push((format!("pacgan_{name}_{shape}_modes"), modes, wanted[i][0]));
            found.push((format!("pacgan_{name}_{shape}_high_quality"), quality, wanted[i][1]));
        }
    }
    for (name, values, threshold) in found {
        measure_seeds(&name, &values, threshold);
    }
    Ok(())
}
