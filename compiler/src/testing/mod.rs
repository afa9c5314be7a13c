//! Tools of the project's own tests: random programs, how near a machine must come to the interpreter, and making a failing
//! program small.
//!
//! A back end's test is: [`random_program`] → run it → [`compare`]; on a mismatch [`shrink`] and print. Everything follows from
//! a seed. The programs keep away from near-ties of comparisons and from poles ([`Program::is_decisive`]), since there two right
//! machines may differ without bound.

mod bound;
mod generate;
mod program;
mod random;
mod shrink;

pub use bound::{Violation, compare, within_bound};
pub use generate::{Options, random_program};
pub use program::Program;
pub use random::SplitMix64;
pub use shrink::shrink;
