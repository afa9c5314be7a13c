//! WGAN-GP (Gulrajani et al. 2017): min E D(G(z)) − E D(x) + λE(‖∇D(x̂)‖ − 1)² for D, also with (‖∇D(x̂)‖ − 1)₊², −E D(G(z)) for G.
//! On twenty-five Gaussians, all of which the generator has to find, and on pictures of clothes; derivatives of second order against
//! differences. On the points λ is 0.1, on pictures 10 as in the paper; Adam's rates are higher, 10⁻³ and 5·10⁻⁴ instead of 10⁻⁴, and fall,
//! β₁ is 0.5 instead of 0.
//!
//! `cargo run --release --example wgan_gp`: about five minutes on two cores, parts by `--only`.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, coverage, measure, measure_pictures, measure_seeds, rows};
use std::f32::consts::FRAC_1_SQRT_2;
use std::time::Instant;

gan! {
    /// Points of the plane. The learning rate falls over the second half.
    pub model Grid {
        const ONE_SIDED: bool;
        data  x: [2];
        noise z: normal([2]);
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress));

        net G(z: [2]) -> [2] { z.dense(128).relu().dense(128).relu().dense(128).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(128).relu().dense(1) }

        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        let slope = grad(D(mid), mid).norm() - 1.0;
        let penalty = if ONE_SIDED { E[square(relu(slope))] } else { E[square(slope)] };
        player D minimizes { E[D(fake)] - E[D(x)] + 0.1 * penalty }
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

gan! {
    /// The penalty alone, of a smooth critic: a turn moves a parameter by minus the penalty's gradient.
    pub model Slope {
        data x: [2];
        net D(x: [2]) -> [1] { x.dense(32).tanh().dense(32).tanh().dense(1) }
        player D minimizes { E[square(grad(D(x), x).norm() - 1.0)] }
        train { D: sgd(1.0); }
        output uphill(x: [2]) = grad(D(x).sum(), x);
        // The Hessian of D at x times v.
        output curve(x: [2], v: [2]) = {
            let slope = grad(D(x).sum(), x);
            grad((slope * v).sum(), x)
        };
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["second-order", "grid", "one-sided", "pictures"]);
    if options.runs("second-order") && !options.explain {
        second_order(&options)?;
    }
    for (part, seeds) in [("grid", 5), ("one-sided", 1)] {
        if options.runs(part) && !grid(&options, part, seeds)? {
            return Ok(());
        }
    }
    if options.runs("pictures") {
        pictures(&options)?;
    }
    Ok(())
}

/// The penalty's gradient by each parameter, and Hessian-vector products, against central differences.
fn second_order(options: &Options) -> saddlepoint::Result<()> {
    const H: f32 = 1e-2;
    let mut model = Slope::build(options.config(64, 1).batch(64))?;
    let points = rows(&data::ring(1, 0.0, 1.0).sample(128, 1)?, 0, 128)?;
    let half = |from: usize| Tensor::new([64, 2], points.as_slice()[from..from + 128].to_vec());
    let (x, v) = (half(0)?, half(128)?);
    let moved = |a: &Tensor, b: &Tensor, by: f32| {
        Tensor::new(a.shape(), a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a + by * b).collect())
    };
    let norm = |t: &Tensor| t.as_slice().iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();

    let found = model.curve(&x, &v)?;
    let (above, below) = (model.uphill(&moved(&x, &v, H)?)?, model.uphill(&moved(&x, &v, -H)?)?);
    let wrong = moved(&found, &moved(&above, &below, -1.0)?, -0.5 / H)?;
    measure("wgan_gp_hessian_vector_error", norm(&wrong) / norm(&found), Threshold::AtMost(0.01));

    // The last bias moves no slope.
    let names =
        ["dense_0.weight", "dense_0.bias", "dense_1.weight", "dense_1.bias", "dense_2.weight"].map(|n| format!("D.{n}"));
    let start = names.iter().map(|name| model.parameter(name)).collect::<saddlepoint::Result<Vec<Tensor>>>()?;
    let batch = [SlopeBatch { x }];
    model.step(&batch)?;
    let after = names.iter().map(|name| model.parameter(name)).collect::<saddlepoint::Result<Vec<Tensor>>>()?;
    let mut worst = 0.0f64;
    for (i, name) in names.iter().enumerate() {
        let gradient = moved(&start[i], &after[i], -1.0)?;
        let size = norm(&gradient);
        let mut penalty = |by: f32| -> saddlepoint::Result<f64> {
            names.iter().zip(&start).try_for_each(|(name, value)| model.set_parameter(name, value))?;
            model.set_parameter(name, &moved(&start[i], &gradient, by / size as f32)?)?;
            model.step(&batch)?;
            Ok(f64::from(model.metrics()?.D))
        };
        let difference = (penalty(H)? - penalty(-H)?) / f64::from(2.0 * H);
        worst = worst.max((difference / size - 1.0).abs());
    }
    measure("wgan_gp_penalty_gradient_error", worst, Threshold::AtMost(0.01));
    Ok(())
}

