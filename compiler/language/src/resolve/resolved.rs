//! What is known of a model once its names, constants and types are resolved.

use std::fmt;

use crate::divergence::Analysis;
use crate::evaluate::{Evaluation, Mode};
use crate::resolve::names::Names;
use crate::target::TypesOnly;
use crate::tree;
use crate::types::TensorType;

/// A model with its names, constants, types and training plan resolved. Indices are those of the tree's vectors.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The tree it was made from.
    pub model: tree::Model,
    /// Constants in model order, with their values.
    pub consts: Vec<Const>,
    /// Hypers in model order.
    pub hypers: Vec<Hyper>,
    /// Data groups in model order.
    pub groups: Vec<Group>,
    /// Noises in model order.
    pub noises: Vec<String>,
    /// Latents in model order.
    pub latents: Vec<Latent>,
    /// What follows from the divergences, in model order.
    pub(crate) divergences: Vec<Analysis>,
    /// Nets in model order.
    pub nets: Vec<Net>,
    /// Players in model order.
    pub players: Vec<Player>,
    /// The `train` item.
    pub train: Train,
    /// Phases in model order; empty: every player moves.
    pub phases: Vec<Phase>,
    /// Metrics in model order.
    pub metrics: Vec<String>,
    /// Outputs in model order.
    pub outputs: Vec<Output>,
    /// Values of the tree's `outer`, in order.
    pub outer: Vec<Option<f64>>,
    pub(crate) names: Names,
}

/// A `const`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Const {
    pub name: String,
    pub kind: tree::ConstKind,
    /// A bool is 0 or 1. None only in the macro: given to `build`, or made of what is.
    pub value: Option<f64>,
    /// Declared without value: given to `build`.
    pub given: bool,
}

/// A `hyper`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Hyper {
    pub name: String,
}

/// A data group.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Group {
    pub name: String,
    pub fields: Vec<Field>,
    /// Written `data x: T;`.
    pub single: bool,
}

/// A field of a data group.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Field {
    pub name: String,
    pub ty: TensorType,
}

/// A latent.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Latent {
    pub name: String,
    pub ty: TensorType,
    /// The group whose samples own a row each; None: one batch-free tensor.
    pub per: Option<usize>,
}

/// The type of a value that a net takes or gives.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Type {
    Tensor(TensorType),
    Tuple(Vec<Type>),
    /// Agrees with everything: an error has been reported.
    Unknown,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Tensor(ty) => ty.fmt(f),
            Type::Tuple(parts) => {
                write!(f, "({})", parts.iter().map(Type::to_string).collect::<Vec<_>>().join(", "))
            }
            Type::Unknown => write!(f, "?"),
        }
    }
}

/// A net.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Net {
    pub name: String,
    pub external: bool,
    pub attributes: Attributes,
    pub parameters: Vec<(String, Type)>,
    pub result: Type,
    /// Owns layers.
    pub layers: bool,
    /// Some player updates it.
    pub updated: bool,
}

/// Attributes of a net.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Attributes {
    pub spectral_norm: bool,
    pub clip: Option<f64>,
    pub frozen: bool,
    pub ema: Option<f64>,
    pub init: Option<Init>,
}

/// `#[init(…)]` of a net.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Init {
    Normal { deviation: f64 },
    Uniform { low: f64, high: f64 },
    Zeros,
}

/// What a player updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Updated {
    Net(usize),
    Latent(usize),
}

/// A player.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Player {
    pub name: String,
    pub updates: Vec<Updated>,
    pub maximize: bool,
}

/// The `train` item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Train {
    /// One evaluation a step, every gradient at that point, then the updates in order.
    pub simultaneous: bool,
    /// Players in the order of their lines.
    pub order: Vec<usize>,
    /// By player, in model order.
    pub optimisers: Vec<OptimiserSpec>,
}

/// How a player is updated. The learning rate is [`Resolved::rate_value`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct OptimiserSpec {
    pub kind: Optimiser,
    /// Inner steps a turn.
    pub steps: usize,
    /// Largest norm of the player's whole gradient.
    pub clip_norm: Option<f64>,
    /// Line and player in the tree: (train line, rate argument).
    pub(crate) rate: Option<tree::Expr>,
}

/// An optimiser without its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Optimiser {
    Sgd { momentum: f64 },
    Adam { beta1: f64, beta2: f64, eps: f64, decay: f64 },
    RmsProp { alpha: f64, eps: f64 },
}

/// A phase.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Phase {
    pub name: String,
    /// Its players, in the order of `train`.
    pub players: Vec<usize>,
}

/// An output.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Output {
    pub name: String,
    pub parameters: Vec<Field>,
    /// Takes the number of samples to draw: some result is per sample, no parameter is.
    pub takes_n: bool,
    /// Types of the results; more than one for a tuple.
    pub results: Vec<TensorType>,
    /// The value is a tuple.
    pub tuple: bool,
}

impl Resolved {
    /// The value of a hyper at a step: its formula, unless an override is set for it (also for hypers it is made of).
    pub fn hyper_value(&self, hyper: usize, step: f64, progress: f64, overrides: &[Option<f64>]) -> f64 {
        match (overrides.get(hyper).copied().flatten(), self.model.hypers.get(hyper)) {
            (Some(value), _) => value,
            (None, Some(item)) => self.formula(&item.value, step, progress, overrides),
            (None, None) => f64::NAN,
        }
    }

    /// The learning rate of a player at a step.
    pub fn rate_value(&self, player: usize, step: f64, progress: f64, overrides: &[Option<f64>]) -> f64 {
        match self.train.optimisers.get(player).and_then(|spec| spec.rate.as_ref()) {
            Some(rate) => self.formula(rate, step, progress, overrides),
            None => f64::NAN,
        }
    }

    fn formula(&self, formula: &tree::Expr, step: f64, progress: f64, overrides: &[Option<f64>]) -> f64 {
        let mut types = TypesOnly;
        Evaluation::new(self, &mut types, Mode::Training).formula(formula, step, progress, overrides).unwrap_or(f64::NAN)
    }
}
