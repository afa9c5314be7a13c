//! Evaluation of generative models: how good samples are, how much of the data they reach, whether they are copies.
//!
//! Samples are rows of a [`Tensor`](crate::Tensor), the axes after the first flattened: raw data, or the features that any
//! output of any model makes of them. [`evaluate`] measures the usual set at once.
//!
//! | measure | of | best | source |
//! |---|---|---|---|
//! | [`frechet_distance`] (FID), [`Gaussian`] | features | 0 | Heusel et al. 2017 |
//! | [`kernel_distance`] (KID), [`kernel_distance_in_subsets`] | features | 0 | Bińkowski et al. 2018 |
//! | [`gaussian_discrepancy`] (MMD) | features | 0 | Gretton et al. 2012 |
//! | [`sliced_wasserstein`], [`wasserstein`] | features | 0 | Rabin et al. 2011 |
//! | [`precision_recall`] | features | 1, 1 | Kynkäänniemi et al. 2019 |
//! | [`density_coverage`] | features | 1, 1 | Naeem et al. 2020 |
//! | [`nearest_neighbour_test`] | features | ½ | Lopez-Paz & Oquab 2017 |
//! | [`memorisation`] | features, training and held-out | chance | Meehan et al. 2020 |
//! | [`inception_score`] | class probabilities | K | Salimans et al. 2016 |
//! | [`class_modes`] | class labels | K, 0 | Metz et al. 2017 |
//! | [`cluster_accuracy`] | clusters and labels | 1 | Yang et al. 2010 |
//! | [`Coverage`](crate::data::Coverage) | points, known centres | all, 1 | Lin et al. 2018 |
//! | [`parzen`] | samples, test data | greatest | Breuleux et al. 2011 |
//! | [`importance_bound`] | log weights | greatest | Burda et al. 2016 |
//!
//! Sums are in f64 and in one order: the same samples give the same bits, whatever the number of threads. Sets of samples that
//! make no sense – too few, of unequal width, not finite – are errors that say which and where. Distances between all samples
//! of two sets are made in tiles, so memory grows with the number of samples, not with its square.

mod assignment;
mod classes;
mod discrepancy;
mod distances;
mod features;
mod frechet;
mod kernel;
mod likelihood;
mod linear;
mod manifold;
mod memorisation;
mod parallel;
mod report;
mod spread;
#[cfg(test)]
mod tests;
mod transport;
mod two_sample;

pub use classes::{ClassModes, class_modes, cluster_accuracy, inception_score, predictions, stacked};
pub use discrepancy::{gaussian_discrepancy, gaussian_discrepancy_with, median_distance};
pub use frechet::{Gaussian, frechet_distance};
pub use kernel::{Subsets, kernel_distance, kernel_distance_in_subsets};
pub use likelihood::{Parzen, importance_bound, parzen, parzen_log_likelihood, parzen_sigmas};
pub use manifold::{DensityCoverage, PrecisionRecall, density_coverage, precision_recall};
pub use memorisation::{Memorisation, memorisation};
pub use report::{Report, evaluate};
pub use spread::{Estimate, Spread};
pub use transport::{sliced_wasserstein, wasserstein};
pub use two_sample::{TwoSample, nearest_neighbour_test};
