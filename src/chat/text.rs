//! Words that people and Sekoia typed, made harmless for whoever reads them.
//!
//! This room knows characters, not markup: escaping for Block Kit, HTML or CSV belongs to the
//! renderer that produces it.

mod fold;

use std::borrow::Cow;

pub use fold::{Found, clean, find, fold, is_invisible, same};

/// What is read in the place of personal data that was erased.
pub const ERASED: &str = "[erased]";
/// Before what an approved action's hash is salted with, so that it is known among other values.
pub const SALT: &str = "salt:";

/// Replaces what would disturb the reader or the terminal by something that shows.
///
/// Control characters (ANSI escapes among them) become their Unicode pictures, characters that
/// reorder text become `[U+202E]`, line breaks and tabs become a space: the result is one line
/// that reads in the order in which it was typed.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Most text is plain ASCII, which is told by its bytes.
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.chars().any(disturbs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => out.push(' '),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            c if disturbs(c) => out.push_str(&format!("[U+{:04X}]", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}'      // marks
            | '\u{202a}'..='\u{202e}'                 // embeddings and overrides
            | '\u{2066}'..='\u{2069}'                 // isolates
            | '\u{2028}' | '\u{2029}'                 // separators
            | '\u{200b}' | '\u{2060}' | '\u{feff}'    // zero width: two names that look the same
            | '\u{e0000}'..='\u{e007f}') // tags
}

/// Words from outside as text of an HTML page: nothing in them is markup, and nothing reverses the order of others.
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// At most `max` characters; what was cut is shown by an ellipsis.
pub fn clip(text: &str, max: usize) -> Cow<'_, str> {
    // Bytes bound characters: most texts are short enough by them alone.
    if text.len() <= max || text.char_indices().nth(max).is_none() {
        return Cow::Borrowed(text);
    }
    let keep = text.char_indices().nth(max.saturating_sub(1)).map_or(0, |(i, _)| i);
    Cow::Owned(format!("{}…", &text[..keep]))
}

/// The first `max` characters.
pub fn first(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// A name or a reason as it is shown: [`visible`] and short enough for a line.
pub fn shown(text: &str, max: usize) -> String {
    clip(&visible(text), max).into_owned()
}

/// A name in the words of a command, which its lexer reads back as it is: what closes a quote or means something to a chat platform is
/// escaped.
pub fn quoted(name: &str) -> String {
    let mut out = String::from("\"");
    let entities = ["&lt;", "&gt;", "&amp;"].iter().any(|entity| name.contains(entity));
    for c in name.chars() {
        match c {
            '"' | '“' | '”' | '‟' | '\\' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '&' if entities => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `1 key`, `2 keys`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A part of a name, as people sort names: numbers by their value, words without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamePart {
    /// How many digits there are without the zeros in front, and the digits.
    Number(usize, String),
    Word(String),
}

/// Sorts names in the order in which people count: `Tier 2` before `Tier 10`, `tier 1` before both.
/// Names that [`fold()`] to the same are equal.
pub fn natural(name: &str) -> Vec<NamePart> {
    let (mut parts, name) = (Vec::new(), fold(name));
    let mut rest = name.as_str();
    while let Some(c) = rest.chars().next() {
        let is_number = c.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != is_number).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        parts.push(if is_number {
            let digits = part.trim_start_matches('0');
            NamePart::Number(digits.len(), digits.to_owned())
        } else {
            NamePart::Word(part.to_owned())
        });
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_in_which_people_count() {
        let mut names = ["Tier 10", "tier 2", "Tier 1", "Tier 02b", "Élan", "10 a", "9 b", "tier", "Analyst", ""];
        names.sort_by_cached_key(|name| natural(name));
        let expected = ["", "9 b", "10 a", "Analyst", "tier", "Tier 1", "tier 2", "Tier 02b", "Tier 10", "Élan"];
        assert_eq!(names, expected);
        assert_eq!(natural("Tier\u{a0}\u{ff11}0"), natural("tier 10"));
        // Longer than any number that a computer counts with.
        let digits = "9".repeat(400);
        assert!(natural(&format!("a{digits}")) < natural(&format!("a1{digits}")));
    }

    #[test]
    fn what_disturbs_is_shown_instead() {
        assert_eq!(visible("plain é ☑"), "plain é ☑");
        assert_eq!(visible("a\u{202e}b"), "a[U+202E]b");
        assert_eq!(visible("\u{1b}[31mred\r\nnext"), "␛[31mred  next");
        assert_eq!(visible("zero\u{200b}width"), "zero[U+200B]width");
    }

    #[test]
    fn a_clip_keeps_within_its_length() {
        assert_eq!(clip("héllo", 5), "héllo");
        assert_eq!(clip("héllo!", 5), "héll…");
        assert_eq!(clip("x", 0), "…");
    }
}
