//! What every model has, whatever its types.

use super::{Engine, ModelSource};
use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::tensor::Tensor;
use crate::torch::TorchNames;
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

    /// Writes everything that a bit-exact resume needs. A crash or a full disk leaves an older file whole.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::Checkpoint`] when a parameter, moment or statistic is not finite.
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.engine().save(path.as_ref())
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

    /// Takes a net's parameters and running statistics from a PyTorch state dict (`safetensors.torch.save_file(net.state_dict(),
    /// path)`), or refuses the file and changes nothing. Returns the names that it found, for [`Model::save_torch`]. Averages
    /// of an `#[ema]` net start anew at what was read; optimisers keep their moments.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::StateDict`] with the names and shapes that do not agree.
    fn load_torch(&mut self, net: Self::Net, path: impl AsRef<Path>, names: &TorchNames) -> Result<TorchNames> {
        self.engine_mut().load_torch(Self::net_index(net), path.as_ref(), names)
    }

    /// Writes a net's parameters and running statistics as a state dict that PyTorch loads with `load_state_dict(load_file(path),
    /// strict=True)`. A file that was there is replaced whole or not at all.
    ///
    /// # Errors
    /// [`crate::Error::Io`]; [`crate::Error::StateDict`] when the names do not cover the net, or a parameter is not finite.
    fn save_torch(&self, net: Self::Net, path: impl AsRef<Path>, names: &TorchNames) -> Result<()> {
        self.engine().save_torch(Self::net_index(net), path.as_ref(), names)
    }

    /// What the compiler made of it: per program and stage nodes, FLOPs, bytes, kernels and memory.
    fn explain(&self) -> String {
        self.engine().explain()
    }

    /// [`Model::explain`] as a page of HTML.
    #[cfg(feature = "report")]
    fn explain_html(&self) -> String {
        self.engine().explain_html()
    }
}
