//! Written types: `[3, 32, 32]`, `class(10)`, `[16] of class(V)`, tuples of these.

use crate::parse::Parser;
use crate::parse::items::{Exprs, comma_separated, nothing_after};
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use saddlepoint_language::tree::{Expr, Site, Type};
use syn::parse::Parser as _;

impl Parser {
    /// A type at the front of the tokens, and what comes after it.
    pub(in crate::parse) fn ty(&mut self, tokens: TokenStream, owner: Site) -> syn::Result<(Type, TokenStream)> {
        let mut rest = tokens.into_iter().peekable();
        let ty = match rest.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
                let site = self.site(group.span());
                let shape = Exprs::parse_terminated.parse2(group.stream())?;
                let shape: Vec<Expr> = shape.iter().map(|e| self.expression(e)).collect();
                let class = match rest.next_if(|t| t.to_string() == "of") {
                    Some(of) => match rest.next() {
                        Some(TokenTree::Ident(word)) if word == "class" => Some(self.class_count(&mut rest, word.span())?),
                        _ => return Err(syn::Error::new(of.span(), "expected `of class(K)`")),
                    },
                    None => None,
                };
                Type::Tensor { site, shape, class }
            }
            Some(TokenTree::Ident(word)) if word == "class" => {
                let site = self.site(word.span());
                let class = Some(self.class_count(&mut rest, word.span())?);
                Type::Tensor { site, shape: Vec::new(), class }
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                let site = self.site(group.span());
                let mut parts = Vec::new();
                for part in comma_separated(group.stream()) {
                    let (ty, rest) = self.ty(part, site)?;
                    nothing_after(rest)?;
                    parts.push(ty);
                }
                Type::Tuple { site, parts }
            }
            Some(other) => {
                let message = format!(
                    "expected a type: `[3, 32, 32]`, `class(10)`, `[16] of class(V)` or a tuple of these, found `{other}`"
                );
                return Err(syn::Error::new(other.span(), message));
            }
            None => {
                let span = self.parsed.spans.get(owner.0 as usize).copied().unwrap_or_else(Span::call_site);
                return Err(syn::Error::new(span, "a type is missing: `[3, 32, 32]`, `class(10)` or `[16] of class(V)`"));
            }
        };
        Ok((ty, rest.collect()))
    }

    pub(in crate::parse) fn class_count(
        &mut self,
        rest: &mut impl Iterator<Item = TokenTree>,
        at: Span,
    ) -> syn::Result<Expr> {
        match rest.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                let count: syn::Expr = syn::parse2(group.stream())?;
                Ok(self.expression(&count))
            }
            _ => Err(syn::Error::new(at, "expected the number of classes: `class(10)`")),
        }
    }
}
