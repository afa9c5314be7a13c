//! Conditional GAN (Mirza and Osindero 2014; mismatched pairs as Reed et al. 2016) on digits, in two designs: A, one score of the pair
//! (x, y), low for generated and for mismatched pairs; B, one trunk with a head for realism and a head for the match.
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example cgan`: about four minutes on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, measure, sets};

gan! {
    /// Design A. The class is a map of its own in front of D.
    pub model OneScore {
        data  digits { x: [1, 28, 28], y: class(10) }
        noise z: normal([64]);
        hyper rate: f32 = 4e-4 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
        #[ema(0.995)]
        net G(z: [64], y: class(10)) -> [1, 28, 28] {
            concat(z, y.one_hot()).dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net D(x: [1, 28, 28], y: class(10)) -> [1] {
            concat(x, y.embed(28 * 28).reshape([1, 28, 28])).conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(1)
        }
        let fake = G(z, y);
        player D minimizes {
            E[softplus(-D(x, y))] + 0.5 * E[softplus(D(fake, y))] + 0.5 * E[softplus(D(x, other_class(y)))]
        }
        player G minimizes { E[softplus(-D(fake, y))] }
        train { D, G: adam(rate, beta1 = 0.5); }
        metric real = E[D(x, y)];
        metric made = E[D(fake, y)];
        output sample(y) = G(z, y);
    }
}

gan! {
    /// Design B.
    pub model TwoHeads {
        data  digits { x: [1, 28, 28], y: class(10) }
        noise z: normal([64]);
        hyper rate: f32 = 4e-4 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
        #[ema(0.995)]
        net G(z: [64], y: class(10)) -> [1, 28, 28] {
            concat(z, y.one_hot()).dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Trunk(x: [1, 28, 28]) -> [128] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).batch_norm().leaky_relu(0.2)
                .flatten().dense(128).leaky_relu(0.2)
        }
        net Real(h: [128]) -> [1] { h.dense(1) }
        net Match(h: [128], y: class(10)) -> [1] { concat(h, y.one_hot()).dense(64).leaky_relu(0.2).dense(1) }
        let (real, fake) = (Trunk(x), Trunk(G(z, y)));
        player D updates (Trunk, Real, Match) minimizes {
            E[softplus(-Real(real))] + E[softplus(Real(fake))]
                + E[softplus(-Match(real, y))] + E[softplus(Match(real, other_class(y)))]
        }
        player G minimizes { E[softplus(-Real(fake))] + E[softplus(-Match(fake, y))] }
        train { D, G: adam(rate, beta1 = 0.5); }
        metric realism = E[Real(fake)];
        metric matched = E[Match(fake, y)];
        output sample(y) = G(z, y);
    }
}

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["one-score", "two-heads"]);
    let wanted = Classes::new([5_000], 10, (0..5_000).map(|i| i % 10).collect())?;
    let each = Classes::new([100], 10, (0..100).map(|i| i % 10).collect())?;
    macro_rules! part {
        ($model:ident, $name:literal, $prefix:literal) => {
            if options.runs($name) {
                let mut gan = $model::build(options.config(64, 1))?;
                if options.explain {
                    println!("{}", gan.explain());
                    return Ok(());
                }
                let (sets::Parts { train, test }, mut judge) = (sets::mnist()?, Judge::mnist()?);
                let real = judge.judge_source(&test)?.features;
                let report = gan.fit(&train, options.fit_part(6_000, "runs/cgan", $name))?;
                let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
                gan.sample(&each)?.save_grid(folder.join("classes.png"))?;
                let verdict = judge.judge(&gan.sample(&wanted)?)?;
                let distance = metrics::frechet_distance(&real, &verdict.features)?;
                measure(concat!($prefix, "_fid"), distance, Threshold::None);
                measure(concat!($prefix, "_judged_accuracy"), verdict.accuracy(&wanted)?, Threshold::AtLeast(0.95));
            }
        };
    }
    part!(OneScore, "one-score", "cgan_one_score");
    part!(TwoHeads, "two-heads", "cgan_two_heads");
    Ok(())
}
