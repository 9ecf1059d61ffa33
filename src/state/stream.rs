//! The engine under sessions, requests and rules: a state that only its events change, loaded from a
//! stream of the store, decided on, committed with the events, and decided again if another process
//! was first.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};

use crate::chat::Actor;
use crate::store::{
    Commit, CommitError, Found, Loaded, NewRecord, Record, State, Store, StoreError, StreamId, Write, personal,
};

/// A state that is kept in a stream of its own.
pub trait Folded: Sized + Clone + Send + Sync + Serialize + DeserializeOwned {
    /// The streams' family.
    const FAMILY: &'static str;
    /// Of the stored JSON's shape. A release that writes another shape counts up.
    const SCHEMA: u32;
    type Event: Serialize + DeserializeOwned + Send + Sync;
    /// Why nothing is changed.
    type Refusal: std::error::Error + Send + 'static;

    fn kind(event: &Self::Event) -> &'static str;
    /// The state after an event; `None` before the one with which it begins.
    fn fold(state: Option<Self>, event: &Self::Event, by: &Actor, at: Timestamp) -> Option<Self>;
    /// Why events with which no state begins are refused; none if a state begins with any event.
    fn not_begun() -> Option<Self::Refusal> {
        None
    }
    /// What of it still counts: retention leaves personal values alone that stand there. None: nothing.
    fn in_force(&self) -> Option<Self> {
        Some(self.clone())
    }
    /// Whether it is under way, so that nothing can be taken out of what it was asked for.
    fn is_under_way(&self) -> bool {
        false
    }
}

/// Why records do not lead to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfolded {
    /// A newer release wrote one.
    Newer,
    /// One bears no instant.
    Undated,
}

/// What a stream's records lead to. That personal values were erased changes no state: those values read
/// as erased in every record, and so in what follows from them.
///
/// # Errors
/// A record that this release cannot read.
pub fn folded<S: Folded>(records: &[Record]) -> Result<Option<S>, Unfolded> {
    let mut state = None;
    for record in records.iter().filter(|record| record.kind != personal::KIND) {
        let event = serde_json::from_str(&record.text()).map_err(|_| Unfolded::Newer)?;
        let at = record.at().map_err(|_| Unfolded::Undated)?;
        state = S::fold(state, &event, &actor(&record.actor), at);
    }
    Ok(state)
}

/// A stream as it is stored. `version` 0: it does not exist.
#[derive(Debug)]
pub struct Slot<S> {
    pub version: u64,
    pub state: Option<Arc<S>>,
    /// A newer release wrote it: to be read, not written.
    pub newer: bool,
}

/// What a decision leads to, before it is committed.
#[derive(Debug)]
pub struct Next<'a, S: Folded> {
    pub before: Option<&'a S>,
    pub after: &'a S,
    /// Of `after`.
    pub version: u64,
    pub events: &'a [S::Event],
    pub at: Timestamp,
}

/// A change that was committed.
#[derive(Debug)]
pub struct Changed<S: Folded> {
    pub version: u64,
    pub state: Arc<S>,
    pub events: Vec<S::Event>,
}

/// It is so already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is so already")]
pub struct Already;

#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R: std::error::Error + 'static> {
    #[error(transparent)]
    Refused(R),
    #[error(
        "This was written by a newer release of the bot; this one may read it but not change it. Try again when the upgrade is complete."
    )]
    Newer,
    #[error("Too many changes at the same time; nothing was done. Please try again.")]
    Contended,
    /// The work that it rests on is done, or other work by now.
    #[error(
        "Another process of the bot took this up meanwhile, so nothing was done here. Look at the present state before you repeat it."
    )]
    Superseded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often a lost race is decided again.
pub const RACES: usize = 8;

pub fn id<S: Folded>(key: &str) -> StreamId {
    StreamId::new(S::FAMILY, key)
}

/// The streams of one kind of state.
pub struct Streams<S: Folded> {
    store: Arc<dyn Store>,
    /// Held for every change, never while `cache` is locked: of two changes in one process the second
    /// decides on what the first left, instead of losing a race. Streams share them: one each would
    /// weigh more than what it guards needs.
    writers: Box<[Mutex<()>]>,
    /// What was read and written last, by key, if it is kept in memory.
    cache: Option<DashMap<Box<str>, Slot<S>>>,
    /// When what is in memory was last compared with the store, and when that failed last.
    checked: std::sync::Mutex<(Timestamp, Option<Timestamp>)>,
}

