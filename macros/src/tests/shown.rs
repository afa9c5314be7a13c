//! The models of the compile tests (`tests/messages/`) without a compiler: what the macro says of them, and where.

use crate::parse;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/messages")
}

/// The tokens between the braces of the first `gan!`, with their places in the file.
fn model(tokens: TokenStream) -> Option<TokenStream> {
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "gan" => {
                tokens.next();
                if let Some(TokenTree::Group(group)) = tokens.next()
                    && group.delimiter() == Delimiter::Brace
                {
                    return Some(group.stream());
                }
            }
            _ => {}
        }
    }
    None
}

/// What the macro says of the file: the message, `file:line:column`, and how rustc shows it.
fn said(path: &Path) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(path).expect("a file");
    let body = model(text.parse().expect("tokens")).expect("a model");
    let parsed = parse::parse(body);
    let (_, found) = saddlepoint_language::check(&parsed.model);
    let all = parsed.diagnostics.iter().chain(&found);
    let file = path.file_name().expect("a name").to_string_lossy().to_string();
    all.map(|diagnostic| {
        let span = parsed.spans[diagnostic.site.0 as usize];
        let (start, end) = (span.start(), span.end());
        let place = format!("tests/messages/{file}:{}:{}", start.line, start.column + 1);
        let gutter = " ".repeat(start.line.to_string().len());
        let code = text.lines().nth(start.line - 1).unwrap_or_default();
        let carets = " ".repeat(start.column) + &"^".repeat(end.column.saturating_sub(start.column).max(1));
        let message = diagnostic.message.clone();
        let shown =
            format!("error: {message}\n{gutter}--> {place}\n{gutter} |\n{} | {code}\n{gutter} | {carets}\n", start.line);
        (message, place, shown)
    })
    .collect()
}

/// The texts of rustc belong to one version of it; that the macro says them, and where, holds on every version.
#[test]
fn what_rustc_shows_is_what_the_macro_says_and_where() {
    let mut files: Vec<PathBuf> =
        folder().read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut models = 0;
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let messages = said(path);
        if std::env::var_os("TRYBUILD").is_some_and(|wish| wish == "overwrite") {
            let blocks: Vec<String> = messages.into_iter().map(|(_, _, shown)| shown).collect();
            std::fs::write(path.with_extension("stderr"), blocks.join("\n")).expect("a writable folder");
            models += 1;
            continue;
        }
        let shown = std::fs::read_to_string(path.with_extension("stderr")).expect("what rustc shows");
        let headed = shown.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(headed, messages.len(), "{}: {messages:#?}", path.display());
        for (message, place, _) in messages {
            assert!(shown.contains(&format!("error: {message}\n")), "{}: {message}", path.display());
            assert!(shown.contains(&format!("--> {place}\n")), "{place}: {message}");
        }
        models += 1;
    }
    assert!(models >= 30, "{models} models");
}
