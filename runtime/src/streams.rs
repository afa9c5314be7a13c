//! The registry of random streams, and the generator behind all of them: Philox 4x32-10, counter-based.
//!
//! Every random number drawn on the host belongs to one [`Stream`]; a stream under a seed gives the same numbers wherever and
//! whenever it is opened, so nothing about randomness has to be stored. Streams are unrelated to each other: a stream's key and
//! upper counter are themselves Philox outputs, keyed by the seed, at the stream's own position.
//!
//! Draws inside compiled programs come from the same generator: [`Stream::key`] of [`Stream::Program`] and
//! [`Stream::FixedNoise`] gives the two words that take the seed's place in a program's key, equal integers on every device.

use std::convert::Infallible;

use rand::rand_core::TryRng;
use saddlepoint_compiler::ir::philox::philox;

/// One purpose for which random numbers are drawn. This enumeration is the registry: a new purpose is a new variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream<'a> {
    /// The initial value of a parameter or latent. Its name, not its position, decides: adding a layer changes no other.
    Initial {
        /// The parameter's name.
        parameter: &'a str,
    },
    /// The order of a data group's samples in one epoch.
    Shuffle {
        /// The group's number in the model.
        group: u32,
        /// The epoch, from 0.
        epoch: u64,
    },
    /// Synthetic data.
    Synthetic {
        /// Which data set.
        set: &'a str,
    },
    /// The draws of a compiled program.
    Program {
        /// The program's name.
        name: &'a str,
    },
    /// The noise that sample grids are drawn from, the same at every step.
    FixedNoise {
        /// The output's name.
        output: &'a str,
    },
    /// The order of samples drawn by hand, in one epoch.
    Draws {
        /// The epoch, from 0.
        epoch: u64,
    },
    /// Which samples belong to the first part of a split.
    Split,
    /// What a metric draws: directions, subsets.
    Metric {
        /// The metric's name.
        name: &'a str,
    },
}

/// Keeps the keys under which streams are derived apart from the keys under which compiled programs draw.
const HOST: [u32; 2] = [0x7361_6464, 0x6c65_7074];

impl Stream<'_> {
    /// The stream's position: its kind, and what tells it from others of its kind.
    fn position(self) -> [u32; 4] {
        let named = |kind, name: &str| {
            let hash = fnv1a(name.as_bytes());
            [kind, hash as u32, (hash >> 32) as u32, name.len() as u32]
        };
        match self {
            Stream::Initial { parameter } => named(1, parameter),
            Stream::Shuffle { group, epoch } => [2, group, epoch as u32, (epoch >> 32) as u32],
            Stream::Synthetic { set } => named(3, set),
            Stream::Program { name } => named(4, name),
            Stream::FixedNoise { output } => named(5, output),
            Stream::Draws { epoch } => [6, 0, epoch as u32, (epoch >> 32) as u32],
            Stream::Split => [7, 0, 0, 0],
            Stream::Metric { name } => named(8, name),
        }
    }

    /// 128 bits that belong to this stream alone: a key, and the upper half of the counter.
    pub fn words(self, seed: u64) -> [u32; 4] {
        philox(self.position(), [seed as u32 ^ HOST[0], (seed >> 32) as u32 ^ HOST[1]])
    }

    /// A 64-bit key that belongs to this stream alone.
    pub fn key(self, seed: u64) -> [u32; 2] {
        let [low, high, _, _] = self.words(seed);
        [low, high]
    }

    /// The stream's generator, at its beginning.
    pub fn open(self, seed: u64) -> Philox {
        let [k0, k1, c2, c3] = self.words(seed);
        Philox { key: [k0, k1], upper: [c2, c3], block: 0, buffer: [0; 4], used: 4 }
    }
}

/// A random generator for `rand` over Philox 4x32-10: four numbers a block, one block a counter value.
#[derive(Clone, Debug)]
pub struct Philox {
    key: [u32; 2],
    upper: [u32; 2],
    block: u64,
    buffer: [u32; 4],
    used: usize,
}

impl Philox {
    fn word(&mut self) -> u32 {
        if self.used == 4 {
            let counter = [self.block as u32, (self.block >> 32) as u32, self.upper[0], self.upper[1]];
            self.buffer = philox(counter, self.key);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }
}

impl TryRng for Philox {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = self.word();
        Ok(u64::from(low) | u64::from(self.word()) << 32)
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
        for chunk in destination.chunks_mut(4) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// FNV-1a, 64 bits: fixed for ever, so that names mean the same streams in every version.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt};

    use super::*;

    #[test]
    fn a_stream_repeats_under_one_seed_and_differs_from_every_other() {
        let streams = [
            Stream::Initial { parameter: "G.dense_0.weight" },
            Stream::Initial { parameter: "G.dense_1.weight" },
            Stream::Shuffle { group: 0, epoch: 0 },
            Stream::Shuffle { group: 0, epoch: 1 },
            Stream::Shuffle { group: 1, epoch: 0 },
            Stream::Shuffle { group: 0, epoch: 1 << 32 },
            Stream::Synthetic { set: "ring" },
            Stream::Program { name: "ring" },
            Stream::FixedNoise { output: "ring" },
            Stream::Draws { epoch: 0 },
            Stream::Draws { epoch: 1 },
            Stream::Split,
            Stream::Metric { name: "ring" },
        ];
        let mut seen = std::collections::BTreeSet::new();
        for seed in [0, 7, 7 << 32] {
            for stream in streams {
                assert_eq!(stream.open(seed).next_u64(), stream.open(seed).next_u64());
                assert!(seen.insert(stream.open(seed).next_u64()), "{stream:?} under seed {seed} repeats another");
            }
        }
    }

    #[test]
    fn bytes_words_and_long_words_are_one_sequence() {
        let open = || Stream::Synthetic { set: "test" }.open(3);
        let words: Vec<u32> = std::iter::repeat_with({
            let mut rng = open();
            move || rng.next_u32()
        })
        .take(6)
        .collect();
        let mut rng = open();
        assert_eq!(rng.next_u64(), u64::from(words[0]) | u64::from(words[1]) << 32);
        let mut bytes = [0; 24];
        open().fill_bytes(&mut bytes);
        let expected: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(bytes.as_slice(), expected);
    }

    #[test]
    fn uniform_numbers_have_the_mean_and_variance_of_the_uniform_distribution() {
        let mut rng = Stream::Synthetic { set: "uniform" }.open(0);
        let numbers: Vec<f64> = (0..20_000).map(|_| rng.random::<f64>()).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.002, "{mean} {variance}");
    }
}
