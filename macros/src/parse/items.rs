//! The items of a model, one reader a kind.

use super::Parser;
use super::split::RawItem;
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use saddlepoint_language::tree::{
    Attribute, Const, ConstKind, Divergence, Expr, Field, Fn, Group, Hyper, Latent, Let, Metric, Name, Net, Noise, Output,
    Param, Phase, Player, Setting, Train, TrainLine, Type,
};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Token, braced, parenthesized};

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
        match read.parse2(tokens) {
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
                let site = self.site(Span::call_site());
                self.parsed.model.name = Name { text: "Model".into(), site };
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
        let end = item.end;
        let tokens: TokenStream = item.tokens.iter().cloned().collect();
        let result = match word.as_str() {
            "const" => self.constant(tokens),
            "hyper" => self.hyper(tokens),
            "data" => self.data(item.tokens),
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
            // An error at the end of the input has no token of its own.
            let at_end = error.span().start() == Span::call_site().start();
            let error = if at_end { syn::Error::new(end, error.to_string()) } else { error };
            self.syntax(&error);
        }
    }

    fn constant(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn hyper(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn data(&mut self, tokens: Vec<TokenTree>) -> syn::Result<()> {
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
    fn fields(&mut self, tokens: TokenStream) -> syn::Result<Vec<Field>> {
        comma_separated(tokens).into_iter().map(|part| self.field(part)).collect()
    }

    fn field(&mut self, tokens: TokenStream) -> syn::Result<Field> {
        let read = |input: ParseStream<'_>| {
            let name = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            Ok((name, input.parse::<TokenStream>()?))
        };
        let (name, ty) = read.parse2(tokens)?;
        let name = self.name(&name);
        let (ty, rest) = self.ty(ty, name.site)?;
        nothing_after(rest)?;
        Ok(Field { name, ty })
    }

    fn noise(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn latent(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn net(&mut self, tokens: TokenStream, attributes: &[TokenStream], external: bool) -> syn::Result<()> {
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
            read.parse2(rest)?;
            None
        } else {
            Some(self.block_tokens(rest))
        };
        let attributes = self.net_attributes(attributes);
        self.parsed.model.nets.push(Net { name, attributes, parameters, result, body });
        Ok(())
    }

    fn net_attributes(&mut self, attributes: &[TokenStream]) -> Vec<Attribute> {
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

    fn function_item(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    /// `name, name: type, …`
    fn params(&mut self, tokens: TokenStream) -> syn::Result<Vec<Param>> {
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

    fn let_item(&mut self, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let pattern = syn::Pat::parse_single(input)?;
            input.parse::<Token![=]>()?;
            let value: syn::Expr = input.parse()?;
            end_of(input)?;
            Ok((pattern, value))
        };
        let (pattern, value) = read.parse2(tokens)?;
        let item = Let { pattern: self.pattern(&pattern), value: self.expression(&value) };
        self.parsed.model.lets.push(item);
        Ok(())
    }

    fn divergence(&mut self, tokens: TokenStream) -> syn::Result<()> {
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
                    self.parsed.diagnostics.push(saddlepoint_language::Diagnostic::new(setting.name.site, message));
                }
            }
        }
        self.parsed.model.divergences.push(Divergence { name, parameter, value, conjugate, activation });
        Ok(())
    }

    /// `min G, max D { V }`: two players of one value.
    fn game(&mut self, first: &Ident, tokens: TokenStream) -> syn::Result<()> {
        let read = |input: ParseStream<'_>| {
            let one = input.call(Ident::parse_any)?;
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

    fn player(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn train(&mut self, tokens: TokenStream, at: Span) -> syn::Result<()> {
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
        for line in separated(lines, ';') {
            match self.train_line(line) {
                Ok(line) => train.lines.push(line),
                Err(error) => self.syntax(&error),
            }
        }
        self.parsed.model.trains.push(train);
        Ok(())
    }

    fn train_line(&mut self, tokens: TokenStream) -> syn::Result<TrainLine> {
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

    fn phase(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn metric(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    fn output(&mut self, tokens: TokenStream) -> syn::Result<()> {
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

    /// `name = value`
    pub(super) fn setting(&mut self, expr: &syn::Expr) -> Option<Setting> {
        if let syn::Expr::Assign(assign) = expr
            && let syn::Expr::Path(path) = &*assign.left
            && let Some(name) = path.path.get_ident()
        {
            return Some(Setting { name: self.name(name), value: self.expression(&assign.right) });
        }
        self.error(syn::spanned::Spanned::span(expr), "expected `name = value`");
        None
    }

    /// A type at the front of the tokens, and what comes after it.
    fn ty(&mut self, tokens: TokenStream, owner: saddlepoint_language::tree::Site) -> syn::Result<(Type, TokenStream)> {
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

    fn class_count(&mut self, rest: &mut impl Iterator<Item = TokenTree>, at: Span) -> syn::Result<Expr> {
        match rest.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                let count: syn::Expr = syn::parse2(group.stream())?;
                Ok(self.expression(&count))
            }
            _ => Err(syn::Error::new(at, "expected the number of classes: `class(10)`")),
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
