//! A discriminator alone, as the negative of an energy (LeCun et al. 2006; Du and Mordatch 2019): max E D(x) − E D(x̃) − λE[D(x)² + D(x̃)²]
//! against negatives x̃ where D is high, on eight Gaussians on a ring. These come from enumeration of a grid of 64 by 64 cells, as
//! samples of softmax D (the gradient is that of the likelihood of p = eᴰ/Σeᴰ) or, structured learning's, the highest cells; or from
//! Langevin ascent on D's input with replay, where the plane is left continuous.
//!
//! The highest cells make an even plate of each mode, not its bell: nearest neighbours tell them from real points (0.61, where 0.5 is
//! chance), so that this is judged for the two ways to sample alone.
//!
//! `cargo run --release --example energy`: about one minute on two cores.

use saddlepoint::prelude::*;
use saddlepoint_examples_harness::{Options, Threshold, coverage, measure, rows};

gan! {
    /// The negatives are data: the host finds them by the outputs.
    pub model Energy {
        data real: [2];
        data negative: [2];
        noise u: uniform([3]);
        noise everywhere: uniform([2], low = -REACH, high = REACH);
        hyper leash: f32 = 1e-4;
        hyper rate: f32 = 1e-3 * min(1.0, 2.0 * (1.0 - progress));
        net D(x: [2]) -> [1] { (10.0 * x).dense(128).silu().dense(128).silu().dense(1) }
        let (high, low) = (D(real), D(negative));
        player D maximizes { E[high] - E[low] - leash * (E[square(high)] + E[square(low)]) }
        train { D: adam(rate, beta1 = 0.5); }
        output score(x: [2]) = D(x);
        output dice = u;
        output anywhere = everywhere;
        // Ten steps up, each with the noise that makes eᴰ the stationary density (Langevin dynamics).
        output ascend(x: [2]) = {
            let mut at = x;
            for _ in 0..10 {
                let here = at;
                at = here + clamp(STEP * grad(D(here).sum(), here), -0.05, 0.05) + NOISE * normal([2]);
            }
            at
        };
    }
}

/// Half the square of the noise.
const STEP: f32 = 0.5 * NOISE * NOISE;
const NOISE: f32 = 0.03;
/// Modes as wide as a cell, so that the grid can show them.
const SIGMA: f32 = 0.05;
const SIDE: usize = 64;
const REACH: f32 = 1.5;
const CELL: f32 = 2.0 * REACH / SIDE as f32;
const BATCH: usize = 512;
/// Batches of walkers, which move in turn.
const WALKS: usize = 8;

fn main() -> saddlepoint::Result<()> {
    let parts = ["enumerated", "highest", "langevin"];
    let options = Options::read_parts(&parts);
    let seed = options.seed.unwrap_or(1);
    let ring = data::ring(8, 1.0, SIGMA);
    let points = rows(&ring.sample(200_000, seed)?, 0, 200_000)?;
    let held_out = rows(&ring.sample(2_500, seed + 1_000)?, 0, 2_500)?;
    for part in parts.into_iter().filter(|p| options.runs(p)) {
        let rounds = options.steps.unwrap_or(4_000);
        let mut model = Energy::build(options.config(BATCH, seed).batch(BATCH).horizon(rounds))?;
        if options.explain {
            println!("{}", model.explain());
            return Ok(());
        }
        let mut walkers = inside(model.anywhere(WALKS * BATCH)?);
        for round in 0..rounds {
            let at = (round as usize * BATCH) % (points.rows() - BATCH);
            let mut real = rows(&points, at, at + BATCH)?;
            if part != "langevin" {
                real.as_mut_slice().iter_mut().for_each(|x| *x = place(((*x + REACH) / CELL) as usize));
            }
            let negative = match part {
                "enumerated" => drawn(&mut model, BATCH, 0.0)?,
                "highest" => highest(&mut model, BATCH, 0.0)?,
                _ => walked(&mut model, &mut walkers, round as usize % WALKS * BATCH, BATCH)?,
            };
            model.step(&[EnergyBatch { real, negative }])?;
            if round % (rounds / 5).max(1) == 0 {
                println!("{part}, round {round} of {rounds}: {:?}", model.metrics()?);
            }
        }
        let made = match part {
            "enumerated" => drawn(&mut model, 2_500, 1.0)?,
            "highest" => highest(&mut model, 2_500, 1.0)?,
            _ => {
                (0..WALKS).try_for_each(|i| walked(&mut model, &mut walkers, i * BATCH, BATCH).map(drop))?;
                rows(&walkers, 0, 2_500)?
            }
        };
        picture(&mut model, &options.folder("runs/energy").join(format!("{part}.png")))?;
        let held = |threshold| if part == "highest" { Threshold::None } else { threshold };
        coverage(&format!("energy_{part}_ring"), &ring, &made, Threshold::AtLeast(8.0), Threshold::None)?;
        let accuracy = metrics::nearest_neighbour_test(&held_out, &made)?.accuracy;
        measure(&format!("energy_{part}_ring_1nn"), accuracy, held(Threshold::AtMost(0.6)));
    }
    Ok(())
}

