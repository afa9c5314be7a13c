//! What rustc shows of common mistakes in a model: the message, at the user's token, and nothing else.

/// Exact texts are compared on the compiler that the files were written with; another says the same in its own layout.
#[test]
fn mistakes_are_shown_at_their_token() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/messages/*.rs");
    // What nothing uses, found by rustc's own lints.
    cases.compile_fail("tests/warnings/*.rs");
}
