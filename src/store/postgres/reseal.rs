//! Seals once more what is sealed with another key than the first, after the key was rotated.
//!
//! Every row is good under each of the keys, so that this is done beside everything else: a page at a
//! time, each in a transaction of its own, and no row is locked for longer than one statement takes.
//!
//! Replicas that were not restarted yet go on sealing with the key of before, also what was sealed anew.
//! So one look is not enough. Nor may two replicas seal the same rows against each other: the mark of the
//! database names the key of the last one that started, and only those that seal with it look again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Shared;
use super::rows::{small, stored, stored_kept, unsigned};
use super::transaction::Patience;
use crate::store::audit::Chain;
use crate::store::seal::Row;
use crate::store::stored::only_store;
use crate::store::{CommitError, StoreError};
use crate::timing::store::{COMMIT_PATIENCE, RESEAL_SELDOM, RESEAL_SOON};

/// Rows that get another seal in one transaction.
const PAGE: i64 = 500;

/// When this process looks for what other keys sealed.
///
/// A look reads the seal of every row once, at the server, and nothing is sent but what is to be sealed. No index
/// has the seals: it would make every commit dearer, to be of use in the hours of a rotation. So a look is taken
/// only with more than one key, and ever more seldom once it finds nothing.
#[derive(Debug, Default)]
pub struct Looks {
    /// Everything was sealed with this process's first key once, and the database is marked with it.
    marked: bool,
    /// At once if none.
    next: Option<Instant>,
    pause: Duration,
}

impl Looks {
    fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// After a look: whether it found anything.
    fn looked(&mut self, found: bool, now: Instant) {
        self.pause = if found { RESEAL_SOON } else { (self.pause * 2).clamp(RESEAL_SOON, RESEAL_SELDOM) };
        self.next = Some(now + self.pause);
    }
}

/// A table, and what of it is sealed with other keys, in the order of its key.
#[derive(Clone, Copy)]
struct Table {
    /// A page behind `$1` and `$2`, of at most `$3` rows that one of the keys `$4` sealed.
    page: &'static str,
    /// The columns of its key; the second may be empty.
    key: (&'static str, &'static str),
    /// Gives rows, by both columns, the seals `$4` in the place of the seals `$3`. One that changed meanwhile
    /// has another seal already.
    renew: &'static str,
    /// The new seal of a row; none if the one that it has does not fit.
    seal: fn(&Chain, &PgRow) -> Result<Option<String>, StoreError>,
}

const STREAMS: Table = Table {
    page: "SELECT id, '' AS blank, version, schema, state, head, seal FROM stream \
           WHERE id > $1 AND $2 = '' AND split_part(seal, ':', 1) = ANY($4) ORDER BY id LIMIT $3",
    key: ("id", "blank"),
    renew: "UPDATE stream SET seal = renewed.gets \
            FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS renewed (id, blank, had, gets) \
            WHERE stream.id = renewed.id AND stream.seal = renewed.had",
    seal: |chain, row| {
        let (stream, version, schema): (&str, _, _) =
            (row.try_get("id")?, unsigned(row, "version")?, small(row, "schema")?);
        let (json, head): (&str, &str) = (row.try_get("state")?, row.try_get("head")?);
        let state = Row::State { stream, version, schema, json, head };
        Ok(renewed(chain, &state, row.try_get("seal")?))
    },
};
const WORK: Table = Table {
    page: "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work \
           WHERE (kind, key) > ($1, $2) AND split_part(seal, ':', 1) = ANY($4) ORDER BY kind, key LIMIT $3",
    key: ("kind", "key"),
    renew: "UPDATE work SET seal = renewed.gets \
            FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS renewed (kind, key, had, gets) \
            WHERE work.kind = renewed.kind AND work.key = renewed.key AND work.seal = renewed.had",
    seal: |chain, row| {
        let stored = stored(row.try_get("kind")?, row)?;
        Ok(renewed(chain, &stored.row(), &stored.seal))
    },
};
const KEPT: Table = Table {
    page: "SELECT kind, key, until, body, generation, seal FROM kept \
           WHERE (kind, key) > ($1, $2) AND split_part(seal, ':', 1) = ANY($4) ORDER BY kind, key LIMIT $3",
    key: ("kind", "key"),
    renew: "UPDATE kept SET seal = renewed.gets \
            FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS renewed (kind, key, had, gets) \
            WHERE kept.kind = renewed.kind AND kept.key = renewed.key AND kept.seal = renewed.had",
    seal: |chain, row| {
        let stored = stored_kept(row.try_get("kind")?, row)?;
        Ok(renewed(chain, &stored.row(), &stored.seal))
    },
};
const DELIVERIES: Table = Table {
    page: "SELECT id, '' AS blank, at, settled, seal FROM delivery \
           WHERE id > $1 AND $2 = '' AND split_part(seal, ':', 1) = ANY($4) ORDER BY id LIMIT $3",
    key: ("id", "blank"),
    renew: "UPDATE delivery SET seal = renewed.gets \
            FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS renewed (id, blank, had, gets) \
            WHERE delivery.id = renewed.id AND delivery.seal = renewed.had",
    seal: |chain, row| {
        let delivery =
            Row::Delivery { id: row.try_get("id")?, at: row.try_get("at")?, settled: row.try_get("settled")? };
        Ok(renewed(chain, &delivery, row.try_get("seal")?))
    },
};

