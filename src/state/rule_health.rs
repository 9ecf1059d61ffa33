//! How the rules do: what was looked at when, what failed, what there is to look at.
//!
//! It changes with every look, so it is kept in the memory of the process that watches, which
//! stores it now and then as one row: for `notify` in another process, and for whoever watches next.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use uuid::Uuid;

use super::kept::keep;
use crate::chat::ChannelKey;
use crate::chat::text::shown;
use crate::domain::notify::Trigger;
use crate::pace::Seldom;
use crate::store::{Keep, KeptKind};

/// Characters of an error.
const WHY: usize = 200;
/// The key of the row, among those of the sources.
pub const HEALTH: &str = "health";

/// What whoever watches tells, and what `notify` shows.
#[derive(Debug, Default)]
pub struct Health {
    /// By community, trigger and source: of what one source cannot read, another knows nothing.
    looks: DashMap<(Uuid, Trigger, Box<str>), Look>,
    heard: DashMap<ChannelKey, Timestamp>,
    /// How many hints of a channel's webhook were dropped, and the last one.
    dropped: DashMap<ChannelKey, (u64, Timestamp)>,
    counted: DashMap<Uuid, Counted>,
    live: RwLock<Live>,
    watching: AtomicBool,
}

/// What became of the looks at one source for one trigger in one community.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Look {
    /// The last one that succeeded.
    #[serde(default)]
    pub evaluated: Option<Timestamp>,
    /// There was more than it could bring: everything up to then was compared.
    #[serde(default)]
    pub behind: Option<Timestamp>,
    /// What went wrong, and when, if nothing succeeded since.
    #[serde(default)]
    pub failed: Option<(Box<str>, Timestamp)>,
    /// What a look that succeeded could not do.
    #[serde(default)]
    pub remark: Option<Box<str>>,
}

/// How much of what is polled there is in a community; none of what nobody counted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    #[serde(default)]
    pub intakes: Option<usize>,
    #[serde(default)]
    pub playbooks: Option<usize>,
    #[serde(default)]
    pub triggers: Option<usize>,
    #[serde(default)]
    pub connectors: Option<usize>,
}

/// Whether Sekoia's LiveAPI is listened to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "live", rename_all = "snake_case")]
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

/// All of it at an instant: what is stored, and what is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(default)]
    pub at: Timestamp,
    #[serde(default)]
    pub live: Live,
    #[serde(default)]
    looks: Vec<Looked>,
    #[serde(default)]
    counted: BTreeMap<Uuid, Counted>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place {
    community: Uuid,
    trigger: Trigger,
    #[serde(default)]
    source: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Looked {
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    look: Look,
}

/// While it is there, this process watches.
pub struct Watching<'a>(&'a Health);

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.watching.store(false, Ordering::Relaxed);
    }
}

impl Health {
    /// Rules of this trigger were compared at `at`: with everything, or with what is not `behind`.
    pub fn evaluated(&self, community: Uuid, trigger: Trigger, source: &str, at: Timestamp, behind: Option<Timestamp>) {
        let mut look = self.looks.entry((community, trigger, source.into())).or_default();
        look.behind = behind;
        look.evaluated = look.evaluated.max(Some(at));
        if look.failed.as_ref().is_some_and(|(_, failed)| *failed <= at) {
            look.failed = None;
        }
    }

    /// They could not be; the error may hold anything.
    pub fn failed(&self, community: Uuid, trigger: Trigger, source: &str, why: &str, at: Timestamp) {
        let mut look = self.looks.entry((community, trigger, source.into())).or_default();
        look.failed = Some((shown(why, WHY).into(), at));
    }

    /// What the looks at a source cannot do at present, though they succeed.
    pub fn remark(&self, community: Uuid, trigger: Trigger, source: &str, remark: Option<&str>) {
        let mut look = self.looks.entry((community, trigger, source.into())).or_default();
        look.remark = remark.map(|remark| shown(remark, WHY).into());
    }

    pub fn live(&self, mut state: Live) {
        let mut live = self.live.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Another attempt that failed does not end the first loss.
        if let (Live::Lost { since: first, .. }, Live::Lost { since, .. }) = (&*live, &mut state) {
            *since = *first;
        }
        *live = state;
    }

    /// Sekoia called the channel's webhook.
    pub fn heard(&self, channel: &ChannelKey, at: Timestamp) {
        self.heard.insert(channel.clone(), at);
    }

    pub fn last_heard(&self, channel: &ChannelKey) -> Option<Timestamp> {
        self.heard.get(channel).map(|at| *at)
    }

