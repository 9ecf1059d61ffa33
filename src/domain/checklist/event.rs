//! What can have happened to a session, how it changes the state, and how both are stored.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::steps::quickstart::Product;
use super::{Concluded, Evidence, Mode, Session, Status, StepId, StepState};
use crate::chat::text::ERASED;
use crate::chat::{Actor, Change, Community, MessageId, UserId};

/// Requests that a session remembers.
const MOST_REQUESTS: usize = 500;

/// Something that happened. Stored as the body of an audit record: a variant or a field is added,
/// never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Opened {
        community: Community,
        mode: Mode,
    },
    Rebound {
        community: Community,
        mode: Mode,
    },
    ModeChanged {
        mode: Mode,
    },
    Verified {
        step: StepId,
        evidence: Evidence,
    },
    /// Sekoia shows something, and nobody said whether it is all.
    Seen {
        step: StepId,
        evidence: Evidence,
    },
    Attested {
        step: StepId,
        note: Option<Box<str>>,
    },
    Skipped {
        step: StepId,
        reason: Box<str>,
    },
    NotApplicable {
        step: StepId,
        why: Box<str>,
    },
    Waiting {
        step: StepId,
        on: Box<str>,
    },
    Reopened {
        step: StepId,
    },
    /// Who did it said which account at Sekoia is theirs.
    AccountGiven {
        address: Box<str>,
    },
    /// The address of Sekoia's app was posted for everybody in the channel.
    AddressShared {
        app: Box<str>,
    },
    /// The quick start was posted for everybody in the channel, and written to so many people.
    QuickStartSent {
        products: Box<[Product]>,
        people: usize,
    },
    /// Sekoia no longer confirms it, or not as it did; `what` changed.
    Drifted {
        step: StepId,
        what: Box<str>,
    },
    Assigned {
        step: StepId,
        to: Option<UserId>,
    },
    DueSet {
        step: StepId,
        due: Option<Date>,
    },
    Concluded {
        step: StepId,
        concluded: Box<Concluded>,
    },
    ProgressPosted {
        message: MessageId,
        /// The earlier message that could not be edited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<MessageId>,
    },
    Reset,
}

/// An event with who and when: without both, nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub event: Event,
    pub by: Actor,
    pub at: Timestamp,
}

impl Event {
    /// The record's kind in the audit.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "session.opened",
            Event::Rebound { .. } => "session.rebound",
            Event::ModeChanged { .. } => "session.mode_changed",
            Event::Verified { .. } => "step.verified",
            Event::Seen { .. } => "step.seen",
            Event::Attested { .. } => "step.attested",
            Event::Skipped { .. } => "step.skipped",
            Event::NotApplicable { .. } => "step.not_applicable",
            Event::Waiting { .. } => "step.waiting",
            Event::Reopened { .. } => "step.reopened",
            Event::AccountGiven { .. } => "account.given",
            Event::AddressShared { .. } => "region.shared",
            Event::QuickStartSent { .. } => "quickstart.sent",
            Event::Drifted { .. } => "step.drifted",
            Event::Assigned { .. } => "step.assigned",
            Event::DueSet { .. } => "step.due",
            Event::Concluded { .. } => "request.concluded",
            Event::ProgressPosted { .. } => "session.progress_posted",
            Event::Reset => "session.reset",
        }
    }

    pub fn step(&self) -> Option<StepId> {
        match self {
            Event::Verified { step, .. }
            | Event::Seen { step, .. }
            | Event::Attested { step, .. }
            | Event::Skipped { step, .. }
            | Event::NotApplicable { step, .. }
            | Event::Waiting { step, .. }
            | Event::Reopened { step }
            | Event::Drifted { step, .. }
            | Event::Assigned { step, .. }
            | Event::DueSet { step, .. }
            | Event::Concluded { step, .. } => Some(*step),
            Event::Opened { .. }
            | Event::Rebound { .. }
            | Event::ModeChanged { .. }
            | Event::AccountGiven { .. }
            | Event::AddressShared { .. }
            | Event::QuickStartSent { .. }
            | Event::ProgressPosted { .. }
            | Event::Reset => None,
        }
    }
}

