//! Data groups and the parameters of nets, fns and outputs: names with types.

use crate::parse::Parser;
use crate::parse::items::{comma_separated, nothing_after};
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use saddlepoint_language::tree::{Field, Group, Param, Type};
use syn::Token;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};

impl Parser {
    pub(in crate::parse) fn data(&mut self, tokens: Vec<TokenTree>) -> syn::Result<()> {
        let group = match tokens.as_slice() {
            [TokenTree::Ident(name), TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                let name = self.name(name);
                let fields = self.fields(group.stream())?;
                if fields.is_empty() {
                    self.error(group.span(), "a data group has at least one field: `data pair { x: [2] }`");
                }
                Group { name, fields, single: false }
            }
            _ => {
                let field = self.field(tokens.into_iter().collect())?;
                Group { name: field.name.clone(), fields: vec![field], single: true }
            }
        };
        self.parsed.model.groups.push(group);
        Ok(())
    }

    /// `name: type, …`
    pub(in crate::parse) fn fields(&mut self, tokens: TokenStream) -> syn::Result<Vec<Field>> {
        comma_separated(tokens).into_iter().map(|part| self.field(part)).collect()
    }

    pub(in crate::parse) fn field(&mut self, tokens: TokenStream) -> syn::Result<Field> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            if !input.peek(Token![:]) {
                let at = if input.is_empty() { name.span() } else { input.span() };
                let message = format!("`{name}` needs a type: `{name}: [3, 32, 32]`, or `{name}: class(10)`");
                return Err(syn::Error::new(at, message));
            }
            input.parse::<Token![:]>()?;
            Ok((name, input.parse::<TokenStream>()?))
        };
        let (name, ty) = read.parse2(tokens)?;
        let name = self.name(&name);
        // A type that cannot be read is reported, and agrees with everything: the field stays declared.
        let read = self.ty(ty, name.site).and_then(|(ty, rest)| nothing_after(rest).map(|()| ty));
        let ty = read.unwrap_or_else(|error| {
            self.syntax(&error);
            Type::Unknown { site: name.site }
        });
        Ok(Field { name, ty })
    }

    /// `name, name: type, …`
    pub(in crate::parse) fn params(&mut self, tokens: TokenStream) -> syn::Result<Vec<Param>> {
        let mut params = Vec::new();
        for part in comma_separated(tokens) {
            let read = |input: ParseStream<'_>| {
                let name = input.call(Ident::parse_any)?;
                let ty = if input.is_empty() {
                    None
                } else {
                    Some((input.parse::<Token![:]>()?, input.parse::<TokenStream>()?).1)
                };
                Ok((name, ty))
            };
            let (name, ty) = read.parse2(part)?;
            self.bound.insert(name.to_string());
            let name = self.name(&name);
            let ty = match ty {
                Some(tokens) => {
                    let (ty, rest) = self.ty(tokens, name.site)?;
                    nothing_after(rest)?;
                    Some(ty)
                }
                None => None,
            };
            params.push(Param { name, ty });
        }
        Ok(params)
    }
}
