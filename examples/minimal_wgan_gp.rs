//! WGAN-GP (Gulrajani et al. 2017) in as many lines as it takes: `cargo run --release --example minimal_wgan_gp`
use saddlepoint::prelude::*;

gan! {
    /// The critic has no batch norm: its gradient is each sample's own.
    pub model WganGp {
        data  x: [1, 28, 28];
        noise z: normal([64]);
        hyper lambda: f32 = 10.0;
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.repeat([32, 64], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).flatten().dense(1)
        }
        let fake = G(z);
        let mid = mix(x, fake, uniform([1]));
        player D minimizes { E[D(fake)] - E[D(x)] + lambda * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(2e-4, beta1 = 0.0, beta2 = 0.9), steps = 5;  G: adam(2e-4, beta1 = 0.0, beta2 = 0.9); }
        output sample = G(z);
    }
}

fn main() -> saddlepoint::Result<()> {
    let mut gan = WganGp::build(Config::new().batch(64).seed(1))?;
    gan.fit(&data::fashion_sample(), Fit::steps(1_000).into_dir("runs/minimal_wgan_gp"))?;
    gan.sample(64)?.save_grid("runs/minimal_wgan_gp/samples.png")
}
