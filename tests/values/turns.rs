//! What a turn changes and what it leaves: order of turns, inner steps, running statistics, frozen nets, games, hypers, phases.

use saddlepoint::Columns;
use saddlepoint::prelude::*;

fn scalar(model: &impl Model, name: &str) -> f32 {
    model.parameter(name).expect("a state of this name").as_slice()[0]
}

fn rows(values: &[f32]) -> Tensor {
    Tensor::new([values.len(), 1], values.to_vec()).expect("one number a sample")
}

macro_rules! bilinear {
    ($model:ident, $($train:tt)*) => {
        gan! {
            /// V = a·b: a goes down, b up.
            pub model $model {
                data x: [1];
                net A(x: [1]) -> [1] { x.dense(1, bias = false) }
                net B(x: [1]) -> [1] { x.dense(1, bias = false) }
                min A, max B { E[A(x) * B(x)] }
                $($train)* { A, B: sgd(0.1); }
            }
        }
    };
}
bilinear!(Alternating, train);
bilinear!(Simultaneous, train simultaneous);

#[test]
fn simultaneous_gradients_are_taken_before_any_update() {
    let (a, b) = (0.6f32, -0.8f32);
    let set = |model: &mut dyn FnMut(&str, &Tensor)| {
        for (name, value) in [("A.dense_0.weight", a), ("B.dense_0.weight", b)] {
            model(name, &rows(&[value]));
        }
    };
    let x = rows(&[1.0, 1.0]);
    let mut model = Alternating::build(Config::new().batch(2)).expect("the model builds");
    set(&mut |name, value| model.set_parameter(name, value).expect("a parameter"));
    model.step(&[AlternatingBatch { x: x.clone() }]).expect("a step");
    let moved = a - 0.1 * b;
    assert!((scalar(&model, "A.dense_0.weight") - moved).abs() < 1e-6);
    assert!((scalar(&model, "B.dense_0.weight") - (b + 0.1 * moved)).abs() < 1e-6);

    let mut model = Simultaneous::build(Config::new().batch(2)).expect("the model builds");
    set(&mut |name, value| model.set_parameter(name, value).expect("a parameter"));
    model.step(&[SimultaneousBatch { x }]).expect("a step");
    assert!((scalar(&model, "A.dense_0.weight") - moved).abs() < 1e-6);
    assert!((scalar(&model, "B.dense_0.weight") - (b + 0.1 * a)).abs() < 1e-6);
}

gan! {
    /// Weights move by the means of the batches they saw.
    pub model Inner {
        data x: [1];
        net A(x: [1]) -> [1] { x.dense(1, bias = false) }
        net B(x: [1]) -> [1] { x.dense(1, bias = false) }
        player A maximizes { E[A(x)] }
        player B maximizes { E[B(x)] }
        train { A: sgd(1.0), steps = 3; B: sgd(1.0); }
        metric last = E[x];
    }
}

#[test]
fn inner_step_j_takes_batch_j() {
    let mut model = Inner::build(Config::new().batch(2).seed(1)).expect("the model builds");
    let before = [scalar(&model, "A.dense_0.weight"), scalar(&model, "B.dense_0.weight")];
    let batches = [1.0, 10.0, 100.0].map(|v| InnerBatch { x: rows(&[v, v]) });
    model.step(&batches).expect("a step");
    let moved = [scalar(&model, "A.dense_0.weight") - before[0], scalar(&model, "B.dense_0.weight") - before[1]];
    assert!((moved[0] - 111.0).abs() < 1e-3 && (moved[1] - 1.0).abs() < 1e-5, "{moved:?}");
    assert_eq!(model.metrics().expect("metrics").last, 100.0, "metrics see the last batch");
    // With fewer batches than inner steps they come again in turn: 1 + 10 + 1.
    model.step(&batches[..2]).expect("a step");
    let again = scalar(&model, "A.dense_0.weight") - before[0] - moved[0];
    assert!((again - 12.0).abs() < 1e-3, "{again}");
}