/// The middle of a cell along an axis.
fn place(cell: usize) -> f32 {
    (cell.min(SIDE - 1) as f32 + 0.5) * CELL - REACH
}

/// D in the middle of each cell.
fn scores(model: &mut Energy) -> saddlepoint::Result<Vec<f32>> {
    let centres = (0..SIDE * SIDE).flat_map(|i| [place(i % SIDE), place(i / SIDE)]).collect();
    model.score(&Tensor::new([SIDE * SIDE, 2], centres)?).map(Tensor::into_vec)
}

/// e^(D − max D), cell after cell.
fn weights(model: &mut Energy) -> saddlepoint::Result<Vec<f64>> {
    let scores = scores(model)?;
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    Ok(scores.iter().map(|d| f64::from(d - most).exp()).collect())
}

/// These cells' points: with `spread` 0 their middles, with 1 anywhere in them.
fn points_of(cells: impl Iterator<Item = usize>, dice: &Tensor, spread: f32) -> saddlepoint::Result<Tensor> {
    let point = |(i, cell): (usize, usize)| {
        let jitter = |axis: usize| spread * CELL * (dice.row(i)[axis] - 0.5);
        [place(cell % SIDE) + jitter(1), place(cell / SIDE) + jitter(2)]
    };
    Tensor::new([dice.rows(), 2], cells.enumerate().flat_map(point).collect())
}

/// Samples of softmax D over the cells.
fn drawn(model: &mut Energy, n: usize, spread: f32) -> saddlepoint::Result<Tensor> {
    let mut sums = weights(model)?;
    for i in 1..sums.len() {
        sums[i] += sums[i - 1];
    }
    let dice = model.dice(n)?;
    let total = sums[sums.len() - 1];
    let cell = |i: usize| sums.partition_point(|sum| *sum < f64::from(dice.row(i)[0]) * total).min(SIDE * SIDE - 1);
    points_of((0..n).map(cell), &dice, spread)
}

/// As many cells as eight modes cover to three deviations: what D puts highest should be these.
const HIGHEST: usize = 256;

/// The cells where D is highest, in turn.
fn highest(model: &mut Energy, n: usize, spread: f32) -> saddlepoint::Result<Tensor> {
    let scores = scores(model)?;
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let dice = model.dice(n)?;
    points_of((0..n).map(|i| order[i % HIGHEST]), &dice, spread)
}

/// Moves the walkers from this one on by ascent, one in ten of them from anywhere, and gives where they are then.
fn walked(model: &mut Energy, walkers: &mut Tensor, from: usize, n: usize) -> saddlepoint::Result<Tensor> {
    let here = &mut walkers.as_mut_slice()[2 * from..2 * (from + n)];
    let anew = model.anywhere(n / 10)?;
    here[..2 * anew.rows()].copy_from_slice(inside(anew).as_slice());
    let moved = inside(model.ascend(&Tensor::new([n, 2], here.to_vec())?)?);
    here.copy_from_slice(moved.as_slice());
    Ok(moved)
}

/// Points of the square.
fn inside(mut points: Tensor) -> Tensor {
    points.as_mut_slice().iter_mut().for_each(|x| *x = x.clamp(-REACH, REACH));
    points
}

/// The learnt density as a picture.
fn picture(model: &mut Energy, path: &std::path::Path) -> saddlepoint::Result<()> {
    let grey = weights(model)?.iter().map(|w| 2.0 * *w as f32 - 1.0).collect();
    Tensor::new([1, SIDE, SIDE], grey)?.save_grid(path)
}
