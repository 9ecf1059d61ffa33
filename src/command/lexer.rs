//! Text to words: quotes, and the forms in which chat platforms write people and links.

use std::iter::Peekable;
use std::str::Chars;

use jiff::Timestamp;

use crate::chat::text::{clean, is_invisible};
use crate::chat::view::minute;

/// One word of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Typed without quotes: may be a keyword.
    Bare(String),
    /// Quoted, or answered in a form or a menu: always a value.
    Value(String),
    /// A person, by the platform's own id, and the name that was read, which may be empty.
    Person { id: String, label: String },
}

impl Word {
    pub fn text(&self) -> &str {
        match self {
            Word::Bare(text) | Word::Value(text) => text,
            Word::Person { id, .. } => id,
        }
    }

    /// As it was read: a person by name, or by id where no name came with it.
    pub fn said(self) -> String {
        match self {
            Word::Bare(text) | Word::Value(text) => text,
            Word::Person { id, label } => format!("@{}", if label.is_empty() { id } else { label }),
        }
    }

    /// As it is typed, to mean the same again.
    pub fn typed(&self) -> String {
        match self {
            Word::Bare(text) => text.clone(),
            // As somebody types it: what a chat escapes on the way is not escaped before.
            Word::Value(text) => {
                let escaped =
                    |c| if matches!(c, '"' | '“' | '”' | '‟' | '\\') { format!("\\{c}") } else { c.to_string() };
                format!("\"{}\"", text.chars().map(escaped).collect::<String>())
            }
            person @ Word::Person { .. } => person.clone().said(),
        }
    }
}

/// Splits what was typed. Total and linear: whatever comes in, words come out.
///
/// What a chat sends for a person, a channel, a group, a date or a link becomes the words that were
/// read: `<#C1|name>` is `#name`, `<https://a.b|a.b>` is `a.b`. Slack escapes `&`, `<` and `>` in
/// everything that a person typed, which is undone here; what nobody sees is left out. A quote that
/// is never closed runs to the end. What is quoted behind a `=` belongs to its word:
/// `rule="Brute force"` is one.
pub fn lex(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
        } else if let Some(close) = closing_quote(c) {
            chars.next();
            words.push(Word::Value(until(&mut chars, close)));
        } else {
            match bare(&mut chars) {
                Word::Bare(text) if text.is_empty() => {}
                word => words.push(word),
            }
        }
    }
    words
}

/// Straight double quotes and the pairs that keyboards and clients put in their place. A single
/// straight quote is an apostrophe more often than not and quotes nothing.
fn closing_quote(c: char) -> Option<&'static [char]> {
    match c {
        '"' | '“' | '”' | '„' | '‟' => Some(&['"', '“', '”', '‟']),
        '«' => Some(&['»']),
        '‘' => Some(&['’']),
        _ => None,
    }
}

fn until(chars: &mut Peekable<Chars<'_>>, close: &[char]) -> String {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if close.contains(&c) => break,
            '\\' if chars.peek().is_some_and(|n| *n == '\\' || close.contains(n)) => out.extend(chars.next()),
            '<' => out.push_str(&angle(chars).said()),
            c => out.push(c),
        }
    }
    clean(&unescape(&out)).into_owned()
}

fn bare(chars: &mut Peekable<Chars<'_>>) -> Word {
    let (mut done, mut out) = (String::new(), String::new());
    // Whether there is nothing to be seen of the word yet.
    let mut unseen = true;
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            break;
        }
        chars.next();
        if let Some(close) = closing_quote(c).filter(|_| out.ends_with('=')) {
            done.push_str(&unescape(&out));
            done.push_str(&until(chars, close));
            out.clear();
            continue;
        }
        if c != '<' {
            unseen &= is_invisible(c);
            out.push(c);
            continue;
        }
        match angle(chars) {
            Word::Person { id, label } if unseen => {
                let seen = |text: &str| clean(&unescape(text)).into_owned();
                return Word::Person { id: seen(&id), label: seen(&label) };
            }
            other => out.push_str(&other.said()),
        }
        unseen = false;
    }
    done.push_str(&unescape(&out));
    Word::Bare(clean(&done).into_owned())
}

