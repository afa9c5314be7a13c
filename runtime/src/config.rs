//! How a model is built: [`Config`].

use crate::engine::{Donors, Model};
use crate::error::{Error, Result};
use saddlepoint_compiler::rewrite::cost::Rates;
use saddlepoint_compiler::rewrite::{self, Level};

/// Where a model runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// Native code on this machine's cores.
    #[default]
    Cpu,
    /// The best GPU, or the one that [`Config::adapter`] names; needs the feature `gpu`.
    Gpu,
    /// The best GPU if there is one that is hardware and the feature `gpu` is on, else the CPU.
    Auto,
}

impl Device {
    /// [`Device::Gpu`].
    pub fn gpu() -> Device {
        Device::Gpu
    }

    /// [`Device::Auto`].
    pub fn auto() -> Device {
        Device::Auto
    }

    /// The GPUs of this machine, best first.
    #[cfg(feature = "gpu")]
    pub fn adapters() -> Vec<crate::device::gpu::Adapter> {
        crate::device::gpu::adapters()
    }
}

impl std::str::FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Device> {
        match text {
            "cpu" => Ok(Device::Cpu),
            "gpu" => Ok(Device::Gpu),
            "auto" => Ok(Device::Auto),
            other => {
                let message = format!("there is no device {other:?}; there are cpu, gpu and auto");
                Err(Error::Setting { setting: "device", message })
            }
        }
    }
}

/// How a model is built: batch size, seed, device, workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    batch: usize,
    seed: u64,
    device: Device,
    adapter: Option<String>,
    workers: Option<usize>,
    horizon: Option<u64>,
    optimisation: Level,
    fast: bool,
    donors: Donors,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            batch: 64,
            seed: 0,
            device: Device::Cpu,
            adapter: None,
            workers: None,
            horizon: None,
            optimisation: Level::Full,
            fast: false,
            donors: Donors::default(),
        }
    }
}

impl Config {
    /// Batch 64, seed 0, on the CPU with a worker a core.
    pub fn new() -> Config {
        Config::default()
    }

    /// How many samples a batch has, in every data group.
    pub fn batch(mut self, samples: usize) -> Config {
        self.batch = samples;
        self
    }

    /// The seed of all randomness: same seed, same machine, same workers, same bits.
    pub fn seed(mut self, seed: u64) -> Config {
        self.seed = seed;
        self
    }

    /// Where to run.
    pub fn device(mut self, device: Device) -> Config {
        self.device = device;
        self
    }

    /// The GPU to be used, by a part of its name; the best one unless given.
    pub fn adapter(mut self, name: &str) -> Config {
        self.adapter = Some(name.to_string());
        self
    }

    /// How many threads work on a step; as many as there are cores unless given.
    pub fn workers(mut self, workers: usize) -> Config {
        self.workers = Some(workers);
        self
    }

    /// The number of steps over which `progress` goes from 0 to 1 in loops written by hand; a `fit` sets its own.
    pub fn horizon(mut self, steps: u64) -> Config {
        self.horizon = Some(steps);
        self
    }

    /// How far programs are optimised; as far as possible unless given. Less is for measuring what the optimiser does.
    pub fn optimisation(mut self, level: Level) -> Config {
        self.optimisation = level;
        self
    }

    /// Allows rewriting that holds for real numbers and not for every float; off unless asked for. It permits x − x = 0 and (a + b) − b = a,
    /// x·0 = 0, x / x = 1, ln eˣ = x and e^(ln x) = x, and √x·√x = x: what was NaN, infinite or lost in rounding may become what algebra
    /// says. What keeps losses finite needs none of these.
    pub fn fast(mut self, allowed: bool) -> Config {
        self.fast = allowed;
        self
    }

    /// Gives the nets of a trained model to the `extern net`s that name them: their parameters, running statistics and, for
    /// nets with `#[ema]`, the averages in place of the parameters, as they are now. Of several models of one type the one
    /// given last counts.
    pub fn give(mut self, model: &impl Model) -> Config {
        self.donors.add(model.engine());
        self
    }

    /// The models given.
    pub(crate) fn donors(&self) -> &Donors {
        &self.donors
    }

    /// Samples a batch.
    pub fn batch_size(&self) -> usize {
        self.batch
    }

    /// The seed.
    pub fn seed_value(&self) -> u64 {
        self.seed
    }

    /// Where to run.
    pub fn device_kind(&self) -> Device {
        self.device
    }

    /// Threads to work with: those asked for, or one a core.
    pub fn worker_count(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |cores| cores.get()))
    }

    /// A part of the name of the GPU to be used.
    pub fn adapter_name(&self) -> Option<&str> {
        self.adapter.as_deref()
    }

    /// Steps from progress 0 to 1 in loops written by hand.
    pub fn horizon_steps(&self) -> Option<u64> {
        self.horizon
    }

    /// How far programs are optimised.
    pub fn optimisation_level(&self) -> Level {
        self.optimisation
    }

    /// What the optimiser is told.
    pub(crate) fn rewrite_options(&self) -> rewrite::Options {
        rewrite::Options { fast: self.fast, rates: Rates::of_machine(), ..rewrite::Options::at(self.optimisation) }
    }

    /// Refuses settings that make no sense.
    pub fn check(&self) -> Result<()> {
        let refuse = |setting, message: &str| Err(Error::Setting { setting, message: message.to_string() });
        match self {
            Config { batch: 0, .. } => refuse("batch", "a batch has at least one sample"),
            Config { workers: Some(0), .. } => refuse("workers", "at least one thread has to work"),
            Config { horizon: Some(0), .. } => refuse("horizon", "training has at least one step"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        assert!(Config::new().check().is_ok());
        for (config, setting) in
            [(Config::new().batch(0), "batch"), (Config::new().workers(0), "workers"), (Config::new().horizon(0), "horizon")]
        {
            assert!(config.check().unwrap_err().to_string().contains(setting));
        }
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        let config = Config::new().batch(8).seed(7).workers(3).horizon(100);
        assert_eq!((config.batch_size(), config.seed_value()), (8, 7));
        assert_eq!((config.worker_count(), config.horizon_steps()), (3, Some(100)));
    }
}
