//! A post or a dialog as a person reads it: one line of text for each line on the screen.
//!
//! Only reading lives here; what Mattermost would refuse is the business of `limits`.

use serde_json::Value;

use super::find::{self, attachments, list, raw};
use super::markdown::{self, Reading, shown};
use super::people::Names;

/// Of options, as many are read out.
const MOST_OPTIONS: usize = 10;

/// Reads a post, or a dialog, with the errors of its last submission if there are any.
pub(super) fn read(payload: &Value, names: &Names) -> Reading {
    let mut page = Page { names, reading: Reading::default(), lines: Vec::new() };
    if payload.get("title").is_some() {
        page.dialog(payload);
    } else {
        page.post(payload);
    }
    let text = page.lines.join("\n");
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    Reading { text, ..page.reading }
}

struct Page<'a> {
    names: &'a Names,
    reading: Reading,
    lines: Vec<String>,
}

impl Page<'_> {
    /// Something in Markdown, if there is anything.
    fn markdown(&mut self, text: &str) {
        let Reading { text, faults } = markdown::read(text, self.names);
        self.reading.faults.extend(faults);
        if !text.is_empty() {
            self.lines.push(text);
        }
    }

    fn plain(&mut self, text: &str) {
        if !text.is_empty() {
            self.lines.push(shown(text));
        }
    }

    fn post(&mut self, post: &Value) {
        if list(post, "file_ids").is_empty() {
            self.markdown(raw(post, "message"));
        } else {
            // The words above a picture are what it shows.
            let Reading { text, faults } = markdown::read(raw(post, "message"), self.names);
            self.reading.faults.extend(faults);
            self.lines.push(format!("(picture: {text})"));
        }
        for attachment in attachments(post) {
            self.markdown(raw(attachment, "pretext"));
            self.plain(raw(attachment, "author_name"));
            match (raw(attachment, "title"), raw(attachment, "title_link")) {
                (title, "") => self.markdown(title),
                (title, link) => self.plain(&format!("{title} <{link}>")),
            }
            self.markdown(raw(attachment, "text"));
            for field in list(attachment, "fields") {
                self.markdown(raw(field, "title"));
                self.markdown(raw(field, "value"));
            }
            // In the order of their ids, which is the same on every platform; on the screen, menus come
            // first, or they would tear the buttons apart.
            let shown = list(attachment, "actions");
            let is_menu = |action: &&Value| raw(action, "type") == "select";
            if shown.iter().skip_while(is_menu).any(|action| is_menu(&action)) {
                self.reading.faults.push("a menu stands behind a button".into());
            }
            let mut actions: Vec<&Value> = shown.iter().collect();
            actions.sort_by_key(|action| (raw(action, "id").len(), raw(action, "id")));
            let actions: Vec<String> = actions.into_iter().map(|a| self.action(a)).collect();
            self.plain(&actions.join(" "));
            self.plain(raw(attachment, "footer"));
        }
    }

    fn action(&self, action: &Value) -> String {
        if raw(action, "type") == "select" {
            let chosen = list(action, "options").iter().find(|o| raw(o, "value") == raw(action, "default_option"));
            return format!("[{} ▾]", chosen.map_or_else(|| find::label(action), |option| raw(option, "text")));
        }
        let mark = match (find::picks_a_day(action), find::asks(action)) {
            (true, _) => " 📅",
            (false, true) => "?",
            (false, false) => "",
        };
        let style = match raw(action, "style") {
            "primary" => "!",
            "danger" => "✗",
            _ => "",
        };
        format!("[{}{mark}]{style}", find::label(action))
    }

    fn dialog(&mut self, dialog: &Value) {
        self.plain(raw(dialog, "title"));
        self.markdown(raw(dialog, "introduction_text"));
        for element in list(dialog, "elements") {
            self.element(element);
            let error = raw(&dialog["errors"], raw(element, "name"));
            if !error.is_empty() {
                self.plain(&format!("  ⚠ {error}"));
            }
        }
        if !raw(dialog, "error").is_empty() {
            self.plain(&format!("⚠ {}", raw(dialog, "error")));
        }
        // With nothing to fill in there is nothing to cancel.
        let way_out = if list(dialog, "elements").is_empty() { "Close" } else { "Cancel" };
        let submit = match raw(dialog, "submit_label") {
            "" => "Submit",
            label => label,
        };
        self.plain(&format!("[{way_out}] [{submit}]!"));
    }

    fn element(&mut self, element: &Value) {
        let optional = if element["optional"] == true { " (optional)" } else { "" };
        self.plain(&format!("{}{optional}: {}", raw(element, "display_name"), field(element)));
        if raw(element, "type") == "select" && raw(element, "data_source").is_empty() {
            let options = list(element, "options");
            let mut labels: Vec<_> = options.iter().take(MOST_OPTIONS).map(|o| raw(o, "text").to_owned()).collect();
            if options.len() > MOST_OPTIONS {
                labels.push(format!("… {} more", options.len() - MOST_OPTIONS));
            }
            self.plain(&format!("  ▾ {}", labels.join(" | ")));
        }
        if !raw(element, "help_text").is_empty() {
            self.plain(&format!("  {}", raw(element, "help_text")));
        }
    }
}

fn field(element: &Value) -> String {
    let (placeholder, default) = (raw(element, "placeholder"), raw(element, "default"));
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let chosen = |value: &str| {
        let option = list(element, "options").iter().find(|option| raw(option, "value") == value);
        option.map_or(value, |option| raw(option, "text")).to_owned()
    };
    match raw(element, "type") {
        "select" if element["multiselect"] == true => {
            let defaults = default.split(',').filter(|value| !value.is_empty()).map(chosen);
            format!("[{} ▾…]", or(&defaults.collect::<Vec<_>>().join(", "), &or(placeholder, "Select options")))
        }
        "select" => format!("[{} ▾]", or(&chosen(default), &or(placeholder, "Select an option"))),
        "radio" => {
            let on = |option: &Value| if raw(option, "value") == default { "(•)" } else { "( )" };
            let options = list(element, "options").iter();
            options.map(|option| format!("{} {}", on(option), raw(option, "text"))).collect::<Vec<_>>().join(" ")
        }
        "bool" => format!("[{}] {placeholder}", if default == "true" { "x" } else { " " }),
        "date" | "datetime" => format!("[{} 📅]", or(default, &or(placeholder, "Select a date"))),
        _ if !default.is_empty() => format!("[{default}]"),
        _ if placeholder.is_empty() => "[____]".into(),
        _ => format!("[{placeholder} ____]"),
    }
}
