//! Errors of a model: a place, a message that says both shapes or names and what to do, and how names are proposed.

use crate::tree::Site;

/// One error at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The token it belongs to.
    pub site: Site,
    /// What is wrong and what to do.
    pub message: String,
    /// Further places, such as the line of a `fn` in which a call went wrong.
    pub notes: Vec<(Site, String)>,
}

impl Diagnostic {
    /// An error without notes.
    pub fn new(site: Site, message: impl Into<String>) -> Diagnostic {
        Diagnostic { site, message: message.into(), notes: Vec::new() }
    }
}

/// ` (did you mean `x`?)` for the candidate nearest to `name`, or nothing when none is near.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|found| format!(" (did you mean `{found}`?)")).unwrap_or_default()
}

/// The candidate at the least edit distance, if that is small for a name of this length.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match name.chars().count() {
        0..=1 => 0,
        2..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = if candidate.eq_ignore_ascii_case(name) { 0 } else { edit_distance(name, candidate) };
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposes_the_nearest_name_and_nothing_far() {
        assert_eq!(did_you_mean("fakee", ["real", "fake"]), " (did you mean `fake`?)");
        assert_eq!(nearest("X", ["x", "y"]), Some("x"));
        assert_eq!(nearest("lambda", ["margin", "noise"]), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }
}
