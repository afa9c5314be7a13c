//! The four workloads on which saddlepoint is measured, and what is measured: [`Workload`], [`measure`], [`GemmPeak`]; two large
//! models on which only the build is, [`sentences`].
//!
//! A step is all discriminator updates and the generator's update; the batch lies in memory, the same for every step, and noise
//! is drawn inside of the step. `benches/peers/` has the same workloads in other frameworks.

mod gemm_peak;
mod measure;
mod memory;
pub mod models;
pub mod sentences;
mod useful;

pub use gemm_peak::GemmPeak;
pub use measure::{Measured, measure};
pub use memory::peak_resident_bytes;
pub use saddlepoint_runtime::{Engine, TurnSummary};

use models::{W1, W1Batch, W2, W2Batch, W3, W3Batch, W4, W4Batch};
use rand_distr::{Distribution, StandardNormal};
use saddlepoint::prelude::*;
use saddlepoint_runtime::TurnProfile;
use saddlepoint_runtime::streams::Stream;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Small dense nets on points of the plane, batch 512.
    W1,
    /// Dense nets on 784 pixels, batch 128.
    W2,
    /// DCGAN on 28×28 pictures, batch 64.
    W3,
    /// WGAN-GP on 28×28 pictures, batch 64, five critic steps.
    W4,
}

/// A built workload with its batch.
pub struct Running(Box<dyn Steps>);

/// What all of them do, whatever their types.
trait Steps {
    fn step(&mut self) -> saddlepoint::Result<()>;
    fn profile(&mut self) -> saddlepoint::Result<Vec<TurnProfile>>;
    fn engine(&self) -> &Engine;
}

impl Workload {
    /// All four.
    pub const ALL: [Workload; 4] = [Workload::W1, Workload::W2, Workload::W3, Workload::W4];

    /// As command lines and tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Workload::W1 => "w1",
            Workload::W2 => "w2",
            Workload::W3 => "w3",
            Workload::W4 => "w4",
        }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::ALL.into_iter().find(|w| w.name() == name)
    }

    /// Samples of a batch.
    pub fn batch(self) -> usize {
        match self {
            Workload::W1 => 512,
            Workload::W2 => 128,
            Workload::W3 | Workload::W4 => 64,
        }
    }

    /// The floating-point operations of a step's products that the algorithm needs; a constant of the workload, whatever the
    /// compiler makes of it.
    pub fn useful_flops(self) -> f64 {
        useful::useful(self)
    }

    /// Builds it with its batch of standard normal numbers; on so many workers, or one a core.
    ///
    /// # Errors
    /// Those of a model's build.
    pub fn build(self, workers: Option<usize>) -> saddlepoint::Result<Running> {
        let config = Config::new().batch(self.batch()).seed(0);
        let config = match workers {
            Some(n) => config.workers(n),
            None => config,
        };
        let x = |sample: &[usize]| {
            let shape = [&[self.batch()], sample].concat();
            let mut draws = Stream::Synthetic { set: self.name() }.open(0);
            let values = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut draws)).collect();
            Tensor::new(shape, values)
        };
        Ok(Running(match self {
            Workload::W1 => Box::new(Held { model: W1::build(config)?, batch: [W1Batch { x: x(&[2])? }] }),
            Workload::W2 => Box::new(Held { model: W2::build(config)?, batch: [W2Batch { x: x(&[784])? }] }),
            Workload::W3 => Box::new(Held { model: W3::build(config)?, batch: [W3Batch { x: x(&[1, 28, 28])? }] }),
            Workload::W4 => Box::new(Held { model: W4::build(config)?, batch: [W4Batch { x: x(&[1, 28, 28])? }] }),
        }))
    }
}

impl Running {
    /// One step, all turns of it on the one batch.
    ///
    /// # Errors
    /// Those of a model's step.
    pub fn step(&mut self) -> saddlepoint::Result<()> {
        self.0.step()
    }

    /// One step, every part of it by itself under the clock.
    ///
    /// # Errors
    /// Those of a model's step.
    pub fn profile(&mut self) -> saddlepoint::Result<Vec<TurnProfile>> {
        self.0.profile()
    }

    /// Floating-point operations of the products and convolutions that a step executes.
    pub fn executed_flops(&self) -> f64 {
        self.0.engine().turns().iter().map(|turn| (turn.steps * turn.plan.contraction_flops) as f64).sum()
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Engine {
        self.0.engine()
    }

    /// What the compiler made of it.
    pub fn explain(&self) -> String {
        self.0.engine().explain()
    }
}

/// A model with the batch it always trains on.
struct Held<M: Model> {
    model: M,
    batch: [M::Batch; 1],
}

macro_rules! steps {
    ($($model:ident),*) => {$(
        impl Steps for Held<$model> {
            fn step(&mut self) -> saddlepoint::Result<()> {
                self.model.step(&self.batch)
            }

            fn profile(&mut self) -> saddlepoint::Result<Vec<TurnProfile>> {
                let x = (&self.batch[0].x).into();
                self.model.engine_mut().profile(&[vec![vec![x]]])
            }

            fn engine(&self) -> &Engine {
                self.model.engine()
            }
        }
    )*};
}

steps!(W1, W2, W3, W4);
