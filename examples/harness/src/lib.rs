//! What the examples share: their command line, their measures and the lines that report these.

use clap::Parser;
use saddlepoint::prelude::*;
use std::path::PathBuf;

/// The options every example takes.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Steps of training; the example's own number if absent.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Seed of all randomness.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Samples of a batch.
    #[arg(long)]
    pub batch: Option<usize>,
    /// Worker threads; one a core if absent.
    #[arg(long)]
    pub workers: Option<usize>,
    /// The run folder.
    #[arg(long)]
    pub into: Option<PathBuf>,
    /// Go on from the run folder's newest checkpoint.
    #[arg(long)]
    pub resume: bool,
    /// Print what the compiler made of the model, and stop.
    #[arg(long)]
    pub explain: bool,
}

impl Options {
    /// Reads the command line; prints help and exits where that is asked for.
    pub fn read() -> Options {
        Options::parse()
    }

    /// The configuration: these options over the example's batch and seed.
    pub fn config(&self, batch: usize, seed: u64) -> Config {
        let config = Config::new().batch(self.batch.unwrap_or(batch)).seed(self.seed.unwrap_or(seed));
        match self.workers {
            Some(n) => config.workers(n),
            None => config,
        }
    }

    /// The fit: these options over the example's steps and folder.
    pub fn fit(&self, steps: u64, folder: &str) -> Fit {
        self.fit_in(steps, self.folder(folder))
    }

    /// One of several fits of an example, each in a folder of its own inside of the example's.
    pub fn fit_part(&self, steps: u64, folder: &str, part: &str) -> Fit {
        self.fit_in(steps, self.folder(folder).join(part))
    }

    fn folder(&self, folder: &str) -> PathBuf {
        self.into.clone().unwrap_or_else(|| PathBuf::from(folder))
    }

    fn fit_in(&self, steps: u64, folder: PathBuf) -> Fit {
        let fit = Fit::steps(self.steps.unwrap_or(steps)).into_dir(folder);
        if self.resume { fit.resume() } else { fit }
    }
}

/// How a measure is judged.
#[derive(Clone, Copy, Debug)]
pub enum Threshold {
    /// Passes from this value up.
    AtLeast(f64),
    /// Passes from this value down.
    AtMost(f64),
    /// Reported, not judged.
    None,
}

/// Prints `measure NAME VALUE THRESHOLD pass|fail` and says whether it passed.
pub fn measure(name: &str, value: f64, threshold: Threshold) -> bool {
    let (limit, pass) = match threshold {
        Threshold::AtLeast(t) => (format!(">={t}"), value >= t),
        Threshold::AtMost(t) => (format!("<={t}"), value <= t),
        Threshold::None => ("-".to_string(), true),
    };
    println!("measure {name} {value:.4} {limit} {}", if pass { "pass" } else { "fail" });
    pass
}

/// Samples `from..to` of the first column of a source.
///
/// # Errors
/// The source's own.
pub fn rows(source: &dyn Source, from: usize, to: usize) -> saddlepoint::Result<Tensor> {
    let shape = source.columns().first().map(|c| c.shape.clone()).unwrap_or_default();
    let rows: Vec<usize> = (from..to).collect();
    let mut values = vec![0.0; rows.len() * shape.iter().product::<usize>()];
    source.copy_numbers(0, &rows, &mut values)?;
    Tensor::new([vec![rows.len()], shape].concat(), values)
}

/// Modes of a mixture of equal isotropic Gaussians that samples reach, and the share of samples within 3σ of a mode.
///
/// A mode counts when at least a tenth of its fair share of the samples lies within 3σ of its centre. The share follows
/// PacGAN (Lin et al. 2018), section 4.1: "high quality samples".
pub fn modes(samples: &Tensor, centres: &[[f32; 2]], sigma: f32) -> (usize, f64) {
    let mut hits = vec![0usize; centres.len()];
    for i in 0..samples.rows() {
        let row = samples.row(i);
        let distance = |c: &[f32; 2]| (row[0] - c[0]).hypot(row[1] - c[1]);
        let nearest = (0..centres.len()).min_by(|a, b| distance(&centres[*a]).total_cmp(&distance(&centres[*b])));
        if let Some(k) = nearest.filter(|k| distance(&centres[*k]) < 3.0 * sigma) {
            hits[k] += 1;
        }
    }
    let fair = samples.rows() / centres.len().max(1);
    let reached = hits.iter().filter(|h| **h * 10 >= fair.max(1)).count();
    (reached, hits.iter().sum::<usize>() as f64 / samples.rows().max(1) as f64)
}

/// Sliced Wasserstein-1 distance between two sets of equally many samples: the mean over random directions of the mean distance
/// between sorted projections (Rabin et al. 2011).
pub fn sliced_wasserstein(a: &Tensor, b: &Tensor, directions: usize) -> f64 {
    let n = a.rows().min(b.rows());
    let width = a.row(0).len();
    let mut total = 0.0;
    // A fixed generator: the measure is the same number for the same samples.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    for _ in 0..directions {
        // Sums of twelve uniforms are normal enough for a direction.
        let mut direction: Vec<f64> = (0..width).map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0).collect();
        let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        direction.iter_mut().for_each(|v| *v /= norm);
        let project = |t: &Tensor| {
            let dot = |i: usize| t.row(i).iter().zip(&direction).map(|(x, d)| f64::from(*x) * d).sum::<f64>();
            let mut values: Vec<f64> = (0..n).map(dot).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        total += project(a).iter().zip(project(b)).map(|(x, y)| (x - y).abs()).sum::<f64>() / n as f64;
    }
    total / directions as f64
}