/// What stands between `<` and `>`; without a `>` before the next `<` or the end, the `<` is only
/// a character. It looks ahead no further than the next `<`: no character is looked at thrice.
fn angle(chars: &mut Peekable<Chars<'_>>) -> Word {
    let mut ahead = chars.clone();
    let mut inner = String::new();
    loop {
        match ahead.next() {
            Some('>') => break,
            Some('<') | None => return Word::Bare("<".into()),
            Some(c) => inner.push(c),
        }
    }
    *chars = ahead;
    seen(&inner)
}

/// What a person saw where a chat sent `<inner>`; never nothing.
fn seen(inner: &str) -> Word {
    let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
    let label = label.trim();
    let or = |what: &str| Word::Bare(if label.is_empty() { what } else { label }.to_owned());
    let sign = |sign: char, name: &str| Word::Bare(format!("{sign}{}", name.trim_start_matches(sign)));
    match target.chars().next() {
        Some('@') => Word::Person { id: target[1..].to_owned(), label: label.trim_start_matches('@').to_owned() },
        Some('#') => sign('#', if label.is_empty() { target } else { label }),
        Some('!') => match target[1..].split('^').collect::<Vec<_>>().as_slice() {
            ["subteam", id, ..] => sign('@', if label.is_empty() { id } else { label }),
            ["date", at, ..] => match at.parse().ok().and_then(|at| Timestamp::from_second(at).ok()) {
                Some(at) => or(&minute(at)),
                None => or(target),
            },
            [group @ ("channel" | "here" | "everyone"), ..] => sign('@', group),
            [other, ..] if !other.is_empty() => or(other),
            _ => or(target),
        },
        _ => link(target, label).unwrap_or_else(|| Word::Bare(format!("<{inner}>"))),
    }
}

