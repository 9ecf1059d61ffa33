//! What can have happened to a plan, and how it changes the state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelPlan, Origin, Part, Plan};
use crate::chat::text::ERASED;
use crate::chat::{Actor, Change};

/// Requests that a plan remembers.
const MOST_JOINED: usize = 500;

/// Something that happened. Stored as the body of an audit record: a variant or a field is added,
/// never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody said what a part is, and that it is all.
    PartSet {
        part: Part,
        plan: Box<Plan>,
    },
    /// Things came to the plan because a request for them was approved; whether they are all, nobody said.
    Joined {
        request: Box<str>,
        plan: Box<Plan>,
        /// A key that is revoked by it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        without: Option<Box<str>>,
    },
    /// Somebody added or changed things of a part.
    Added {
        plan: Box<Plan>,
    },
    Dropped {
        part: Part,
        name: Box<str>,
    },
    /// A part is open again.
    PartOpened {
        part: Part,
    },
    /// The channel works on another community: nothing is planned.
    Cleared,
    /// From a file or a template: in the place of everything that it speaks of.
    Imported {
        plan: Box<Plan>,
        origin: Option<Origin>,
    },
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
            Event::PartSet { .. } => "plan.part_set",
            Event::Joined { .. } => "plan.joined",
            Event::Added { .. } => "plan.added",
            Event::Dropped { .. } => "plan.dropped",
            Event::PartOpened { .. } => "plan.part_opened",
            Event::Cleared => "plan.cleared",
            Event::Imported { .. } => "plan.imported",
        }
    }
}

impl ChannelPlan {
    /// The state after an event. It begins with nothing planned.
    pub fn apply(state: Option<ChannelPlan>, recorded: &Recorded) -> ChannelPlan {
        let mut state = state.unwrap_or_default();
        let change = || Change { by: recorded.by.clone(), at: recorded.at };
        match &recorded.event {
            Event::PartSet { part, plan } => {
                state.plan.replace(*part, plan);
                state.complete.insert(*part, change());
            }
            Event::Joined { request, plan, without } => {
                if let Some(key) = without {
                    state.plan.remove(Part::Keys, key);
                }
                state.plan.join(plan);
                state.joined.push(request.clone());
                let most = state.joined.len().saturating_sub(MOST_JOINED);
                state.joined.drain(..most);
            }
            Event::Added { plan } => state.plan.merge(plan),
            Event::Dropped { part, name } => {
                state.plan.remove(*part, name);
            }
            Event::PartOpened { part } => {
                state.plan.replace(*part, &Plan::default());
                state.complete.remove(part);
            }
            Event::Cleared => state = ChannelPlan::default(),
            Event::Imported { plan, origin } => {
                for part in plan.parts() {
                    state.plan.replace(part, plan);
                    state.complete.insert(part, change());
                }
                state.origin.clone_from(origin);
            }
        }
        // Whose address was erased since is not planned any more.
        if let Some(people) = &mut state.plan.people {
            people.retain(|person| *person.address != *ERASED);
        }
        state
    }
}
