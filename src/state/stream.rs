//! What a session and an approval have in common: a state that only its events change, loaded from
//! a stream of the store and committed back to it with them.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::chat::Actor;
use crate::store::{Loaded, NewRecord, State, Store, StoreError, StreamId, Write};

/// A state that is kept in a stream of its own.
pub trait Folded: Sized + Clone + Serialize + DeserializeOwned {
    /// The streams' family.
    const FAMILY: &'static str;
    /// Of the stored JSON's shape. A release that writes another shape counts up.
    const SCHEMA: u32;
    type Event: Serialize + DeserializeOwned + Send;

    fn kind(event: &Self::Event) -> &'static str;
    /// The state after an event; `None` before the one with which it begins.
    fn fold(state: Option<Self>, event: &Self::Event, by: &Actor, at: Timestamp) -> Option<Self>;
}

/// A stream as it is stored. `version` 0: it does not exist.
#[derive(Debug, Clone)]
pub struct Slot<S> {
    pub version: u64,
    pub state: Option<S>,
    /// A newer release wrote it: to be read, not written.
    pub newer: bool,
}

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
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often a lost race is decided again.
pub const RACES: usize = 8;

pub fn id<S: Folded>(key: &str) -> StreamId {
    StreamId::new(S::FAMILY, key)
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
    Ok(Slot { version, state: Some(read), newer })
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
