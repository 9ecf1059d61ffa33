//! What is wanted of a request, what is known of its calls, and why something is refused.

use jiff::Timestamp;

use super::{Absent, ApprovalId, Escalated, Guest, How, Proof, Request, Vote};
use crate::chat::view::minute;
use crate::chat::{Actor, MessageId, UserId};
use crate::domain::checklist::MAX_REASON;

/// What somebody, or the bot, wants of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Ask {
        id: ApprovalId,
        request: Box<Request>,
    },
    /// A part of an approved bundle, which `asked` has to do with and whose votes these are.
    AskApproved {
        id: ApprovalId,
        request: Box<Request>,
        asked: UserId,
        votes: Vec<Vote>,
        escalated: Option<Escalated>,
    },
    Posted {
        message: MessageId,
        /// The earlier message that could not be edited.
        replaces: Option<MessageId>,
    },
    /// By somebody who is among the approvers.
    Approve {
        by: UserId,
        /// That it is them.
        proof: Option<Box<Proof>>,
    },
    Reject {
        by: UserId,
        reason: Box<str>,
    },
    Cancel {
        by: UserId,
    },
    /// Time passed.
    Expire,
    /// Time passed without a decision. `to`: who counts from now on, as the settings name them.
    Escalate {
        to: Vec<Box<str>>,
    },
    /// A call that nobody has to press for.
    Start,
    /// A call that waits for a press: the new key, or the revocation of the replaced one.
    /// `clock`: what Sekoia's own clock shows, if it says.
    Press {
        item: usize,
        by: UserId,
        clock: Option<Timestamp>,
    },
    /// A part of a bundle is carried out by this request.
    StartPart {
        item: usize,
        child: ApprovalId,
    },
    /// What became of a started call.
    Report {
        item: usize,
        /// Which of its sends it is known of; none: the last one.
        sends: Option<u32>,
        outcome: Outcome,
    },
    /// The same of every call that was not sent: they would all meet with it.
    ReportRest {
        outcome: Outcome,
    },
    Shown {
        item: usize,
    },
    /// A shown key that is waited for longer than it can rightly be: the clock was ahead.
    ConfirmBy {
        item: usize,
        until: Timestamp,
    },
    /// A created key is to be revoked.
    Withdraw {
        item: usize,
        why: Box<str>,
    },
    /// `key`: how the key's identifier begins, where the press belongs to one key.
    Saved {
        by: UserId,
        key: Option<Box<str>>,
    },
    /// The requester does not have the secret of the shown key: it is to be revoked. `key` as above.
    Lost {
        by: UserId,
        key: Option<Box<str>>,
    },
    Again,
    Guests {
        guests: Vec<Guest>,
    },
    /// These are gone, of those on whom the approval rests.
    Hold {
        who: Vec<Absent>,
    },
    /// They are all there.
    Release,
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    NotSent { why: Box<str> },
    Unclear { why: Box<str> },
    ProvenAbsent,
    Created { uuid: Box<str>, until: Timestamp },
    Withdrawn { why: Box<str> },
    Done { uuid: Option<Box<str>>, how: How },
    Failed { why: Box<str> },
    ByHand { why: Box<str> },
    Unknown { why: Box<str> },
}

/// Why a command was refused; the text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("There is no request with that id. `/sekoia approvals` lists those of this channel.")]
    NoSuch,
    #[error("{0}")]
    Already(String),
    #[error("Already {what} by {} on {}.", .by.name(), minute(*.at))]
    Decided { what: &'static str, by: Actor, at: Timestamp, reason: Option<Box<str>> },
    #[error(
        "Too late: that key was revoked, because nobody said in time that it was saved, or its secret was lost. Press \"Create and show\" again."
    )]
    Revoked,
    #[error("You asked for this yourself, so a colleague has to approve it (CHATOPS_SELF_APPROVAL).")]
    OwnRequest,
    #[error("You already approved this; {0} still needed from others.")]
    Twice(String),
    #[error("Its time ran out on {0}. Ask again.")]
    TooLate(String),
    #[error("A rejection needs a reason that others understand: `/sekoia reject {0} <reason>`.")]
    NoReason(ApprovalId),
    #[error("A reason may have {MAX_REASON} characters; this one has {0}.")]
    ReasonTooLong(usize),
    #[error("Only who asked for it can do that.")]
    NotRequester,
    #[error("The plan names somebody else for this key: only they create it and say that it is saved.")]
    NotKeeper,
    #[error("It is not approved yet.")]
    NotApproved,
    #[error(
        "The action is not the one that was approved, so it is not carried out. Ask your bot administrator to run `sekoia-chatops audit verify`."
    )]
    Altered,
    #[error("There is nothing of that kind to do on this request any more.")]
    NothingToDo,
    #[error("Who approves this proves first who they are: press Approve, and open the link that you get.")]
    NeedsProof,
    #[error("The identity that you proved already approved this for another account.")]
    SameIdentity,
    #[error("It is being done right now.")]
    UnderWay,
    #[error("A person who asked for it or approved it is gone, so it has to be confirmed first. Its card says how.")]
    Held,
    #[error("The key would be shown to who asked for it, who is gone. Reject it, and let a colleague ask.")]
    NobodyToReceive,
}
