//! Neutral views as Block Kit.
//!
//! Text goes into `rich_text` and `plain_text`, which Slack does not parse: there is no markup to
//! escape, a name full of it is shown as typed and can mention nobody.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::block_kit::{Block, Choice, Confirm, Element, Emphasis, Inline, Plain, Rich, Section, Text};
use super::ids::is_id;
use crate::chat::text::{clip, visible};
use crate::chat::view::{self, Control, Line, Span, Style, View, minute};

/// Slack refuses a message whose blocks hold more characters than about 13,200 together.
const MOST_CHARACTERS: usize = 12_000;
/// Blocks of a message, less the one that says that there is more.
const MOST_BLOCKS: usize = 49;
/// The same of a view: a message takes 50, a view 100.
const MOST_HOME_BLOCKS: usize = 99;
/// Characters of the plain fallback; above 4,000 `chat.update` refuses it.
const FALLBACK: usize = 3_000;

/// A message as the body of a reply or of a `response_url`.
#[derive(Serialize)]
pub struct Message<'a> {
    response_type: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replace_original: bool,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<Block<'a>>,
}

impl<'a> Message<'a> {
    /// Seen by one person only.
    pub fn private(view: &'a View, replace_original: bool) -> Self {
        Self { response_type: "ephemeral", replace_original, text: fallback(view), blocks: blocks(view) }
    }

    /// The same without anything that Slack could refuse.
    pub fn plain(view: &View, replace_original: bool) -> Self {
        Self { response_type: "ephemeral", replace_original, text: plain(view), blocks: Vec::new() }
    }
}

/// A message as Slack would receive it, for somebody who wants to look at it in Block Kit Builder.
pub fn preview(view: &View, private: bool) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Posted<'a> {
        text: String,
        blocks: Vec<Block<'a>>,
    }
    let json = if private {
        to_raw_value(&Message::private(view, false))
    } else {
        to_raw_value(&Posted { text: fallback(view), blocks: blocks(view) })
    };
    // Strings and maps with string keys always serialize.
    json.expect("own types serialize")
}

/// The text that notifications and screen readers get. It is parsed by Slack, so it is escaped.
pub fn fallback(view: &View) -> String {
    let mut out = String::new();
    let mut left = FALLBACK;
    for span in &view.summary.0 {
        let text = match span {
            // Read as names.
            Span::Person(user) if user.platform() == "slack" && is_id(user.native()) => {
                out.push_str(&format!("<@{}>", user.native()));
                continue;
            }
            Span::Channel(channel) if channel.platform() == "slack" && is_id(channel.channel()) => {
                out.push_str(&format!("<#{}>", channel.channel()));
                continue;
            }
            other => Line(vec![other.clone()]).plain(),
        };
        let text = clip(&text, left);
        left = left.saturating_sub(text.chars().count());
        out.push_str(&escape(&text));
        if left == 0 {
            break;
        }
    }
    out
}

/// The whole message as one text.
pub fn plain(view: &View) -> String {
    escape(&plain_words(view))
}

/// The whole message as one block of plain words.
pub fn plain_blocks(view: &View) -> Vec<Block<'static>> {
    let text = Inline::text(plain_words(view).into(), None);
    vec![Block::rich(None, Rich::Section(Section::new(vec![text])))]
}

fn plain_words(view: &View) -> String {
    let lines: Vec<String> = view.plain().lines().map(|line| visible(line).into_owned()).collect();
    clip(&lines.join("\n"), FALLBACK).into_owned()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// A view's blocks, within Slack's limits. What does not fit is said, never just left out.
pub fn blocks(view: &View) -> Vec<Block<'_>> {
    blocks_within(view, MOST_BLOCKS)
}

/// The same on somebody's page of the app.
pub fn home_blocks(view: &View) -> Vec<Block<'_>> {
    blocks_within(view, MOST_HOME_BLOCKS)
}

fn blocks_within(view: &View, most: usize) -> Vec<Block<'_>> {
    let mut room = Room::new();
    let mut out = Vec::with_capacity(view.blocks.len() + 1);
    for (i, block) in view.blocks.iter().enumerate() {
        if out.len() == most || room.left == 0 {
            out.push(Block::context("The rest does not fit into one message.".into()));
            break;
        }
        out.push(match block {
            view::Block::Heading(text) => Block::header(label(text, 150)),
            view::Block::Line(id, line) => Block::rich(*id, Rich::Section(section(line, &mut room))),
            view::Block::Bullets(lines) | view::Block::List(_, lines) => bullets(lines, &mut room),
            view::Block::Code(text) => {
                let lines: Vec<_> = text.lines().map(visible).collect();
                preformatted(lines.join("\n"), &mut room)
            }
            view::Block::Table(table) => preformatted(table.aligned(), &mut room),
            view::Block::Note(line) => note(line, &mut room),
            view::Block::Controls(controls) => actions(i, controls),
        });
    }
    out
}

/// Lines of fixed width: nothing in them is markup.
fn preformatted<'a>(lines: String, room: &mut Room) -> Block<'a> {
    Block::rich(None, Rich::preformatted(Inline::text(room.take(lines.into()), None)))
}

/// What may still be written.
pub struct Room {
    left: usize,
}

impl Room {
    pub fn new() -> Self {
        Self { left: MOST_CHARACTERS }
    }

