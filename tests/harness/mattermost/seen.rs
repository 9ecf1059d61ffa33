//! One thing that the app sent to Mattermost, as a person meets it.

use std::fmt;
use std::time::Instant;

use serde_json::Value;

use super::people::Names;
use super::{find, transcript};
use crate::harness;

/// What was sent, raw and as it reads.
#[derive(Debug, Clone)]
pub struct Seen {
    pub kind: Kind,
    /// The body of the call, as the app sent it.
    pub payload: Value,
    /// When it arrived.
    pub at: Instant,
    /// The post or dialog as Mattermost keeps it.
    pub(super) shown: Value,
    pub(super) place: Place,
    /// In somebody's conversation with the app, or opened from there.
    pub alone: bool,
    pub(super) names: Names,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Posted {
        channel: String,
        post_id: String,
        root_id: Option<String>,
    },
    Edited {
        channel: String,
        post_id: String,
    },
    /// An ephemeral: of a command's answer, a press's answer, a `response_url` or a call.
    Private {
        channel: String,
        user: String,
        root_id: Option<String>,
    },
    FormOpened {
        user: String,
        trigger_id: String,
    },
    /// The answer to a submission: errors, or the next step.
    FormChanged {
        user: String,
    },
    Deleted {
        channel: String,
        post_id: String,
    },
}

/// Where the thing is: what a press on it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Post { channel: String, post_id: String },
    Ephemeral { channel: String, user: String, post_id: String },
    Form { form: usize, user: String },
    Gone { channel: String },
}

impl Seen {
    /// How a person reads it, without the line that says where.
    pub fn text(&self) -> String {
        transcript::read(&self.shown, &self.names).text
    }

    /// The labels offered by a menu, or by a field of a form.
    ///
    /// # Panics
    /// When there is no such menu.
    pub fn options(&self, says: &str) -> Vec<String> {
        let menu = find::element(&self.shown, says).or_else(|| find::menu(&self.shown, says));
        let menu = menu.unwrap_or_else(|| panic!("no menu says {says:?} in:\n{self}"));
        find::list(menu, "options").iter().map(|option| find::raw(option, "text").to_owned()).collect()
    }

    /// The color of its box, if it has one.
    pub fn color(&self) -> &str {
        let mut colors = find::attachments(&self.shown).iter().map(|attachment| find::raw(attachment, "color"));
        colors.find(|color| !color.is_empty()).unwrap_or_default()
    }

    /// Under whose name a person reads it, if it is a post of somebody else's.
    pub fn author(&self) -> String {
        match find::raw(&self.shown["props"], "override_username") {
            "" => self.names.user(find::raw(&self.shown, "user_id")),
            name => name.to_owned(),
        }
    }

    /// Whether the button of this name asks a question before it does anything.
    pub fn asks(&self, label: &str) -> bool {
        find::buttons(&self.shown, label).iter().any(|action| find::asks(action))
    }

    /// Whether it has nothing to fill in.
    pub fn is_question(&self) -> bool {
        matches!(self.place, Place::Form { .. }) && find::list(&self.shown, "elements").is_empty()
    }

    /// The trigger that a dialog was opened with.
    pub fn opened_with(&self) -> Option<&str> {
        match &self.kind {
            Kind::FormOpened { trigger_id, .. } => Some(trigger_id),
            _ => None,
        }
    }

    /// What it is and where, in the words of every platform.
    pub fn scene(&self) -> (harness::Kind, String) {
        let kind = match self.kind {
            Kind::Posted { .. } => harness::Kind::Posted,
            Kind::Edited { .. } => harness::Kind::Edited,
            Kind::Private { .. } => harness::Kind::Private,
            Kind::FormOpened { .. } => harness::Kind::FormOpened,
            Kind::FormChanged { .. } => harness::Kind::FormFilled,
            Kind::Deleted { .. } => harness::Kind::Deleted,
        };
        let place = match &self.place {
            Place::Ephemeral { channel, user, .. } => {
                format!("to {} alone in {}", self.names.user(user), self.names.channel(channel))
            }
            _ => self.place_name(),
        };
        (kind, place)
    }

    fn place_name(&self) -> String {
        match &self.place {
            Place::Post { channel, .. } | Place::Gone { channel } => self.names.channel(channel),
            Place::Ephemeral { channel, user, .. } => {
                format!("to {} in {}", self.names.user(user), self.names.channel(channel))
            }
            Place::Form { user, .. } => format!("form for {}", self.names.user(user)),
        }
    }
}

impl fmt::Display for Seen {
    /// A stable transcript: no times, names instead of ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place_name();
        let thread = |root: &Option<String>| if root.is_some() { ", in a thread" } else { "" };
        match &self.kind {
            Kind::Posted { root_id, .. } => write!(f, "{place}{} (posted)", thread(root_id))?,
            Kind::Edited { .. } | Kind::FormChanged { .. } => write!(f, "{place} (updated)")?,
            Kind::Private { root_id, .. } => write!(f, "ephemeral {place}{}", thread(root_id))?,
            Kind::FormOpened { .. } => write!(f, "{place} (opened)")?,
            Kind::Deleted { .. } => write!(f, "{place} (deleted)")?,
        }
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(f, "\n{text}") }
    }
}
