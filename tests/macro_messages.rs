//! What rustc shows of common mistakes in a model: the message, at the user's token, and nothing else. Every class of error that the
//! language's page lists has a case.

use std::path::Path;

/// Exact texts are compared on the compiler that the files were written with; another says the same in its own layout.
#[test]
fn mistakes_are_shown_at_their_token() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/messages/*.rs");
    // What nothing uses, found by rustc's own lints.
    cases.compile_fail("tests/warnings/*.rs");
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pieces of code in a cell of a table: `` `a` `` between one backtick or two.
fn code(cell: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), cell);
    while let Some(begin) = rest.find('`') {
        let fence = if rest[begin..].starts_with("``") { "``" } else { "`" };
        let inner = &rest[begin + fence.len()..];
        let Some(end) = inner.find(fence) else { break };
        found.push(inner[..end].trim());
        rest = &inner[end + fence.len()..];
    }
    found
}

/// Whether a line holds these parts in this order.
fn holds(line: &str, parts: &[&str]) -> bool {
    let mut rest = Some(line);
    for part in parts {
        rest = rest.and_then(|rest| rest.find(part).map(|at| &rest[at + part.len()..]));
    }
    rest.is_some()
}

#[test]
fn every_class_of_error_has_a_case() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/messages").read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
    let shown = folder.filter(|path| path.extension().is_some_and(|end| end == "stderr")).map(|path| read(&path));
    let without_rustc = read(&root.join("macros/src/tests/messages.txt"));
    // The page leaves out the backticks in a message.
    let said: Vec<String> = shown
        .chain([without_rustc])
        .flat_map(|text| text.lines().map(|line| line.replace('`', "")).collect::<Vec<String>>())
        .collect();

    let page = read(&root.join("docs/language.md"));
    let table =
        page.split("\n## 7 Errors\n").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table of errors");
    let rows = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| class "));
    let mut messages = 0;
    for row in rows {
        for message in code(row.split('|').nth(2).unwrap_or_default()) {
            let message = message.replace('`', "");
            let parts: Vec<&str> = message.split('…').map(str::trim).collect();
            assert!(said.iter().any(|line| holds(line, &parts)), "no case in tests/messages/ shows: {message}");
            messages += 1;
        }
    }
    assert!(messages >= 40, "{messages} messages");
}
