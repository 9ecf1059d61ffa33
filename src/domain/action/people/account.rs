//! What became of every row of a list.

use super::{People, Place};
use crate::chat::text::count;

/// Details that are kept; a list with more of them is refused.
pub const MOST_DETAILS: usize = 500;
/// Of them, those in one sentence.
const SAID: usize = 5;

/// Counts that add up to the rows, and a sentence for every row that is no invitation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Rows that lead to an invitation.
    pub taken: usize,
    /// Rows that name somebody again, and say nothing else.
    pub repeats: usize,
    /// Rows of people who need no invitation.
    pub known: usize,
    /// Whether the rows are ones that people count.
    counted: bool,
    /// Whether they are all of a table.
    table: bool,
    left: Vec<String>,
    doubts: Vec<String>,
    members: Vec<String>,
    notes: Vec<String>,
}

impl Account {
    pub fn new(people: &People) -> Self {
        let table = people.rows.iter().all(|row| matches!(row.place, Place::Row(_)));
        Self { counted: people.counted, table, notes: people.notes.clone(), ..Self::default() }
    }

    /// All rows.
    pub fn rows(&self) -> usize {
        self.taken + self.repeats + self.known + self.left.len()
    }

    pub fn left_out(&self) -> usize {
        self.left.len()
    }

    /// Rows that somebody should look at before anything is asked for.
    pub fn open(&self) -> usize {
        self.left.len() + self.doubts.len()
    }

    pub fn leave_out(&mut self, place: Place, why: &str) {
        self.left.push(place.says(why));
    }

    /// A row that is taken, and could have been meant otherwise.
    pub fn doubt(&mut self, place: Place, what: &str) {
        self.doubts.push(place.says(what));
    }

    /// A row of somebody who is in already: `row 3: ana@… is a member already`.
    pub fn know(&mut self, place: Place, what: &str) {
        self.known += 1;
        let what = if place == Place::Untold { what.to_owned() } else { format!(": {what}") };
        self.members.push(place.says(&what));
    }

    /// Whether there is anything to say beside the people themselves.
    fn is_plain(&self) -> bool {
        !self.counted && self.taken == self.rows() && self.notes.is_empty() && self.doubts.is_empty()
    }

    /// `48 of 50 rows; 2 left out`.
    fn summary(&self) -> String {
        let (one, many) = if self.table { ("row", "rows") } else { ("entry", "entries") };
        let rows = self.rows();
        let mut parts = vec![format!("{} of {}", self.taken, count(rows, one, many))];
        let counts =
            [(self.left.len(), "left out"), (self.doubts.len(), "to check"), (self.known, "already in or invited")];
        if self.repeats > 0 {
            parts.push(format!("{} of somebody named before", self.repeats));
        }
        parts.extend(counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        parts.join("; ")
    }

    /// The summary, then a sentence for every row that is no invitation. Nothing where every entry
    /// of a list of one line is one.
    pub fn lines(&self) -> Vec<Box<str>> {
        if self.is_plain() {
            return Vec::new();
        }
        let details = self.left.iter().chain(&self.doubts).chain(&self.members).chain(&self.notes);
        [self.summary()].iter().chain(details).map(|s| s.as_str().into()).collect()
    }

    /// The account in one sentence, cut with a count.
    pub fn sentence(&self) -> String {
        let lines = self.lines();
        let Some((summary, details)) = lines.split_first() else { return String::new() };
        sentence(summary, details)
    }
}

/// `48 of 50 rows; 2 left out: row 7 has no address; row 31 …`.
pub fn sentence(summary: &str, details: &[Box<str>]) -> String {
    let mut said: Vec<&str> = details.iter().take(SAID).map(|d| d.trim_end_matches('.')).collect();
    let more = details.len().saturating_sub(SAID);
    let rest = format!("and {more} more");
    if more > 0 {
        said.push(&rest);
    }
    if said.is_empty() {
        return format!("{summary}.");
    }
    let said = format!("{summary}: {}", said.join("; "));
    if said.ends_with('?') { said } else { format!("{said}.") }
}
