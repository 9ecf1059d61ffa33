//! What one commit does, in its transaction.
//!
//! It is described by plain values that can be made again: the numbers of what it schedules are drawn
//! once, so that a commit whose answer was lost finds its own rows.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::rows::{Doubtful, FIND, HISTORY, last_seal, little, record, stored, unsigned};
use super::transaction::Patience;
use super::{Shared, StoreError};
use crate::store::audit::{Record, instant};
use crate::store::seal::Row;
use crate::store::stored::number;
use crate::store::{Commit, CommitError, Finished, Found, Personal, RowKind, StreamId, WorkKind, Write};
use crate::timing::rehearsal;

pub(super) const SCHEDULE: &str = "INSERT INTO work (kind, key, generation, due, attempts, body, delivered, seal) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
     ON CONFLICT (kind, key) DO UPDATE SET generation = EXCLUDED.generation, due = EXCLUDED.due, \
     attempts = EXCLUDED.attempts, body = EXCLUDED.body, delivered = EXCLUDED.delivered, seal = EXCLUDED.seal";
const SCHEDULE_FIRST: &str = "INSERT INTO work (kind, key, generation, due, attempts, body, delivered, seal) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (kind, key) DO NOTHING";

/// A commit, and what its first attempt made of it.
struct Job {
    commit: Commit,
    /// Of what it schedules.
    generations: Mutex<Vec<u64>>,
}

/// What is known after a commit.
struct Done {
    generations: Vec<u64>,
    versions: Vec<(StreamId, u64)>,
}

impl Shared {
    pub(super) async fn commit(self: &Arc<Self>, commit: Commit, patience: Patience) -> Result<Vec<u64>, CommitError> {
        let job = Arc::new(Job { commit, generations: Mutex::default() });
        let done = self.write(patience, move |shared, tx, again| {
            let job = Arc::clone(&job);
            async move { shared.perform(tx, &job, again).await }.boxed()
        });
        let done = done.await?;
        for (stream, version) in &done.versions {
            self.saw(stream, *version);
        }
        rehearsal::committed();
        Ok(done.generations)
    }

