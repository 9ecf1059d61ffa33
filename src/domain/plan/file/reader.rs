//! Fields of tables by their types, and the faults that are found on the way.

use std::collections::{BTreeSet, HashMap};

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::Named;
use super::places::Places;
use crate::chat::text::{fold, shown};
use crate::domain::action::instead;
use crate::domain::plan::{Part, Plan};

/// Wrong names for which the nearest are looked up.
const SUGGESTIONS: usize = 100;

/// A value and the byte at which it begins.
pub(super) type At<T> = (usize, T);

pub(super) struct Reader<'p> {
    places: &'p Places,
    faults: Vec<At<String>>,
    /// Lines that are no TOML: what is read of them was guessed, and more may be missing.
    broken: BTreeSet<usize>,
    suggestions: usize,
    pub permissions: Vec<Named>,
    pub parents: Vec<Named>,
}

/// What a table is, for messages.
pub(super) struct Kind {
    /// `a community`.
    pub one: &'static str,
    pub fields: &'static [&'static str],
}

impl<'p> Reader<'p> {
    pub fn new(places: &'p Places, errors: &[Error]) -> Self {
        let mut reader = Self {
            places,
            faults: Vec::new(),
            broken: BTreeSet::new(),
            suggestions: 0,
            permissions: Vec::new(),
            parents: Vec::new(),
        };
        let mut last = "";
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            // The first of a line is what is wrong with it, and the first line of a list that is not
            // closed is what is wrong with the list.
            let follows = error.message() == last && last.contains(COMMA);
            last = error.message();
            if reader.broken.insert(places.line(at)) && !follows {
                reader.faults.push((at, syntax(error.message())));
            }
        }
        reader
    }

    /// The faults, and what is to be looked up at Sekoia.
    pub fn finish(self) -> (Vec<At<String>>, Vec<Named>, Vec<Named>) {
        (self.faults, self.permissions, self.parents)
    }

    pub fn plan(&mut self, table: &DeTable<'_>) -> Plan {
        const PLAN: Kind = Kind {
            one: "a plan",
            fields: &["products", "region", "communities", "roles", "people", "keys", "notifications", "hardening"],
        };
        self.only(table, &PLAN);
        Plan {
            products: self.products(table),
            region: self.region(table),
            communities: self.communities(table),
            roles: self.roles(table),
            people: self.people(table),
            keys: self.keys(table),
            triggers: self.notifications(table),
            hardening: self.hardening(table),
        }
    }

    pub fn fault(&mut self, at: usize, text: impl Into<String>) {
        if !self.broken.contains(&self.places.line(at)) {
            self.faults.push((at, text.into()));
        }
    }

    /// What is not there, if it cannot stand in a line that could not be read.
    pub fn missing(&mut self, at: usize, text: String) {
        if self.broken.is_empty() {
            self.fault(at, text);
        }
    }

    /// ` Did you mean "about"?`, for the first of them.
    pub fn instead<'n>(&mut self, wanted: &str, names: impl Iterator<Item = &'n str>) -> String {
        self.suggestions += 1;
        if self.suggestions > SUGGESTIONS { String::new() } else { format!(" {}", instead(wanted, names)) }
    }

    pub fn only(&mut self, table: &DeTable<'_>, kind: &Kind) {
        for (key, _) in table {
            if !kind.fields.contains(&&**key.get_ref()) {
                let instead = self.instead(key.get_ref(), kind.fields.iter().copied());
                let text = format!("\"{}\" is no field of {}.{instead}", shown(key.get_ref(), 60), kind.one);
                self.fault(key.span().start, text);
            }
        }
    }

    fn wrong(&mut self, value: &Spanned<DeValue<'_>>, field: &str, wanted: &str) {
        let is = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(value.span().start, format!("\"{field}\" is {is} here. Write {wanted}."));
    }

    pub fn text<'t>(&mut self, table: &'t DeTable<'_>, field: &str, example: &str) -> Option<At<&'t str>> {
        let value = table.get(field)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong(value, field, &format!("a text: {field} = \"{example}\""));
        }
        Some((value.span().start, text?))
    }

    /// `at`: where the table begins, if it has no such field.
    pub fn needed<'t>(
        &mut self,
        (at, table): At<&'t DeTable<'_>>,
        kind: &Kind,
        field: &str,
        example: &str,
    ) -> Option<At<&'t str>> {
        if !table.contains_key(field) {
            let what = capital(kind.one);
            self.missing(at, format!("{what} needs \"{field}\". Add {field} = \"{example}\"."));
        }
        self.text(table, field, example)
    }

    pub fn texts<'t>(&mut self, table: &'t DeTable<'_>, field: &str, example: &str) -> Option<Vec<At<&'t str>>> {
        let value = table.get(field)?;
        let wanted = format!("a list of texts: {field} = [\"{example}\"]");
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value, field, &wanted);
            return None;
        };
        let mut texts = Vec::new();
        for entry in list {
            match entry.get_ref().as_str() {
                Some(text) if text.trim().is_empty() => {
                    self.fault(entry.span().start, format!("An empty text in \"{field}\". Remove it."));
                }
                Some(text) => texts.push((entry.span().start, text)),
                None => self.wrong(entry, field, &wanted),
            }
        }
        Some(texts)
    }

    pub fn switch(&mut self, table: &DeTable<'_>, field: &str) -> Option<bool> {
        let value = table.get(field)?;
        let switch = value.get_ref().as_bool();
        if switch.is_none() {
            self.wrong(value, field, &format!("{field} = true or {field} = false, without quotes"));
        }
        switch
    }

    pub fn table<'t, 'i>(&mut self, table: &'t DeTable<'i>, field: &str) -> Option<At<&'t DeTable<'i>>> {
        let value = table.get(field)?;
        let inner = value.get_ref().as_table();
        if inner.is_none() {
            self.wrong(value, field, &format!("[{field}] and its fields below"));
        }
        Some((value.span().start, inner?))
    }

    /// The tables `[[field]]`, at most `most` of them.
    pub fn tables<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        part: Part,
        most: usize,
    ) -> Option<Vec<At<&'t DeTable<'i>>>> {
        let field = part.name();
        let value = table.get(field)?;
        let wanted = format!("[[{field}]] in double brackets before each {}", part.nouns().0);
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(value, field, &wanted);
            return Some(value.get_ref().as_table().map(|one| (value.span().start, one)).into_iter().collect());
        };
        let mut tables = Vec::new();
        for entry in list {
            match entry.get_ref().as_table() {
                Some(one) => tables.push((entry.span().start, one)),
                None => self.wrong(entry, field, &wanted),
            }
        }
        if let Some((at, _)) = tables.get(most) {
            let (all, many) = (tables.len(), part.nouns().1);
            self.fault(
                *at,
                format!("A plan holds at most {most} {many}, this file has {all}. Leave out {}.", all - most),
            );
        }
        Some(tables)
    }

    /// Whether this is the first of its name; `line` says where that is.
    pub fn is_first(
        &mut self,
        seen: &mut HashMap<String, usize>,
        (at, name): At<&str>,
        says: impl Fn(usize) -> String,
    ) -> bool {
        let line = self.places.line(at);
        match seen.entry(fold(name)) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(line);
                true
            }
            std::collections::hash_map::Entry::Occupied(first) => {
                let text =
                    format!("\"{}\" is on line {} already. {}", shown(name, 60), first.get(), says(*first.get()));
                self.fault(at, text);
                false
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// What the parser says of a list that goes on.
const COMMA: &str = "missing comma between array elements";

/// What the parser says, and what to write instead.
fn syntax(message: &str) -> String {
    if message.contains("duplicate key") {
        return "This field is there already. Write each field once.".into();
    }
    if message.contains("must be quoted") || message.contains("invalid boolean") {
        return "Write texts in quotes, \"…\"; true and false without.".into();
    }
    if message.contains(COMMA) {
        return "The list before this is not closed, or lacks a comma. Write it like [\"…\", \"…\"].".into();
    }
    let message = shown(message.trim_end_matches('.'), 200);
    format!("This is not TOML: {message}. Write fields like name = \"…\" and lists like [\"…\", \"…\"].")
}
