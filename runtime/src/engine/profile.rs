//! What a step consists of: every turn's plan in numbers ([`Engine::turns`]), and where its time goes ([`Engine::profile`]).

use super::{Engine, Turn};
use crate::array::Column;
use crate::error::Result;
use saddlepoint_compiler::plan::PlanSummary;

/// A turn of the step, planned.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnSummary {
    /// The players that move in it.
    pub players: Vec<String>,
    /// Its inner steps: how often its program runs in a step.
    pub steps: usize,
    /// Nodes of its optimised program, beside inputs, states and constants.
    pub nodes: usize,
    /// Its program in numbers.
    pub plan: PlanSummary,
}

/// A turn of one step, measured.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnProfile {
    /// The players that move in it.
    pub players: Vec<String>,
    /// Packing, kernels, products and convolutions in the order of the plan, each over all inner steps.
    pub parts: Vec<PartProfile>,
}

/// What one kernel, product or convolution took.
#[derive(Clone, Debug, PartialEq)]
pub struct PartProfile {
    /// The step as the plan prints it.
    pub what: String,
    /// Seconds until all workers had finished it.
    pub seconds: f64,
    /// Floating-point operations, of a product or convolution.
    pub contraction_flops: usize,
}

impl Engine {
    /// All turns of a step, in their order, whatever the phase.
    pub fn turns(&self) -> Vec<TurnSummary> {
        let summary = |(turn, t): (usize, &Turn)| TurnSummary {
            players: self.names(turn),
            steps: t.steps,
            nodes: t.program.report.stages.last().map_or(0, |stage| stage.after.nodes as usize),
            plan: t.program.executable.summary(),
        };
        self.turns.iter().enumerate().map(summary).collect()
    }

    /// One step like [`Engine::step`], with all workers meeting after each part of each program so that every part has a time of
    /// its own. Workers that would have gone ahead wait here: the sum is more than what a step takes.
    ///
    /// # Errors
    /// As [`Engine::step`].
    pub fn profile(&mut self, batches: &[Vec<Vec<Column<'_>>>]) -> Result<Vec<TurnProfile>> {
        let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); self.turns.len()];
        self.step_by(batches, |engine, turn, batch| {
            let times = engine.turn_by(turn, batch, |program, store, moment| {
                program.with_inputs(moment, batch, &[], |executable, inputs| executable.profile(store, inputs))
            })?;
            seconds[turn].resize(times.len(), 0.0);
            seconds[turn].iter_mut().zip(times).for_each(|(sum, time)| *sum += time);
            Ok(())
        })?;
        let profile = |(turn, seconds): (usize, Vec<f64>)| {
            let steps = self.turns[turn].steps;
            let part = |((what, flops), seconds)| PartProfile { what, seconds, contraction_flops: steps * flops };
            let parts = self.turns[turn].program.executable.parts().into_iter().zip(seconds).map(part).collect();
            TurnProfile { players: self.names(turn), parts }
        };
        Ok(seconds.into_iter().enumerate().filter(|(turn, _)| self.moves(*turn)).map(profile).collect())
    }

    /// The players of a turn by name.
    fn names(&self, turn: usize) -> Vec<String> {
        self.turns[turn].players.iter().map(|p| self.resolved.players[*p].name.clone()).collect()
    }
}
