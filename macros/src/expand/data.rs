//! Types of what goes into a step and a fit.
//!
//! `data x: T;` is a field `x` of the batch; `data pair { x: T, … }` is a field `pair` of a type of its own.

use super::names::Names;
use super::{Expansion, ident};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use saddlepoint_language::tree::{Group, Type};

/// `Tensor` or `Classes`.
pub fn host_type(ty: &Type) -> TokenStream {
    match ty {
        Type::Tensor { class: Some(_), .. } => quote!(::saddlepoint::Classes),
        _ => quote!(::saddlepoint::Tensor),
    }
}

/// The batch with its groups, and the sources of a fit.
pub fn types(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let visibility = &e.visibility;
    let (batch, data) = (&names.batch, &names.data);
    let groups = e.model.groups.iter().enumerate().filter(|(_, g)| !g.single).map(|(index, group)| {
        let name = names.group(&group.name.text);
        let fields = group.fields.iter().enumerate().map(|(place, f)| {
            let doc = format!("Field `{}` of every sample{}.", f.name.text, written(e, index, place));
            let (field, ty) = (e.user(&f.name), host_type(&f.ty));
            quote! { #[doc = #doc] pub #field: #ty }
        });
        let rows = has_rows(e, &group.name.text).then(|| {
            quote! { #[doc = "Positions of the samples in their source: latents own a row each."] pub rows: ::saddlepoint::Rows, }
        });
        let doc = format!("One batch of data group `{}`; the batch axis comes first.", group.name.text);
        quote! {
            #[doc = #doc]
            #[allow(non_snake_case)]
            #[derive(Clone, Debug)]
            #visibility struct #name { #rows #(#fields),* }
        }
    });
    let batch_fields = e.model.groups.iter().enumerate().map(|(index, group)| {
        let name = e.user(&group.name);
        let ty = match group.fields.first() {
            Some(field) if group.single => host_type(&field.ty),
            _ => {
                let ty = names.group(&group.name.text);
                quote!(#ty)
            }
        };
        let doc = match group.single {
            true => format!("Data `{}` of every sample{}.", group.name.text, written(e, index, 0)),
            false => format!("Data group `{}`.", group.name.text),
        };
        let rows = (group.single && has_rows(e, &group.name.text)).then(|| {
            let rows = rows_field(&group.name.text);
            quote! { , #[doc = "Positions of the samples in their source: latents own a row each."] pub #rows: ::saddlepoint::Rows }
        });
        quote! { #[doc = #doc] pub #name: #ty #rows }
    });
    let columns = e.model.groups.iter().map(|group| columns(group, has_rows(e, &group.name.text)));
    let sources = sources(e, names);
    quote! {
        #(#groups)*
        /// One batch of every data group; the batch axis comes first.
        #[allow(non_snake_case)]
        #[derive(Clone, Debug)]
        #visibility struct #batch { #(#batch_fields),* }
        impl #batch {
            fn columns(&self) -> ::std::vec::Vec<::std::vec::Vec<::saddlepoint::Column<'_>>> {
                ::std::vec![#(#columns),*]
            }
        }
        #sources
        const _: () = { let _: ::core::option::Option<#data<'static>> = ::core::option::Option::None; };
    }
}

/// The type of a field as a model writes it, `: [3, 32, 32]`, where it is known.
fn written(e: &Expansion<'_>, group: usize, field: usize) -> String {
    let known = e.resolved.groups.get(group).and_then(|group| group.fields.get(field));
    known.map(|field| format!(": `{}`", field.ty)).unwrap_or_default()
}

/// Whether a latent owns a row for every sample of the group.
fn has_rows(e: &Expansion<'_>, group: &str) -> bool {
    e.model.latents.iter().any(|latent| latent.per.as_ref().is_some_and(|per| per.text == group))
}

/// The positions beside the one field of `data x: T;`: `x_rows`.
fn rows_field(group: &str) -> proc_macro2::Ident {
    ident(&format!("{group}_rows"), Span::call_site())
}

/// The columns of one group's batch, the positions last.
fn columns(group: &Group, has_rows: bool) -> TokenStream {
    let name = ident(&group.name.text, Span::call_site());
    if group.single {
        let rows = has_rows.then(|| {
            let rows = rows_field(&group.name.text);
            quote! { , ::saddlepoint::Column::from(&self.#rows) }
        });
        return quote! { ::std::vec![::saddlepoint::Column::from(&self.#name) #rows] };
    }
    let fields = group.fields.iter().map(|f| {
        let field = ident(&f.name.text, Span::call_site());
        quote! { ::saddlepoint::Column::from(&self.#name.#field) }
    });
    let rows = has_rows.then(|| quote! { , ::saddlepoint::Column::from(&self.#name.rows) });
    quote! { ::std::vec![#(#fields),* #rows] }
}

fn sources(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let (visibility, data) = (&e.visibility, &names.data);
    let groups: Vec<_> = e.model.groups.iter().map(|g| ident(&g.name.text, Span::call_site())).collect();
    let single = match groups.as_slice() {
        [only] => quote! {
            impl<'a, S: ::saddlepoint::Source> ::core::convert::From<&'a S> for #data<'a> {
                fn from(source: &'a S) -> Self { Self { #only: source } }
            }
        },
        _ => TokenStream::new(),
    };
    // A model without data still has a type for it, with the lifetime in use.
    let lifetime = groups.is_empty().then(|| {
        quote! { #[doc = "Nothing."] pub nothing: ::core::marker::PhantomData<&'a ()> }
    });
    quote! {
        /// The sources of a fit, one a data group.
        #[allow(non_snake_case)]
        #[derive(Clone, Copy)]
        #visibility struct #data<'a> {
            #(#[doc = "The source of this group."] pub #groups: &'a dyn ::saddlepoint::Source,)*
            #lifetime
        }
        #single
    }
}
