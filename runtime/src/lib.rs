//! The runtime: host values, data sources, training, checkpoints, devices.
//!
//! What comes in: compiled programs and data. What goes out: trained parameters, pictures, curves, checkpoints. The training
//! loop knows a model only as [`Training`]; the engine implements it for compiled models.

mod array;
mod checkpoint;
#[cfg(feature = "cpu")]
mod config;
pub mod data;
pub mod device;
#[cfg(feature = "cpu")]
mod engine;
mod error;
mod files;
mod fit;
#[cfg(feature = "metrics")]
pub mod metrics;
mod path;
mod picture;
mod source;
pub mod streams;
mod tensor;
mod torch;

pub use array::{Array, Column, Kind};
pub use checkpoint::{Checkpoint, Stored, Values};
#[cfg(feature = "cpu")]
pub use config::{Config, Device};
#[cfg(feature = "cpu")]
pub use engine::{Engine, FromArray, Model, ModelSource, NetDef, PartProfile, Statics, TurnProfile, TurnSummary};
pub use error::{Error, Result};
pub use fit::{Description, Fit, NetDescription, PlayerDescription, Report, Training, drive};
pub use source::loader::{Batches, FieldSpec, GroupSpec, Loader};
pub use source::{ColumnSpec, Columns, Drawn, Draws, InMemory, Repeated, Source, Subset};
pub use tensor::{Classes, Rows, Tensor};
pub use torch::{StateDict, TorchNames};
