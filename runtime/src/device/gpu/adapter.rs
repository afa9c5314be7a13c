//! Which GPUs there are, and the choice among them.

use crate::{Error, Result};
use std::fmt;

/// A GPU as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The driver's name of it.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// The interface it is reached by: `vulkan`, `metal`, `dx12`.
    pub interface: String,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.kind, self.interface)
    }
}

impl Adapter {
    /// Whether it is hardware.
    pub fn is_hardware(&self) -> bool {
        self.kind != "software"
    }
}

/// The name's environment variable: a part of the name of the GPU to be used.
pub(super) const VARIABLE: &str = "SADDLEPOINT_ADAPTER";

fn describe(info: &wgpu::AdapterInfo) -> Adapter {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    };
    Adapter { name: info.name.clone(), kind, interface: info.backend.to_string() }
}

/// All of them, best first: discrete, integrated, virtual, others, software; among equals in the driver's order.
fn all() -> Vec<(Adapter, wgpu::Adapter)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(descriptor);
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut all: Vec<(Adapter, wgpu::Adapter)> = found.into_iter().map(|a| (describe(&a.get_info()), a)).collect();
    let rank = |kind: &str| ["discrete", "integrated", "virtual", "other", "software"].iter().position(|k| *k == kind);
    all.sort_by_key(|(adapter, _)| rank(adapter.kind));
    all
}

/// The GPUs of this machine, best first.
pub fn adapters() -> Vec<Adapter> {
    all().into_iter().map(|(adapter, _)| adapter).collect()
}

/// The best GPU, or the best of those whose name contains `name`, whatever its case.
pub(super) fn choose(name: Option<&str>) -> Result<(Adapter, wgpu::Adapter)> {
    let all = all();
    let known = all.iter().map(|(adapter, _)| adapter.to_string()).collect::<Vec<_>>().join(", ");
    if all.is_empty() {
        return Err(Error::device(
            "no GPU was found: install its driver (on Linux a Vulkan one, `libvulkan1` and, for a software device, \
             `mesa-vulkan-drivers`), or build the model for `Device::Cpu`",
        ));
    }
    let wanted = name.map(str::to_lowercase);
    let suits = |adapter: &Adapter| wanted.as_ref().is_none_or(|name| adapter.name.to_lowercase().contains(name));
    let mut suitable = all.into_iter().filter(|(adapter, _)| suits(adapter));
    suitable.next().ok_or_else(|| {
        Error::device(format!("no GPU has a name with {:?} in it; there are {known}", name.unwrap_or_default()))
    })
}
