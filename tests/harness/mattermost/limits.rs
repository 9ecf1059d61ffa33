//! What is documented to work, and nothing else: fields, sizes, ids.
//!
//! Much of this the server lets through and a person then cannot use; all of it is a violation.

use std::collections::HashSet;

use serde_json::Value;

use super::find::{actions, attachments, list, raw};

pub(super) const MESSAGE_RUNES: usize = 16_383;
const PROPS_RUNES: usize = 760_000;

/// What is wrong with something that the app sent.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<String>);

impl Report {
    pub fn into_faults(self) -> Vec<String> {
        self.0
    }

    fn require(&mut self, good: bool, otherwise: impl FnOnce() -> String) {
        if !good {
            self.0.push(otherwise());
        }
    }

    /// Fields that Mattermost does not know are mistakes.
    pub fn known(&mut self, object: &Value, what: &str, known: &[&str]) {
        let Some(fields) = object.as_object() else {
            return self.0.push(format!("{what} is not an object: {object}"));
        };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.0.push(format!("{what} has no field {key}"));
        }
    }

    /// Mattermost counts the bytes of what is in a dialog.
    fn at_most(&mut self, object: &Value, what: &str, key: &str, bytes: usize) {
        let length = raw(object, key).len();
        self.require(length <= bytes, || format!("{what}: {key} has {length} bytes of at most {bytes}"));
    }

    fn named(&mut self, object: &Value, what: &str, key: &str) {
        self.require(!raw(object, key).is_empty(), || format!("{what}: {key} is missing"));
    }

    /// The options of a menu, and the value that is chosen from the start.
    fn options(&mut self, element: &Value, what: &str) {
        let options = list(element, "options");
        self.require(!options.is_empty(), || format!("{what}: a menu without options"));
        let mut values = HashSet::new();
        for option in options {
            self.known(option, what, &["text", "value"]);
            self.named(option, what, "text");
            self.named(option, what, "value");
            let value = raw(option, "value");
            self.require(values.insert(value), || format!("{what}: two options have the value {value:?}"));
        }
    }

    /// A message, its attachments and their actions.
    pub fn post(&mut self, post: &Value) {
        let runes = raw(post, "message").chars().count();
        self.require(runes <= MESSAGE_RUNES, || format!("a message of {runes} characters"));
        let props = post["props"].to_string().chars().count();
        self.require(props <= PROPS_RUNES, || format!("props of {props} characters"));
        for attachment in attachments(post) {
            let known = [
                "id",
                "fallback",
                "color",
                "pretext",
                "author_name",
                "author_link",
                "author_icon",
                "title",
                "title_link",
                "text",
                "fields",
                "image_url",
                "thumb_url",
                "footer",
                "footer_icon",
                "actions",
            ];
            self.known(attachment, "attachment", &known);
            self.at_most(attachment, "attachment", "footer", 300);
        }
        let mut ids = HashSet::new();
        for action in actions(post) {
            self.action(action);
            let id = raw(action, "id");
            self.require(ids.insert(id), || format!("two actions have the id {id:?}"));
        }
    }

    fn action(&mut self, action: &Value) {
        let what = format!("action {:?}", raw(action, "name"));
        let known = [
            "id",
            "type",
            "name",
            "tooltip",
            "disabled",
            "style",
            "data_source",
            "options",
            "default_option",
            "integration",
        ];
        self.known(action, &what, &known);
        self.named(action, &what, "name");
        let id = raw(action, "id");
        let pressable = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
        self.require(pressable, || format!("{what}: nobody can press what has the id {id:?}"));
        let style = raw(action, "style");
        let styles = ["", "default", "primary", "success", "good", "warning", "danger"];
        self.require(styles.contains(&style) || style.starts_with('#'), || format!("{what}: no style {style:?}"));
        match (raw(action, "type"), raw(action, "data_source")) {
            ("button", "") => {}
            ("select", "") => self.options(action, &what),
            ("select", "users" | "channels") => {}
            (kind, source) => self.0.push(format!("{what}: no action of type {kind:?} from {source:?}")),
        }
        // Missing in what was read back: sent again, it is a button that does nothing.
        self.known(&action["integration"], &what, &["url", "context"]);
        self.url(&action["integration"], &what);
    }

    fn url(&mut self, holder: &Value, what: &str) {
        let url = raw(holder, "url");
        self.require(url.parse::<url::Url>().is_ok_and(|url| url.has_host()), || {
            format!("{what}: no address: {url:?}")
        });
    }

    /// A call of `dialogs/open`.
    pub fn opening(&mut self, args: &Value) {
        self.known(args, "dialogs/open", &["trigger_id", "url", "dialog"]);
        self.url(args, "dialogs/open");
        self.dialog(&args["dialog"]);
    }

    pub fn dialog(&mut self, dialog: &Value) {
        let known = [
            "callback_id",
            "title",
            "introduction_text",
            "icon_url",
            "elements",
            "submit_label",
            "notify_on_cancel",
            "state",
            "source_url",
        ];
        self.known(dialog, "dialog", &known);
        self.named(dialog, "dialog", "title");
        self.at_most(dialog, "dialog", "title", 24);
        let mut names = HashSet::new();
        for element in list(dialog, "elements") {
            self.element(element);
            let name = raw(element, "name");
            self.require(names.insert(name), || format!("two elements have the name {name:?}"));
        }
    }

    fn element(&mut self, element: &Value) {
        let what = format!("element {:?}", raw(element, "display_name"));
        let known = [
            "display_name",
            "name",
            "type",
            "subtype",
            "default",
            "placeholder",
            "help_text",
            "optional",
            "min_length",
            "max_length",
            "data_source",
            "options",
            "multiselect",
            "refresh",
            "min_date",
            "max_date",
            "time_interval",
        ];
        self.known(element, &what, &known);
        self.named(element, &what, "display_name");
        self.named(element, &what, "name");
        self.at_most(element, &what, "display_name", 24);
        self.at_most(element, &what, "name", 300);
        self.at_most(element, &what, "help_text", 150);
        self.at_most(element, &what, "placeholder", 150);
        let most = match raw(element, "type") {
            "text" => 150,
            "select" => 3_000,
            "textarea" => 3_000,
            "bool" | "radio" | "date" | "datetime" => 150,
            other => return self.0.push(format!("{what}: there is no element of type {other:?}")),
        };
        self.at_most(element, &what, "default", most);
        let (min, max) = (element["min_length"].as_u64().unwrap_or(0), element["max_length"].as_u64().unwrap_or(0));
        self.require(max == 0 || min <= max, || format!("{what}: from {min} to {max} characters"));
        self.require(max <= most as u64, || format!("{what}: max_length is {max} of at most {most}"));
        let subtypes = ["", "text", "email", "number", "tel", "url", "password"];
        self.require(subtypes.contains(&raw(element, "subtype")), || format!("{what}: {}", element["subtype"]));
        match (raw(element, "type"), raw(element, "data_source")) {
            ("select" | "radio", "") => {
                self.options(element, &what);
                let several = element["multiselect"] == true;
                let chosen = raw(element, "default").split(',').filter(|value| several && !value.is_empty());
                let chosen = chosen.chain(Some(raw(element, "default")).filter(|value| !several && !value.is_empty()));
                for value in chosen {
                    let offered = list(element, "options").iter().any(|option| raw(option, "value") == value);
                    self.require(offered, || format!("{what}: {value:?} is chosen and not offered"));
                }
            }
            ("select", "users" | "channels") | (_, "") => {}
            (_, source) => self.0.push(format!("{what}: no data source {source:?}")),
        }
    }
}
