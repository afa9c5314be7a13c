//! A page of Markdown in, its snippets of Rust out, each with its line and the context that a comment before it names.

/// A fenced block of Rust.
#[derive(Debug, PartialEq)]
pub struct Snippet {
    /// The line of the page on which it begins, from 1.
    pub line: usize,
    /// What stands between the fences.
    pub text: String,
    /// The file that it is compiled in, for a fragment.
    pub context: Option<String>,
}

impl Snippet {
    /// The snippet as a program, if it needs nothing around it: it brings its imports, or is a model.
    pub fn whole(&self) -> Option<String> {
        let begins = |start: &str| self.text.lines().any(|line| line.starts_with(start));
        if begins("use saddlepoint::") {
            return Some(self.text.clone());
        }
        begins("gan! {").then(|| format!("use saddlepoint::prelude::*;\n{}", self.text))
    }
}

/// Blocks tagged `rust`, also `rust,ignore` and the like. Others are passed over, untagged ones with Rust in them too.
pub fn snippets(page: &str) -> Result<Vec<Snippet>, String> {
    let mut found = Vec::new();
    let mut context: Option<String> = None;
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(comment) = line.strip_prefix("<!-- compiled in ") {
            let name = comment.strip_suffix(" -->").ok_or(format!("line {}: this comment does not end here", index + 1))?;
            context = Some(name.trim().to_string());
        } else if let Some(tag) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let mut text = String::new();
            loop {
                let (_, line) = lines.next().ok_or(format!("line {}: this block does not end", index + 1))?;
                if line.trim() == "```" {
                    break;
                }
                text.push_str(line.get(indent..).unwrap_or(""));
                text.push('\n');
            }
            if tag.split(',').next() == Some("rust") {
                found.push(Snippet { line: index + 1, text, context: context.take() });
            }
        } else if !line.is_empty()
            && let Some(context) = &context
        {
            return Err(format!("line {}: the context {context} belongs right before a block", index + 1));
        }
    }
    Ok(found)
}

#[test]
fn blocks_are_found_with_lines_and_contexts() {
    let page = "Text\n\n```rust,no_run\nfn a() {}\n```\n\n<!-- compiled in b.rs -->\n```rust\nb()?;\n```\n\n```toml\nx = 1\n```\n\n\
                - item\n  ```rust\n  c();\n  ```\n";
    let snippet =
        |line, text: &str, context: Option<&str>| Snippet { line, text: text.into(), context: context.map(str::to_string) };
    let expected = [snippet(3, "fn a() {}\n", None), snippet(8, "b()?;\n", Some("b.rs")), snippet(17, "c();\n", None)];
    assert_eq!(snippets(page), Ok(Vec::from(expected)));
}
