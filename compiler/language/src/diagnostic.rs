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
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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

/// Characters added, left out or replaced, and neighbours exchanged, on the shortest way from one name to the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (mut before, mut last) = (Vec::new(), (0..=b.len()).collect::<Vec<usize>>());
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut least = (last[j] + usize::from(a[i] != b[j])).min(row[j] + 1).min(last[j + 1] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposes_the_nearest_name_and_nothing_far() {
        assert_eq!(did_you_mean("fakee", ["real", "fake"]), " (did you mean `fake`?)");
        assert_eq!(nearest("X", ["x", "y"]), Some("x"));
        assert_eq!(nearest("lambda", ["margin", "noise"]), None);
        assert_eq!(did_you_mean("fkae", ["real", "fake"]), " (did you mean `fake`?)");
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!((edit_distance("sigmiod", "sigmoid"), edit_distance("", "ab"), edit_distance("ab", "")), (1, 2, 2));
    }
}
