//! What a model declares and nothing uses, as declarations that rustc's own lints find: at the user's token, in rustc's words, and
//! silenced as everywhere, by a leading `_` or by `#[allow(…)]` on the model.

use super::Expansion;
use proc_macro2::TokenStream;
use quote::quote;

/// Unused values become variables (`unused_variables`), unused nets and fns become functions (`dead_code`), in a scope of their own.
pub fn declarations(e: &Expansion<'_>) -> TokenStream {
    // A model with errors has been read in part only, so what it uses is not known.
    if !e.diagnostics.is_empty() {
        return TokenStream::new();
    }
    let (callables, values): (Vec<_>, Vec<_>) =
        saddlepoint_language::unused(e.model).into_iter().partition(|unused| unused.callable);
    if callables.is_empty() && values.is_empty() {
        return TokenStream::new();
    }
    let levels: Vec<&TokenStream> = e.attributes.iter().filter(|attribute| is_level(attribute)).collect();
    let functions = callables.iter().map(|unused| {
        let name = e.user(&unused.name);
        quote! { #(#levels)* #[allow(non_snake_case)] fn #name() {} }
    });
    let variables = values.iter().map(|unused| {
        let name = e.user(&unused.name);
        quote! { let #name = 0_u8; }
    });
    quote! {
        const _: () = {
            #(#functions)*
            #(#levels)*
            #[allow(dead_code, non_snake_case, clippy::all)]
            fn unused_in_model() { #(#variables)* }
        };
    }
}

/// Whether an attribute sets the level of a lint: `#[allow(…)]` and the like.
fn is_level(attribute: &TokenStream) -> bool {
    let text = attribute.to_string();
    let name = text.trim_start_matches(['#', '[', ' ']);
    ["allow", "expect", "warn", "deny", "forbid"]
        .iter()
        .any(|level| name.strip_prefix(level).is_some_and(|rest| rest.trim_start().starts_with('(')))
}
