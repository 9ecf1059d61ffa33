//! The sessions in memory: loaded from the store on first use, changed by commit-then-apply.
//!
//! Reading touches no disk once a session is loaded. Of two changes at the same time one commits
//! first; the other decides again on what that one left.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::stream::{self, Folded, RACES};
use crate::chat::{Actor, ChannelKey};
use crate::domain::checklist::{Event, Recorded, Refusal, Session};
use crate::store::{Commit, CommitError, Finished, Schedule, Store, StoreError, StreamId, WorkKind};

/// Changes that can be under way at the same time.
const WRITERS: usize = 256;

pub struct Sessions {
    store: Arc<dyn Store>,
    slots: DashMap<ChannelKey, Slot>,
    /// Held by whoever changes a channel, never while the map is locked. Channels share them: one
    /// each would weigh more than what it guards needs.
    writers: Box<[Mutex<()>]>,
    watch: Duration,
}

type Slot = stream::Slot<Arc<Session>>;
pub type ChangeError = stream::ChangeError<Refusal>;

impl Folded for Session {
    const FAMILY: &'static str = "session";
    const SCHEMA: u32 = 1;
    type Event = Event;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        Session::apply(state, &Recorded { event: event.clone(), by: by.clone(), at })
    }
}

/// A change that was committed.
#[derive(Debug, Clone)]
pub struct Changed {
    pub version: u64,
    pub session: Arc<Session>,
    pub events: Vec<Event>,
}

/// The stream of a channel's session.
pub fn stream(channel: &ChannelKey) -> StreamId {
    stream::id::<Session>(channel.as_str())
}

impl Sessions {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let writers = (0..WRITERS).map(|_| Mutex::default()).collect();
        Self { store, slots: DashMap::new(), writers, watch: Duration::from_hours(6) }
    }

    /// How long after its confirmation a step is to be verified again.
    #[must_use]
    pub fn watched(self, watch: Duration) -> Self {
        Self { watch, ..self }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The channel's session, if it has one.
    pub async fn read(&self, channel: &ChannelKey) -> Result<Option<Arc<Session>>, StoreError> {
        if let Some(slot) = self.slots.get(channel) {
            return Ok(slot.state.clone());
        }
        Ok(self.slot(channel).await?.state)
    }

    /// The same as it is stored now: another process may have changed it.
    pub async fn read_anew(&self, channel: &ChannelKey) -> Result<Option<Arc<Session>>, StoreError> {
        let _turn = self.writer(channel).lock().await;
        self.reload(channel).await?;
        self.read(channel).await
    }

    /// The same, with the version that it has.
    pub async fn read_with_version(&self, channel: &ChannelKey) -> Result<Option<(u64, Arc<Session>)>, StoreError> {
        let slot = self.slot(channel).await?;
        Ok(slot.state.map(|session| (slot.version, session)))
    }

    /// Decides on the present state, commits what follows with everything that is owed because of
    /// it, then applies it.
    pub async fn change(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        self.change_and(channel, by, now, finished, decide, Vec::new).await
    }

    /// The same, with more that is owed because of it.
    pub async fn change_and(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        finished: Option<Finished>,
        decide: impl Fn(Option<&Session>) -> Result<Vec<Event>, Refusal> + Send + Sync,
        also: impl Fn() -> Vec<Schedule> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let now = stream::sealed(now);
        let _turn = self.writer(channel).lock().await;
        for _ in 0..RACES {
            let slot = self.slot(channel).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let events = decide(slot.state.as_deref()).map_err(ChangeError::Refused)?;
            let state = slot.state.as_deref().cloned();
            // Only an opening event makes a session out of nothing.
            let (write, next) = stream::write(channel.as_str(), slot.version, state, &events, by, now)
                .ok_or(ChangeError::Refused(Refusal::NoSession))?;
            let next = Arc::new(next);
            // Whatever changed, the channel's message owes it to its readers.
            let mut schedule = owed(channel, &events, now);
            if events.iter().any(|event| matches!(event, Event::Verified { .. })) {
                schedule.push(watch_due(channel, now + self.watch));
            }
            schedule.extend(also());
            let commit = Commit {
                writes: vec![write],
                schedule,
                finished: finished.clone().into_iter().collect(),
                ..Commit::default()
            };
            match self.store.commit(commit).await {
                Ok(_) => {
                    let version = slot.version + events.len() as u64;
                    let slot = Slot { version, state: Some(Arc::clone(&next)), newer: false };
                    self.slots.insert(channel.clone(), slot);
                    return Ok(Changed { version, session: next, events });
                }
                Err(CommitError::Conflict(_)) => {
                    // Another process was first.
                    self.reload(channel).await?;
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
                // Never asked for here.
                Err(CommitError::Delivered) => return Err(ChangeError::Contended),
            }
        }
        Err(ChangeError::Contended)
    }

    /// Every channel that has a session, in the order of their keys, after one of them.
    pub async fn channels(&self, after: Option<&ChannelKey>, limit: u32) -> Result<Vec<ChannelKey>, StoreError> {
        let streams = self.store.streams(Session::FAMILY, after.map(stream).as_ref(), limit).await?;
        Ok(streams.iter().map(|id| ChannelKey::from(id.key().to_owned())).collect())
    }

    fn writer(&self, channel: &ChannelKey) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        channel.hash(&mut hasher);
        let place = hasher.finish() % self.writers.len() as u64;
        // Smaller than the number of writers, which is a usize.
        &self.writers[usize::try_from(place).unwrap_or_default()]
    }

    async fn slot(&self, channel: &ChannelKey) -> Result<Slot, StoreError> {
        if let Some(slot) = self.slots.get(channel) {
            return Ok(slot.clone());
        }
        let loaded = self.load(channel).await?;
        // Whoever loaded it meanwhile has at least as much.
        Ok(self.slots.entry(channel.clone()).or_insert(loaded).clone())
    }

    async fn reload(&self, channel: &ChannelKey) -> Result<(), StoreError> {
        let slot = self.load(channel).await?;
        self.slots.insert(channel.clone(), slot);
        Ok(())
    }

    async fn load(&self, channel: &ChannelKey) -> Result<Slot, StoreError> {
        let stream::Slot { version, state, newer } = stream::load::<Session>(&*self.store, channel.as_str()).await?;
        Ok(Slot { version, state: state.map(Arc::new), newer })
    }
}

/// The progress message, unless nothing but its own posting happened.
fn owed(channel: &ChannelKey, events: &[Event], now: Timestamp) -> Vec<Schedule> {
    if events.iter().all(|event| matches!(event, Event::ProgressPosted { .. })) {
        return Vec::new();
    }
    vec![progress_due(channel, now)]
}

/// The channel's progress message is to be brought up to date.
pub fn progress_due(channel: &ChannelKey, now: Timestamp) -> Schedule {
    Schedule { kind: WorkKind::Progress, key: channel.as_str().to_owned(), due: now, attempts: 0, body: String::new() }
}

/// The channel's done steps are to be verified again.
pub fn watch_due(channel: &ChannelKey, due: Timestamp) -> Schedule {
    Schedule { kind: WorkKind::Drift, key: channel.as_str().to_owned(), due, attempts: 0, body: String::new() }
}
