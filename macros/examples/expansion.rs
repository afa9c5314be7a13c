//! How long `gan!` takes for the DCGAN of the front page: reading, checking and writing, the median of many rounds.
//!
//! ```sh
//! cargo run --release -p saddlepoint-macros --example expansion
//! ```
//!
//! Without `--release` it is the speed of the macro in a debug build of this repository. In a debug build of another crate
//! dependencies are not optimised either:
//! `cargo run -p saddlepoint-macros --example expansion --target-dir target/plain --config profile.dev.opt-level=0
//! --config 'profile.dev.package."*".opt-level=0'`.
//!
//! Tokens are proc-macro2's own here; in rustc they cross into the compiler and back besides. The macro's own files are included,
//! since a proc-macro crate gives nothing but its macros.

use proc_macro2::{TokenStream, TokenTree};
use std::time::{Duration, Instant};

#[path = "../src/expand/mod.rs"]
mod expand;
#[path = "../src/model.rs"]
mod model;
#[path = "../src/parse/mod.rs"]
mod parse;

const ROUNDS: usize = 301;

/// The tokens between the braces of the first `gan!`.
fn first_model(text: &str) -> Option<TokenStream> {
    let block = text.split("```").nth(3)?.split_once('\n')?.1;
    let mut tokens = block.parse::<TokenStream>().ok()?.into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(name) if name == "gan"))?;
    match tokens.nth(1)? {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    }
}

fn median(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1e3
}

fn main() {
    let tokens = first_model(include_str!("../../README.md")).expect("the front page begins with a model");
    let parsed = parse::parse(tokens.clone());
    assert!(parsed.diagnostics.is_empty(), "the front page's model is sound");
    let read = median(|| drop(parse::parse(tokens.clone())));
    let check = median(|| drop(saddlepoint_language::check(&parsed.model)));
    let whole = median(|| drop(model::expand_model(tokens.clone())));
    println!("read {read:.2} ms, check {check:.2} ms, all with writing {whole:.2} ms (median of {ROUNDS})");
}
