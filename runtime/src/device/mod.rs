//! Devices: where compiled programs run.

#[cfg(feature = "cpu")]
pub(crate) mod any;
#[cfg(feature = "cpu")]
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(any(feature = "cpu", feature = "gpu"))]
mod host;
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub use host::HostSlice;
