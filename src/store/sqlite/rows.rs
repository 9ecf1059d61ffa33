//! Rows as SQLite gives them.

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, SqliteExecutor};

use crate::store::audit::Record;
pub use crate::store::stored::{NEVER, Stored, StoredKept, instant, number};
use crate::store::{Personal, StoreError, StreamId};

pub const FIND: &str =
    "SELECT key, due, attempts, body, generation, delivered, seal FROM work WHERE kind = ? AND key = ?";
pub const DUE: &str = "SELECT key, due, attempts, body, generation, delivered, seal FROM work \
     WHERE kind = ? AND due <= ? ORDER BY due, generation LIMIT ?";
pub const PLANNED: &str = "SELECT key, due, attempts, body, generation, delivered, seal FROM work \
     WHERE kind = ? AND due > ? AND due < ? ORDER BY due, generation LIMIT ?";
pub const KEPT: &str = "SELECT key, until, body, generation, seal FROM kept WHERE kind = ? AND key = ?";

impl Stored {
    pub fn read(kind: &str, row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            kind: kind.to_owned(),
            key: row.try_get("key")?,
            generation: unsigned(row, "generation")?,
            due: row.try_get("due")?,
            attempts: row.try_get("attempts")?,
            body: row.try_get("body")?,
            delivered: row.try_get("delivered")?,
            seal: row.try_get("seal")?,
        })
    }
}

impl StoredKept {
    pub fn read(kind: &str, row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            kind: kind.to_owned(),
            key: row.try_get("key")?,
            generation: unsigned(row, "generation")?,
            until: row.try_get("until")?,
            body: row.try_get("body")?,
            seal: row.try_get("seal")?,
        })
    }
}

/// A row that is not believed, to be taken out of its table.
pub struct Doubtful {
    pub remove: &'static str,
    pub generation: u64,
    pub kind: String,
    pub key: String,
    pub due: i64,
    pub attempts: u32,
    pub body: String,
    pub seal: String,
}

impl From<Stored> for Doubtful {
    fn from(stored: Stored) -> Self {
        let Stored { kind, key, generation, due, attempts, body, delivered: _, seal } = stored;
        let remove = "DELETE FROM work WHERE generation = ? AND seal = ?";
        Self { remove, generation, kind, key, due, attempts, body, seal }
    }
}

impl From<StoredKept> for Doubtful {
    fn from(stored: StoredKept) -> Self {
        let StoredKept { kind, key, generation, until, body, seal } = stored;
        let remove = "DELETE FROM kept WHERE generation = ? AND seal = ?";
        Self { remove, generation, kind, key, due: until.unwrap_or(NEVER), attempts: 0, body, seal }
    }
}

pub fn record(stream: &StreamId, row: &SqliteRow) -> Result<Record, StoreError> {
    Ok(Record {
        stream: stream.clone(),
        seq: unsigned(row, "seq")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        kind: row.try_get("kind")?,
        body: row.try_get("body")?,
        personal: Personal::read(row.try_get("personal")?),
        key: row.try_get("key")?,
        seal: row.try_get("seal")?,
    })
}

pub fn stream_ids(rows: &[SqliteRow]) -> Result<Vec<StreamId>, StoreError> {
    rows.iter().map(|row| Ok(StreamId::from(row.try_get::<String, _>(0)?))).collect()
}

pub fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    let n: i64 = row.try_get(column)?;
    u64::try_from(n)
        .map_err(|_| StoreError::Corrupt { place: format!("column {column}"), why: format!("{n} is negative") })
}

/// The seal of a stream's last record; empty if it has none.
pub async fn last_seal(tx: impl SqliteExecutor<'_>, stream: &str) -> Result<String, sqlx::Error> {
    let last: Option<String> = sqlx::query_scalar("SELECT seal FROM record WHERE stream = ? ORDER BY seq DESC LIMIT 1")
        .bind(stream)
        .fetch_optional(tx)
        .await?;
    Ok(last.unwrap_or_default())
}

/// Recorded requests with a lower generation are settled: what comes later has a higher one.
pub async fn settled_before(tx: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let oldest: Option<i64> =
        sqlx::query_scalar("SELECT MIN(generation) FROM work WHERE kind = 'inbound'").fetch_one(&mut *tx).await?;
    let last: Option<i64> = match oldest {
        Some(_) => None,
        None => sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'work'").fetch_optional(tx).await?,
    };
    Ok(oldest.or(last.map(|last| last.saturating_add(1))).unwrap_or_default().unsigned_abs())
}

/// SQLite's primary result code.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Somebody else holds a lock.
pub fn is_busy(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(5 | 6))
}

/// The disk failed.
pub fn is_io(error: &sqlx::Error) -> bool {
    code(error) == Some(10)
}

/// Whether a database that cannot be used now may be used later as it is: locked, read-only, failing
/// or full disk, files that cannot be opened.
pub fn is_passing(error: &StoreError) -> bool {
    let error = match error {
        StoreError::Database(error) => error,
        StoreError::Migration(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => error,
        StoreError::Busy | StoreError::File { .. } => return true,
        _ => return false,
    };
    matches!(code(error), Some(5 | 6 | 8 | 10 | 13 | 14))
}
