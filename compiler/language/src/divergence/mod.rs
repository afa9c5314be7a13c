//! Divergences: from f alone to its conjugate f*(t) = sup over u > 0 of ut − f(u), an output activation g, and f′(1).
//!
//! In: f as an expression in u (`read.rs` makes it of what the user wrote). Out: [`Derived`], expressions in one real variable
//! that the evaluator writes into whatever it makes. The way:
//!
//! 1. `pieces.rs`: f by cases; refused where it is not convex.
//! 2. With k(u) = u·f′(u) − f(u), the conjugate at the slope of u is k(u): so f*(t) = k(u(t)), where u(t) solves f′(u) = t
//!    (`solve.rs`), and kinks of f are straight parts of f* (`conjugate.rs`).
//! 3. `activation.rs`: g, and f*(g(v)) in a form that neither overflows nor cancels.
//!
//! **Invariant: what is derived has been compared with f by value,** at points over its whole interval: a wrong branch or a
//! simplification that does not hold ends as "not derived", never as a wrong objective. **Invariant: no input takes long:**
//! sizes, rounds and pieces are bounded.
//!
//! This stands in the language, not in the compiler, so that the macro reports what is wrong with f while the user's crate
//! compiles.

mod activation;
mod calculus;
mod conjugate;
mod expr;
mod number;
mod numeric;
mod pieces;
mod read;
mod simplify;
mod solve;
#[cfg(test)]
mod tests;

pub(crate) use expr::{Expr, coefficient};
pub(crate) use number::Number;
pub(crate) use read::Symbolic;

/// What follows from f.
#[derive(Clone, Debug)]
pub(crate) struct Derived {
    /// f′(1)
    pub(crate) threshold: f64,
    /// Infimum and supremum of f′; beyond the supremum f* is infinite.
    #[cfg(test)]
    pub(crate) slopes: (f64, f64),
    /// f*(t)
    pub(crate) conjugate: Option<Expr>,
    /// g(v), increasing
    pub(crate) activation: Option<Expr>,
    /// f*(g(v))
    pub(crate) composed: Option<Expr>,
}

/// What is known of a divergence of the model.
#[derive(Clone, Debug)]
pub(crate) enum Analysis {
    /// f was transformed.
    Derived(Box<Derived>),
    /// f is a divergence as far as is known, but nothing can be derived from it: why.
    Opaque(String),
    /// An error of f has been reported, or its constants are known only when the model is built.
    Unknown,
}

/// What follows from f, or why it is no divergence; `u` is what its variable is called.
pub(crate) fn derive(f: &Expr, u: &str) -> Result<Derived, String> {
    let pieces = pieces::pieces(f, u)?;
    let slopes = activation::slopes(&pieces)?;
    if slopes.1 <= slopes.0 {
        return Err("f is a straight line: its divergence is the same for all distributions".to_string());
    }
    let threshold = threshold(&pieces);
    let segments = conjugate::segments(&pieces, slopes);
    let conjugate = segments.as_deref().and_then(conjugate::joined);
    let chosen = activation::choose(&pieces, slopes, segments.as_deref(), conjugate.as_ref());
    let (activation, composed) = match chosen {
        Some((activation, composed)) => (Some(activation), composed),
        None => (None, None),
    };
    Ok(Derived {
        threshold,
        #[cfg(test)]
        slopes,
        conjugate,
        activation,
        composed,
    })
}

/// f′(1); at a kink the middle of the slopes on both sides.
fn threshold(pieces: &[pieces::Piece]) -> f64 {
    let at_one: Vec<f64> =
        pieces.iter().filter(|piece| piece.from <= 1.0 && piece.to >= 1.0).map(|piece| piece.slope.value(1.0)).collect();
    let slope = at_one.iter().sum::<f64>() / at_one.len() as f64;
    // Rounding of constants that cancel.
    if slope.abs() < 1e-14 { 0.0 } else { slope }
}
