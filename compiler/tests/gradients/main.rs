//! Derivatives of order 1 and 2 against finite differences in the f64 interpreter: of every op, and of what models are made of.

mod check;
mod composites;
mod golden;
mod kinks;
mod ops;
mod random;
