//! The saturating GAN and its theorem (Goodfellow et al. 2014): min over G, max over D of V = E ln D(x) + E ln(1 − D(G(z))). Against a
//! fixed generator the best D is p/(p + q) and V there is −2 ln 2 + 2 JSD(p, q): both are learnt from samples of two Gaussians and
//! compared with integrals. Then the whole game on eight Gaussians on a ring, with one and with five steps of D a step of G.
//!
//! `cargo run --release --example gan_theory`: about one minute on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Quadrature, Threshold, coverage, gauss, measure};
use std::f64::consts::LN_2;

const SHIFT: f64 = 1.5;
const SCALE: f64 = 0.6;

gan! {
    /// D alone, on fresh samples of p = N(0, 1) and of q = N(SHIFT, SCALE²). What is judged is the average of its last parameters.
    pub model Theorem {
        noise u: normal([1]);
        noise v: normal([1]);
        hyper rate: f32 = 3e-3 * min(1.0, 1.5 * (1.0 - progress));
        #[ema(0.995)]
        net D(x: [1]) -> [1] { x.dense(64).tanh().dense(64).tanh().dense(1).sigmoid() }
        player D maximizes { E[ln(D(u))] + E[ln(1 - D(SHIFT + SCALE * v))] }
        train { D: adam(rate); }
        output real = u;
        output fake = SHIFT + SCALE * v;
        output judge(x: [1]) = D(x);
    }
}

macro_rules! game {
    ($name:ident, $k:literal) => {
        gan! {
            /// Instance noise clears over the first 60% of training; then the learning rate falls.
            pub model $name {
                data  x: [2];
                noise z: normal([16]);
                hyper blur: f32 = 0.5 * max(0.0, 1.0 - progress / 0.6);
                hyper rate: f32 = 5e-4 * min(1.0, 2.5 * (1.0 - progress));
                net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
                net D(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1).sigmoid() }
                min G, max D { E[ln(D(x + blur * normal([2])))] + E[ln(1 - D(G(z) + blur * normal([2])))] }
                train { D: adam(rate, beta1 = 0.5), steps = $k; G: adam(rate, beta1 = 0.5); }
                output sample = G(z);
            }
        }
    };
}
game!(Once, 1);
game!(FiveTimes, 5);

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["theorem", "k1", "k5"]);
    if options.runs("theorem") && !theorem(&options)? {
        return Ok(());
    }
    let ring = data::ring(8, 1.0, 0.01);
    let seed = options.seed.unwrap_or(1);
    let points = ring.sample(100_000, seed)?;
    macro_rules! play {
        ($name:ident, $part:literal, $steps:literal) => {
            if options.runs($part) {
                let mut gan = $name::build(options.config(512, seed))?;
                if options.explain {
                    println!("{}", gan.explain());
                    return Ok(());
                }
                if gan.fit(&points, options.fit_part($steps, "runs/gan_theory", $part))?.interrupted {
                    return Ok(());
                }
                let prefix = concat!("gan_saturating_ring_", $part);
                coverage(prefix, &ring, &gan.sample(2_500)?, Threshold::None, Threshold::None)?;
            }
        };
    }
    play!(Once, "k1", 10_000);
    play!(FiveTimes, "k5", 5_000);
    Ok(())
}

/// False: stop here.
fn theorem(options: &Options) -> saddlepoint::Result<bool> {
    let mut judge = Theorem::build(options.config(2_048, 1))?;
    if options.explain {
        println!("{}", judge.explain());
        return Ok(false);
    }
    if judge
        .fit(TheoremData { nothing: Default::default() }, options.fit_part(12_000, "runs/gan_theory", "theorem"))?
        .interrupted
    {
        return Ok(false);
    }
    let line = Quadrature::new(-8.0, 8.0, 0.005);
    let learnt = judge.judge(&line.column())?;
    let (p, q) = (|x| gauss(x, 0.0, 1.0), |x| gauss(x, SHIFT, SCALE));
    let half = |a: f64, b: f64| if a > 0.0 { 0.5 * a * (2.0 * a / (a + b)).ln() } else { 0.0 };
    let optimum = -2.0 * LN_2 + 2.0 * line.integral(|_, x| half(p(x), q(x)) + half(q(x), p(x)));
    let d = |i: usize| f64::from(learnt.as_slice()[i]).clamp(1e-12, 1.0 - 1e-7);
    let value = line.integral(|i, x| p(x) * d(i).ln() + q(x) * (1.0 - d(i)).ln());
    let error = |i: usize, x: f64| if p(x) + q(x) > 0.01 { (d(i) - p(x) / (p(x) + q(x))).abs() } else { 0.0 };
    let errors = line.places().enumerate().map(|(i, x)| error(i, x));
    // The same value once more from samples, as training sees it.
    let (real, fake) = (judge.real(100_000)?, judge.fake(100_000)?);
    let mean = |t: &Tensor, f: fn(f64) -> f64| t.as_slice().iter().map(|d| f(f64::from(*d))).sum::<f64>() / t.rows() as f64;
    let sampled = mean(&judge.judge(&real)?, f64::ln) + mean(&judge.judge(&fake)?, |d| (1.0 - d).ln());
    measure("gan_theorem_optimal_value", optimum, Threshold::None);
    measure("gan_theorem_trained_value", value, Threshold::None);
    measure("gan_theorem_sampled_value", sampled, Threshold::None);
    measure("gan_theorem_value_error", (value - optimum).abs(), Threshold::AtMost(0.02));
    measure("gan_theorem_discriminator_error", errors.fold(0.0, f64::max), Threshold::AtMost(0.03));
    Ok(true)
}
