//! Nets with their attributes, and fns: what has a body.

use crate::parse::Parser;
use crate::parse::items::{Exprs, end_of};
use proc_macro2::{Ident, TokenStream};
use saddlepoint_language::tree::{Attribute, Fn, Net};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Token, parenthesized};

impl Parser {
    pub(in crate::parse) fn net(
        &mut self,
        tokens: TokenStream,
        attributes: &[TokenStream],
        external: bool,
    ) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            if external {
                let word = input.call(Ident::parse_any)?;
                if word != "net" {
                    return Err(syn::Error::new(word.span(), "expected `extern net`"));
                }
            }
            let name = input.call(Ident::parse_any)?;
            let content;
            parenthesized!(content in input);
            let parameters: TokenStream = content.parse()?;
            if !input.peek(Token![->]) {
                let at = if input.is_empty() { name.span() } else { input.span() };
                let message = format!("a net declares its result: `net {name}(…) -> [1] {{ … }}`");
                return Err(syn::Error::new(at, message));
            }
            input.parse::<Token![->]>()?;
            Ok((name, parameters, input.parse::<TokenStream>()?))
        };
        let (name, parameters, rest) = read.parse2(tokens)?;
        let name = self.name(&name);
        let parameters = self.fields(parameters)?;
        let (result, rest) = self.ty(rest, name.site)?;
        let body = if external {
            let read = |input: ParseStream<'_>| {
                input.parse::<Token![=]>()?;
                let path: syn::Path = input.parse()?;
                end_of(input)?;
                Ok(path)
            };
            let path = read.parse2(rest)?;
            self.parsed.externs.push(quote::quote!(#path));
            None
        } else {
            Some(self.block_tokens(rest))
        };
        let attributes = self.net_attributes(attributes);
        self.parsed.model.nets.push(Net { name, attributes, parameters, result, body });
        Ok(())
    }

    pub(in crate::parse) fn net_attributes(&mut self, attributes: &[TokenStream]) -> Vec<Attribute> {
        let mut read_all = Vec::new();
        for tokens in attributes {
            let read = |input: ParseStream<'_>| {
                let name = input.call(Ident::parse_any)?;
                if name == "doc" {
                    input.parse::<TokenStream>()?;
                    return Ok(None);
                }
                let mut arguments = Exprs::new();
                if input.peek(syn::token::Paren) {
                    let content;
                    parenthesized!(content in input);
                    arguments = content.parse_terminated(<syn::Expr as syn::parse::Parse>::parse, Token![,])?;
                }
                end_of(input)?;
                Ok(Some((name, arguments)))
            };
            match read.parse2(tokens.clone()) {
                Ok(Some((name, arguments))) => {
                    let name = self.name(&name);
                    let arguments = arguments.iter().map(|a| self.expression(a)).collect();
                    read_all.push(Attribute { name, arguments });
                }
                Ok(None) => {}
                Err(error) => self.syntax(&error),
            }
        }
        read_all
    }

    pub(in crate::parse) fn function_item(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            let content;
            parenthesized!(content in input);
            Ok((name, content.parse::<TokenStream>()?, input.parse::<TokenStream>()?))
        };
        let (name, parameters, body) = read.parse2(tokens)?;
        let function = Fn { name: self.name(&name), parameters: self.params(parameters)?, body: self.block_tokens(body) };
        self.parsed.model.fns.push(function);
        Ok(())
    }
}
