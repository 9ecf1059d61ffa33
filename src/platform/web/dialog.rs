//! What a dialog shows, as the page's own JSON: a form, something to read, or a secret.

use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::value::RawValue;

use super::render::{Choice, Span, Text, body, choice, spans};
use crate::chat::SecretForm;
use crate::chat::text::visible;
use crate::chat::view::{self, Field, FieldKind, Form, View};

/// What a dialog shows. It may hold a secret: it does not print.
#[derive(Serialize)]
pub(super) struct Dialog<'a> {
    id: &'a str,
    channel: &'a str,
    title: Text<'a>,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Waiting { waiting: bool },
    Form { words: &'a str, submit: Text<'a>, intro: Vec<Span<'a>>, fields: Vec<Input<'a>> },
    Says { body: Box<RawValue> },
    Secret { secret: Secret<'a> },
}

#[derive(Serialize)]
struct Secret<'a> {
    /// As it is: what is copied must work.
    text: &'a str,
    intro: Vec<Span<'a>>,
    note: Vec<Span<'a>>,
    words: &'a str,
    submit: Text<'a>,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'static str,
    label: Text<'a>,
    hint: Text<'a>,
    optional: bool,
    #[serde(flatten)]
    kind: Kind<'a>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind<'a> {
    Text { multiline: bool, max_length: u16, initial: &'a str },
    Choice { groups: Vec<Group<'a>>, several: bool, initial: &'a [view::Text] },
    File { extensions: &'a [&'static str] },
}

#[derive(Serialize)]
struct Group<'a> {
    label: Text<'a>,
    options: Vec<Choice<'a>>,
}

impl<'a> Dialog<'a> {
    pub fn waiting(id: &'a str, channel: &'a str) -> Self {
        Self { id, channel, title: "Sekoia".into(), content: Content::Waiting { waiting: true } }
    }

    pub fn form(id: &'a str, channel: &'a str, form: &'a Form) -> Self {
        let content = Content::Form {
            words: &form.words,
            submit: visible(&form.submit),
            intro: spans(&form.intro),
            fields: form.fields.iter().map(input).collect(),
        };
        Self { id, channel, title: visible(&form.title), content }
    }

    pub fn says(id: &'a str, channel: &'a str, view: &View) -> Self {
        Self { id, channel, title: "Sekoia".into(), content: Content::Says { body: body(view) } }
    }

    pub fn secret(id: &'a str, channel: &'a str, form: &'a SecretForm) -> Self {
        let secret = Secret {
            text: form.secret.expose_secret(),
            intro: spans(&form.intro),
            note: spans(&form.note),
            words: &form.words,
            submit: visible(&form.submit),
        };
        Self { id, channel, title: visible(&form.title), content: Content::Secret { secret } }
    }

    pub fn is_secret(&self) -> bool {
        matches!(self.content, Content::Secret { .. })
    }
}

fn input(field: &Field) -> Input<'_> {
    let kind = match &field.kind {
        FieldKind::Text { multiline, max_length, initial } => {
            Kind::Text { multiline: *multiline, max_length: *max_length, initial }
        }
        FieldKind::Choice { groups, several, initial } => {
            Kind::Choice { groups: groups.iter().map(group).collect(), several: *several, initial }
        }
        FieldKind::File { extensions, .. } => Kind::File { extensions },
    };
    Input { name: field.name, label: visible(&field.label), hint: visible(&field.hint), optional: field.optional, kind }
}

fn group(group: &view::Group) -> Group<'_> {
    Group { label: visible(&group.label), options: group.options.iter().map(choice).collect() }
}
