//! What can have happened to a request, and how it changes the state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Absent, Approval, ApprovalId, Escalated, Guest, Held, Item, Proof, Request, Stage, Vote};
use crate::chat::{Actor, Change, MessageId, UserId};

/// Something that happened. Stored as the body of an audit record: a variant or a field is added,
/// never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Requested {
        id: ApprovalId,
        request: Box<Request>,
    },
    /// It carries out a part of an approved bundle: `asked` has to do with it, and these are the
    /// bundle's votes.
    AskedApproved {
        id: ApprovalId,
        request: Box<Request>,
        asked: UserId,
        votes: Vec<Vote>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        escalated: Option<Escalated>,
    },
    CardPosted {
        message: MessageId,
        /// The earlier message that could not be edited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<MessageId>,
    },
    /// One of the approvals that it needs, for exactly this action.
    Approved {
        hash: Box<str>,
        /// That it was who approved, where that is proven.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
    Rejected {
        reason: Box<str>,
    },
    Cancelled,
    Expired,
    /// The intent: the call comes after this.
    Started {
        item: usize,
        target: Box<str>,
        /// What Sekoia's clock showed just before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<Timestamp>,
        /// The request that carries out this part of a bundle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        child: Option<ApprovalId>,
    },
    /// Announced, and then not sent: Sekoia asked to wait, or could not be reached.
    NotSent {
        item: usize,
        why: Box<str>,
    },
    Unclear {
        item: usize,
        why: Box<str>,
    },
    /// Read back twice: Sekoia does not have it, so that it may be sent again.
    ProvenAbsent {
        item: usize,
    },
    Created {
        item: usize,
        uuid: Box<str>,
        until: Timestamp,
    },
    Shown {
        item: usize,
    },
    /// It was shown while the clock was ahead: it is waited for until then, not longer.
    ConfirmBy {
        item: usize,
        until: Timestamp,
    },
    /// The key is about to be revoked: from here on nobody can confirm it.
    Withdrawing {
        item: usize,
        why: Box<str>,
    },
    /// A key that nobody could have saved was revoked; who asked may press again.
    Withdrawn {
        item: usize,
        why: Box<str>,
    },
    Done {
        item: usize,
        uuid: Option<Box<str>>,
        how: How,
    },
    Failed {
        item: usize,
        why: Box<str>,
    },
    ByHand {
        item: usize,
        why: Box<str>,
    },
    Unknown {
        item: usize,
        why: Box<str>,
    },
    /// It was not decided in time: these count as approvers of it too, as the settings name them.
    Escalated {
        to: Vec<Box<str>>,
    },
    /// Somebody wants the failed ones tried again.
    Again,
    /// Somebody on whom the approval rests is gone, or could not be looked up.
    Held {
        who: Vec<Absent>,
    },
    /// They are all there again.
    Released,
    /// An approver wants it carried out all the same: in the place of `replaces`, and although
    /// `excuses`, who asked, is gone.
    Confirmed {
        hash: Box<str>,
        replaces: Option<UserId>,
        excuses: Option<UserId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
    /// What became of the people who were invited.
    Guests {
        guests: Vec<Guest>,
    },
}

/// How it is known that something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Sekoia said so.
    Answered,
    /// Its answer was lost; Sekoia's lists show it.
    Found,
    /// Sekoia had it before anything was sent.
    There,
    /// A person did it; Sekoia's lists show it.
    ByHand,
    /// A person says that the secret is saved.
    Confirmed,
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
            Event::Requested { .. } => "approval.requested",
            Event::AskedApproved { .. } => "approval.asked_approved",
            Event::CardPosted { .. } => "approval.card_posted",
            Event::Approved { .. } => "approval.approved",
            Event::Rejected { .. } => "approval.rejected",
            Event::Cancelled => "approval.cancelled",
            Event::Expired => "approval.expired",
            Event::Started { .. } => "call.started",
            Event::NotSent { .. } => "call.not_sent",
            Event::Unclear { .. } => "call.unclear",
            Event::ProvenAbsent { .. } => "call.proven_absent",
            Event::Created { .. } => "key.created",
            Event::Shown { .. } => "key.shown",
            Event::ConfirmBy { .. } => "key.confirm_by",
            Event::Withdrawing { .. } => "key.withdrawing",
            Event::Withdrawn { .. } => "key.withdrawn",
            Event::Done { .. } => "call.done",
            Event::Failed { .. } => "call.failed",
            Event::ByHand { .. } => "call.by_hand",
            Event::Unknown { .. } => "call.unknown",
            Event::Escalated { .. } => "approval.escalated",
            Event::Again => "approval.again",
            Event::Held { .. } => "approval.held",
            Event::Released => "approval.released",
            Event::Confirmed { .. } => "approval.confirmed",
            Event::Guests { .. } => "invitations.seen",
        }
    }
}

impl Approval {
    /// As it begins: asked for, and nothing done.
    fn begin(id: &ApprovalId, request: &Request, asked: Change) -> Self {
        let items = vec![Item::Waiting; request.action.items()];
        Approval {
            id: id.clone(),
            asked,
            request: request.clone(),
            votes: Vec::new(),
            stage: Stage::Requested,
            sends: vec![0; items.len()],
            children: Vec::new(),
            items,
            guests: Vec::new(),
            clock: None,
            held: None,
            excused: Vec::new(),
            escalated: None,
            card: None,
            replaces: None,
        }
    }

