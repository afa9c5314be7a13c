//! A method an output.

use super::{Expansion, ident};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use saddlepoint_language::tree::Output;
use saddlepoint_language::{Element, TensorType};

/// The methods of all outputs.
pub fn methods(e: &Expansion<'_>) -> TokenStream {
    let all = e.model.outputs.iter().enumerate().map(|(index, output)| method(e, index, output));
    quote! { #(#all)* }
}

fn method(e: &Expansion<'_>, index: usize, output: &Output) -> TokenStream {
    let name = e.user(&output.name);
    let known = e.resolved.outputs.get(index);
    let parameters: Vec<(proc_macro2::Ident, TokenStream)> = output
        .parameters
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let ty = known.and_then(|o| o.parameters.get(i)).map_or_else(|| quote!(::saddlepoint::Tensor), |f| host(&f.ty));
            (ident(&p.name.text, Span::call_site()), ty)
        })
        .collect();
    let takes_n = known.map_or(output.parameters.is_empty(), |o| o.takes_n);
    let (n_parameter, n_value) = match takes_n {
        true => (quote!(, n: usize), quote!(::core::option::Option::Some(n))),
        false => (quote!(), quote!(::core::option::Option::None)),
    };
    let results: Vec<&TensorType> = known.map(|o| o.results.iter().collect()).unwrap_or_default();
    let tuple = known.is_some_and(|o| o.tuple);
    let types: Vec<TokenStream> = match results.is_empty() {
        true => vec![quote!(::saddlepoint::Tensor)],
        false => results.iter().map(|ty| host(ty)).collect(),
    };
    let converted =
        types.iter().map(|ty| quote! { <#ty as ::saddlepoint::__private::FromArray>::from_array(results.next())? });
    let (result, value) = match tuple {
        true => (quote!((#(#types),*)), quote!((#(#converted),*))),
        false => (quote!(#(#types)*), quote!(#(#converted)*)),
    };
    let declared = parameters.iter().map(|(name, ty)| quote!(, #name: &#ty));
    let arguments = parameters.iter().map(|(name, _)| quote!(::saddlepoint::Column::from(#name)));
    let doc = match takes_n {
        true => format!("Output `{}` for `n` samples, whose noise is drawn.", output.name.text),
        false => format!("Output `{}`.", output.name.text),
    };
    let inner = format_ident!("results", span = Span::mixed_site());
    quote! {
        #[doc = #doc]
        ///
        /// # Errors
        /// Arguments that do not suit the output.
        pub fn #name(&mut self #(#declared)* #n_parameter) -> ::saddlepoint::Result<#result> {
            let #inner = self.engine.output(#index, &[#(#arguments),*], #n_value)?;
            let mut results = #inner.into_iter();
            ::core::result::Result::Ok(#value)
        }
    }
}

/// `Tensor` or `Classes`.
fn host(ty: &TensorType) -> TokenStream {
    match ty.element {
        Element::Float => quote!(::saddlepoint::Tensor),
        Element::Class(_) => quote!(::saddlepoint::Classes),
    }
}
