//! Players, games, phases, metrics and outputs: what is minimised, and what is asked of the model.

use crate::parse::Parser;
use crate::parse::items::end_of;
use proc_macro2::{Ident, TokenStream};
use saddlepoint_language::tree::{Metric, Output, Phase, Player};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Token, parenthesized};

impl Parser {
    /// `min G, max D { V }`: two players of one value.
    pub(in crate::parse) fn game(&mut self, first: &Ident, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let one = input.call(Ident::parse_any)?;
            if !input.peek(Token![,]) {
                let message = format!("a game is written `min G, max D {{ V }}`: a comma is missing after `{one}`");
                return Err(syn::Error::new(if input.is_empty() { one.span() } else { input.span() }, message));
            }
            input.parse::<Token![,]>()?;
            let word = input.call(Ident::parse_any)?;
            let two = input.call(Ident::parse_any)?;
            Ok((one, word, two, input.parse::<TokenStream>()?))
        };
        let (one, word, two, body) = read.parse2(tokens)?;
        if first == &word || (word != "min" && word != "max") {
            let message = format!("a game has one side of each: `min G, max D {{ V }}`, not `{first} …, {word} …`");
            return Err(syn::Error::new(word.span(), message));
        }
        let body = self.block_tokens(body);
        for (name, side) in [(&one, first), (&two, &word)] {
            let name = self.name(name);
            let player = Player { name, updates: Vec::new(), maximize: side == "max", body: body.clone(), game: true };
            self.parsed.model.players.push(player);
        }
        Ok(())
    }

    pub(in crate::parse) fn player(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            let mut word = input.call(Ident::parse_any)?;
            let mut updates = Vec::new();
            if word == "updates" {
                if input.peek(syn::token::Paren) {
                    let content;
                    parenthesized!(content in input);
                    let all: Punctuated<Ident, Token![,]> = content.parse_terminated(Ident::parse_any, Token![,])?;
                    updates.extend(all);
                } else {
                    updates.push(input.call(Ident::parse_any)?);
                }
                word = input.call(Ident::parse_any)?;
            }
            if word != "minimizes" && word != "maximizes" {
                let message = format!("expected `minimizes {{ … }}` or `maximizes {{ … }}`, found `{word}`");
                return Err(syn::Error::new(word.span(), message));
            }
            Ok((name, updates, word == "maximizes", input.parse::<TokenStream>()?))
        };
        let (name, updates, maximize, body) = read.parse2(tokens)?;
        let name = self.name(&name);
        let updates = updates.iter().map(|u| self.name(u)).collect();
        let body = self.block_tokens(body);
        self.parsed.model.players.push(Player { name, updates, maximize, body, game: false });
        Ok(())
    }

    pub(in crate::parse) fn phase(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            let players: Punctuated<Ident, Token![,]> = input.parse_terminated(Ident::parse_any, Token![,])?;
            Ok((name, players))
        };
        let (name, players) = read.parse2(tokens)?;
        let phase = Phase { name: self.name(&name), players: players.iter().map(|p| self.name(p)).collect() };
        self.parsed.model.phases.push(phase);
        Ok(())
    }

    pub(in crate::parse) fn metric(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((name, value))
        };
        let (name, value) = read.parse2(tokens)?;
        let metric = Metric { name: self.name(&name), value: self.expression(&value) };
        self.parsed.model.metrics.push(metric);
        Ok(())
    }

    pub(in crate::parse) fn output(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            let mut parameters = TokenStream::new();
            if input.peek(syn::token::Paren) {
                let content;
                parenthesized!(content in input);
                parameters = content.parse()?;
            }
            input.parse::<Token![=]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((name, parameters, value))
        };
        let (name, parameters, value) = read.parse2(tokens)?;
        let output = Output { name: self.name(&name), parameters: self.params(parameters)?, value: self.expression(&value) };
        self.parsed.model.outputs.push(output);
        Ok(())
    }
}
