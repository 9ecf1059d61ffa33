//! Rows as PostgreSQL gives them.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::store::audit::Record;
pub use crate::store::stored::{NEVER, Stored, StoredKept};
use crate::store::{Personal, StoreError, StreamId};

pub const FIND: &str =
    "SELECT key, due, attempts, body, generation, delivered, seal FROM work WHERE kind = $1 AND key = $2";
pub const DUE: &str = "SELECT key, due, attempts, body, generation, delivered, seal FROM work \
     WHERE kind = $1 AND due <= $2 ORDER BY due, generation LIMIT $3";
pub const PLANNED: &str = "SELECT key, due, attempts, body, generation, delivered, seal FROM work \
     WHERE kind = $1 AND due > $2 AND due < $3 ORDER BY due, generation LIMIT $4";
pub const KEPT: &str = "SELECT key, until, body, generation, seal FROM kept WHERE kind = $1 AND key = $2";
pub const HISTORY: &str = "SELECT seq, at, actor, kind, body, personal, key, seal FROM record \
     WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT $3";

pub fn stored(kind: &str, row: &PgRow) -> Result<Stored, StoreError> {
    Ok(Stored {
        kind: kind.to_owned(),
        key: row.try_get("key")?,
        generation: unsigned(row, "generation")?,
        due: row.try_get("due")?,
        attempts: small(row, "attempts")?,
        body: row.try_get("body")?,
        delivered: row.try_get("delivered")?,
        seal: row.try_get("seal")?,
    })
}

pub fn stored_kept(kind: &str, row: &PgRow) -> Result<StoredKept, StoreError> {
    Ok(StoredKept {
        kind: kind.to_owned(),
        key: row.try_get("key")?,
        generation: unsigned(row, "generation")?,
        until: row.try_get("until")?,
        body: row.try_get("body")?,
        seal: row.try_get("seal")?,
    })
}

/// A row that is not believed, to be taken out of its table.
#[derive(Debug, Clone)]
pub struct Doubtful {
    pub remove: &'static str,
    pub row: Stored,
}

impl From<Stored> for Doubtful {
    fn from(row: Stored) -> Self {
        Self { remove: "DELETE FROM work WHERE kind = $1 AND key = $2 AND generation = $3 AND seal = $4", row }
    }
}

impl From<StoredKept> for Doubtful {
    fn from(kept: StoredKept) -> Self {
        let StoredKept { kind, key, generation, until, body, seal } = kept;
        let due = until.unwrap_or(NEVER);
        let row = Stored { kind, key, generation, due, attempts: 0, body, delivered: false, seal };
        Self { remove: "DELETE FROM kept WHERE kind = $1 AND key = $2 AND generation = $3 AND seal = $4", row }
    }
}

pub fn record(stream: &StreamId, row: &PgRow) -> Result<Record, StoreError> {
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

pub fn stream_ids(rows: &[PgRow]) -> Result<Vec<StreamId>, StoreError> {
    rows.iter().map(|row| Ok(StreamId::from(row.try_get::<String, _>(0)?))).collect()
}

/// PostgreSQL's integers are signed; ours count from 0.
pub fn unsigned(row: &PgRow, column: &str) -> Result<u64, StoreError> {
    let n: i64 = row.try_get(column)?;
    u64::try_from(n).map_err(|_| negative(column, n))
}

pub fn small(row: &PgRow, column: &str) -> Result<u32, StoreError> {
    let n: i32 = row.try_get(column)?;
    u32::try_from(n).map_err(|_| negative(column, n.into()))
}

fn negative(column: &str, n: i64) -> StoreError {
    StoreError::Corrupt { place: format!("column {column}"), why: format!("{n} is negative") }
}

/// What is stored as a signed integer of 32 bits: schemas and attempts stay far below.
pub fn little(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// The seal of a stream's last record; empty if it has none.
pub async fn last_seal(tx: &mut PgConnection, stream: &str) -> Result<String, sqlx::Error> {
    let last: Option<String> =
        sqlx::query_scalar("SELECT seal FROM record WHERE stream = $1 ORDER BY seq DESC LIMIT 1")
            .bind(stream)
            .fetch_optional(tx)
            .await?;
    Ok(last.unwrap_or_default())
}
