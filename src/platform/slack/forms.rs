//! Forms as modals, and what a modal carries to its submission.

use serde::{Deserialize, Serialize};

use super::block_kit::{Block, Choice, Entry, Group, Inline, Input, Modal, Plain, Rich};
use super::render::{Room, blocks, choice, label, note, section};
use crate::chat::text::first;
use crate::chat::view::{self, Field, FieldKind, Form, View};
use crate::chat::{ChannelKey, SecretForm};

/// Slack keeps it to itself.
#[derive(Serialize, Deserialize)]
pub struct FormState {
    pub words: String,
    pub channel: ChannelKey,
}

/// `callback_id` of a form.
pub const FORM: &str = "form";
/// The action id of every input.
pub const ANSWER: &str = "answer";

/// Characters of a typed answer.
const MOST_TYPED: u16 = 3_000;
const MOST_GROUPS: usize = 100;
/// Of one group.
const MOST_OPTIONS: usize = 100;

/// A form as a modal.
pub fn modal<'a>(form: &'a Form, channel: &ChannelKey) -> Modal<'a> {
    let mut blocks = Vec::with_capacity(form.fields.len() + 1);
    if !form.intro.0.is_empty() {
        blocks.push(Block::rich(None, Rich::Section(section(&form.intro, &mut Room::new()))));
    }
    blocks.extend(form.fields.iter().map(input));
    Modal {
        r#type: "modal",
        title: Plain::new(label(&form.title, 24)),
        close: Plain::new("Cancel".into()),
        submit: Some(Plain::new(label(&form.submit, 24))),
        callback_id: Some(FORM),
        private_metadata: state(&form.words, channel),
        blocks,
    }
}

/// A form that shows a secret. It asks nothing: to submit it says its words.
pub fn secret<'a>(form: &'a SecretForm, channel: &ChannelKey) -> Modal<'a> {
    let mut room = Room::new();
    let mut blocks = Vec::with_capacity(3);
    if !form.intro.0.is_empty() {
        blocks.push(Block::rich(None, Rich::Section(section(&form.intro, &mut room))));
    }
    blocks.push(Block::rich(None, Rich::preformatted(Inline::hidden(&form.secret))));
    if !form.note.0.is_empty() {
        blocks.push(note(&form.note, &mut room));
    }
    Modal {
        r#type: "modal",
        title: Plain::new(label(&form.title, 24)),
        close: Plain::new("Close".into()),
        submit: Some(Plain::new(label(&form.submit, 24))),
        callback_id: Some(FORM),
        private_metadata: state(&form.words, channel),
        blocks,
    }
}

/// A modal that only says something. What is pressed in it is said in the channel.
pub fn notice<'a>(view: &'a View, channel: &ChannelKey) -> Modal<'a> {
    Modal {
        r#type: "modal",
        title: Plain::new("Sekoia".into()),
        close: Plain::new("Close".into()),
        submit: None,
        callback_id: None,
        private_metadata: state("", channel),
        blocks: blocks(view),
    }
}

fn state(words: &str, channel: &ChannelKey) -> Option<String> {
    serde_json::to_string(&FormState { words: words.to_owned(), channel: channel.clone() }).ok()
}

fn input(field: &Field) -> Block<'_> {
    Block::Input(Box::new(Input {
        r#type: "input",
        block_id: field.name,
        label: Plain::new(label(&field.label, 2_000)),
        hint: (!field.hint.is_empty()).then(|| Plain::new(label(&field.hint, 2_000))),
        optional: field.optional,
        element: match &field.kind {
            FieldKind::Text { multiline, max_length, initial } => typed(*multiline, *max_length, initial),
            FieldKind::Choice { groups, several, initial } => chosen(groups, *several, initial),
            FieldKind::File { extensions, .. } => {
                Entry::File { r#type: "file_input", action_id: ANSWER, filetypes: extensions, max_files: 1 }
            }
        },
    }))
}

fn typed(multiline: bool, max_length: u16, initial: &str) -> Entry<'_> {
    let max_length = max_length.clamp(1, MOST_TYPED);
    let initial = first(initial, max_length.into());
    Entry::Typed {
        r#type: "plain_text_input",
        action_id: ANSWER,
        multiline,
        max_length,
        initial_value: (!initial.is_empty()).then_some(initial),
    }
}

