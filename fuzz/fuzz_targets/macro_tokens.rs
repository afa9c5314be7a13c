//! `gan!` over any text: whatever the tokens are, the expansion is Rust, and nothing panics, hangs or grows without bound.
//!
//! The macro's own files are included, since a proc-macro crate gives nothing but its macros.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

#[path = "../../macros/src/expand/mod.rs"]
mod expand;
#[path = "../../macros/src/model.rs"]
mod model;
#[path = "../../macros/src/parse/mod.rs"]
mod parse;

fuzz_target!(|text: &str| {
    let Ok(tokens) = text.parse::<TokenStream>() else { return };
    let code = model::expand_model(tokens);
    if let Err(error) = syn::parse2::<syn::File>(code.clone()) {
        panic!("the expansion is no Rust: {error}\n{code}");
    }
});
