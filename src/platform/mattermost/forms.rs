//! Forms as interactive dialogs, and what a dialog's state carries to its submission.

use std::collections::HashMap;

use jiff::Timestamp;
use rand::RngExt;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

use super::limits::{HINT, LABEL, LINE, TEXT};
use super::markdown::{block, line};
use super::names::Names;
use super::render::Choice;
use super::seal::{Asked, FORM_LIVES, Filled, Pressed, Sealer};
use crate::chat::text::{clip, first, shown};
use crate::chat::view::{CALL, Field, FieldKind, Form, Group};
use crate::chat::{Answers, ChannelKey, SecretForm};

/// A dialog as it is opened.
#[derive(Serialize)]
pub struct Dialog {
    callback_id: &'static str,
    title: String,
    introduction_text: String,
    elements: Vec<Element>,
    submit_label: String,
    notify_on_cancel: bool,
    state: String,
}

#[derive(Default, Serialize)]
struct Element {
    display_name: String,
    name: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    help_text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    placeholder: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    default: String,
    optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u16>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    multiselect: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<Choice>,
}

/// Whom a dialog is opened for, and what its submission is about.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub sealer: &'a Sealer,
    pub about: &'a ChannelKey,
    pub by: &'a str,
    pub now: Timestamp,
}

impl Reader<'_> {
    fn state(&self, words: &str, fields: Vec<String>) -> String {
        let nonce = format!("{:016x}", rand::rng().random::<u64>());
        let until = (self.now + FORM_LIVES).as_second();
        let (words, about, by) = (words.to_owned(), self.about.clone(), self.by.to_owned());
        self.sealer.seal(&Filled { words, about, by, fields, nonce, until })
    }
}

pub fn form(form: &Form, names: &Names, reader: Reader<'_>) -> Dialog {
    let fields = form.fields.iter().map(|field| field.name.to_owned()).collect();
    Dialog {
        callback_id: "form",
        title: shown(&form.title, LABEL),
        introduction_text: line(&form.intro, names),
        elements: form.fields.iter().map(|field| element(field, names.call())).collect(),
        submit_label: shown(&form.submit, LABEL),
        notify_on_cancel: false,
        state: reader.state(&form.words, fields),
    }
}

/// A dialog that shows a secret. It asks nothing: its submission brings back its state and no more.
pub fn secret(form: &SecretForm, names: &Names, reader: Reader<'_>) -> Dialog {
    let parts = [line(&form.intro, names), block(form.secret.expose_secret()), line(&form.note, names)];
    Dialog {
        callback_id: "form",
        title: shown(&form.title, LABEL),
        introduction_text: parts.join("\n\n"),
        elements: Vec::new(),
        submit_label: shown(&form.submit, LABEL),
        notify_on_cancel: false,
        state: reader.state(&form.words, Vec::new()),
    }
}

/// What is asked before a press counts.
pub fn question(pressed: &Pressed, ask: &Asked, reader: Reader<'_>) -> Dialog {
    let dialog = |title: &str, intro: &str, submit: &str, elements: Vec<Element>| {
        let fields = elements.iter().map(|element| element.name.clone()).collect();
        Dialog {
            callback_id: "form",
            title: shown(title, LABEL),
            introduction_text: line(&crate::chat::view::Line::new().say(intro.to_owned()), &Names::default()),
            elements,
            submit_label: shown(submit, LABEL),
            notify_on_cancel: false,
            state: reader.state(&pressed.words, fields),
        }
    };
    match ask {
        Asked::Confirm { title, text, yes } => dialog(title, text, yes, Vec::new()),
        Asked::Day { label } => {
            let day = Element {
                display_name: "Day".into(),
                name: "day".into(),
                r#type: "text",
                placeholder: "2026-12-31, friday, +7d, none".into(),
                max_length: Some(20),
                ..Element::default()
            };
            dialog(label, "", "Set", vec![day])
        }
    }
}

