//! Lowering: a model of the language becomes programs, one graph each.
//!
//! In: a resolved model (every constant known) and the batch size. Out: [`Programs`]: a [`Turn`] for every player (or one for
//! all, if they move simultaneously), the metrics, every output, initial values of latents; and [`States`], what persists between them, by name.
//! What always holds: a program reads and writes only states that are in [`Programs::states`], under the same type;
//! a turn writes only states of nets and latents that its player updates, and optimiser states of that player.

pub mod functions;
mod layers;
mod optimiser;
mod programs;
mod replay;
mod states;
mod target;
mod values;

pub use programs::{OutputProgram, Programs, Turn, lower};
pub use states::{Init, Kind, POWER_ITERATIONS, StateSpec, States};
pub use target::GraphTarget;

use crate::ir::Expr;

/// A Rust function of the user over graph values; per-sample values carry their batch axis in front.
pub type RustFunction = Box<dyn Fn(&[Expr]) -> Expr>;

/// Name of the input that holds a field of a data group.
pub fn data_name(group: &str, field: &str) -> String {
    format!("data.{group}.{field}")
}

/// Name of the input that holds a hyper's value of this step.
pub fn hyper_name(hyper: &str) -> String {
    format!("hyper.{hyper}")
}

/// Name of the input that holds a player's learning rate of this step.
pub fn rate_name(player: &str) -> String {
    format!("rate.{player}")
}

/// Name of the input that holds a parameter of an output.
pub fn argument_name(parameter: &str) -> String {
    format!("argument.{parameter}")
}

/// Name of the state that holds a latent, or its rows of this batch.
pub fn latent_name(latent: &str) -> String {
    format!("latent.{latent}")
}

/// Name of the host result that holds a player's objective.
pub fn loss_name(player: &str) -> String {
    format!("loss.{player}")
}
