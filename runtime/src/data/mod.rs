//! Data sets: an embedded one, readers for files, synthetic ones.
//!
//! | files | reader | columns |
//! |---|---|---|
//! | a folder of PNG and JPEG pictures | [`images`] | `x: [channels, height, width]`, `y: class(K)` from folders |
//! | CSV, plain or gzip | [`csv()`] | as chosen |
//! | NumPy's `.npy` | [`npy`] | a [`Tensor`](crate::Tensor) |
//! | WAV, a file or a folder | [`wav`] | `x: [channels, length]`, `y: class(K)` from folders |
//! | IDX, plain or gzip | [`idx`], [`idx_images`], [`idx_labels`] | `x: [1, height, width]`, `y: class(K)` |
//!
//! Everything they give is a [`Source`](crate::Source): it trains, and it can be [split](crate::Source::split), [taken in
//! part](crate::Source::subset), [drawn from](crate::Source::draws), and joined with others to a tuple. Pictures and sound lie
//! between −1 and 1, where a generator that ends in `tanh` puts them too.
//!
//! No reader reserves memory for what a header claims before the claim is held against the size of the file. Every reader has a
//! form for content that is in memory already.

mod clips;
mod csv;
mod fashion;
mod folder;
mod idx;
mod images;
mod loading;
mod mixture;
mod npy;
mod picture;
mod pixels;
#[cfg(test)]
mod tests;
mod wav;

pub use clips::Clips;
pub use csv::{Csv, CsvColumn, csv};
pub use fashion::fashion_sample;
pub use idx::{idx, idx_images, idx_labels};
pub use images::{Images, images};
pub use mixture::{Coverage, Mixture, grid25, ring};
pub use npy::npy;
pub(crate) use npy::save as save_npy;
pub use pixels::Pixels;
pub use wav::{Wav, wav};

/// An IDX file of bytes, plain or gzip: its dimensions and its elements. For tools that make data sets.
#[doc(hidden)]
pub use idx::read_bytes as idx_bytes;
