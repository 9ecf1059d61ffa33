//! People on whom a request rested, and who no longer count.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chat::UserId;

/// What somebody did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Requester,
    Approver,
    /// Keeps a key that somebody else asked for.
    Owner,
}

/// Why somebody no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    Deactivated,
    Guest,
    Bot,
    /// Of another workspace or server.
    Elsewhere,
    /// Not an operator, or not an approver, any more.
    NoRight,
    /// The chat platform did not say: it is asked again.
    Unread,
}

/// Somebody on whom a request rested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    pub user: UserId,
    pub part: Part,
    pub why: Gone,
}

/// Nothing more is sent until this is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub at: Timestamp,
    pub who: Vec<Absent>,
}

impl Gone {
    /// `@carol, who approved it, …`
    pub fn says(self, part: Part) -> &'static str {
        match (self, part) {
            (Gone::Deactivated, _) => "is deactivated",
            (Gone::Guest, _) => "is a guest now",
            (Gone::Bot, _) => "is a bot",
            (Gone::Elsewhere, _) => "belongs to another workspace now",
            (Gone::NoRight, Part::Requester | Part::Owner) => "may not ask for it any more",
            (Gone::NoRight, Part::Approver) => "is no longer an approver",
            (Gone::Unread, _) => "could not be looked up",
        }
    }
}

impl Held {
    /// Only a person can end it; otherwise it is over when the chat platform answers again.
    pub fn needs_somebody(&self) -> bool {
        self.who.iter().any(|absent| absent.why != Gone::Unread)
    }

    /// The first of those whose absence only a person can settle, who did this.
    pub(super) fn gone(&self, part: Part) -> Option<&Absent> {
        self.who.iter().find(|absent| absent.part == part && absent.why != Gone::Unread)
    }
}
