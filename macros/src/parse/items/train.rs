//! The training plan: a line of optimiser and settings for players.

use crate::parse::Parser;
use crate::parse::items::{Exprs, end_of, separated};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use saddlepoint_language::tree::{Name, Setting, Train, TrainLine};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Token, braced};

impl Parser {
    pub(in crate::parse) fn train(&mut self, tokens: TokenStream, at: Span) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let mut simultaneous = false;
            if input.peek(syn::Ident) {
                let word = input.call(Ident::parse_any)?;
                if word != "simultaneous" {
                    return Err(syn::Error::new(word.span(), "expected `train { … }` or `train simultaneous { … }`"));
                }
                simultaneous = true;
            }
            let content;
            braced!(content in input);
            let lines: TokenStream = content.parse()?;
            end_of(input)?;
            Ok((simultaneous, lines))
        };
        let (simultaneous, lines) = read.parse2(tokens)?;
        let site = self.site(at);
        let mut train = Train { site, simultaneous, lines: Vec::new() };
        let lines: Vec<TokenStream> = separated(lines, ';').into_iter().flat_map(|line| self.ended(line)).collect();
        for line in lines {
            match self.train_line(line) {
                Ok(line) => train.lines.push(line),
                Err(error) => {
                    // Whose line it was is not known.
                    self.parsed.model.unread.push(Name { text: "train".into(), site });
                    self.syntax(&error);
                }
            }
        }
        self.parsed.model.trains.push(train);
        Ok(())
    }

    /// Parts a line where another begins without a semicolon before it: `D: adam(1e-4) G: …`.
    fn ended(&mut self, line: TokenStream) -> Vec<TokenStream> {
        let (mut lines, mut current): (Vec<TokenStream>, Vec<TokenTree>) = (Vec::new(), Vec::new());
        for token in line {
            if let (Some(TokenTree::Group(last)), TokenTree::Ident(next)) = (current.last(), &token) {
                self.error(last.span_close(), format!("a line of `train` ends with `;`: write one before `{next}`"));
                lines.push(std::mem::take(&mut current).into_iter().collect());
            }
            current.push(token);
        }
        lines.push(current.into_iter().collect());
        lines
    }

    pub(in crate::parse) fn train_line(&mut self, tokens: TokenStream) -> syn::Result<TrainLine> {
        let read = |input: ParseStream<'_>| {
            let mut players = vec![input.call(Ident::parse_any)?];
            while input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
                players.push(input.call(Ident::parse_any)?);
            }
            input.parse::<Token![:]>()?;
            Ok((players, Exprs::parse_terminated(input)?))
        };
        let (players, parts) = read.parse2(tokens)?;
        let last = players.last().map_or_else(Span::call_site, Ident::span);
        let players = players.iter().map(|p| self.name(p)).collect();
        let mut parts = parts.iter();
        let optimiser = match parts.next() {
            Some(first) => self.expression(first),
            None => {
                return Err(syn::Error::new(last, "expected an optimiser: `adam(2e-4)`, `sgd(0.01)` or `rmsprop(5e-5)`"));
            }
        };
        let settings = parts.filter_map(|part| self.setting(part)).collect();
        Ok(TrainLine { players, optimiser, settings })
    }

    /// `name = value`
    pub(in crate::parse) fn setting(&mut self, expr: &syn::Expr) -> Option<Setting> {
        if let syn::Expr::Assign(assign) = expr
            && let syn::Expr::Path(path) = &*assign.left
            && let Some(name) = path.path.get_ident()
        {
            return Some(Setting { name: self.name(name), value: self.expression(&assign.right) });
        }
        self.error(syn::spanned::Spanned::span(expr), "expected `name = value`");
        None
    }
}
