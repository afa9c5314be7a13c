//! How deep an expression can be: readers of trees go down into them, so what has no bound here would have none on the stack.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// Operators, dots, brackets and keywords that may lie in each other on the way to one token.
///
/// A layer with its options takes two: a chain may have two hundred.
pub const DEEPEST: usize = 400;

/// What was being read when a bracket opened.
struct Level {
    rest: proc_macro2::token_stream::IntoIter,
    /// Cost of the way to this bracket.
    base: usize,
    /// Cost of the expression so far, which may end up around what follows.
    here: usize,
}

/// The first token that lies too deep. Walks without recursion, since its input may be of any depth.
pub fn too_deep(tokens: TokenStream) -> Option<Span> {
    let mut levels = vec![Level { rest: tokens.into_iter(), base: 0, here: 0 }];
    while let Some(level) = levels.last_mut() {
        let Some(token) = level.rest.next() else {
            levels.pop();
            continue;
        };
        match &token {
            TokenTree::Punct(p) if matches!(p.as_char(), ',' | ';') => level.here = 0,
            TokenTree::Punct(_) => level.here += 1,
            TokenTree::Group(_) => level.here += 1,
            TokenTree::Ident(word) if nests(word) => level.here += 1,
            _ => {}
        }
        let cost = level.base + level.here;
        if cost > DEEPEST {
            return Some(token.span());
        }
        if let TokenTree::Group(group) = token {
            levels.push(Level { rest: group.stream().into_iter(), base: cost, here: 0 });
        }
    }
    None
}

/// The tokens without what stands in braces.
pub fn header(tokens: &TokenStream) -> TokenStream {
    let open = |token: &TokenTree| !matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    tokens.clone().into_iter().filter(open).collect()
}

/// Whether a word may stand before an expression that it contains.
fn nests(word: &Ident) -> bool {
    let word = word.to_string();
    matches!(
        word.as_str(),
        "if" | "else"
            | "match"
            | "return"
            | "break"
            | "move"
            | "for"
            | "while"
            | "loop"
            | "unsafe"
            | "async"
            | "let"
            | "mut"
            | "ref"
            | "box"
            | "as"
            | "in"
            | "yield"
            | "static"
            | "const"
            | "dyn"
            | "impl"
            | "await"
            | "try"
            | "become"
            | "do"
    )
}
