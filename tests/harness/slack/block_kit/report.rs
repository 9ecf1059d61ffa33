//! What is wrong with a payload, and the checks that every part of it shares.

use std::collections::HashSet;

use serde_json::Value;

use super::super::find::{list, string};
use super::Refused;

/// Collects faults in Slack's own wording, each with a JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: Vec<String>,
    block_ids: HashSet<String>,
    tables: usize,
    markdown_characters: usize,
    focused: usize,
}

impl Report {
    pub fn fault(&mut self, at: &str, what: &str) {
        self.faults.push(format!("[ERROR] {what} [json-pointer:{at}]"));
    }

    pub fn require(&mut self, good: bool, at: &str, otherwise: &str) {
        if !good {
            self.fault(at, otherwise);
        }
    }

    pub fn into_result(self, error: &'static str) -> Result<(), Refused> {
        if self.faults.is_empty() { Ok(()) } else { Err(Refused { error, messages: self.faults }) }
    }

    /// Slack refuses fields that it does not know.
    pub fn known_keys(&mut self, object: &Value, at: &str, known: &[&str]) {
        let Some(fields) = object.as_object() else {
            return self.fault(at, "must be an object");
        };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.fault(at, &format!("invalid additional property: {key}"));
        }
    }

    /// A string field, when present, of `min` to `max` characters.
    pub fn length(&mut self, object: &Value, key: &str, at: &str, min: usize, max: usize) {
        let Some(value) = object.get(key) else { return };
        let at = format!("{at}/{key}");
        let Some(text) = value.as_str() else {
            return self.fault(&at, "must be a string");
        };
        let length = text.chars().count();
        self.require(length >= min, &at, &format!("must be more than {} characters", min.saturating_sub(1)));
        self.require(length <= max, &at, &format!("must be less than {} characters", max + 1));
    }

    pub fn required_length(&mut self, object: &Value, key: &str, at: &str, max: usize) {
        self.require(object.get(key).is_some(), at, &format!("missing required field: {key}"));
        self.length(object, key, at, 1, max);
    }

    /// A text object that must not carry markup.
    pub fn plain_text(&mut self, holder: &Value, key: &str, at: &str, max: usize, required: bool) {
        let Some(object) = self.field(holder, key, at, required) else { return };
        let at = format!("{at}/{key}");
        self.require(object["type"] == "plain_text", &format!("{at}/type"), "must be plain_text");
        self.text_object(object, &at, max);
    }

    /// A text object of either kind.
    pub fn any_text(&mut self, holder: &Value, key: &str, at: &str, max: usize, required: bool) {
        let Some(object) = self.field(holder, key, at, required) else { return };
        self.text_object(object, &format!("{at}/{key}"), max);
    }

    pub fn text_object(&mut self, object: &Value, at: &str, max: usize) {
        match string(object, "type") {
            Some("plain_text") => self.known_keys(object, at, &["type", "text", "emoji"]),
            Some("mrkdwn") => self.known_keys(object, at, &["type", "text", "verbatim"]),
            _ => self.fault(at, "must be a text object"),
        }
        self.required_length(object, "text", at, max);
    }

    /// Between `min` and `max` items.
    pub fn count(&mut self, object: &Value, key: &str, at: &str, min: usize, max: usize) {
        let at = format!("{at}/{key}");
        let Some(items) = object.get(key).and_then(Value::as_array) else {
            return self.fault(&at, "must be an array");
        };
        self.require(items.len() >= min, &at, &format!("no less than {min} items allowed"));
        self.require(items.len() <= max, &at, &format!("no more than {max} items allowed"));
    }

    /// Action ids are unique within a block.
    pub fn unique_actions(&mut self, block: &Value, at: &str) {
        let mut ids = HashSet::new();
        for id in list(block, "elements").iter().filter_map(|element| string(element, "action_id")) {
            self.require(ids.insert(id), at, &format!("`action_id` {id} already exists in this block"));
        }
    }

    /// Block ids are unique within a message or view.
    pub fn block_id(&mut self, block: &Value, at: &str) {
        self.length(block, "block_id", at, 1, 255);
        if let Some(id) = string(block, "block_id") {
            let fresh = self.block_ids.insert(id.to_owned());
            self.require(fresh, at, &format!("`block_id` {id} already exists in this message"));
        }
    }

    pub fn table(&mut self, at: &str) {
        self.tables += 1;
        self.require(self.tables == 1, at, "only_one_table_allowed");
    }

    pub fn markdown(&mut self, text: &str, at: &str) {
        self.markdown_characters += text.chars().count();
        self.require(self.markdown_characters <= 12_000, at, "must be less than 12001 characters in all");
    }

    pub fn focus(&mut self, element: &Value, at: &str) {
        if element["focus_on_load"] == true {
            self.focused += 1;
            self.require(self.focused == 1, at, "only one element can have focus_on_load");
        }
    }

    fn field<'a>(&mut self, holder: &'a Value, key: &str, at: &str, required: bool) -> Option<&'a Value> {
        let field = holder.get(key);
        self.require(field.is_some() || !required, at, &format!("missing required field: {key}"));
        field
    }
}
