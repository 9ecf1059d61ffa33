//! Channels whose id changed.
//!
//! Slack gives a channel another id when it is converted: made private, or shared. Everything is
//! kept under the id that a channel had first; Slack is asked by the one that it has now.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::sessions;
use super::stream::{Already, ChangeError, Folded, Streams};
use crate::chat::{Actor, ChannelKey};
use crate::store::{Commit, Store, StoreError, StreamId};
use crate::timing::store::MOVED_READ_EVERY;

/// Streams that are read at once.
const PAGE: u32 = 200;

/// The later ids of a channel, oldest first. Its stream bears the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LaterIds {
    pub ids: Vec<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum MoveEvent {
    IdChanged { old: Box<str>, new: Box<str> },
}

impl Folded for LaterIds {
    const FAMILY: &'static str = "channel";
    const SCHEMA: u32 = 1;
    type Event = MoveEvent;
    type Refusal = Already;

    fn kind(event: &MoveEvent) -> &'static str {
        match event {
            MoveEvent::IdChanged { .. } => "channel.id_changed",
        }
    }

    fn fold(state: Option<Self>, event: &MoveEvent, _: &Actor, _: Timestamp) -> Option<Self> {
        let MoveEvent::IdChanged { new, .. } = event;
        let mut ids = state.unwrap_or_default().ids;
        ids.retain(|id| id != new);
        ids.push(new.clone());
        Some(Self { ids })
    }
}

/// Every channel whose id changed, in memory: read from the store once, or, where other processes hear of
/// changes too, again and again.
pub struct Moved {
    streams: Streams<LaterIds>,
    known: RwLock<Known>,
    /// Held while the store is read, so that what was learned since is not forgotten.
    looking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the store was looked at last.
    looked: Option<Instant>,
    /// The first id, by every later one.
    first: HashMap<Box<str>, Box<str>>,
    /// The present id, by the first one.
    present: HashMap<Box<str>, Box<str>>,
}

impl Known {
    fn learn(&mut self, first: &str, later: &LaterIds) {
        self.first.extend(later.ids.iter().map(|id| (id.clone(), first.into())));
        if let Some(present) = later.ids.last() {
            self.present.insert(first.into(), present.clone());
        }
    }

    fn first<'a>(&'a self, id: &'a str) -> &'a str {
        self.first.get(id).map_or(id, |first| first)
    }

    fn present<'a>(&'a self, id: &'a str) -> &'a str {
        let first = self.first(id);
        self.present.get(first).map_or(first, |present| present)
    }
}

