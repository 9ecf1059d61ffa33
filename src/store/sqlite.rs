//! The embedded store: one SQLite file in WAL mode.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, Row};

use super::audit::{Chain, Record};
use super::{Commit, CommitError, Loaded, Schedule, State, Store, StoreError, StreamId, Work, WorkKind, Write};
use crate::rehearsal;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/migrations");

pub struct SqliteStore {
    chain: Chain,
    /// SQLite has one writer at a time: queueing here is fair, waiting for its lock is not.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens or creates the file and brings its tables up to date.
    pub async fn open(path: &Path, chain: Chain) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged change survives a power cut, not only a crash.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        // A connection to a file does not age. And without these times sqlx 0.9 has no reaper, whose
        // count of idle connections can be below zero for an instant: then it counts for ever.
        let pool = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let readers = pool().max_connections(2).connect_lazy_with(options.read_only(true));
        Ok(Self { chain, writer, readers })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        let mut connection = self.writer.acquire().await.map_err(StoreError::from)?;
        // IMMEDIATE: another process that writes is waited for here, not in the middle.
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::from)?;
        if let Some((id, at)) = &commit.delivery {
            let new = sqlx::query("INSERT INTO delivery (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING")
                .bind(id)
                .bind(at.as_millisecond())
                .execute(&mut *tx)
                .await
                .map_err(StoreError::from)?;
            if new.rows_affected() == 0 {
                return Err(CommitError::Delivered);
            }
        }
        for found in &commit.rests_on {
            let generation: Option<i64> = sqlx::query_scalar("SELECT generation FROM work WHERE kind = ? AND key = ?")
                .bind(found.kind.name())
                .bind(&found.key)
                .fetch_optional(&mut *tx)
                .await
                .map_err(StoreError::from)?;
            if generation != found.generation.map(number) {
                return Err(found.conflict());
            }
        }
        for write in &commit.writes {
            self.write(&mut tx, write).await?;
        }
        for done in &commit.finished {
            sqlx::query("DELETE FROM work WHERE kind = ? AND key = ? AND generation = ?")
                .bind(done.kind.name())
                .bind(&done.key)
                .bind(number(done.generation))
                .execute(&mut *tx)
                .await
                .map_err(StoreError::from)?;
        }
        for (put_off, due) in &commit.postponed {
            sqlx::query(
                "UPDATE work SET due = ?, attempts = attempts + 1 WHERE kind = ? AND key = ? AND generation = ?",
            )
            .bind(due.as_millisecond())
            .bind(put_off.kind.name())
            .bind(&put_off.key)
            .bind(number(put_off.generation))
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?;
        }
        let mut generations = Vec::with_capacity(commit.schedule.len());
        for new in &commit.schedule {
            generations.push(schedule(&mut tx, new).await?);
        }
        tx.commit().await.map_err(StoreError::from)?;
        rehearsal::committed();
        Ok(generations)
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        let row = sqlx::query("SELECT version, schema, state FROM stream WHERE id = ?")
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Loaded {
            version: unsigned(&row, "version")?,
            state: State { schema: row.try_get("schema")?, json: row.try_get("state")? },
        }))
    }

    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError> {
        // Ids of a family lie between `family/` and `family0`: `0` follows `/`.
        let start = format!("{family}/");
        let first = after.map_or(start.as_str(), |a| a.as_str()).max(&start).to_owned();
        let rows = sqlx::query("SELECT id FROM stream WHERE id > ? AND id < ? ORDER BY id LIMIT ?")
            .bind(first)
            .bind(format!("{family}0"))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        stream_ids(&rows)
    }

    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        let rows = sqlx::query(
            "SELECT key, due, attempts, body, generation FROM work WHERE kind = ? AND due <= ? ORDER BY due, generation LIMIT ?",
        )
        .bind(kind.name())
        .bind(now.as_millisecond())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| work(kind, row)).collect()
    }

    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError> {
        let row = sqlx::query("SELECT key, due, attempts, body, generation FROM work WHERE kind = ? AND key = ?")
            .bind(kind.name())
            .bind(key)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| work(kind, &row)).transpose()
    }

    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let taken = sqlx::query(
            "INSERT INTO lease (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE \
             SET holder = excluded.holder, until = excluded.until WHERE holder = excluded.holder OR until <= ?",
        )
        .bind(name)
        .bind(holder)
        .bind(until.as_millisecond())
        .bind(now.as_millisecond())
        .execute(&self.writer)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at, actor, kind, body, key, seal FROM record WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(stream.as_str())
        .bind(number(after))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Record {
                    stream: stream.clone(),
                    seq: unsigned(row, "seq")?,
                    at: row.try_get("at")?,
                    actor: row.try_get("actor")?,
                    kind: row.try_get("kind")?,
                    body: row.try_get("body")?,
                    key: row.try_get("key")?,
                    seal: row.try_get("seal")?,
                })
            })
            .collect()
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM stream UNION SELECT DISTINCT stream FROM record ORDER BY 1")
            .fetch_all(&self.readers)
            .await?;
        stream_ids(&rows)
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = sqlx::query("DELETE FROM delivery WHERE at < ?")
            .bind(before.as_millisecond())
            .execute(&self.writer)
            .await?;
        Ok(gone.rows_affected())
    }
}

