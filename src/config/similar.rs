//! Which setting was meant by a name that is almost one.

/// What these prefixes begin is ours.
pub(super) const OURS: [&str; 4] = ["CHATOPS_", "SEKOIA_", "SLACK_", "MATTERMOST_"];

/// The most similar of `names`, if one is similar at all. What comes before the first `_` is the
/// same for many: it decides only where the rest does.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let rest = |name: &'a str| name.split_once('_').map_or(name, |(_, rest)| rest);
    let (prefix, own) = word.split_once('_').unwrap_or(("", word));
    let same_for_others = OURS.iter().any(|ours| ours.trim_end_matches('_').eq_ignore_ascii_case(prefix));
    names
        .map(|name| {
            let whole = strsim::normalized_damerau_levenshtein(word, name);
            let same = name.split_once('_').is_some_and(|(first, _)| first == prefix);
            let likeness = if same {
                let part = rest(name).ends_with(own) || rest(name).starts_with(own);
                strsim::normalized_damerau_levenshtein(own, rest(name)).max(if part { 0.6 } else { 0.0 })
            } else if same_for_others {
                0.0
            } else {
                whole
            };
            (likeness, whole, name)
        })
        .filter(|(likeness, ..)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(.., name)| name)
}
