//! 4. A discriminator without a generator: an energy model (LeCun et al. 2006; Du and Mordatch 2019).
//!
//! It is learnt as in structured learning: its negatives are where it is highest, x̃ = argmax D by enumeration, or by ascending D on
//! its input with noise, from noise and from a buffer of earlier negatives. The host keeps the buffer; a penalty on D² holds the
//! scale.

use crate::harness::host::{array, tensor};
use crate::harness::{Array, Point, System, slope};
use saddlepoint::compiler::testing::SplitMix64;
use saddlepoint::prelude::*;

gan! {
    /// The negatives are data: the host finds them by the outputs.
    pub model Energy {
        data real: [2];
        data negative: [2];
        hyper leash: f32 = 0.2;
        net D(x: [2]) -> [1] { x.dense(12).tanh().dense(12).tanh().dense(1) }
        let (high, low) = (D(real), D(negative));
        player D maximizes { E[high] - E[low] - leash * (E[square(high)] + E[square(low)]) }
        train { D: adam(0.01), steps = 3; }
        output score(x: [2]) = D(x);
        output uphill(x: [2]) = grad(D(x).sum(), x);
        // Six steps up, each with some noise (Langevin dynamics).
        output ascend(x: [2]) = {
            let mut at = x;
            for _ in 0..6 {
                let here = at;
                at = here + 0.02 * grad(D(here).sum(), here) + 0.03 * normal([2]);
            }
            at
        };
    }
}

fn score(t: &Point<'_>, x: &Array) -> Array {
    t.dense("D.dense_2", &t.dense("D.dense_1", &t.dense("D.dense_0", x).tanh()).tanh())
}

/// The gradient of D by its input, by differences.
fn uphill(t: &Point<'_>, x: &Array) -> Array {
    slope(x, |x| score(t, x).sum())
}

#[test]
fn learning_on_found_negatives() {
    let system = System::of(&Energy::build(Config::new().batch(4)).expect("it builds"));
    system.gain("D", |t| {
        let (high, low) = (score(t, &t.data("real")), score(t, &t.data("negative")));
        high.mean() - low.mean() - t.hyper("leash") * (high.square() + low.square()).mean()
    });
    system.output("score", 0, |t| score(t, &t.argument("x")));
    system.output("uphill", 0, |t| uphill(t, &t.argument("x")));
    system.output("ascend", 0, |t| {
        let step = |x: Array| &x + uphill(t, &x) * 0.02 + t.normal(x.shape()) * 0.03;
        (0..6).fold(t.argument("x"), |x, _| step(x))
    });
    system.audit();
}

/// A batch of real points: two places of the plane, eight times each.
fn real() -> Array {
    Array::new(&[16, 2], [0.5, 0.5, -0.5, -0.5].repeat(8))
}

/// A grid of 9 by 9 over the square; the real points are on it.
fn grid() -> Array {
    let at = |i: usize| i as f64 * 0.25 - 1.0;
    Array::new(&[81, 2], (0..81).flat_map(|i| [at(i % 9), at(i / 9)]).collect())
}

fn energy(seed: u64) -> Energy {
    Energy::build(Config::new().batch(16).seed(seed)).expect("it builds")
}

/// One round: K steps of D against these negatives.
fn learn(model: &mut Energy, negative: &Array) {
    model.step(&[EnergyBatch { real: tensor(&real()), negative: tensor(negative) }]).expect("a step");
}

fn scores(model: &mut Energy, x: &Array) -> Array {
    array(&model.score(&tensor(x)).expect("scores"))
}

/// The highest places of the grid that are not real points: the wrong answers that D likes best.
fn highest(model: &mut Energy) -> Array {
    let (grid, real) = (grid(), real());
    let scores = scores(model, &grid);
    let wrong = |i: &usize| (0..2).all(|r| (grid.rows(&[*i]) - real.rows(&[r])).abs().sum() > 0.0);
    let mut order: Vec<usize> = (0..81).filter(wrong).collect();
    order.sort_by(|a, b| scores.values()[*b].total_cmp(&scores.values()[*a]));
    grid.rows(&order[..16])
}

/// How much higher D is at the real points than elsewhere on average.
fn lead(model: &mut Energy) -> f64 {
    scores(model, &real()).mean() - scores(model, &grid()).mean()
}

#[test]
fn enumeration_finds_the_argmax_and_training_pushes_it_down() {
    let mut model = energy(1);
    let above = |model: &mut Energy, found: &Array| scores(model, found).mean() - scores(model, &real()).mean();
    let first = highest(&mut model);
    let before = above(&mut model, &first);
    learn(&mut model, &first);
    let after = above(&mut model, &first);
    assert!(before > 0.0 && after < before, "a round lowers them against the real points: {before}, {after}");
    for _ in 0..300 {
        let found = highest(&mut model);
        learn(&mut model, &found);
    }
    // The penalty allows D ½/λ at real points and −½/λ at negatives. Even the best wrong answers lie nearly so far below now.
    let found = highest(&mut model);
    let gap = above(&mut model, &found);
    assert!(gap < -4.0, "{gap}");
}

#[test]
fn ascent_on_the_input_finds_negatives_and_a_buffer_replays_them() {
    let mut model = energy(2);
    // While D is smooth every further walk from all over the square ends higher.
    let mut walks = vec![grid()];
    for i in 0..3 {
        walks.push(array(&model.ascend(&tensor(&walks[i])).expect("walks")));
    }
    let heights: Vec<f64> = walks.iter().map(|at| scores(&mut model, at).mean()).collect();
    assert!(heights.windows(2).all(|pair| pair[1] > pair[0] + 1e-3), "{heights:?}");

    let mut random = SplitMix64::new(9);
    let mut noise = |n: usize| Array::new(&[n, 2], (0..2 * n).map(|_| random.uniform(-1.0, 1.0)).collect());
    let mut held = noise(16);
    for _ in 0..200 {
        // Half of the walks begin anew, half go on from where earlier ones ended.
        let from = Array::concat(&[&noise(8), &held.slice(0, 0, 8)], 0);
        let found = array(&model.ascend(&tensor(&from)).expect("walks")).map(|v| v.clamp(-1.0, 1.0));
        learn(&mut model, &found);
        held = Array::concat(&[&held.slice(0, 8, 16), &found.slice(0, 4, 12)], 0);
    }
    assert!(lead(&mut model) > 3.0, "{}", lead(&mut model));
}

#[test]
fn the_penalty_holds_the_scale() {
    let spread = |leash: f32| {
        let mut model = energy(3);
        model.set_leash(leash);
        // Negatives that are easily told apart: without the penalty nothing stops D.
        let far = Array::new(&[16, 2], [1.0, -1.0, -1.0, 1.0].repeat(8));
        (0..250).for_each(|_| learn(&mut model, &far));
        scores(&mut model, &real()).abs().mean()
    };
    // With it the best D is ½/λ at real points and −½/λ at negatives.
    let (held, free) = (spread(0.2), spread(0.0));
    assert!((held - 2.5).abs() < 0.3, "{held}");
    assert!(free > 2.0 * held, "{free}");
}