/// The grid of the paper, two apart and 0.05 wide, divided by 2√2. False: stop here.
fn grid(options: &Options, part: &str, seeds: u64) -> saddlepoint::Result<bool> {
    let grid = data::grid25(FRAC_1_SQRT_2, 0.025 * FRAC_1_SQRT_2);
    let name = format!("wgan_gp_{}", part.replace('-', "_"));
    let [mut modes, mut quality] = [const { Vec::new() }; 2];
    for seed in options.seeds(seeds) {
        let consts = GridConsts { ONE_SIDED: part == "one-sided" };
        let mut gan = Grid::build(consts, options.config(256, seed))?;
        if options.explain {
            println!("{}", gan.explain());
            return Ok(true);
        }
        let points = grid.sample(100_000, seed)?;
        if gan.fit(&points, options.fit_part(5_000, "runs/wgan_gp", &format!("{part}-{seed}")))?.interrupted {
            return Ok(false);
        }
        let prefix = format!("{name}_seed{seed}");
        let found = coverage(&prefix, &grid, &gan.sample(2_500)?, Threshold::AtLeast(24.0), Threshold::None)?;
        modes.push(found.modes as f64);
        quality.push(found.high_quality);
    }
    if modes.len() > 1 {
        measure_seeds(&format!("{name}_modes"), &modes, Threshold::None);
        measure_seeds(&format!("{name}_high_quality"), &quality, Threshold::None);
    }
    Ok(true)
}

fn pictures(options: &Options) -> saddlepoint::Result<()> {
    let start = Instant::now();
    let mut gan = Pictures::build(options.config(64, 7))?;
    if options.explain {
        println!("{}", gan.explain());
        return Ok(());
    }
    let images = data::fashion_sample();
    let (train, held_out) = images.split(2.0 / 3.0, 0)?;
    let untrained = gan.sample(1_000)?;
    let report = gan.fit(&train, options.fit_part(1_500, "runs/wgan_gp", "pictures"))?;
    if report.interrupted {
        return Ok(());
    }
    let made = gan.sample(1_000)?;
    if let Some(folder) = &report.folder {
        made.save_grid(folder.join("samples.png"))?;
    }
    measure_pictures("wgan_gp_pictures_", &held_out, &untrained, &made, 0.2)?;
    let mut judge = Judge::fashion()?;
    let real = judge.judge_source(&held_out)?.features;
    let distance = metrics::frechet_distance(&real, &judge.judge(&gan.sample(held_out.len())?)?.features)?;
    measure("wgan_gp_pictures_fid", distance, Threshold::None);
    measure("wgan_gp_pictures_seconds", start.elapsed().as_secs_f64(), Threshold::None);
    Ok(())
}
