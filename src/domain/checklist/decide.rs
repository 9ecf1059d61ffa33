//! Which events a command leads to, or why it is refused.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::steps::quickstart::Product;
use super::{Concluded, Event, Evidence, Mode, Session, Status, StepId};
use crate::chat::view::Line;
use crate::chat::{Community, MessageId, UserId};

/// What somebody wants of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens the session, or binds it to another community.
    Open {
        community: Community,
        mode: Mode,
    },
    /// Sekoia's API confirms the step.
    Verify {
        step: StepId,
        evidence: Evidence,
    },
    /// Sekoia's API shows something, and no plan says whether it is all.
    See {
        step: StepId,
        evidence: Evidence,
    },
    /// The step is verified still, now against another plan; `seen` is the evidence of before.
    Reverify {
        step: StepId,
        seen: Evidence,
        evidence: Evidence,
    },
    /// A person says that the step is done.
    Attest {
        step: StepId,
        note: Option<Box<str>>,
    },
    Skip {
        step: StepId,
        reason: Box<str>,
    },
    /// Sekoia's API says that the step does not apply.
    Exempt {
        step: StepId,
        why: Box<str>,
    },
    Wait {
        step: StepId,
        on: Box<str>,
    },
    Reopen {
        step: StepId,
    },
    /// What Sekoia confirmed is not so any more; `seen` is the evidence that was compared.
    Drift {
        step: StepId,
        seen: Evidence,
        what: Box<str>,
    },
    Assign {
        step: StepId,
        to: Option<UserId>,
    },
    SetDue {
        step: StepId,
        due: Option<Date>,
    },
    /// A sensitive request came to its end; a step that waited for it is open again.
    Conclude {
        step: StepId,
        concluded: Box<Concluded>,
    },
    /// This account at Sekoia is mine.
    Account {
        address: Box<str>,
    },
    /// The address of Sekoia's app is posted for everybody in the channel.
    Share {
        app: Box<str>,
    },
    /// The quick start of these products goes to so many members who are in the chat.
    Brief {
        products: Box<[Product]>,
        people: usize,
    },
    /// The progress message was posted (again).
    Posted {
        message: MessageId,
        /// The earlier message that could not be edited.
        replaces: Option<MessageId>,
    },
    Reset,
}

