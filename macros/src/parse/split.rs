//! Cuts the tokens of a model into items, so that one broken item does not take the others with it.

use super::Parser;
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};

/// The words that begin an item.
pub const KEYWORDS: [&str; 18] = [
    "const",
    "hyper",
    "data",
    "noise",
    "latent",
    "net",
    "extern",
    "fn",
    "let",
    "divergence",
    "min",
    "max",
    "player",
    "train",
    "phase",
    "metric",
    "output",
    "model",
];

/// The tokens of one item.
pub struct RawItem {
    /// `#[…]` before it, as bracket groups.
    pub attributes: Vec<TokenStream>,
    /// The word it begins with.
    pub keyword: Ident,
    /// What follows, without the final semicolon.
    pub tokens: Vec<TokenTree>,
    /// Where it ends.
    pub end: Span,
}

impl Parser {
    /// Cuts tokens into items.
    pub(super) fn split(&mut self, tokens: TokenStream) -> Vec<RawItem> {
        let lines = tells_lines(&tokens);
        let mut rest = tokens.into_iter().peekable();
        let (mut items, mut attributes) = (Vec::new(), Vec::new());
        while let Some(token) = rest.next() {
            match token {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = rest.next_if(|t| is_group(t, Delimiter::Bracket)) {
                        attributes.push(group.stream());
                    } else {
                        self.error(p.span(), "expected `[…]` after `#`");
                    }
                }
                TokenTree::Punct(p) if p.as_char() == ';' => {}
                TokenTree::Ident(keyword) if KEYWORDS.contains(&keyword.to_string().as_str()) => {
                    let (tokens, end) = self.item_tokens(&keyword, lines, &mut rest);
                    items.push(RawItem { attributes: std::mem::take(&mut attributes), keyword, tokens, end });
                }
                TokenTree::Ident(word) => {
                    let hint = near_keyword(&word.to_string());
                    self.error(
                        word.span(),
                        format!("`{word}` begins no item{hint}; items are {}", KEYWORDS[..17].join(", ")),
                    );
                    skip_item(&mut rest);
                    attributes.clear();
                }
                other => {
                    self.error(other.span(), "expected an item, such as `net`, `player` or `train`");
                    skip_item(&mut rest);
                    attributes.clear();
                }
            }
        }
        items
    }

    /// The tokens of an item after its keyword: up to its braces or its semicolon.
    fn item_tokens(
        &mut self,
        keyword: &Ident,
        lines: bool,
        rest: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>,
    ) -> (Vec<TokenTree>, Span) {
        let word = keyword.to_string();
        let braced = matches!(word.as_str(), "net" | "fn" | "player" | "train" | "min" | "max");
        let (mut tokens, mut end): (Vec<TokenTree>, Span) = (Vec::new(), keyword.span());
        while let Some(next) = rest.peek() {
            if let TokenTree::Ident(ident) = next
                && let Some(last) = tokens.last()
                && begins_next(ident, last, &word, lines)
            {
                let expected = if braced { "`{ … }`" } else { "`;`" };
                self.error(end, format!("this `{word}` item does not end: expected {expected} before `{ident}`"));
                return (tokens, end);
            }
            let Some(token) = rest.next() else { break };
            if matches!(&token, TokenTree::Punct(p) if p.as_char() == ';') {
                return (tokens, token.span());
            }
            end = token.span();
            let brace = is_group(&token, Delimiter::Brace);
            tokens.push(token);
            // `data pair { … }` ends with its braces; `data x: T;` with a semicolon.
            if brace && (braced || (word == "data" && tokens.len() == 2)) {
                rest.next_if(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ';'));
                return (tokens, end);
            }
        }
        let expected = if braced { "`{ … }`" } else { "`;`" };
        self.error(end, format!("this `{word}` item does not end: expected {expected}"));
        (tokens, end)
    }
}

/// Whether tokens say on which line they stand. Those that editors expand do not, nor do models on one line.
fn tells_lines(tokens: &TokenStream) -> bool {
    let mut lines = tokens.clone().into_iter().map(|token| token.span().start().line);
    let first = lines.next();
    lines.any(|line| Some(line) != first)
}

/// Whether an identifier begins the next item although the last one has not been ended: an item's word right after a complete
/// expression, on a line of its own where lines are known.
fn begins_next(ident: &Ident, last: &TokenTree, word: &str, lines: bool) -> bool {
    let text = ident.to_string();
    // `min G, max D`; `extern net`; and `min`, `max` are functions too.
    if matches!(text.as_str(), "min" | "max" | "model") || (word == "extern" && text == "net") {
        return false;
    }
    let complete = match last {
        TokenTree::Punct(_) => false,
        // After these a name follows, whatever it is.
        TokenTree::Ident(last) => last != "per" && last != "updates",
        _ => true,
    };
    complete && KEYWORDS.contains(&text.as_str()) && (!lines || last.span().end().line < ident.span().start().line)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Skips what cannot be an item, up to a semicolon or braces.
fn skip_item(rest: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) {
    while let Some(token) = rest.peek() {
        if matches!(token, TokenTree::Ident(i) if KEYWORDS.contains(&i.to_string().as_str())) {
            return;
        }
        let end = matches!(token, TokenTree::Punct(p) if p.as_char() == ';') || is_group(token, Delimiter::Brace);
        rest.next();
        if end {
            return;
        }
    }
}

/// `; did you mean …?` for a word that is nearly one that begins an item.
fn near_keyword(word: &str) -> String {
    let near = saddlepoint_language::nearest(word, KEYWORDS);
    near.map(|k| format!("; did you mean `{k}`?")).unwrap_or_default()
}
