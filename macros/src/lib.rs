//! `gan!`: tokens → the language's tree → checks → typed code.
//!
//! Thin on purpose: what a model means and which shapes fit stands in `saddlepoint-language`; this crate reads tokens (`parse`)
//! and writes code (`expand`). No input makes it panic.

mod expand;
mod model;
mod parse;
#[cfg(test)]
mod tests;

/// Declares an adversarial model: data, noise, nets, players and their min-max objectives. See the language reference.
#[proc_macro]
pub fn gan(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {
    model::expand_model(tokens.into()).into()
}