/// A link as it was read: its words. Without any, its address.
fn link(target: &str, label: &str) -> Option<Word> {
    let (scheme, rest) = target.split_once(':').filter(|(_, rest)| !rest.is_empty())?;
    let word = |text: &str| Some(Word::Bare(text.to_owned()));
    if scheme.eq_ignore_ascii_case("mailto") {
        return match label {
            "" => word(rest),
            label if label.contains('@') => word(label),
            // Whom it is to is as much part of it as what they are called.
            label => word(&format!("{label} <{rest}>")),
        };
    }
    let known = rest.starts_with("//") || ["tel", "sip", "callto"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    let fits = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    match label {
        _ if !(known && fits) => None,
        "" if rest.starts_with("//") => word(target),
        "" => word(rest),
        label => word(label),
    }
}

/// Undoes Slack's escaping, once.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&')].into_iter().find(|(name, _)| rest.starts_with(name));
        let (c, length) = known.map_or(('&', 1), |(name, c)| (c, name.len()));
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chat::text::quoted;

    fn words(text: &str) -> Vec<String> {
        lex(text)
            .into_iter()
            .map(|w| match w {
                Word::Bare(t) => t,
                Word::Value(t) => format!("[{t}]"),
                person @ Word::Person { .. } => person.said(),
            })
            .collect()
    }

    #[test]
    fn quotes_spaces_and_chat_forms() {
        assert_eq!(words("  SKIP   region  "), ["SKIP", "region"]);
        assert_eq!(words("skip 3 \"one tenant\""), ["skip", "3", "[one tenant]"]);
        assert_eq!(words("skip 3 “one tenant” «x y» ‘a b’"), ["skip", "3", "[one tenant]", "[x y]", "[a b]"]);
        assert_eq!(words("skip 3 it's fine"), ["skip", "3", "it's", "fine"]);
        assert_eq!(words("assign 1 <@U0BOB|bob>"), ["assign", "1", "@bob"]);
        assert_eq!(words("invite <mailto:a@x.com|a@x.com>,<mailto:b@x.com|b@x.com>"), ["invite", "a@x.com,b@x.com"]);
        assert_eq!(words("see <https://x.y/z|here> <#C1|soc> <!channel>"), ["see", "here", "#soc", "@channel"]);
        assert_eq!(words("a &lt;b&gt; &amp;amp; R&D"), ["a", "<b>", "&amp;", "R&D"]);
        assert_eq!(words("\"never closed"), ["[never closed]"]);
        assert_eq!(words("rule=\"Brute &lt;b&gt;\" x=“a b”c d=\"e"), ["rule=Brute <b>", "x=a bc", "d=e"]);
        assert_eq!(words("\"say \\\"hi\\\" \\\\\""), ["[say \"hi\" \\]"]);
        assert_eq!(words("\u{200b}<@U1|ana>\u{200b} \u{feff} st\u{2060}atus\u{200b}"), ["@ana", "status"]);
        assert_eq!(words("a < b <<@U1>"), ["a", "<", "b", "<@U1"]);
    }

    #[test]
    fn every_form_of_a_chat_is_the_words_that_were_read() {
        let forms = [
            ("<#C0SOC|soc>", "#soc"),
            ("<#C0SOC|>", "#C0SOC"),
            ("<#C0SOC>", "#C0SOC"),
            ("<@U0BOB|bob>", "@bob"),
            ("<@U0BOB>", "@U0BOB"),
            ("<@U0BOB|>", "@U0BOB"),
            ("<!subteam^S0SOC|@soc-team>", "@soc-team"),
            ("<!subteam^S0SOC|soc-team>", "@soc-team"),
            ("<!subteam^S0SOC>", "@S0SOC"),
            ("<!date^1392734382^{date_short}|Feb 18, 2014>", "Feb 18, 2014"),
            ("<!date^1392734382^{date_short}^https://x.y|Feb 18>", "Feb 18"),
            ("<!date^1392734382^{date_short}>", "2014-02-18 14:39 UTC"),
            ("<!date^soon^{date}>", "!date^soon^{date}"),
            ("<!channel>", "@channel"),
            ("<!here|here>", "@here"),
            ("<!everyone>", "@everyone"),
            ("<!foo|bar>", "bar"),
            ("<!foo>", "foo"),
            ("<tel:+33123456789|+33 1 23 45 67 89>", "+33 1 23 45 67 89"),
            ("<tel:+33123456789>", "+33123456789"),
            ("<mailto:a@x.com|a@x.com>", "a@x.com"),
            ("<MAILTO:a@x.com>", "a@x.com"),
            ("<mailto:a@x.com|Ana>", "Ana <a@x.com>"),
            ("<http://forwarder.example|forwarder.example>", "forwarder.example"),
            ("<https://x.y/z?a=1&amp;b=2>", "https://x.y/z?a=1&b=2"),
            ("<https://x.y/z|the ticket>", "the ticket"),
            ("<slack://user?team=T1|open>", "open"),
            ("<b>", "<b>"),
            ("<a:b>", "<a:b>"),
            ("<|>", "<|>"),
            ("<>", "<>"),
            ("<!>", "!"),
            ("<mailto:>", "<mailto:>"),
        ];
        for (sent, read) in forms {
            let one = |word: Vec<Word>| word.into_iter().map(Word::said).collect::<Vec<_>>().join(" ");
            assert_eq!(one(lex(sent)), read, "{sent}");
            assert_eq!(one(lex(&format!("\"{sent}\""))), read, "{sent} in quotes");
            assert_eq!(one(lex(&format!("x{sent}"))), format!("x{read}"), "{sent} in a word");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_value_is_read_back_as_it_is(value in any::<String>()) {
            prop_assert_eq!(lex(&quoted(&value)), [Word::Value(clean(&value).into_owned())]);
        }

        #[test]
        fn nothing_that_is_read_is_unseen(text in "[<>@#!|^a-c:/ \"\u{200b}\u{2060}\u{301}é&;-]{0,40}") {
            for word in lex(&text) {
                prop_assert!(!matches!(&word, Word::Bare(bare) if bare.is_empty()), "{:?}", word);
                let said = word.said();
                prop_assert_eq!(clean(&said), said.as_str());
            }
        }
    }
}
