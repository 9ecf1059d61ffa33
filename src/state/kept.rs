//! Rows of the store that hold something: written as JSON, read leniently.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::error;

use crate::store::{Keep, Kept, KeptKind, Schedule, Work, WorkKind};

/// Work that holds `value` and is due at `due`.
pub fn row_due(kind: WorkKind, key: impl Into<String>, value: &impl Serialize, due: Timestamp) -> Schedule {
    Schedule { kind, key: key.into(), due, attempts: 0, body: super::stream::encode(value) }
}

/// Keeps `value` for good.
pub fn keep(kind: KeptKind, key: impl Into<String>, value: &impl Serialize) -> Keep {
    Keep { kind, key: key.into(), body: super::stream::encode(value), until: None }
}

/// Keeps `value`, which may be forgotten then.
pub fn keep_until(kind: KeptKind, key: impl Into<String>, value: &impl Serialize, until: Timestamp) -> Keep {
    Keep { until: Some(until), ..keep(kind, key, value) }
}

/// A row that holds JSON.
pub trait Holds {
    /// Kind, key and body.
    fn parts(&self) -> (&'static str, &str, &str);
}

impl Holds for Work {
    fn parts(&self) -> (&'static str, &str, &str) {
        (self.kind.name(), &self.key, &self.body)
    }
}

impl Holds for Kept {
    fn parts(&self) -> (&'static str, &str, &str) {
        (self.kind.name(), &self.key, &self.body)
    }
}

/// What a row holds; none if a newer release wrote it in a way that this one cannot read.
pub fn decode<T: DeserializeOwned>(row: &impl Holds) -> Option<T> {
    let (kind, key, body) = row.parts();
    match serde_json::from_str(body) {
        Ok(value) => Some(value),
        Err(error) => {
            error!(%error, kind, key, "what is kept here cannot be read");
            None
        }
    }
}
