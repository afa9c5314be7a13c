//! Optimisers, clipping and averages over several steps, against f64 loops over their published algorithms.

use saddlepoint::prelude::*;

gan! {
    /// One least-squares problem, one net an optimiser.
    pub model Optimisers {
        data x: [3];
        hyper decayed: f32 = 0.2 / (1.0 + step);
        fn line(x) { x.dense(1, bias = false) }
        net Plain(x: [3]) -> [1] { line(x) }
        net Momentum(x: [3]) -> [1] { line(x) }
        net Adam(x: [3]) -> [1] { line(x) }
        net Decoupled(x: [3]) -> [1] { line(x) }
        net RmsProp(x: [3]) -> [1] { line(x) }
        net Clipped(x: [3]) -> [1] { line(x) }
        #[clip(0.05)]
        net Bounded(x: [3]) -> [1] { line(x) }
        #[ema(0.8)]
        net Averaged(x: [3]) -> [1] { line(x) }
        net Scheduled(x: [3]) -> [1] { line(x) }
        fn error(y) { E[square(y - 0.7)] }
        player Plain minimizes { error(Plain(x)) }
        player Momentum minimizes { error(Momentum(x)) }
        player Adam minimizes { error(Adam(x)) }
        player Decoupled maximizes { -error(Decoupled(x)) }
        player RmsProp minimizes { error(RmsProp(x)) }
        player Clipped minimizes { error(Clipped(x)) }
        player Bounded minimizes { error(Bounded(x)) }
        player Averaged minimizes { error(Averaged(x)) }
        player Scheduled minimizes { error(Scheduled(x)) }
        train {
            Plain, Bounded, Averaged: sgd(0.1);
            Momentum: sgd(0.05, momentum = 0.9);
            Adam: adam(0.05);
            Decoupled: adam(0.05, beta1 = 0.5, beta2 = 0.9, eps = 1e-3, decay = 0.1);
            RmsProp: rmsprop(0.02, alpha = 0.9, eps = 1e-4);
            Clipped: sgd(0.1), clip_norm = 0.2;
            Scheduled: sgd(decayed);
        }
        output live(x) = Plain(x);
        output averaged(x) = Averaged(x);
    }
}

const STEPS: usize = 6;
const BATCH: usize = 4;

fn batch(step: usize) -> Vec<f32> {
    (0..BATCH * 3).map(|i| ((i + 12 * step) as f32 * 0.731).sin()).collect()
}

/// ∂/∂w of the mean of (w·x − 0.7)².
fn gradient(w: &[f64], x: &[f32]) -> Vec<f64> {
    let mut g = vec![0.0; 3];
    for row in x.chunks(3) {
        let y: f64 = row.iter().zip(w).map(|(x, w)| f64::from(*x) * w).sum();
        row.iter().zip(&mut g).for_each(|(x, g)| *g += 2.0 * (y - 0.7) * f64::from(*x) / BATCH as f64);
    }
    g
}

/// Six steps from `w`; `update` takes the step from 1, the parameter and its gradient with two memories.
fn descend(mut w: Vec<f64>, mut update: impl FnMut(i32, &mut f64, f64, &mut [f64; 2]), clip: Option<f64>) -> Vec<f64> {
    let mut memory = [[0.0; 2]; 3];
    for step in 0..STEPS {
        let mut g = gradient(&w, &batch(step));
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        if let Some(limit) = clip.filter(|limit| norm > *limit) {
            g.iter_mut().for_each(|g| *g *= limit / norm);
        }
        for i in 0..3 {
            update(step as i32 + 1, &mut w[i], g[i], &mut memory[i]);
        }
    }
    w
}

fn adam(rate: f64, b1: f64, b2: f64, eps: f64, decay: f64) -> impl FnMut(i32, &mut f64, f64, &mut [f64; 2]) {
    move |t, w, g, [m, v]| {
        *w *= 1.0 - rate * decay;
        *m = b1 * *m + (1.0 - b1) * g;
        *v = b2 * *v + (1.0 - b2) * g * g;
        *w -= rate * (*m / (1.0 - b1.powi(t))) / ((*v / (1.0 - b2.powi(t))).sqrt() + eps);
    }
}

#[test]
fn optimisers_follow_their_algorithms() {
    let mut model = Optimisers::build(Config::new().batch(BATCH).seed(2)).expect("the model builds");
    let weight = |model: &Optimisers, net: &str| -> Vec<f64> {
        let w = model.parameter(&format!("{net}.dense_0.weight")).expect("the net has one");
        w.as_slice().iter().map(|v| f64::from(*v)).collect()
    };
    let nets = ["Plain", "Momentum", "Adam", "Decoupled", "RmsProp", "Clipped", "Bounded", "Averaged", "Scheduled"];
    let start: Vec<Vec<f64>> = nets.iter().map(|net| weight(&model, net)).collect();
    let mut average = start[7].clone();
    for step in 0..STEPS {
        let x = Tensor::new([BATCH, 3], batch(step)).expect("a batch");
        model.step(&[OptimisersBatch { x }]).expect("a step");
        average.iter_mut().zip(weight(&model, "Averaged")).for_each(|(a, w)| *a = 0.8 * *a + 0.2 * w);
    }
    let from = |i: usize| start[i].clone();
    let momentum = |_, w: &mut f64, g: f64, [b, _]: &mut [f64; 2]| {
        *b = 0.9 * *b + g;
        *w -= 0.05 * *b;
    };
    let rms_prop = |_, w: &mut f64, g: f64, [v, _]: &mut [f64; 2]| {
        *v = 0.9 * *v + 0.1 * g * g;
        *w -= 0.02 * g / (v.sqrt() + 1e-4);
    };
    let plain = |_, w: &mut f64, g: f64, _: &mut [f64; 2]| *w -= 0.1 * g;
    let wanted = [
        descend(from(0), plain, None),
        descend(from(1), momentum, None),
        descend(from(2), adam(0.05, 0.9, 0.999, 1e-8, 0.0), None),
        descend(from(3), adam(0.05, 0.5, 0.9, 1e-3, 0.1), None),
        descend(from(4), rms_prop, None),
        descend(from(5), plain, Some(0.2)),
        descend(from(6), |_, w, g, _| *w = (*w - 0.1 * g).clamp(-0.05, 0.05), None),
        descend(from(7), plain, None),
        descend(from(8), |t, w, g, _| *w -= 0.2 / f64::from(t) * g, None),
    ];
    for (net, wanted) in nets.iter().zip(&wanted) {
        for (found, wanted) in weight(&model, net).iter().zip(wanted) {
            assert!((found - wanted).abs() < 2e-5, "{net}: {found} instead of {wanted}");
        }
    }
    assert_ne!(descend(from(6), plain, None), wanted[6], "the parameters were clamped");
    assert_ne!(descend(from(5), plain, None), wanted[5], "the norm was clipped");

    // Outputs read the average of a net that keeps one.
    let x = Tensor::new([1, 3], vec![1.0, 0.0, 0.0]).expect("a sample");
    let averaged = f64::from(model.averaged(&x).expect("an output").as_slice()[0]);
    assert!((averaged - average[0]).abs() < 1e-5, "{averaged} instead of {}", average[0]);
    let live = f64::from(model.live(&x).expect("an output").as_slice()[0]);
    assert!((live - wanted[0][0]).abs() < 2e-5, "{live} instead of {}", wanted[0][0]);
}
