//! The functions of the language, written over the ops of the graph. One family a file.

pub mod augment;
pub mod classes;
pub mod draws;
pub mod elementwise;
pub mod products;
pub mod reduce;
pub mod shape;
