//! A device of either kind, as the engine sees it.

#[cfg(feature = "gpu")]
use super::gpu;
use super::{HostSlice, cpu};
use crate::config::{Config, Device};
use crate::{Error, Result};
use saddlepoint_compiler::ir::{Graph, Type};
use saddlepoint_compiler::plan::{Plan, PlanSummary};

/// A device.
pub(crate) enum AnyDevice {
    Cpu(cpu::CpuDevice),
    #[cfg(feature = "gpu")]
    Gpu(gpu::GpuDevice),
}

/// A compiled program.
pub(crate) enum Executable {
    Cpu(Box<cpu::Executable>),
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::GpuExecutable>),
}

/// States of a model.
pub(crate) enum StateStore {
    Cpu(cpu::StateStore),
    #[cfg(feature = "gpu")]
    Gpu(gpu::GpuStates),
}

/// The same expression for either kind.
macro_rules! either {
    ($kind:ident, $value:expr, $name:ident => $body:expr) => {
        match $value {
            $kind::Cpu($name) => $body,
            #[cfg(feature = "gpu")]
            $kind::Gpu($name) => $body,
        }
    };
}

impl AnyDevice {
    /// The device that a configuration asks for.
    pub fn new(config: &Config) -> Result<AnyDevice> {
        let processor = || cpu::CpuDevice::new(config.worker_count()).map(AnyDevice::Cpu);
        match config.device_kind() {
            Device::Cpu => processor(),
            #[cfg(feature = "gpu")]
            Device::Gpu => gpu::GpuDevice::new(config.adapter_name()).map(AnyDevice::Gpu),
            #[cfg(feature = "gpu")]
            Device::Auto if gpu::adapters().first().is_some_and(gpu::Adapter::is_hardware) => {
                gpu::GpuDevice::new(config.adapter_name()).map(AnyDevice::Gpu)
            }
            #[cfg(not(feature = "gpu"))]
            Device::Gpu => Err(Error::device(
                "the crate `saddlepoint` was built without its feature `gpu`: name it in Cargo.toml, or run cargo with `--features gpu`",
            )),
            Device::Auto => processor(),
        }
    }

    /// What it is, for a heading.
    pub fn describe(&self) -> String {
        match self {
            AnyDevice::Cpu(device) => format!("CPU, {} workers", device.workers()),
            #[cfg(feature = "gpu")]
            AnyDevice::Gpu(device) => device.adapter().to_string(),
        }
    }

    pub fn compile(&self, graph: &Graph) -> Result<Executable> {
        Ok(match self {
            AnyDevice::Cpu(device) => Executable::Cpu(Box::new(device.compile(graph)?)),
            #[cfg(feature = "gpu")]
            AnyDevice::Gpu(device) => Executable::Gpu(Box::new(device.compile(graph)?)),
        })
    }

    /// States on this device; none yet.
    pub fn states(&self) -> StateStore {
        match self {
            AnyDevice::Cpu(_) => StateStore::Cpu(cpu::StateStore::new()),
            #[cfg(feature = "gpu")]
            AnyDevice::Gpu(device) => StateStore::Gpu(device.states()),
        }
    }

    /// Loses a GPU; for tests.
    #[cfg(feature = "gpu")]
    pub fn lose(&self) {
        if let AnyDevice::Gpu(device) = self {
            device.lose();
        }
    }

    /// How often host and device met, where they are apart.
    #[cfg(feature = "gpu")]
    pub fn traffic(&self) -> Option<gpu::Traffic> {
        match self {
            AnyDevice::Cpu(_) => None,
            AnyDevice::Gpu(device) => Some(device.traffic()),
        }
    }

    /// Whether results are there when a run returns. Where not, asking for one waits for the device.
    pub fn is_immediate(&self) -> bool {
        matches!(self, AnyDevice::Cpu(_))
    }
}

/// States or a program of one device were given to the other.
#[cfg(feature = "gpu")]
fn foreign<T>() -> Result<T> {
    Err(Error::device("internal: the program and its states are on different devices"))
}

impl Executable {
    pub fn run(&mut self, states: &mut StateStore, inputs: &[HostSlice<'_>]) -> Result<()> {
        match (self, states) {
            (Executable::Cpu(program), StateStore::Cpu(states)) => program.run(states, inputs),
            #[cfg(feature = "gpu")]
            (Executable::Gpu(program), StateStore::Gpu(states)) => program.run(states, inputs),
            #[cfg(feature = "gpu")]
            _ => foreign(),
        }
    }

    pub fn profile(&mut self, states: &mut StateStore, inputs: &[HostSlice<'_>]) -> Result<Vec<f64>> {
        match (self, states) {
            (Executable::Cpu(program), StateStore::Cpu(states)) => program.profile(states, inputs),
            #[cfg(feature = "gpu")]
            (Executable::Gpu(program), StateStore::Gpu(states)) => program.profile(states, inputs),
            #[cfg(feature = "gpu")]
            _ => foreign(),
        }
    }

    pub fn result(&self, name: &str) -> Result<Option<Vec<f32>>> {
        match self {
            Executable::Cpu(program) => Ok(program.result(name)),
            #[cfg(feature = "gpu")]
            Executable::Gpu(program) => program.result(name),
        }
    }

    /// Seconds of the latest runs, by the clock of a device apart.
    pub fn times(&self) -> Result<Vec<f64>> {
        match self {
            Executable::Cpu(_) => Ok(Vec::new()),
            #[cfg(feature = "gpu")]
            Executable::Gpu(program) => program.times(),
        }
    }

    pub fn parts(&self) -> Vec<(String, usize)> {
        either!(Executable, self, program => program.parts())
    }

    pub fn summary(&self) -> PlanSummary {
        either!(Executable, self, program => program.summary())
    }

    pub fn plan(&self) -> &Plan {
        either!(Executable, self, program => program.plan())
    }

    /// Its shaders, if it is of such.
    pub fn shaders(&self) -> &[String] {
        match self {
            Executable::Cpu(_) => &[],
            #[cfg(feature = "gpu")]
            Executable::Gpu(program) => program.shaders(),
        }
    }
}

impl StateStore {
    pub fn declare(&mut self, name: &str, ty: &Type) -> Result<()> {
        either!(StateStore, self, states => states.declare(name, ty))
    }

    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        either!(StateStore, self, states => states.read_f32(name))
    }

    pub fn read_i32(&self, name: &str) -> Result<Vec<i32>> {
        either!(StateStore, self, states => states.read_i32(name))
    }

    pub fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<()> {
        either!(StateStore, self, states => states.write_f32(name, values))
    }

    pub fn write_i32(&mut self, name: &str, values: &[i32]) -> Result<()> {
        either!(StateStore, self, states => states.write_i32(name, values))
    }
}