/// What is rightly sealed gets the seal of the first key, and nothing else gets one.
fn renewed(chain: &Chain, row: &Row<'_>, seal: &str) -> Option<String> {
    chain.check_row(row, seal).is_ok().then(|| chain.seal_row(row))
}

/// What became of a page.
struct Page {
    renewed: u64,
    /// The key of its last row; none if it was the last page.
    last: Option<(String, String)>,
}

impl Shared {
    /// Rows that stay as they are until later are no reason not to start.
    pub(super) async fn reseal_at_start(self: &Arc<Self>) {
        if let Err(error) = self.reseal().await {
            warn!(%error, "what is sealed with an older key is sealed with the first one later");
        }
    }

    pub(super) async fn reseal_if_due(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.looks().is_due(Instant::now()) {
            return Ok(());
        }
        let found = self.reseal().await?;
        self.looks().looked(found > 0, Instant::now());
        Ok(())
    }

    /// Returns how many rows got another seal.
    async fn reseal(self: &Arc<Self>) -> Result<u64, StoreError> {
        if self.only_looks || self.chain.others().is_empty() {
            return Ok(0);
        }
        let again = self.looks().marked;
        let streams = self.reseal_table(STREAMS, again).await?;
        let work = self.reseal_table(WORK, again).await?;
        let beside = self.reseal_table(DELIVERIES, again).await? + self.reseal_table(KEPT, again).await?;
        if !again {
            self.mark().await?;
            self.looks().marked = true;
        }
        let found = streams + work + beside;
        if found > 0 {
            info!(streams, work, beside, "what was sealed with another key was sealed with the first one");
        }
        Ok(found)
    }

    /// Without the key of the mark the database cannot be opened: a start that did not come to its end leaves the old
    /// one needed.
    async fn mark(self: &Arc<Self>) -> Result<(), StoreError> {
        let marked = self.write(Patience::until_done(COMMIT_PATIENCE), |shared, tx, _| {
            async move {
                sqlx::query("UPDATE whole SET seal = $1 WHERE id = 1 AND seal <> $1")
                    .bind(shared.chain.seal_row(&Row::Whole))
                    .execute(&mut *tx)
                    .await?;
                Ok(())
            }
            .boxed()
        });
        marked.await.map_err(only_store)
    }

    async fn reseal_table(self: &Arc<Self>, table: Table, again: bool) -> Result<u64, StoreError> {
        let (mut after, mut renewed) = ((String::new(), String::new()), 0);
        loop {
            let from = after.clone();
            let page = self.write(Patience::until_done(COMMIT_PATIENCE), move |shared, tx, _| {
                let from = from.clone();
                async move { shared.reseal_page(tx, table, from, again).await }.boxed()
            });
            let page = page.await.map_err(only_store)?;
            renewed += page.renewed;
            match page.last {
                Some(last) => after = last,
                None => return Ok(renewed),
            }
        }
    }

    async fn reseal_page(
        &self,
        tx: &mut PgConnection,
        table: Table,
        after: (String, String),
        again: bool,
    ) -> Result<Page, CommitError> {
        if again {
            // A process that marks the database with another key waits for the end of this page.
            let mark: Option<String> =
                sqlx::query_scalar("SELECT seal FROM whole WHERE id = 1 FOR SHARE").fetch_optional(&mut *tx).await?;
            if !mark.is_some_and(|mark| self.chain.is_current(&mark)) {
                return Ok(Page { renewed: 0, last: None });
            }
        }
        let rows = sqlx::query(table.page)
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .bind(self.chain.others())
            .fetch_all(&mut *tx)
            .await?;
        let (mut first, mut second, mut had, mut gets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            // What no key sealed, or cannot be read at all, stays as it is: it is reported when it is read.
            let Ok(Some(seal)) = (table.seal)(&self.chain, row) else { continue };
            first.push(row.try_get::<String, _>(table.key.0)?);
            second.push(row.try_get::<String, _>(table.key.1)?);
            had.push(row.try_get::<String, _>("seal")?);
            gets.push(seal);
        }
        let last = match rows.last() {
            Some(last) if i64::try_from(rows.len()) == Ok(PAGE) => {
                Some((last.try_get(table.key.0)?, last.try_get(table.key.1)?))
            }
            _ => None,
        };
        if gets.is_empty() {
            return Ok(Page { renewed: 0, last });
        }
        let done = sqlx::query(table.renew).bind(first).bind(second).bind(had).bind(gets).execute(&mut *tx).await?;
        Ok(Page { renewed: done.rows_affected(), last })
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_soon_while_they_find_something_and_ever_more_seldom_after_that() {
        let (mut looks, start) = (Looks::default(), Instant::now());
        assert!(looks.is_due(start));
        let mut pauses = Vec::new();
        for found in [false, false, false, true, true, false, false, false, false, false, false, false, false] {
            looks.looked(found, start);
            assert!(!looks.is_due(start) && looks.is_due(start + looks.pause));
            pauses.push(looks.pause.as_secs() / 60);
        }
        assert_eq!(pauses, [1, 2, 4, 1, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
