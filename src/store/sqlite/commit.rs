//! What one commit does, in its transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::rows::{Doubtful, FIND, Stored, last_seal, number, settled_before};
use super::writer::Patience;
use super::{Shared, StoreError, kept};
use crate::store::heads::Head;
use crate::store::seal::Row;
use crate::store::{Commit, CommitError, Finished, RowKind, Schedule, StreamId, WorkKind, Write};
use crate::timing::rehearsal;

/// What is known after a commit.
#[derive(Default)]
pub(super) struct Done {
    generations: Vec<u64>,
    pub(super) heads: Vec<(StreamId, Head)>,
    /// Recorded requests with a lower generation are settled.
    settled: u64,
}

impl Shared {
    pub(super) async fn commit(self: &Arc<Self>, commit: Commit, patience: Patience) -> Result<Vec<u64>, CommitError> {
        self.write_then(patience, |shared, tx| shared.perform(tx, commit).boxed(), Shared::committed).await
    }

    async fn perform(&self, tx: &mut SqliteConnection, commit: Commit) -> Result<Done, CommitError> {
        if let Some(fence) = &commit.fence {
            let has = sqlx::query("SELECT holder, until, seal FROM lease WHERE name = ?")
                .bind(fence.lease)
                .fetch_optional(&mut *tx)
                .await?;
            if !has.map_or(Ok(false), |has| self.is_held(fence, &has))? {
                return Err(StoreError::TakenOver.into());
            }
        }
        if let Some((id, at)) = &commit.delivery {
            self.deliver(tx, id, at.as_millisecond()).await?;
        }
        for found in &commit.rests_on {
            let generation = match found.kind {
                RowKind::Work(_) => "SELECT generation FROM work WHERE kind = ? AND key = ?",
                RowKind::Kept(_) => "SELECT generation FROM kept WHERE kind = ? AND key = ?",
            };
            let generation: Option<i64> = sqlx::query_scalar(generation)
                .bind(found.kind.name())
                .bind(&found.key)
                .fetch_optional(&mut *tx)
                .await?;
            if generation != found.generation.map(number) {
                return Err(found.conflict());
            }
        }
        let mut done = Done::default();
        for write in &commit.writes {
            done.heads.push((write.stream.clone(), self.write_stream(tx, write).await?));
        }
        for finished in &commit.finished {
            self.finish(tx, finished).await?;
        }
        for (put_off, due) in &commit.postponed {
            match put_off.kind {
                RowKind::Work(kind) => self.put_off(tx, kind, put_off, due.as_millisecond()).await?,
                RowKind::Kept(kind) => kept::keep_until(tx, &self.chain, kind, put_off, *due).await?,
            }
        }
        for new in &commit.schedule {
            let delivered =
                new.kind == WorkKind::Inbound && commit.delivery.as_ref().is_some_and(|(id, _)| *id == new.key);
            done.generations.push(self.schedule(tx, new, delivered).await?);
        }
        for new in &commit.keep {
            let until = new.until.map(jiff::Timestamp::as_millisecond);
            done.generations.push(kept::keep(tx, &self.chain, new.kind.name(), &new.key, until, &new.body).await?);
        }
        if commit.finished.iter().any(|finished| finished.kind == WorkKind::Inbound.into()) {
            done.settled = settled_before(tx).await?;
        }
        Ok(done)
    }

    /// Notes a delivery, unless it is noted already. One that no bot sealed is none.
    async fn deliver(&self, tx: &mut SqliteConnection, id: &str, at: i64) -> Result<(), CommitError> {
        let there = sqlx::query("SELECT at, settled, seal FROM delivery WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = there {
            let (at, settled): (i64, bool) = (row.try_get("at")?, row.try_get("settled")?);
            let seal: String = row.try_get("seal")?;
            if self.chain.check_row(&Row::Delivery { id, at, settled }, &seal).is_ok() {
                return Err(CommitError::Delivered);
            }
        }
        Ok(self.note_delivery(tx, id, at, false).await?)
    }

