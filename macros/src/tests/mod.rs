//! The macro without a compiler around it: whole programs, damaged programs, and what it says of common mistakes.

mod damage;
mod divergence;
mod shown;
mod spans;

use crate::model::expand_model;
use crate::parse;
use expect_test::expect_file;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Models for the systems that are hardest to express.
const PROGRAMS: &str = include_str!("programs.txt");

/// Models with one kind of mistake each.
const MISTAKES: &str = include_str!("mistakes.txt");

/// The tokens of each `gan!` in a text, with its name.
fn models(text: &str) -> Vec<(String, TokenStream)> {
    let parsed = text.split("gan! {").skip(1).map(|rest| {
        let mut depth = 1;
        let end = rest.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(at)
        });
        let body: TokenStream = rest[..end.expect("a closing brace")].parse().expect("tokens");
        (parse::parse(body.clone()).model.name.text, body)
    });
    parsed.collect()
}

fn model(name: &str) -> TokenStream {
    let found = models(PROGRAMS).into_iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("no program {name}")).1
}

/// Tokens as text without spaces, but between words.
fn text(tokens: &impl quote::ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    text.replace(" :: ", "::").replace(":: ", "::").replace(" < ", "<").replace(" >", ">")
}

/// Everything the macro says of a model, each as `line:column message`.
fn said(body: &TokenStream) -> Vec<String> {
    let parsed = parse::parse(body.clone());
    let (_, found) = saddlepoint_language::check(&parsed.model);
    let all = parsed.diagnostics.iter().chain(&found);
    all.map(|diagnostic| {
        let place = parsed.model.place(diagnostic.site);
        format!("{}:{} {}", place.line, place.column, diagnostic.message)
    })
    .collect()
}

#[test]
fn every_program_is_accepted_and_becomes_rust() {
    let programs = models(PROGRAMS);
    assert_eq!(programs.len(), 22);
    for (name, body) in programs {
        assert_eq!(said(&body), Vec::<String>::new(), "{name}");
        let code = expand_model(body).to_string();
        assert!(syn::parse_str::<syn::File>(&code).is_ok(), "{name}: {code}");
        assert!(!code.contains("compile_error"), "{name}");
    }
}

#[test]
fn the_text_form_of_every_program_reads_back() {
    for (name, body) in models(PROGRAMS) {
        let tree = parse::parse(body).model;
        let text = saddlepoint_language::encode(&tree);
        assert_eq!(saddlepoint_language::decode(&text).as_ref(), Ok(&tree), "{name}");
        for end in (0..text.len()).step_by(97) {
            assert!(text.get(..end).is_none_or(|cut| saddlepoint_language::decode(cut).is_err()), "{name} cut at {end}");
        }
    }
}

#[test]
fn mistakes_are_said_at_their_token_with_a_remedy() {
    let mut report = String::new();
    for (name, body) in models(MISTAKES) {
        report.push_str(&format!("{name}\n"));
        for message in said(&body) {
            report.push_str(&format!("  {message}\n"));
        }
    }
    expect_file!["messages.txt"].assert_eq(&report);
}

#[test]
fn nonsense_is_refused_without_panic() {
    for text in [
        "",
        "model",
        "pub",
        "model X",
        "model X {",
        "{}",
        "1 2 3",
        "model E {}",
        "model X { data }",
        "model X { net () }",
        "model X { ;;; }",
    ] {
        let tokens: TokenStream = text.replace('{', " { } ").replace("} }", "}").parse().unwrap_or_default();
        let code = expand_model(tokens).to_string();
        assert!(code.contains("compile_error"), "{text}: {code}");
    }
    let deep = Group::new(Delimiter::Parenthesis, TokenStream::new());
    let code = expand_model(TokenTree::Group(deep).into()).to_string();
    assert!(code.contains("compile_error"));
}

#[test]
fn capitals_are_rust_constants_unless_something_binds_them() {
    let body: TokenStream = "pub model Caps { data x: [2]; net D(x: [2]) -> [1] { let Q = x.dense(WIDE); Q.dense(1) }
        player D minimizes { E[D(x)] } train { D: sgd(0.1); } output score(X: [2]) = D(X); }"
        .parse()
        .expect("tokens");
    assert_eq!(said(&body), Vec::<String>::new());
    let outer: Vec<String> = parse::parse(body).model.outer.into_iter().map(|name| name.text).collect();
    assert_eq!(outer, ["WIDE"]);
}

/// What is unused in a model, as `line:column name`.
fn unused(body: &TokenStream) -> Vec<String> {
    let parsed = parse::parse(body.clone());
    let found = saddlepoint_language::unused(&parsed.model).into_iter();
    found
        .map(|unused| {
            let place = parsed.model.place(unused.name.site);
            let what = if unused.callable { "fn" } else { "let" };
            format!("{}:{} {what} {}", place.line, place.column, unused.name.text)
        })
        .collect()
}