impl Moved {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { streams: Streams::new(store, 1).cached(), known: RwLock::default(), looking: Mutex::default() }
    }

    /// The key that everything of a channel is kept under.
    pub async fn first(&self, channel: &ChannelKey) -> Result<ChannelKey, StoreError> {
        self.keyed(channel, Known::first).await
    }

    /// The key with the id that the platform takes now.
    pub async fn present(&self, channel: &ChannelKey) -> Result<ChannelKey, StoreError> {
        self.keyed(channel, Known::present).await
    }

    async fn keyed(
        &self,
        channel: &ChannelKey,
        of: for<'a> fn(&'a Known, &'a str) -> &'a str,
    ) -> Result<ChannelKey, StoreError> {
        self.look().await?;
        let known = self.known();
        let id = of(&known, channel.channel());
        Ok(if id == channel.channel() { channel.clone() } else { ChannelKey::slack(channel.team(), id) })
    }

    /// Whether these ids are, or were, of one channel.
    pub async fn is_same(&self, one: &str, other: &str) -> Result<bool, StoreError> {
        self.look().await?;
        let known = self.known();
        Ok(known.first(one) == known.first(other))
    }

    /// Records that the channel `old` has the id `new` now. What was set up under the new id by
    /// itself stays by itself.
    pub async fn record(&self, old: &ChannelKey, new: &str, now: Timestamp) -> Result<(), StoreError> {
        let first = self.first(old).await?;
        if self.streams.store().load(&sessions::stream(&ChannelKey::slack(old.team(), new))).await?.is_some()
            && first.channel() != new
        {
            warn!(old = old.channel(), new, "a channel's new id has a checklist of its own; both are kept apart");
            return Ok(());
        }
        let event = MoveEvent::IdChanged { old: old.channel().into(), new: new.into() };
        let decide = |later: Option<&LaterIds>| {
            let delivered_again = later.and_then(|later| later.ids.last()).is_some_and(|id| **id == *new);
            if delivered_again { Err(Already) } else { Ok(vec![event.clone()]) }
        };
        match self.streams.change(first.channel(), &Actor::Bot, now, decide, |_| Commit::default()).await {
            Ok(_) => info!(old = old.channel(), new, "a channel has another id now"),
            Err(ChangeError::Store(error)) => return Err(error),
            // A later release knows more about it, or other processes do.
            Err(
                ChangeError::Refused(Already) | ChangeError::Newer | ChangeError::Contended | ChangeError::Superseded,
            ) => {}
        }
        let _looking = self.looking.lock().await;
        if let Some(later) = self.streams.read(first.channel()).await?.state {
            self.known_to_change().learn(first.channel(), &later);
        }
        Ok(())
    }

    /// Looks at the store, if that is to be done. While it does not answer, what is known holds on.
    async fn look(&self) -> Result<(), StoreError> {
        if self.is_fresh() {
            return Ok(());
        }
        let _looking = self.looking.lock().await;
        if self.is_fresh() {
            return Ok(());
        }
        let read = match self.read().await {
            Ok(read) => Some(read),
            Err(error) if error.may_pass() && self.known().looked.is_some() => None,
            Err(error) => return Err(error),
        };
        let mut known = self.known_to_change();
        if let Some(read) = read {
            *known = read;
        }
        known.looked = Some(Instant::now());
        Ok(())
    }

    fn is_fresh(&self) -> bool {
        let shared = self.streams.store().is_shared();
        self.known().looked.is_some_and(|looked| !shared || looked.elapsed() < MOVED_READ_EVERY)
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_to_change(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<Known, StoreError> {
        let mut known = Known::default();
        let mut after: Option<StreamId> = None;
        loop {
            let page = self.streams.store().streams(LaterIds::FAMILY, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(known) };
            for stream in &page {
                match self.streams.read(stream.key()).await {
                    Ok(slot) => known.learn(stream.key(), &slot.state.unwrap_or_default()),
                    // Edited from outside: one channel is not found, all others are.
                    Err(error @ StoreError::Corrupt { .. }) => warn!(%error, "a channel's new id cannot be read"),
                    Err(error) => return Err(error),
                }
            }
            after = Some(last.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_known_by_every_id_that_it_had() {
        let mut known = Known::default();
        let mut later: Option<LaterIds> = None;
        let mut change = |old: &str, new: &str| {
            let event = MoveEvent::IdChanged { old: old.into(), new: new.into() };
            later = LaterIds::fold(later.take(), &event, &Actor::Bot, Timestamp::UNIX_EPOCH);
            known.learn("C1", later.as_ref().unwrap());
            ["C1", "G2", "C3", "C9"].map(|id| format!("{} {}", known.first(id), known.present(id)))
        };
        assert_eq!(change("C1", "G2"), ["C1 G2", "C1 G2", "C3 C3", "C9 C9"]);
        assert_eq!(change("G2", "C3"), ["C1 C3", "C1 C3", "C1 C3", "C9 C9"]);
        // And back to where it was.
        assert_eq!(change("C3", "G2"), ["C1 G2", "C1 G2", "C1 G2", "C9 C9"]);
        assert_eq!(change("G2", "C1"), ["C1 C1", "C1 C1", "C1 C1", "C9 C9"]);
    }
}
