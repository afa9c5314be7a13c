//! Trains a GAN on the embedded pictures for some steps, saves it, and goes on from the checkpoint.

use saddlepoint::prelude::*;

gan! {
    /// A small GAN on 28×28 grey pictures.
    pub model Small {
        data  x: [1, 28, 28];
        noise z: normal([16]);
        net G(z: [16]) -> [1, 28, 28] { z.dense(128).relu().dense(28 * 28).tanh().reshape([1, 28, 28]) }
        net D(x: [1, 28, 28]) -> [1] { x.diff_augment().flatten().dense(128).leaky_relu(0.2).dense(1).sigmoid() }
        min G, max D { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
        metric real = E[D(x)];
        metric made = E[D(G(z))];
        output sample = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let folder = std::env::temp_dir().join(format!("saddlepoint-outside-{}", std::process::id()));
    let pictures = data::fashion_sample();
    let mut gan = Small::build(Config::new().batch(32).seed(1))?;
    gan.fit(&pictures, Fit::steps(200).into_dir(folder.join("run")))?;
    gan.save(folder.join("small.safetensors"))?;

    let mut again = Small::build(Config::new().batch(32).seed(1))?;
    again.load(folder.join("small.safetensors"))?;
    let (first, second) = (gan.sample(64)?, again.sample(64)?);
    assert_eq!(first, second, "a checkpoint is the whole state");
    first.save_grid(folder.join("samples.png"))?;
    println!("trained; samples in {}", folder.join("samples.png").display());
    Ok(())
}
