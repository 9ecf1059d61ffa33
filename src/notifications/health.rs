//! How the rules do: what was looked at when, what failed, what fired. Kept in memory, because it
//! changes with every look: a new process knows nothing before its first one, and says so.

use dashmap::DashMap;
use jiff::Timestamp;
use std::sync::RwLock;
use uuid::Uuid;

use crate::notify::Trigger;
use crate::platform::ChannelKey;
use crate::text::shown;

/// Characters of an error.
const WHY: usize = 200;

/// What whoever watches tells, and what `notify` shows.
#[derive(Debug, Default)]
pub struct Health {
    looks: DashMap<(Uuid, Trigger), Look>,
    fired: DashMap<(ChannelKey, u32), Timestamp>,
    heard: DashMap<ChannelKey, Timestamp>,
    counted: DashMap<Uuid, Counted>,
    live: RwLock<Live>,
}

/// What became of the looks for one trigger in one community.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The last one that succeeded.
    pub evaluated: Option<Timestamp>,
    /// There was more than it could bring: everything up to then was compared.
    pub behind: Option<Timestamp>,
    /// What went wrong, and when, if nothing succeeded since.
    pub failed: Option<(Box<str>, Timestamp)>,
}

/// How much of what is polled there is in a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub intakes: usize,
    pub playbooks: usize,
}

/// Whether Sekoia's LiveAPI is listened to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Live {
    #[default]
    Off,
    Connected {
        since: Timestamp,
    },
    Lost {
        why: String,
        since: Timestamp,
    },
}

impl Health {
    /// Rules of this trigger were compared at `at`: with everything, or with what is not `behind`.
    pub fn evaluated(&self, community: Uuid, trigger: Trigger, at: Timestamp, behind: Option<Timestamp>) {
        let mut look = self.looks.entry((community, trigger)).or_default();
        look.behind = behind;
        look.evaluated = look.evaluated.max(Some(at));
        if look.failed.as_ref().is_some_and(|(_, failed)| *failed <= at) {
            look.failed = None;
        }
    }

    /// They could not be; the error may hold anything.
    pub fn failed(&self, community: Uuid, trigger: Trigger, why: &str, at: Timestamp) {
        self.looks.entry((community, trigger)).or_default().failed = Some((shown(why, WHY).into(), at));
    }

    pub fn fired(&self, channel: &ChannelKey, rule: u32, at: Timestamp) {
        let mut fired = self.fired.entry((channel.clone(), rule)).or_insert(at);
        *fired = (*fired).max(at);
    }

    pub fn live(&self, state: Live) {
        *self.live.write().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    }

    /// Sekoia called the channel's webhook.
    pub fn heard(&self, channel: &ChannelKey, at: Timestamp) {
        self.heard.insert(channel.clone(), at);
    }

    pub fn counted(&self, community: Uuid, intakes: usize, playbooks: usize) {
        self.counted.insert(community, Counted { intakes, playbooks });
    }

    pub fn look(&self, community: Uuid, trigger: Trigger) -> Look {
        self.looks.get(&(community, trigger)).map(|look| look.clone()).unwrap_or_default()
    }

    pub fn last_fired(&self, channel: &ChannelKey, rule: u32) -> Option<Timestamp> {
        self.fired.get(&(channel.clone(), rule)).map(|at| *at)
    }

    pub fn live_state(&self) -> Live {
        self.live.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub fn last_heard(&self, channel: &ChannelKey) -> Option<Timestamp> {
        self.heard.get(channel).map(|at| *at)
    }

    /// None: nobody has looked yet.
    pub fn count(&self, community: Uuid) -> Option<Counted> {
        self.counted.get(&community).map(|counted| *counted)
    }

    /// Everything that was counted, of all communities: the budget is one.
    pub fn total(&self) -> Option<Counted> {
        let all = self.counted.iter().map(|counted| *counted);
        all.reduce(|a, b| Counted { intakes: a.intakes + b.intakes, playbooks: a.playbooks + b.playbooks })
    }
}
