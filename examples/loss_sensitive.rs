//! Loss-sensitive GAN (Qi 2017): min E L(x) + λE[Δ(x, G(z)) + L(x) − L(G(z))]₊ for the loss L, E L(G(z)) for G: a fake must cost more than
//! a real sample by their distance Δ. On eight Gaussians on a ring: the points of the generator; and, of an L trained against fakes
//! all over the plane, how the margin L(G(z)) − L(x) grows with Δ where x is the real sample nearest to the fake.
//!
//! `cargo run --release --example loss_sensitive`: half a minute on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, correlation, coverage, measure, rows};

gan! {
    /// Δ is the L1 distance. L is Lipschitz in Δ, as the paper's theorems want, by a penalty on its steepest coordinate, and near 0 at
    /// real samples by one on its square there: else E L(x) would fall without end. Instance noise clears over the first 60% of
    /// training; then the learning rate falls.
    pub model Sensitive {
        data  x: [2];
        noise z: normal([16]);
        hyper lambda: f32 = 1.0;
        hyper blur: f32 = 0.5 * max(0.0, 1.0 - progress / 0.6);
        hyper rate: f32 = 5e-4 * min(1.0, 2.5 * (1.0 - progress));

        net G(z: [16]) -> [2] { z.dense(128).relu().dense(128).relu().dense(2) }
        net L(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1) }

        let real = x + blur * normal([2]);
        let fake = G(z) + blur * normal([2]);
        let short = abs(real - fake).sum() + L(real) - L(fake);
        let mid = mix(real, fake, uniform([1]));
        let steep = relu(abs(grad(L(mid), mid)).amax() - 1.0);
        player L minimizes { E[L(real)] + lambda * E[relu(short)] + 10.0 * E[square(steep)] + 0.5 * E[square(L(real))] }
        player G minimizes { E[L(fake)] }
        train { L: adam(rate, beta1 = 0.5, decay = 1e-4); G: adam(rate, beta1 = 0.5); }
        metric active = E[short > 0.0];
        output sample = G(z);
    }
}

gan! {
    /// L alone, against fakes of one wide Gaussian.
    pub model Margin {
        data  x: [2];
        noise z: normal([2]);
        hyper lambda: f32 = 1.0;
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress));
        net L(x: [2]) -> [1] { x.dense(128).relu().dense(128).relu().dense(1) }
        let short = abs(x - z).sum() + L(x) - L(z);
        let mid = mix(x, z, uniform([1]));
        let steep = relu(abs(grad(L(mid), mid)).amax() - 1.0);
        player L minimizes { E[L(x)] + lambda * E[relu(short)] + 10.0 * E[square(steep)] + 0.5 * E[square(L(x))] }
        train { L: adam(rate, beta1 = 0.5, decay = 1e-4); }
        metric active = E[short > 0.0];
        output wide = z;
        output loss(x: [2]) = L(x);
    }
}

const FAKES: usize = 2_000;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["ring", "margin"]);
    let seed = options.seed.unwrap_or(1);
    let ring = data::ring(8, 1.0, 0.01);
    let points = ring.sample(100_000, seed)?;
    if options.explain {
        println!("{}", Sensitive::build(options.config(256, seed))?.explain());
        println!("{}", Margin::build(options.config(512, seed))?.explain());
        return Ok(());
    }
    if options.runs("ring") {
        let mut gan = Sensitive::build(options.config(256, seed))?;
        if gan.fit(&points, options.fit_part(10_000, "runs/loss_sensitive", "ring"))?.interrupted {
            return Ok(());
        }
        coverage("loss_sensitive_ring", &ring, &gan.sample(2_500)?, Threshold::AtLeast(8.0), Threshold::None)?;
    }
    if options.runs("margin") {
        let mut judge = Margin::build(options.config(512, seed))?;
        if !judge.fit(&points, options.fit_part(6_000, "runs/loss_sensitive", "margin"))?.interrupted {
            margins(&mut judge, &rows(&points, 0, FAKES)?)?;
        }
    }
    Ok(())
}

/// How L(G(z)) − L(x) goes with Δ(x, G(z)): with any real sample beside a fake, and with the nearest one. Where L is Lipschitz in Δ, a
/// fake can keep its whole margin to the nearest alone; from a far one L falls on the way by other modes.
fn margins(judge: &mut Margin, real: &Tensor) -> saddlepoint::Result<()> {
    let fake = judge.wide(FAKES)?;
    let (low, high) = (judge.loss(real)?, judge.loss(&fake)?);
    let pair = |i: usize, j: usize| {
        let distance: f64 = real.row(i).iter().zip(fake.row(j)).map(|(x, y)| f64::from((x - y).abs())).sum();
        (distance, f64::from(high.as_slice()[j] - low.as_slice()[i]))
    };
    let nearest = |j: usize| (0..FAKES).map(|i| pair(i, j)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    let any: Vec<(f64, f64)> = (0..FAKES).map(|j| pair(j, j)).collect();
    let nearest: Vec<(f64, f64)> = (0..FAKES).map(nearest).collect();
    let active = |pairs: &[(f64, f64)]| pairs.iter().filter(|p| p.1 < p.0).count() as f64 / FAKES as f64;
    let slope = nearest.iter().map(|p| p.0 * p.1).sum::<f64>() / nearest.iter().map(|p| p.0 * p.0).sum::<f64>();
    measure("loss_sensitive_any_pair_active", active(&any), Threshold::None);
    measure("loss_sensitive_any_pair_correlation", correlation(&any), Threshold::None);
    measure("loss_sensitive_margin_active", active(&nearest), Threshold::None);
    measure("loss_sensitive_margin_slope", slope, Threshold::None);
    measure("loss_sensitive_margin_correlation", correlation(&nearest), Threshold::AtLeast(0.9));
    Ok(())
}