gan! {
    pub model Statistics {
        data x: [2];
        data w: [2];
        net D(x: [2]) -> [2] { x.batch_norm() }
        net G(x: [2]) -> [2] { x.batch_norm() }
        #[frozen]
        net Z(x: [2]) -> [2] { x.batch_norm() }
        player D minimizes { E[D(x)] + E[square(D(w))] + E[Z(x)] }
        player G minimizes { E[square(D(G(x)))] }
        train { D, G: sgd(0.0); }
        metric frozen = E[square(Z(x) - x)];
        output d(x) = D(x);
    }
}

const FIRST: [f32; 8] = [1.0, -2.0, 3.0, 0.5, -1.0, 4.0, 2.0, 1.5];
const SECOND: [f32; 8] = [0.2, 0.4, -0.6, 1.8, 2.0, -1.2, 0.4, 0.1];

/// Moves running mean and variance of feature `c` by one batch of rows of two.
fn running(state: &mut [f64; 2], values: &[f32], c: usize) {
    let column: Vec<f64> = values.chunks(2).map(|row| f64::from(row[c])).collect();
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let unbiased = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    *state = [0.9 * state[0] + 0.1 * mean, 0.9 * state[1] + 0.1 * unbiased];
}

#[test]
fn running_statistics_take_every_call_in_order_and_only_in_turns_of_their_net() {
    let mut model = Statistics::build(Config::new().batch(4)).expect("the model builds");
    let tensor = |values: &[f32]| Tensor::new([4, 2], values.to_vec()).expect("a batch");
    let mut wanted = [[0.0, 1.0]; 2];
    let names = |net: &str| ["running_mean", "running_var"].map(|part| format!("{net}.batch_norm_0.{part}"));
    for (x, w) in [(FIRST, SECOND), (SECOND, FIRST)] {
        let batch = StatisticsBatch { x: tensor(&x), w: tensor(&w) };
        model.turn(StatisticsPlayer::D, &batch).expect("a turn");
        for (c, state) in wanted.iter_mut().enumerate() {
            running(state, &x, c);
            running(state, &w, c);
        }
        let before: Vec<Tensor> = names("D").iter().map(|n| model.parameter(n).expect("a statistic")).collect();
        let own: Vec<Tensor> = names("G").iter().map(|n| model.parameter(n).expect("a statistic")).collect();
        model.turn(StatisticsPlayer::G, &batch).expect("a turn");
        for (i, name) in names("D").iter().enumerate() {
            assert_eq!(model.parameter(name).expect("a statistic"), before[i], "G's turn leaves D's statistics");
            for (c, state) in wanted.iter().enumerate() {
                let found = f64::from(before[i].as_slice()[c]);
                assert!((found - state[i]).abs() < 1e-5, "{name}[{c}]: {found} instead of {}", state[i]);
            }
        }
        for (name, before) in names("G").iter().zip(&own) {
            assert_ne!(&model.parameter(name).expect("a statistic"), before, "G's turn moves its own");
        }
    }
    for (name, start) in names("Z").iter().zip([0.0, 1.0]) {
        assert_eq!(model.parameter(name).expect("a statistic").as_slice(), [start, start], "a frozen net keeps its own");
    }
    let frozen = model.metrics().expect("metrics").frozen;
    assert!(frozen < 1e-8, "a frozen net normalises by its statistics, here 0 and 1: {frozen}");

    // Outputs normalise by the running statistics, at any number of samples.
    let x: Vec<f32> = (0..14).map(|i| (i as f32 * 1.3).cos()).collect();
    let y = model.d(&Tensor::new([7, 2], x.clone()).expect("seven samples")).expect("an output");
    assert_eq!(y.shape(), [7, 2]);
    for (e, (x, y)) in x.iter().zip(y.as_slice()).enumerate() {
        let [mean, variance] = wanted[e % 2];
        let wanted = (f64::from(*x) - mean) / (variance + 1e-5).sqrt();
        assert!((f64::from(*y) - wanted).abs() < 1e-5, "[{e}]: {y} instead of {wanted}");
    }
}

gan! {
    /// Every kind of state that a turn might touch.
    pub model Touched {
        data x: [2];
        noise z: normal([2]);
        #[ema(0.9)]
        net G(z: [2]) -> [2] { z.dense(3).batch_norm().relu().dense(2) }
        #[ema(0.9)]
        net D(x: [2]) -> [1] { x.dense(3).batch_norm().relu().dense(1) }
        player D minimizes { E[softplus(-D(x))] + E[softplus(D(G(z)))] }
        player G minimizes { E[softplus(-D(G(z)))] }
        train { D, G: adam(0.01); }
    }
}

