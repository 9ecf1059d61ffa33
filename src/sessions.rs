//! The sessions in memory: loaded from the store on first use, changed by commit-then-apply.
//!
//! Reading touches no disk once a session is loaded. Of two changes at the same time one commits
//! first; the other decides again on what that one left.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::checklist::{Actor, Event, Recorded, Refusal, Session};
use crate::platform::ChannelKey;
use crate::store::{
    Commit, CommitError, Finished, Loaded, NewRecord, Schedule, State, Store, StoreError, StreamId, WorkKind, Write,
};

/// Of the stored JSON's shape. A release that writes another shape counts up.
const SCHEMA: u32 = 1;
/// Changes that can be under way at the same time.
const WRITERS: usize = 256;
/// How often a lost race is decided again.
const RACES: usize = 8;

pub struct Sessions {
    store: Arc<dyn Store>,
    slots: DashMap<ChannelKey, Slot>,
    /// Held by whoever changes a channel, never while the map is locked. Channels share them: one
    /// each would weigh more than what it guards needs.
    writers: Box<[Mutex<()>]>,
}

/// What is known of a channel. `version` 0: it has no session.
#[derive(Clone)]
struct Slot {
    version: u64,
    session: Option<Arc<Session>>,
    /// A newer release wrote it: to be read, not written.
    newer: bool,
}

/// A change that was committed.
#[derive(Debug, Clone)]
pub struct Changed {
    pub version: u64,
    pub session: Arc<Session>,
    pub events: Vec<Event>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(
        "This session was written by a newer release of the bot; this one may read it but not change it. Try again when the upgrade is complete."
    )]
    Newer,
    #[error("Too many changes at the same time; nothing was done. Please try again.")]
    Contended,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The stream of a channel's session.
pub fn stream(channel: &ChannelKey) -> StreamId {
    StreamId::new(FAMILY, channel.as_str())
}

/// The family of session streams.
pub const FAMILY: &str = "session";

impl Sessions {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, slots: DashMap::new(), writers: (0..WRITERS).map(|_| Mutex::default()).collect() }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The channel's session, if it has one.
    pub async fn read(&self, channel: &ChannelKey) -> Result<Option<Arc<Session>>, StoreError> {
        if let Some(slot) = self.slots.get(channel) {
            return Ok(slot.session.clone());
        }
        Ok(self.slot(channel).await?.session)
    }

    /// The same, with the version that it has.
    pub async fn read_with_version(&self, channel: &ChannelKey) -> Result<Option<(u64, Arc<Session>)>, StoreError> {
        let slot = self.slot(channel).await?;
        Ok(slot.session.map(|session| (slot.version, session)))
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
        // Records are sealed to the millisecond: the state keeps no more, so that folding the
        // records gives it.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let _turn = self.writer(channel).lock().await;
        for _ in 0..RACES {
            let slot = self.slot(channel).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let events = decide(slot.session.as_deref())?;
            let recorded = events.iter().map(|event| Recorded { event: event.clone(), by: by.clone(), at: now });
            let next = recorded.fold(slot.session.as_deref().cloned(), |state, event| Session::apply(state, &event));
            // Only an opening event makes a session out of nothing.
            let next = Arc::new(next.ok_or(Refusal::NoSession)?);
            let commit = Commit {
                writes: vec![Write {
                    stream: stream(channel),
                    expected: slot.version,
                    state: State { schema: SCHEMA, json: encode(&*next) },
                    records: events.iter().map(|event| record(event, by, now)).collect(),
                }],
                // Whatever changed, the channel's message owes it to its readers.
                schedule: owed(channel, &events, now),
                finished: finished.clone().into_iter().collect(),
                ..Commit::default()
            };
            match self.store.commit(commit).await {
                Ok(_) => {
                    let version = slot.version + events.len() as u64;
                    let session = Some(Arc::clone(&next));
                    let slot = Slot { version, session, newer: false };
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
        let streams = self.store.streams(FAMILY, after.map(stream).as_ref(), limit).await?;
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
        let stream = stream(channel);
        let Some(Loaded { version, state }) = self.store.load(&stream).await? else {
            return Ok(Slot { version: 0, session: None, newer: false });
        };
        let newer = state.schema > SCHEMA;
        let session = serde_json::from_str(&state.json).map_err(|e| StoreError::Corrupt {
            place: stream.to_string(),
            why: if newer { "a newer release wrote it; upgrade this one".into() } else { e.to_string() },
        })?;
        Ok(Slot { version, session: Some(Arc::new(session)), newer })
    }
}

fn record(event: &Event, by: &Actor, at: Timestamp) -> NewRecord {
    let actor = match by {
        Actor::Person(user) => user.to_string(),
        Actor::Bot => "bot".into(),
    };
    NewRecord { at, actor, kind: event.kind(), body: encode(event) }
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

/// Our own types: strings, numbers and maps with string keys.
fn encode(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("own types serialize")
}
