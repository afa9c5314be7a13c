//! Code generation: one folder a target.

#[cfg(feature = "cpu")]
pub mod clif;
#[cfg(feature = "gpu")]
pub mod wgsl;
