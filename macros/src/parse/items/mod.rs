//! The items of a model, read one kind a file: tokens of one item in, a tree node or a diagnostic at its token out.

mod data;
mod declarations;
mod nets;
mod players;
mod train;
mod types;

use super::split::RawItem;
use super::{Parser, depth};
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use saddlepoint_language::tree::Name;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Token, braced};

/// Said of what readers of trees could not go down into.
const TOO_DEEP: &str = "expressions lie too deep in each other here; give parts of it names by `let`";

type Exprs = Punctuated<syn::Expr, Token![,]>;

impl Parser {
    /// `attributes pub model Name { … }`
    pub(super) fn model(&mut self, tokens: TokenStream) {
        let read = |input: ParseStream<'_>| {
            let attributes = input.call(syn::Attribute::parse_outer)?;
            let visibility: syn::Visibility = input.parse()?;
            let word = input.call(Ident::parse_any)?;
            if word != "model" {
                return Err(syn::Error::new(word.span(), "expected `model Name { … }`"));
            }
            let name = input.call(Ident::parse_any)?;
            let content;
            braced!(content in input);
            let body: TokenStream = content.parse()?;
            let rest: TokenStream = input.parse()?;
            Ok((attributes, visibility, name, body, rest))
        };
        let deep = depth::too_deep(depth::header(&tokens)).map(|span| Err(syn::Error::new(span, TOO_DEEP)));
        let rest = tokens.clone();
        match deep.unwrap_or_else(|| read.parse2(tokens)) {
            Ok((attributes, visibility, name, body, rest)) => {
                self.parsed.attributes = attributes.iter().map(|a| quote::quote!(#a)).collect();
                self.parsed.visibility = quote::quote!(#visibility);
                self.parsed.model.name = self.name(&name);
                if syn::parse_str::<Ident>(&name.to_string()).is_err() {
                    self.error(name.span(), format!("`{name}` is a word of Rust and names no model"));
                }
                if let Some(first) = rest.into_iter().next() {
                    self.error(first.span(), "one `gan!` holds one model: give this its own");
                }
                for item in self.split(body) {
                    self.item(item);
                }
            }
            Err(error) => {
                self.syntax(&error);
                self.model_without_header(rest);
            }
        }
    }

    /// A model whose header cannot be read, as while somebody writes an attribute above it: what stands after `model` still counts.
    fn model_without_header(&mut self, tokens: TokenStream) {
        let mut rest = tokens.into_iter().skip_while(|token| !matches!(token, TokenTree::Ident(word) if word == "model"));
        let name = match rest.nth(1) {
            Some(TokenTree::Ident(name)) if syn::parse_str::<Ident>(&name.to_string()).is_ok() => self.name(&name),
            _ => Name { text: "Model".into(), site: self.site(Span::call_site()) },
        };
        self.parsed.model.name = name;
        if let Some(TokenTree::Group(body)) = rest.next()
            && body.delimiter() == Delimiter::Brace
        {
            for item in self.split(body.stream()) {
                self.item(item);
            }
        }
    }

    fn item(&mut self, item: RawItem) {
        let word = item.keyword.to_string();
        if word != "net" && word != "extern" {
            // Documentation may stand anywhere; other attributes belong to nets.
            for attribute in &item.attributes {
                let doc = attribute.clone().into_iter().next().is_some_and(|t| t.to_string() == "doc");
                if let Some(first) = attribute.clone().into_iter().next().filter(|_| !doc) {
                    self.error(first.span(), format!("`{first}` is an attribute of nets, not of a `{word}`"));
                }
            }
        }
        let all = item.attributes.iter().cloned().flatten().chain(item.tokens.iter().cloned());
        if let Some(span) = depth::too_deep(all.collect()) {
            self.error(span, TOO_DEEP);
            self.unread(&word, &item.tokens);
            return;
        }
        let end = item.end;
        let tokens: TokenStream = item.tokens.iter().cloned().collect();
        let result = match word.as_str() {
            "const" => self.constant(tokens),
            "hyper" => self.hyper(tokens),
            "data" => self.data(item.tokens.clone()),
            "noise" => self.noise(tokens),
            "latent" => self.latent(tokens),
            "net" => self.net(tokens, &item.attributes, false),
            "extern" => self.net(tokens, &item.attributes, true),
            "fn" => self.function_item(tokens),
            "let" => self.let_item(tokens),
            "divergence" => self.divergence(tokens),
            "min" | "max" => self.game(&item.keyword, tokens),
            "player" => self.player(tokens),
            "train" => self.train(tokens, item.keyword.span()),
            "phase" => self.phase(tokens),
            "metric" => self.metric(tokens),
            "output" => self.output(tokens),
            _ => Err(syn::Error::new(item.keyword.span(), "models do not nest")),
        };
        if let Err(error) = result {
            self.unread(&word, &item.tokens);
            // An error at the end of the input has no token of its own.
            let at_end = error.span().start() == Span::call_site().start();
            let error = if at_end { syn::Error::new(end, error.to_string()) } else { error };
            self.syntax(&error);
        }
    }
}

impl Parser {
    /// Notes the names that an item which could not be read may have declared, so that their uses are no errors too.
    fn unread(&mut self, word: &str, tokens: &[TokenTree]) {
        let mut names = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Punct(p) if p.as_char() == '=' => break,
                TokenTree::Ident(name) => names.push(name.clone()),
                TokenTree::Group(group) if word == "data" || word == "let" => {
                    names.extend(group.stream().into_iter().filter_map(|token| match token {
                        TokenTree::Ident(name) => Some(name),
                        _ => None,
                    }));
                }
                _ => {}
            }
        }
        for name in names {
            let name = self.name(&name);
            self.parsed.model.unread.push(name);
        }
    }
}

/// Fails unless the input is used up.
fn end_of(input: ParseStream<'_>) -> syn::Result<()> {
    match input.is_empty() {
        true => Ok(()),
        false => Err(input.error("expected `;`")),
    }
}

fn nothing_after(rest: TokenStream) -> syn::Result<()> {
    match rest.into_iter().next() {
        None => Ok(()),
        Some(token) => Err(syn::Error::new(token.span(), format!("unexpected `{token}` after a type"))),
    }
}

/// The parts between commas; a trailing comma adds none.
fn comma_separated(tokens: TokenStream) -> Vec<TokenStream> {
    separated(tokens, ',')
}

fn separated(tokens: TokenStream, separator: char) -> Vec<TokenStream> {
    let (mut parts, mut current) = (Vec::new(), Vec::new());
    for token in tokens {
        if matches!(&token, TokenTree::Punct(p) if p.as_char() == separator) {
            parts.push(std::mem::take(&mut current));
        } else {
            current.push(token);
        }
    }
    parts.push(current);
    parts.into_iter().filter(|p| !p.is_empty()).map(|p| p.into_iter().collect()).collect()
}