    pub(super) async fn note_delivery(
        &self,
        tx: &mut SqliteConnection,
        id: &str,
        at: i64,
        settled: bool,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT OR REPLACE INTO delivery (id, at, settled, seal) VALUES (?, ?, ?, ?)")
            .bind(id)
            .bind(at)
            .bind(settled)
            .bind(self.chain.seal_row(&Row::Delivery { id, at, settled }))
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn write_stream(&self, tx: &mut SqliteConnection, write: &Write) -> Result<Head, CommitError> {
        let version = write.expected + write.records.len() as u64;
        let stream = write.stream.as_str();
        let last = last_seal(&mut *tx, stream).await?;
        let records = self.chain.seal(&write.stream, write.expected, &last, &write.records);
        let head = records.last().map_or(last.as_str(), |record| &record.seal).to_owned();
        let (schema, json) = (write.state.schema, write.state.json.as_str());
        let seal = self.chain.seal_row(&Row::State { stream, version, schema, json, head: &head });
        let query = if write.expected == 0 {
            "INSERT INTO stream (version, schema, state, head, seal, id) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        } else {
            "UPDATE stream SET version = ?, schema = ?, state = ?, head = ?, seal = ? WHERE id = ? AND version = ?"
        };
        let mut query =
            sqlx::query(query).bind(number(version)).bind(schema).bind(json).bind(&head).bind(seal).bind(stream);
        if write.expected != 0 {
            query = query.bind(number(write.expected));
        }
        if query.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(CommitError::Conflict(write.stream.to_string()));
        }
        for (seq, personal) in &write.beside {
            sqlx::query("UPDATE record SET personal = ? WHERE stream = ? AND seq = ?")
                .bind(personal.column())
                .bind(stream)
                .bind(number(*seq))
                .execute(&mut *tx)
                .await?;
        }
        for record in records {
            sqlx::query(
                "INSERT INTO record (stream, seq, at, actor, kind, body, personal, key, seal) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(record.stream.as_str())
            .bind(number(record.seq))
            .bind(record.at)
            .bind(record.actor)
            .bind(record.kind)
            .bind(record.body)
            .bind(record.personal.column())
            .bind(record.key)
            .bind(record.seal)
            .execute(&mut *tx)
            .await?;
        }
        Ok(Head(version, head))
    }

    async fn finish(&self, tx: &mut SqliteConnection, finished: &Finished) -> Result<(), CommitError> {
        let gone = match finished.kind {
            RowKind::Work(_) => "DELETE FROM work WHERE kind = ? AND key = ? AND generation = ?",
            RowKind::Kept(_) => "DELETE FROM kept WHERE kind = ? AND key = ? AND generation = ?",
        };
        let gone = sqlx::query(gone)
            .bind(finished.kind.name())
            .bind(&finished.key)
            .bind(number(finished.generation))
            .execute(&mut *tx)
            .await?;
        if finished.kind != WorkKind::Inbound.into() || gone.rows_affected() == 0 {
            return Ok(());
        }
        // It came in this delivery: whoever puts the work back finds it settled.
        let at: Option<i64> = sqlx::query_scalar("SELECT at FROM delivery WHERE id = ?")
            .bind(&finished.key)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(at) = at {
            self.note_delivery(tx, &finished.key, at, true).await?;
        }
        Ok(())
    }

    async fn put_off(
        &self,
        tx: &mut SqliteConnection,
        kind: WorkKind,
        put_off: &Finished,
        due: i64,
    ) -> Result<(), StoreError> {
        let kind = kind.name();
        let row = sqlx::query(FIND).bind(kind).bind(&put_off.key).fetch_optional(&mut *tx).await?;
        let Some(row) = row else { return Ok(()) };
        let mut stored = Stored::read(kind, &row)?;
        // What no bot sealed gets no seal by being put off.
        if stored.generation != put_off.generation || self.chain.check_row(&stored.row(), &stored.seal).is_err() {
            return Ok(());
        }
        stored.due = due;
        stored.attempts = stored.attempts.saturating_add(1);
        sqlx::query("UPDATE work SET due = ?, attempts = ?, seal = ? WHERE generation = ?")
            .bind(stored.due)
            .bind(stored.attempts)
            .bind(self.chain.seal_row(&stored.row()))
            .bind(number(stored.generation))
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn schedule(&self, tx: &mut SqliteConnection, new: &Schedule, delivered: bool) -> Result<u64, StoreError> {
        let work = Stored {
            kind: new.kind.name().to_owned(),
            key: new.key.clone(),
            generation: 0,
            due: new.due.as_millisecond(),
            attempts: new.attempts,
            body: new.body.clone(),
            delivered,
            seal: String::new(),
        };
        self.insert_work(tx, work).await
    }

    /// Work with a generation of its own, which it returns, and sealed with it.
    pub(super) async fn insert_work(&self, tx: &mut SqliteConnection, mut work: Stored) -> Result<u64, StoreError> {
        // REPLACE gives the row a new generation, which is what tells it from the superseded one.
        let inserted = sqlx::query(
            "INSERT OR REPLACE INTO work (kind, key, due, attempts, body, delivered) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&work.kind)
        .bind(&work.key)
        .bind(work.due)
        .bind(work.attempts)
        .bind(&work.body)
        .bind(work.delivered)
        .execute(&mut *tx)
        .await?;
        work.generation = inserted.last_insert_rowid().unsigned_abs();
        sqlx::query("UPDATE work SET seal = ? WHERE generation = ?")
            .bind(self.chain.seal_row(&work.row()))
            .bind(number(work.generation))
            .execute(tx)
            .await?;
        Ok(work.generation)
    }

    /// A commit is on the disk.
    pub(super) fn committed(&self, done: Done) -> Vec<u64> {
        {
            let mut heads = self.heads();
            for (stream, head) in done.heads {
                heads.follow(stream.as_str().to_owned(), head);
            }
            heads.settled = heads.settled.max(done.settled);
        }
        self.unwritten.store(true, Ordering::Relaxed);
        rehearsal::committed();
        done.generations
    }
}

/// Takes a row out of its table, and keeps it to be looked at; false if it is not there any more: it was
/// done, or written anew.
pub(super) async fn put_aside(
    tx: &mut SqliteConnection,
    row: &Doubtful,
    reference: &str,
    why: &str,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query(row.remove).bind(number(row.generation)).bind(&row.seal).execute(&mut *tx).await?;
    if gone.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO aside (reference, at, why, generation, kind, key, due, attempts, body, seal) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(reference)
    .bind(jiff::Timestamp::now().as_millisecond())
    .bind(why)
    .bind(number(row.generation))
    .bind(&row.kind)
    .bind(&row.key)
    .bind(row.due)
    .bind(row.attempts)
    .bind(&row.body)
    .bind(&row.seal)
    .execute(tx)
    .await?;
    Ok(true)
}
