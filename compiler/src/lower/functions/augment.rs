//! Differentiable augmentation (Zhao et al. 2020): what D sees of real and made pictures alike is changed at random, by functions
//! whose gradients reach the generator.

use super::draws::Draws;
use crate::ir::{DType, Expr, Op};

/// The axes of pictures `[n, c, h, w]`.
const CHANNELS: usize = 1;
const SPATIAL: [usize; 2] = [2, 3];

/// A number each sample, `[n]`, for every element of `x`.
fn for_each(number: &Expr, x: &Expr) -> Expr {
    number.broadcast(&x.shape(), &[0])
}

/// The mean over some axes, in the place of every element.
fn mean_of(x: &Expr, axes: &[usize]) -> Expr {
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    x.mean(axes).broadcast(&x.shape(), &kept)
}

/// 1.0 where it holds.
fn indicator(holds: &Expr) -> Expr {
    let one = holds.builder().f32(1.0).repeated(&holds.shape());
    holds.select(&one, &one.scalar(0.0).repeated(&holds.shape()))
}

/// Pixels of an axis, as a share of its length: rounded half up.
fn pixels(length: usize, ratio: f64) -> usize {
    (length as f64 * ratio + 0.5) as usize
}

impl Draws {
    /// Brightness, saturation and contrast: x + u with u in ±½; the distance from the mean over channels times 0 to 2; the distance from
    /// the mean of the picture times ½ to 3/2. One draw a sample each.
    pub fn colours(&mut self, x: &Expr) -> Expr {
        let n = &[x.shape()[0]];
        let mut x = x + for_each(&self.uniform_between(n, -0.5, 0.5), x);
        // Where there is one channel, its mean is itself.
        let stretched = [(vec![CHANNELS], 0.0, 2.0), (vec![CHANNELS, SPATIAL[0], SPATIAL[1]], 0.5, 1.5)];
        for (axes, low, high) in stretched {
            if axes.iter().map(|axis| x.shape()[*axis]).product::<usize>() > 1 {
                let mean = mean_of(&x, &axes);
                x = (&x - &mean) * for_each(&self.uniform_between(n, low, high), &x) + mean;
            }
        }
        x
    }

    /// Moved along both axes by up to this share of their lengths, zeros coming in.
    pub fn translation(&mut self, x: &Expr, ratio: f64) -> Expr {
        SPATIAL.into_iter().fold(x.clone(), |x, axis| {
            let (n, length) = (x.shape()[0], x.shape()[axis]);
            let most = pixels(length, ratio);
            if most == 0 {
                return x;
            }
            let place = self.class(&[n], 2 * most + 1);
            let mut around = vec![0; x.rank()];
            around[axis] = most;
            let padded = x.pad(&around, &around, &vec![0; x.rank()], &x.scalar(0.0));
            // Each sample is the sum of all its positions, of which all but one are multiplied by 0.
            let moved = (0..=2 * most).map(|from| {
                let here = indicator(&place.eq(&place.builder().i32(from as i32).repeated(&[n])));
                padded.slice_axis(axis, from, from + length) * for_each(&here, &x)
            });
            moved.reduce(|sum, term| sum + term).unwrap_or(x)
        })
    }

    /// A rectangle of this share of both lengths set to 0, its middle anywhere in the picture.
    pub fn cutout(&mut self, x: &Expr, ratio: f64) -> Expr {
        let sides = SPATIAL.map(|axis| pixels(x.shape()[axis], ratio));
        if sides.contains(&0) {
            return x.clone();
        }
        let n = x.shape()[0];
        let inside = [0, 1].map(|i| {
            let (length, side) = (x.shape()[SPATIAL[i]], sides[i]);
            // An even side has no middle pixel: its middle lies before any of them, or behind the last.
            let first = self.class(&[n], length + 1 - side % 2).cast(DType::F32).shift(-((side / 2) as f32));
            let at = x.builder().op(Op::Iota { shape: vec![n, length], axis: 1 }, &[]).cast(DType::F32);
            let from = at.sub(&first.broadcast(&[n, length], &[0]));
            let (below, beyond) = (from.lt(&from.scalar(-0.5).repeated(&[n, length])), {
                let last = from.scalar(side as f32 - 0.5).repeated(&[n, length]);
                last.lt(&from)
            });
            (indicator(&below) + indicator(&beyond)).neg().shift(1.0).broadcast(&x.shape(), &[0, SPATIAL[i]])
        });
        let [rows, columns] = inside;
        x * (rows * columns).neg().shift(1.0)
    }
}