    /// The state after an event. It begins with [`Event::Requested`], or as part of a bundle with
    /// [`Event::AskedApproved`]; before it, nothing else means anything.
    pub fn apply(state: Option<Approval>, recorded: &Recorded) -> Option<Approval> {
        let Recorded { event, by, at } = recorded;
        let (by, at) = (by.clone(), *at);
        match event {
            Event::Requested { id, request } => return Some(Self::begin(id, request, Change { by, at })),
            Event::AskedApproved { id, request, asked, votes, escalated } => {
                let begun = Self::begin(id, request, Change { by: Actor::Person(asked.clone()), at });
                let (votes, escalated) = (votes.clone(), escalated.clone());
                return Some(Approval { votes, escalated, stage: Stage::Approved, ..begun });
            }
            _ => {}
        }
        let mut approval = state?;
        match event.clone() {
            Event::Requested { .. } | Event::AskedApproved { .. } => {}
            Event::CardPosted { message, replaces } => {
                approval.card = Some(message);
                approval.replaces = replaces;
            }
            Event::Approved { proof, .. } => {
                if let Actor::Person(by) = by {
                    approval.votes.push(Vote { by, at, proof });
                }
                if approval.votes.len() >= usize::from(approval.request.needed) {
                    approval.stage = Stage::Approved;
                }
            }
            Event::Rejected { reason } => approval.stage = Stage::Rejected { reason, change: Change { by, at } },
            Event::Cancelled => approval.stage = Stage::Cancelled { change: Change { by, at } },
            Event::Expired => approval.stage = Stage::Expired { at },
            Event::Started { item, clock, child, .. } => {
                approval.set(item, Item::Started { at });
                approval.clock = clock;
                if let Some(child) = child {
                    approval.children.resize(approval.items.len(), None);
                    if let Some(known) = approval.children.get_mut(item) {
                        *known = Some(child);
                    }
                }
                if let Some(sends) = approval.sends.get_mut(item) {
                    *sends += 1;
                }
            }
            Event::NotSent { item, .. } | Event::ProvenAbsent { item } | Event::Withdrawn { item, .. } => {
                approval.set(item, Item::Waiting);
            }
            Event::Unclear { item, why } => {
                // Counted from the call, not from when its silence was noticed.
                let since = match approval.items.get(item) {
                    Some(Item::Started { at } | Item::Unclear { since: at, .. }) => *at,
                    _ => at,
                };
                approval.set(item, Item::Unclear { since, why });
            }
            Event::Created { item, uuid, until } => {
                approval.set(item, Item::Created { at, uuid, shown: false, until, lost: None });
            }
            Event::Shown { item } => {
                if let Some(Item::Created { shown, .. }) = approval.items.get_mut(item) {
                    *shown = true;
                }
            }
            Event::ConfirmBy { item, until: by } => {
                if let Some(Item::Created { until, .. }) = approval.items.get_mut(item) {
                    *until = by;
                }
            }
            Event::Withdrawing { item, why } => {
                if let Some(Item::Created { lost, .. }) = approval.items.get_mut(item) {
                    *lost = Some(why);
                }
            }
            Event::Done { item, uuid, how } => {
                let uuid = match (uuid, approval.items.get(item)) {
                    (None, Some(Item::Created { uuid, .. })) => Some(uuid.clone()),
                    (uuid, _) => uuid,
                };
                approval.set(item, Item::Done { at, uuid, how });
            }
            Event::Failed { item, why } => approval.set(item, Item::Failed { at, why }),
            Event::ByHand { item, why } => approval.set(item, Item::ByHand { since: at, why }),
            Event::Unknown { item, why } => approval.set(item, Item::Unknown { since: at, why }),
            Event::Escalated { to } => approval.escalated = Some(Escalated { at, to }),
            Event::Again => {
                approval.sends = vec![0; approval.items.len()];
                for item in &mut approval.items {
                    if matches!(item, Item::Failed { .. } | Item::ByHand { .. } | Item::Unknown { .. }) {
                        *item = Item::Waiting;
                    }
                }
            }
            Event::Held { who } => approval.held = Some(Held { at, who }),
            Event::Released => approval.held = None,
            Event::Confirmed { replaces, excuses, proof, .. } => {
                if let (Some(gone), Actor::Person(by)) = (&replaces, by) {
                    approval.votes.retain(|vote| vote.by != *gone);
                    approval.votes.push(Vote { by, at, proof });
                }
                approval.excused.extend(excuses.clone());
                if let Some(held) = &mut approval.held {
                    let settled = [replaces, excuses];
                    held.who.retain(|absent| !settled.contains(&Some(absent.user.clone())));
                }
                approval.held = approval.held.filter(|held| !held.who.is_empty());
            }
            Event::Guests { guests } => approval.guests = guests,
        }
        Some(approval)
    }

    fn set(&mut self, item: usize, to: Item) {
        if let Some(item) = self.items.get_mut(item) {
            *item = to;
        }
    }
}