#[test]
fn a_turn_changes_only_what_its_player_updates() {
    let names: Vec<String> = crate::support::Lowered::of::<Touched>(4).programs.states.into_keys().collect();
    let mut model = Touched::build(Config::new().batch(4).seed(1)).expect("the model builds");
    let all = |model: &Touched| names.iter().map(|n| model.parameter(n).expect("a state")).collect::<Vec<_>>();
    let x = Tensor::new([4, 2], FIRST.to_vec()).expect("a batch");
    for (player, own) in [(TouchedPlayer::D, "D"), (TouchedPlayer::G, "G")] {
        let before = all(&model);
        model.turn(player, &TouchedBatch { x: x.clone() }).expect("a turn");
        let mut moved = 0;
        for ((name, before), after) in names.iter().zip(&before).zip(all(&model)) {
            let of_player = name.starts_with(&format!("{own}.")) || name.starts_with(&format!("optimiser.{own}."));
            assert!(of_player || *before == after, "a turn of {own} changed {name}");
            moved += usize::from(*before != after);
        }
        // Weights, moments and averages of two dense layers and a batch norm, its statistics, two corrections.
        assert!(moved >= 20, "a turn of {own} changed {moved} states");
    }
}

gan! {
    pub model Game {
        data x: [1];
        noise z: normal([1]);
        net G(z: [1]) -> [1] { z.dense(1) }
        net D(x: [1]) -> [1] { x.dense(1).sigmoid() }
        min G, max D { E[ln(D(x))] + E[ln(1 - D(G(z)))] }
        train { D, G: sgd(0.0); }
        metric real = E[ln(D(x))];
    }
}

#[test]
fn a_game_logs_for_each_player_what_it_can_move() {
    let mut model = Game::build(Config::new().batch(2).seed(4)).expect("the model builds");
    for (name, value) in [("D.dense_0.weight", 0.0), ("D.dense_0.bias", 1.0)] {
        let shape = model.parameter(name).expect("a parameter").shape().to_vec();
        model.set_parameter(name, &Tensor::new(shape, vec![value]).expect("one number")).expect("a parameter");
    }
    model.step(&[GameBatch { x: rows(&[0.3, -0.4]) }]).expect("a step");
    let metrics = model.metrics().expect("metrics");
    // D gives σ(1) whatever it sees.
    let (real, fake) = (-(-1f32).exp().ln_1p(), -1f32.exp().ln_1p());
    assert!((metrics.D - (real + fake)).abs() < 1e-5, "{}", metrics.D);
    assert!((metrics.G - fake).abs() < 1e-5, "{} without what G cannot move", metrics.G);
    assert!((metrics.real - real).abs() < 1e-5, "{}", metrics.real);
}

gan! {
    pub model Hypers {
        data x: [1];
        hyper base: f32 = 1.0 / (1.0 + step);
        hyper double: f32 = 2.0 * base + progress;
        net N(x: [1]) -> [1] { x.dense(1) }
        player N minimizes { double * E[N(x)] }
        train { N: sgd(0.1 * base); }
        metric seen = double;
    }
}

#[test]
fn hypers_follow_their_formulas_until_they_are_set() {
    let mut model = Hypers::build(Config::new().batch(2).horizon(4)).expect("the model builds");
    let step = |model: &mut Hypers| {
        let before = scalar(model, "N.dense_0.bias");
        model.step(&[HypersBatch { x: rows(&[1.0, 2.0]) }]).expect("a step");
        (before - scalar(model, "N.dense_0.bias"), model.metrics().expect("metrics").seen)
    };
    for k in 0..3 {
        let (base, progress) = (1.0 / (1.0 + k as f32), k as f32 / 4.0);
        assert!((model.base() - base).abs() < 1e-6 && (model.double() - 2.0 * base - progress).abs() < 1e-6);
        let (moved, seen) = step(&mut model);
        assert!((moved - 0.1 * base * (2.0 * base + progress)).abs() < 1e-6, "step {k}: {moved}");
        assert!((seen - (2.0 * base + progress)).abs() < 1e-6, "metrics see the hypers of their step: {seen}");
    }
    model.set_base(3.0);
    assert_eq!((model.base(), model.double()), (3.0, 6.75));
    let (moved, _) = step(&mut model);
    assert!((moved - 0.3 * 6.75).abs() < 1e-5, "{moved}");
    model.set_double(0.5);
    let (moved, seen) = step(&mut model);
    assert!((moved - 0.15).abs() < 1e-6 && seen == 0.5, "{moved} {seen}");
}