impl Session {
    /// The state after an event. A session begins with [`Event::Opened`]; before it, nothing
    /// else means anything.
    pub fn apply(state: Option<Session>, recorded: &Recorded) -> Option<Session> {
        let change = Change { by: recorded.by.clone(), at: recorded.at };
        if let Event::Opened { community, mode } = &recorded.event {
            let (progress, replaces) = state.map(|s| (s.progress, s.replaces)).unwrap_or_default();
            return Some(Session {
                opened: change,
                community: community.clone(),
                mode: *mode,
                progress,
                replaces,
                shared: None,
                sent: None,
                accounts: Vec::new(),
                requests: Vec::new(),
                steps: Default::default(),
            });
        }
        let mut session = state?;
        match &recorded.event {
            Event::Opened { .. } => {}
            Event::Rebound { community, mode } => {
                session.community = community.clone();
                session.mode = *mode;
                // What was proven of one community says nothing of another: who does what by
                // when is kept, the statuses are not.
                for step in &mut session.steps {
                    step.status = Status::Open;
                    step.changed = None;
                    step.drifted = None;
                }
            }
            Event::ModeChanged { mode } => session.mode = *mode,
            Event::AccountGiven { address } => {
                if let Actor::Person(user) = &recorded.by {
                    session.accounts.retain(|(known, _)| known != user);
                    // What was erased since is no account.
                    if **address != *ERASED {
                        session.accounts.push((user.clone(), address.clone()));
                    }
                }
            }
            Event::AddressShared { app } => session.shared = Some(app.clone()),
            Event::QuickStartSent { .. } => session.sent = Some(change),
            Event::Verified { step, evidence } => {
                session.set(*step, Status::Verified { evidence: Box::new(evidence.clone()) }, change);
            }
            Event::Seen { step, evidence } => {
                session.set(*step, Status::Seen { evidence: Box::new(evidence.clone()) }, change);
            }
            Event::Attested { step, note } => session.set(*step, Status::Attested { note: note.clone() }, change),
            Event::Skipped { step, reason } => session.set(*step, Status::Skipped { reason: reason.clone() }, change),
            Event::NotApplicable { step, why } => {
                session.set(*step, Status::NotApplicable { why: why.clone() }, change);
            }
            Event::Waiting { step, on } => session.set(*step, Status::Waiting { on: on.clone() }, change),
            Event::Reopened { step } => session.set(*step, Status::Open, change),
            Event::Drifted { step, what } => {
                session.set(*step, Status::Open, change);
                session.steps[*step as usize].drifted = Some(what.clone());
            }
            Event::Assigned { step, to } => session.steps[*step as usize].assignee.clone_from(to),
            Event::DueSet { step, due } => session.steps[*step as usize].due = *due,
            Event::Concluded { step, concluded } => {
                let at = change.at;
                let waited = matches!(&session.step(*step).status,
                    Status::Waiting { on } if on.contains(&*concluded.request));
                if waited {
                    session.set(*step, Status::Open, change);
                }
                session.requests.push((at, (**concluded).clone()));
                // The request's own stream has them all; here stand the latest.
                let most = session.requests.len().saturating_sub(MOST_REQUESTS);
                session.requests.drain(..most);
            }
            Event::ProgressPosted { message, replaces } => {
                session.progress = Some(message.clone());
                session.replaces.clone_from(replaces);
            }
            Event::Reset => session.steps = Default::default(),
        }
        Some(session)
    }

    /// One person did most of it: their id is kept once, not once a step.
    fn share_ids(&mut self) {
        let mut known: Vec<UserId> = Vec::new();
        let mut share = |id: &mut UserId| match known.iter().find(|other| *other == id) {
            Some(same) => *id = same.clone(),
            None => known.push(id.clone()),
        };
        if let Actor::Person(id) = &mut self.opened.by {
            share(id);
        }
        for step in &mut self.steps {
            step.assignee.as_mut().map(&mut share);
            if let Some(Change { by: Actor::Person(id), .. }) = &mut step.changed {
                share(id);
            }
        }
    }

    fn set(&mut self, step: StepId, status: Status, change: Change) {
        let state = &mut self.steps[step as usize];
        state.status = status;
        state.changed = Some(change);
        state.drifted = None;
    }
}

impl Serialize for StepId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for StepId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        StepId::all()
            .find(|id| id.name() == name)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown step {name:?}")))
    }
}

/// The stored form: steps by name, untouched ones left out, so that a step can be added.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    opened: Change,
    community: Community,
    mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<Change>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<(UserId, Box<str>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requests: Vec<(Timestamp, Concluded)>,
    #[serde(default)]
    steps: StoredSteps,
}

#[derive(Default)]
struct StoredSteps([StepState; StepId::COUNT]);

impl Serialize for StoredSteps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for id in StepId::all() {
            let step = &self.0[id as usize];
            if *step != StepState::default() {
                map.serialize_entry(id.name(), step)?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StoredSteps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = std::collections::HashMap::<StepId, StepState>::deserialize(deserializer)?;
        let mut steps = Self::default();
        for (id, step) in named {
            steps.0[id as usize] = step;
        }
        Ok(steps)
    }
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredSession {
            opened: self.opened.clone(),
            community: self.community.clone(),
            mode: self.mode,
            progress: self.progress.clone(),
            replaces: self.replaces.clone(),
            shared: self.shared.clone(),
            sent: self.sent.clone(),
            accounts: self.accounts.clone(),
            requests: self.requests.clone(),
            steps: StoredSteps(self.steps.clone()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredSession::deserialize(deserializer)?;
        let mut session = Session {
            opened: stored.opened,
            community: stored.community,
            mode: stored.mode,
            progress: stored.progress,
            replaces: stored.replaces,
            shared: stored.shared,
            sent: stored.sent,
            accounts: stored.accounts,
            requests: stored.requests,
            steps: stored.steps.0,
        };
        session.share_ids();
        Ok(session)
    }
}