impl SqliteStore {
    async fn write(&self, tx: &mut SqliteConnection, write: &Write) -> Result<(), CommitError> {
        let version = write.expected + write.records.len() as u64;
        let changed = if write.expected == 0 {
            sqlx::query("INSERT INTO stream (id, version, schema, state) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(write.stream.as_str())
                .bind(number(version))
                .bind(write.state.schema)
                .bind(&write.state.json)
                .execute(&mut *tx)
                .await
        } else {
            sqlx::query("UPDATE stream SET version = ?, schema = ?, state = ? WHERE id = ? AND version = ?")
                .bind(number(version))
                .bind(write.state.schema)
                .bind(&write.state.json)
                .bind(write.stream.as_str())
                .bind(number(write.expected))
                .execute(&mut *tx)
                .await
        };
        if changed.map_err(StoreError::from)?.rows_affected() == 0 {
            return Err(CommitError::Conflict(write.stream.to_string()));
        }
        let last: Option<String> =
            sqlx::query_scalar("SELECT seal FROM record WHERE stream = ? ORDER BY seq DESC LIMIT 1")
                .bind(write.stream.as_str())
                .fetch_optional(&mut *tx)
                .await
                .map_err(StoreError::from)?;
        let last = last.unwrap_or_default();
        for record in self.chain.seal(&write.stream, write.expected, &last, &write.records) {
            sqlx::query(
                "INSERT INTO record (stream, seq, at, actor, kind, body, key, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(record.stream.as_str())
            .bind(number(record.seq))
            .bind(record.at)
            .bind(record.actor)
            .bind(record.kind)
            .bind(record.body)
            .bind(record.key)
            .bind(record.seal)
            .execute(&mut *tx)
            .await
            .map_err(StoreError::from)?;
        }
        Ok(())
    }
}

async fn schedule(tx: &mut SqliteConnection, new: &Schedule) -> Result<u64, StoreError> {
    // REPLACE gives the row a new generation, which is what tells it from the superseded one.
    let inserted = sqlx::query("INSERT OR REPLACE INTO work (kind, key, due, attempts, body) VALUES (?, ?, ?, ?, ?)")
        .bind(new.kind.name())
        .bind(&new.key)
        .bind(new.due.as_millisecond())
        .bind(new.attempts)
        .bind(&new.body)
        .execute(tx)
        .await?;
    Ok(inserted.last_insert_rowid().unsigned_abs())
}

fn stream_ids(rows: &[SqliteRow]) -> Result<Vec<StreamId>, StoreError> {
    rows.iter().map(|row| Ok(StreamId::from(row.try_get::<String, _>(0)?))).collect()
}

/// SQLite's integers are signed; ours count from 0 and stay far below.
fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn work(kind: WorkKind, row: &SqliteRow) -> Result<Work, StoreError> {
    let due: i64 = row.try_get("due")?;
    // The last instant has more milliseconds than can be read back.
    let due = if due >= Timestamp::MAX.as_second() * 1_000 {
        Timestamp::MAX
    } else {
        Timestamp::from_millisecond(due)
            .map_err(|e| StoreError::Corrupt { place: "table work".into(), why: e.to_string() })?
    };
    Ok(Work {
        kind,
        key: row.try_get("key")?,
        due,
        attempts: row.try_get("attempts")?,
        body: row.try_get("body")?,
        generation: unsigned(row, "generation")?,
    })
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    let n: i64 = row.try_get(column)?;
    u64::try_from(n)
        .map_err(|_| StoreError::Corrupt { place: format!("column {column}"), why: format!("{n} is negative") })
}