/// Why a command was refused; the text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("This channel is not set up yet. An operator opens it with `/sekoia setup`.")]
    NoSession,
    #[error("This channel is already set up for {0}. `/sekoia status` shows where it stands.")]
    AlreadyOpen(Box<str>),
    #[error("Already {1}: {0}. `/sekoia reopen {name}` first if that has to change.", name = .0.name())]
    AlreadySettled(StepId, &'static str),
    #[error("Already seen: {0}. Nobody said yet whether that is all: `/sekoia plan {name}`.", name = .0.name())]
    AlreadySeen(StepId),
    #[error("Already open: {0}.")]
    AlreadyThere(StepId),
    #[error("A skipped step needs a reason that others understand: `/sekoia skip {name} <reason>`.", name = .0.name())]
    NoReason(StepId),
    #[error("A reason may have {MAX_REASON} characters; this one has {0}.")]
    ReasonTooLong(usize),
    #[error("Already assigned to {1}: {0}.")]
    SameAssignee(StepId, UserId),
    #[error("Nobody is assigned to {0}.")]
    NoAssignee(StepId),
    #[error("{0} is in the past. Give today or a later day, for example `/sekoia due {name} +7d`.", name = .1.name())]
    PastDue(Date, StepId),
    #[error("Already {1}: {0}. Only an open step has a due date: `/sekoia reopen {name}` first.", name = .0.name())]
    NotOpen(StepId, &'static str),
    #[error("Already due on {1}: {0}.")]
    SameDue(StepId, Date),
    #[error("There is no due date on {0}.")]
    NoDue(StepId),
    #[error("Meanwhile someone changed {0} or the channel's community. Look at it again: `/sekoia step {name}`.", name = .0.name())]
    Meanwhile(StepId),
    #[error("That is on record already.")]
    AlreadyConcluded,
    #[error("There is nothing to reset: no step was touched yet.")]
    NothingToReset,
}

/// Characters of a reason or note.
pub const MAX_REASON: usize = 500;

impl Refusal {
    /// The same sentence with what can be typed as code; a community's name is never markup.
    pub fn line(&self) -> Line {
        match self {
            Refusal::AlreadyOpen(name) => Line::new()
                .say("This channel is already set up for ")
                .say(name.to_string())
                .say(". ")
                .code("/sekoia status")
                .say(" shows where it stands."),
            Refusal::SameAssignee(step, user) => {
                Line::new().say("Already assigned to ").person(user).say(format!(": {step}."))
            }
            own_words => Line::marked(&own_words.to_string()),
        }
    }
}

/// Which events `command` leads to. `None` is a channel without a session.
pub fn decide(state: Option<&Session>, command: Command, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let Some(session) = state else {
        return match command {
            Command::Open { community, mode } => Ok(opening(Event::Opened { community, mode }, mode)),
            _ => Err(Refusal::NoSession),
        };
    };
    let event = match command {
        Command::Open { community, mode } => {
            if session.community.uuid == community.uuid && session.mode == mode {
                return Err(Refusal::AlreadyOpen(session.community.name.clone()));
            }
            if session.community.uuid == community.uuid {
                return Ok(mode_changed(session, mode));
            }
            return Ok(opening(Event::Rebound { community, mode }, mode));
        }
        Command::Verify { step, evidence } => {
            // A step that somebody attested may be confirmed by Sekoia later.
            if !matches!(session.step(step).status, Status::Attested { .. }) {
                unsettled(session, step)?;
            }
            let facts = evidence.facts.map(|facts| super::facts::kept(facts.into_vec()));
            Event::Verified { step, evidence: Evidence { facts, ..evidence } }
        }
        Command::Reverify { step, seen, evidence } => match &session.step(step).status {
            Status::Verified { evidence: before } if **before == seen => {
                let facts = evidence.facts.map(|facts| super::facts::kept(facts.into_vec()));
                let evidence = Evidence { facts, ..evidence };
                if evidence == seen {
                    return Err(Refusal::AlreadySettled(step, session.step(step).status.name()));
                }
                Event::Verified { step, evidence }
            }
            _ => return Err(Refusal::Meanwhile(step)),
        },
        Command::See { step, evidence } => {
            unsettled(session, step)?;
            // What is seen is not watched: nothing has to be reported from it.
            let evidence = Evidence { facts: None, ..evidence };
            if session.step(step).status == (Status::Seen { evidence: Box::new(evidence.clone()) }) {
                return Err(Refusal::AlreadySeen(step));
            }
            Event::Seen { step, evidence }
        }
        Command::Attest { step, note } => {
            unsettled(session, step)?;
            if let Some(note) = &note {
                fits(note)?;
            }
            Event::Attested { step, note }
        }
        Command::Skip { step, reason } => {
            unsettled(session, step)?;
            let reason = reason.trim();
            if reason.is_empty() {
                return Err(Refusal::NoReason(step));
            }
            fits(reason)?;
            Event::Skipped { step, reason: reason.into() }
        }
        Command::Exempt { step, why } => {
            unsettled(session, step)?;
            Event::NotApplicable { step, why }
        }
        Command::Wait { step, on } => {
            unsettled(session, step)?;
            if session.step(step).status == (Status::Waiting { on: on.clone() }) {
                return Err(Refusal::AlreadyConcluded);
            }
            Event::Waiting { step, on }
        }
        Command::Reopen { step } => match session.step(step).status {
            Status::Open => return Err(Refusal::AlreadyThere(step)),
            _ => Event::Reopened { step },
        },
        Command::Drift { step, seen, what } => match &session.step(step).status {
            Status::Verified { evidence } if **evidence == seen => {
                Event::Drifted { step, what: crate::chat::text::clip(&what, MAX_REASON).into() }
            }
            // What a person says is theirs, and what was verified again meanwhile was looked at.
            _ => return Err(Refusal::Meanwhile(step)),
        },
        Command::Assign { step, to } => {
            match (&session.step(step).assignee, &to) {
                (None, None) => return Err(Refusal::NoAssignee(step)),
                (Some(old), Some(new)) if old == new => return Err(Refusal::SameAssignee(step, new.clone())),
                _ => {}
            }
            Event::Assigned { step, to }
        }
        Command::SetDue { step, due } => {
            match (session.step(step).due, due) {
                (None, None) => return Err(Refusal::NoDue(step)),
                (_, Some(_)) if session.step(step).status.is_settled() => {
                    return Err(Refusal::NotOpen(step, session.step(step).status.name()));
                }
                (Some(old), Some(new)) if old == new => return Err(Refusal::SameDue(step, new)),
                // Somebody west of UTC may still be in yesterday.
                (_, Some(new)) if new < yesterday(now) => return Err(Refusal::PastDue(new, step)),
                _ => {}
            }
            Event::DueSet { step, due }
        }
        Command::Conclude { step, concluded } => {
            let same = |c: &Concluded| c.request == concluded.request && c.outcome == concluded.outcome;
            let waits = matches!(&session.step(step).status,
                Status::Waiting { on } if on.contains(&*concluded.request));
            if !waits && session.requests.iter().any(|(_, c)| same(c)) {
                return Err(Refusal::AlreadyConcluded);
            }
            Event::Concluded { step, concluded }
        }
        Command::Account { address } => Event::AccountGiven { address },
        Command::Share { app } => Event::AddressShared { app },
        Command::Brief { products, people } => Event::QuickStartSent { products, people },
        Command::Posted { message, replaces } => Event::ProgressPosted { message, replaces },
        Command::Reset => {
            if session.is_untouched() {
                return Err(Refusal::NothingToReset);
            }
            // What Sekoia said of the mode stays true.
            return Ok(opening(Event::Reset, session.mode));
        }
    };
    Ok(vec![event])
}

/// Sekoia switched the workspace's mode: only the step that depends on it is touched.
fn mode_changed(session: &Session, mode: Mode) -> Vec<Event> {
    let step = StepId::Communities;
    let mut events = vec![Event::ModeChanged { mode }];
    match (&session.step(step).status, mode) {
        (Status::NotApplicable { .. }, Mode::MultiTenant) => events.push(Event::Reopened { step }),
        (Status::NotApplicable { .. }, Mode::SingleTenant) | (_, Mode::MultiTenant) => {}
        (_, Mode::SingleTenant) => events.push(not_applicable()),
    }
    events
}

fn not_applicable() -> Event {
    Event::NotApplicable {
        step: StepId::Communities,
        why: "the workspace is single-tenant: it has one community and cannot hold more".into(),
    }
}

/// An event that begins from an empty list, and what follows from the mode at once.
fn opening(event: Event, mode: Mode) -> Vec<Event> {
    let mut events = vec![event];
    if mode == Mode::SingleTenant {
        events.push(not_applicable());
    }
    events
}

fn unsettled(session: &Session, step: StepId) -> Result<(), Refusal> {
    let status = &session.step(step).status;
    if status.is_settled() {
        return Err(Refusal::AlreadySettled(step, status.name()));
    }
    Ok(())
}

fn fits(reason: &str) -> Result<(), Refusal> {
    let length = reason.chars().count();
    if length > MAX_REASON { Err(Refusal::ReasonTooLong(length)) } else { Ok(()) }
}

fn yesterday(now: Timestamp) -> Date {
    let today = now.to_zoned(TimeZone::UTC).date();
    today.yesterday().unwrap_or(today)
}