    /// As much of a text as there is room for.
    fn take<'a>(&mut self, text: Text<'a>) -> Text<'a> {
        // Bytes bound characters from above; most texts are far below the bound.
        let length = if text.len() <= self.left { text.len() } else { text.chars().count() };
        if length <= self.left {
            self.left -= length;
            return text;
        }
        let cut = clip(&text, self.left).into_owned();
        self.left = 0;
        cut.into()
    }
}

pub fn section<'a>(line: &'a Line, room: &mut Room) -> Section<'a> {
    let mut elements = Vec::with_capacity(line.0.len());
    elements.extend(line.0.iter().filter_map(|span| inline(span, room)));
    if elements.is_empty() {
        elements.push(Inline::text(" ".into(), None));
    }
    Section::new(elements)
}

fn inline<'a>(span: &'a Span, room: &mut Room) -> Option<Inline<'a>> {
    let mut text = |text: &'a str, style| {
        let text = room.take(visible(text));
        (!text.is_empty()).then(|| Inline::text(text, style))
    };
    match span {
        Span::Plain(t) => text(t, None),
        Span::Strong(t) => text(t, Some(Emphasis::Bold { bold: true })),
        Span::Code(t) => text(t, Some(Emphasis::Code { code: true })),
        Span::Link { label, url } if url.starts_with("https://") || url.starts_with("http://") => {
            Some(Inline::Link { r#type: "link", url, text: room.take(visible(label)) })
        }
        Span::Link { label, .. } => text(label, None),
        Span::Person(user) if user.platform() == "slack" => {
            Some(Inline::User { r#type: "user", user_id: user.native() })
        }
        Span::Person(user) => text(user.as_str(), None),
        Span::Group(id) if is_id(id) => Some(Inline::Group { r#type: "usergroup", usergroup_id: id }),
        Span::Group(id) => text(id, None),
        Span::Channel(channel) if channel.platform() != "slack" => text(channel.channel(), None),
        Span::Channel(channel) => Some(Inline::Channel { r#type: "channel", channel_id: channel.channel() }),
        Span::Moment(at) => Some(Inline::text(room.take(minute(*at).into()), None)),
    }
}

fn bullets<'a>(lines: &'a [Line], room: &mut Room) -> Block<'a> {
    let mut elements = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        if room.left == 0 {
            let more = format!("… and {} more that do not fit here", lines.len() - i);
            elements.push(Section::new(vec![Inline::text(more.into(), None)]));
            break;
        }
        elements.push(section(line, room));
    }
    Block::rich(None, Rich::List { r#type: "rich_text_list", style: "bullet", elements })
}

/// Small print; with links or people in it, Slack's small print cannot show it unparsed.
pub fn note<'a>(line: &'a Line, room: &mut Room) -> Block<'a> {
    if let [Span::Plain(text)] = line.0.as_slice() {
        return Block::context(room.take(label(text, 2_000)));
    }
    Block::rich(None, Rich::Section(section(line, room)))
}

/// A text on something: visible, not empty, at most `max` characters.
pub fn label(text: &str, max: usize) -> Text<'_> {
    let text = match visible(text) {
        Cow::Borrowed(text) => clip(text, max),
        Cow::Owned(text) => clip(&text, max).into_owned().into(),
    };
    if text.is_empty() { " ".into() } else { text }
}

/// Controls: a button's words are its value, a picker's stand in its action id, behind its place.
fn actions(block: usize, controls: &[Control]) -> Block<'_> {
    let elements = controls.iter().take(25).enumerate().map(|(i, control)| element(i, control));
    Block::Actions { r#type: "actions", block_id: format!("controls-{block}"), elements: elements.collect() }
}

fn element(place: usize, control: &Control) -> Element<'_> {
    let picker = |words: &str| format!("{place}:{words}");
    let placeholder = |text| Plain::new(label(text, 150));
    match control {
        Control::Button { label: text, words, style, confirm } => Element::Button {
            r#type: "button",
            action_id: place.to_string(),
            text: Plain::new(label(text, 75)),
            value: words,
            style: match style {
                Style::Plain => None,
                Style::Primary => Some("primary"),
                Style::Danger => Some("danger"),
            },
            confirm: confirm.as_ref().map(question),
        },
        Control::Menu { label, words, options } => Element::Select {
            r#type: "static_select",
            action_id: picker(words),
            placeholder: placeholder(label),
            options: options.iter().take(100).map(choice).collect(),
        },
        Control::Person { label, words } => {
            Element::Picker { r#type: "users_select", action_id: picker(words), placeholder: placeholder(label) }
        }
        Control::Day { label, words } => {
            Element::Picker { r#type: "datepicker", action_id: picker(words), placeholder: placeholder(label) }
        }
    }
}

pub fn choice(choice: &view::Choice) -> Choice<'_> {
    Choice { text: Plain::new(label(&choice.label, 75)), value: clip(&choice.value, 75) }
}

fn question(confirm: &view::Confirm) -> Confirm<'_> {
    Confirm {
        title: Plain::new(label(&confirm.title, 100)),
        text: Plain::new(label(&confirm.text, 300)),
        confirm: Plain::new(label(&confirm.yes, 30)),
        deny: Plain::new("Cancel".into()),
    }
}
