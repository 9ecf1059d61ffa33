//! Storms: many firings of one rule in a short time become one message that counts.
//!
//! One [`Storm`] a rule, kept with what is owed to the chat. Whoever calls has left out what was
//! reported before.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// So many cards of their own within [`WINDOW`]; what comes then joins the storm.
pub const OWN_CARDS: usize = 5;
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// A storm is over when nothing came for so long.
pub const QUIET: SignedDuration = SignedDuration::from_mins(10);

/// How a rule fired lately. Its size does not depend on how often.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Storm {
    /// When firings got cards of their own; the last few.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    own: VecDeque<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    running: Option<Swarm>,
}

/// The firings that share a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The highest urgency among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<u8>,
}

/// What becomes of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    OwnCard,
    /// The storm's message is posted: the firing is its first.
    Starts(Swarm),
    /// The storm's message is edited.
    Joins(Swarm),
}

impl Storm {
    /// A firing at `now`; before its place, the storm that was over by then, if nobody asked
    /// [`over`](Self::over) meanwhile.
    pub fn fired(&mut self, urgency: Option<u8>, now: Timestamp) -> (Option<Swarm>, Place) {
        let ended = self.over(now);
        if let Some(swarm) = &mut self.running {
            swarm.count = swarm.count.saturating_add(1);
            swarm.last = now;
            swarm.worst = swarm.worst.max(urgency);
            return (ended, Place::Joins(*swarm));
        }
        // A clock that was set back leaves none of a time to come.
        self.own.retain(|at| *at <= now && now.duration_since(*at) < WINDOW);
        if self.own.len() < OWN_CARDS {
            self.own.push_back(now);
            return (ended, Place::OwnCard);
        }
        let swarm = Swarm { count: 1, first: now, last: now, worst: urgency };
        self.running = Some(swarm);
        (ended, Place::Starts(swarm))
    }

    /// Ends the storm if nothing came for [`QUIET`]: what it came to. A clock that was set back by
    /// more than that ends it too; it would go on for as long otherwise.
    pub fn over(&mut self, now: Timestamp) -> Option<Swarm> {
        let swarm = self.running.filter(|swarm| now.duration_since(swarm.last).abs() >= QUIET)?;
        *self = Self::default();
        Some(swarm)
    }

    pub fn running(&self) -> Option<&Swarm> {
        self.running.as_ref()
    }

    /// When to ask whether it is [`over`](Self::over).
    pub fn ends(&self) -> Option<Timestamp> {
        self.running.and_then(|swarm| swarm.last.checked_add(QUIET).ok())
    }
}
