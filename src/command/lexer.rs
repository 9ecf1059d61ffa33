//! Text to words: quotes, and the forms in which chat platforms write people and links.

use std::iter::Peekable;
use std::str::Chars;

/// One word of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Typed without quotes: may be a keyword.
    Bare(String),
    /// Quoted, or answered in a form or a menu: always a value.
    Value(String),
    /// A person, by the platform's own id.
    Person(String),
}

impl Word {
    pub fn text(&self) -> &str {
        match self {
            Word::Bare(text) | Word::Value(text) | Word::Person(text) => text,
        }
    }
}

/// Splits what was typed. Total and linear: whatever comes in, words come out.
///
/// `<@U123|name>` is a person, `<mailto:a@b|a@b>` and `<https://…|…>` are their address,
/// `<#C1|name>` and `<!date^…|text>` their label. Slack escapes `&`, `<` and `>` in everything
/// that a person typed, which is undone here. A quote that is never closed runs to the end. What is
/// quoted behind a `=` belongs to its word: `rule="Brute force"` is one.
pub fn lex(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
        } else if let Some(close) = closing_quote(c) {
            chars.next();
            words.push(Word::Value(quoted(&mut chars, close)));
        } else {
            words.push(bare(&mut chars));
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

fn quoted(chars: &mut Peekable<Chars<'_>>, close: &[char]) -> String {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if close.contains(&c) => break,
            '\\' if chars.peek().is_some_and(|n| *n == '\\' || close.contains(n)) => out.extend(chars.next()),
            '<' => match angle(chars) {
                Word::Person(id) => out.push_str(&format!("<@{id}>")),
                other => out.push_str(other.text()),
            },
            c => out.push(c),
        }
    }
    unescape(&out)
}

fn bare(chars: &mut Peekable<Chars<'_>>) -> Word {
    let (mut done, mut out) = (String::new(), String::new());
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() {
            break;
        }
        chars.next();
        if let Some(close) = closing_quote(c).filter(|_| out.ends_with('=')) {
            done.push_str(&unescape(&out));
            done.push_str(&quoted(chars, close));
            out.clear();
            continue;
        }
        if c != '<' {
            out.push(c);
            continue;
        }
        match angle(chars) {
            person @ Word::Person(_) if out.is_empty() && done.is_empty() => return person,
            other => out.push_str(other.text()),
        }
    }
    done.push_str(&unescape(&out));
    Word::Bare(done)
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
    let (target, label) = inner.split_once('|').map_or((inner.as_str(), None), |(t, l)| (t, Some(l)));
    if let Some(id) = target.strip_prefix('@') {
        return Word::Person(id.to_owned());
    }
    if let Some(address) = target.strip_prefix("mailto:") {
        return Word::Bare(address.to_owned());
    }
    if target.starts_with(['#', '!']) {
        return Word::Bare(label.unwrap_or(target).to_owned());
    }
    if target.contains("://") {
        return Word::Bare(target.to_owned());
    }
    Word::Bare(format!("<{inner}>"))
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
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text)
            .into_iter()
            .map(|w| match w {
                Word::Bare(t) => t,
                Word::Value(t) => format!("[{t}]"),
                Word::Person(t) => format!("@{t}"),
            })
            .collect()
    }

    #[test]
    fn quotes_spaces_and_chat_forms() {
        assert_eq!(words("  SKIP   region  "), ["SKIP", "region"]);
        assert_eq!(words("skip 3 \"one tenant\""), ["skip", "3", "[one tenant]"]);
        assert_eq!(words("skip 3 “one tenant” «x y» ‘a b’"), ["skip", "3", "[one tenant]", "[x y]", "[a b]"]);
        assert_eq!(words("skip 3 it's fine"), ["skip", "3", "it's", "fine"]);
        assert_eq!(words("assign 1 <@U0BOB|bob>"), ["assign", "1", "@U0BOB"]);
        assert_eq!(words("invite <mailto:a@x.com|a@x.com>,<mailto:b@x.com|b@x.com>"), ["invite", "a@x.com,b@x.com"]);
        assert_eq!(words("see <https://x.y/z|here> <#C1|soc> <!channel>"), ["see", "https://x.y/z", "soc", "!channel"]);
        assert_eq!(words("a &lt;b&gt; &amp;amp; R&D"), ["a", "<b>", "&amp;", "R&D"]);
        assert_eq!(words("\"never closed"), ["[never closed]"]);
        assert_eq!(words("rule=\"Brute &lt;b&gt;\" x=“a b”c d=\"e"), ["rule=Brute <b>", "x=a bc", "d=e"]);
        assert_eq!(words("\"say \\\"hi\\\" \\\\\""), ["[say \"hi\" \\]"]);
        assert_eq!(words("a < b <<@U1>"), ["a", "<", "b", "<U1"]);
    }
}
