//! Triple-GAN (Li et al. 2017) with the labels of a hundred digits, ten a class: D maximises E ln D(x, y) of labelled pairs +
//! ½E ln(1 − D(x, C(x))) + ½E ln(1 − D(G(y, z), y)), C minimises ½E Σ_y p_C(y|x) ln(1 − D(x, y)) + the cross-entropy of the labelled
//! pictures + α that of generated ones, and G wants its pairs taken for real ones. Beside it the same classifier with the labels alone.
//!
//! `cargo run --release --example fetch -- mnist`, then `cargo run --release --example triple_gan`: about four minutes on two
//! cores.
//!
//! D scores a label by a projection (Miyato and Koyama 2018): one that had it beside its features did not mind it, and G drew digits, but
//! not those asked for. Half of D's real pairs carry the classifier's label (section 3.3). The classifier trains on G's pictures from two fifths on, when they are like their labels.

use saddlepoint::Columns;
use saddlepoint::prelude::*;
use saddlepoint_examples_harness::judge::Judge;
use saddlepoint_examples_harness::{Options, Threshold, classes, measure, rows, sets};

macro_rules! model {
    ($(#[$doc:meta])* $name:ident { $($rest:tt)* }) => {
        gan! {
            $(#[$doc])*
            pub model $name {
                data  labelled { x: [1, 28, 28], y: class(10) }
                hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress) + 0.02);
                // By up to two pixels, where zeros are black; in training alone.
                fn moved(x) { diff_augment(x + 1, colour = false, translation = 0.08, cutout = 0.0) - 1 }
                #[ema(0.995)]
                net C(x: [1, 28, 28]) -> [10] {
                    moved(x).dropout(0.2).conv(16, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                        .conv(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu().dropout(0.5)
                        .flatten().dense(128).relu().dropout(0.5).dense(10)
                }
                output classify(x: [1, 28, 28]) = argmax(C(x));
                $($rest)*
            }
        }
    };
}
model!(
    /// A hundred labels and no more.
    Supervised {
        player C minimizes { E[cross_entropy(C(x), y)] }
        train { C: adam(rate); }
    }
);
model!(
    /// D sees a picture once, and its label after that: the sum over all labels repeats the small part alone.
    TripleGan {
        data  free { x: [1, 28, 28] }
        noise z: normal([64]);
        noise yg: categorical(10);
        // Pictures for the classifier must be like their labels first.
        hyper alpha: f32 = 0.5 * (progress > 0.4);
        // The share of real pairs whose label is the classifier's (section 3.3): D would know the hundred by heart.
        hyper trust: f32 = 0.5;
        #[ema(0.995)]
        net G(y: class(10), z: [64]) -> [1, 28, 28] {
            concat(z, y.one_hot()).dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        net Look(x: [1, 28, 28]) -> [256] {
            moved(x).conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2).flatten().dense(256).leaky_relu(0.2).dropout(0.5)
        }
        net Match(h: [256], y: class(10)) -> [1] { h.dense(1) + (h * y.embed(256)).sum().reshape([1]) / 16 }
        let made = G(yg, z);
        let guess = C(free.x);
        let (seen, seen_made) = (Look(free.x), Look(made));
        player D updates (Look, Match) minimizes {
            (1 - trust) * E[softplus(-Match(Look(labelled.x), labelled.y))] + trust * E[softplus(-Match(seen, argmax(guess)))]
                + 0.5 * E[softplus(Match(seen, sample(guess)))] + 0.5 * E[softplus(Match(seen_made, yg))]
        }
        player C minimizes {
            let fooled = vmap(classes(10), |y| -softplus(Match(seen, y))).reshape([10]);
            0.5 * E[(guess.softmax() * fooled).sum()] + E[cross_entropy(C(labelled.x), labelled.y)]
                + alpha * E[cross_entropy(C(made), yg)]
        }
        player G minimizes { 0.5 * E[softplus(-Match(seen_made, yg))] }
        train { D: adam(0.3 * rate, beta1 = 0.5); C: adam(rate); G: adam(rate, beta1 = 0.5); }
        output sample(yg) = G(yg, z);
    }
);

/// Labelled pictures, this many of each class.
const EACH: usize = 10;

fn main() -> saddlepoint::Result<()> {
    let options = Options::read_parts(&["supervised", "triple-gan"]);
    let (mut alone, mut gan) = (Supervised::build(options.config(50, 1))?, TripleGan::build(options.config(50, 1))?);
    if options.explain {
        println!("{}\n{}", alone.explain(), gan.explain());
        return Ok(());
    }
    let sets::Parts { train, test } = sets::mnist()?;
    let labelled = first_of_each(&train)?;
    let (asked, truth) = (rows(&test, 0, 10_000)?, classes(&test, 0, 10_000)?);
    let error = |said: &Classes| {
        let wrong = said.as_slice().iter().zip(truth.as_slice()).filter(|(a, b)| a != b).count();
        wrong as f64 / truth.as_slice().len() as f64
    };
    let mut errors = Vec::new();
    if options.runs("supervised") {
        if alone.fit(&labelled, options.fit_part(5_000, "runs/triple_gan", "supervised"))?.interrupted {
            return Ok(());
        }
        errors.push(error(&alone.classify(&asked)?));
        measure("triple_gan_supervised_error", errors[0], Threshold::None);
    }
    if options.runs("triple-gan") {
        let data = TripleGanData { labelled: &labelled, free: &train };
        let report = gan.fit(data, options.fit_part(5_000, "runs/triple_gan", "triple-gan"))?;
        let (Some(folder), false) = (report.folder, report.interrupted) else { return Ok(()) };
        let wanted = |n: usize| Classes::new([n], 10, (0..n).map(|i| (i % 10) as i32).collect());
        gan.sample(&wanted(100)?)?.save_grid(folder.join("classes.png"))?;
        let verdict = Judge::mnist()?.judge(&gan.sample(&wanted(5_000)?)?)?;
        measure("triple_gan_judged_accuracy", verdict.accuracy(&wanted(5_000)?)?, Threshold::None);
        errors.push(error(&gan.classify(&asked)?));
        measure("triple_gan_error", errors[errors.len() - 1], Threshold::AtMost(0.1));
    }
    if let [supervised, triple] = errors[..] {
        measure("triple_gan_error_over_supervised", triple / supervised, Threshold::AtMost(1.0));
    }
    Ok(())
}

/// The first pictures of each class, with their labels.
fn first_of_each(train: &Columns) -> saddlepoint::Result<Columns> {
    const SEARCHED: usize = 2_000;
    let (pictures, labels) = (rows(train, 0, SEARCHED)?, classes(train, 0, SEARCHED)?);
    let mut found = [0; 10];
    let mut chosen = Vec::new();
    for (i, class) in labels.as_slice().iter().enumerate() {
        let count = &mut found[*class as usize];
        if *count < EACH {
            *count += 1;
            chosen.push(i);
        }
    }
    let x = chosen.iter().flat_map(|i| pictures.row(*i)).copied().collect();
    let y = chosen.iter().map(|i| labels.as_slice()[*i]).collect();
    let x = Tensor::new([chosen.len(), 1, 28, 28], x)?;
    Columns::new("labelled digits", vec![("x", x.into()), ("y", Classes::new([chosen.len()], 10, y)?.into())])
}
