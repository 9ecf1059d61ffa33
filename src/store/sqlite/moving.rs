//! What moving to or from another store needs.

use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::commit::Done;
use super::rows::{Stored, StoredKept, number, unsigned};
use super::writer::Patience;
use super::{Shared, kept, only_store};
use crate::store::heads::Head;
use crate::store::moving::{Batch, Carried, Carry, Part, Place};
use crate::store::seal::Row;
use crate::store::{Loaded, State, StoreError, StreamId};
use crate::timing::store::MOVE_PATIENCE;

impl Shared {
    pub(super) async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError> {
        self.ready().await?;
        let last = sqlx::query("SELECT seq, seal FROM record WHERE stream = ? ORDER BY seq DESC LIMIT 1")
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await?;
        last.map(|row| Ok(Head(unsigned(&row, "seq")?, row.try_get("seal")?))).transpose()
    }

    pub(super) async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError> {
        self.ready().await?;
        let query = match part {
            Part::Deliveries => {
                let query = "SELECT id, at, settled, seal FROM delivery WHERE id > ? ORDER BY id LIMIT ?";
                sqlx::query(query).bind(after.id.clone())
            }
            Part::Work => {
                let query = "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work \
                     WHERE generation > ? ORDER BY generation LIMIT ?";
                sqlx::query(query).bind(number(after.generation))
            }
            Part::Kept => {
                let query = "SELECT kind, key, until, body, generation, seal FROM kept \
                     WHERE generation > ? ORDER BY generation LIMIT ?";
                sqlx::query(query).bind(number(after.generation))
            }
        };
        let rows = query.bind(limit).fetch_all(&self.readers).await?;
        let mut carried = Vec::with_capacity(rows.len());
        for row in &rows {
            let each = match part {
                Part::Deliveries => Carried::Delivery {
                    id: row.try_get("id")?,
                    at: row.try_get("at")?,
                    settled: row.try_get("settled")?,
                },
                Part::Work => Carried::Work(Stored::read(row.try_get("kind")?, row)?),
                Part::Kept => Carried::Kept(StoredKept::read(row.try_get("kind")?, row)?),
            };
            each.check(&self.chain, row.try_get("seal")?)?;
            carried.push(each);
        }
        Ok(carried)
    }

    pub(super) async fn take_in(self: &Arc<Self>, batch: Batch) -> Result<(), StoreError> {
        let taken = self.write_then(
            Patience::until_done(MOVE_PATIENCE),
            move |shared, tx| async move { Ok(shared.insert(tx, batch).await?) }.boxed(),
            |shared, done| {
                shared.committed(done);
            },
        );
        taken.await.map_err(only_store)
    }

    async fn insert(&self, tx: &mut SqliteConnection, batch: Batch) -> Result<Done, StoreError> {
        if batch.clear {
            for table in ["DELETE FROM delivery", "DELETE FROM work", "DELETE FROM kept"] {
                sqlx::query(table).execute(&mut *tx).await?;
            }
        }
        let mut done = Done::default();
        for carry in &batch.streams {
            done.heads.extend(self.insert_stream(tx, carry).await?);
        }
        for row in batch.rows {
            match row {
                Carried::Delivery { id, at, settled } => self.note_delivery(tx, &id, at, settled).await?,
                Carried::Work(work) => {
                    self.insert_work(tx, work).await?;
                }
                Carried::Kept(row) => {
                    kept::keep(tx, &self.chain, &row.kind, &row.key, row.until, &row.body).await?;
                }
            }
        }
        Ok(done)
    }

    /// The end of a stream, once it is there whole.
    async fn insert_stream(
        &self,
        tx: &mut SqliteConnection,
        carry: &Carry,
    ) -> Result<Option<(StreamId, Head)>, StoreError> {
        for record in &carry.records {
            sqlx::query(
                "INSERT OR IGNORE INTO record (stream, seq, at, actor, kind, body, personal, key, seal) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(carry.stream.as_str())
            .bind(number(record.seq))
            .bind(&record.at)
            .bind(&record.actor)
            .bind(&record.kind)
            .bind(&record.body)
            .bind(record.personal.column())
            .bind(&record.key)
            .bind(&record.seal)
            .execute(&mut *tx)
            .await?;
        }
        let stream = carry.stream.as_str();
        for (seq, personal) in &carry.beside {
            sqlx::query("UPDATE record SET personal = ? WHERE stream = ? AND seq = ?")
                .bind(personal.column())
                .bind(stream)
                .bind(number(*seq))
                .execute(&mut *tx)
                .await?;
        }
        let Some(Loaded { version, state: State { schema, json } }) = &carry.state else { return Ok(None) };
        let head = super::rows::last_seal(&mut *tx, stream).await?;
        let row = Row::State { stream, version: *version, schema: *schema, json, head: &head };
        sqlx::query("INSERT OR REPLACE INTO stream (id, version, schema, state, head, seal) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(stream)
            .bind(number(*version))
            .bind(*schema)
            .bind(json)
            .bind(&head)
            .bind(self.chain.seal_row(&row))
            .execute(&mut *tx)
            .await?;
        Ok(Some((carry.stream.clone(), Head(*version, head))))
    }
}
