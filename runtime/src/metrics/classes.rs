//! What classes say: the Inception Score, modes that are reached, and the accuracy of clusters.

use super::assignment::best_assignment;
use super::features::Features;
use super::spread::Spread;
use crate::error::{Error, Result};
use crate::tensor::{Classes, Tensor};

/// How far a row of probabilities may be from the sum 1: what f32 loses over many classes.
const SUM: f64 = 1e-3;

/// Which of the known classes samples reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassModes {
    /// Classes with at least one sample.
    pub modes: usize,
    /// All classes.
    pub classes: usize,
    /// KL(samples' shares ‖ reference), in nats: 0 where every class has its share; infinite where a class is reached that the
    /// reference does not have.
    pub divergence: f64,
}

/// The Inception Score exp E KL(p(y|x) ‖ p(y)) (Salimans et al. 2016) from a classifier's probabilities, `[n, K]`, p(y) being
/// their mean: over `splits` parts of the samples, in the order given (shuffle samples that are sorted). From 1, where all
/// samples look alike, to K. Rows are divided by their sum, so that rounding in f32 does not count.
///
/// # Errors
/// [`Error::Data`] with the row where a probability is negative or not finite, or the sum is not 1; [`Error::Setting`] for fewer
/// than one split or fewer samples than splits.
pub fn inception_score(probabilities: &Tensor, splits: usize) -> Result<Spread> {
    let rows = distributions(probabilities)?;
    let (n, classes) = (rows.len(), rows.first().map_or(0, Vec::len));
    if splits == 0 || splits > n {
        let message = format!("expected 1 to {n}, as there are {n} samples, found {splits}");
        return Err(Error::Setting { setting: "splits", message });
    }
    let score = |split: usize| {
        let part = &rows[split * n / splits..(split + 1) * n / splits];
        let mut marginal = vec![0.0; classes];
        for row in part {
            marginal.iter_mut().zip(row).for_each(|(sum, p)| *sum += p / part.len() as f64);
        }
        (part.iter().map(|row| divergence(row, &marginal)).sum::<f64>() / part.len() as f64).exp()
    };
    Ok(Spread::of(&(0..splits).map(score).collect::<Vec<f64>>()))
}

/// The likeliest class of each row of probabilities or logits, `[n, K]`; of equally likely ones the first.
///
/// # Errors
/// [`Error::Data`] for another shape, no samples or a number that is not finite.
pub fn predictions(scores: &Tensor) -> Result<Classes> {
    let rows = table("class scores", scores)?;
    let likeliest = |row: &[f32]| {
        row.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (k, &p)| if p > best.1 { (k, p) } else { best }).0 as i32
    };
    Classes::new([rows.rows], rows.width, (0..rows.rows).map(|row| likeliest(rows.row(row))).collect())
}

/// Several labels of each sample as one class of their product: three digits are one of a thousand classes, the first label being
/// the most significant (stacked MNIST, Metz et al. 2017).
///
/// # Errors
/// [`Error::Data`] for no labels, unequal numbers of them, or more classes than an `i32` counts.
pub fn stacked(labels: &[&Classes]) -> Result<Classes> {
    let refuse = |expected: &str, found: String| Err(Error::data("stacked labels", expected, found));
    let Some(first) = labels.first() else { return refuse("at least one set of labels", "none".into()) };
    if let Some(other) = labels.iter().find(|other| other.as_slice().len() != first.as_slice().len()) {
        return refuse(&format!("{} labels of each", first.as_slice().len()), other.as_slice().len().to_string());
    }
    let count = labels.iter().try_fold(1_i32, |count, labels| count.checked_mul(i32::try_from(labels.count()).ok()?));
    let Some(count) = count else { return refuse(&format!("at most {} classes", i32::MAX), "more".into()) };
    let joined = |at: usize| labels.iter().fold(0, |class, labels| class * labels.count() as i32 + labels.as_slice()[at]);
    Classes::new([first.as_slice().len()], count as usize, (0..first.as_slice().len()).map(joined).collect())
}

