//! The whole way of a model through the macro: read, check, write.
//!
//! Apart from `lib.rs` so that it runs outside of a compiler too: in tests, and in the fuzz target, which includes this file.

use crate::{expand, parse};
use proc_macro2::TokenStream;

/// What `gan!` makes of the tokens of a model. No tokens make it panic.
pub fn expand_model(tokens: TokenStream) -> TokenStream {
    let mut parsed = parse::parse(tokens);
    let (resolved, found) = saddlepoint_language::check(&parsed.model);
    let mut diagnostics = std::mem::take(&mut parsed.diagnostics);
    diagnostics.extend(found);
    expand::expand(&expand::Expansion {
        model: &parsed.model,
        resolved: &resolved,
        spans: &parsed.spans,
        visibility: parsed.visibility,
        attributes: parsed.attributes,
        outer: parsed.outer,
        functions: parsed.functions,
        externs: parsed.externs,
        diagnostics: &diagnostics,
    })
}
