//! Draws: their distributions, and when they are drawn anew (rules 16 and 19).

use saddlepoint::prelude::*;

gan! {
    pub model Draws {
        noise z: normal([4]);
        noise u: uniform([4], low = -1.0, high = 3.0);
        noise b: bernoulli(0.3, [4]);
        noise k: categorical(5);
        net N(z: [4]) -> [] { z.prelu().sum() }
        player N minimizes { E[N(z)] }
        train { N: sgd(0.0); }
        output gaussian = z;
        output flat = u;
        output coins = b;
        output classes = k;
        output loaded = stack_logits().sample();
        fn stack_logits() { normal([3]) * 0.0 + concat(zeros([1]), concat(ones([1]), ones([1]) * 2.0)) }
        output twice = (z, z);
        output pair = (normal([2]), normal([2]));
    }
}

/// Mean, variance, and the standardised third and fourth moments.
fn moments(values: &[f32]) -> [f64; 4] {
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let central = |k: i32| values.iter().map(|v| (f64::from(*v) - mean).powi(k)).sum::<f64>() / n;
    let variance = central(2);
    [mean, variance, central(3) / variance.powf(1.5), central(4) / variance.powi(2)]
}

fn assert_moments(what: &str, values: &[f32], wanted: [f64; 4]) {
    for (found, wanted) in moments(values).iter().zip(wanted) {
        assert!((found - wanted).abs() < 0.06 * wanted.abs().max(1.0), "{what}: {:?}", moments(values));
    }
}

#[test]
fn distributions_have_their_moments() {
    let mut model = Draws::build(Config::new().batch(64).seed(5)).expect("the model builds");
    let n = 5_000;
    assert_moments("normal", model.gaussian(n).expect("an output").as_slice(), [0.0, 1.0, 0.0, 3.0]);
    assert_moments("uniform", model.flat(n).expect("an output").as_slice(), [1.0, 16.0 / 12.0, 0.0, 1.8]);
    let coins = model.coins(n).expect("an output");
    assert!(coins.as_slice().iter().all(|c| *c == 0.0 || *c == 1.0));
    assert!((moments(coins.as_slice())[0] - 0.3).abs() < 0.015);
    let classes = model.classes(n).expect("an output");
    let share = |classes: &Classes, k: i32| classes.as_slice().iter().filter(|c| **c == k).count() as f64 / n as f64;
    for k in 0..5 {
        assert!((share(&classes, k) - 0.2).abs() < 0.025, "class {k}: {}", share(&classes, k));
    }
    // A draw from softmax(0, 1, 2).
    let loaded = model.loaded(n).expect("an output");
    let total: f64 = (0..3).map(|k| f64::from(k).exp()).sum();
    for k in 0..3 {
        let wanted = f64::from(k).exp() / total;
        assert!((share(&loaded, k) - wanted).abs() < 0.025, "class {k}: {} for {wanted}", share(&loaded, k));
    }
}

#[test]
fn a_noise_is_one_value_in_an_evaluation_and_an_inline_draw_a_new_one_each() {
    let mut model = Draws::build(Config::new().batch(8).seed(5)).expect("the model builds");
    let (first, second) = model.twice(8).expect("an output");
    assert_eq!(first, second);
    let (first, second) = model.pair(8).expect("an output");
    assert_ne!(first, second);
    let other = Draws::build(Config::new().batch(8).seed(5)).expect("the model builds").gaussian(20).expect("an output");
    let mut again = Draws::build(Config::new().batch(8).seed(5)).expect("the model builds");
    assert_eq!(again.gaussian(20).expect("an output"), other, "the same seed, the same draws");
    assert_ne!(again.gaussian(20).expect("an output"), other, "every call draws anew");
    let seeded = Draws::build(Config::new().batch(8).seed(6)).expect("the model builds").gaussian(20).expect("an output");
    assert_ne!(seeded, other, "another seed, other draws");
    // Samples of one call are different also across chunks.
    let rows: Vec<&[f32]> = (0..20).map(|i| other.row(i)).collect();
    assert!((0..20).all(|i| (0..i).all(|j| rows[i] != rows[j])));
}

