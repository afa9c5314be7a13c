//! Programs as they are while somebody types or edits them: tokens missing, braces closed early or late, the end not written yet.
//!
//! In: every program, with one place damaged. Always: the macro does not panic, and answers with Rust that still declares all
//! types of the model, so that completion goes on working; there is an error, or what is left is a model again.

use super::{PROGRAMS, model, models};
use crate::model::expand_model;
use crate::parse;
use proc_macro2::{Group, TokenStream, TokenTree};

/// What happens at one token, counted in depth.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Damage {
    /// The token is missing.
    Drop,
    /// The group ends before it, and what would follow in the group is missing.
    Close,
    /// The group ends before it, and what would follow in the group follows after it.
    Spill,
    /// The group that begins here does not end where it should, but with the one around it.
    Swallow,
    /// Nothing of the program is written from here on, but for the brackets that an editor closes.
    Cut,
}

const DAMAGES: [Damage; 5] = [Damage::Drop, Damage::Close, Damage::Spill, Damage::Swallow, Damage::Cut];

/// A part of a program after the damage.
#[derive(Default)]
struct Part {
    tokens: Vec<TokenTree>,
    /// What follows after the group that this is the content of.
    spilled: Vec<TokenTree>,
    /// Whether the place has been reached, and whether the program ends there.
    done: bool,
    ended: bool,
}

fn regrouped(group: &Group, tokens: Vec<TokenTree>) -> TokenTree {
    let mut rebuilt = Group::new(group.delimiter(), tokens.into_iter().collect());
    rebuilt.set_span(group.span());
    TokenTree::Group(rebuilt)
}

/// Damages the `at`-th token from here. Only groups are swallowed into.
fn damaged(tokens: TokenStream, at: &mut usize, damage: Damage) -> Part {
    let mut part = Part::default();
    let mut rest = tokens.into_iter();
    while let Some(token) = rest.next() {
        if *at == 0 {
            part.done = true;
            match (damage, token) {
                (Damage::Drop, _) => part.tokens.extend(rest),
                (Damage::Close, _) => {}
                (Damage::Cut, _) => part.ended = true,
                (Damage::Spill, token) => part.spilled.extend([token].into_iter().chain(rest)),
                (Damage::Swallow, TokenTree::Group(group)) => {
                    let inner = group.stream().into_iter().chain(rest).collect();
                    part.tokens.push(regrouped(&group, inner));
                }
                (Damage::Swallow, token) => part.tokens.extend([token].into_iter().chain(rest)),
            }
            return part;
        }
        *at -= 1;
        match token {
            TokenTree::Group(group) => {
                let inner = damaged(group.stream(), at, damage);
                part.tokens.push(regrouped(&group, inner.tokens));
                if inner.done {
                    (part.done, part.ended) = (true, inner.ended);
                    part.tokens.extend(inner.spilled);
                    if !inner.ended {
                        part.tokens.extend(rest);
                    }
                    return part;
                }
            }
            other => part.tokens.push(other),
        }
    }
    part
}

/// The damaged program; nothing once all places have been damaged.
fn program(body: &TokenStream, place: usize, damage: Damage) -> Option<TokenStream> {
    let part = damaged(body.clone(), &mut { place }, damage);
    part.done.then(|| part.tokens.into_iter().chain(part.spilled).collect())
}

/// Whether `model Name` still stands there: what comes before may be damaged as it likes.
fn has_name(tokens: &TokenStream, name: &str) -> bool {
    let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
    tokens.windows(2).any(|two| match two {
        [TokenTree::Ident(word), TokenTree::Ident(named)] => word == "model" && named == name,
        _ => false,
    })
}

