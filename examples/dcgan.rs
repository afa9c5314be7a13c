//! DCGAN (Radford et al. 2016) on 28×28 pictures of clothes: the pictures are in the crate, the run folder shows what came of
//! them.
//!
//! `cargo run --release --example dcgan`

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, measure_pictures};

gan! {
    /// DCGAN on 28×28 grey images.
    pub model Dcgan {
        data  x: [1, 28, 28];
        noise z: normal([64]);

        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1).sigmoid()
        }

        player D maximizes { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        player G maximizes { E[ln(D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        metric real = E[D(x)];
        metric made = E[D(G(z))];
        output sample = G(z);
        output latent = z;
        output at(z) = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read();
    let mut gan = Dcgan::build(options.config(64, 7))?;
    if options.explain {
        println!("{}", gan.explain());
        return Ok(());
    }
    let images = data::fashion_sample();
    let (train, held_out) = images.split(2.0 / 3.0, 0)?;
    let untrained = gan.sample(1_000)?;
    let report = gan.fit(&train, options.fit(3_000, "runs/dcgan"))?;
    if report.interrupted {
        return Ok(());
    }
    let made = gan.sample(1_000)?;
    if let Some(folder) = &report.folder {
        made.save_grid(folder.join("samples.png"))?;
        // From each of ten latents to the next: a generator that has learnt a space changes its pictures step by step.
        let latents = gan.latent(10)?.spherical_path(11)?;
        gan.at(&latents)?.save_grid(folder.join("path.png"))?;
    }
    measure_pictures("", &held_out, &untrained, &made, 0.2)?;
    Ok(())
}
