//! What a misspelt word was probably meant to be.

use crate::chat::text::{first as beginning, fold};

/// The candidate that is most like the word, if any is like it at all.
pub(super) fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = fold(beginning(word, 40));
    candidates
        .map(|c| (strsim::damerau_levenshtein(&word, c), c))
        .filter(|(distance, c)| *distance <= (c.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}
