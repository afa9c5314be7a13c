//! What models compute, against independent straightforward computations: layers, functions, draws, and the steps of training.
//! Layers and functions run in the f64 interpreter on lowered graphs, training on the machine.

#[path = "../support/mod.rs"]
mod support;

mod augment;
mod draws;
mod functions;
mod layers;
mod optimisers;
mod pytorch;
mod replay;
mod turns;
mod vmap;
