//! What the stores that are databases have in common: rows before they are believed, and why they are not.
//! No SQL.

use jiff::Timestamp;

use super::seal::{Row, Unsealed};
use super::{CommitError, Kept, KeptKind, StoreError, Work, WorkKind};

/// A due time from which on work is kept and never done. The last instant has more milliseconds
/// than can be read back.
pub const NEVER: i64 = 253_402_207_200_000;

/// A row of work, not believed yet.
#[derive(Debug, Clone)]
pub struct Stored {
    pub kind: String,
    pub key: String,
    pub generation: u64,
    pub due: i64,
    pub attempts: u32,
    pub body: String,
    pub delivered: bool,
    pub seal: String,
}

impl Stored {
    /// As it is sealed.
    pub fn row(&self) -> Row<'_> {
        Row::Work {
            kind: &self.kind,
            key: &self.key,
            generation: self.generation,
            due: self.due,
            attempts: self.attempts,
            body: &self.body,
            delivered: self.delivered,
        }
    }

    pub fn work(&self, kind: WorkKind) -> Result<Work, StoreError> {
        Ok(Work {
            kind,
            key: self.key.clone(),
            due: instant(self.due)?,
            attempts: self.attempts,
            body: self.body.clone(),
            generation: self.generation,
        })
    }
}

/// A row of what is kept, not believed yet.
#[derive(Debug, Clone)]
pub struct StoredKept {
    pub kind: String,
    pub key: String,
    pub generation: u64,
    pub until: Option<i64>,
    pub body: String,
    pub seal: String,
}

impl StoredKept {
    /// As it is sealed.
    pub fn row(&self) -> Row<'_> {
        Row::Kept { kind: &self.kind, key: &self.key, generation: self.generation, until: self.until, body: &self.body }
    }

    pub fn kept(self, kind: KeptKind) -> Result<Kept, StoreError> {
        let until = self.until.map(instant).transpose()?;
        Ok(Kept { kind, key: self.key, body: self.body, until, generation: self.generation })
    }
}

pub fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    if milliseconds >= NEVER {
        return Ok(Timestamp::MAX);
    }
    Timestamp::from_millisecond(milliseconds)
        .map_err(|e| StoreError::Corrupt { place: "a stored time".into(), why: e.to_string() })
}

/// The integers of databases are signed; ours count from 0 and stay far below.
pub fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Why a state is not to be acted upon.
pub enum Untrusted {
    Store(StoreError),
    Seal(Unsealed),
}

impl std::fmt::Display for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Untrusted::Store(error) => error.fmt(f),
            Untrusted::Seal(why) => why.fmt(f),
        }
    }
}

impl From<StoreError> for Untrusted {
    fn from(error: StoreError) -> Self {
        Untrusted::Store(error)
    }
}

impl From<sqlx::Error> for Untrusted {
    fn from(error: sqlx::Error) -> Self {
        Untrusted::Store(error.into())
    }
}

/// Eight characters that stand in the log, and in the message about it.
pub(super) fn reference() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// What changes neither streams nor deliveries fails in one way only.
pub fn only_store(error: CommitError) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        CommitError::Conflict(_) | CommitError::Delivered => StoreError::Contended,
    }
}
