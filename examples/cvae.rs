//! Conditional VAE with a mean of its own for each class: KL(q(z|x) ‖ N(m_y, 1)) with m_y learnt, so that codes of a class gather around
//! its mean and z = m_y + ε draws a picture of it.
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example cvae`: about one minute on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, measure, sets};

gan! {
    /// The variance of the prior stays 1.
    pub model Cvae {
        data  digits { x: [1, 28, 28], y: class(10) }
        noise eps: normal([50]);
        latent m: [10, 50];
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);

        net Enc(x: [784]) -> ([50], [50]) {
            let h = x.dense(200).relu().dense(200).relu();
            (h.dense(50), h.dense(50))
        }
        net Dec(z: [50]) -> [784] { z.dense(200).relu().dense(200).relu().dense(784) }

        fn centre(y) { matmul(y.one_hot(), m) }
        let b = uniform([784]) < 0.5 * (x.flatten() + 1);
        let (mu, s) = Enc(b);
        let v = Dec(mu + exp(0.5 * s) * eps);
        player Vae updates (Enc, Dec, m) minimizes { E[kl_normal(mu - centre(y), s)] - E[(b * v - softplus(v)).sum()] }
        train { Vae: adam(rate); }
        output sample(y) = 2 * sigmoid(Dec(centre(y) + eps)).reshape([1, 28, 28]) - 1;
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read();
    let mut vae = Cvae::build(options.config(100, 1))?;
    if options.explain {
        println!("{}", vae.explain());
        return Ok(());
    }
    let sets::Parts { train, .. } = sets::mnist()?;
    let report = vae.fit(&train, options.fit(30_000, "runs/cvae"))?;
    let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };

    let wanted = Classes::new([2_000], 10, (0..2_000).map(|i| i % 10).collect())?;
    let made = vae.sample(&wanted)?;
    vae.sample(&Classes::new([100], 10, (0..100).map(|i| i % 10).collect())?)?.save_grid(folder.join("classes.png"))?;
    let accuracy = Judge::mnist()?.judge(&made)?.accuracy(&wanted)?;
    let means = vae.m()?;
    let distance = |a: usize, b: usize| {
        let squares = means.row(a).iter().zip(means.row(b)).map(|(x, y)| f64::from(x - y).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let pairs = (0..10).flat_map(|a| (0..a).map(move |b| (a, b)));
    let nearest = pairs.map(|(a, b)| distance(a, b)).fold(f64::INFINITY, f64::min);
    measure("cvae_least_distance_of_means", nearest, Threshold::AtLeast(3.0));
    measure("cvae_judged_accuracy", accuracy, Threshold::AtLeast(0.9));
    Ok(())
}