gan! {
    pub model Phased {
        data pair { x: [1], reward: [1], judged: [1] }
        net A(x: [1]) -> [1] { x.dense(1) }
        net B(x: [1]) -> [1] { x.dense(1) }
        player A minimizes { E[A(x)] }
        player B minimizes { E[B(x) * reward] }
        train { A, B: sgd(0.1); }
        phase teach: A;
        phase talk: A, B;
        metric judgement = E[judged];
    }
}

#[test]
fn fields_that_nothing_of_the_phase_reads_need_not_be_supplied() {
    let mut model = Phased::build(Config::new().batch(2)).expect("the model builds");
    let columns = |names: &[&str]| {
        let column = |name| (name, rows(&[1.0, 2.0, 3.0, 4.0]).into());
        Columns::new("columns", names.iter().copied().map(column).collect()).expect("columns of one length")
    };
    let taught = columns(&["x", "judged"]);
    model.fit(&taught, Fit::steps(2).quiet()).expect("`reward` is not read in this phase");
    let metrics = model.metrics().expect("metrics");
    assert!(metrics.A.is_some() && metrics.B.is_none(), "{metrics:?}");
    let without = columns(&["x"]);
    assert!(model.fit(&without, Fit::steps(2).quiet()).is_err(), "the metric reads `judged`");
    model.enter(PhasedPhase::talk);
    assert!(model.fit(&taught, Fit::steps(2).quiet()).is_err(), "`reward` is read in this phase");
    let whole = columns(&["x", "judged", "reward"]);
    model.fit(&whole, Fit::steps(2).quiet()).expect("every field is there");
    assert!(model.metrics().expect("metrics").B.is_some());
}

gan! {
    pub model Bounded {
        data x: [3];
        noise z: normal([2]);
        net G(z: [2]) -> [3] { z.dense(3) }
        #[ema(0.5)]
        #[spectral_norm]
        net D(x: [3]) -> [1] { x.dense(4, bias = false).tanh().dense(1, bias = false) }
        #[frozen]
        #[spectral_norm]
        net Z(x: [3]) -> [2] { x.dense(2, bias = false) }
        player D minimizes { E[D(x)] - E[D(G(z))] + 0.0 * E[Z(x)] }
        player G minimizes { E[D(G(z))] }
        train { D: sgd(0.5), steps = 2; G: sgd(0.5); }
        metric score = E[D(x)];
        output d(x) = D(x);
        output z(x) = Z(x);
    }
}

fn floats(model: &impl Model, name: &str) -> Vec<f64> {
    model.parameter(name).expect("a state of this name").as_slice().iter().map(|v| f64::from(*v)).collect()
}

/// W·x or, along the other axis, Wᵀ·x, for W of `rows`.
fn times(w: &[f64], rows: usize, x: &[f64], transposed: bool) -> Vec<f64> {
    let columns = w.len() / rows;
    match transposed {
        false => (0..rows).map(|r| (0..columns).map(|c| w[r * columns + c] * x[c]).sum()).collect(),
        true => (0..columns).map(|c| (0..rows).map(|r| w[r * columns + c] * x[r]).sum()).collect(),
    }
}

fn unit(x: &[f64]) -> Vec<f64> {
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.iter().map(|x| x / norm).collect()
}

