//! The CPU: worker threads, and dense products and convolutions on the `gemm` family's micro-kernels.

mod axes;
mod conv;
mod kernel;
mod matvec;
mod memory;
mod pack;
mod program;
mod state;
#[cfg(test)]
mod testing;
mod tile;
mod workers;

mod dot;

pub use super::host::HostSlice;
pub use conv::ConvPlan;
pub use dot::{DotPlan, Packing};
pub use program::{CpuDevice, Executable};
pub use state::StateStore;
pub use workers::{Worker, Workers, share};