/// How many classes generated samples reach, by the labels that a classifier gives them, and how far their shares are from a
/// reference, `[K]`, or from equal shares if there is none (stacked MNIST: Metz et al. 2017; Srivastava et al. 2017; Lin et al.
/// 2018). [`predictions`] makes labels of probabilities, [`stacked`] one of several.
///
/// # Errors
/// [`Error::Data`] for no samples, or a reference that is no distribution over the classes.
pub fn class_modes(generated: &Classes, reference: Option<&[f64]>) -> Result<ClassModes> {
    let (samples, classes) = (generated.as_slice().len(), generated.count());
    if samples == 0 {
        return Err(Error::data("generated labels", "at least one", "none"));
    }
    let equal = vec![1.0 / classes as f64; classes];
    let reference = reference.unwrap_or(&equal);
    if reference.len() != classes {
        return Err(Error::data("reference shares", format!("{classes}, one a class"), reference.len().to_string()));
    }
    if let Some(share) = reference.iter().find(|share| !(share.is_finite() && **share >= 0.0)) {
        return Err(Error::data("reference shares", "numbers from 0", share.to_string()));
    }
    let sum: f64 = reference.iter().sum();
    if (sum - 1.0).abs() > SUM {
        return Err(Error::data("reference shares", "the sum 1", sum.to_string()));
    }
    let mut shares = vec![0.0; classes];
    generated.as_slice().iter().for_each(|&class| shares[class as usize] += 1.0 / samples as f64);
    let modes = shares.iter().filter(|&&share| share > 0.0).count();
    Ok(ClassModes { modes, classes, divergence: divergence(&shares, reference) })
}

/// The accuracy of clusters against true labels under the best one-to-one map of clusters to classes (Yang et al. 2010), found
/// by the Hungarian method. Samples of clusters that no class is left for count as wrong.
///
/// # Errors
/// [`Error::Data`] for no samples, or unequal numbers of both.
pub fn cluster_accuracy(labels: &Classes, clusters: &Classes) -> Result<f64> {
    let samples = labels.as_slice().len();
    if samples == 0 || samples != clusters.as_slice().len() {
        let found = format!("{samples} labels and {} clusters", clusters.as_slice().len());
        return Err(Error::data("clusters", "one label and one cluster a sample, of at least one sample", found));
    }
    let size = labels.count().max(clusters.count());
    let mut together = vec![0_i64; size * size];
    let pairs = clusters.as_slice().iter().zip(labels.as_slice());
    pairs.for_each(|(&cluster, &label)| together[cluster as usize * size + label as usize] += 1);
    let classes = best_assignment(&together, size);
    let right: i64 = classes.iter().enumerate().map(|(cluster, class)| together[cluster * size + class]).sum();
    Ok(right as f64 / samples as f64)
}

/// Σ p ln (p / q), with 0 ln 0 = 0.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

fn table<'a>(name: &'static str, values: &'a Tensor) -> Result<Features<'a>> {
    let rows = Features::new(name, values, 1)?;
    match values.shape().len() {
        2 => Ok(rows),
        _ => Err(Error::data(name, "[n, K]", format!("{:?}", values.shape()))),
    }
}

/// Rows of probabilities, checked and divided by their sums.
fn distributions(probabilities: &Tensor) -> Result<Vec<Vec<f64>>> {
    let name = "class probabilities";
    let rows = table(name, probabilities)?;
    let distribution = |at: usize| {
        let row = rows.row(at);
        let refuse = |expected: &str, found: String| {
            Err(Error::Data { r#source: name.into(), row: Some(at), field: None, expected: expected.into(), found })
        };
        if let Some(negative) = row.iter().find(|p| **p < 0.0) {
            return refuse("numbers from 0", negative.to_string());
        }
        let sum: f64 = row.iter().map(|&p| f64::from(p)).sum();
        if (sum - 1.0).abs() > SUM {
            return refuse("the sum 1", sum.to_string());
        }
        Ok(row.iter().map(|&p| f64::from(p) / sum).collect())
    };
    (0..rows.rows).map(distribution).collect()
}
