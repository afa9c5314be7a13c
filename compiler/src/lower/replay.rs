//! `replay(v, size)`: a pool of earlier samples (Shrivastava et al. 2017, section 2.3; CycleGAN uses one of 50 images).
//!
//! In: the samples of this batch. Out: the samples to show a critic instead. Until the pool is full, samples are stored and given
//! back. From then on each is, with probability ½, exchanged with the one in a slot of its own: slot (r + i) mod size for sample
//! i, with one r drawn for the batch. What always holds: no two samples of a batch have the same slot, since a pool has at least
//! as many slots as a batch has samples; what a pool holds was stored whole, bit by bit; no gradient passes.
//!
//! The pool is two states, `POOL.samples` and `POOL.filled`, moved by the turns that evaluate the call and by nothing else.

use super::states::{Init, Kind};
use super::target::GraphTarget;
use crate::ir::{DType, Expr, Op};

/// The samples given back; moves the pool.
pub fn replay(target: &mut GraphTarget<'_>, pool: &str, x: &Expr, size: usize) -> Result<Expr, String> {
    let n = x.shape()[0];
    if size < n {
        return Err(format!(
            "the pool of `replay` has {size} slots for batches of {n} samples; it needs one a sample at least"
        ));
    }
    let mut shape = x.shape();
    shape[0] = size;
    let [samples, filled] = ["samples", "filled"].map(|part| format!("{pool}.{part}"));
    // Classes are kept as numbers, which f32 holds exactly.
    let class = x.ty().dtype == DType::I32;
    let shown = if class { x.cast(DType::F32) } else { x.stop_grad() };
    let kept = target.state(&samples, &shape, Init::Constant(0.0), Kind::Replay);
    let count = target.state(&filled, &[], Init::Constant(0.0), Kind::Replay);

    let slots = count.scalar(size as f32);
    let full = flag(&count.lt(&slots.shift(-0.5))).neg().shift(1.0);
    let draws = target.draws();
    let rotation = draws.class(&[], size).cast(DType::F32);
    let coins = flag(&draws.uniform(&[n]).lt(&full.scalar(0.5).repeated(&[n])));
    // Filling goes on behind what is there; exchanging begins anywhere and goes around.
    let first = &full * rotation + (1.0 - &full) * &count;
    // While the pool fills, every sample that finds a slot is stored.
    let stores = coins.max(&(1.0 - &full).repeated(&[n]));

    // For each slot the sample whose it is: those from n on do not exist, and while the pool fills nothing goes around its end.
    let ahead = places(x, size) - first.repeated(&[size]);
    let around = flag(&ahead.lt(&ahead.scalar(-0.5)));
    let sample = &ahead + &around * &slots;
    let owned = flag(&sample.lt(&sample.scalar(n as f32 - 0.5))) * (1.0 - around * (1.0 - &full));
    let index = sample.min(&sample.scalar(n as f32 - 1.0)).cast(DType::I32);
    let taken = owned * stores.gather(&index, 0);
    let next = over(&taken, &shape).select(&shown.gather(&index, 0), &kept);

    // For each sample what its slot held.
    let slot = places(x, n) + first.repeated(&[n]);
    let beyond = flag(&slot.scalar(size as f32 - 0.5).lt(&slot));
    let slot = (&slot - beyond * &slots).cast(DType::I32);
    let given = over(&(coins * &full), &x.shape()).select(&kept.gather(&slot, 0), &shown);

    target.move_state(&samples, &next);
    target.move_state(&filled, &count.shift(n as f32).min(&slots));
    Ok(if class { given.cast(DType::I32) } else { given })
}

/// A truth value as 0.0 or 1.0.
fn flag(condition: &Expr) -> Expr {
    let one = condition.builder().f32(1.0);
    condition.select(&one, &one.scalar(0.0))
}

/// 0.0, 1.0, …, n − 1.
fn places(like: &Expr, n: usize) -> Expr {
    like.builder().op(Op::Iota { shape: vec![n], axis: 0 }, &[]).cast(DType::F32)
}

/// Whether a number of each sample or slot is 1, for all elements that belong to it.
fn over(flags: &Expr, shape: &[usize]) -> Expr {
    flags.scalar(0.5).lt(flags).broadcast(shape, &[0])
}
