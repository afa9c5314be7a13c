//! Everything that persists between programs, by name: parameters, optimiser moments, running statistics, averages.

use crate::ir::Type;
use std::collections::BTreeMap;

/// How a state starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// The same number everywhere.
    Constant(f32),
    /// Uniform in (low, high).
    Uniform {
        /// From.
        low: f32,
        /// To.
        high: f32,
    },
    /// Normal around 0.
    Normal {
        /// Standard deviation.
        deviation: f32,
    },
    /// An average starts at what it averages.
    CopyOf,
    /// A singular vector starts after power iterations on the initial weight, [`POWER_ITERATIONS`] of them, from a vector of
    /// normal numbers in the left vector's place.
    Singular,
}

/// Power iterations before training, as PyTorch makes: outputs of a model that has not trained divide by a usable estimate.
pub const POWER_ITERATIONS: usize = 15;

impl Init {
    /// Uniform in (−bound, bound).
    pub fn within(bound: f32) -> Init {
        Init::Uniform { low: -bound, high: bound }
    }
}

/// What a state is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Moved by a player's updates.
    Parameter {
        /// Index of the owning net.
        net: usize,
    },
    /// Running statistics of a normalisation: moved by turns that update the net.
    Statistic {
        /// Index of the owning net.
        net: usize,
    },
    /// A unit vector with which the largest singular value of a weight is estimated: moved by turns that update the net.
    SingularVector {
        /// Index of the owning net.
        net: usize,
        /// Name of the weight.
        of: String,
        /// The weight's axis of output features, which are the rows of its matrix.
        rows: usize,
        /// Whether it is the left one, with an element a row.
        left: bool,
    },
    /// An average of a parameter, read by outputs.
    Average {
        /// Name of the parameter.
        of: String,
    },
    /// A latent: moved by a player's updates.
    Latent {
        /// Index of the latent.
        latent: usize,
    },
    /// The samples of a replay pool, or how many it holds: moved by the turns that evaluate its call.
    Replay,
    /// An optimiser's memory for one player.
    Optimiser {
        /// Index of the player.
        player: usize,
    },
}

/// A state with its type, its start and its role.
#[derive(Clone, Debug, PartialEq)]
pub struct StateSpec {
    /// Element type and shape; parameters have PyTorch's shapes.
    pub ty: Type,
    /// How it starts.
    pub init: Init,
    /// What it is.
    pub kind: Kind,
    /// Grows with the first use: the layers of a net follow each other as they are executed.
    pub order: usize,
    /// Holds the rows of this batch's samples out of a table that has one row a sample of a data group, for the latent of
    /// this index: whoever runs the program puts them there before and takes them back after.
    pub rows_of: Option<usize>,
}

/// The states of a model by name, in the names' order.
pub type States = BTreeMap<String, StateSpec>;
