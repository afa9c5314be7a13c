//! The names of generated types: the model's name with a suffix.

use super::{Expansion, ident};
use proc_macro2::{Ident, Span};

/// Generated names, all with the call's span.
pub struct Names {
    pub model: Ident,
    pub batch: Ident,
    pub data: Ident,
    pub player: Ident,
    pub net: Ident,
    pub phase: Ident,
    pub metrics: Ident,
    pub consts: Ident,
    base: String,
}

impl Names {
    pub fn new(e: &Expansion<'_>) -> Names {
        let base = e.model.name.text.clone();
        let with = |suffix: &str| ident(&format!("{base}{suffix}"), Span::call_site());
        Names {
            model: with(""),
            batch: with("Batch"),
            data: with("Data"),
            player: with("Player"),
            net: with("Net"),
            phase: with("Phase"),
            metrics: with("Metrics"),
            consts: with("Consts"),
            base,
        }
    }

    /// The type of one group's batch: `DuoPair` for group `pair`.
    pub fn group(&self, group: &str) -> Ident {
        let camel: String = group
            .split('_')
            .map(|word| {
                let mut letters = word.chars();
                letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
            })
            .collect();
        ident(&format!("{}{camel}", self.base), Span::call_site())
    }
}
