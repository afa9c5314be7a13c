//! The frozen judge C\*: a classifier that says what generated pictures show, and whose features distances between sets of
//! pictures are measured on.
//!
//! Its weights are in the repository (`judges/`, with a note of how they came about), so that every example is measured by
//! the same judge. `examples/judge.rs` trains it.

use std::path::PathBuf;

use crate::{Threshold, measure};
use saddlepoint::prelude::*;

gan! {
    /// A small convolutional classifier of 28×28 grey pictures in ten classes.
    pub model Classifier {
        data digits { x: [1, 28, 28], y: class(10) }
        hyper flips: f32 = 0.0;                                   // the share of pictures that training mirrors
        hyper rate: f32 = 2e-3 * min(1.0, 1.25 * (1.0 - progress));

        // Features and logits. What the features see has been through a rectifier: they are not negative.
        net C(x: [1, 28, 28]) -> ([64], [10]) {
            let h = x.conv(16, kernel = 3, pad = 1).batch_norm().relu().max_pool(2)
                .conv(32, kernel = 3, pad = 1).batch_norm().relu().max_pool(2)
                .conv(64, kernel = 3, pad = 1).batch_norm().relu()
                .conv(64, kernel = 3, pad = 1).batch_norm().relu().max_pool(2)
                .flatten().dense(64).batch_norm().relu();
            (h, h.dense(10))
        }

        // Moved by at most one pixel, and mirrored where that is asked for.
        fn varied(x) {
            let wide = (select(uniform([1]) < flips, x.flip(2), x) + 1).pad(1);
            let place = one_hot(categorical(9));
            let mut moved = zeros([1, 28, 28]);
            for i in 0..3 {
                for j in 0..3 {
                    moved += place[3 * i + j] * wide.slice(1, i, i + 28).slice(2, j, j + 28);
                }
            }
            moved - 1
        }

        let logits = C(varied(x)).1;
        player C minimizes { E[cross_entropy(logits, y)] }
        train { C: adam(rate, decay = 0.02); }
        metric accuracy = E[argmax(logits) == y];
        output verdict(x) = { let (features, logits) = C(x); (softmax(logits), features) };
    }
}

/// A classifier that does not learn any more.
pub struct Judge {
    model: Classifier,
}

/// What a judge says of pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The probability of every class: `[n, 10]`.
    pub probabilities: Tensor,
    /// The layer before the classes, 64 numbers from 0 upwards a picture: `[n, 64]`. Fréchet and kernel distances are
    /// measured on it.
    pub features: Tensor,
}

impl Verdict {
    /// The most probable class of each picture; of equal ones the first.
    ///
    /// # Errors
    /// None that can occur: a row has ten probabilities.
    pub fn classes(&self) -> saddlepoint::Result<Classes> {
        let n = self.probabilities.rows();
        let most = |row: &[f32]| {
            let larger = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
            (0..row.len()).fold(0, larger) as i32
        };
        Classes::new([n], 10, (0..n).map(|i| most(self.probabilities.row(i))).collect())
    }

    /// The share of pictures whose most probable class is the given one.
    ///
    /// # Errors
    /// [`saddlepoint::Error::Data`] where there is not one class for each picture.
    pub fn accuracy(&self, y: &Classes) -> saddlepoint::Result<f64> {
        let said = self.classes()?;
        if y.shape() != said.shape() {
            let expected = format!("a class for each of {} pictures", said.rows());
            return Err(saddlepoint::Error::data("accuracy", expected, format!("{:?}", y.shape())));
        }
        let right = said.as_slice().iter().zip(y.as_slice()).filter(|(a, b)| a == b).count();
        Ok(right as f64 / said.rows().max(1) as f64)
    }
}

impl Judge {
    /// Pictures that are judged at a time.
    const BATCH: usize = 250;

    /// The judge of MNIST's digits. It needs no data: its weights are in the repository.
    ///
    /// # Errors
    /// [`saddlepoint::Error::Io`] where `examples/harness/judges` is not there, as beside a program that was moved.
    pub fn mnist() -> saddlepoint::Result<Judge> {
        Judge::from_file(weights("mnist"))
    }

    /// The judge of Fashion-MNIST's clothes, as [`Judge::mnist`].
    ///
    /// # Errors
    /// As [`Judge::mnist`].
    pub fn fashion() -> saddlepoint::Result<Judge> {
        Judge::from_file(weights("fashion"))
    }

    /// A judge of one's own, as `examples/judge.rs` writes it.
    ///
    /// # Errors
    /// [`saddlepoint::Error::Io`], [`saddlepoint::Error::StateDict`] for a file of other layers.
    pub fn from_file(path: impl AsRef<std::path::Path>) -> saddlepoint::Result<Judge> {
        let mut model = Classifier::build(Config::new().batch(Judge::BATCH))?;
        model.load_torch(ClassifierNet::C, path, &TorchNames::by_order())?;
        Ok(Judge { model })
    }

    /// Judges pictures `[n, 1, 28, 28]` from −1 to 1, any number of them.
    ///
    /// # Errors
    /// [`saddlepoint::Error::Data`] for another shape.
    pub fn judge(&mut self, pictures: &Tensor) -> saddlepoint::Result<Verdict> {
        let (probabilities, features) = self.model.verdict(pictures)?;
        Ok(Verdict { probabilities, features })
    }

    /// Judges all samples of a source whose first column is pictures.
    ///
    /// # Errors
    /// The source's own; [`saddlepoint::Error::Data`] for another shape.
    pub fn judge_source(&mut self, source: &dyn Source) -> saddlepoint::Result<Verdict> {
        self.judge(&crate::rows(source, 0, source.len())?)
    }
}

/// Measures what an autoencoder of pictures makes by the Fréchet distance on a judge's features to those of real pictures:
/// `PREFIX_reconstructions_fid` of reconstructions and `PREFIX_fid` of samples, which is given back.
///
/// # Errors
/// [`saddlepoint::Error::Data`] for pictures of another shape, or fewer than two.
pub fn measure_autoencoder(
    prefix: &str,
    judge: &mut Judge,
    real: &Tensor,
    reconstructions: &Tensor,
    samples: &Tensor,
) -> saddlepoint::Result<f64> {
    let mut distance = |pictures: &Tensor| metrics::frechet_distance(real, &judge.judge(pictures)?.features);
    let (again, drawn) = (distance(reconstructions)?, distance(samples)?);
    measure(&format!("{prefix}_reconstructions_fid"), again, Threshold::None);
    measure(&format!("{prefix}_fid"), drawn, Threshold::None);
    Ok(drawn)
}

/// Where a judge's weights are.
fn weights(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("judges").join(format!("{name}.safetensors"))
}
