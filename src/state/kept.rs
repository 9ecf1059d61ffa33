//! Rows of due work that hold something: written as JSON, read leniently.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::store::{Schedule, Work, WorkKind};

/// A row that holds `value` and is due at `due`.
pub fn row_due(kind: WorkKind, key: impl Into<String>, value: &impl Serialize, due: Timestamp) -> Schedule {
    Schedule { kind, key: key.into(), due, attempts: 0, body: super::stream::encode(value) }
}

/// A row that only holds something: nobody waits for it.
pub fn row(kind: WorkKind, key: impl Into<String>, value: &impl Serialize) -> Schedule {
    row_due(kind, key, value, Timestamp::MAX)
}

/// What a row holds; none if a newer release wrote it in a way that this one cannot read.
pub fn decode<T: DeserializeOwned>(work: &Work) -> Option<T> {
    match serde_json::from_str(&work.body) {
        Ok(value) => Some(value),
        Err(error) => {
            error!(%error, kind = work.kind.name(), key = work.key, "what is kept here cannot be read");
            None
        }
    }
}
