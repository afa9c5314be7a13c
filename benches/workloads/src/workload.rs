//! What is measured: [`Workload`], at a [`Size`] of its own or another one, and a built one, [`Running`].

use crate::models::{W1, W1Batch, W1Consts, W2, W2Batch, W2Consts, W3, W3Batch, W3Consts, W4, W4Batch, W4Consts};
use crate::unseen::{
    Dcgan64, Dcgan64Batch, Dcgan64Consts, Residual, ResidualBatch, ResidualConsts, Sequence, SequenceBatch, SequenceConsts,
};
use crate::{Engine, useful};
use rand_distr::{Distribution, StandardNormal};
use saddlepoint::prelude::*;
use saddlepoint_runtime::TurnProfile;
use saddlepoint_runtime::streams::Stream;

/// One of the four, or of the three that are measured beside them.
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
    /// Residual nets on 32×32 pictures, batch 64.
    Residual,
    /// Recurrent nets on sequences of twenty points, batch 64.
    Sequence,
    /// DCGAN on 64×64 pictures, batch 64.
    Dcgan64,
}

/// How large a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Samples of a batch.
    pub batch: usize,
    /// The model's `WIDTH`, of which all its widths and channels between noise and data are multiples.
    pub width: usize,
}

/// A built workload with its batch.
pub struct Running(Box<dyn Steps>);

/// What all of them do, whatever their types.
trait Steps {
    fn step(&mut self) -> saddlepoint::Result<()>;
    fn wait(&mut self) -> saddlepoint::Result<Vec<Option<f32>>>;
    fn profile(&mut self) -> saddlepoint::Result<Vec<TurnProfile>>;
    fn engine(&self) -> &Engine;
}

impl Workload {
    /// The four that the project is measured on, and compared with other frameworks.
    pub const FOUR: [Workload; 4] = [Workload::W1, Workload::W2, Workload::W3, Workload::W4];
    /// Those that nothing was tuned on.
    pub const UNSEEN: [Workload; 3] = [Workload::Residual, Workload::Sequence, Workload::Dcgan64];
    /// Every one.
    pub const ALL: [Workload; 7] =
        [Workload::W1, Workload::W2, Workload::W3, Workload::W4, Workload::Residual, Workload::Sequence, Workload::Dcgan64];

    /// As command lines and tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Workload::W1 => "w1",
            Workload::W2 => "w2",
            Workload::W3 => "w3",
            Workload::W4 => "w4",
            Workload::Residual => "residual",
            Workload::Sequence => "gru",
            Workload::Dcgan64 => "dcgan64",
        }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Workload> {
        Workload::ALL.into_iter().find(|w| w.name() == name)
    }

    /// The size that it is measured at unless another one is asked for.
    pub fn size(self) -> Size {
        match self {
            Workload::W1 => Size { batch: 512, width: 1 },
            Workload::W2 => Size { batch: 128, width: 1 },
            Workload::W3 | Workload::W4 => Size { batch: 64, width: 1 },
            Workload::Residual | Workload::Dcgan64 => Size { batch: 64, width: 32 },
            Workload::Sequence => Size { batch: 64, width: 128 },
        }
    }

    /// The floating-point operations of a step's products that the algorithm needs; a constant of workload and size, whatever the
    /// compiler makes of the step.
    pub fn useful_flops(self, size: Size) -> f64 {
        useful::useful(self, size)
    }

    /// Builds it at this size with a batch of standard normal numbers; on so many workers, or one a core.
    ///
    /// # Errors
    /// Those of a model's build.
    pub fn build(self, size: Size, workers: Option<usize>) -> saddlepoint::Result<Running> {
        let config = Config::new().seed(0);
        self.build_with(
            size,
            match workers {
                Some(n) => config.workers(n),
                None => config,
            },
        )
    }

    /// As [`Workload::build`], on the device and with the seed of a configuration; the batch is the size's.
    ///
    /// # Errors
    /// Those of a model's build.
    pub fn build_with(self, size: Size, config: Config) -> saddlepoint::Result<Running> {
        let config = config.batch(size.batch);
        let x = |sample: &[usize]| {
            let shape = [&[size.batch], sample].concat();
            let mut draws = Stream::Synthetic { set: self.name() }.open(0);
            let values = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut draws)).collect();
            Tensor::new(shape, values)
        };
        macro_rules! held {
            ($model:ident, $consts:ident, $batch:ident, $shape:expr) => {
                Box::new(Held {
                    model: $model::build($consts { WIDTH: size.width }, config)?,
                    batch: [$batch { x: x(&$shape)? }],
                })
            };
        }
        Ok(Running(match self {
            Workload::W1 => held!(W1, W1Consts, W1Batch, [2]),
            Workload::W2 => held!(W2, W2Consts, W2Batch, [784]),
            Workload::W3 => held!(W3, W3Consts, W3Batch, [1, 28, 28]),
            Workload::W4 => held!(W4, W4Consts, W4Batch, [1, 28, 28]),
            Workload::Residual => held!(Residual, ResidualConsts, ResidualBatch, [3, 32, 32]),
            Workload::Sequence => held!(Sequence, SequenceConsts, SequenceBatch, [20, 16]),
            Workload::Dcgan64 => held!(Dcgan64, Dcgan64Consts, Dcgan64Batch, [3, 64, 64]),
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

    /// Waits until all steps so far have been made, and gives the objectives.
    ///
    /// # Errors
    /// Those of the device.
    pub fn wait(&mut self) -> saddlepoint::Result<Vec<Option<f32>>> {
        self.0.wait()
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

            fn wait(&mut self) -> saddlepoint::Result<Vec<Option<f32>>> {
                self.model.engine_mut().metrics()
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

steps!(W1, W2, W3, W4, Residual, Sequence, Dcgan64);
