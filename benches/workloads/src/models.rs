//! The four models, written as a user would write them. `tests/parity.rs` holds their nets and objectives against the small ones
//! whose losses and gradients are compared with PyTorch's.
//!
//! All widths and channels between noise and data are multiples of `WIDTH`, which is 1 in the four workloads.

use saddlepoint::prelude::*;

gan! {
    /// Two dense nets of 128 units on points of the plane.
    pub model W1 {
        const WIDTH: usize;
        data  x: [2];
        noise z: normal([2]);
        net G(z: [2]) -> [2] { z.dense(128 * WIDTH).relu().dense(128 * WIDTH).relu().dense(2) }
        net D(x: [2]) -> [1] { x.dense(128 * WIDTH).relu().dense(128 * WIDTH).relu().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// Dense nets on pictures of 784 pixels.
    pub model W2 {
        const WIDTH: usize;
        data  x: [784];
        noise z: normal([64]);
        net G(z: [64]) -> [784] {
            z.dense(256 * WIDTH).relu().dense(512 * WIDTH).relu().dense(784).tanh()
        }
        net D(x: [784]) -> [1] {
            x.dense(512 * WIDTH).leaky_relu(0.2).dense(256 * WIDTH).leaky_relu(0.2).dense(1)
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// DCGAN on 28×28 pictures.
    pub model W3 {
        const WIDTH: usize;
        data  x: [1, 28, 28];
        noise z: normal([64]);
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * WIDTH * 7 * 7).reshape([64 * WIDTH, 7, 7]).batch_norm().relu()
                .conv_transpose(32 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1)
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// WGAN-GP on 28×28 pictures, five steps of the critic to one of the generator.
    pub model W4 {
        const WIDTH: usize;
        data  x: [1, 28, 28];
        noise z: normal([64]);
        noise eps: uniform([1]);
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * WIDTH * 7 * 7).reshape([64 * WIDTH, 7, 7]).batch_norm().relu()
                .conv_transpose(32 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64 * WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .flatten().dense(1)
        }
        let fake = G(z);
        let mid = mix(x, fake, eps);
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(2e-4, beta1 = 0.5), steps = 5;  G: adam(2e-4, beta1 = 0.5); }
    }
}
