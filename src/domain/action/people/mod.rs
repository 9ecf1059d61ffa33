//! Lists of people as they are typed, pasted and uploaded: bytes to text, text to rows, and of
//! every row what became of it.
//!
//! Pure. Nothing is dropped here: a row is a person, or it says why it is none.

mod account;
mod address;
mod cell;
mod column;
mod decode;
mod heading;
mod list;
mod table;

use std::fmt;

pub use account::{Account, MOST_DETAILS, sentence};
pub use address::{address, domain, normal, readable, unicode_domain};
pub use decode::{decode, decode_text};

use super::{Problem, problem};
use crate::chat::text::shown;

/// Characters of one text field of a form: the chats cut what is longer.
pub const FIELD: usize = 3_000;

/// What was read out of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    pub rows: Vec<Row>,
    /// What was decided in reading it, one sentence each.
    pub notes: Vec<String>,
    /// Whether it has rows or lines that people count.
    pub counted: bool,
}

/// A row of a table, or an entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub place: Place,
    /// A person, or what is said behind the place: `has no address`.
    pub found: Result<Entry, String>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// As a spreadsheet counts them: from 1, headings included.
    Row(usize),
    Line(usize),
    /// In a list of one line.
    Untold,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub address: String,
    /// Other addresses of the same cell, which are not invited.
    pub others: Vec<String>,
    /// The role and the communities that the row itself names.
    pub role: Option<String>,
    pub communities: Vec<String>,
}

impl Row {
    fn person(place: Place, entry: Entry) -> Self {
        Self { place, found: Ok(entry) }
    }

    fn left_out(place: Place, why: String) -> Self {
        Self { place, found: Err(why) }
    }

    /// `words`: what stands there instead of an address.
    fn nobody(place: Place, words: &str) -> Self {
        let words = words.trim();
        let why = match place {
            Place::Untold => format!("{} has no address", quoted(words, 60)),
            _ if words.is_empty() => "has no address".into(),
            _ => format!("has no address ({})", said(words, 60)),
        };
        Self::left_out(place, why)
    }

    fn wrong(place: Place, word: &str, why: &str) -> Self {
        let colon = if place == Place::Untold { "" } else { ": " };
        Self::left_out(place, format!("{colon}{} {why}", quoted(word, 60)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Row(n) => write!(f, "row {n}"),
            Place::Line(n) => write!(f, "line {n}"),
            Place::Untold => Ok(()),
        }
    }
}

impl Place {
    /// `row 7 has no address`.
    pub fn says(self, what: &str) -> String {
        match self {
            Place::Untold => what.trim_start_matches([':', ' ']).to_owned(),
            place if what.starts_with(':') => format!("{place}{what}"),
            place => format!("{place} {what}"),
        }
    }
}

/// Words of a list as they are repeated: what they say is nobody's markup.
fn said(words: &str, most: usize) -> String {
    shown(words, most).replace('`', "'")
}

fn quoted(words: &str, most: usize) -> String {
    format!("\"{}\"", said(words, most))
}

/// The people of what was typed or pasted, and of a file.
///
/// # Errors
/// It could be read in two ways, or in none: what to do about it, by field.
pub fn read(pasted: &str, file: &str) -> Result<People, Problem> {
    let mut all = People::default();
    for (field, text) in [("addresses", pasted), ("csv", file)] {
        if text.trim().is_empty() {
            continue;
        }
        let found = read_one(text).map_err(|why| problem(field, why))?;
        all.rows.extend(found.rows);
        all.notes.extend(found.notes);
        all.counted |= found.counted;
    }
    Ok(all)
}

fn read_one(text: &str) -> Result<People, String> {
    let text = plain_lines(text);
    let (delimiter, text) = table::separator(&text);
    if let Some(table) = table::read(text, delimiter) {
        return table;
    }
    let rows = list::rows(text);
    let counted = rows.iter().any(|row| row.place != Place::Untold);
    Ok(People { rows, notes: Vec::new(), counted })
}

/// One kind of line break, and no mark at the beginning.
fn plain_lines(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').trim_end_matches('\u{1a}');
    let text = text.replace("\r\n", "\n");
    text.replace(['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'], "\n")
}

/// Whether a field of a form holds as much as it can: the rest may be missing.
pub fn is_full(answer: &str) -> bool {
    answer.len() >= FIELD && answer.encode_utf16().count() >= FIELD
}

#[cfg(test)]
mod tests;
