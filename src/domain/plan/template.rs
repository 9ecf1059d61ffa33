//! Templates: plans with parameters like `{{client}}` in their texts.

use std::collections::{BTreeMap, HashMap, HashSet};

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::file::{Fault, Places, escaped};
use crate::chat::text::{clip, shown, visible};
use crate::domain::action::instead;

/// Characters of a value.
const VALUE: usize = 100;
const EXAMPLE: &str = "Write a parameter in a text, like \"{{client}} analysts\".";

/// A parameter where it is used.
struct Use<'t> {
    name: &'t str,
    /// The bytes from `{{` to behind `}}`.
    from: usize,
    to: usize,
    /// Between single quotes, where nothing can be escaped.
    literal: bool,
}

/// The parameters of a template, each once, in the order of their first use.
pub fn parameters(text: &str) -> Vec<Box<str>> {
    let mut seen = HashSet::new();
    uses(text).0.into_iter().filter(|used| seen.insert(used.name)).map(|used| used.name.into()).collect()
}

/// The plan's text with `values` in the place of the parameters; what is in it is checked by
/// [`read`](super::file::read) afterwards. Lines stay where they are.
///
/// # Errors
/// Everything that is wrong with the template's parameters and the values, in the order of the file.
pub fn fill(text: &str, values: &BTreeMap<Box<str>, Box<str>>) -> Result<String, Vec<Fault>> {
    let (uses, mut faults) = uses(text);
    let mut checked: HashMap<&str, bool> = HashMap::new();
    for used in &uses {
        let value = values.get(used.name);
        let fits = *checked.entry(used.name).or_insert_with(|| {
            let fault = match value {
                None => Some(format!("The template needs {0}. Give it, like {0}=\"Acme\".", used.name)),
                Some(value) => unfit(used.name, value),
            };
            let fits = fault.is_none();
            faults.extend(fault.map(|text| (used.from, text)));
            fits
        });
        if fits && used.literal && value.is_some_and(|value| value.contains('\'')) {
            let name = used.name;
            faults.push((used.from, format!("The value of {name} has a '. Write this text in double quotes.")));
        }
    }
    for name in values.keys().filter(|name| !checked.contains_key(&***name)) {
        let instead = if checked.is_empty() {
            "It has none: leave it out.".to_owned()
        } else {
            instead(name, checked.keys().copied())
        };
        faults.push((0, format!("The template has no parameter called \"{}\". {instead}", shown(name, 60))));
    }
    if !faults.is_empty() {
        return Err(Places::new(text).faults(faults));
    }
    let mut filled = String::with_capacity(text.len());
    let mut last = 0;
    for used in &uses {
        filled.push_str(&text[last..used.from]);
        let value = values.get(used.name).map_or("", |value| value);
        filled.push_str(&if used.literal { value.to_owned() } else { escaped(value) });
        last = used.to;
    }
    filled.push_str(&text[last..]);
    Ok(filled)
}

/// Why a value cannot stand in a plan.
fn unfit(name: &str, value: &str) -> Option<String> {
    let length = value.chars().count();
    if value.trim().is_empty() {
        return Some(format!("The value of {name} is empty. Give it, like {name}=\"Acme\"."));
    }
    if length > VALUE {
        return Some(format!("The value of {name} has {length} characters; at most {VALUE} are taken."));
    }
    let hidden = value.chars().find(|c| visible(c.encode_utf8(&mut [0; 4])) != c.to_string())?;
    Some(format!("The value of {name} holds a character that nobody can see (U+{:04X}). Remove it.", u32::from(hidden)))
}

/// Every use of a parameter, and what looks like one and is none. Comments are left alone.
fn uses(text: &str) -> (Vec<Use<'_>>, Vec<(usize, String)>) {
    let (mut uses, mut faults) = (Vec::new(), Vec::new());
    let mut bracket = None;
    for token in Source::new(text).lex() {
        let (from, to) = (token.span().start(), token.span().end());
        match token.kind() {
            kind @ (TokenKind::BasicString
            | TokenKind::MlBasicString
            | TokenKind::LiteralString
            | TokenKind::MlLiteralString) => {
                let literal = matches!(kind, TokenKind::LiteralString | TokenKind::MlLiteralString);
                in_text(text, from, to, literal, &mut uses, &mut faults);
            }
            // Two brackets in a row mean nothing in TOML.
            TokenKind::LeftCurlyBracket if bracket == Some(from) => {
                faults.push((from - 1, format!("A parameter outside of a text. {EXAMPLE}")));
                bracket = None;
            }
            TokenKind::LeftCurlyBracket => bracket = Some(to),
            _ => bracket = None,
        }
    }
    (uses, faults)
}

fn in_text<'t>(
    text: &'t str,
    from: usize,
    to: usize,
    literal: bool,
    uses: &mut Vec<Use<'t>>,
    faults: &mut Vec<(usize, String)>,
) {
    let mut at = from;
    while let Some(open) = text[at..to].find("{{").map(|found| at + found) {
        let inside = open + 2;
        let close = text[inside..to].find("}}").map(|found| inside + found);
        let name = close.map(|close| text[inside..close].trim());
        let fits = |name: &&str| {
            let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !name.is_empty() && name.len() <= 40 && name.chars().all(good)
        };
        if let (Some(name), Some(close)) = (name.filter(fits), close) {
            uses.push(Use { name, from: open, to: close + 2, literal });
            at = close + 2;
        } else {
            let what =
                shown(&clip(text[open..to].lines().next().unwrap_or_default().trim_end_matches(['"', '\'']), 40), 60);
            faults
                .push((open, format!("\"{what}\" is no parameter: its name has letters, digits, - and _. {EXAMPLE}")));
            at = inside;
        }
    }
}
