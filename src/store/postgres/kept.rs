//! What is kept and never done.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};

use super::Shared;
use super::rows::{KEPT, stored_kept};
use super::transaction::Patience;
use crate::store::seal::Row;
use crate::store::stored::{number, only_store};
use crate::store::{Commit, CommitError, Finished, Keep, Kept, KeptKind, RowKind, StoreError};
use crate::timing::store::COMMIT_PATIENCE;

pub(super) const KEEP: &str = "INSERT INTO kept (kind, key, generation, until, body, seal) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (kind, key) DO UPDATE SET generation = EXCLUDED.generation, until = EXCLUDED.until, \
     body = EXCLUDED.body, seal = EXCLUDED.seal";
const KEEP_FIRST: &str = "INSERT INTO kept (kind, key, generation, until, body, seal) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, key) DO NOTHING";

impl Shared {
    pub(super) async fn kept(self: &Arc<Self>, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError> {
        let key = key.to_owned();
        let row =
            self.read(move |c| sqlx::query(KEPT).bind(kind.name()).bind(key.clone()).fetch_optional(c).boxed()).await?;
        Ok(self.believed(kind, row.as_slice()).await?.pop())
    }

    pub(super) async fn all_kept(
        self: &Arc<Self>,
        kind: KeptKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let (mut all, mut after): (Vec<Kept>, _) = (Vec::new(), after.map(str::to_owned));
        // What is not believed makes room for what stands behind it.
        loop {
            let room = limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
            let first = after.clone();
            let rows = self.read(move |c| {
                sqlx::query(
                    "SELECT key, until, body, generation, seal FROM kept \
                     WHERE kind = $1 AND ($2::TEXT IS NULL OR key > $2) ORDER BY key LIMIT $3",
                )
                .bind(kind.name())
                .bind(first.clone())
                .bind(i64::from(room))
                .fetch_all(c)
                .boxed()
            });
            let rows = rows.await?;
            let last = rows.last().map(|row| stored_kept(kind.name(), row)).transpose()?;
            all.extend(self.believed(kind, &rows).await?);
            match last {
                Some(last) if all.len() < limit as usize && rows.len() == room as usize => after = Some(last.key),
                _ => return Ok(all),
            }
        }
    }

    pub(super) async fn kept_beyond(
        self: &Arc<Self>,
        kind: KeptKind,
        instant: Timestamp,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        let rows = self.read(move |c| {
            sqlx::query(
                "SELECT key, until, body, generation, seal FROM kept \
                 WHERE kind = $1 AND until > $2 ORDER BY until, generation LIMIT $3",
            )
            .bind(kind.name())
            .bind(instant.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(c)
            .boxed()
        });
        self.believed(kind, &rows.await?).await
    }

    pub(super) async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError> {
        let count = self.read(move |c| {
            sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM kept WHERE kind = $1")
                .bind(kind.name())
                .fetch_one(c)
                .boxed()
        });
        Ok(count.await?.unsigned_abs())
    }

    pub(super) async fn forget_kept(self: &Arc<Self>, now: Timestamp) -> Result<u64, StoreError> {
        let gone = self.write(Patience::until_done(COMMIT_PATIENCE), move |_, tx, _| {
            async move {
                let kinds = KeptKind::ALL.map(KeptKind::name).to_vec();
                let old = sqlx::query("DELETE FROM kept WHERE kind = ANY($1) AND until <= $2");
                let old = old.bind(kinds).bind(now.as_millisecond());
                Ok(old.execute(&mut *tx).await?.rows_affected())
            }
            .boxed()
        });
        gone.await.map_err(only_store)
    }

    /// What is sealed of these rows; the others are set aside.
    async fn believed(self: &Arc<Self>, kind: KeptKind, rows: &[PgRow]) -> Result<Vec<Kept>, StoreError> {
        let (mut all, mut bad) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let stored = stored_kept(kind.name(), row)?;
            match self.chain.check_row(&stored.row(), &stored.seal) {
                Ok(()) => all.push(stored.kept(kind)?),
                Err(why) => bad.push((stored.into(), why)),
            }
        }
        self.put_aside(bad).await;
        Ok(all)
    }

    /// Keeps something from now on.
    pub(super) async fn keep(
        &self,
        tx: &mut PgConnection,
        commit: &Commit,
        new: &Keep,
        generation: u64,
    ) -> Result<(), CommitError> {
        let until = new.until.map(Timestamp::as_millisecond);
        let (kind, key, body) = (new.kind.name(), &*new.key, &*new.body);
        // A row that was not there could not be locked.
        let absent = commit
            .rests_on
            .iter()
            .find(|found| found.generation.is_none() && found.kind == RowKind::Kept(new.kind) && found.key == new.key);
        let made = sqlx::query(if absent.is_some() { KEEP_FIRST } else { KEEP })
            .bind(kind)
            .bind(key)
            .bind(number(generation))
            .bind(until)
            .bind(body)
            .bind(self.chain.seal_row(&Row::Kept { kind, key, generation, until, body }))
            .execute(&mut *tx)
            .await?;
        match absent {
            Some(found) if made.rows_affected() == 0 => Err(found.conflict()),
            _ => Ok(()),
        }
    }

    /// From now on until then, unless it was kept again meanwhile.
    pub(super) async fn keep_until(
        &self,
        tx: &mut PgConnection,
        kind: KeptKind,
        of: &Finished,
        until: Timestamp,
    ) -> Result<(), CommitError> {
        let row =
            sqlx::query("SELECT key, until, body, generation, seal FROM kept WHERE kind = $1 AND key = $2 FOR UPDATE")
                .bind(kind.name())
                .bind(&of.key)
                .fetch_optional(&mut *tx)
                .await?;
        let Some(row) = row else { return Ok(()) };
        let mut stored = stored_kept(kind.name(), &row)?;
        // What no bot sealed gets no seal by this.
        if stored.generation != of.generation || self.chain.check_row(&stored.row(), &stored.seal).is_err() {
            return Ok(());
        }
        stored.until = Some(until.as_millisecond());
        sqlx::query("UPDATE kept SET until = $3, seal = $4 WHERE kind = $1 AND key = $2")
            .bind(kind.name())
            .bind(&of.key)
            .bind(stored.until)
            .bind(self.chain.seal_row(&stored.row()))
            .execute(tx)
            .await?;
        Ok(())
    }
}
