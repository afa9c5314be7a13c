//! Data sets: an embedded one, readers for files, synthetic ones.

mod fashion;
mod idx;
mod mixture;
mod pixels;

pub use fashion::fashion_sample;
pub use idx::{idx, idx_images, idx_labels};
pub use mixture::{Coverage, Mixture, grid25, ring};
pub use pixels::Pixels;

/// An IDX file of bytes, plain or gzip: its dimensions and its elements. For tools that make data sets.
#[doc(hidden)]
pub use idx::read_bytes as idx_bytes;
