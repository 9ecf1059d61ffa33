//! Storms: many firings of one rule in a short time become one message that counts.
//!
//! One [`Storm`] a rule, kept with what is owed to the chat. Whoever calls has left out what was
//! reported before.

use std::collections::VecDeque;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::chat::text::{first, shown};

/// So many cards of their own within [`WINDOW`]; what comes then joins the storm.
pub const OWN_CARDS: usize = 5;
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// A storm is over when nothing came for so long.
pub const QUIET: SignedDuration = SignedDuration::from_mins(10);
/// Names that a message lists, and characters of one.
const NAMED: usize = 5;
const NAME: usize = 80;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The highest urgency among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<u8>,
    /// What they were about.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}

/// What many things were about: the last few names, with how often. Its size does not depend on
/// how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// The latest last.
    #[serde(default)]
    last: VecDeque<(Box<str>, u64)>,
    #[serde(default)]
    total: u64,
}

impl Names {
    pub fn add(&mut self, name: &str) {
        self.count(name, 1);
    }

    /// Adds what others counted.
    pub fn join(&mut self, others: &Names) {
        others.last.iter().for_each(|(name, times)| self.count(name, *times));
        self.total = self.total.saturating_add(others.more());
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    fn count(&mut self, name: &str, times: u64) {
        let name = first(name, NAME);
        let known = self.last.iter().position(|(known, _)| &**known == name);
        let before = known.and_then(|at| self.last.remove(at)).map_or(0, |(_, times)| times);
        self.last.push_back((name.into(), before.saturating_add(times)));
        if self.last.len() > NAMED {
            self.last.pop_front();
        }
        self.total = self.total.saturating_add(times);
    }

    fn more(&self) -> u64 {
        self.last.iter().fold(self.total, |left, (_, times)| left.saturating_sub(*times))
    }
}

/// Harmless to show: `Okta, Laptops (3) and 4 more`.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, times)) in self.last.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}", shown(name, NAME))?;
            if *times > 1 {
                write!(f, " ({times})")?;
            }
        }
        match self.more() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// What becomes of a firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    OwnCard,
    /// The storm's message is posted: the firing is its first.
    Starts(Swarm),
    /// The storm's message is edited.
    Joins(Swarm),
}

impl Storm {
    /// A firing about `name` at `now`; before its place, the storm that was over by then, if nobody
    /// asked [`over`](Self::over) meanwhile.
    pub fn fired(&mut self, urgency: Option<u8>, name: &str, now: Timestamp) -> (Option<Swarm>, Place) {
        let ended = self.over(now);
        if let Some(swarm) = &mut self.running {
            swarm.count = swarm.count.saturating_add(1);
            swarm.last = now;
            swarm.worst = swarm.worst.max(urgency);
            swarm.names.add(name);
            return (ended, Place::Joins(swarm.clone()));
        }
        // A clock that was set back leaves none of a time to come.
        self.own.retain(|at| *at <= now && now.duration_since(*at) < WINDOW);
        if self.own.len() < OWN_CARDS {
            self.own.push_back(now);
            return (ended, Place::OwnCard);
        }
        let mut swarm = Swarm { count: 1, first: now, last: now, worst: urgency, names: Names::default() };
        swarm.names.add(name);
        self.running = Some(swarm.clone());
        (ended, Place::Starts(swarm))
    }

    /// Ends the storm if nothing came for [`QUIET`]: what it came to. A clock that was set back by
    /// more than that ends it too; it would go on for as long otherwise.
    pub fn over(&mut self, now: Timestamp) -> Option<Swarm> {
        self.running.as_ref().filter(|swarm| now.duration_since(swarm.last).abs() >= QUIET)?;
        std::mem::take(self).running
    }

    pub fn running(&self) -> Option<&Swarm> {
        self.running.as_ref()
    }

    /// When to ask whether it is [`over`](Self::over).
    pub fn ends(&self) -> Option<Timestamp> {
        self.running.as_ref().and_then(Swarm::ends)
    }
}

impl Swarm {
    /// When it is over, if nothing comes any more.
    pub fn ends(&self) -> Option<Timestamp> {
        self.last.checked_add(QUIET).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_names_stay_and_the_others_are_counted() {
        let mut names = Names::default();
        for name in ["a", "b", "c", "d", "e", "f", "b", "b"] {
            names.add(name);
        }
        assert_eq!(names.to_string(), "c, d, e, f, b (3) and 1 more");
        let mut more = Names::default();
        more.add("<!channel>\n");
        more.join(&names);
        assert_eq!(more.total(), 9);
        assert_eq!(more.to_string(), "c, d, e, f, b (3) and 2 more");
    }
}
