//! Texts in which what differs between runs has a name.

use super::Seen;

/// A text in which dates, times and ports, which differ between runs, have names.
pub fn steady(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.'))) {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (core, tail) = word.split_at(end);
        let shape: String = core.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match (shape.as_str(), core.split_once("127.0.0.1:")) {
            ("0000-00-00", _) if !core.starts_with("2099") => out.push_str("<date>"),
            ("00:00", _) => out.push_str("<time>"),
            (_, Some((before, _))) => out.push_str(&format!("{before}127.0.0.1:<port>")),
            _ => out.push_str(core),
        }
        out.push_str(tail);
    }
    out
}

/// The id of the request that a message is about.
pub fn id_in(seen: &Seen) -> String {
    let text = seen.text();
    let found = text.split("Request ").nth(1).and_then(|rest| rest.get(..8));
    let hex = |id: &&str| id.bytes().all(|b| b.is_ascii_hexdigit());
    found.filter(hex).unwrap_or_else(|| panic!("no request in {seen}")).to_owned()
}

/// A text in which requests' ids and hashes have names too.
pub fn nameless(text: impl std::fmt::Display) -> String {
    let mut out = String::new();
    for word in steady(text).split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (core, tail) = word.split_at(end);
        let hex = core.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        out.push_str(match core.len() {
            8 if hex => "<id>",
            12 | 16 | 64 if hex => "<hash>",
            _ => core,
        });
        out.push_str(tail);
    }
    out
}
