//! What every model has, whatever its types.

use super::{Engine, ModelSource};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::tensor::Tensor;
use std::path::Path;

/// A model made by `gan!`. The typed methods (`fit`, `step`, its outputs) are its own.
pub trait Model {
    /// One batch of every data group.
    type Batch;
    /// Its players.
    type Player: Copy;
    /// Its nets.
    type Net: Copy;
    /// Objectives and metrics.
    type Metrics;

    /// Its text, as `gan!` wrote it.
    #[doc(hidden)]
    fn source() -> &'static ModelSource;

    /// The place of a net among the model's.
    #[doc(hidden)]
    fn net_index(net: Self::Net) -> usize;

    /// The engine behind it.
    #[doc(hidden)]
    fn engine(&self) -> &Engine;

    /// The engine behind it.
    #[doc(hidden)]
    fn engine_mut(&mut self) -> &mut Engine;

    /// Writes everything that a bit-exact resume needs. A crash leaves an older file whole.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.engine().to_checkpoint()?.write(path)
    }

    /// Reads what [`Model::save`] wrote, or refuses it and changes nothing.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Checkpoint`].
    fn load(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.engine_mut().take_checkpoint(&Checkpoint::read(path)?)
    }

    /// A parameter by its name, such as `G.dense_0.weight`, in PyTorch's layout.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when there is none of this name.
    fn parameter(&self, name: &str) -> Result<Tensor> {
        self.engine().state(name)
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// [`crate::Error::Data`] when there is none of this name or it has another shape.
    fn set_parameter(&mut self, name: &str, value: &Tensor) -> Result<()> {
        self.engine_mut().set_state(name, value)
    }

    /// Takes over the parameters and running statistics of a net of another model with the same layers; of a net with `#[ema]`
    /// its average, as outputs do. Optimiser states stay as they are.
    ///
    /// # Errors
    /// [`crate::Error::Data`] naming what differs; nothing is changed then.
    fn copy_net<M: Model>(&mut self, net: Self::Net, other: &M, other_net: M::Net) -> Result<()> {
        self.engine_mut().copy_net(Self::net_index(net), other.engine(), M::net_index(other_net))
    }

    /// What the compiler made of it: per program and stage nodes, FLOPs, bytes, kernels and memory.
    fn explain(&self) -> String {
        self.engine().explain()
    }
}
