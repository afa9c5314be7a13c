//! Recurrent layers: gated recurrent units (Cho et al. 2014, in the form of PyTorch and cuDNN, whose reset gate stands behind
//! the recurrent product) and long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.).
//!
//! In: a sequence `[batch, T, k]`, or one input `[batch, k]` with its states `[batch, n]`. Out: the states after every step, or
//! after this one. Parameters have PyTorch's names, shapes and order of gates: `weight_ih [g·n, k]`, `weight_hh [g·n, n]`,
//! `bias_ih`, `bias_hh [g·n]`, with g = 3 (reset r, update z, new n) or 4 (input i, forget f, cell g, output o); all start
//! uniform within 1/√n.
//!
//! A sequence is unrolled. What always holds: the product of the inputs is one product for all steps, and every step but the
//! first, which starts from zeros and needs no recurrent product, is the same computation over other buffers, so that its
//! kernels are compiled once.

use super::super::states::Init;
use super::GraphTarget;
use crate::ir::{DotDims, Expr};
use saddlepoint_language::Layer;

/// Gates of a gated recurrent unit: reset, update, new.
const GRU: usize = 3;
/// Gates of long short-term memory: input, forget, cell, output.
const LSTM: usize = 4;

/// How a layer goes through its sequence.
pub struct Sequence<'a> {
    /// `[batch, T]`: where it is 0, the state is held.
    pub mask: Option<&'a Expr>,
    /// From the last element to the first.
    pub reverse: bool,
}

/// `[batch, T, k] → [batch, T, n]`: the state after every element.
pub fn gru(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, n: usize, sequence: &Sequence<'_>) -> Option<Expr> {
    let weights = Weights::of(target, layer, x, n, GRU);
    unrolled(&weights, x, sequence, |input, [h]: [Option<&Expr>; 1]| [weights.gru(input, h)])
}

/// `[batch, T, k] → [batch, T, n]`: the state after every element; the cell stays inside.
pub fn lstm(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, n: usize, sequence: &Sequence<'_>) -> Option<Expr> {
    let weights = Weights::of(target, layer, x, n, LSTM);
    unrolled(&weights, x, sequence, |input, [h, c]| weights.lstm(input, h, c))
}

/// `[batch, k], [batch, n] → [batch, n]`: the next state.
pub fn gru_cell(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, h: &Expr) -> Expr {
    let weights = Weights::of(target, layer, x, h.shape()[1], GRU);
    weights.gru(&weights.input_part(x), Some(h))
}

/// `[batch, k]` and state and cell `[batch, n]` → the next state and cell.
pub fn lstm_cell(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, h: &Expr, c: &Expr) -> [Expr; 2] {
    let weights = Weights::of(target, layer, x, h.shape()[1], LSTM);
    weights.lstm(&weights.input_part(x), Some(h), Some(c))
}

/// The parameters of a layer.
struct Weights {
    input: Expr,
    input_bias: Expr,
    hidden: Expr,
    hidden_bias: Expr,
    /// Elements of a state.
    n: usize,
}

impl Weights {
    /// For inputs like `x`, whose last axis holds the features.
    fn of(target: &mut GraphTarget<'_>, layer: &Layer, x: &Expr, n: usize, gates: usize) -> Weights {
        let k = x.shape().last().copied().unwrap_or(1);
        let init = Init::within(1.0 / (n as f32).sqrt());
        Weights {
            input: target.weight(layer, "weight_ih", &[gates * n, k], init, 0),
            hidden: target.weight(layer, "weight_hh", &[gates * n, n], init, 0),
            input_bias: target.parameter(layer, "bias_ih", &[gates * n], init),
            hidden_bias: target.parameter(layer, "bias_hh", &[gates * n], init),
            n,
        }
    }

    /// W_ih·x + b_ih of all gates, over the last axis of `x`.
    fn input_part(&self, x: &Expr) -> Expr {
        affine(x, &self.input, &self.input_bias)
    }

