//! The names of a model where they are used, as Rust that an editor can follow: from `G` in an objective to `net G`, and back to all
//! its uses, with the documentation of what was generated for it.
//!
//! In: every use of a name, and where it is declared. Out: a function that nothing calls and that does nothing. What has a generated
//! item (a variant, a field, a method) is named there; what has none (a `let`, a parameter, a local) is a constant of its own,
//! declared at the user's token.

use super::names::Names;
use super::{Expansion, ident};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use saddlepoint_language::Use;
use saddlepoint_language::tree::{Name, Site};
use std::collections::BTreeMap;

/// A use of every name that is used.
pub fn function(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let mut by_name: BTreeMap<Site, Vec<Use>> = BTreeMap::new();
    for found in saddlepoint_language::uses(e.model) {
        by_name.entry(found.of.site).or_default().push(found);
    }
    if by_name.is_empty() {
        return TokenStream::new();
    }
    let generated = generated(e, names);
    let uses = by_name.values().map(|uses| match generated.get(&uses[0].of.site) {
        Some(path) => {
            let uses = uses.iter().map(|one| e.user(&Name { text: one.of.text.clone(), site: one.site }));
            quote! { #(let _ = #path #uses;)* }
        }
        None => {
            let declared = e.user(&uses[0].of);
            let uses = uses.iter().map(|one| e.user(&Name { text: one.of.text.clone(), site: one.site }));
            quote! { { const #declared: () = (); #(let _ = #uses;)* } }
        }
    });
    let batch = &names.batch;
    let consts = e.model.consts.iter().any(|c| c.value.is_none()).then(|| {
        let consts = &names.consts;
        quote! { , consts: &#consts }
    });
    quote! {
        const _: () = {
            #[allow(dead_code, unused_variables, non_snake_case, non_upper_case_globals, clippy::all)]
            fn names_in_model(batch: &#batch #consts) { #(#uses)* }
        };
    }
}

/// What stands before the name of each declaration that has a generated item: `DcganNet::`, `&batch.`.
fn generated(e: &Expansion<'_>, names: &Names) -> BTreeMap<Site, TokenStream> {
    let (model, player, net, consts) = (&names.model, &names.player, &names.net, quote!(&consts.));
    let mut all = BTreeMap::new();
    for group in &e.model.groups {
        all.insert(group.name.site, quote!(&batch.));
        if !group.single {
            let name = ident(&group.name.text, Span::call_site());
            all.extend(group.fields.iter().map(|field| (field.name.site, quote!(&batch.#name.))));
        }
    }
    all.extend(e.model.consts.iter().filter(|c| c.value.is_none()).map(|c| (c.name.site, consts.clone())));
    all.extend(e.model.hypers.iter().map(|h| (h.name.site, quote!(#model::))));
    all.extend(e.model.latents.iter().map(|l| (l.name.site, quote!(#model::))));
    all.extend(e.model.nets.iter().map(|n| (n.name.site, quote!(#net::))));
    all.extend(e.model.players.iter().map(|p| (p.name.site, quote!(#player::))));
    all
}
