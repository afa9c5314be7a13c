//! Planning: a graph becomes kernels over one memory arena.

mod contraction;

pub use contraction::{BatchAxis, ContractAxis, ConvSpec, DotSpec, LeftAxis, RightAxis, SpatialAxis};
