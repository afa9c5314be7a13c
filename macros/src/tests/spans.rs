//! Where the names of an expansion point: each name of the user to itself, everything else to the call.

use super::{PROGRAMS, models};
use crate::model::expand_model;
use crate::parse;
use proc_macro2::{Span, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// Line and column, from 1.
type At = (usize, usize);

/// The identifiers of some tokens that have a place in a source.
fn identifiers(tokens: TokenStream, found: &mut Vec<(At, String)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let start = ident.span().start();
                if start != Span::call_site().start() {
                    found.push(((start.line, start.column + 1), ident.to_string()));
                }
            }
            TokenTree::Group(group) => identifiers(group.stream(), found),
            _ => {}
        }
    }
}

/// The uses in a model, as `line:column name line:column`: where it is used and where declared.
fn uses(body: &TokenStream) -> Vec<String> {
    let parsed = parse::parse(body.clone());
    let at = |site| {
        let place = parsed.model.place(site);
        format!("{}:{}", place.line, place.column)
    };
    let found = saddlepoint_language::uses(&parsed.model).into_iter();
    found.map(|one| format!("{} {} {}", at(one.site), one.of.text, at(one.of.site))).collect()
}

#[test]
fn a_use_leads_to_what_it_means() {
    let body: TokenStream = "model Scopes { data pair { x: [2], y: class(3) } noise z: normal([2]); hyper rate: f32 = 0.1;
 const K: usize = 3; net D(x: [2]) -> [1] { let y = x.dense(K); y.repeat(2, |y, i| y * i).dense(1) }
 fn apart(z, w) { let mut z = z - w; z += 1.0; for k in 0..K { z = z + k; } z }
 let fake = z;
 player D minimizes { rate * E[apart(D(fake), D(pair.x))] + E[y == 1] }
 player P updates D minimizes { E[D(x)] }
 train { P, D: sgd(rate); } phase only: P, D; output score(x) = D(x); }"
        .parse()
        .expect("tokens");
    assert_eq!(super::said(&body), Vec::<String>::new());
    let mut found = uses(&body);
    found.sort_by_key(|one| {
        let numbers: Vec<usize> = one.split([':', ' ']).flat_map(str::parse).collect();
        (numbers[0], numbers[1])
    });
    let expected = [
        "2:53 x 2:28", // the net's parameter, not the data
        "2:61 K 2:8",  // a constant
        "2:65 y 2:49", // the local, not the data
        "2:84 y 2:78", // the closure's parameter
        "2:88 i 2:81",
        "3:31 z 3:11",
        "3:35 w 3:14",
        "3:38 z 3:27",
        "3:60 K 2:8",
        "3:64 z 3:27",
        "3:68 z 3:27",
        "3:72 k 3:52",
        "3:77 z 3:27",
        "4:13 z 1:56", // the noise
        "5:23 rate 1:78",
        "5:32 apart 3:5",
        "5:38 D 2:26", // the net, not the player
        "5:40 fake 4:6",
        "5:47 D 2:26",
        "5:49 pair 1:21",
        "5:54 x 1:28",
        "5:63 y 1:36", // a field by its bare name
        "6:19 D 2:26",
        "6:35 D 2:26",
        "6:37 x 1:28",
        "7:10 P 6:9", // the player
        "7:13 D 5:9",
        "7:20 rate 1:78",
        "7:41 P 6:9",
        "7:44 D 5:9",
        "7:65 D 2:26",
        "7:67 x 7:60", // the output's parameter
    ];
    assert_eq!(found, expected);
}

/// Editors find a name by its span: every name stands where it points to, and every use and declaration is there.
#[test]
fn names_of_the_user_point_to_themselves() {
    for (name, body) in models(PROGRAMS) {
        let mut written = Vec::new();
        identifiers(body.clone(), &mut written);
        let written: BTreeMap<At, String> = written.into_iter().collect();
        let mut emitted = Vec::new();
        identifiers(expand_model(body.clone()), &mut emitted);
        for (at, text) in &emitted {
            assert_eq!(written.get(at), Some(text), "{name}: {text} points to {at:?}");
        }
        let emitted: BTreeSet<At> = emitted.into_iter().map(|(at, _)| at).collect();

        let model = parse::parse(body).model;
        let uses = saddlepoint_language::uses(&model);
        assert!(uses.len() > 5, "{name}");
        let declared = (model.nets.iter().map(|net| &net.name))
            .chain(model.players.iter().map(|player| &player.name))
            .chain(model.groups.iter().map(|group| &group.name))
            .chain(model.groups.iter().flat_map(|group| &group.fields).map(|field| &field.name))
            .chain(model.hypers.iter().map(|hyper| &hyper.name))
            .chain(model.latents.iter().map(|latent| &latent.name))
            .chain(model.phases.iter().map(|phase| &phase.name))
            .chain(model.metrics.iter().map(|metric| &metric.name))
            .chain(model.outputs.iter().map(|output| &output.name))
            .chain([&model.name]);
        for site in declared.map(|name| name.site).chain(uses.iter().flat_map(|one| [one.site, one.of.site])) {
            let place = model.place(site);
            assert!(emitted.contains(&(place.line as usize, place.column as usize)), "{name}: nothing at {place:?}");
        }
    }
}