    /// A hint of the channel's webhook found no room.
    pub fn dropped(&self, channel: &ChannelKey, at: Timestamp) {
        static DROPPED: Seldom = Seldom::new();
        let mut dropped = self.dropped.entry(channel.clone()).or_insert((0, at));
        *dropped = (dropped.0 + 1, at);
        if let Some(missed) = DROPPED.now() {
            warn!(channel = channel.as_str(), missed, "too many hints of a webhook wait; further ones are dropped");
        }
    }

    pub fn last_dropped(&self, channel: &ChannelKey) -> Option<(u64, Timestamp)> {
        self.dropped.get(channel).map(|dropped| *dropped)
    }

    /// Something was counted in a community.
    pub fn count(&self, community: Uuid, what: impl FnOnce(&mut Counted)) {
        what(&mut self.counted.entry(community).or_default());
    }

    pub fn counted(&self, community: Uuid) -> Counted {
        self.counted.get(&community).map(|counted| *counted).unwrap_or_default()
    }

    /// This process watches from now on.
    pub fn watch(&self) -> Watching<'_> {
        self.watching.store(true, Ordering::Relaxed);
        Watching(self)
    }

    pub fn is_watching(&self) -> bool {
        self.watching.load(Ordering::Relaxed)
    }

    pub fn snapshot(&self, at: Timestamp) -> Snapshot {
        let place = |(community, trigger, source): &(Uuid, Trigger, Box<str>)| Place {
            community: *community,
            trigger: *trigger,
            source: source.clone(),
        };
        let looks = self.looks.iter().map(|entry| (place(entry.key()), entry.value().clone()));
        // In one order, so that the same is the same.
        let looks: BTreeMap<Place, Look> = looks.collect();
        Snapshot {
            at,
            live: self.live.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
            looks: looks.into_iter().map(|(place, look)| Looked { place, look }).collect(),
            counted: self.counted.iter().map(|entry| (*entry.key(), *entry.value())).collect(),
        }
    }

    /// Takes in what whoever watched before knew.
    pub fn restore(&self, before: Snapshot) {
        for Looked { place, look } in before.looks {
            let mut known = self.looks.entry((place.community, place.trigger, place.source)).or_default();
            if look.evaluated >= known.evaluated {
                *known = look;
            }
        }
        for (community, counted) in before.counted {
            self.counted.insert(community, counted);
        }
    }
}

impl Snapshot {
    /// What became of the looks for a trigger, at whichever source: the last one that succeeded, and
    /// everything that is wrong.
    pub fn looks(&self, community: Uuid, trigger: Trigger) -> impl Iterator<Item = &Look> {
        let mine = self.looks.iter().filter(move |l| l.place.community == community && l.place.trigger == trigger);
        mine.map(|looked| &looked.look)
    }

    pub fn counted(&self, community: Uuid) -> Counted {
        self.counted.get(&community).copied().unwrap_or_default()
    }

    /// Whether both say the same, whenever they do.
    pub fn says_what(&self, other: &Snapshot) -> bool {
        (&self.live, &self.looks, &self.counted) == (&other.live, &other.looks, &other.counted)
    }

    pub fn row(&self) -> Keep {
        keep(KeptKind::Source, HEALTH, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_that_does_well_hides_nothing_of_another() {
        let (health, community, trigger) = (Health::default(), Uuid::nil(), Trigger::PlaybookError);
        let at = |second| Timestamp::from_second(second).unwrap();
        health.failed(community, trigger, "crashes", "Sekoia failed (500)", at(1));
        health.evaluated(community, trigger, "", at(2), None);
        health.count(community, |counted| counted.playbooks = Some(3));
        health.live(Live::Lost { why: "closed".into(), since: at(1) });
        let snapshot = health.snapshot(at(3));
        let failed = snapshot.looks(community, trigger).filter_map(|look| look.failed.as_ref());
        assert_eq!(failed.map(|(why, _)| &**why).collect::<Vec<_>>(), ["Sekoia failed (500)"]);
        // Whoever watches next knows it too.
        let kept: Snapshot = serde_json::from_str(&snapshot.row().body).unwrap();
        assert_eq!(kept, snapshot);
        let next = Health::default();
        next.restore(kept);
        assert_eq!(next.counted(community).playbooks, Some(3));
        assert!(next.snapshot(at(4)).looks(community, trigger).eq(snapshot.looks(community, trigger)));
        next.evaluated(community, trigger, "crashes", at(5), None);
        assert!(next.snapshot(at(6)).looks(community, trigger).all(|look| look.failed.is_none()));
    }
}