    async fn perform(&self, tx: &mut PgConnection, job: &Job, again: bool) -> Result<Done, CommitError> {
        let Job { commit, .. } = job;
        let generations = self.draw(tx, job).await?;
        if again && self.was_recorded(tx, commit, &generations).await? {
            let versions = commit.writes.iter().map(|w| (w.stream.clone(), w.expected + w.records.len() as u64));
            return Ok(Done { generations, versions: versions.collect() });
        }
        if let Some(fence) = &commit.fence {
            // Whoever takes it over waits until this is committed, or the other way about.
            let has = sqlx::query("SELECT holder, until, seal FROM lease WHERE name = $1 FOR SHARE")
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
            if ends(commit, found).is_some_and(|finished| finished.kind == WorkKind::Inbound.into()) {
                // It is ended at once, which tells as well whether it is there.
                if !self.finish_recorded(tx, &found.key, found.generation).await? {
                    return Err(found.conflict());
                }
                continue;
            }
            let generation = match found.kind {
                RowKind::Work(_) => "SELECT generation FROM work WHERE kind = $1 AND key = $2 FOR UPDATE",
                RowKind::Kept(_) => "SELECT generation FROM kept WHERE kind = $1 AND key = $2 FOR UPDATE",
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
        let mut versions = Vec::with_capacity(commit.writes.len());
        for write in &commit.writes {
            versions.push((write.stream.clone(), self.write_stream(tx, write).await?));
        }
        for finished in &commit.finished {
            if finished.kind != WorkKind::Inbound.into() {
                finish(tx, finished).await?;
            } else if !commit.rests_on.iter().any(|found| ends(commit, found) == Some(finished)) {
                self.finish_recorded(tx, &finished.key, Some(finished.generation)).await?;
            }
        }
        for (put_off, due) in &commit.postponed {
            match put_off.kind {
                RowKind::Work(kind) => self.put_off(tx, kind, put_off, due.as_millisecond()).await?,
                RowKind::Kept(kind) => self.keep_until(tx, kind, put_off, *due).await?,
            }
        }
        self.schedule(tx, commit, &generations).await?;
        for (new, generation) in commit.keep.iter().zip(&generations[commit.schedule.len()..]) {
            self.keep(tx, commit, new, *generation).await?;
        }
        Ok(Done { generations, versions })
    }

    /// Draws the numbers of what is scheduled and kept, once for all attempts.
    async fn draw(&self, tx: &mut PgConnection, job: &Job) -> Result<Vec<u64>, CommitError> {
        let drawn = job.generations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted = job.commit.schedule.len() + job.commit.keep.len();
        if drawn.len() == wanted {
            return Ok(drawn);
        }
        let numbers = next_generations(tx, wanted).await?;
        job.generations.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&numbers);
        Ok(numbers)
    }

    /// Whether an earlier attempt, whose answer was lost, was recorded. Waits until it has ended.
    async fn was_recorded(
        &self,
        tx: &mut PgConnection,
        commit: &Commit,
        generations: &[u64],
    ) -> Result<bool, CommitError> {
        for write in &commit.writes {
            // Its end is waited for: it holds the row, or makes it.
            sqlx::query("SELECT 1 FROM stream WHERE id = $1 FOR UPDATE")
                .bind(write.stream.as_str())
                .fetch_optional(&mut *tx)
                .await?;
            let Some(first) = write.records.first() else { continue };
            let row = sqlx::query(HISTORY)
                .bind(write.stream.as_str())
                .bind(number(write.expected))
                .bind(1_i64)
                .fetch_optional(&mut *tx)
                .await?;
            let Some(row) = row else { return Ok(false) };
            let there = record(&write.stream, &row)?;
            let same = (&*there.actor, &*there.kind, there.text()) == (&*first.actor, first.kind, first.body.clone());
            return Ok(same && there.at == instant(first.at));
        }
        let scheduled = commit.schedule.iter().map(|new| {
            ("SELECT generation FROM work WHERE kind = $1 AND key = $2 FOR UPDATE", new.kind.name(), &new.key)
        });
        let kept = commit.keep.iter().map(|new| {
            ("SELECT generation FROM kept WHERE kind = $1 AND key = $2 FOR UPDATE", new.kind.name(), &new.key)
        });
        for ((query, kind, key), generation) in scheduled.chain(kept).zip(generations) {
            let there: Option<i64> = sqlx::query_scalar(query).bind(kind).bind(key).fetch_optional(&mut *tx).await?;
            // A later one has taken its place, perhaps after it was recorded: it need not be made again.
            if there.is_some_and(|there| there.unsigned_abs() >= *generation) {
                return Ok(true);
            }
        }
        // What only ends or puts off rows finds them ended the second time.
        Ok(false)
    }

    /// Notes a delivery, unless it is noted already. One that no bot sealed is none.
    async fn deliver(&self, tx: &mut PgConnection, id: &str, at: i64) -> Result<(), CommitError> {
        let seal = self.chain.seal_row(&Row::Delivery { id, at, settled: false });
        let noted = sqlx::query(
            "INSERT INTO delivery (id, at, settled, seal) VALUES ($1, $2, FALSE, $3) ON CONFLICT (id) DO NOTHING",
        )
        .bind(id)
        .bind(at)
        .bind(&seal)
        .execute(&mut *tx)
        .await?;
        if noted.rows_affected() > 0 {
            return Ok(());
        }
        let there = sqlx::query("SELECT at, settled, seal FROM delivery WHERE id = $1 FOR UPDATE")
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

    async fn note_delivery(&self, tx: &mut PgConnection, id: &str, at: i64, settled: bool) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE delivery SET at = $2, settled = $3, seal = $4 WHERE id = $1")
            .bind(id)
            .bind(at)
            .bind(settled)
            .bind(self.chain.seal_row(&Row::Delivery { id, at, settled }))
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn write_stream(&self, tx: &mut PgConnection, write: &Write) -> Result<u64, CommitError> {
        let version = write.expected + write.records.len() as u64;
        let stream = write.stream.as_str();
        let conflict = || CommitError::Conflict(write.stream.to_string());
        // From here on nobody else changes it; of a new one, whoever makes the row below.
        let there = sqlx::query(
            "SELECT version, record.seal AS last FROM stream LEFT JOIN record ON record.stream = id AND seq = $2 \
             WHERE id = $1 FOR UPDATE OF stream",
        )
        .bind(stream)
        .bind(number(write.expected))
        .fetch_optional(&mut *tx)
        .await?;
        if there.as_ref().map_or(Ok(0), |row| unsigned(row, "version"))? != write.expected {
            return Err(conflict());
        }
        let last: Option<String> = there.map(|row| row.try_get("last")).transpose()?.flatten();
        // A new one, or one whose last record is gone.
        let last = match last {
            Some(last) => last,
            None => last_seal(tx, stream).await?,
        };
        let records = self.chain.seal(&write.stream, write.expected, &last, &write.records);
        let head = records.last().map_or(last.as_str(), |record| &record.seal).to_owned();
        let (schema, json) = (write.state.schema, write.state.json.as_str());
        let seal = self.chain.seal_row(&Row::State { stream, version, schema, json, head: &head });
        let query = if write.expected == 0 {
            "INSERT INTO stream (id, version, schema, state, head, seal) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO NOTHING"
        } else {
            "UPDATE stream SET version = $2, schema = $3, state = $4, head = $5, seal = $6 \
             WHERE id = $1 AND version = $7"
        };
        let mut query = sqlx::query(query)
            .bind(stream)
            .bind(number(version))
            .bind(little(schema))
            .bind(json)
            .bind(&head)
            .bind(seal);
        if write.expected != 0 {
            query = query.bind(number(write.expected));
        }
        if query.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(conflict());
        }
        insert_records(tx, stream, &records).await?;
        keep_beside(tx, stream, &write.beside).await?;
        Ok(version)
    }

    /// Takes a recorded request off the list; false if it is not there, or another one by now. It came in a
    /// delivery: whoever puts it back finds that settled.
    async fn finish_recorded(
        &self,
        tx: &mut PgConnection,
        key: &str,
        generation: Option<u64>,
    ) -> Result<bool, sqlx::Error> {
        let Some(generation) = generation else { return Ok(false) };
        let gone = sqlx::query_scalar::<_, Option<i64>>(
            "WITH gone AS (DELETE FROM work WHERE kind = $1 AND key = $2 AND generation = $3 RETURNING key) \
             SELECT (SELECT at FROM delivery WHERE id = gone.key) FROM gone",
        )
        .bind(WorkKind::Inbound.name())
        .bind(key)
        .bind(number(generation))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(at) = gone else { return Ok(false) };
        if let Some(at) = at {
            self.note_delivery(tx, key, at, true).await?;
        }
        Ok(true)
    }

    async fn put_off(
        &self,
        tx: &mut PgConnection,
        kind: WorkKind,
        put_off: &Finished,
        due: i64,
    ) -> Result<(), CommitError> {
        let kind = kind.name();
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{FIND} FOR UPDATE")))
            .bind(kind)
            .bind(&put_off.key)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else { return Ok(()) };
        let mut stored = stored(kind, &row)?;
        // What no bot sealed gets no seal by being put off.
        if stored.generation != put_off.generation || self.chain.check_row(&stored.row(), &stored.seal).is_err() {
            return Ok(());
        }
        stored.due = due;
        stored.attempts = stored.attempts.saturating_add(1);
        sqlx::query("UPDATE work SET due = $3, attempts = $4, seal = $5 WHERE kind = $1 AND key = $2")
            .bind(kind)
            .bind(&put_off.key)
            .bind(stored.due)
            .bind(little(stored.attempts))
            .bind(self.chain.seal_row(&stored.row()))
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn schedule(&self, tx: &mut PgConnection, commit: &Commit, generations: &[u64]) -> Result<(), CommitError> {
        for (new, generation) in commit.schedule.iter().zip(generations) {
            let delivered =
                new.kind == WorkKind::Inbound && commit.delivery.as_ref().is_some_and(|(id, _)| *id == new.key);
            let row = Row::Work {
                kind: new.kind.name(),
                key: &new.key,
                generation: *generation,
                due: new.due.as_millisecond(),
                attempts: new.attempts,
                body: &new.body,
                delivered,
            };
            // A row that was not there could not be locked.
            let absent = commit.rests_on.iter().find(|found| {
                found.generation.is_none() && found.kind == RowKind::Work(new.kind) && found.key == new.key
            });
            let made = sqlx::query(if absent.is_some() { SCHEDULE_FIRST } else { SCHEDULE })
                .bind(new.kind.name())
                .bind(&new.key)
                .bind(number(*generation))
                .bind(new.due.as_millisecond())
                .bind(little(new.attempts))
                .bind(&new.body)
                .bind(delivered)
                .bind(self.chain.seal_row(&row))
                .execute(&mut *tx)
                .await?;
            if let Some(found) = absent
                && made.rows_affected() == 0
            {
                return Err(found.conflict());
            }
        }
        Ok(())
    }
}

/// So many new numbers, in order.
pub(super) async fn next_generations(tx: &mut PgConnection, wanted: usize) -> Result<Vec<u64>, sqlx::Error> {
    let numbers: Vec<i64> = sqlx::query_scalar("SELECT nextval('generation') FROM generate_series(1, $1)")
        .bind(number(wanted as u64))
        .fetch_all(tx)
        .await?;
    let mut numbers: Vec<u64> = numbers.into_iter().map(i64::unsigned_abs).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a commit ends of what it rests on.
fn ends<'a>(commit: &'a Commit, found: &Found) -> Option<&'a Finished> {
    commit.finished.iter().find(|finished| {
        finished.kind == found.kind && finished.key == found.key && Some(finished.generation) == found.generation
    })
}

async fn finish(tx: &mut PgConnection, finished: &Finished) -> Result<(), sqlx::Error> {
    let gone = match finished.kind {
        RowKind::Work(_) => "DELETE FROM work WHERE kind = $1 AND key = $2 AND generation = $3",
        RowKind::Kept(_) => "DELETE FROM kept WHERE kind = $1 AND key = $2 AND generation = $3",
    };
    sqlx::query(gone)
        .bind(finished.kind.name())
        .bind(&finished.key)
        .bind(number(finished.generation))
        .execute(tx)
        .await?;
    Ok(())
}

/// All of them in one statement.
pub(super) async fn insert_records(tx: &mut PgConnection, stream: &str, records: &[Record]) -> Result<(), sqlx::Error> {
    let all = |of: &dyn Fn(&Record) -> String| records.iter().map(of).collect::<Vec<String>>();
    sqlx::query(
        "INSERT INTO record (stream, seq, at, actor, kind, body, personal, key, seal) SELECT $1, * FROM \
         UNNEST($2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[])",
    )
    .bind(stream)
    .bind(records.iter().map(|record| number(record.seq)).collect::<Vec<i64>>())
    .bind(all(&|record| record.at.clone()))
    .bind(all(&|record| record.actor.clone()))
    .bind(all(&|record| record.kind.clone()))
    .bind(all(&|record| record.body.clone()))
    .bind(all(&|record| record.personal.column()))
    .bind(all(&|record| record.key.clone()))
    .bind(all(&|record| record.seal.clone()))
    .execute(tx)
    .await?;
    Ok(())
}

/// What is left beside earlier records of a stream, by their numbers.
pub(super) async fn keep_beside(
    tx: &mut PgConnection,
    stream: &str,
    beside: &[(u64, Personal)],
) -> Result<(), sqlx::Error> {
    for (seq, personal) in beside {
        sqlx::query("UPDATE record SET personal = $3 WHERE stream = $1 AND seq = $2")
            .bind(stream)
            .bind(number(*seq))
            .bind(personal.column())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Takes a row out of its table, and keeps it to be looked at; false if it is not there any
/// more: it was done, or written anew.
pub(super) async fn put_aside(
    tx: &mut PgConnection,
    doubtful: &Doubtful,
    reference: &str,
    why: &str,
) -> Result<bool, sqlx::Error> {
    let Doubtful { remove, row } = doubtful;
    let gone = sqlx::query(*remove)
        .bind(&row.kind)
        .bind(&row.key)
        .bind(number(row.generation))
        .bind(&row.seal)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO aside (reference, at, why, generation, kind, key, due, attempts, body, seal) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(reference)
    .bind(jiff::Timestamp::now().as_millisecond())
    .bind(why)
    .bind(number(row.generation))
    .bind(&row.kind)
    .bind(&row.key)
    .bind(row.due)
    .bind(little(row.attempts))
    .bind(&row.body)
    .bind(&row.seal)
    .execute(tx)
    .await?;
    Ok(true)
}
