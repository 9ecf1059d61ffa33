//! The checklist of one channel: its steps, their state, and how the state may change.
//!
//! Pure: no clock, no I/O. [`decide()`] turns a command into events or refuses it with a reason,
//! [`Session::apply`] is the only way in which an event changes the state.

mod decide;
mod event;
pub mod facts;
pub mod regression;
pub mod reminders;
pub mod steps;
mod table;

pub use decide::{Command, MAX_REASON, Refusal, decide};
pub use event::{Event, Recorded};
pub use table::{DOCS, STEPS, StepId, StepSpec};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::chat::{Actor, Change, Community, MessageId, UserId};
use facts::Fact;

/// Whether the workspace may hold several communities (`is_parent` in Sekoia's API).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    SingleTenant,
    MultiTenant,
}

/// What Sekoia said when it confirmed a step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// One line: what was found.
    pub summary: Box<str>,
    /// What stands in the record beside it, one line each.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub details: Box<[Box<str>]>,
    /// What was found wanting and accepted with the confirmation.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub exceptions: Box<[Box<str>]>,
    /// What the setup watch compares with; none in what was stored before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<[Fact]>>,
}

/// Where a step stands. Nothing but `Verified` and `Attested` ticks its box.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    #[default]
    Open,
    /// For an approval, or for somebody to do it by hand.
    Waiting {
        on: Box<str>,
    },
    /// Sekoia shows something, and nobody said whether it is all that is needed.
    Seen {
        evidence: Box<Evidence>,
    },
    /// Sekoia's API confirmed it, against the plan where the step has a part of it.
    Verified {
        evidence: Box<Evidence>,
    },
    /// A person says so.
    Attested {
        note: Option<Box<str>>,
    },
    Skipped {
        reason: Box<str>,
    },
    NotApplicable {
        why: Box<str>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepState {
    #[serde(flatten)]
    pub status: Status,
    /// The last change of the status; none while it was never touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Change>,
    /// Why a step that was done is open again, if nobody opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drifted: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
}

/// What a sensitive request came to, as the channel's record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concluded {
    /// The request's id.
    pub request: Box<str>,
    pub what: Box<str>,
    /// SHA-256 of the action that was approved.
    pub hash: Box<str>,
    pub outcome: Box<str>,
    pub asked_by: Actor,
    pub approvers: Box<[UserId]>,
    /// Who rejected or withdrew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Actor>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// What was known to be risky and accepted.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub risks: Box<[Box<str>]>,
}

/// One channel's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub opened: Change,
    pub community: Community,
    pub mode: Mode,
    /// The message that is edited in place.
    pub progress: Option<MessageId>,
    /// The earlier message that it replaces, because that one could not be edited.
    pub replaces: Option<MessageId>,
    /// E-mail addresses at Sekoia, as people gave them of themselves.
    pub accounts: Vec<(UserId, Box<str>)>,
    /// The address of Sekoia's app that was posted in the channel.
    pub shared: Option<Box<str>>,
    /// Who last sent the quick start to the analysts.
    pub sent: Option<Change>,
    /// Sensitive requests of this channel and what they came to, with when.
    pub requests: Vec<(Timestamp, Concluded)>,
    steps: [StepState; StepId::COUNT],
}

/// How many of the numbered steps stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub total: usize,
    pub done: usize,
    pub seen: usize,
    pub skipped: usize,
    pub not_applicable: usize,
}

impl Status {
    pub fn is_done(&self) -> bool {
        matches!(self, Status::Verified { .. } | Status::Attested { .. })
    }

    /// Nobody has anything to do about it.
    pub fn is_settled(&self) -> bool {
        !matches!(self, Status::Open | Status::Waiting { .. } | Status::Seen { .. })
    }

    pub fn name(&self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Waiting { .. } => "waiting",
            Status::Seen { .. } => "seen",
            Status::Verified { .. } => "verified",
            Status::Attested { .. } => "attested",
            Status::Skipped { .. } => "skipped",
            Status::NotApplicable { .. } => "not applicable",
        }
    }
}

impl Session {
    /// The account at Sekoia that somebody gave as theirs, by its e-mail address.
    pub fn account_of(&self, user: &UserId) -> Option<&str> {
        self.accounts.iter().find(|(known, _)| known == user).map(|(_, address)| &**address)
    }

    pub fn step(&self, id: StepId) -> &StepState {
        &self.steps[id as usize]
    }

    /// Whether nobody did anything yet: what follows from the mode is nobody's doing.
    pub fn is_untouched(&self) -> bool {
        StepId::all().all(|id| self.at_rest(id))
    }

    fn at_rest(&self, id: StepId) -> bool {
        let step = self.step(id);
        let by_mode = self.mode == Mode::SingleTenant && id == StepId::Communities;
        let at_rest = match step.status {
            Status::Open => !by_mode && step.changed.is_none(),
            Status::NotApplicable { .. } => by_mode,
            _ => false,
        };
        at_rest && step.assignee.is_none() && step.due.is_none()
    }

    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for id in StepId::numbered() {
            progress.total += 1;
            match self.step(id).status {
                Status::Verified { .. } | Status::Attested { .. } => progress.done += 1,
                Status::Skipped { .. } => progress.skipped += 1,
                Status::NotApplicable { .. } => progress.not_applicable += 1,
                Status::Seen { .. } => progress.seen += 1,
                Status::Open | Status::Waiting { .. } => {}
            }
        }
        progress
    }

    /// The first step, in Sekoia's order, that somebody has to do something about.
    pub fn next(&self) -> Option<StepId> {
        StepId::numbered().find(|id| !self.step(*id).status.is_settled())
    }

    /// What to offer somebody who asks what is next: the prerequisites while they are open, then
    /// the first open step.
    pub fn next_to_do(&self) -> Option<StepId> {
        let ready = self.step(StepId::Prerequisites).status.is_settled();
        if ready { self.next() } else { Some(StepId::Prerequisites) }
    }
}

impl Progress {
    pub fn settled(&self) -> usize {
        self.done + self.skipped + self.not_applicable
    }
}
