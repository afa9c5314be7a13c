//! A snippet that declares types and methods as a page shows them, without bodies, becomes code that uses them so: it compiles
//! only where what `gan!` generated has these fields, variants and signatures, no others of a struct or an enumeration, and the
//! variants in this order.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::parse::Parser;

/// The checks of all declarations of a snippet, as text.
pub fn checks(text: &str) -> Result<String, String> {
    let file = syn::parse_file(text).map_err(|error| format!("the declarations cannot be read: {error}"))?;
    let checks = file.items.iter().enumerate().map(|(index, item)| match item {
        syn::Item::Struct(item) => Ok(structure(index, item)),
        syn::Item::Enum(item) => Ok(enumeration(index, item)),
        syn::Item::Impl(item) => match &item.trait_ {
            Some((path, ..)) => Ok(implementation(index, item, &path.to_token_stream())),
            None => methods(item),
        },
        other => Err(format!("no check is known for `{}`", other.to_token_stream())),
    });
    let checks: Result<Vec<TokenStream>, String> = checks.collect();
    Ok(checks?.into_iter().map(|check| format!("{check}\n")).collect())
}

/// A value of the struct falls apart into these fields; without any, the page leaves them out.
fn structure(index: usize, item: &syn::ItemStruct) -> TokenStream {
    let (check, name, generics) = (format_ident!("declared_{index}"), &item.ident, &item.generics);
    if item.fields.is_empty() {
        return quote! { fn #check #generics (_: #name #generics) {} };
    }
    let names: Vec<_> = item.fields.iter().map(|field| &field.ident).collect();
    let types = item.fields.iter().map(|field| &field.ty);
    quote! {
        fn #check #generics (value: #name #generics) {
            let #name { #(#names),* } = value;
            #(let _: #types = #names;)*
        }
    }
}

/// A match of these variants is complete, and they are numbered in this order.
fn enumeration(index: usize, item: &syn::ItemEnum) -> TokenStream {
    let (check, name) = (format_ident!("declared_{index}"), &item.ident);
    let variants: Vec<_> = item.variants.iter().map(|variant| &variant.ident).collect();
    let numbers = 0..variants.len();
    quote! {
        fn #check(value: #name) {
            match value { #(#name::#variants => {})* }
        }
        const _: () = assert!(true #(&& #name::#variants as usize == #numbers)*, "the order of the variants");
    }
}

/// The type has the trait, with these associated types.
fn implementation(index: usize, item: &syn::ItemImpl, implemented: &TokenStream) -> TokenStream {
    let check = format_ident!("declared_{index}");
    let (ty, parameters) = (&item.self_ty, &item.generics.params);
    let names = parameters.iter().map(|parameter| match parameter {
        syn::GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
        syn::GenericParam::Lifetime(parameter) => parameter.lifetime.to_token_stream(),
        syn::GenericParam::Const(parameter) => parameter.ident.to_token_stream(),
    });
    let comma = (!parameters.is_empty() && !parameters.trailing_punct()).then(|| quote!(,));
    // An implementation implies that a borrowed type outlives its lifetime; a function has to say so.
    let bounds = item.generics.type_params().flat_map(|ty| {
        let ty = &ty.ident;
        item.generics.lifetimes().map(move |lifetime| (ty, &lifetime.lifetime)).map(|(ty, lifetime)| quote!(#ty: #lifetime))
    });
    let bounds: Vec<TokenStream> = bounds.collect();
    let types = item.items.iter().filter_map(|item| match item {
        syn::ImplItem::Type(associated) => {
            let (name, is) = (&associated.ident, &associated.ty);
            Some(quote! { let _ = |value: <#ty as #implemented>::#name| -> #is { value }; })
        }
        _ => None,
    });
    quote! {
        fn #check<#parameters>() where #(#bounds),* {
            fn has<#parameters #comma Checked: #implemented>() where #(#bounds),* {}
            has::<#(#names,)* #ty>();
            #(#types)*
        }
    }
}

/// Methods of the same signatures that call the ones declared.
fn methods(item: &syn::ItemImpl) -> Result<TokenStream, String> {
    let (ty, generics) = (&item.self_ty, &item.generics);
    let methods = item.items.iter().map(|item| {
        let read = |input: syn::parse::ParseStream<'_>| {
            input.parse::<syn::Visibility>()?;
            input.parse::<syn::TraitItemFn>()
        };
        let method = read.parse2(item.to_token_stream());
        method.map(|method| calling(&method.sig)).map_err(|error| format!("a method cannot be read: {error}"))
    });
    let methods: Result<Vec<TokenStream>, String> = methods.collect();
    let methods = methods?;
    Ok(quote! { impl #generics #ty { #(#methods)* } })
}

fn calling(signature: &syn::Signature) -> TokenStream {
    let called = &signature.ident;
    let mut calling = signature.clone();
    calling.ident = format_ident!("declared_{called}");
    let arguments = signature.inputs.iter().map(|input| match input {
        syn::FnArg::Receiver(_) => quote!(self),
        syn::FnArg::Typed(argument) => argument.pat.to_token_stream(),
    });
    quote! { #calling { Self::#called(#(#arguments),*) } }
}
