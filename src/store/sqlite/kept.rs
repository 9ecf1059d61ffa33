//! What is kept and never done.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Shared;
use super::rows::{KEPT, NEVER, Stored, StoredKept, number};
use super::writer::Patience;
use crate::store::audit::Chain;
use crate::store::stored::only_store;
use crate::store::{Finished, Kept, KeptKind, StoreError};
use crate::timing::store::COMMIT_PATIENCE;

impl Shared {
    pub(super) async fn kept(self: &Arc<Self>, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError> {
        self.ready().await?;
        let row = sqlx::query(KEPT).bind(kind.name()).bind(key).fetch_optional(&self.readers).await?;
        Ok(self.believed(kind, row.as_slice()).await?.pop())
    }

    pub(super) async fn all_kept(
        self: &Arc<Self>,
        kind: KeptKind,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        self.ready().await?;
        let (mut all, mut after): (Vec<Kept>, _) = (Vec::new(), after.map(str::to_owned));
        // What is not believed makes room for what stands behind it.
        loop {
            let room = limit.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
            let rows = sqlx::query(
                "SELECT key, until, body, generation, seal FROM kept \
                 WHERE kind = ?1 AND (?2 IS NULL OR key > ?2) ORDER BY key LIMIT ?3",
            )
            .bind(kind.name())
            .bind(&after)
            .bind(room)
            .fetch_all(&self.readers)
            .await?;
            let last = rows.last().map(|row| StoredKept::read(kind.name(), row)).transpose()?;
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
        self.ready().await?;
        let rows = sqlx::query(
            "SELECT key, until, body, generation, seal FROM kept \
             WHERE kind = ? AND until > ? ORDER BY until, generation LIMIT ?",
        )
        .bind(kind.name())
        .bind(instant.as_millisecond())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        self.believed(kind, &rows).await
    }

    pub(super) async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError> {
        self.ready().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM kept WHERE kind = ?")
            .bind(kind.name())
            .fetch_one(&self.readers)
            .await?;
        Ok(count.unsigned_abs())
    }

    pub(super) async fn forget_kept(self: &Arc<Self>, now: Timestamp) -> Result<u64, StoreError> {
        let gone = self.write(Patience::until_done(COMMIT_PATIENCE), move |_, tx| {
            async move {
                let mut gone = 0;
                for kind in KeptKind::ALL {
                    let old = sqlx::query("DELETE FROM kept WHERE kind = ? AND until <= ?");
                    let old = old.bind(kind.name()).bind(now.as_millisecond());
                    gone += old.execute(&mut *tx).await?.rows_affected();
                }
                Ok(gone)
            }
            .boxed()
        });
        gone.await.map_err(only_store)
    }

    /// What is sealed of these rows; the others are set aside.
    async fn believed(self: &Arc<Self>, kind: KeptKind, rows: &[SqliteRow]) -> Result<Vec<Kept>, StoreError> {
        let (mut all, mut bad) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let stored = StoredKept::read(kind.name(), row)?;
            match self.chain.check_row(&stored.row(), &stored.seal) {
                Ok(()) => all.push(stored.kept(kind)?),
                Err(why) => bad.push((stored.into(), why)),
            }
        }
        self.put_aside(bad).await;
        Ok(all)
    }
}

/// Keeps something from now on; returns its generation.
pub async fn keep(
    tx: &mut SqliteConnection,
    chain: &Chain,
    kind: &str,
    key: &str,
    until: Option<i64>,
    body: &str,
) -> Result<u64, StoreError> {
    // REPLACE gives the row a new generation, which is what tells it from the superseded one.
    let inserted = sqlx::query("INSERT OR REPLACE INTO kept (kind, key, until, body, seal) VALUES (?, ?, ?, ?, '')")
        .bind(kind)
        .bind(key)
        .bind(until)
        .bind(body)
        .execute(&mut *tx)
        .await?;
    let generation = inserted.last_insert_rowid().unsigned_abs();
    let (kind, key, body) = (kind.to_owned(), key.to_owned(), body.to_owned());
    seal(tx, chain, &StoredKept { kind, key, generation, until, body, seal: String::new() }).await?;
    Ok(generation)
}

/// From now on until then, unless it was kept again meanwhile.
pub async fn keep_until(
    tx: &mut SqliteConnection,
    chain: &Chain,
    kind: KeptKind,
    of: &Finished,
    until: Timestamp,
) -> Result<(), StoreError> {
    let row = sqlx::query(KEPT).bind(kind.name()).bind(&of.key).fetch_optional(&mut *tx).await?;
    let Some(row) = row else { return Ok(()) };
    let mut stored = StoredKept::read(kind.name(), &row)?;
    // What no bot sealed gets no seal by this.
    if stored.generation != of.generation || chain.check_row(&stored.row(), &stored.seal).is_err() {
        return Ok(());
    }
    stored.until = Some(until.as_millisecond());
    seal(tx, chain, &stored).await
}

/// Seals a row as it is to be: until when it is kept may be new.
pub async fn seal(tx: &mut SqliteConnection, chain: &Chain, stored: &StoredKept) -> Result<(), StoreError> {
    sqlx::query("UPDATE kept SET until = ?, seal = ? WHERE generation = ?")
        .bind(stored.until)
        .bind(chain.seal_row(&stored.row()))
        .bind(number(stored.generation))
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn is_there(tx: &mut SqliteConnection, kind: KeptKind, key: &str) -> Result<bool, StoreError> {
    let there = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM kept WHERE kind = ? AND key = ?)");
    Ok(there.bind(kind.name()).bind(key).fetch_one(tx).await?)
}

/// Keeps what an earlier release kept among the due work, where it was due when it may be forgotten.
pub async fn take_over(
    tx: &mut SqliteConnection,
    chain: &Chain,
    kind: KeptKind,
    old: &Stored,
) -> Result<(), StoreError> {
    let until = match kind {
        KeptKind::Known | KeptKind::Replaced | KeptKind::Proof => Some(old.due).filter(|due| *due < NEVER),
        // The times of these meant something else, or nothing.
        KeptKind::Posted
        | KeptKind::Fired
        | KeptKind::Source
        | KeptKind::DeadLetter
        | KeptKind::Webhook
        | KeptKind::HalfCopy => None,
    };
    keep(tx, chain, kind.name(), &old.key, until, &old.body).await?;
    sqlx::query("DELETE FROM work WHERE generation = ?").bind(number(old.generation)).execute(tx).await?;
    Ok(())
}
