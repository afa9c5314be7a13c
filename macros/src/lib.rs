//! `gan!`: tokens → the language's tree → checks → typed code.
//!
//! Thin on purpose: what a model means and which shapes fit stands in `saddlepoint-language`; this crate reads tokens (`parse`)
//! and writes code (`expand`). No input makes it panic.

mod expand;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

/// Declares an adversarial model: data, noise, nets, players and their min-max objectives. See the language reference.
#[proc_macro]
pub fn gan(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_model(tokens.into()).into()
}

/// What `gan!` makes of the tokens of a model.
fn expand_model(tokens: TokenStream) -> TokenStream {
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
        diagnostics: &diagnostics,
    })
}
