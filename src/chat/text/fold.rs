//! Names as people compare them: two that look the same are the same.

use std::borrow::Cow;

use unicase::UniCase;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// What a name is looked up by: compatibility forms, case, accents' composition, dashes, quotes and
/// white space made equal, everything that nobody sees left out. Never shown and never stored.
///
/// Total and linear in the text; folding what is folded changes nothing.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return spaced(text.chars().map(|c| c.to_ascii_lowercase()));
    }
    // A second round: case folding and composition make work for each other.
    round(&round(text))
}

fn round(text: &str) -> String {
    let seen: String = text.nfkd().filter(|c| !is_invisible(*c)).collect();
    let folded = UniCase::unicode(seen).to_folded_case();
    spaced(folded.nfkc().filter(|c| !is_invisible(*c)).map(|c| match c {
        '‘' | '’' | '‛' | 'ʼ' => '\'',
        '“' | '”' | '„' | '‟' => '"',
        '‐'..='―' | '−' | '\u{2e3a}' | '\u{2e3b}' => '-',
        c => c,
    }))
}

/// Any white space as one space, none at the ends.
fn spaced(chars: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in chars {
        if !c.is_whitespace() && !c.is_control() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// Whether two names look the same.
pub fn same(one: &str, other: &str) -> bool {
    // Most words are of one kind: they need no copies to be compared.
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    if plain(one) && plain(other) { one.eq_ignore_ascii_case(other) } else { fold(one) == fold(other) }
}

/// Text as it is kept: composed, without what nobody sees. Joiners stay where scripts and emoji need
/// them; what reverses the order of text stays too, for [`visible`](super::visible) to show.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || (is_nfc_quick(text.chars()) == IsNormalized::Yes && !text.chars().any(is_invisible)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.nfc().peekable();
    while let Some(c) = rest.next() {
        let before = out.chars().next_back();
        let keeps = match c {
            '\u{200c}' | '\u{200d}' => {
                before.is_some_and(|b| !b.is_ascii()) && rest.peek().is_some_and(|next| !next.is_ascii())
            }
            '\u{fe00}'..='\u{fe0f}' => before.is_some_and(|b| !b.is_alphabetic() && !b.is_whitespace()),
            c => !is_invisible(c) || reverses(c),
        };
        if keeps {
            out.push(c);
        }
    }
    // What was taken out may have kept an accent from its letter.
    Cow::Owned(out.nfc().collect())
}

/// Overrides, with which a text reads otherwise than it is.
fn reverses(c: char) -> bool {
    matches!(c, '\u{202d}' | '\u{202e}')
}

/// Unicode's default ignorable characters: drawn as nothing.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// What a name led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a, T> {
    Nothing,
    One(&'a T),
    /// All of these are called so.
    Several(Vec<&'a T>),
}

/// Looks a name up: by id, else by the name as it is written, else by how it looks, else without
/// what a sentence or a chat's markup puts around it.
pub fn find<'a, T>(wanted: &str, all: &'a [T], id: impl Fn(&T) -> &str, name: impl Fn(&T) -> &str) -> Found<'a, T> {
    let (written, folded) = (wanted.trim(), fold(wanted));
    if folded.is_empty() {
        return Found::Nothing;
    }
    if let Some(found) = all.iter().find(|t| fold(id(t)) == folded) {
        return Found::One(found);
    }
    let exact: Vec<&T> = all.iter().filter(|t| name(t).trim() == written).collect();
    let alike = |folded: &str| {
        let like = |t: &&T| !folded.is_empty() && fold(name(t)) == folded;
        all.iter().filter(like).collect::<Vec<&T>>()
    };
    let found = [exact].into_iter().chain([&*folded, bared(&folded)].map(alike)).find(|found| !found.is_empty());
    match found.as_deref() {
        None | Some([]) => Found::Nothing,
        Some([one]) => Found::One(one),
        Some(several) => Found::Several(several.to_vec()),
    }
}

/// Without marks around it, and without a full stop behind it.
fn bared(name: &str) -> &str {
    let marks = ['*', '_', '~', '`', '"', '\''];
    name.trim_end_matches(['.', ',', ';', '!', '?']).trim_matches(marks).trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let looks = [
            ("Élise Rivoli", "E\u{301}lise Rivoli"),
            ("Tier 1", "Tier\u{a0}1"),
            ("Tier 1", " tier \t 1 "),
            ("Analyst", "Ａｎａｌｙｓｔ"),
            ("forwarder.example", "for\u{2060}warder.\u{200b}example\u{feff}"),
            ("STRASSE", "Straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("O'Brien", "O’Brien"),
            ("Nimbus-Payments", "Nimbus\u{2011}Payments"),
            ("Nimbus – EU", "Nimbus - EU"),
            ("file", "ﬁle"),
            ("soft", "so\u{ad}ft"),
            ("gpj", "\u{202e}gpj\u{202c}"),
        ];
        for (one, other) in looks {
            assert!(same(one, other), "{one:?} {other:?}: {:?} {:?}", fold(one), fold(other));
        }
        for (one, other) in [("Tier 1", "Tier 2"), ("Tier 1", "Tier1"), ("resume", "résumé"), ("a", "")] {
            assert!(!same(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_not_kept() {
        assert_eq!(clean("plain é ☑"), "plain é ☑");
        assert_eq!(clean("for\u{2060}war\u{200b}der\u{feff}"), "forwarder");
        assert_eq!(clean("E\u{301}lise"), "Élise");
        assert_eq!(clean("e\u{200b}\u{301}"), "é");
        // Emoji and Persian need their joiners; an override is shown, not hidden.
        for kept in ["👩\u{200d}💻", "می\u{200c}خواهم", "⚠\u{fe0f}", "a\u{202e}b"] {
            assert_eq!(clean(kept), kept);
        }
        assert_eq!(clean("ab\u{200d}c\u{fe0f}"), "abc");
    }

    #[test]
    fn the_exact_name_wins_and_marks_around_one_are_nobodys() {
        let all = [("1", "Tier"), ("2", "Tier 1"), ("3", "tier 1"), ("4", "Élise."), ("5", "Élise")];
        let found = |wanted: &str| match find(wanted, &all, |t| t.0, |t| t.1) {
            Found::Nothing => String::new(),
            Found::One(one) => one.0.to_owned(),
            Found::Several(all) => all.iter().map(|t| t.0).collect::<Vec<_>>().join("+"),
        };
        let wanted = ["Tier", "tier", "Tier 1", "tier 1", "TIER 1", "E\u{301}LISE", "élise.", "`tier`.", "4", "Tier 2"];
        assert_eq!(wanted.map(found), ["1", "1", "2", "3", "2+3", "5", "4", "1", "4", ""]);
    }

    #[test]
    fn a_long_text_of_anything_is_folded_as_fast_as_it_is_read() {
        for kind in ["a", "é", "e\u{301}", "\u{301}", "\u{200d}", "ﷺ", "ß", " ", "ﬃ"] {
            let nasty = kind.repeat(300_000 / kind.len());
            assert_eq!(fold(&nasty), fold(&fold(&nasty)));
            clean(&nasty);
        }
    }

    proptest! {
        #[test]
        fn folding_and_cleaning_twice_is_doing_it_once(text in any::<String>()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded.clone());
            let cleaned = clean(&text).into_owned();
            prop_assert_eq!(clean(&cleaned), cleaned.as_str());
            prop_assert_eq!(fold(&cleaned), folded);
        }
    }
}
