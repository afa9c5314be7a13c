//! Devices: where compiled programs run.

#[cfg(feature = "cpu")]
pub mod cpu;
