//! The GPU: plans as compute shaders, through wgpu on Vulkan, Metal or DirectX 12.
//!
//! States, optimisers' memory and counters stay on the device. A run of a program is recorded, not awaited: several runs go to the
//! device in one submission, with what the host uploads in between in their order, and nothing is read back until somebody asks
//! for a result or a state. What always holds: commands reach the device in the order of the calls; after a fault of the device every
//! call fails with what it said.

mod adapter;
mod clock;
mod memory;
mod program;
mod shared;
mod state;
mod stream;
mod timer;
mod tune;

pub use adapter::{Adapter, adapters};
pub use program::GpuExecutable;
pub use shared::GpuDevice;
pub use state::GpuStates;
pub use stream::Traffic;