/// As long as it is held, nothing else in this process changes the stream.
pub struct Turn<'a, S: Folded> {
    streams: &'a Streams<S>,
    key: &'a str,
    _writer: MutexGuard<'a, ()>,
}

impl<S: Folded> Streams<S> {
    /// `writers`: changes that can be under way at the same time.
    pub fn new(store: Arc<dyn Store>, writers: usize) -> Self {
        let writers = (0..writers.max(1)).map(|_| Mutex::default()).collect();
        Self { store, writers, cache: None, checked: std::sync::Mutex::new((Timestamp::now(), None)) }
    }

    /// Keeps every stream in memory that was read once: reading it again touches no disk where this
    /// process alone writes, and otherwise one row of an index.
    #[must_use]
    pub fn cached(self) -> Self {
        Self { cache: Some(DashMap::new()), ..self }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The stream, from memory if it is kept there and no other process has changed it since. Where
    /// others write too, one look at its version tells; while the store does not answer, what is in
    /// memory is taken as it is, and [`Streams::behind`] says so.
    pub async fn read(&self, key: &str) -> Result<Slot<S>, StoreError> {
        if let Some(slot) = self.cache.as_ref().and_then(|cache| cache.get(key)).map(|slot| slot.clone()) {
            if !self.store.is_shared() {
                return Ok(slot);
            }
            match self.store.version(&id::<S>(key)).await {
                Ok(version) => {
                    self.checked().0 = Timestamp::now();
                    if version == slot.version {
                        return Ok(slot);
                    }
                    let loaded = load(&*self.store, key).await?;
                    self.keep(key, loaded.clone());
                    return Ok(loaded);
                }
                Err(error) if error.may_pass() => {
                    self.checked().1 = Some(Timestamp::now());
                    return Ok(slot);
                }
                Err(error) => return Err(error),
            }
        }
        let loaded = load(&*self.store, key).await?;
        Ok(match &self.cache {
            // Another task may have loaded it meanwhile, and has at least as much.
            Some(cache) => cache.entry(key.into()).or_insert(loaded).clone(),
            None => loaded,
        })
    }

    /// Since when what was read from memory from an instant on may be out of date, because the store did not
    /// answer; none if it did, or nothing was read.
    pub fn behind(&self, from: Timestamp) -> Option<Timestamp> {
        let (since, failed) = *self.checked();
        failed.filter(|failed| *failed >= from).map(|failed| since.min(failed))
    }

    // Written whole under its lock: a poisoned lock guards sound data.
    fn checked(&self) -> std::sync::MutexGuard<'_, (Timestamp, Option<Timestamp>)> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream as it is stored now: another process may have changed it.
    pub async fn read_anew(&self, key: &str) -> Result<Slot<S>, StoreError> {
        let _turn = self.turn(key).await;
        self.reload(key).await?;
        self.read(key).await
    }

    /// Waits until nothing else in this process changes the stream.
    pub async fn turn<'a>(&'a self, key: &'a str) -> Turn<'a, S> {
        Turn { streams: self, key, _writer: self.writer(key).lock().await }
    }

    /// Decides on the present state and commits what follows, with what `beside` makes of it.
    pub async fn change(
        &self,
        key: &str,
        by: &Actor,
        now: Timestamp,
        decide: impl Fn(Option<&S>) -> Result<Vec<S::Event>, S::Refusal> + Send + Sync,
        beside: impl Fn(&Next<'_, S>) -> Commit + Send + Sync,
    ) -> Result<Changed<S>, ChangeError<S::Refusal>> {
        self.turn(key).await.change(by, now, decide, beside).await
    }

    fn writer(&self, key: &str) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let place = hasher.finish() % self.writers.len() as u64;
        // Smaller than the number of writers, which is a usize.
        &self.writers[usize::try_from(place).unwrap_or_default()]
    }

    async fn reload(&self, key: &str) -> Result<(), StoreError> {
        if self.cache.is_some() {
            self.keep(key, load(&*self.store, key).await?);
        }
        Ok(())
    }

    fn keep(&self, key: &str, slot: Slot<S>) {
        let Some(cache) = &self.cache else { return };
        // A look that took long does not undo what was committed meanwhile. What was put back is refused
        // by the store itself.
        match cache.entry(key.into()) {
            Entry::Occupied(mut there) if there.get().version <= slot.version => {
                there.insert(slot);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(slot);
            }
        }
    }
}

impl<S: Folded> Turn<'_, S> {
    /// The same as [`Streams::change`], in this turn.
    pub async fn change(
        &self,
        by: &Actor,
        now: Timestamp,
        decide: impl Fn(Option<&S>) -> Result<Vec<S::Event>, S::Refusal> + Send + Sync,
        beside: impl Fn(&Next<'_, S>) -> Commit + Send + Sync,
    ) -> Result<Changed<S>, ChangeError<S::Refusal>> {
        let (at, key, streams) = (sealed(now), self.key, self.streams);
        for _ in 0..RACES {
            let slot = streams.read(key).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let before = slot.state.as_deref();
            let events = decide(before).map_err(ChangeError::Refused)?;
            let Some((write, after)) = write(key, slot.version, before.cloned(), &events, by, at) else {
                return Err(S::not_begun().map_or(ChangeError::Contended, ChangeError::Refused));
            };
            let version = slot.version + events.len() as u64;
            let mut commit = beside(&Next { before, after: &after, version, events: &events, at });
            commit.writes.push(write);
            let basis: Vec<String> = commit.rests_on.iter().map(Found::name).collect();
            match streams.store.commit(commit).await {
                Ok(_) => {
                    let state = Arc::new(after);
                    streams.keep(key, Slot { version, state: Some(Arc::clone(&state)), newer: false });
                    return Ok(Changed { version, state, events });
                }
                Err(CommitError::Conflict(what)) if basis.contains(&what) => return Err(ChangeError::Superseded),
                // Another process was first.
                Err(CommitError::Conflict(_)) => streams.reload(key).await?,
                Err(CommitError::Store(error)) => return Err(error.into()),
                // Never asked for here.
                Err(CommitError::Delivered) => return Err(ChangeError::Contended),
            }
        }
        Err(ChangeError::Contended)
    }
}

impl<S> Clone for Slot<S> {
    fn clone(&self) -> Self {
        Self { version: self.version, state: self.state.clone(), newer: self.newer }
    }
}

pub async fn load<S: Folded>(store: &dyn Store, key: &str) -> Result<Slot<S>, StoreError> {
    let stream = id::<S>(key);
    let Some(Loaded { version, state }) = store.load(&stream).await? else {
        return Ok(Slot { version: 0, state: None, newer: false });
    };
    let newer = state.schema > S::SCHEMA;
    let read = serde_json::from_str(&state.json).map_err(|e| StoreError::Corrupt {
        place: stream.to_string(),
        why: if newer { "a newer release wrote it; upgrade this one".into() } else { e.to_string() },
    })?;
    Ok(Slot { version, state: Some(Arc::new(read)), newer })
}

/// Records are sealed to the millisecond: the state keeps no more, so that folding the records
/// gives it.
pub fn sealed(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// What is committed for these events, and the state after them; none if they begin nothing.
pub fn write<S: Folded>(
    key: &str,
    version: u64,
    state: Option<S>,
    events: &[S::Event],
    by: &Actor,
    at: Timestamp,
) -> Option<(Write, S)> {
    let next = events.iter().fold(state, |state, event| S::fold(state, event, by, at))?;
    let write = Write {
        stream: id::<S>(key),
        expected: version,
        state: State { schema: S::SCHEMA, json: encode(&next) },
        records: events
            .iter()
            .map(|event| NewRecord { at, actor: by.name().to_owned(), kind: S::kind(event), body: encode(event) })
            .collect(),
        beside: Vec::new(),
    };
    Some((write, next))
}

/// Our own types: strings, numbers and maps with string keys.
pub fn encode(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("own types serialize")
}

/// Who a record says it was.
pub fn actor(name: &str) -> Actor {
    match name {
        "bot" => Actor::Bot,
        user => Actor::Person(user.to_owned().into()),
    }
}
