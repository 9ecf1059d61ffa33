//! One thing that the app sent to Slack, as a person meets it.

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
    /// The arguments of the call, as the app sent them.
    pub payload: Value,
    /// When it arrived.
    pub at: Instant,
    /// The message or view as Slack shows it, every id filled in.
    pub(super) shown: Value,
    pub(super) place: Place,
    pub(super) names: Names,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Posted {
        channel: String,
        ts: String,
        thread_ts: Option<String>,
    },
    Updated {
        channel: String,
        ts: String,
    },
    Ephemeral {
        channel: String,
        user: String,
        thread_ts: Option<String>,
    },
    /// A hit on a `response_url`.
    Responded {
        url: String,
        replace_original: bool,
        delete_original: bool,
        response_type: Option<String>,
    },
    ViewOpened {
        view_id: String,
        trigger_id: String,
    },
    ViewUpdated {
        view_id: String,
    },
    /// Somebody's page of the app.
    HomePublished {
        user: String,
    },
    Deleted {
        channel: String,
        ts: String,
    },
}

/// Where the thing is: what a click on it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Message { channel: String, ts: String },
    Ephemeral { channel: String, user: String, ts: String, thread_ts: Option<String> },
    View { view_id: String, user: String },
    Gone { channel: String },
}

impl Seen {
    /// How a person reads it, without the line that says where.
    pub fn text(&self) -> String {
        transcript::read(&self.shown, &self.names)
    }

    /// The labels offered by a menu, found by its label in a form, its placeholder or its current
    /// choice.
    pub fn options(&self, says: &str) -> Vec<String> {
        let element = find::labelled(&self.shown, says).unwrap_or_else(|| find::menu(&self.shown, says).1);
        find::options(element).iter().map(|option| find::label(option).to_owned()).collect()
    }

    /// What it is and where, in the words of every platform.
    pub fn scene(&self) -> (harness::Kind, String) {
        let kind = match (&self.kind, &self.place) {
            (Kind::Deleted { .. } | Kind::Responded { delete_original: true, .. }, _) => harness::Kind::Deleted,
            (_, Place::Ephemeral { .. }) => harness::Kind::Private,
            (Kind::ViewOpened { .. }, _) => harness::Kind::FormOpened,
            (Kind::ViewUpdated { .. }, _) => harness::Kind::FormFilled,
            (Kind::HomePublished { .. }, _) => harness::Kind::Home,
            (Kind::Updated { .. } | Kind::Responded { replace_original: true, .. }, _) => harness::Kind::Edited,
            _ => harness::Kind::Posted,
        };
        let place = match &self.place {
            Place::Ephemeral { channel, user, .. } => {
                format!("to {} alone in {}", self.names.user(user), self.names.channel(channel))
            }
            Place::View { user, .. } if matches!(self.kind, Kind::HomePublished { .. }) => self.home_of(user),
            Place::View { user, .. } => format!("form for {}", self.names.user(user)),
            Place::Message { .. } | Place::Gone { .. } => self.place_name(),
        };
        (kind, place)
    }

    fn place_name(&self) -> String {
        match &self.place {
            Place::Message { channel, .. } | Place::Gone { channel } => self.names.channel(channel),
            Place::Ephemeral { channel, user, .. } => {
                format!("to {} in {}", self.names.user(user), self.names.channel(channel))
            }
            Place::View { user, .. } if matches!(self.kind, Kind::HomePublished { .. }) => self.home_of(user),
            Place::View { user, .. } => format!("modal for {}", self.names.user(user)),
        }
    }

    fn home_of(&self, user: &str) -> String {
        format!("home of {}", self.names.user(user))
    }
}

impl fmt::Display for Seen {
    /// A stable transcript: no timestamps, names instead of ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place_name();
        let thread = |thread: &Option<String>| if thread.is_some() { ", in a thread" } else { "" };
        match &self.kind {
            Kind::Posted { thread_ts, .. } => write!(f, "{place}{} (posted)", thread(thread_ts))?,
            Kind::Updated { .. } | Kind::ViewUpdated { .. } => write!(f, "{place} (updated)")?,
            Kind::Ephemeral { thread_ts, .. } => write!(f, "ephemeral {place}{}", thread(thread_ts))?,
            Kind::Responded { replace_original, delete_original, .. } => {
                let what = match (delete_original, replace_original) {
                    (true, _) => "deletes the original",
                    (false, true) => "replaces the original",
                    (false, false) => "new message",
                };
                let ephemeral = if matches!(self.place, Place::Ephemeral { .. }) { "ephemeral " } else { "" };
                write!(f, "{ephemeral}{place} (response: {what})")?;
            }
            Kind::ViewOpened { .. } => write!(f, "{place} (opened)")?,
            Kind::HomePublished { .. } => write!(f, "{place} (published)")?,
            Kind::Deleted { .. } => write!(f, "{place} (deleted)")?,
        }
        let text = self.text();
        if text.is_empty() { Ok(()) } else { write!(f, "\n{text}") }
    }
}
