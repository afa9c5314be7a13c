//! Players, nets, phases and metrics; the methods of training and of hypers.

use super::names::Names;
use super::{Expansion, ident};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use saddlepoint_language::tree::Name;

/// Enumerations of players, nets and phases, and the struct of metrics.
pub fn types(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let visibility = &e.visibility;
    let enumeration = |name: &Ident, doc: &str, variants: Vec<TokenStream>| {
        let derive = quote!(#[derive(Clone, Copy, Debug, PartialEq, Eq)]);
        quote! {
            #[doc = #doc]
            #[allow(dead_code, non_camel_case_types, missing_docs)]
            #derive
            #visibility enum #name { #(#variants),* }
        }
    };
    let variant = |name: &Name, doc: String| {
        let name = e.user(name);
        quote! { #[doc = #doc] #name }
    };
    let players = e.model.players.iter().map(|p| {
        let aim = if p.maximize { "maximizes" } else { "minimizes" };
        variant(&p.name, format!("Player `{}`, who {aim} an objective.", p.name.text))
    });
    let nets = e.model.nets.iter().enumerate().map(|(index, n)| variant(&n.name, net(e, index, &n.name)));
    let players = enumeration(&names.player, "The players, in the model's order.", players.collect());
    let nets = enumeration(&names.net, "The nets, in the model's order.", nets.collect());
    let phases = (!e.model.phases.is_empty()).then(|| {
        let phases = e.model.phases.iter().map(|p| variant(&p.name, format!("Phase `{}`.", p.name.text))).collect();
        enumeration(&names.phase, "The phases, in the model's order.", phases)
    });
    let metrics = &names.metrics;
    let value = metric_type(e);
    let fields = e.model.players.iter().map(|p| ident(&p.name.text, Span::call_site()));
    let own = e.model.metrics.iter().map(|m| e.user(&m.name));
    let fields: Vec<Ident> = fields.chain(own).collect();
    quote! {
        #players
        #nets
        #phases
        /// Objectives of the players at their last turns, then the model's metrics.
        #[allow(non_snake_case, missing_docs)]
        #[derive(Clone, Copy, Debug, PartialEq)]
        #visibility struct #metrics { #(pub #fields: #value),* }
    }
}

/// What an editor shows of a net: its types, as far as they are known.
fn net(e: &Expansion<'_>, index: usize, name: &Name) -> String {
    match e.resolved.nets.get(index) {
        Some(net) => {
            let parameters: Vec<String> = net.parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
            format!("`net {}({}) -> {}`", name.text, parameters.join(", "), net.result)
        }
        None => format!("Net `{}`.", name.text),
    }
}

/// Without phases every player has a value; with phases one that has not moved has none.
fn metric_type(e: &Expansion<'_>) -> TokenStream {
    match e.model.phases.is_empty() {
        true => quote!(f32),
        false => quote!(::core::option::Option<f32>),
    }
}

/// `fit`, `step`, `turn`, `metrics`, `enter`, and a getter and setter a hyper.
pub fn methods(e: &Expansion<'_>, names: &Names) -> TokenStream {
    let (batch, data, player, metrics, phase) = (&names.batch, &names.data, &names.player, &names.metrics, &names.phase);
    let groups = e.model.groups.iter().map(|g| ident(&g.name.text, Span::call_site()));
    let values = e.model.players.iter().map(|p| &p.name).chain(e.model.metrics.iter().map(|m| &m.name));
    let take = if e.model.phases.is_empty() { quote!(.unwrap_or(f32::NAN)) } else { quote!() };
    let values = values.map(|name| {
        let field = ident(&name.text, Span::call_site());
        quote! { #field: values.next().flatten() #take }
    });
    let enter = (!e.model.phases.is_empty()).then(|| {
        quote! {
            /// From the next step on, only this phase's players move.
            pub fn enter(&mut self, phase: #phase) { self.engine.enter(phase as usize); }
        }
    });
    let hypers = hypers(e);
    let latents = latents(e);
    quote! {
        /// Trains over data.
        ///
        /// # Errors
        /// Data that do not suit the model, a folder that cannot be written, training that diverges; nothing saved is lost.
        pub fn fit<'a>(
            &mut self,
            data: impl ::core::convert::Into<#data<'a>>,
            fit: ::saddlepoint::Fit,
        ) -> ::saddlepoint::Result<::saddlepoint::Report> {
            let data: #data<'a> = data.into();
            let _ = &data;
            self.engine.fit(::std::vec![#(data.#groups),*], fit)
        }

        /// Every player's turn; inner step j takes `batches[j % batches.len()]`.
        ///
        /// # Errors
        /// A batch that does not suit the model.
        pub fn step(&mut self, batches: &[#batch]) -> ::saddlepoint::Result<()> {
            let columns: ::std::vec::Vec<_> = batches.iter().map(#batch::columns).collect();
            self.engine.step(&columns)
        }

        /// One inner step of one player.
        ///
        /// # Errors
        /// A batch that does not suit the model.
        pub fn turn(&mut self, player: #player, batch: &#batch) -> ::saddlepoint::Result<()> {
            self.engine.turn(player as usize, &batch.columns())
        }

        /// Objectives and metrics of the last step; the only read-back.
        ///
        /// # Errors
        /// There has been no step yet.
        pub fn metrics(&mut self) -> ::saddlepoint::Result<#metrics> {
            let mut values = self.engine.metrics()?.into_iter();
            let _ = &mut values;
            ::core::result::Result::Ok(#metrics { #(#values),* })
        }
        #enter
        #hypers
        #latents
    }
}

fn hypers(e: &Expansion<'_>) -> TokenStream {
    let one = e.model.hypers.iter().enumerate().map(|(index, hyper)| {
        let getter = e.user(&hyper.name);
        let setter = format_ident!("set_{}", hyper.name.text, span = Span::call_site());
        let (read, write) = (
            format!("The value of hyper `{}` at the coming step.", hyper.name.text),
            format!("Replaces the formula of hyper `{}` by a number, without recompiling.", hyper.name.text),
        );
        quote! {
            #[doc = #read]
            pub fn #getter(&self) -> f32 { self.engine.hyper(#index) }
            #[doc = #write]
            pub fn #setter(&mut self, value: f32) { self.engine.set_hyper(#index, value); }
        }
    });
    quote! { #(#one)* }
}

/// A getter and a setter a latent.
fn latents(e: &Expansion<'_>) -> TokenStream {
    let one = e.model.latents.iter().enumerate().map(|(index, latent)| {
        let getter = e.user(&latent.name);
        let setter = format_ident!("set_{}", latent.name.text, span = Span::call_site());
        let name = &latent.name.text;
        let (read, write) = match &latent.per {
            Some(group) => (
                format!("Latent `{name}`: one row for every sample of `{}`, in the order of its source.", group.text),
                format!("Sets latent `{name}`: one row for every sample of `{}`.", group.text),
            ),
            None => (format!("The value of latent `{name}`."), format!("Sets the value of latent `{name}`.")),
        };
        quote! {
            #[doc = #read]
            ///
            /// # Errors
            /// No program of the model uses it.
            pub fn #getter(&self) -> ::saddlepoint::Result<::saddlepoint::Tensor> { self.engine.latent(#index) }
            #[doc = #write]
            ///
            /// # Errors
            /// Another shape.
            pub fn #setter(&mut self, value: &::saddlepoint::Tensor) -> ::saddlepoint::Result<()> {
                self.engine.set_latent(#index, value)
            }
        }
    });
    quote! { #(#one)* }
}
