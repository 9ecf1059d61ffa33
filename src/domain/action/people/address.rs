//! One e-mail address, in the one form that is stored, sent and compared; and as people read it.

use email_address::{EmailAddress, Options};

/// Chat markup that is put around words.
pub(super) const MARKUP: [char; 4] = ['*', '_', '~', '`'];
/// What may stand in front of an address, as in a link or in an export of Exchange.
const PREFIXES: [&str; 6] = ["mailto:", "smtp:", "e-mail:", "email:", "mail:", "to:"];
/// Signs that an address really has, between letters and digits. RFC 5322 takes more.
const INSIDE: &[u8] = b"._-+'&";

/// The address that a word is: without the brackets, quotes, marks and chat markup around it, in
/// lower case, its domain in ASCII.
///
/// # Errors
/// Why it is none, behind the word: `is no e-mail address`.
pub fn address(word: &str) -> Result<String, &'static str> {
    const NONE: &str = "is no e-mail address";
    let word: String = word.chars().filter(|c| !is_invisible(*c)).collect();
    let mut word = undecorated(&word);
    let mut link = false;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| without(word, prefix)) {
        (word, link) = (undecorated(rest), true);
    }
    // What a link says beside the address: `?subject=…`.
    if let Some((before, query)) = word.split_once('?')
        && (link || query.contains('='))
    {
        word = undecorated(before);
    }
    let (local, domain) = word.rsplit_once('@').ok_or(NONE)?;
    if local.contains('@') {
        return Err("has more than one @");
    }
    if local.is_empty() || domain.is_empty() {
        return Err(NONE);
    }
    if !local.is_ascii() {
        return Err("has letters before the @ that are not a to z");
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric();
    if !(local.bytes().next().is_some_and(is_plain) && local.bytes().next_back().is_some_and(is_plain)) {
        return Err("begins or ends before the @ with a sign that addresses do not have there");
    }
    if !local.bytes().all(|b| is_plain(b) || INSIDE.contains(&b)) {
        return Err("has a sign before the @ that addresses do not have");
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| NONE)?;
    let tld = domain.rsplit_once('.').map(|(_, tld)| tld).ok_or(NONE)?;
    if tld.len() < 2 || tld.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NONE);
    }
    let address = format!("{}@{domain}", local.to_ascii_lowercase());
    let options = Options::default().with_minimum_sub_domains(2).without_display_text().without_domain_literal();
    let fits = address.len() <= 254 && EmailAddress::parse_with_options(&address, options).is_ok();
    if fits { Ok(address) } else { Err(NONE) }
}

/// An address that somebody else wrote, as it is compared.
pub fn normal(written: &str) -> String {
    address(written).unwrap_or_else(|_| written.trim().to_lowercase())
}

/// What stands behind the `@`.
pub fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// The address as people read it. Of an international domain both forms are shown: the one that
/// they know, and the one that no lookalike shares.
pub fn readable(address: &str) -> String {
    match unicode_domain(address) {
        Some(domain) => {
            let local = address.rsplit_once('@').map_or("", |(local, _)| local);
            format!("{local}@{domain} ({address})")
        }
        None => address.to_owned(),
    }
}

/// The domain in its own letters, if it has others than ASCII's.
pub fn unicode_domain(address: &str) -> Option<String> {
    let domain = domain(address);
    if !domain.split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let (unicode, fits) = idna::domain_to_unicode(domain);
    (fits.is_ok() && unicode != domain).then_some(unicode)
}

/// Joiners and marks that nobody sees: what is copied from a chat or a mail is full of them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn undecorated(word: &str) -> &str {
    let around = |c: char| {
        c.is_whitespace()
            || "<>()[]{}\"'“”‘’„‚«»‹›…•◦▪‣·–—→►✓✔☐☑".contains(c)
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202c}' | '\u{2066}'..='\u{2069}')
    };
    let mut word = word;
    loop {
        let before = word.len();
        word = word.trim_start_matches(around).trim_end_matches(|c| around(c) || ".,;:!?/|".contains(c));
        // No domain ends with markup: it was put there. At the beginning it may belong to the
        // address, unless it is closed at the end.
        let bare = word.trim_end_matches(MARKUP);
        if bare.len() < word.len() {
            word = bare.trim_start_matches(MARKUP);
        }
        if word.len() == before {
            return word;
        }
    }
}

fn without<'a>(word: &'a str, prefix: &str) -> Option<&'a str> {
    let start = word.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &word[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_out_of_what_is_around_it() {
        for around in [
            "ana@x.example",
            "Ana@X.Example",
            "<ana@x.example>",
            "ana@x.example.",
            "\"ana@x.example\",",
            "'ana@x.example'",
            "*ana@x.example*",
            "**ana@x.example**,",
            "_ana@x.example_.",
            "~~ana@x.example~~",
            "`ana@x.example`",
            "_*ana@x.example*_",
            "ana@x.example**",
            "•ana@x.example",
            "mailto:ana@x.example",
            "MAILTO:Ana@x.example?subject=Hi&cc=bo@x.example",
            "ana@x.example?subject=Welcome",
            "SMTP:ana@x.example",
            "ana\u{200b}@\u{2060}x.example",
            "\u{202a}ana@x.example\u{202c}",
        ] {
            assert_eq!(address(around).as_deref(), Ok("ana@x.example"), "{around}");
        }
        for real in ["o'brien@x.example", "a.b+soc@x.example", "r&d@x.example", "x_y-z@a-b.c.example", "1@x.example"] {
            assert_eq!(address(real).as_deref(), Ok(real));
        }
    }

    #[test]
    fn an_international_domain_has_one_form_and_both_are_shown() {
        for form in
            ["zoe@müller.example", "Zoe@MÜLLER.example", "zoe@mu\u{308}ller.example", "zoe@xn--mller-kva.example"]
        {
            assert_eq!(address(form).as_deref(), Ok("zoe@xn--mller-kva.example"), "{form}");
        }
        assert_eq!(readable("zoe@xn--mller-kva.example"), "zoe@müller.example (zoe@xn--mller-kva.example)");
        assert_eq!(readable("zoe@mueller.example"), "zoe@mueller.example");
        // Not the Latin letters that they look like.
        let cyrillic = address("ana@nіmbus.example").unwrap();
        assert!(cyrillic != "ana@nimbus.example" && readable(&cyrillic).contains("xn--"), "{cyrillic}");
    }

    #[test]
    fn what_is_no_real_address_says_why() {
        let none = "is no e-mail address";
        let edge = "begins or ends before the @ with a sign that addresses do not have there";
        let sign = "has a sign before the @ that addresses do not have";
        for (word, why) in [
            ("ana@", none),
            ("@x.example", none),
            ("ana", none),
            ("ana@x", none),
            ("a@b..example", none),
            ("ana@1.2", none),
            ("ana@-x.example", none),
            ("ana@x_y.example", none),
            ("a..b@x.example", none),
            ("ana@bo@x.example", "has more than one @"),
            ("é@x.example", "has letters before the @ that are not a to z"),
            (".ana@x.example", edge),
            ("*ana@x.example", edge),
            ("_ana@x.example", edge),
            ("-ana@x.example", edge),
            ("#ana@x.example", edge),
            ("ana-@x.example", edge),
            ("ana*@x.example", edge),
            ("ana/bo@x.example", sign),
            ("ana_gmail.com#EXT#x@x.example", sign),
            ("a`b@x.example", sign),
        ] {
            assert_eq!(address(word), Err(why), "{word}");
        }
        assert!(address(&format!("{}@x.example", "a".repeat(65))).is_err());
    }
}