/// `call`: what calls the bot here.
fn element(field: &Field, call: &str) -> Element {
    // The program's own words, in which a command begins with what calls the bot elsewhere.
    let hint = if call == CALL { field.hint.clone() } else { field.hint.replace(CALL, call).into() };
    let element = Element {
        display_name: shown(&field.label, LABEL),
        name: field.name.into(),
        help_text: shown(&hint, HINT),
        optional: field.optional,
        ..Element::default()
    };
    match &field.kind {
        FieldKind::Text { multiline, max_length, initial } => typed(element, *multiline, *max_length, initial),
        // Dialogs take no files before 11.10: the content is pasted.
        FieldKind::File { instead, .. } => {
            typed(Element { help_text: shown(instead, HINT), ..element }, true, TEXT, "")
        }
        FieldKind::Choice { groups, several, initial } => {
            let options = offered(groups);
            if options.is_empty() {
                return typed(element, *several, TEXT, "");
            }
            let known = initial.iter().filter(|value| options.iter().any(|option| option.value == **value));
            let default: Vec<&str> = known.map(|value| &**value).collect();
            Element { r#type: "select", multiselect: *several, default: default.join(","), options, ..element }
        }
    }
}

/// A line for one value, such as a name; an area for lists and reasons alone.
fn typed(element: Element, multiline: bool, max_length: u16, initial: &str) -> Element {
    let most = max_length.min(if multiline { TEXT } else { LINE });
    Element {
        r#type: if multiline { "textarea" } else { "text" },
        max_length: Some(most.max(1)),
        default: first(initial, most.into()).to_owned(),
        ..element
    }
}

/// Dialogs have no groups: an option that would not say enough by itself carries its group's name.
fn offered(groups: &[Group]) -> Vec<Choice> {
    let all = groups.iter().flat_map(|group| group.options.iter().map(move |option| (group, option)));
    let named = groups.len() > 1;
    let options = all.map(|(group, option)| {
        let label = shown(&option.label, 75);
        let group = shown(&group.label, 40);
        let text = if named && !group.is_empty() { format!("{label} ({group})") } else { label };
        Choice { text, value: option.value.clone().into_owned() }
    });
    options.collect()
}

/// The answers of a submission to the fields that the form has.
pub fn answers(fields: &[String], mut submission: HashMap<String, Value>) -> Answers {
    fields.iter().filter_map(|field| Some((field.as_str().into(), answer(submission.remove(field)?)))).collect()
}

fn answer(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(several) => several.into_iter().map(answer).collect::<Vec<_>>().join(","),
        Value::Null | Value::Object(_) => String::new(),
        other => clip(&other.to_string(), HINT).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::view;

    fn made(kind: FieldKind) -> Value {
        let field = Field { name: "role", label: "Role".into(), hint: "".into(), optional: true, kind };
        serde_json::to_value(element(&field, CALL)).unwrap()
    }

    #[test]
    fn a_long_answer_gets_a_text_area() {
        let text = |multiline, max_length| made(FieldKind::Text { multiline, max_length, initial: "180d".into() });
        assert_eq!(text(false, 100)["type"], "text");
        // One value stays one line, within what a line takes.
        assert_eq!((&text(false, 200)["type"], &text(false, 200)["max_length"]), (&json!("text"), &json!(150)));
        assert_eq!(text(true, 20)["max_length"], 20);
        assert_eq!(text(true, 5_000)["max_length"], TEXT);
        assert_eq!(text(false, 100)["default"], "180d");
        assert_eq!(made(FieldKind::File { extensions: &["csv"], instead: "Paste it." })["type"], "textarea");
    }

    #[test]
    fn options_say_their_group_where_there_are_several() {
        let option = |label: &'static str| view::Choice { label: label.into(), value: label.into() };
        let group = |label: &'static str| Group { label: label.into(), options: vec![option("Read")] };
        let kind = |groups| FieldKind::Choice { groups, several: true, initial: vec!["Read".into(), "Gone".into()] };
        let one = made(kind(vec![group("")]));
        assert_eq!(one["options"], json!([{ "text": "Read", "value": "Read" }]));
        assert_eq!((&one["default"], &one["multiselect"]), (&json!("Read"), &json!(true)));
        assert_eq!(made(kind(vec![group("Alerts"), group("Cases")]))["options"][1]["text"], "Read (Cases)");
        assert_eq!(made(kind(vec![]))["type"], "textarea");
        // One of none is one line: a name.
        let one = FieldKind::Choice { groups: vec![], several: false, initial: vec![] };
        assert_eq!(made(one)["type"], "text");
    }

    #[test]
    fn answers_are_those_of_the_forms_fields() {
        let submission = HashMap::from([
            ("b".into(), json!(["x", "y"])),
            ("a".into(), json!("one")),
            ("n".into(), json!(5)),
            ("e".into(), json!(null)),
            ("other".into(), json!("two")),
        ]);
        let fields = ["a", "b", "n", "e", "missing"].map(str::to_owned);
        let expected = [("a", "one"), ("b", "x,y"), ("e", ""), ("n", "5")];
        assert_eq!(answers(&fields, submission), expected.map(|(name, answer)| (name.into(), answer.into())).into());
    }
}
