//! Constants, hypers, noises, latents, lets and divergences: a name and what it stands for.

use crate::parse::Parser;
use crate::parse::items::{Exprs, end_of};
use proc_macro2::{Ident, Span, TokenStream};
use saddlepoint_language::Diagnostic;
use saddlepoint_language::tree::{Const, ConstKind, Divergence, Hyper, Latent, Let, Noise, Pattern};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Token, parenthesized};

impl Parser {
    pub(in crate::parse) fn constant(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            let kind: Ident = input.parse()?;
            let value =
                if input.is_empty() { None } else { Some((input.parse::<Token![=]>()?, input.parse::<syn::Expr>()?).1) };
            end_of(input)?;
            Ok((name, kind, value))
        };
        let (name, kind, value) = read.parse2(tokens)?;
        let kind = match kind.to_string().as_str() {
            "usize" => ConstKind::Usize,
            "f32" => ConstKind::F32,
            "bool" => ConstKind::Bool,
            _ => {
                self.error(kind.span(), format!("a const is `usize`, `f32` or `bool`, not `{kind}`"));
                ConstKind::Usize
            }
        };
        let constant = Const { name: self.name(&name), kind, value: value.map(|v| self.expression(&v)) };
        self.parsed.model.consts.push(constant);
        Ok(())
    }

    pub(in crate::parse) fn hyper(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            let kind: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((name, kind, value))
        };
        let (name, kind, value) = read.parse2(tokens)?;
        if kind != "f32" {
            self.error(kind.span(), format!("a hyper is `f32`, not `{kind}`"));
        }
        let hyper = Hyper { name: self.name(&name), value: self.expression(&value) };
        self.parsed.model.hypers.push(hyper);
        Ok(())
    }

    pub(in crate::parse) fn noise(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((name, value))
        };
        let (name, value) = read.parse2(tokens)?;
        let noise = Noise { name: self.name(&name), value: self.expression(&value) };
        self.parsed.model.noises.push(noise);
        Ok(())
    }

    pub(in crate::parse) fn latent(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            Ok((name, input.parse::<TokenStream>()?))
        };
        let (name, rest) = read.parse2(tokens)?;
        let name = self.name(&name);
        let (ty, rest) = self.ty(rest, name.site)?;
        let read = |input: ParseStream<'_>| {
            let mut per = None;
            if input.peek(syn::Ident) {
                let word: Ident = input.parse()?;
                if word != "per" {
                    return Err(syn::Error::new(word.span(), "expected `per GROUP`, `= …` or `;`"));
                }
                per = Some(input.call(Ident::parse_any)?);
            }
            let initial =
                if input.is_empty() { None } else { Some((input.parse::<Token![=]>()?, input.parse::<syn::Expr>()?).1) };
            end_of(input)?;
            Ok((per, initial))
        };
        let (per, initial) = read.parse2(rest)?;
        let per = per.map(|p| self.name(&p));
        let initial = initial.map(|i| self.expression(&i));
        self.parsed.model.latents.push(Latent { name, ty, per, initial });
        Ok(())
    }

    pub(in crate::parse) fn let_item(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let pattern = syn::Pat::parse_single(input)?;
            input.parse::<Token![=]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((pattern, value))
        };
        let (pattern, value) = read.parse2(tokens)?;
        let item = Let { pattern: self.pattern(&pattern), value: self.expression(&value) };
        self.unchanging(&item.pattern);
        self.parsed.model.lets.push(item);
        Ok(())
    }

    /// A `let` of the model binds values that nothing changes.
    fn unchanging(&mut self, pattern: &Pattern) {
        match pattern {
            Pattern::Bind { name, mutable: true } => self.parsed.diagnostics.push(Diagnostic::new(
                name.site,
                format!("a `let` of the model has one value in each step, which nothing changes: write `let {}`", name.text),
            )),
            Pattern::Tuple { parts, .. } => parts.iter().for_each(|part| self.unchanging(part)),
            _ => {}
        }
    }

    pub(in crate::parse) fn divergence(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            let content;
            parenthesized!(content in input);
            let parameter = content.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            Ok((name, parameter, Exprs::parse_terminated(input)?))
        };
        let (name, parameter, parts) = read.parse2(tokens)?;
        let (name, parameter) = (self.name(&name), self.name(&parameter));
        let mut parts = parts.iter();
        let Some(first) = parts.next() else { return Err(syn::Error::new(Span::call_site(), "expected f")) };
        let value = self.expression(first);
        let (mut conjugate, mut activation) = (None, None);
        for part in parts {
            let Some(setting) = self.setting(part) else { continue };
            match setting.name.text.as_str() {
                "conjugate" => conjugate = Some(setting.value),
                "activation" => activation = Some(setting.value),
                other => {
                    let message = format!("a divergence takes `conjugate` and `activation`, not `{other}`");
                    self.parsed.diagnostics.push(Diagnostic::new(setting.name.site, message));
                }
            }
        }
        self.parsed.model.divergences.push(Divergence { name, parameter, value, conjugate, activation });
        Ok(())
    }
}
