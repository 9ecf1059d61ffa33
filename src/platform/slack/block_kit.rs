//! Block Kit, as far as it is said here: borrowed types, written straight to JSON.
//!
//! The answer to `/sekoia status` is the hot path. slack-morphism's own block types hold every
//! text as a `String` and most structures behind a flattened or tagged enum; building and writing
//! them took more time than all the rest of a request together.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};

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
    /// Apart, because it is larger than everything that messages are made of.
    Input(Box<Input<'a>>),
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

impl<'a> Rich<'a> {
    pub fn preformatted(text: Inline<'a>) -> Self {
        Rich::Preformatted { r#type: "rich_text_preformatted", elements: [text] }
    }
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
    Group {
        r#type: &'static str,
        usergroup_id: &'a str,
    },
    Channel {
        r#type: &'static str,
        channel_id: &'a str,
    },
    Hidden {
        r#type: &'static str,
        text: Hidden<'a>,
    },
}

/// A secret on its way to Slack: it is written into the request, and does not print.
#[derive(Debug)]
pub struct Hidden<'a>(&'a SecretString);

impl Serialize for Hidden<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
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

    pub fn hidden(secret: &'a SecretString) -> Self {
        Inline::Hidden { r#type: "text", text: Hidden(secret) }
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

/// An `input` block.
#[derive(Debug, Serialize)]
pub struct Input<'a> {
    pub r#type: &'static str,
    pub block_id: &'static str,
    pub label: Plain<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Plain<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    pub element: Entry<'a>,
}

/// What an `input` block is filled in by.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry<'a> {
    Typed {
        r#type: &'static str,
        action_id: &'static str,
        multiline: bool,
        max_length: u16,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_value: Option<&'a str>,
    },
    /// `static_select` with an `initial_option`, or `multi_static_select` with several.
    Chosen {
        r#type: &'static str,
        action_id: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        options: Vec<Choice<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        option_groups: Vec<Group<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_option: Option<Choice<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        initial_options: Vec<Choice<'a>>,
    },
    File {
        r#type: &'static str,
        action_id: &'static str,
        filetypes: &'a [&'static str],
        max_files: u8,
    },
}

#[derive(Debug, Serialize)]
pub struct Group<'a> {
    pub label: Plain<'a>,
    pub options: Vec<Choice<'a>>,
}

/// Somebody's page of the app.
#[derive(Debug, Serialize)]
pub struct Home<'a> {
    r#type: &'static str,
    blocks: Vec<Block<'a>>,
}

impl<'a> Home<'a> {
    pub fn new(blocks: Vec<Block<'a>>) -> Self {
        Self { r#type: "home", blocks }
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
