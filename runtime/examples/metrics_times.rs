//! How long each metric takes on random features.
//!
//! `cargo run --release -p saddlepoint-runtime --example metrics_times -- 10000 64`: samples of a kind, features.

use std::time::Instant;

use rand_distr::{Distribution, StandardNormal};
use saddlepoint_runtime::metrics::*;
use saddlepoint_runtime::streams::Stream;
use saddlepoint_runtime::{Result, Tensor};

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map_while(|number| number.parse().ok());
    let (n, width) = (numbers.next().unwrap_or(10_000), numbers.next().unwrap_or(64));
    let normal = |seed| {
        let mut rng = Stream::Synthetic { set: "features" }.open(seed);
        Tensor::new([n, width], (0..n * width).map(|_| StandardNormal.sample(&mut rng)).collect())
    };
    let (real, generated, held_out) = (normal(1)?, normal(2)?, normal(3)?);
    let time = |name: &str, measure: &dyn Fn() -> Result<String>| -> Result<()> {
        let start = Instant::now();
        let value = measure()?;
        println!("{name:<28}{:>8.2} s   {value}", start.elapsed().as_secs_f64());
        Ok(())
    };
    println!("{n} samples of {width} features of each kind");
    time("frechet_distance", &|| Ok(format!("{:.6}", frechet_distance(&real, &generated)?)))?;
    time("kernel_distance", &|| Ok(format!("{:.3e}", kernel_distance(&real, &generated)?)))?;
    time("kernel_distance_in_subsets", &|| {
        let size = 1000.min(n);
        Ok(format!("{}", kernel_distance_in_subsets(&real, &generated, Subsets { size, ..Subsets::default() })?))
    })?;
    time("gaussian_discrepancy", &|| Ok(format!("{:.3e}", gaussian_discrepancy(&real, &generated)?)))?;
    time("sliced_wasserstein, 128", &|| Ok(format!("{:.6}", sliced_wasserstein(&real, &generated, 128, 0)?)))?;
    time("precision_recall, 3", &|| Ok(format!("{:?}", precision_recall(&real, &generated, 3)?)))?;
    time("density_coverage, 5", &|| Ok(format!("{:?}", density_coverage(&real, &generated, 5)?)))?;
    time("nearest_neighbour_test", &|| Ok(format!("{:?}", nearest_neighbour_test(&real, &generated)?)))?;
    time("memorisation", &|| Ok(format!("{:.4}", memorisation(&generated, &real, &held_out)?.nearer_to_training)))?;
    time("parzen, 10 sigmas", &|| Ok(format!("{:?}", parzen(&generated, &real, &held_out, &parzen_sigmas())?)))?;
    time("evaluate", &|| Ok(format!("\n{}", evaluate(&real, &generated)?)))
}
