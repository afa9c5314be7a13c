//! Variational autoencoder (Kingma and Welling 2014) on binarised digits: minimise −E ln p(x|z) + KL(q(z|x) ‖ N(0, 1)), z = μ + e^{s/2}·ε.
//! Scored by the importance-weighted bound of 500 codes a picture on every tenth test picture (Burda et al. 2016, whose table 1 has 86.76 nats
//! for this network, by 5,000 codes and on all of them).
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example vae`: about two minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, measure, rows, sets};

gan! {
    /// One stochastic layer of 50 units, two deterministic ones of 200 on both sides. Pictures are binarised anew at every step.
    pub model Vae {
        data  x: [1, 28, 28];
        noise eps: normal([50]);
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);

        net Enc(x: [784]) -> ([50], [50]) {
            let h = x.dense(200).tanh().dense(200).tanh();
            (h.dense(50), h.dense(50))
        }
        net Dec(z: [50]) -> [784] { z.dense(200).tanh().dense(200).tanh().dense(784) }

        // ln p(b|z) of independent pixels, v the logits.
        fn log_likelihood(b, v) { (b * v - softplus(v)).sum() }
        // Pixels drawn as 0 or 1 with their grey as probability.
        fn b_of(x) { uniform([784]) < 0.5 * (x.flatten() + 1) }
        let b = b_of(x);
        let (mu, s) = Enc(b);
        let z = mu + exp(0.5 * s) * eps;
        player Vae updates (Enc, Dec) minimizes { E[kl_normal(mu, s)] - E[log_likelihood(b, Dec(z))] }
        train { Vae: adam(rate); }
        metric divergence = E[kl_normal(mu, s)];

        output sample = 2 * sigmoid(Dec(eps)).reshape([1, 28, 28]) - 1;
        output binarised(x) = b_of(x);
        output reconstruct(b: [784]) = 2 * sigmoid(Dec(Enc(b).0)).reshape([1, 28, 28]) - 1;
        // ln p(b, z) − ln q(z|b) at one code: the mean over codes of its exponential estimates p(b).
        output log_weight(b: [784]) = {
            let (mu, s) = Enc(b);
            let z = mu + exp(0.5 * s) * eps;
            log_likelihood(b, Dec(z)) + normal_log_prob(z, zeros([50]), zeros([50])) - normal_log_prob(z, mu, s)
        };
    }
}

/// Codes of a picture, test pictures.
const CODES: usize = 500;
const PICTURES: usize = 1_000;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read();
    let mut vae = Vae::build(options.config(100, 1))?;
    if options.explain {
        println!("{}", vae.explain());
        return Ok(());
    }
    let sets::Parts { train, test } = sets::mnist()?;
    let report = vae.fit(&train, options.fit(30_000, "runs/vae"))?;
    let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };

    // The first half of the test set is known to be the easier one.
    let all = rows(&test, 0, test.len())?;
    let tenth = (0..PICTURES).flat_map(|i| all.row(i * all.rows() / PICTURES)).copied().collect();
    let binary = vae.binarised(&Tensor::new([PICTURES, 1, 28, 28], tenth)?)?;
    vae.reconstruct(&binary)?.save_grid(folder.join("reconstructions.png"))?;
    let mut weights = vec![0.0; PICTURES * CODES];
    for code in 0..CODES {
        let of_code = vae.log_weight(&binary)?;
        of_code.as_slice().iter().enumerate().for_each(|(picture, weight)| weights[picture * CODES + code] = *weight);
    }
    let bound = |codes: usize| {
        let kept = weights.chunks(CODES).flat_map(|row| &row[..codes]).copied().collect();
        metrics::importance_bound(&Tensor::new([PICTURES, codes], kept)?)
    };
    let nats = bound(CODES)?;
    measure("vae_evidence_bound_nats", -bound(1)?.mean, Threshold::None);
    measure("vae_iwae500_standard_error", nats.standard_error, Threshold::None);
    measure("vae_iwae500_nats", -nats.mean, Threshold::AtMost(98.0));
    Ok(())
}
