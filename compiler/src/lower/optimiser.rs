//! Optimisers, written in ops so that they fuse with everything around them.
//!
//! Each takes a parameter and its gradient and gives the parameter's next value; its memory are states of the player.

use super::target::GraphTarget;
use crate::ir::Expr;
use saddlepoint_language::{Optimiser, OptimiserSpec};

/// The parts of one player's update that all its parameters share.
pub struct Update<'s> {
    player: usize,
    kind: &'s Optimiser,
    rate: Expr,
    /// 1 − β₁ᵗ and 1 − β₂ᵗ, for Adam.
    corrections: Option<(Expr, Expr)>,
}

impl<'s> Update<'s> {
    /// Starts the update of a player with the learning rate of this step, a scalar.
    pub fn new(target: &mut GraphTarget<'_>, player: usize, spec: &'s OptimiserSpec, rate: Expr) -> Update<'s> {
        let corrections = match spec.kind {
            // 1 − βᵗ is kept as the average of ones: c ← β·c + (1 − β). Computing it from βᵗ would cancel for β near 1.
            Optimiser::Adam { beta1, beta2, .. } => {
                let mut average = |name: &str, beta: f64| {
                    let state = target.memory(player, name, None, &[]);
                    let next = state.scale(beta as f32).shift((1.0 - beta) as f32);
                    target.write(&memory_name(target.player_name(player), name), &next);
                    next
                };
                Some((average("correction1", beta1), average("correction2", beta2)))
            }
            _ => None,
        };
        Update { player, kind: &spec.kind, rate, corrections }
    }

    /// The parameter's next value.
    pub fn apply(&self, target: &mut GraphTarget<'_>, name: &str, parameter: &Expr, gradient: &Expr) -> Expr {
        let shape = parameter.shape();
        let memory = |target: &mut GraphTarget<'_>, part: &str, next: &dyn Fn(&Expr) -> Expr| {
            let full = format!("{part}.{name}");
            let state = target.memory(self.player, &full, Some(name), &shape);
            let value = next(&state);
            target.write(&memory_name(target.player_name(self.player), &full), &value);
            value
        };
        match *self.kind {
            // Robbins and Monro 1951; momentum as in PyTorch: b ← μ·b + g, p ← p − lr·b.
            Optimiser::Sgd { momentum } => {
                let step = match momentum == 0.0 {
                    true => gradient.clone(),
                    false => memory(target, "momentum", &|b| b.scale(momentum as f32) + gradient),
                };
                parameter - step * &self.rate
            }
            // Kingma and Ba 2015, algorithm 1; `decay` is decoupled (Loshchilov and Hutter 2019).
            Optimiser::Adam { beta1, beta2, eps, decay } => {
                let Some((c1, c2)) = &self.corrections else { return parameter.clone() };
                let m = memory(target, "m", &|m| m.scale(beta1 as f32) + gradient.scale((1.0 - beta1) as f32));
                let v = memory(target, "v", &|v| v.scale(beta2 as f32) + gradient.square().scale((1.0 - beta2) as f32));
                // lr·(m/c₁)/(√(v/c₂) + ε), with the scalars taken out: lr·√c₂/c₁ · m/(√v + ε·√c₂)
                let root = c2.sqrt();
                let rate = &self.rate * &root / c1;
                let step = m * &rate / (v.sqrt() + root.scale(eps as f32));
                let kept = match decay == 0.0 {
                    true => parameter.clone(),
                    false => parameter - parameter * &self.rate.scale(decay as f32),
                };
                kept - step
            }
            // Tieleman and Hinton 2012; PyTorch's defaults.
            Optimiser::RmsProp { alpha, eps } => {
                let v = memory(target, "v", &|v| v.scale(alpha as f32) + gradient.square().scale((1.0 - alpha) as f32));
                parameter - gradient * &self.rate / v.sqrt().shift(eps as f32)
            }
        }
    }
}

/// Name of a player's optimiser state.
pub fn memory_name(player: &str, part: &str) -> String {
    format!("optimiser.{player}.{part}")
}
