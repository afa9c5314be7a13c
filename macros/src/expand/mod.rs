//! From a checked model to the code that stands in the user's crate: types, methods, and the model's text for the engine.
//!
//! Names of the user are emitted with their spans: once where they are declared (a struct, a field, a variant, a method), and once
//! for each use, so that completion, hover, going to the declaration and renaming work; everything else carries the call's
//! span. The skeleton is complete whatever errors there are: these stand beside it as `compile_error!` at the user's tokens.

mod data;
mod names;
mod outputs;
mod players;
mod references;
mod unused;

use names::Names;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use saddlepoint_language::tree::{ConstKind, Model, Site};
use saddlepoint_language::{Diagnostic, Resolved, encode};

/// What an expansion is made of.
pub struct Expansion<'a> {
    /// The model as it was read.
    pub model: &'a Model,
    /// What is known of it, as far as it could be resolved.
    pub resolved: &'a Resolved,
    /// The span of each [`Site`].
    pub spans: &'a [Span],
    /// `pub`, or what else the user wrote.
    pub visibility: TokenStream,
    /// Documentation and attributes of the model.
    pub attributes: Vec<TokenStream>,
    /// Tokens of each Rust constant of [`Model::outer`].
    pub outer: Vec<TokenStream>,
    /// Path and number of operands of each Rust function of [`Model::functions`].
    pub functions: Vec<(TokenStream, usize)>,
    /// Path of each extern net, in order.
    pub externs: Vec<TokenStream>,
    /// What is wrong with the model.
    pub diagnostics: &'a [Diagnostic],
}

impl Expansion<'_> {
    fn span(&self, site: Site) -> Span {
        self.spans.get(site.0 as usize).copied().unwrap_or_else(Span::call_site)
    }

    /// A name of the user at the place where it was declared.
    fn user(&self, name: &saddlepoint_language::tree::Name) -> Ident {
        ident(&name.text, self.span(name.site))
    }
}

/// An identifier, also where the text is a keyword or no identifier at all.
fn ident(text: &str, span: Span) -> Ident {
    match syn::parse_str::<Ident>(text) {
        Ok(_) => Ident::new(text, span),
        Err(_) if syn::parse_str::<Ident>(&format!("r#{text}")).is_ok() => Ident::new_raw(text, span),
        Err(_) => Ident::new("unreadable", span),
    }
}

