//! Every snippet of Rust in the pages compiles: what a page says of the language is what the language is.
//!
//! In: the pages. A snippet that is a whole program or model is compiled as it is; a fragment names a file of `contexts/` in an HTML
//! comment before it, `<!-- compiled in tests/snippets/contexts/NAME.rs -->`. Out: rustc's errors, with the snippet's place in the
//! page. A fragment without context is an error, so that no snippet escapes.
//!
//! rustc is called by hand, on the library that cargo has just built for this test: nothing is built a second time, and types
//! are checked without machine code being made.

mod declarations;
mod page;

use page::Snippet;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGES: [&str; 2] = ["docs/language.md", "README.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The library that this test is linked to: the newest of its name beside the test.
fn library(folder: &Path) -> PathBuf {
    let entries = folder.read_dir().expect("the test lies in a folder").map(|entry| entry.expect("an entry"));
    let libraries = entries.filter(|entry| {
        let name = entry.file_name().to_string_lossy().to_string();
        name.starts_with("libsaddlepoint-") && name.ends_with(".rlib")
    });
    let newest = libraries.max_by_key(|entry| entry.metadata().and_then(|data| data.modified()).expect("a time"));
    newest.expect("cargo has built the library").path()
}

/// What rustc says against a program; nothing if it is sound.
fn refused(name: &str, program: &str) -> Option<String> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.rs"));
    std::fs::write(&file, program).expect("a writable folder");
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().expect("the test lies in a folder");
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .current_dir(root())
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--cap-lints=allow", "--crate-name", name])
        .arg("-o")
        .arg(file.with_extension("rmeta"))
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("--extern")
        .arg(format!("saddlepoint={}", library(folder).display()))
        .arg(&file)
        .output()
        .expect("rustc runs");
    (!rustc.status.success()).then(|| String::from_utf8_lossy(&rustc.stderr).to_string())
}

/// The program that shows whether a snippet is right.
fn program(snippet: &Snippet) -> Result<String, String> {
    let Some(context) = &snippet.context else {
        return snippet.whole().ok_or_else(|| {
            "this is no whole program: add a context, `<!-- compiled in tests/snippets/contexts/NAME.rs -->` before it"
                .into()
        });
    };
    let context = std::fs::read_to_string(root().join(context)).map_err(|error| format!("{context}: {error}"))?;
    let (mut program, mut used) = (String::new(), false);
    for line in context.lines() {
        match line.trim() {
            "// the snippet" => program.push_str(&snippet.text),
            "// what the snippet declares" => program.push_str(&declarations::checks(&snippet.text)?),
            "// the first snippet of README.md" => {
                let first = page::snippets(&read("README.md"))?.into_iter().next().ok_or("README.md has no snippet")?;
                program.push_str(&first.text);
                continue;
            }
            _ => {
                program.push_str(line);
                program.push('\n');
                continue;
            }
        }
        used = true;
    }
    if used { Ok(program) } else { Err("the context does not say where `// the snippet` stands".into()) }
}

#[test]
fn every_snippet_compiles() {
    let mut wrong = Vec::new();
    for path in PAGES {
        let snippets = page::snippets(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(snippets.len() >= 5, "{path}: {} snippets", snippets.len());
        let stem: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        for snippet in snippets {
            let name = format!("{stem}_{}", snippet.line);
            if let Some(error) = program(&snippet).map_or_else(Some, |program| refused(&name, &program)) {
                wrong.push(format!("{path}:{}\n{error}", snippet.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The test above is worth something only if it can fail.
#[test]
fn a_wrong_snippet_is_noticed() {
    let snippet = |text: &str| page::snippets(text).expect("a page").remove(0);
    let wrong = snippet("```rust,ignore\nuse saddlepoint::prelude::*;\nfn main() { Config::new().batsh(3); }\n```\n");
    let said = refused("wrong", &program(&wrong).expect("a whole program"));
    assert!(said.is_some_and(|said| said.contains("batsh")));

    let fragment = snippet("```rust,ignore\ngan.fit(&images, Fit::steps(1))?;\n```\n");
    assert!(program(&fragment).is_err_and(|error| error.contains("add a context")));

    let missing = snippet("<!-- compiled in tests/snippets/contexts/none.rs -->\n```rust\ngan.fit(&images)\n```\n");
    assert!(program(&missing).is_err_and(|error| error.contains("none.rs")));

    for (declared, message) in [
        ("pub enum DcganPlayer { G, D }", "the order of the variants"),
        ("pub enum DcganPlayer { D }", "not covered"),
        ("pub struct DcganBatch { pub x: Tensor, pub y: Tensor }", "does not have a field named `y`"),
        ("pub struct DcganBatch { pub x: Classes }", "mismatched types"),
        ("impl Dcgan { pub fn sample(&mut self) -> Result<Tensor>; }", "argument"),
        ("impl Dcgan { pub fn sample(&self, n: usize) -> Result<Tensor>; }", "types differ in mutability"),
        ("impl Model for Dcgan { type Batch = DcganPlayer; }", "mismatched types"),
        ("impl Clone for Dcgan {}", "the trait bound `Dcgan: Clone` is not satisfied"),
    ] {
        let text = format!("<!-- compiled in tests/snippets/contexts/dcgan.rs -->\n```rust,ignore\n{declared}\n```\n");
        let said = refused("declared", &program(&snippet(&text)).expect("a context")).expect(declared);
        assert!(said.contains(message), "{declared}: {said}");
    }
}
