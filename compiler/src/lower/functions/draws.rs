//! Random draws. Every draw has its own stream, so that no two can be merged and none depends on another's shape.

use crate::ir::{DType, Expr, Op};

/// The source of one evaluation's draws: its key and the next free stream.
#[derive(Clone)]
pub struct Draws {
    key: Expr,
    next: u32,
}

impl Draws {
    /// Draws under `key: i32[4]` = (seed low, seed high, step, turn).
    pub fn new(key: Expr) -> Draws {
        Draws { key, next: 0 }
    }

    /// Uniform in (0, 1).
    pub fn uniform(&mut self, shape: &[usize]) -> Expr {
        let stream = self.next;
        self.next += 1;
        self.key.builder().op(Op::Rng { stream, shape: shape.to_vec() }, &[&self.key])
    }

    /// Standard normal (Box and Muller 1958): √(−2 ln u)·sin(2πw).
    pub fn normal(&mut self, shape: &[usize]) -> Expr {
        let radius = self.uniform(shape).ln().scale(-2.0).sqrt();
        let angle = self.uniform(shape).scale(std::f32::consts::TAU);
        radius * angle.sin()
    }

    /// Uniform in (low, high).
    pub fn uniform_between(&mut self, shape: &[usize], low: f64, high: f64) -> Expr {
        self.uniform(shape).scale((high - low) as f32).shift(low as f32)
    }

    /// 1.0 with probability `p`, a scalar or of the same shape.
    pub fn bernoulli(&mut self, shape: &[usize], p: &Expr) -> Expr {
        let u = self.uniform(shape);
        u.lt(&p.repeated(shape)).select(&p.scalar(1.0), &p.scalar(0.0))
    }

    /// Uniform class among `classes`.
    pub fn class(&mut self, shape: &[usize], classes: usize) -> Expr {
        // u < 1 but u·K may round to K; the minimum keeps the class in range.
        let u = self.uniform(shape).scale(classes as f32).floor();
        u.min(&u.scalar(classes as f32 - 1.0)).cast(DType::I32)
    }

    /// Uniform among the classes other than the given one.
    pub fn other_class(&mut self, class: &Expr, classes: usize) -> Expr {
        // 1 to K−1 places on, around the circle of classes; exact in floats.
        let further = self.class(&class.shape(), classes - 1).cast(DType::F32).shift(1.0);
        let place = class.cast(DType::F32) + further;
        let k = place.scalar(classes as f32).repeated(&place.shape());
        place.lt(&k).select(&place, &(&place - &k)).cast(DType::I32)
    }

    /// The batch rotated by 1 to n−1 places, the same for all samples, each of which has this many rows; there are at least two.
    pub fn other_sample(&mut self, x: &Expr, entries: usize) -> Expr {
        let n = x.shape()[0];
        let rotation = self.class(&[], n / entries - 1).cast(DType::F32).shift(1.0).scale(entries as f32);
        let places = x.builder().op(Op::Iota { shape: vec![n], axis: 0 }, &[]).cast(DType::F32) + rotation;
        let count = places.scalar(n as f32).repeated(&[n]);
        let places = places.lt(&count).select(&places, &(&places - &count)).cast(DType::I32);
        x.gather(&places, 0)
    }

    /// Standard Gumbel: −ln(−ln u).
    pub fn gumbel(&mut self, shape: &[usize]) -> Expr {
        self.uniform(shape).ln().neg().ln().neg()
    }

    /// Inverted dropout: elements are 0 with probability p, else divided by 1 − p (Srivastava et al. 2014).
    pub fn dropout(&mut self, x: &Expr, p: f64) -> Expr {
        let kept = self.uniform(&x.shape()).lt(&x.scalar((1.0 - p) as f32).repeated(&x.shape()));
        kept.select(&x.scale((1.0 / (1.0 - p)) as f32), &x.scalar(0.0))
    }
}