gan! {
    /// The weight of each net moves by the mean of what it is given.
    pub model Anew {
        noise z: normal([1]);
        let shared = normal([1]);
        net A(z: [1]) -> [1] { z.dense(1, bias = false) }
        net B(z: [1]) -> [1] { z.dense(1, bias = false) }
        net C(z: [1]) -> [1] { z.dense(1, bias = false) }
        net D(z: [1]) -> [1] { z.dense(1, bias = false) }
        fn fresh() { normal([1]) }
        player A minimizes { E[A(z)] }
        player B minimizes { E[B(z)] }
        player C minimizes { E[C(z)] - E[C(z)] + E[C(shared)] - E[C(shared)] }
        player D minimizes { E[D(fresh())] - E[D(fresh())] }
        train { A, B, C, D: sgd(1.0); }
    }
}

#[test]
fn inner_steps_and_players_draw_anew() {
    let mut model = Anew::build(Config::new().batch(4).seed(5)).expect("the model builds");
    let mut moved = |player: AnewPlayer, name: &str| {
        let before = model.parameter(name).expect("a weight").as_slice()[0];
        model.turn(player, &AnewBatch {}).expect("a turn");
        model.parameter(name).expect("a weight").as_slice()[0] - before
    };
    let first = moved(AnewPlayer::A, "A.dense_0.weight");
    let second = moved(AnewPlayer::A, "A.dense_0.weight");
    let other = moved(AnewPlayer::B, "B.dense_0.weight");
    assert!(first != 0.0 && (first - second).abs() > 1e-3, "{first} {second}");
    assert!((first - other).abs() > 1e-3, "{first} {other}");
    let shared = moved(AnewPlayer::C, "C.dense_0.weight");
    assert!(shared.abs() < 1e-6, "one value in an evaluation: {shared}");
    let fresh = moved(AnewPlayer::D, "D.dense_0.weight");
    assert!(fresh.abs() > 1e-3, "a draw at each call: {fresh}");
}

gan! {
    /// What looks at other samples of the batch.
    pub model Others {
        data pair { x: [1], y: class(4) }
        net N(x: [1]) -> [1] { x.dense(1) }
        player N minimizes { E[N(x)] }
        train { N: sgd(0.0); }
        let other = x.other_sample();
        let relabelled = y.other_class();
        metric equal = E[other == x];
        metric sum = E[other];
        metric square = E[square(other)];
        metric centred = E[square(x - E[x])];
        metric kept = E[relabelled == y];
        metric label = E[relabelled == 3];
        metric deviation = E[x.minibatch_std()];
        metric picture = E[x.reshape([1, 1]).spread_out().minibatch_std()[2]];
        fn spread_out(h) { concat(h, 3.0 * h) }
    }
}

#[test]
fn other_samples_and_classes_are_others() {
    let n = 64;
    let mut model = Others::build(Config::new().batch(n).seed(3)).expect("the model builds");
    let values: Vec<f32> = (0..n).map(|i| i as f32 / 16.0).collect();
    let mean = values.iter().sum::<f32>() / n as f32;
    let square = values.iter().map(|v| v * v).sum::<f32>() / n as f32;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n as f32).sqrt();
    let mut labels = 0.0;
    for _ in 0..20 {
        let pair = OthersPair {
            x: Tensor::new([n, 1], values.clone()).expect("a batch"),
            y: Classes::new([n], 4, (0..n as i32).map(|i| i % 3).collect()).expect("a batch"),
        };
        model.step(&[OthersBatch { pair }]).expect("a step");
        let metrics = model.metrics().expect("metrics");
        assert_eq!((metrics.equal, metrics.kept), (0.0, 0.0));
        // A rotation keeps all moments.
        assert!((metrics.sum - mean).abs() < 1e-4 && (metrics.square - square).abs() < 1e-4, "{metrics:?}");
        assert!((metrics.deviation - (mean + deviation) / 2.0).abs() < 1e-4, "{metrics:?}");
        assert!((metrics.picture - 2.0 * deviation).abs() < 1e-4, "deviations are averaged over places: {metrics:?}");
        assert!((metrics.centred - deviation * deviation).abs() < 1e-4, "an expectation in another: {metrics:?}");
        labels += metrics.label / 20.0;
    }
    assert!((labels - 1.0 / 3.0).abs() < 0.05, "class 3 is one of three others: {labels}");
}
