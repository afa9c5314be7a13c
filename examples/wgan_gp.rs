//! WGAN-GP (Gulrajani et al. 2017): the critic's slope is held near 1 by a penalty on its gradient. On twenty-five Gaussians, all
//! of which the generator has to find, and on pictures of clothes.
//!
//! `cargo run --release --example wgan_gp`

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, measure, measure_pictures};
use std::f32::consts::FRAC_1_SQRT_2;
use std::time::Instant;

gan! {
    /// Points of the plane. The learning rate falls over the second half.
    pub model Grid {
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
        metric distance = E[D(x)] - E[D(fake)];
        output sample = G(z);
    }
}

gan! {
    /// 28×28 grey pictures. The critic has no batch norm: its gradient is each sample's own.
    pub model Pictures {
        data  x: [1, 28, 28];
        noise z: normal([64]);
        hyper rate: f32 = 5e-4 * min(1.0, 2.0 * (1.0 - progress));

        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .flatten().dense(1)
        }

        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(rate, beta1 = 0.5, beta2 = 0.9), steps = 5;  G: adam(rate, beta1 = 0.5, beta2 = 0.9); }
        metric distance = E[D(x)] - E[D(fake)];
        output sample = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["grid", "pictures"]);
    if options.runs("grid") && !grid(&options)? {
        return Ok(());
    }
    if options.runs("pictures") {
        pictures(&options)?;
    }
    Ok(())
}

/// Five seeds on the grid of the paper, two apart and 0.05 wide, divided by 2√2. False: stop here.
fn grid(options: &Options) -> saddlepoint::Result<bool> {
    let grid = data::grid25(FRAC_1_SQRT_2, 0.025 * FRAC_1_SQRT_2);
    let seeds = options.seed.map_or(1..=5, |s| s..=s);
    let mut good = 0;
    for seed in seeds.clone() {
        let start = Instant::now();
        let mut gan = Grid::build(options.config(256, seed))?;
        if options.explain {
            println!("{}", gan.explain());
            return Ok(true);
        }
        let points = grid.sample(100_000, seed)?;
        if gan.fit(&points, options.fit_part(5_000, "runs/wgan_gp", &format!("grid-{seed}")))?.interrupted {
            return Ok(false);
        }
        let data::Coverage { modes, high_quality } = grid.coverage(&gan.sample(2_500)?)?;
        good += usize::from(measure(&format!("grid_seed{seed}_modes"), modes as f64, Threshold::AtLeast(24.0)));
        measure(&format!("grid_seed{seed}_high_quality"), high_quality, Threshold::None);
        measure(&format!("grid_seed{seed}_seconds"), start.elapsed().as_secs_f64(), Threshold::None);
    }
    if seeds.count() == 5 {
        measure("grid_good_seeds_of_5", good as f64, Threshold::AtLeast(4.0));
    }
    Ok(true)
}

fn pictures(options: &Options) -> saddlepoint::Result<()> {
    let start = Instant::now();
    let images = data::fashion_sample();
    let mut gan = Pictures::build(options.config(64, 7))?;
    if options.explain {
        println!("{}", gan.explain());
        return Ok(());
    }
    let untrained = gan.sample(1_000)?;
    let report = gan.fit(&images, options.fit_part(1_500, "runs/wgan_gp", "pictures"))?;
    if report.interrupted {
        return Ok(());
    }
    let made = gan.sample(1_000)?;
    if let Some(folder) = &report.folder {
        made.save_grid(folder.join("samples.png"))?;
    }
    measure_pictures("pictures_", &images, &untrained, &made, 0.2)?;
    measure("pictures_seconds", start.elapsed().as_secs_f64(), Threshold::None);
    Ok(())
}