fn largest_singular_value(w: &[f64], rows: usize) -> f64 {
    let mut u = vec![1.0; rows];
    for _ in 0..1000 {
        u = unit(&times(w, rows, &times(w, rows, &u, true), false));
    }
    times(w, rows, &u, true).iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn power_iterations_belong_to_the_turns_of_the_net() {
    let mut model = Bounded::build(Config::new().batch(4).seed(5)).expect("the model builds");
    let vectors =
        |model: &Bounded| ["D.dense_0.weight_u", "D.dense_0.weight_v", "D.dense_1.weight_u"].map(|n| floats(model, n));
    // The vectors start near singular vectors, the same ones for the same seed.
    let again = Bounded::build(Config::new().batch(2).seed(5)).expect("the model builds");
    assert_eq!(vectors(&model), vectors(&again));
    let weight = floats(&model, "D.dense_0.weight");
    let [u, v, _] = vectors(&model);
    let sigma: f64 = u.iter().zip(times(&weight, 4, &v, false)).map(|(u, w)| u * w).sum();
    let exact = largest_singular_value(&weight, 4);
    assert!(sigma <= exact * (1.0 + 1e-6) && sigma > 0.95 * exact, "{sigma} of {exact}");

    let x = Tensor::new([4, 3], (0..12).map(|i| (i as f32 * 1.7).sin()).collect()).expect("a batch");
    let batch = BoundedBatch { x: x.clone() };
    // One iteration with the weight before the update, whatever the number of calls.
    let before = vectors(&model);
    let mut after = before.clone();
    after[1] = unit(&times(&weight, 4, &before[0], true));
    after[0] = unit(&times(&weight, 4, &after[1], false));
    model.turn(BoundedPlayer::D, &batch).expect("a turn");
    let moved = vectors(&model);
    for (name, found, wanted) in [("u", &moved[0], &after[0]), ("v", &moved[1], &after[1])] {
        crate::support::assert_close(name, found, wanted, 1e-5);
    }
    assert!(moved[0].iter().zip(&before[0]).any(|(m, b)| (m - b).abs() > 1e-6), "it moved");

    // Turns of others, metrics and outputs hold them.
    model.turn(BoundedPlayer::G, &batch).expect("a turn");
    model.metrics().expect("metrics");
    let scores = model.d(&x).expect("an output");
    assert_eq!(vectors(&model), moved);

    // An output divides its averaged weights by the held estimates.
    let [first, second] = ["D.dense_0.weight", "D.dense_1.weight"].map(|n| (floats(&model, &format!("{n}.average")), n));
    let layer = |(w, name): &(Vec<f64>, &str), rows: usize, x: &[f64]| {
        let (u, v) = (floats(&model, &format!("{name}_u")), floats(&model, &format!("{name}_v")));
        let sigma: f64 = u.iter().zip(times(w, rows, &v, false)).map(|(u, w)| u * w).sum();
        times(w, rows, x, false).into_iter().map(|y| y / sigma).collect::<Vec<_>>()
    };
    for (row, score) in x.as_slice().chunks(3).zip(scores.as_slice()) {
        let x: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        let h: Vec<f64> = layer(&first, 4, &x).into_iter().map(f64::tanh).collect();
        crate::support::assert_close("score", &[f64::from(*score)], &layer(&second, 1, &h), 1e-5);
    }

    // A frozen net divides by its first estimate for ever.
    let frozen = floats(&model, "Z.dense_0.weight");
    assert!(model.parameter("Z.dense_0.bias").is_err());
    let y = model.z(&x).expect("an output");
    let exact = largest_singular_value(&frozen, 2);
    let plain = times(&frozen, 2, &x.as_slice()[..3].iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), false);
    for (y, plain) in y.as_slice().iter().zip(plain) {
        assert!((f64::from(*y) - plain / exact).abs() < 0.06 * (plain / exact).abs() + 1e-6, "{y} for {}", plain / exact);
    }

    // States are saved: a loaded model goes on with the same bits.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bounded.safetensors");
    model.save(&path).expect("a checkpoint");
    let mut other = Bounded::build(Config::new().batch(4).seed(5)).expect("the model builds");
    other.load(&path).expect("the same model");
    for model in [&mut model, &mut other] {
        model.step(&[BoundedBatch { x: x.clone() }]).expect("a step");
    }
    assert_eq!(vectors(&model), vectors(&other));
    assert_ne!(vectors(&model), moved);
}
