//! A request of several parts, each of which becomes a request of its own.

use serde::{Deserialize, Serialize};

use super::{Approval, ApprovalId, Command, Event, Item, Outcome, Refusal, Stage, Status};
use crate::chat::UserId;
use crate::domain::action::BundlePart;

/// Which part of which request this carries out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRef {
    pub id: ApprovalId,
    pub item: usize,
    /// Who asked for the bundle: for a key, somebody else may keep it.
    pub by: UserId,
}

impl Approval {
    pub fn is_bundle(&self) -> bool {
        self.request.action.is_bundle()
    }

    pub fn part(&self, item: usize) -> Option<&BundlePart> {
        self.request.action.parts().get(item)
    }

    /// The request that carries out a part, if there is one yet.
    pub fn child(&self, item: usize) -> Option<&ApprovalId> {
        self.children.get(item)?.as_ref()
    }

    /// The parts whose turn it is and that were not begun: none while earlier ones are under way.
    pub fn parts_due(&self) -> Vec<usize> {
        if !matches!(self.stage, Stage::Approved) {
            return Vec::new();
        }
        let turn = |item: &usize| self.part(*item).map(BundlePart::turn);
        let of = |state: fn(&Item) -> bool| (0..self.items.len()).filter(move |item| state(&self.items[*item]));
        let Some(first) = of(|item| matches!(item, Item::Waiting)).filter_map(|item| turn(&item)).min() else {
            return Vec::new();
        };
        if of(|item| matches!(item, Item::Started { .. })).any(|item| turn(&item) < Some(first)) {
            return Vec::new();
        }
        of(|item| matches!(item, Item::Waiting)).filter(|item| turn(item) == Some(first)).collect()
    }

    /// Whether a part failed or is left to a person, whatever is still under way.
    pub fn lacks_parts(&self) -> bool {
        let open = |item: &Item| matches!(item, Item::Failed { .. } | Item::ByHand { .. } | Item::Unknown { .. });
        self.is_bundle() && self.items.iter().any(open)
    }

    pub(super) fn bundle_status(&self) -> Status {
        let any = |of: fn(&Item) -> bool| self.items.iter().any(of);
        let waiting = any(|i| matches!(i, Item::Waiting));
        if waiting && self.needs_somebody() {
            return Status::Held;
        }
        if waiting && self.is_unbegun() {
            return Status::Approved;
        }
        let started = |key: bool| {
            let is_key = |i: usize| matches!(self.part(i), Some(BundlePart::Key { .. }));
            self.items.iter().enumerate().any(|(i, item)| matches!(item, Item::Started { .. }) && is_key(i) == key)
        };
        if waiting || started(false) {
            Status::Executing
        } else if started(true) {
            // Nothing but keys is left, and those wait for their people.
            Status::Handover
        } else if any(|i| matches!(i, Item::Unknown { .. })) {
            Status::Unknown
        } else if any(|i| matches!(i, Item::ByHand { .. })) {
            Status::ByHand
        } else if any(|i| matches!(i, Item::Failed { .. })) {
            Status::Failed
        } else {
            Status::Succeeded
        }
    }
}

/// A part begins, or goes on because somebody saw to its request.
pub(super) fn start_part(approval: &Approval, item: usize, child: ApprovalId) -> Result<Event, Refusal> {
    let (Some(part), Stage::Approved) = (approval.part(item), &approval.stage) else {
        return Err(Refusal::NothingToDo);
    };
    match approval.items.get(item) {
        Some(Item::Waiting) if !approval.is_as_approved() => return Err(Refusal::Altered),
        _ if approval.held.is_some() => return Err(Refusal::Held),
        Some(Item::Waiting) if approval.parts_due().contains(&item) => {}
        Some(Item::Failed { .. } | Item::ByHand { .. } | Item::Unknown { .. })
            if approval.child(item) == Some(&child) => {}
        _ => return Err(Refusal::NothingToDo),
    }
    Ok(Event::Started { item, target: part.title().into(), clock: None, child: Some(child) })
}

/// Whether a part came to something else than what is on record of it.
pub(super) fn is_new(current: &Item, outcome: &Outcome) -> bool {
    match (current, outcome) {
        (Item::Done { .. }, _) => false,
        (_, Outcome::Done { .. }) => true,
        (Item::Failed { why: known, .. }, Outcome::Failed { why })
        | (Item::ByHand { why: known, .. }, Outcome::ByHand { why })
        | (Item::Unknown { why: known, .. }, Outcome::Unknown { why }) => known != why,
        (_, Outcome::Failed { .. } | Outcome::ByHand { .. } | Outcome::Unknown { .. }) => true,
        _ => false,
    }
}

/// Whoever asked gives up what was not begun; what is under way has requests of its own.
pub(super) fn give_up(approval: &Approval) -> Result<Vec<Event>, Refusal> {
    let left = |i: &usize| matches!(approval.items[*i], Item::Waiting | Item::ByHand { .. } | Item::Unknown { .. });
    let events: Vec<Event> = (0..approval.items.len())
        .filter(left)
        .map(|item| Event::Failed { item, why: "given up by who asked".into() })
        .collect();
    if events.is_empty() { Err(Refusal::UnderWay) } else { Ok(events) }
}

impl Command {
    /// What a part came to, by the request that carries it out; none while that is open.
    pub fn follow(item: usize, child: &Approval) -> Option<Self> {
        let outcome = match child.status() {
            Status::Succeeded => Outcome::Done { uuid: None, how: super::How::Answered },
            Status::Failed => Outcome::Failed { why: why(child) },
            Status::ByHand => Outcome::ByHand { why: why(child) },
            Status::Unknown => Outcome::Unknown { why: why(child) },
            Status::Rejected => Outcome::Failed { why: "rejected".into() },
            Status::Cancelled => Outcome::Failed { why: "withdrawn".into() },
            Status::Expired if child.waits_for_a_press(0) => {
                Outcome::Failed { why: "nobody came for the key in time".into() }
            }
            Status::Expired => Outcome::Failed { why: "its time ran out".into() },
            Status::Requested | Status::Approved | Status::Held | Status::Executing | Status::Handover => return None,
        };
        Some(Command::Report { item, sends: None, outcome })
    }
}

/// `2 of 3 done; cy@nimbus.example: Sekoia …`.
fn why(child: &Approval) -> Box<str> {
    let open = child.items.iter().enumerate().find_map(|(i, item)| match item {
        Item::Failed { why, .. } | Item::ByHand { why, .. } | Item::Unknown { why, .. } => Some((i, why)),
        _ => None,
    });
    let Some((item, why)) = open else { return "it did not succeed".into() };
    if child.items.len() == 1 {
        return why.clone();
    }
    let done = child.count(Item::is_done);
    format!("{done} of {} done; {}: {why}", child.items.len(), child.request.action.target(item)).into()
}
