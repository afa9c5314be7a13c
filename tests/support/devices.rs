//! The devices that tests run on: the CPU and, with the feature `gpu`, the GPU if there is one.
//!
//! Where there is none, that is said and the GPU is left out, unless `SADDLEPOINT_GPU=required` says that there must be one.
#![allow(dead_code)] // every test target takes its part

use saddlepoint::Device;
#[cfg(feature = "gpu")]
use saddlepoint_runtime::device::gpu::GpuDevice;

/// The devices that there are.
pub fn all() -> Vec<Device> {
    #[cfg(feature = "gpu")]
    if gpu().is_some() {
        return vec![Device::Cpu, Device::Gpu];
    }
    vec![Device::Cpu]
}

/// The GPU, if there is one: the same for all tests of a process.
#[cfg(feature = "gpu")]
pub fn gpu() -> Option<&'static GpuDevice> {
    static DEVICE: std::sync::OnceLock<Option<GpuDevice>> = std::sync::OnceLock::new();
    DEVICE.get_or_init(fresh_gpu).as_ref()
}

/// The GPU, if there is one, opened anew.
#[cfg(feature = "gpu")]
pub fn fresh_gpu() -> Option<GpuDevice> {
    match GpuDevice::new(None) {
        Ok(device) => Some(device),
        Err(error) if std::env::var("SADDLEPOINT_GPU").is_ok_and(|v| v == "required") => panic!("{error}"),
        Err(error) => {
            println!("without a GPU: {error}");
            None
        }
    }
}