/// The code for a model, and its errors.
pub fn expand(e: &Expansion<'_>) -> TokenStream {
    let names = Names::new(e);
    let errors = e.diagnostics.iter().map(|d| {
        let message = &d.message;
        quote_spanned! { e.span(d.site) => ::core::compile_error! { #message } }
    });
    let structure = structure(e, &names);
    let data = data::types(e, &names);
    let players = players::types(e, &names);
    let build = build(e, &names);
    let training = players::methods(e, &names);
    let outputs = outputs::methods(e);
    let model = &names.model;
    let (batch, player, net, metrics) = (&names.batch, &names.player, &names.net, &names.metrics);
    // An enumeration without variants has no value, and no cast.
    let net_index = if e.model.nets.is_empty() { quote!(match net {}) } else { quote!(net as usize) };
    let source = source(e);
    let nets = nets(e);
    let unused = unused::declarations(e);
    let references = references::function(e, &names);
    quote! {
        #(#errors)*
        #unused
        #references
        #structure
        #data
        #players
        #[allow(non_snake_case, clippy::all)]
        impl #model {
            #nets
            #build
            #training
            #outputs
        }
        impl ::saddlepoint::Model for #model {
            type Batch = #batch;
            type Player = #player;
            type Net = #net;
            type Metrics = #metrics;
            #source
            fn net_index(net: #net) -> usize { #net_index }
            fn engine(&self) -> &::saddlepoint::__private::Engine { &self.engine }
            fn engine_mut(&mut self) -> &mut ::saddlepoint::__private::Engine { &mut self.engine }
        }
    }
}

fn structure(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let (visibility, attributes) = (&e.visibility, &e.attributes);
    let name = e.user(&e.model.name);
    let given: Vec<_> = e.model.consts.iter().filter(|c| c.value.is_none()).collect();
    let consts = (!given.is_empty()).then(|| {
        let consts = &names.consts;
        let fields = given.iter().map(|c| {
            let (field, ty) = (e.user(&c.name), const_type(c.kind));
            quote! { #[doc = "A constant of the model."] pub #field: #ty }
        });
        quote! {
            /// Constants that the model leaves open until it is built.
            #[allow(non_snake_case)]
            #[derive(Clone, Copy, Debug)]
            #visibility struct #consts { #(#fields),* }
        }
    });
    quote! {
        #(#attributes)*
        #visibility struct #name { engine: ::saddlepoint::__private::Engine }
        #consts
    }
}

fn const_type(kind: ConstKind) -> TokenStream {
    match kind {
        ConstKind::Usize => quote!(usize),
        ConstKind::F32 => quote!(f32),
        ConstKind::Bool => quote!(bool),
    }
}

fn build(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let given: Vec<_> = e.model.consts.iter().filter(|c| c.value.is_none()).collect();
    let consts_type = &names.consts;
    let parameter = (!given.is_empty()).then(|| quote! { consts: #consts_type, });
    let values = given.iter().map(|c| {
        let field = ident(&c.name.text, Span::call_site());
        match c.kind {
            ConstKind::Bool => quote! { f64::from(u8::from(consts.#field)) },
            _ => quote! { consts.#field as f64 },
        }
    });
    quote! {
        /// Compiles the model: one program for each player's turn and each output.
        ///
        /// # Errors
        /// What open constants and Rust functions decide against the model, with file, line and column.
        pub fn build(#parameter config: ::saddlepoint::Config) -> ::saddlepoint::Result<Self> {
            let consts: &[f64] = &[#(#values),*];
            let source = <Self as ::saddlepoint::Model>::source();
            ::core::result::Result::Ok(Self { engine: ::saddlepoint::__private::Engine::build(source, consts, config)? })
        }
    }
}

/// The model's text, where the engine and tests find it, with what it names of the Rust code around it.
fn source(e: &Expansion<'_>) -> TokenStream {
    let (name, tree) = (&e.model.name.text, encode(e.model));
    // Without a sound model there is nothing to carry, and its text might be long.
    let tree = if e.diagnostics.is_empty() { tree } else { String::new() };
    let outer = e.outer.iter().map(|tokens| quote! { (#tokens) as f64 });
    let functions = e.functions.iter().map(|(path, operands)| {
        let operands = (0..*operands).map(|i| quote! { operands[#i].clone() });
        quote! {
            ::std::boxed::Box::new(|operands: &[::saddlepoint::__private::Expr]| #path(#(#operands),*))
        }
    });
    let externs = &e.externs;
    quote! {
        fn source() -> &'static ::saddlepoint::__private::ModelSource {
            fn statics() -> ::saddlepoint::__private::Statics {
                ::saddlepoint::__private::Statics {
                    outer: ::std::vec![#(#outer),*],
                    functions: ::std::vec![#(#functions),*],
                }
            }
            static SOURCE: ::saddlepoint::__private::ModelSource = ::saddlepoint::__private::ModelSource {
                name: #name,
                file: ::core::file!(),
                tree: #tree,
                externs: &[#(#externs),*],
                statics,
            };
            &SOURCE
        }
    }
}

/// Every net as an associated constant, for extern nets of other models.
fn nets(e: &Expansion<'_>) -> TokenStream {
    let one = e.model.nets.iter().map(|net| {
        // The variant of the enumeration carries the user's span.
        let (constant, text) = (ident(&net.name.text, Span::call_site()), &net.name.text);
        let doc = format!("The net `{text}`, for `extern net` in other models.");
        quote! {
            #[doc = #doc]
            #[allow(dead_code, non_upper_case_globals)]
            pub const #constant: ::saddlepoint::NetDef =
                ::saddlepoint::NetDef::new(<Self as ::saddlepoint::Model>::source, #text);
        }
    });
    quote! { #(#one)* }
}
