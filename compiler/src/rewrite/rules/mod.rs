//! Graph rules that always pay: applied to a fixpoint, before and after the search, never chosen by cost.
//!
//! A rule of this table makes its root cheaper or equal and never makes anything else more expensive, so it needs no look at the
//! rest of the graph, except where it asks that an operand has no other use.

mod arithmetic;
mod broadcasts;
mod constants;
mod contractions;
mod fast;
mod identities;
mod pieces;
mod reductions;
mod reshapes;
mod selects;

use super::rewriter::Rule;

/// The rules of [`Level::GraphRules`](super::Level::GraphRules), beside stabilisation: ops that do nothing, constants, masks.
/// What the optimiser gains is measured against these; the list is not to grow.
pub fn basic() -> Vec<Rule> {
    [identities::RULES, constants::RULES, selects::RULES].concat()
}

/// All graph rules, in the order in which they are tried.
pub fn all() -> Vec<Rule> {
    [
        identities::RULES,
        constants::RULES,
        arithmetic::RULES,
        selects::RULES,
        reshapes::RULES,
        broadcasts::RULES,
        pieces::RULES,
        reductions::RULES,
        contractions::RULES,
    ]
    .concat()
}

/// Rules that hold for real numbers, and for floats only where everything is finite and in range: not applied unless asked for.
/// Each says in `holds` what it gives up.
pub fn fast() -> Vec<Rule> {
    fast::RULES.to_vec()
}
