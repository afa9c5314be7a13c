//! The workloads on which saddlepoint is measured, and what is measured: [`Workload`], [`measure`], [`GemmPeak`]; how the time of
//! a step grows with its work, [`growth`], and how it falls with workers, [`workers`]; two large models on which only the build
//! is measured, [`sentences`].
//!
//! A step is all discriminator updates and the generator's update; the batch lies in memory, the same for every step, and noise
//! is drawn inside of the step. `benches/peers/` has four of the workloads in other frameworks.

pub mod ablation;
mod gemm_peak;
pub mod growth;
mod measure;
mod memory;
pub mod models;
pub mod sentences;
pub mod unseen;
mod useful;
pub mod workers;
mod workload;

pub use gemm_peak::GemmPeak;
pub use measure::{Measured, Times, measure};
pub use memory::peak_resident_bytes;
pub use saddlepoint_runtime::{Engine, TurnSummary};
pub use workload::{Running, Size, Workload};
