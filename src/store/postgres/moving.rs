//! What moving to or from another store needs.

use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::commit::insert_records;
use super::rows::{self, last_seal, little, unsigned};
use super::transaction::Patience;
use super::{Shared, only_store};
use crate::store::heads::Head;
use crate::store::moving::{Batch, Carried, Carry, Part, Place};
use crate::store::seal::Row;
use crate::store::stored::number;
use crate::store::{Loaded, Record, State, StoreError, StreamId};
use crate::timing::rehearsal;
use crate::timing::store::MOVE_PATIENCE;

const DELIVERIES: &str = "SELECT id, at, settled, seal FROM delivery WHERE id > $1 ORDER BY id LIMIT $2";
const WORK: &str = "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work \
     WHERE generation > $1 ORDER BY generation LIMIT $2";
const KEPT: &str = "SELECT kind, key, until, body, generation, seal FROM kept \
     WHERE generation > $1 ORDER BY generation LIMIT $2";

impl Shared {
    pub(super) async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError> {
        let id = stream.as_str().to_owned();
        let last = self.read(move |c| {
            sqlx::query("SELECT seq, seal FROM record WHERE stream = $1 ORDER BY seq DESC LIMIT 1")
                .bind(id.clone())
                .fetch_optional(c)
                .boxed()
        });
        last.await?.map(|row| Ok(Head(unsigned(&row, "seq")?, row.try_get("seal")?))).transpose()
    }

    pub(super) async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError> {
        let after = after.clone();
        let rows = self.read_within(MOVE_PATIENCE, move |c| {
            let query = match part {
                Part::Deliveries => sqlx::query(DELIVERIES).bind(after.id.clone()),
                Part::Work => sqlx::query(WORK).bind(number(after.generation)),
                Part::Kept => sqlx::query(KEPT).bind(number(after.generation)),
            };
            query.bind(i64::from(limit)).fetch_all(c).boxed()
        });
        let rows = rows.await?;
        let mut carried = Vec::with_capacity(rows.len());
        for row in &rows {
            let each = match part {
                Part::Deliveries => Carried::Delivery {
                    id: row.try_get("id")?,
                    at: row.try_get("at")?,
                    settled: row.try_get("settled")?,
                },
                Part::Work => Carried::Work(rows::stored(row.try_get("kind")?, row)?),
                Part::Kept => Carried::Kept(rows::stored_kept(row.try_get("kind")?, row)?),
            };
            each.check(&self.chain, row.try_get("seal")?)?;
            carried.push(each);
        }
        Ok(carried)
    }

    pub(super) async fn take_in(self: &Arc<Self>, batch: Batch) -> Result<(), StoreError> {
        let batch = Arc::new(batch);
        // A second attempt finds its own rows, and writes them once more.
        let taken = self.write(Patience::until_done(MOVE_PATIENCE), move |shared, tx, _| {
            let batch = Arc::clone(&batch);
            async move { Ok(shared.insert(tx, &batch).await?) }.boxed()
        });
        for (stream, version) in taken.await.map_err(only_store)? {
            self.saw(&stream, version);
        }
        rehearsal::committed();
        Ok(())
    }

    /// The streams that are there whole, and how far they have come.
    async fn insert(&self, tx: &mut PgConnection, batch: &Batch) -> Result<Vec<(StreamId, u64)>, StoreError> {
        if batch.clear {
            for table in ["DELETE FROM delivery", "DELETE FROM work", "DELETE FROM kept"] {
                sqlx::query(table).execute(&mut *tx).await?;
            }
        }
        let mut whole = Vec::new();
        for carry in &batch.streams {
            whole.extend(self.insert_stream(tx, carry).await?.map(|version| (carry.stream.clone(), version)));
        }
        let wanted = batch.rows.iter().filter(|row| !matches!(row, Carried::Delivery { .. })).count();
        let mut generations = super::commit::next_generations(tx, wanted).await?.into_iter();
        for row in &batch.rows {
            match row {
                Carried::Delivery { id, at, settled } => {
                    sqlx::query(
                        "INSERT INTO delivery (id, at, settled, seal) VALUES ($1, $2, $3, $4) ON CONFLICT (id) \
                         DO UPDATE SET at = EXCLUDED.at, settled = EXCLUDED.settled, seal = EXCLUDED.seal",
                    )
                    .bind(id)
                    .bind(at)
                    .bind(settled)
                    .bind(self.chain.seal_row(&Row::Delivery { id, at: *at, settled: *settled }))
                    .execute(&mut *tx)
                    .await?;
                }
                Carried::Work(work) => {
                    let mut work = work.clone();
                    work.generation = generations.next().unwrap_or_default();
                    sqlx::query(super::commit::SCHEDULE)
                        .bind(&work.kind)
                        .bind(&work.key)
                        .bind(number(work.generation))
                        .bind(work.due)
                        .bind(little(work.attempts))
                        .bind(&work.body)
                        .bind(work.delivered)
                        .bind(self.chain.seal_row(&work.row()))
                        .execute(&mut *tx)
                        .await?;
                }
                Carried::Kept(kept) => {
                    let mut kept = kept.clone();
                    kept.generation = generations.next().unwrap_or_default();
                    sqlx::query(super::kept::KEEP)
                        .bind(&kept.kind)
                        .bind(&kept.key)
                        .bind(number(kept.generation))
                        .bind(kept.until)
                        .bind(&kept.body)
                        .bind(self.chain.seal_row(&kept.row()))
                        .execute(&mut *tx)
                        .await?;
                }
            }
        }
        Ok(whole)
    }

    /// How far a stream has come, once it is there whole.
    async fn insert_stream(&self, tx: &mut PgConnection, carry: &Carry) -> Result<Option<u64>, StoreError> {
        let stream = carry.stream.as_str();
        // Those that an attempt left whose answer was lost.
        let there = last_number(tx, stream).await?;
        let new: Vec<Record> = carry.records.iter().filter(|record| record.seq > there).cloned().collect();
        insert_records(tx, stream, &new).await?;
        super::commit::keep_beside(tx, stream, &carry.beside).await?;
        let Some(Loaded { version, state: State { schema, json } }) = &carry.state else { return Ok(None) };
        let head = last_seal(tx, stream).await?;
        let row = Row::State { stream, version: *version, schema: *schema, json, head: &head };
        sqlx::query(
            "INSERT INTO stream (id, version, schema, state, head, seal) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, schema = EXCLUDED.schema, \
             state = EXCLUDED.state, head = EXCLUDED.head, seal = EXCLUDED.seal",
        )
        .bind(stream)
        .bind(number(*version))
        .bind(little(*schema))
        .bind(json)
        .bind(&head)
        .bind(self.chain.seal_row(&row))
        .execute(&mut *tx)
        .await?;
        Ok(Some(*version))
    }
}

async fn last_number(tx: &mut PgConnection, stream: &str) -> Result<u64, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(seq) FROM record WHERE stream = $1").bind(stream).fetch_one(tx).await?;
    Ok(last.unwrap_or_default().unsigned_abs())
}