/// What an expansion declares: `struct A`, `enum B`, `fn A::c`, `impl D for A`; and how many errors it holds.
fn declared(code: TokenStream) -> syn::Result<(Vec<String>, usize)> {
    let (mut names, mut errors) = (Vec::new(), 0);
    for item in syn::parse2::<syn::File>(code)?.items {
        match item {
            syn::Item::Struct(item) => names.push(format!("struct {}", item.ident)),
            syn::Item::Enum(item) => names.push(format!("enum {}", item.ident)),
            syn::Item::Macro(item) if item.mac.path.segments.last().is_some_and(|last| last.ident == "compile_error") => {
                errors += 1;
            }
            syn::Item::Impl(item) => {
                let ty = super::text(&item.self_ty);
                match &item.trait_ {
                    Some((path, ..)) => names.push(format!("impl {} for {ty}", super::text(path))),
                    None => names.extend(item.items.iter().filter_map(|item| match item {
                        syn::ImplItem::Fn(method) => Some(format!("fn {ty}::{}", method.sig.ident)),
                        _ => None,
                    })),
                }
            }
            _ => {}
        }
    }
    Ok((names, errors))
}

/// Damages every `stride`-th token of a program in every way.
fn damage(name: &str, body: &TokenStream, stride: usize) {
    let skeleton = ["Batch", "Data", "Metrics"].map(|suffix| format!("struct {name}{suffix}"));
    let enums = ["Player", "Net"].map(|suffix| format!("enum {name}{suffix}"));
    let methods = ["build", "fit", "step", "turn", "metrics"].map(|method| format!("fn {name}::{method}"));
    let whole = [format!("struct {name}"), format!("impl ::saddlepoint::Model for {name}")];
    let skeleton: Vec<String> = skeleton.into_iter().chain(enums).chain(methods).chain(whole).collect();
    for way in DAMAGES {
        // Ways begin at different places, so that a stride leaves out others in each.
        for place in (way as usize..).step_by(stride) {
            let Some(tokens) = program(body, place, way) else { break };
            let named = has_name(&tokens, name);
            let code = expand_model(tokens.clone());
            let (names, errors) =
                declared(code.clone()).unwrap_or_else(|error| panic!("{name}, {way:?} at {place}: {error}: {code}"));
            if named {
                let missing: Vec<&String> = skeleton.iter().filter(|item| !names.contains(item)).collect();
                assert!(missing.is_empty(), "{name}, {way:?} at {place}: no {missing:?}");
            } else {
                assert!(errors > 0, "{name}, {way:?} at {place}: no model and no error");
            }
            // Without an error it is a model, which the engine can read.
            if errors == 0 {
                let parsed = parse::parse(tokens);
                let (_, found) = saddlepoint_language::check(&parsed.model);
                assert!(parsed.diagnostics.is_empty() && found.is_empty(), "{name}, {way:?} at {place}: {found:?}");
                let text = saddlepoint_language::encode(&parsed.model);
                assert_eq!(saddlepoint_language::decode(&text), Ok(parsed.model), "{name}, {way:?} at {place}");
            }
        }
    }
}

/// A test for each, as they run side by side.
macro_rules! every_token_of {
    ($($test:ident: $name:literal, $stride:literal;)*) => {
        $(#[test]
        fn $test() {
            damage($name, &model($name), $stride);
        })*
    };
}

every_token_of! {
    damaged_dcgan: "Dcgan", 1;
    damaged_f_gan: "FGan", 1;
    damaged_wgan_gp: "WganGp", 1;
    damaged_invert: "Invert", 1;
    damaged_chat: "Chat", 2;
}

#[test]
fn damaged_programs() {
    for (name, body) in models(PROGRAMS) {
        damage(&name, &body, 67);
    }
}

/// A file that is being typed declares everything from the model's name on, at every token.
#[test]
fn what_is_typed_so_far_is_declared() {
    let body = model("Dcgan");
    let mut seen = Vec::new();
    for place in 0.. {
        let Some(tokens) = program(&body, place, Damage::Cut) else { break };
        let (names, _) = declared(expand_model(tokens)).expect("Rust");
        for name in names.into_iter().filter(|name| name.starts_with("fn Dcgan::")) {
            if !seen.contains(&name) {
                seen.push(name);
            }
        }
    }
    // The output comes last in the source, so its method comes last too.
    assert_eq!(seen.last().map(String::as_str), Some("fn Dcgan::sample"), "{seen:?}");
}
