//! Block Kit, as far as it is said here: borrowed types, written straight to JSON.
//!
//! The answer to `/sekoia status` is the hot path. slack-morphism's own block types hold every
//! text as a `String` and most structures behind a flattened or tagged enum; building and writing
//! them took more time than all the rest of a request together.

use std::borrow::Cow;

use serde::Serialize;

/// A text, borrowed from the view wherever it could be.
pub type Text<'a> = Cow<'a, str>;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Block<'a> {
    Header {
        r#type: &'static str,
        text: Plain<'a>,
    },
    RichText {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_id: Option<&'static str>,
        elements: [Rich<'a>; 1],
    },
    Context {
        r#type: &'static str,
        elements: [Plain<'a>; 1],
    },
    Actions {
        r#type: &'static str,
        block_id: String,
        elements: Vec<Element<'a>>,
    },
    Input {
        r#type: &'static str,
        block_id: &'static str,
        label: Plain<'a>,
        hint: Plain<'a>,
        element: Input,
    },
}

impl<'a> Block<'a> {
    pub fn header(text: Text<'a>) -> Self {
        Block::Header { r#type: "header", text: Plain::new(text) }
    }

    pub fn rich(block_id: Option<&'static str>, element: Rich<'a>) -> Self {
        Block::RichText { r#type: "rich_text", block_id, elements: [element] }
    }

    pub fn context(text: Text<'a>) -> Self {
        Block::Context { r#type: "context", elements: [Plain::new(text)] }
    }
}

/// `plain_text`, in which `:tada:` stays what it is.
#[derive(Debug, Serialize)]
pub struct Plain<'a> {
    r#type: &'static str,
    text: Text<'a>,
    emoji: bool,
}

impl<'a> Plain<'a> {
    pub fn new(text: Text<'a>) -> Self {
        Self { r#type: "plain_text", text, emoji: false }
    }
}

/// What a `rich_text` block is made of.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Rich<'a> {
    Section(Section<'a>),
    List { r#type: &'static str, style: &'static str, elements: Vec<Section<'a>> },
    Preformatted { r#type: &'static str, elements: [Inline<'a>; 1] },
}

#[derive(Debug, Serialize)]
pub struct Section<'a> {
    r#type: &'static str,
    elements: Vec<Inline<'a>>,
}

impl<'a> Section<'a> {
    pub fn new(elements: Vec<Inline<'a>>) -> Self {
        Self { r#type: "rich_text_section", elements }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Inline<'a> {
    Text {
        r#type: &'static str,
        text: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<Emphasis>,
    },
    Link {
        r#type: &'static str,
        url: &'a str,
        text: Text<'a>,
    },
    User {
        r#type: &'static str,
        user_id: &'a str,
    },
    Channel {
        r#type: &'static str,
        channel_id: &'a str,
    },
    Date {
        r#type: &'static str,
        timestamp: i64,
        format: &'static str,
        fallback: String,
    },
}

/// How a text stands out.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Emphasis {
    Bold { bold: bool },
    Code { code: bool },
}

impl<'a> Inline<'a> {
    pub fn text(text: Text<'a>, style: Option<Emphasis>) -> Self {
        Inline::Text { r#type: "text", text, style }
    }
}

/// Something in an `actions` block.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Element<'a> {
    Button {
        r#type: &'static str,
        action_id: String,
        text: Plain<'a>,
        value: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        confirm: Option<Confirm<'a>>,
    },
    Select {
        r#type: &'static str,
        action_id: String,
        placeholder: Plain<'a>,
        options: Vec<Choice<'a>>,
    },
    /// `users_select` or `datepicker`.
    Picker {
        r#type: &'static str,
        action_id: String,
        placeholder: Plain<'a>,
    },
}

#[derive(Debug, Serialize)]
pub struct Choice<'a> {
    pub text: Plain<'a>,
    pub value: Text<'a>,
}

#[derive(Debug, Serialize)]
pub struct Confirm<'a> {
    pub title: Plain<'a>,
    pub text: Plain<'a>,
    pub confirm: Plain<'a>,
    pub deny: Plain<'a>,
}

/// A `plain_text_input`.
#[derive(Debug, Serialize)]
pub struct Input {
    r#type: &'static str,
    action_id: &'static str,
    multiline: bool,
    max_length: u16,
}

impl Input {
    pub fn new(action_id: &'static str, multiline: bool, max_length: u16) -> Self {
        Self { r#type: "plain_text_input", action_id, multiline, max_length }
    }
}

/// A modal.
#[derive(Debug, Serialize)]
pub struct Modal<'a> {
    pub r#type: &'static str,
    pub title: Plain<'a>,
    pub close: Plain<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submit: Option<Plain<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_metadata: Option<String>,
    pub blocks: Vec<Block<'a>>,
}
