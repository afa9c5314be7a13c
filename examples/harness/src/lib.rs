//! What the examples share: their command line, their measures and the lines that report these;
//! real data sets ([`sets`]) and the classifiers that judge pictures ([`judge`]).

pub mod judge;
pub mod sets;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory, FromArgMatches, Parser};
use saddlepoint::prelude::*;
use std::ops::RangeInclusive;
use std::path::PathBuf;

mod points;
pub use points::{Quadrature, correlation, coverage, gauss, largest_singular_value, median};

mod gaussian;
pub use gaussian::fitted_gaussian;

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

/// As [`measure`], the median over several seeds; and the lowest and the highest as `NAME_lowest` and `NAME_highest`.
pub fn measure_seeds(name: &str, values: &[f64], threshold: Threshold) -> bool {
    let pass = measure(name, median(values), threshold);
    if values.len() > 1 {
        let range = values.iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        measure(&format!("{name}_lowest"), range.0, Threshold::None);
        measure(&format!("{name}_highest"), range.1, Threshold::None);
    }
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

/// Samples `from..to` of the first column of classes of a source.
///
/// # Errors
/// [`saddlepoint::Error::Data`] where there is no such column; the source's own.
pub fn classes(source: &dyn Source, from: usize, to: usize) -> saddlepoint::Result<Classes> {
    let columns = source.columns();
    let labels = columns.iter().enumerate().find_map(|(at, column)| match column.kind {
        saddlepoint::Kind::Classes(count) => Some((at, count, &column.shape)),
        _ => None,
    });
    let Some((at, count, shape)) = labels else {
        return Err(saddlepoint::Error::data(source.name(), "a column of classes", "none"));
    };
    let rows: Vec<usize> = (from..to).collect();
    let mut values = vec![0; rows.len() * shape.iter().product::<usize>()];
    source.copy_classes(at, &rows, &mut values)?;
    Classes::new([&[rows.len()], &shape[..]].concat(), count, values)
}

/// Measures pictures by their sliced Wasserstein distance to a thousand real ones that training did not see: as a share of what the
/// untrained generator's have, with the distance of another thousand real ones beside it. Says whether the share is at most `limit`.
///
/// # Errors
/// The source's own; of pictures that are not as large, or not finite.
pub fn measure_pictures(
    prefix: &str,
    held_out: &dyn Source,
    untrained: &Tensor,
    made: &Tensor,
    limit: f64,
) -> saddlepoint::Result<bool> {
    let (reference, other) = (rows(held_out, 0, 1_000)?, rows(held_out, 1_000, 2_000)?);
    let distance = |samples: &Tensor| metrics::sliced_wasserstein(&reference, samples, 100, 0);
    let before = distance(untrained)?;
    measure(&format!("{prefix}swd_of_real_to_real"), distance(&other)?, Threshold::None);
    measure(&format!("{prefix}swd_untrained"), before, Threshold::None);
    let share = distance(made)? / before;
    Ok(measure(&format!("{prefix}swd_share_of_untrained"), share, Threshold::AtMost(limit)))
}
