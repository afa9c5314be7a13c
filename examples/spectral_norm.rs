//! Spectral normalisation (Miyato et al. 2018): every weight W of D is divided by σ(W), the hinge loss is min E(1 − D(x))₊ +
//! E(1 + D(G(z)))₊ for D and −E D(G(z)) for G. After training on eight Gaussians on a ring and on twenty-five on a grid, σ of each
//! layer, known to the model by a power iteration a step, against the largest singular value. The rate falls to nothing: where it ended at
//! 10⁻⁴, so that weights still moved, one iteration a step lagged behind by 0.9% on the ring and 2.6% on the grid.
//!
//! `cargo run --release --example spectral_norm`: a minute and a half on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, coverage, largest_singular_value, measure};
use std::f32::consts::FRAC_1_SQRT_2;

gan! {
    /// D is no steeper than 1 in what it is given, so it is given the plane enlarged: fakes a fraction of a mode's width off must
    /// move its score. Instance noise clears over the first 60% of training; then the learning rate falls.
    pub model Spectral {
        data  x: [2];
        noise z: normal([16]);
        hyper blur: f32 = 0.5 * max(0.0, 1.0 - progress / 0.6);
        hyper rate: f32 = 1e-3 * min(1.0, 2.5 * (1.0 - progress));
        hyper zoom: f32 = 10.0;

        net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
        #[spectral_norm]
        net D(x: [2]) -> [1] { (zoom * x).dense(128).relu().dense(128).relu().dense(1) }

        let fake = G(z) + blur * normal([2]);
        player D minimizes { E[relu(1 - D(x + blur * normal([2])))] + E[relu(1 + D(fake))] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(rate, beta1 = 0.5), steps = 2; G: adam(0.5 * rate, beta1 = 0.5); }
        output sample = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["ring", "grid"]);
    let seed = options.seed.unwrap_or(1);
    // The grid of the paper of PacGAN, two apart and 0.05 wide, divided by 2√2.
    let mixtures = [("ring", data::ring(8, 1.0, 0.01)), ("grid", data::grid25(FRAC_1_SQRT_2, 0.025 * FRAC_1_SQRT_2))];
    for (part, mixture) in mixtures.into_iter().filter(|m| options.runs(m.0)) {
        let mut gan = Spectral::build(options.config(512, seed))?;
        if options.explain {
            println!("{}", gan.explain());
            return Ok(());
        }
        if gan.fit(&mixture.sample(100_000, seed)?, options.fit_part(10_000, "runs/spectral_norm", part))?.interrupted {
            return Ok(());
        }
        let modes = Threshold::AtLeast(if part == "ring" { 8.0 } else { 24.0 });
        coverage(&format!("spectral_norm_{part}"), &mixture, &gan.sample(2_500)?, modes, Threshold::None)?;
        let mut worst = 0.0f64;
        for layer in ["dense_0", "dense_1", "dense_2"] {
            let read = |part: &str| gan.parameter(&format!("D.{layer}.weight{part}"));
            let (weight, u, v) = (read("")?, read("_u")?, read("_v")?);
            let dot = |row: &[f32]| row.iter().zip(v.as_slice()).map(|(w, v)| f64::from(*w) * f64::from(*v)).sum::<f64>();
            let known: f64 = u.as_slice().iter().enumerate().map(|(i, u)| f64::from(*u) * dot(weight.row(i))).sum();
            let exact = largest_singular_value(&weight);
            measure(&format!("spectral_norm_{part}_{layer}_sigma"), exact, Threshold::None);
            worst = worst.max((known / exact - 1.0).abs());
        }
        measure(&format!("spectral_norm_{part}_sigma_error"), worst, Threshold::AtMost(0.01));
    }
    Ok(())
}
