//! WGAN (Arjovsky, Chintala and Bottou 2017, algorithm 1): max over D of E D(x) − E D(G(z)) with D's weights clipped to ±0.01 after each
//! of five steps, both players by RMSProp at 5·10⁻⁵. What the critic finds between pairs of sets of numbers against their exact
//! Wasserstein-1 distance, the mean distance of sorted numbers; then eight Gaussians on a ring: reported, for so small a box makes a
//! critic too smooth to show modes that narrow (seven of eight, three in ten samples within three deviations).
//!
//! `cargo run --release --example wgan`: about one minute on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Quadrature, Threshold, correlation, coverage, measure, rows};

gan! {
    /// The critic alone, between two sets that are given.
    pub model Critic {
        data p: [1];
        data q: [1];
        #[clip(0.01)]
        net D(x: [1]) -> [1] { x.dense(64).relu().dense(64).relu().dense(1) }
        player D maximizes { E[D(p)] - E[D(q)] }
        train { D: rmsprop(5e-5); }
        metric distance = E[D(p)] - E[D(q)];
        output score(x: [1]) = D(x);
    }
}

gan! {
    /// The algorithm with the paper's constants.
    pub model Wgan {
        data  x: [2];
        noise z: normal([16]);
        #[clip(0.01)]
        net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1) }
        net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
        let fake = G(z);
        player D maximizes { E[D(x)] - E[D(fake)] }
        player G minimizes { -E[D(fake)] }
        train { D: rmsprop(5e-5), steps = 5; G: rmsprop(5e-5); }
        metric distance = E[D(x)] - E[D(fake)];
        output sample = G(z);
    }
}

/// Numbers of a distribution, made of a standard normal draw and a uniform one in 0..1.
type Shape = fn(f32, f32) -> f32;

/// Shifts, changes of scale and changes of shape.
const PAIRS: [(&str, Shape, Shape); 12] = [
    ("gauss_shift_quarter", |g, _| g, |g, _| g + 0.25),
    ("gauss_shift_half", |g, _| g, |g, _| g - 0.5),
    ("gauss_shift_1", |g, _| g, |g, _| g + 1.0),
    ("gauss_shift_2", |g, _| g, |g, _| g - 2.0),
    ("gauss_wider", |g, _| g, |g, _| 2.0 * g),
    ("gauss_narrower", |g, _| g, |g, _| 0.3 * g),
    ("gauss_moved_and_wider", |g, _| g, |g, _| 1.5 * g + 1.5),
    ("two_modes", |g, _| g, |g, u| 0.3 * g + if u < 0.5 { -2.0 } else { 2.0 }),
    ("uneven_modes", |g, _| g - 1.0, |g, u| 0.3 * g + if u < 0.25 { -2.0 } else { 2.0 }),
    ("uniform", |_, u| 2.0 * u - 1.0, |_, u| 4.0 * u),
    ("exponential", |g, _| g, |_, u| -(1.0 - u).ln()),
    ("logistic", |_, u| (u / (1.0 - u)).ln(), |g, _| 0.5 * g + 3.0),
];
const SAMPLES: usize = 8_192;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["distance", "ring"]);
    if options.runs("distance") && !distance(&options)? {
        return Ok(());
    }
    if options.runs("ring") {
        let seed = options.seed.unwrap_or(1);
        let ring = data::ring(8, 1.0, 0.01);
        let mut gan = Wgan::build(options.config(64, seed))?;
        if options.explain {
            println!("{}", gan.explain());
            return Ok(());
        }
        if !gan.fit(&ring.sample(100_000, seed)?, options.fit_part(40_000, "runs/wgan", "ring"))?.interrupted {
            coverage("wgan_ring", &ring, &gan.sample(2_500)?, Threshold::None, Threshold::None)?;
        }
    }
    Ok(())
}

/// False: stop here.
fn distance(options: &Options) -> saddlepoint::Result<bool> {
    let (mut found, mut normalised) = (vec![], vec![]);
    for (i, (name, p, q)) in PAIRS.into_iter().enumerate() {
        let (p, q) = (numbers(p, 2 * i as u64)?, numbers(q, 2 * i as u64 + 1)?);
        let mut critic = Critic::build(options.config(512, 1))?;
        if options.explain {
            println!("{}", critic.explain());
            return Ok(false);
        }
        let fit = options.fit_part(3_000, "runs/wgan", name);
        if critic.fit(CriticData { p: &p, q: &q }, fit)?.interrupted {
            return Ok(false);
        }
        let mean = |t: &Tensor| t.as_slice().iter().map(|v| f64::from(*v)).sum::<f64>() / t.rows() as f64;
        let estimate = mean(&critic.score(&p)?) - mean(&critic.score(&q)?);
        let exact = wasserstein(&p, &q);
        measure(&format!("wgan_{name}_exact"), exact, Threshold::None);
        // In thousandths: no slope of the clipped critic exceeds 0.01³·64², so this cannot exceed 4.1 of the exact distance.
        measure(&format!("wgan_{name}_critic_thousandths"), 1e3 * estimate, Threshold::None);
        found.push((exact, estimate));
        let heights = critic.score(&Quadrature::new(-5.0, 5.0, 0.01).column())?;
        let steepest =
            heights.as_slice().windows(2).map(|pair| f64::from((pair[1] - pair[0]).abs()) / 0.01).fold(0.0, f64::max);
        measure(&format!("wgan_{name}_critic_over_slope"), estimate / steepest, Threshold::None);
        normalised.push((exact, estimate / steepest));
    }
    measure("wgan_normalised_distance_correlation", correlation(&normalised), Threshold::AtLeast(0.95));
    measure("wgan_distance_correlation", correlation(&found), Threshold::AtLeast(0.95));
    Ok(true)
}

/// Numbers of a shape, `[SAMPLES, 1]`.
fn numbers(shape: Shape, seed: u64) -> saddlepoint::Result<Tensor> {
    let draws = rows(&data::ring(1, 0.0, 1.0).sample(SAMPLES, seed)?, 0, SAMPLES)?;
    // One coordinate is the normal draw; the other's sorted place is a uniform one, evenly spread.
    let mut order: Vec<usize> = (0..SAMPLES).collect();
    order.sort_by(|a, b| draws.row(*a)[1].total_cmp(&draws.row(*b)[1]));
    let mut out = Tensor::zeros([SAMPLES, 1]);
    for (rank, i) in order.into_iter().enumerate() {
        out.as_mut_slice()[i] = shape(draws.row(i)[0], (rank as f32 + 0.5) / SAMPLES as f32);
    }
    Ok(out)
}

/// The exact Wasserstein-1 distance of two sets of equally many numbers.
fn wasserstein(p: &Tensor, q: &Tensor) -> f64 {
    let [p, q] = [p, q].map(|t| {
        let mut values = t.as_slice().to_vec();
        values.sort_by(f32::total_cmp);
        values
    });
    p.iter().zip(&q).map(|(x, y)| f64::from((x - y).abs())).sum::<f64>() / p.len() as f64
}
