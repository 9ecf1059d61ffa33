//! One request for a sensitive action: who asked, who approved, what became of every call.
//!
//! Pure: no clock, no I/O. [`decide()`] turns a command into events or refuses it with a reason,
//! [`Approval::apply`] is the only way in which an event changes the state. Whether somebody is
//! among the approvers is established before, by `bot`.

mod absent;
mod audience;
mod bundle;
mod command;
mod decide;
mod escalation;
mod event;
mod held;
mod policy;
mod proof;
pub mod remind;

pub use absent::{Absent, Gone, Held, Part};
pub use audience::{Audience, Deciders, Mention, Notify};
pub use bundle::BundleRef;
pub use command::{Command, Outcome, Refusal};
pub use decide::{SECRET_LOST, decide};
pub use escalation::Escalated;
pub use event::{Event, How, Recorded};
pub use policy::{Policy, Reveal, Rule};
pub use proof::Proof;

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::action::Action;
use crate::chat::view::Line;
use crate::chat::{Actor, Change, ChannelKey, Community, MessageId, UserId};

/// What buttons carry and people type: eight hexadecimal digits. It opens nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApprovalId(Arc<str>);

impl ApprovalId {
    pub const LENGTH: usize = 8;

    /// Of the platform's id of what was said: the same said again asks for the same again.
    pub fn of(delivery: &str) -> Self {
        let digest = Sha256::digest(delivery.as_bytes());
        Self(hex::encode(&digest[..Self::LENGTH / 2]).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ApprovalId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked for, and under which rule it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub channel: ChannelKey,
    /// The channel's community when it was asked.
    pub community: Community,
    pub action: Action,
    /// [`Action::hash`]: what approvers approve.
    pub hash: Box<str>,
    /// What it is salted with, if people are in it: erased with the first of them.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub salt: Box<str>,
    pub because: Option<Box<str>>,
    pub risks: Vec<Box<str>>,
    /// What became of every row of the list that it was asked with: a summary, then a sentence for
    /// each that led to nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub account: Vec<Box<str>>,
    pub needed: u8,
    /// Whether who asked may be among those who approve.
    pub self_approval: bool,
    pub expires: Timestamp,
    /// It carries out a part of another request, whose approval is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleRef>,
    /// Who hears of it when it is new.
    #[serde(default, skip_serializing_if = "Audience::is_nobody")]
    pub audience: Audience,
    /// When those who have not voted are reminded of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reminders: Vec<Timestamp>,
    /// Who approves it proves at the identity provider who they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// When it is escalated unless it is decided by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    pub by: UserId,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Box<Proof>>,
}

/// Where the request stands. What became of the calls is told by the items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    Requested,
    Approved,
    Rejected {
        reason: Box<str>,
        change: Change,
    },
    Cancelled {
        change: Change,
    },
    /// Its time ran out before it was approved, or before an approved key was asked for.
    Expired {
        at: Timestamp,
    },
}

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum Item {
    /// Not sent.
    Waiting,
    /// Announced: from here on nobody sends it again without looking first.
    Started {
        at: Timestamp,
    },
    /// Sent; nobody said what became of it. It is being read back.
    Unclear {
        since: Timestamp,
        why: Box<str>,
    },
    /// A key that exists and whose secret was not confirmed to be saved. `shown`: it was seen.
    /// `until`: then it is revoked. `lost`: why it is being revoked.
    Created {
        at: Timestamp,
        uuid: Box<str>,
        shown: bool,
        until: Timestamp,
        lost: Option<Box<str>>,
    },
    Done {
        at: Timestamp,
        uuid: Option<Box<str>>,
        how: How,
    },
    /// Refused: nothing was done.
    Failed {
        at: Timestamp,
        why: Box<str>,
    },
    /// Sekoia does not let the bot do it: a person does.
    ByHand {
        since: Timestamp,
        why: Box<str>,
    },
    /// Nobody can tell: a person looks.
    Unknown {
        since: Timestamp,
        why: Box<str>,
    },
}

impl Item {
    /// Sekoia has it, or nothing more will come of it.
    pub fn is_settled(&self) -> bool {
        matches!(self, Item::Done { .. } | Item::Failed { .. })
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Item::Done { .. })
    }
}

/// An invited person, as Sekoia last showed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guest {
    /// Sent; not seen in Sekoia's list yet.
    #[default]
    Sent,
    Pending,
    Accepted,
    /// The link's 24 hours are over.
    Lapsed,
}

/// One request and everything that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    pub asked: Change,
    pub request: Request,
    pub votes: Vec<Vote>,
    #[serde(flatten)]
    pub stage: Stage,
    pub items: Vec<Item>,
    /// How often each call was announced, since somebody wanted it tried.
    #[serde(default)]
    pub sends: Vec<u32>,
    /// Of a bundle: the requests that carry out its parts. Empty until one begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Option<ApprovalId>>,
    /// Of an invitation: what became of the people, item by item. Empty until somebody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<Guest>,
    /// What Sekoia's clock showed before the last call: what it made is dated by that clock, and the
    /// bot's own may be changed at any moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Timestamp>,
    /// Somebody on whom it rests is gone, or could not be looked up, since it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// An approver confirmed it although they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excused: Vec<UserId>,
    /// It was not decided in time, so that further people count as approvers of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<Escalated>,
    /// The message that is edited in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<MessageId>,
    /// The earlier message that it replaces, because that one could not be edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MessageId>,
}