#[test]
fn what_nothing_uses_is_found_and_nothing_else() {
    let body: TokenStream = "model Half { data pair { x: [2], label: class(3) } data free: [2]; noise z: normal([2]); noise w: normal([2]);
 const WIDTH: usize = 4; const SPARE: usize = 4; hyper weight: f32 = 1.0; hyper _later: f32 = 1.0;
 net D(x: [2]) -> [1] { let h = x.dense(WIDTH); let k = h; let mut n = list(); n.push(h); h.repeat(2, |a, i| a.dense(4)).dense(1) }
 net G(z: [2], y: [2]) -> [2] { let mut s = z; for t in 0..3 { s = s + z; } z.dense(2) }
 fn loss(v) { square(v) } fn unreached(v) { 1.0 } divergence d(u) = u * ln(u); #[frozen] net F(x: [2]) -> [2] { x }
 let fake = G(z, z); let (a, b) = (fake, x);
 player D minimizes { E[D(fake)] - E[D(b)] + weight * E[loss(free)] } player G minimizes { -E[D(fake)] }
 train { D, G: adam(1e-4); } output sample(label) = G(z, z); }"
        .parse()
        .expect("tokens");
    assert_eq!(said(&body), Vec::<String>::new());
    let found = unused(&body);
    assert_eq!(
        found,
        [
            "1:96 let w",
            "2:32 let SPARE",
            "3:53 let k",
            "3:68 let n",
            "3:107 let i",
            "4:16 let y",
            "4:52 let t",
            "5:30 fn unreached",
            "5:40 let v",
            "5:62 fn d",
            "5:94 fn F",
            "6:27 let a",
            "8:44 let label"
        ]
    );
    let code = expand_model(body).to_string();
    assert!(code.contains("let SPARE = 0_u8") && code.contains("fn unreached ()"), "{code}");
    for (name, body) in models(PROGRAMS) {
        let found = unused(&body);
        assert_eq!(found.is_empty(), !expand_model(body).to_string().contains("unused_in_model"), "{name}: {found:?}");
    }
}

#[test]
fn a_fn_that_nothing_calls_is_checked_as_far_as_names_go() {
    let body: TokenStream = "model Spare { data x: [2]; net D(x: [2]) -> [1] { x.dense(1) }
 fn spare(a, b) { a.dense(4).relu(0.2) + missing + flaten(b) + grad(a, b) + E[a] }
 player D minimizes { E[D(x)] } train { D: sgd(0.1); } }"
        .parse()
        .expect("tokens");
    let said = said(&body);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(
        said[0].contains("`relu(x)` takes 1 argument") && said[1].contains("`missing`") && said[2].contains("`flatten`")
    );
}

#[test]
fn an_item_that_cannot_be_read_brings_no_errors_about_its_name() {
    let body: TokenStream =
        "model Broken { data pair { x: Tensor, y: [2] } noise z: = 3; net G(z) { z } net D(x: [2]) -> [1] { x.dense(1) }
 min G max D { E[D(x)] + E[D(G(z))] } let f = 1 2; train { D adam(1e-4); G: adam(1e-4); } metric m = E[f]; }"
            .parse()
            .expect("tokens");
    let said = said(&body);
    assert_eq!(said.len(), 6, "{said:#?}");
}

/// Editors expand tokens that do not say on which line they stand.
#[test]
fn an_item_that_does_not_end_keeps_the_next_ones_on_one_line_too() {
    let body: TokenStream =
        "model Line { data data: [2]; latent w: [2] per data noise z: normal([2]) net D(x: [2]) -> [1] { x.dense(1) }
 player D minimizes { E[D(data + w)] + E[z] } train { D: sgd(0.1); } output score(x: [2]) = D(x) }"
            .replace('\n', "")
            .parse()
            .expect("tokens");
    let said = said(&body);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said.iter().all(|message| message.contains("item does not end: expected `;`")), "{said:#?}");
}

#[test]
fn several_errors_come_together() {
    let body = models(MISTAKES).into_iter().find(|(name, _)| name == "Fragile").expect("a model").1;
    assert!(said(&body).len() > 10);
    let code = expand_model(body).to_string();
    assert!(code.matches("compile_error").count() > 10 && code.contains("struct FragileBatch"));
}

/// Inputs from which the fuzz target begins: deep, large and long ones among them.
#[test]
fn every_seed_of_the_fuzz_target_becomes_rust() {
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/macro_tokens");
    let mut count = 0;
    for entry in seeds.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let code = expand_model(text.parse().expect("tokens"));
        assert!(syn::parse2::<syn::File>(code).is_ok(), "{}", path.display());
        count += 1;
    }
    assert!(count > 50, "{count} seeds");
}
