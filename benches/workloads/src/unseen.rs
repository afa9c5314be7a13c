//! Three models that nothing in the compiler or its rates was measured on, so that speed shows on programs that nobody looked at:
//! nets with two paths, nets unrolled over time, and pictures of another size.
//!
//! All widths and channels between noise and data are multiples of `WIDTH`.

#![allow(missing_docs)] // the models' own types

use saddlepoint::prelude::*;

gan! {
    /// Residual nets on coloured 32×32 pictures (after Miyato et al. 2018): batch norm in G, spectral norm in D, hinge loss.
    pub model Residual {
        const WIDTH: usize;
        data  x: [3, 32, 32];
        noise z: normal([64]);

        fn up(h, channels) {
            let main = h.batch_norm().relu().upsample(2).conv(channels, kernel = 3, pad = 1)
                .batch_norm().relu().conv(channels, kernel = 3, pad = 1);
            main + h.conv(channels, kernel = 1).upsample(2)
        }
        fn down(h, channels) {
            let main = h.relu().conv(channels, kernel = 3, pad = 1).relu().conv(channels, kernel = 3, pad = 1).avg_pool(2);
            main + h.avg_pool(2).conv(channels, kernel = 1)
        }
        // The first block of D sees the picture itself, which a rectifier would cut.
        fn first(x, channels) {
            let main = x.conv(channels, kernel = 3, pad = 1).relu().conv(channels, kernel = 3, pad = 1).avg_pool(2);
            main + x.avg_pool(2).conv(channels, kernel = 1)
        }
        fn same(h, channels) {
            h + h.relu().conv(channels, kernel = 3, pad = 1).relu().conv(channels, kernel = 3, pad = 1)
        }

        net G(z: [64]) -> [3, 32, 32] {
            let h = z.dense(8 * WIDTH * 4 * 4).reshape([8 * WIDTH, 4, 4]);
            up(up(up(h, 4 * WIDTH), 2 * WIDTH), WIDTH).batch_norm().relu().conv(3, kernel = 3, pad = 1).tanh()
        }
        #[spectral_norm]
        net D(x: [3, 32, 32]) -> [1] {
            let h = same(down(down(first(x, WIDTH), 2 * WIDTH), 4 * WIDTH), 4 * WIDTH).relu();
            h.mean(axis = 2).mean(axis = 1).dense(1)
        }
        player D minimizes { E[relu(1 - D(x))] + E[relu(1 + D(G(z)))] }
        player G minimizes { -E[D(G(z))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// Sequences of twenty points in sixteen dimensions: a generator that is fed with what it made last, a critic that reads.
    pub model Sequence {
        const WIDTH: usize;
        data  x: [20, 16];
        noise z: normal([32]);
        net Start(z: [32]) -> [WIDTH] { z.dense(WIDTH).tanh() }
        net Next(x: [16], h: [WIDTH]) -> ([16], [WIDTH]) { let h = x.gru_cell(h); (h.dense(16).tanh(), h) }
        net D(x: [20, 16]) -> [1] { x.gru(WIDTH)[19].dense(1) }
        fn made() {
            let (mut h, mut x, mut all) = (Start(z), zeros([16]), list());
            for _ in 0..20 {
                let (point, next) = Next(x, h);
                all.push(point);
                x = point;
                h = next;
            }
            stack(all)
        }
        let fake = made();
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(fake))] }
        player G updates (Start, Next) minimizes { E[softplus(-D(fake))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// DCGAN (Radford et al. 2016) on coloured 64×64 pictures.
    pub model Dcgan64 {
        const WIDTH: usize;
        data  x: [3, 64, 64];
        noise z: normal([100]);
        net G(z: [100]) -> [3, 64, 64] {
            z.dense(8 * WIDTH * 4 * 4).reshape([8 * WIDTH, 4, 4]).batch_norm().relu()
                .conv_transpose(4 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(2 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(3, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [3, 64, 64]) -> [1] {
            x.conv(WIDTH, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(2 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .conv(4 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .conv(8 * WIDTH, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1)
        }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(2e-4, beta1 = 0.5); }
    }
}
