//! Neutral views as the page's own JSON.
//!
//! Text stays text: the page puts it into text nodes and never parses it. Links are let through
//! only if they are http(s).

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::people;
use crate::chat::Picture;
use crate::chat::text::visible;
use crate::chat::view::{self, Line, Style, View, minute};

pub(super) type Text<'a> = Cow<'a, str>;

#[derive(Serialize)]
struct Body<'a> {
    summary: Text<'a>,
    blocks: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Heading {
        text: Text<'a>,
    },
    Line {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'static str>,
        spans: Vec<Span<'a>>,
    },
    Bullets {
        lines: Vec<Vec<Span<'a>>>,
    },
    Code {
        text: String,
    },
    Note {
        spans: Vec<Span<'a>>,
    },
    Controls {
        controls: Vec<Control<'a>>,
    },
    Image {
        /// The picture itself: the page's policy lets nothing in from elsewhere.
        src: String,
        title: Text<'a>,
        alt: Text<'a>,
    },
    /// What a person typed: line breaks count.
    Text {
        text: String,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Span<'a> {
    Text {
        text: Text<'a>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strong: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        code: bool,
    },
    Link {
        text: Text<'a>,
        url: &'a str,
    },
    Person {
        person: &'a str,
    },
    Channel {
        channel: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control<'a> {
    Button { label: Text<'a>, words: &'a str, style: &'static str, confirm: Option<Confirm<'a>> },
    Menu { label: Text<'a>, words: &'a str, options: Vec<Choice<'a>> },
    Person { label: Text<'a>, words: &'a str },
    Day { label: Text<'a>, words: &'a str },
}

#[derive(Serialize)]
struct Confirm<'a> {
    title: Text<'a>,
    text: Text<'a>,
    yes: Text<'a>,
}

#[derive(Serialize)]
pub(super) struct Choice<'a> {
    label: Text<'a>,
    value: &'a str,
}

/// A message of the bot.
pub(super) fn body(view: &View) -> Box<RawValue> {
    raw(&Body { summary: people::named(&view.summary).into(), blocks: view.blocks.iter().map(block).collect() })
}

/// A message of a person: nothing in it is markup.
pub(super) fn typed(text: &str) -> Box<RawValue> {
    let lines: Vec<_> = text.lines().map(visible).collect();
    let text = lines.join("\n");
    raw(&Body { summary: text.as_str().into(), blocks: vec![Block::Text { text: text.clone() }] })
}

/// A picture of the bot's.
pub(super) fn picture(picture: &Picture) -> Box<RawValue> {
    let src = format!("data:image/png;base64,{}", BASE64.encode(&picture.png));
    let (title, alt) = (visible(&picture.title), visible(&picture.alt));
    raw(&Body { summary: alt.clone(), blocks: vec![Block::Image { src, title, alt }] })
}

/// Own types: strings, numbers and maps with string keys.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("own types serialize")
}

fn block(block: &view::Block) -> Block<'_> {
    match block {
        view::Block::Heading(text) => Block::Heading { text: visible(text) },
        view::Block::Line(id, line) => Block::Line { id: *id, spans: spans(line) },
        view::Block::Bullets(lines) | view::Block::List(_, lines) => {
            Block::Bullets { lines: lines.iter().map(spans).collect() }
        }
        view::Block::Code(text) => {
            let lines: Vec<_> = text.lines().map(visible).collect();
            Block::Code { text: lines.join("\n") }
        }
        view::Block::Table(table) => Block::Code { text: table.aligned() },
        view::Block::Note(line) => Block::Note { spans: spans(line) },
        view::Block::Controls(controls) => Block::Controls { controls: controls.iter().map(control).collect() },
    }
}

pub(super) fn spans(line: &Line) -> Vec<Span<'_>> {
    let text = |text, strong, code| Span::Text { text: visible(text), strong, code };
    let spans = line.0.iter().map(|span| match span {
        view::Span::Plain(t) => text(t, false, false),
        view::Span::Strong(t) => text(t, true, false),
        view::Span::Code(t) => text(t, false, true),
        view::Span::Link { label, url } if leads_somewhere(url) => Span::Link { text: visible(label), url },
        view::Span::Link { label, .. } => text(label, false, false),
        view::Span::Person(user) if user.platform() == "web" => Span::Person { person: user.native() },
        view::Span::Person(user) => text(user.as_str(), false, false),
        view::Span::Group(id) => text(id, false, false),
        view::Span::Channel(channel) => Span::Channel { channel: channel.channel() },
        view::Span::Moment(at) => Span::Text { text: minute(*at).into(), strong: false, code: false },
    });
    spans.collect()
}

/// To the web, or to a message of the page: `#soc-setup/12`.
fn leads_somewhere(url: &str) -> bool {
    let within = |(channel, message): (&str, &str)| {
        let named = channel.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        named && !message.is_empty() && message.bytes().all(|b| b.is_ascii_digit())
    };
    url.starts_with("https://")
        || url.starts_with("http://")
        || url.strip_prefix('#').and_then(|place| place.split_once('/')).is_some_and(within)
}

fn control(control: &view::Control) -> Control<'_> {
    match control {
        view::Control::Button { label, words, style, confirm } => Control::Button {
            label: visible(label),
            words,
            style: match style {
                Style::Plain => "plain",
                Style::Primary => "primary",
                Style::Danger => "danger",
            },
            confirm: confirm.as_ref().map(|c| Confirm {
                title: visible(&c.title),
                text: visible(&c.text),
                yes: visible(&c.yes),
            }),
        },
        view::Control::Menu { label, words, options } => {
            Control::Menu { label: visible(label), words, options: options.iter().map(choice).collect() }
        }
        view::Control::Person { label, words } => Control::Person { label: visible(label), words },
        view::Control::Day { label, words } => Control::Day { label: visible(label), words },
    }
}

pub(super) fn choice(choice: &view::Choice) -> Choice<'_> {
    Choice { label: visible(&choice.label), value: &choice.value }
}
