//! Programs on which the optimiser is measured, beside the workloads: what it is switched off for, level by level.
//!
//! Every turn of these models is a turn of every step, so that sums over turns say what a step does. `sentences::SeqGan` has four phases, of
//! which a step runs one, and half of the words; the example of CycleGAN is as short as can be, and has no identity term. So both
//! stand here once more, as a user would write them.

#![allow(missing_docs)] // the models' own types

use crate::Engine;
use crate::models::{W1, W1Consts, W2, W2Consts, W3, W3Consts, W4, W4Consts};
use crate::unseen::{Sequence, SequenceConsts};
use crate::workload::Workload;
use saddlepoint::prelude::*;
use saddlepoint_runtime::Array;
use saddlepoint_runtime::streams::Stream;

gan! {
    /// WGAN-GP whose critic is spectrally normalised (Gulrajani et al. 2017; Miyato et al. 2018), on 28×28 pictures.
    pub model Spectral {
        data  x: [1, 28, 28];
        noise z: normal([64]);
        noise eps: uniform([1]);
        net G(z: [64]) -> [1, 28, 28] {
            z.dense(64 * 7 * 7).reshape([64, 7, 7]).batch_norm().relu()
                .conv_transpose(32, kernel = 4, stride = 2, pad = 1).batch_norm().relu()
                .conv_transpose(1, kernel = 4, stride = 2, pad = 1).tanh()
        }
        #[spectral_norm]
        net D(x: [1, 28, 28]) -> [1] {
            x.conv(32, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .conv(64, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)
                .flatten().dense(256).leaky_relu(0.2).dense(1)
        }
        let fake = G(z);
        let mid = mix(x, fake, eps);
        player D minimizes { E[D(fake)] - E[D(x)] + 10.0 * E[square(grad(D(mid), mid).norm() - 1.0)] }
        player G minimizes { -E[D(fake)] }
        train { D: adam(2e-4, beta1 = 0.5), steps = 5;  G: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// CycleGAN (Zhu et al. 2017) with the identity term, on 28×28 pictures: two maps and two critics with pools of fifty.
    pub model Cycle {
        data a: [1, 28, 28];
        data b: [1, 28, 28];
        fn mapper(x) {
            x.conv(16, kernel = 7, pad = 3).instance_norm().relu().conv(32, kernel = 4, stride = 2, pad = 1).instance_norm().relu()
                .repeat(2, |h| h + h.conv(32, kernel = 3, pad = 1).instance_norm().relu().conv(32, kernel = 3, pad = 1).instance_norm())
                .conv_transpose(16, kernel = 4, stride = 2, pad = 1).instance_norm().relu().conv(1, kernel = 7, pad = 3).tanh()
        }
        fn critic(x) { x.repeat([16, 32], |h, n| h.conv(n, kernel = 4, stride = 2, pad = 1).leaky_relu(0.2)).conv(1, kernel = 3, pad = 1) }
        net GAB(x: [1, 28, 28]) -> [1, 28, 28] { mapper(x) }
        net GBA(x: [1, 28, 28]) -> [1, 28, 28] { mapper(x) }
        net DA(x: [1, 28, 28]) -> [1, 7, 7] { critic(x) }
        net DB(x: [1, 28, 28]) -> [1, 7, 7] { critic(x) }
        let (fa, fb) = (GBA(b), GAB(a));
        fn lsgan(real, fake) { 0.5 * E[square(real - 1.0)] + 0.5 * E[square(fake)] }
        player Maps updates (GAB, GBA) minimizes {
            0.5 * E[square(DB(fb) - 1.0)] + 0.5 * E[square(DA(fa) - 1.0)]
                + 10.0 * (E[abs(GBA(fb) - a)] + E[abs(GAB(fa) - b)])
                + 5.0 * (E[abs(GAB(b) - b)] + E[abs(GBA(a) - a)])
        }
        player DA minimizes { lsgan(DA(a), DA(replay(fa, 50))) }
        player DB minimizes { lsgan(DB(b), DB(replay(fb, 50))) }
        train { Maps, DA, DB: adam(2e-4, beta1 = 0.5); }
    }
}

gan! {
    /// SeqGAN (Yu et al. 2017), twenty words unrolled, each rewarded by sixteen roll-outs: more than five thousand nodes a turn.
    pub model Sentences {
        const V: usize = 200;
        const T: usize = 20;
        const N: usize = 4;
        data pair { c: class(20), x: [T] of class(V) }
        net Start(c: class(20)) -> [32] { c.embed(32) }
        net Step(w: class(V), h: [32]) -> ([V], [32]) { let h = w.embed(32).gru_cell(h); (h.dense(V), h) }
        net D(c: class(20), x: [T] of class(V)) -> [1] { concat(x.embed(32).gru(64)[T - 1], c.embed(16)).dense(32).relu().dense(1) }
        fn finish(said, state, last, from) {
            let (mut words, mut h, mut w) = (said, state, last);
            for _ in from..T {
                let (logits, next) = Step(w, h);
                w = sample(logits);
                words.push(w);
                h = next;
            }
            stack(words)
        }
        let said = finish(list(), Start(c), label(0, V), 0);
        player D minimizes { E[softplus(-D(c, x))] + E[softplus(D(c, said))] }
        player Words updates (Start, Step) maximizes {
            let (mut h, mut w, mut words, mut gain) = (Start(c), label(0, V), list(), 0.0);
            for t in 0..T {
                let (logits, next) = Step(w, h);
                w = sample(logits);
                h = next;
                words.push(w);
                let q = vmap(copies(h, N), |h| sigmoid(D(c, finish(words, h, w, t + 1)))).mean();
                gain += (q - E[q]) * log_prob(logits, w);
            }
            E[gain]
        }
        train { D, Words: adam(1e-3); }
    }
}

/// A program of the ablation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ablated {
    /// One of the workloads.
    Workload(Workload),
    /// WGAN-GP with spectral norm.
    Spectral,
    /// CycleGAN.
    Cycle,
    /// SeqGAN.
    Sentences,
}

/// A built program with its batch.
pub struct Trial {
    engine: Box<dyn AsMut<Engine>>,
    batch: Vec<Vec<Array>>,
}

impl Ablated {
    /// Every one.
    pub const ALL: [Ablated; 8] = [
        Ablated::Workload(Workload::W1),
        Ablated::Workload(Workload::W2),
        Ablated::Workload(Workload::W3),
        Ablated::Workload(Workload::W4),
        Ablated::Workload(Workload::Sequence),
        Ablated::Spectral,
        Ablated::Cycle,
        Ablated::Sentences,
    ];

    /// As tables and command lines name it.
    pub fn name(self) -> &'static str {
        match self {
            Ablated::Workload(workload) => workload.name(),
            Ablated::Spectral => "wgan-gp-sn",
            Ablated::Cycle => "cyclegan",
            Ablated::Sentences => "seqgan",
        }
    }

    /// The program of this name.
    pub fn named(name: &str) -> Option<Ablated> {
        Ablated::ALL.into_iter().find(|program| program.name() == name)
    }

    /// Builds it as `config` says, whose batch is replaced by the program's own, with a batch of numbers.
    ///
    /// # Errors
    /// Those of a model's build.
    pub fn build(self, config: Config) -> saddlepoint::Result<Trial> {
        let tensor = |batch: usize, sample: &[usize]| {
            let shape = [&[batch], sample].concat();
            let mut draws = Stream::Synthetic { set: self.name() }.open(0);
            let values = (0..shape.iter().product())
                .map(|_| rand_distr::Distribution::sample(&rand_distr::StandardNormal, &mut draws));
            Tensor::new(shape, values.collect()).map(Array::Tensor)
        };
        let classes = |batch: usize, sample: &[usize], k: usize| {
            let shape = [&[batch], sample].concat();
            let values = (0..shape.iter().product::<usize>()).map(|i| (i * 7 + i / 11) % k).map(|i| i as i32).collect();
            Classes::new(shape, k, values).map(Array::Classes)
        };
        fn trial<M: Model + 'static>(model: M, batch: Vec<Vec<Array>>) -> Trial {
            struct Own<M>(M);
            impl<M: Model> AsMut<Engine> for Own<M> {
                fn as_mut(&mut self) -> &mut Engine {
                    self.0.engine_mut()
                }
            }
            Trial { engine: Box::new(Own(model)), batch }
        }
        Ok(match self {
            Ablated::Workload(workload) => {
                let size = workload.size();
                let config = config.batch(size.batch);
                let one = |sample: &[usize]| Ok::<_, saddlepoint::Error>(vec![vec![tensor(size.batch, sample)?]]);
                match workload {
                    Workload::W1 => trial(W1::build(W1Consts { WIDTH: size.width }, config)?, one(&[2])?),
                    Workload::W2 => trial(W2::build(W2Consts { WIDTH: size.width }, config)?, one(&[784])?),
                    Workload::W3 => trial(W3::build(W3Consts { WIDTH: size.width }, config)?, one(&[1, 28, 28])?),
                    Workload::W4 => trial(W4::build(W4Consts { WIDTH: size.width }, config)?, one(&[1, 28, 28])?),
                    _ => trial(Sequence::build(SequenceConsts { WIDTH: size.width }, config)?, one(&[20, 16])?),
                }
            }
            Ablated::Spectral => trial(Spectral::build(config.batch(64))?, vec![vec![tensor(64, &[1, 28, 28])?]]),
            Ablated::Cycle => {
                let pictures = || tensor(8, &[1, 28, 28]);
                trial(Cycle::build(config.batch(8))?, vec![vec![pictures()?], vec![pictures()?]])
            }
            Ablated::Sentences => {
                let batch = vec![vec![classes(32, &[], 20)?, classes(32, &[20], 200)?]];
                trial(Sentences::build(config.batch(32))?, batch)
            }
        })
    }
}

impl Trial {
    /// One step, all turns of it on the one batch.
    ///
    /// # Errors
    /// Those of a model's step.
    pub fn step(&mut self) -> saddlepoint::Result<()> {
        let batch = self.batch.iter().map(|group| group.iter().map(Array::as_column).collect()).collect();
        self.engine.as_mut().as_mut().step(&[batch])
    }

    /// One step, every part of it by itself under the clock.
    ///
    /// # Errors
    /// Those of a model's step.
    pub fn profile(&mut self) -> saddlepoint::Result<Vec<saddlepoint_runtime::TurnProfile>> {
        let batch = self.batch.iter().map(|group| group.iter().map(Array::as_column).collect()).collect();
        self.engine.as_mut().as_mut().profile(&[batch])
    }

    /// The engine behind it.
    pub fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().as_mut()
    }
}
