//! From tokens to the language's tree. What cannot be read becomes a diagnostic at its token and is left out; the rest goes on.

mod body;
mod depth;
mod items;
mod split;

use proc_macro2::{Span, TokenStream};
use saddlepoint_language::Diagnostic;
use saddlepoint_language::tree::{Expr, ExprKind, Model, Name, Place, Site};
use std::collections::BTreeSet;
use syn::spanned::Spanned;

/// A model as it was read, with what only the macro needs to know of it.
#[derive(Default)]
pub struct Parsed {
    /// The tree.
    pub model: Model,
    /// The span of each site.
    pub spans: Vec<Span>,
    /// `pub` or the like.
    pub visibility: TokenStream,
    /// Documentation and other attributes of the model.
    pub attributes: Vec<TokenStream>,
    /// Tokens of each entry of [`Model::outer`].
    pub outer: Vec<TokenStream>,
    /// Path and number of operands of each entry of [`Model::functions`].
    pub functions: Vec<(TokenStream, usize)>,
    /// Path of each extern net, in order.
    pub externs: Vec<TokenStream>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the tokens between the braces of `gan!`.
pub fn parse(tokens: TokenStream) -> Parsed {
    let mut parser = Parser { parsed: Parsed::default(), bound: BTreeSet::new() };
    parser.site(Span::call_site());
    parser.model(tokens);
    parser.outer();
    parser.parsed
}

/// A tree under construction.
struct Parser {
    parsed: Parsed,
    /// Names that patterns and parameters bind, wherever.
    bound: BTreeSet<String>,
}

impl Parser {
    /// A new site at this span.
    fn site(&mut self, span: Span) -> Site {
        let start = span.start();
        self.parsed.spans.push(span);
        self.parsed.model.places.push(Place { line: start.line as u32, column: start.column as u32 + 1 });
        Site(self.parsed.spans.len() as u32 - 1)
    }

    fn name(&mut self, ident: &proc_macro2::Ident) -> Name {
        Name { text: ident.to_string().trim_start_matches("r#").to_string(), site: self.site(ident.span()) }
    }

    /// Reports an error at this span.
    fn error(&mut self, span: Span, message: impl Into<String>) {
        let site = self.site(span);
        self.parsed.diagnostics.push(Diagnostic::new(site, message));
    }

    /// Reports what syn did not understand.
    fn syntax(&mut self, error: &syn::Error) {
        let all: Vec<(Span, String)> = error.into_iter().map(|e| (e.span(), e.to_string())).collect();
        for (span, message) in all {
            let message = match message.as_str() {
                "expected identifier or integer" => {
                    "expected a name after the dot: a function such as `.relu()`, a field of a data group, or the number of a part"
                        .to_string()
                }
                "expected an expression" => "expected a value: a number, a name, a call".to_string(),
                _ => message,
            };
            self.error(span, message);
        }
    }

    /// An expression that could not be read, at this span.
    fn unknown(&mut self, span: Span) -> Expr {
        Expr { site: self.site(span), kind: ExprKind::Unknown }
    }

    /// The index of a Rust function called by its path.
    fn function(&mut self, path: &syn::Path, operands: usize) -> usize {
        let written = quote::quote!(#path).to_string().replace(' ', "");
        let same = |(i, name): (usize, &Name)| (name.text == written && self.parsed.functions[i].1 == operands).then_some(i);
        if let Some(index) = self.parsed.model.functions.iter().enumerate().find_map(same) {
            return index;
        }
        let site = self.site(path.span());
        self.parsed.model.functions.push(Name { text: written, site });
        self.parsed.functions.push((quote::quote!(#path), operands));
        self.parsed.functions.len() - 1
    }

    /// Notes a name that may be a Rust constant in scope: written in capitals. Declared ones are taken out at the end.
    fn maybe_outer(&mut self, ident: &proc_macro2::Ident) {
        let text = ident.to_string();
        let capitals = text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let letter = text.starts_with(|c: char| c.is_ascii_uppercase());
        if !capitals || !letter || text == "E" || self.parsed.model.outer.iter().any(|name| name.text == text) {
            return;
        }
        let name = self.name(ident);
        self.parsed.model.outer.push(name);
        self.parsed.outer.push(quote::quote!(#ident));
    }

    /// Leaves of the capitalised names those that the model neither declares nor binds anywhere.
    fn outer(&mut self) {
        let model = &self.parsed.model;
        let lets = model.lets.iter().flat_map(|l| l.pattern.names());
        let names = (model.consts.iter().map(|c| &c.name))
            .chain(model.hypers.iter().map(|h| &h.name))
            .chain(model.groups.iter().flat_map(|g| g.fields.iter().map(|f| &f.name).chain([&g.name])))
            .chain(model.noises.iter().map(|n| &n.name))
            .chain(model.latents.iter().map(|l| &l.name))
            .chain(model.nets.iter().flat_map(|n| n.parameters.iter().map(|p| &p.name).chain([&n.name])))
            .chain(model.fns.iter().flat_map(|f| f.parameters.iter().map(|p| &p.name).chain([&f.name])))
            .chain(model.players.iter().map(|p| &p.name))
            .chain(lets);
        let declared: BTreeSet<String> =
            names.map(|name| name.text.clone()).chain(std::mem::take(&mut self.bound)).collect();
        let keep: Vec<bool> = model.outer.iter().map(|name| !declared.contains(&name.text)).collect();
        let mut flags = keep.iter();
        self.parsed.model.outer.retain(|_| *flags.next().unwrap_or(&false));
        let mut flags = keep.iter();
        self.parsed.outer.retain(|_| *flags.next().unwrap_or(&false));
    }
}
