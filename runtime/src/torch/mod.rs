//! PyTorch state dicts, as `safetensors.torch.save_file(net.state_dict(), path)` writes them.
//!
//! [`StateDict`] is the file: named arrays, read from bytes and written to them. [`TorchNames`] says which module of it is which
//! layer of a net. Layouts need no conversion: parameters of this library have PyTorch's shapes, images are logically NCHW, and
//! normalisations agree in ε, momentum and the unbiased variance of running statistics.

mod dict;
mod matching;
mod names;

pub use dict::StateDict;
pub(crate) use dict::TRACKED;
pub(crate) use matching::{LayerParts, assign};
pub use names::TorchNames;
