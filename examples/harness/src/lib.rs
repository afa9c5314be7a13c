//! What the examples share: their command line, their measures and the lines that report these.

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, FromArgMatches, Parser};
use saddlepoint::prelude::*;
use std::ops::RangeInclusive;
use std::path::PathBuf;

mod points;
pub use points::{Quadrature, correlation, coverage, gauss, largest_singular_value, median, one_nearest_neighbour_accuracy};

/// The options every example takes.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// Steps of training; the example's own number if absent.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Seed of all randomness.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Seeds from 1 to this one, in examples that report several; the example's own number if absent.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "seed")]
    pub seeds: Option<u64>,
    /// Samples of a batch.
    #[arg(long)]
    pub batch: Option<usize>,
    /// Worker threads; one a core if absent.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Where to run: cpu, gpu or auto. A GPU needs cargo's `--features gpu`.
    #[arg(long, default_value = "cpu")]
    pub device: Device,
    /// A part of the name of the GPU to be used; the best one if absent.
    #[arg(long)]
    pub adapter: Option<String>,
    /// The run folder.
    #[arg(long)]
    pub into: Option<PathBuf>,
    /// Go on from the run folder's newest checkpoint.
    #[arg(long)]
    pub resume: bool,
    /// Print what the compiler made of the model, and stop.
    #[arg(long)]
    pub explain: bool,
    /// Run this part only.
    #[arg(long, value_name = "PART")]
    pub only: Option<String>,
}

impl Options {
    /// Reads the command line; prints help and exits where that is asked for.
    pub fn read() -> Options {
        Options::read_parts(&[])
    }

    /// As [`Options::read`], of an example that has parts, one of which `--only` names.
    pub fn read_parts(parts: &[&'static str]) -> Options {
        let known = PossibleValuesParser::new(parts);
        let mut command = Options::command().mut_arg("only", |only| only.hide(parts.is_empty()).value_parser(known));
        let matches = command.clone().get_matches();
        Options::from_arg_matches(&matches).unwrap_or_else(|e| e.format(&mut command).exit())
    }

    /// Whether this part is to be run.
    pub fn runs(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    /// The seeds to be run: the one asked for, else 1 to as many as asked for, or as the example has.
    pub fn seeds(&self, default: u64) -> RangeInclusive<u64> {
        self.seed.map_or(1..=self.seeds.unwrap_or(default), |seed| seed..=seed)
    }

    /// The configuration: these options over the example's batch and seed.
    pub fn config(&self, batch: usize, seed: u64) -> Config {
        let mut config =
            Config::new().batch(self.batch.unwrap_or(batch)).seed(self.seed.unwrap_or(seed)).device(self.device);
        if let Some(adapter) = &self.adapter {
            config = config.adapter(adapter);
        }
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

    /// The run folder: the one asked for, or the example's.
    pub fn folder(&self, folder: &str) -> PathBuf {
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

/// Measures pictures by their sliced Wasserstein distance to a thousand real ones: as a share of what the untrained generator's
/// have, with the distance of another thousand real ones beside it. Says whether the share is at most `limit`.
///
/// # Errors
/// The source's own.
pub fn measure_pictures(
    prefix: &str,
    real: &dyn Source,
    untrained: &Tensor,
    made: &Tensor,
    limit: f64,
) -> saddlepoint::Result<bool> {
    let (reference, other) = (rows(real, 0, 1_000)?, rows(real, 1_000, 2_000)?);
    let before = sliced_wasserstein(untrained, &reference, 100);
    measure(&format!("{prefix}swd_of_real_to_real"), sliced_wasserstein(&other, &reference, 100), Threshold::None);
    measure(&format!("{prefix}swd_untrained"), before, Threshold::None);
    let share = sliced_wasserstein(made, &reference, 100) / before;
    Ok(measure(&format!("{prefix}swd_share_of_untrained"), share, Threshold::AtMost(limit)))
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