/// What a request comes to, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Requested,
    /// Nothing was sent yet: frozen, or a key that waits for who asked.
    Approved,
    /// Approved, and somebody on whom that rests is gone: an approver decides once more.
    Held,
    Executing,
    /// A key was shown and is not confirmed, or the replaced one still works.
    Handover,
    Succeeded,
    Failed,
    ByHand,
    Unknown,
    Rejected,
    Expired,
    Cancelled,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Requested => "requested",
            Status::Approved => "approved",
            Status::Held => "held",
            Status::Executing => "executing",
            Status::Handover => "handed over",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::ByHand => "by hand",
            Status::Unknown => "unknown",
            Status::Rejected => "rejected",
            Status::Expired => "expired",
            Status::Cancelled => "cancelled",
        }
    }

    /// Somebody or something still has to do something about it.
    pub fn is_open(self) -> bool {
        !matches!(self, Status::Succeeded | Status::Failed | Status::Rejected | Status::Expired | Status::Cancelled)
    }
}

/// No request waits longer, whatever is configured: the longest time that may be set, and a day.
const MOST_OPEN: SignedDuration = SignedDuration::from_hours(31 * 24);

impl Approval {
    /// Whether its time has run out. One that ends later than any can was asked for while the clock
    /// was ahead: nobody knows how long it waits, so it is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.request.expires || self.request.expires.duration_since(now) > MOST_OPEN
    }

    pub fn status(&self) -> Status {
        match self.stage {
            Stage::Requested => return Status::Requested,
            Stage::Rejected { .. } => return Status::Rejected,
            Stage::Cancelled { .. } => return Status::Cancelled,
            Stage::Expired { .. } => return Status::Expired,
            Stage::Approved if self.is_bundle() => return self.bundle_status(),
            Stage::Approved => {}
        }
        // The replaced key of a rotation is nobody's concern before the new one is in use.
        let rotation = self.is_rotation() && !self.items.first().is_some_and(Item::is_done);
        let items = if rotation { &self.items[..1] } else { &self.items[..] };
        let any = |of: fn(&Item) -> bool| items.iter().any(of);
        if any(|i| matches!(i, Item::Started { .. } | Item::Unclear { .. })) {
            return Status::Executing;
        }
        if any(|i| matches!(i, Item::Created { .. })) {
            return Status::Handover;
        }
        if any(|i| matches!(i, Item::Waiting)) {
            if self.needs_somebody() {
                return Status::Held;
            }
            let begun = any(|i| !matches!(i, Item::Waiting));
            let rotation = self.is_rotation() && self.items.first().is_some_and(Item::is_done);
            return match (rotation, begun) {
                (true, _) => Status::Handover,
                (false, true) => Status::Executing,
                (false, false) => Status::Approved,
            };
        }
        if any(|i| matches!(i, Item::Unknown { .. })) {
            return Status::Unknown;
        }
        if any(|i| matches!(i, Item::ByHand { .. })) {
            return Status::ByHand;
        }
        if any(|i| matches!(i, Item::Failed { .. })) { Status::Failed } else { Status::Succeeded }
    }

    pub fn is_rotation(&self) -> bool {
        matches!(self.request.action, Action::CreateKey { replaces: Some(_), .. })
    }

    /// Whether the approved action is still the one that was approved.
    pub fn is_as_approved(&self) -> bool {
        self.request.action.hash(&self.request.salt) == self.request.hash
    }

    /// The first call that may be sent now without anybody pressing anything, or the first part that
    /// may begin.
    pub fn next_call(&self) -> Option<usize> {
        if self.is_bundle() {
            return self.parts_due().first().copied();
        }
        if !matches!(self.stage, Stage::Approved) {
            return None;
        }
        let free = |i: &usize| !self.waits_for_a_press(*i) && matches!(self.items[*i], Item::Waiting);
        (0..self.items.len()).find(free)
    }

    /// A new key is made, and a replaced one is revoked, only when who asked presses for it.
    pub fn waits_for_a_press(&self, item: usize) -> bool {
        self.request.action.is_secret(item) || (self.is_rotation() && item == 1)
    }

    /// The calls whose outcome has to be found out by reading. Of a bundle's parts, their requests
    /// tell it.
    pub fn unclear(&self) -> impl Iterator<Item = (usize, Timestamp)> {
        let bundle = self.is_bundle();
        self.items.iter().enumerate().filter_map(move |(i, item)| match item {
            _ if bundle => None,
            Item::Started { at } | Item::Unclear { since: at, .. } => Some((i, *at)),
            _ => None,
        })
    }

    pub fn sends(&self, item: usize) -> u32 {
        self.sends.get(item).copied().unwrap_or_default()
    }

    pub fn requester(&self) -> Option<&UserId> {
        match &self.asked.by {
            Actor::Person(user) => Some(user),
            Actor::Bot => None,
        }
    }

    /// Whether this is their request, or part of one of theirs.
    pub fn is_asked_by(&self, user: &UserId) -> bool {
        self.requester() == Some(user) || self.request.bundle.as_ref().is_some_and(|bundle| bundle.by == *user)
    }

    /// Whom its card mentions, until something is decided: what changes after that notifies nobody again.
    pub fn mention(&self) -> Option<Line> {
        let is_new = self.replaces.is_none() && self.votes.is_empty() && matches!(self.stage, Stage::Requested);
        self.request.audience.mention.as_ref().filter(|_| is_new).map(Mention::line)
    }

    /// As another message in the place of its card shows it.
    #[must_use]
    pub fn mentioning_nobody(&self) -> Self {
        let mut silent = self.clone();
        silent.request.audience.mention = None;
        silent
    }

    pub fn count(&self, of: fn(&Item) -> bool) -> usize {
        self.items.iter().filter(|i| of(i)).count()
    }
}
