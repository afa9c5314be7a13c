//! The runtime: host values, data sources, training, checkpoints, devices.
//!
//! What comes in: compiled programs and data. What goes out: trained parameters, pictures, curves, checkpoints. The training
//! loop knows a model only as [`Training`]; the engine implements it for compiled models.

mod array;
mod checkpoint;
mod config;
pub mod data;
pub mod device;
mod engine;
mod error;
mod files;
mod fit;
mod picture;
mod source;
pub mod streams;
mod tensor;
mod torch;

pub use array::{Array, Column, Kind};
pub use checkpoint::{Checkpoint, Stored, Values};
pub use config::{Config, Device};
pub use engine::{Engine, FromArray, Model, ModelSource, NetDef, PartProfile, Statics, TurnProfile, TurnSummary};
pub use error::{Error, Result};
pub use fit::{Description, Fit, NetDescription, PlayerDescription, Report, Training, drive};
pub use source::loader::{FieldSpec, GroupSpec, Loader};
pub use source::{ColumnSpec, Columns, InMemory, Repeated, Source};
pub use tensor::{Classes, Rows, Tensor};
pub use torch::{StateDict, TorchNames};