    /// W_hh·h + b_hh of all gates; a missing state is zeros, `[batch, n]` like the part of `input` that belongs to one gate.
    fn state_part(&self, h: Option<&Expr>, input: &Expr) -> Expr {
        match h {
            Some(h) => affine(h, &self.hidden, &self.hidden_bias),
            None => self.hidden_bias.broadcast(&input.shape(), &[1]),
        }
    }

    /// The part of one gate.
    fn gate(&self, gates: &Expr, number: usize) -> Expr {
        gates.slice_axis(1, number * self.n, (number + 1) * self.n)
    }

    /// h′ = (1 − z)⊙n + z⊙h.
    fn gru(&self, input: &Expr, h: Option<&Expr>) -> Expr {
        let state = self.state_part(h, input);
        let sum = |gate: usize| self.gate(input, gate) + self.gate(&state, gate);
        let (reset, update) = (sum(0).sigmoid(), sum(1).sigmoid());
        let new = (self.gate(input, 2) + reset * self.gate(&state, 2)).tanh();
        // n + z⊙(h − n), which is the same with one product less.
        match h {
            Some(h) => &new + update * (h - &new),
            None => &new - update * &new,
        }
    }

    /// c′ = f⊙c + i⊙g, h′ = o⊙tanh(c′).
    fn lstm(&self, input: &Expr, h: Option<&Expr>, c: Option<&Expr>) -> [Expr; 2] {
        let gates = input + self.state_part(h, input);
        let (entering, cell) = (self.gate(&gates, 0).sigmoid(), self.gate(&gates, 2).tanh());
        let entered = entering * cell;
        let next = match c {
            Some(c) => self.gate(&gates, 1).sigmoid() * c + entered,
            None => entered,
        };
        [self.gate(&gates, 3).sigmoid() * next.tanh(), next]
    }
}

/// The states after every element, stacked; of several states the first. The step takes the input's part of all gates and the
/// states before, `None` for zeros. `None` for a sequence without elements.
fn unrolled<const S: usize>(
    weights: &Weights,
    x: &Expr,
    sequence: &Sequence<'_>,
    step: impl Fn(&Expr, [Option<&Expr>; S]) -> [Expr; S],
) -> Option<Expr> {
    let (batch, length) = (x.shape()[0], x.shape()[1]);
    let inputs = weights.input_part(x);
    let zeros = x.builder().full(0.0, &[batch, weights.n]);
    let mut states: Option<[Expr; S]> = None;
    let mut rows = vec![None; length];
    let order: Vec<usize> = if sequence.reverse { (0..length).rev().collect() } else { (0..length).collect() };
    for t in order {
        let input = inputs.slice_axis(1, t, t + 1).reshape(&[batch, inputs.shape()[2]]);
        let before = std::array::from_fn(|s| states.as_ref().map(|states| &states[s]));
        let mut next = step(&input, before);
        if let Some(mask) = sequence.mask {
            let hold = mask.slice_axis(1, t, t + 1).reshape(&[batch]).eq(&mask.scalar(0.0));
            let hold = hold.broadcast(&[batch, weights.n], &[0]);
            next = std::array::from_fn(|s| hold.select(before[s].unwrap_or(&zeros), &next[s]));
        }
        rows[t] = Some(next[0].reshape(&[batch, 1, weights.n]));
        states = Some(next);
    }
    Expr::concat(&rows.iter().flatten().collect::<Vec<_>>(), 1)
}

/// x·Wᵀ + b over the last axis.
fn affine(x: &Expr, weight: &Expr, bias: &Expr) -> Expr {
    let last = x.rank() - 1;
    let y = x.dot(weight, DotDims { lhs_contract: vec![last], rhs_contract: vec![1], ..DotDims::default() });
    &y + bias.broadcast(&y.shape(), &[last])
}