fn chosen<'a>(groups: &'a [view::Group], several: bool, initial: &[view::Text]) -> Entry<'a> {
    let mut option_groups = offered(groups);
    if option_groups.is_empty() {
        // Slack refuses a menu without options.
        return typed(several, MOST_TYPED, "");
    }
    let named = groups.iter().any(|group| !group.label.is_empty() && !group.options.is_empty());
    let alone = if named || option_groups.len() > 1 { None } else { option_groups.pop() };
    let mut chosen =
        groups.iter().flat_map(|group| &group.options).filter(|option| initial.contains(&option.value)).map(choice);
    let (initial_option, initial_options): (Option<Choice<'a>>, Vec<Choice<'a>>) =
        if several { (None, chosen.collect()) } else { (chosen.next(), Vec::new()) };
    Entry::Chosen {
        r#type: if several { "multi_static_select" } else { "static_select" },
        action_id: ANSWER,
        options: alone.map(|group| group.options).unwrap_or_default(),
        option_groups,
        initial_option,
        initial_options,
    }
}

/// The groups as Slack takes them: none is empty, and one that is too long goes on in another.
fn offered(groups: &[view::Group]) -> Vec<Group<'_>> {
    let parts = groups.iter().flat_map(|group| group.options.chunks(MOST_OPTIONS).map(move |part| (group, part)));
    let parts = parts.take(MOST_GROUPS).map(|(group, part)| Group {
        label: Plain::new(label(&group.label, 75)),
        options: part.iter().map(choice).collect(),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::chat::view::Line;

    fn field(kind: FieldKind) -> serde_json::Value {
        let field = Field { name: "role", label: "Role".into(), hint: "".into(), optional: true, kind };
        serde_json::to_value(input(&field)).unwrap()
    }

    fn options(count: usize) -> Vec<view::Choice> {
        (0..count).map(|i| view::Choice { label: format!("{i}").into(), value: format!("v{i}").into() }).collect()
    }

    #[test]
    fn a_menu_is_never_without_options_and_never_too_long() {
        let group = |label: &'static str, count| view::Group { label: label.into(), options: options(count) };
        let menu = |groups, initial| field(FieldKind::Choice { groups, several: false, initial });
        let one = menu(vec![group("", 2), group("Empty", 0)], vec!["v9".into(), "v1".into()]);
        assert_eq!(one["element"]["options"].as_array().map(Vec::len), Some(2));
        assert_eq!(one["element"]["initial_option"]["value"], "v1");
        assert_eq!(one["optional"], true);
        assert!(one.get("hint").is_none());
        let grouped = menu(vec![group("A", 1), group("B", 101)], vec!["v9".into(), "v100".into()]);
        let lengths = grouped["element"]["option_groups"].as_array().unwrap().iter();
        let lengths: Vec<_> = lengths.map(|g| g["options"].as_array().unwrap().len()).collect();
        assert_eq!(lengths, [1, 100, 1]);
        assert!(grouped["element"].get("options").is_none());
        let none = menu(vec![group("", 0)], vec!["v1".into()]);
        assert_eq!(none["element"]["type"], "plain_text_input");
    }

    #[test]
    fn a_secret_is_written_and_does_not_print() {
        let form = SecretForm {
            title: "Your new API key".into(),
            intro: Line::new().say("Save it now:"),
            secret: SecretString::from("canary".to_owned()),
            note: Line::new().say("Unless you do, it is revoked."),
            words: "saved 1".into(),
            submit: "I saved it".into(),
        };
        let modal = secret(&form, &ChannelKey::slack("T0SOC", "C0SOC"));
        assert!(!format!("{modal:?} {form:?}").contains("canary"));
        let written = serde_json::to_value(&modal).unwrap();
        assert_eq!(written["blocks"][1]["elements"][0]["elements"][0]["text"], "canary");
        assert!(!written["private_metadata"].as_str().unwrap().contains("canary"));
    }
}
