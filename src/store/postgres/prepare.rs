//! Makes a database ready: its tables, and its seals after the key was rotated.
//!
//! Replicas that start together do this at the same time: each migration is one transaction with the
//! row that says that it was made, so that of two the second fails and finds it made. Seals are
//! renewed in pages: every row is good under either key meanwhile.

use futures_util::future::BoxFuture;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row as _, SqlStr};
use tokio::time::sleep;
use tracing::{error, info};

use super::rows::{small, stored, stored_kept, unsigned};
use super::{Shared, errors};
use crate::store::seal::Row;
use crate::store::stored::number;
use crate::store::{StoreError, Tables};
use crate::timing::store::LOST_RACE;

const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "tables", include_str!("migrations/0001_tables.sql"))];
/// Attempts to make what another replica makes at the same time.
const ATTEMPTS: usize = 20;
/// Rows that get another seal in one transaction.
const PAGE: i64 = 500;

fn migrator() -> Migrator {
    let each = MIGRATIONS.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(text), false)
    });
    let mut migrator = Migrator::with_migrations(each.into());
    // The lock would be an advisory one.
    migrator.set_locking(false);
    migrator
}

/// The number of the last migration of this release.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

impl Shared {
    pub(super) async fn prepare(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        if self.only_looks {
            return self.prepare_to_look(&mut connection).await;
        }
        for attempt in 1.. {
            match migrator().run_direct(None, &mut *connection, false).await {
                Ok(()) => break,
                Err(error) if attempt < ATTEMPTS && errors::is_made_meanwhile(&error) => sleep(LOST_RACE).await,
                Err(error) => return Err(error.into()),
            }
        }
        self.seal_whole(&mut connection).await
    }

    async fn prepare_to_look(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        match tables(connection).await? {
            Tables::Current => {}
            other => return Err(StoreError::OtherRelease(other)),
        }
        match whole(connection).await?.map(|seal| self.chain.check_row(&Row::Whole, &seal)) {
            Some(Err(why)) => Err(StoreError::Corrupt { place: "the database".into(), why: why.to_string() }),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The mark that everything in the database is sealed, with the key that seals now.
    async fn seal_whole(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let seal = self.chain.seal_row(&Row::Whole);
        let Some(there) = whole(connection).await? else {
            let any: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM stream) OR EXISTS (SELECT 1 FROM work)")
                .fetch_one(&mut *connection)
                .await?;
            if any {
                error!("the mark that this database is sealed was removed; nothing without a seal is acted upon");
            }
            sqlx::query("INSERT INTO whole (id, seal) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
                .bind(seal)
                .execute(&mut *connection)
                .await?;
            // A replica that started at the same time may have another key.
            let there = whole(connection).await?.unwrap_or_default();
            let corrupt = |why: crate::store::seal::Unsealed| StoreError::Corrupt {
                place: "the database".into(),
                why: why.to_string(),
            };
            return self.chain.check_row(&Row::Whole, &there).map_err(corrupt);
        };
        if let Err(why) = self.chain.check_row(&Row::Whole, &there) {
            return Err(StoreError::Corrupt { place: "the database".into(), why: why.to_string() });
        }
        if self.chain.is_current(&there) {
            return Ok(());
        }
        let streams = self.renew(connection, STREAMS, |shared, tx, row| Box::pin(shared.renew_stream(tx, row))).await?;
        let work = self.renew(connection, WORK, |shared, tx, row| Box::pin(shared.renew_work(tx, row))).await?;
        self.renew(connection, DELIVERIES, |shared, tx, row| Box::pin(shared.renew_delivery(tx, row))).await?;
        self.renew(connection, KEPT, |shared, tx, row| Box::pin(shared.renew_kept(tx, row))).await?;
        sqlx::query("UPDATE whole SET seal = $1").bind(seal).execute(&mut *connection).await?;
        info!(streams, work, "what was sealed with an older key was sealed with the first one");
        Ok(())
    }

    /// Goes through a table in the order of its key; returns how many rows got another seal.
    async fn renew(
        &self,
        connection: &mut PgConnection,
        pages: Pages,
        row: impl for<'c> Fn(&'c Shared, &'c mut PgConnection, &'c PgRow) -> BoxFuture<'c, Result<bool, StoreError>>,
    ) -> Result<usize, StoreError> {
        let (mut after, mut renewed) = ((String::new(), String::new()), 0);
        loop {
            sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
            let page =
                sqlx::query(pages.query).bind(&after.0).bind(&after.1).bind(PAGE).fetch_all(&mut *connection).await?;
            for each in &page {
                renewed += usize::from(row(self, connection, each).await?);
            }
            sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
            let Some(last) = page.last() else { return Ok(renewed) };
            after = (last.try_get(pages.key.0)?, last.try_get(pages.key.1)?);
        }
    }

    /// Whether a row is rightly sealed, and with an older key.
    fn is_older(&self, row: &Row<'_>, seal: &str) -> bool {
        self.chain.check_row(row, seal).is_ok() && !self.chain.is_current(seal)
    }

    async fn renew_stream(&self, tx: &mut PgConnection, row: &PgRow) -> Result<bool, StoreError> {
        let (stream, version, schema): (&str, _, _) =
            (row.try_get("id")?, unsigned(row, "version")?, small(row, "schema")?);
        let (json, head): (&str, &str) = (row.try_get("state")?, row.try_get("head")?);
        let state = Row::State { stream, version, schema, json, head };
        if !self.is_older(&state, row.try_get("seal")?) {
            return Ok(false);
        }
        sqlx::query("UPDATE stream SET seal = $2 WHERE id = $1")
            .bind(stream)
            .bind(self.chain.seal_row(&state))
            .execute(tx)
            .await?;
        Ok(true)
    }

    async fn renew_work(&self, tx: &mut PgConnection, row: &PgRow) -> Result<bool, StoreError> {
        let stored = stored(row.try_get("kind")?, row)?;
        if !self.is_older(&stored.row(), &stored.seal) {
            return Ok(false);
        }
        sqlx::query("UPDATE work SET seal = $3 WHERE kind = $1 AND key = $2 AND generation = $4")
            .bind(&stored.kind)
            .bind(&stored.key)
            .bind(self.chain.seal_row(&stored.row()))
            .bind(number(stored.generation))
            .execute(tx)
            .await?;
        Ok(true)
    }

    async fn renew_kept(&self, tx: &mut PgConnection, row: &PgRow) -> Result<bool, StoreError> {
        let stored = stored_kept(row.try_get("kind")?, row)?;
        if !self.is_older(&stored.row(), &stored.seal) {
            return Ok(false);
        }
        sqlx::query("UPDATE kept SET seal = $3 WHERE kind = $1 AND key = $2 AND generation = $4")
            .bind(&stored.kind)
            .bind(&stored.key)
            .bind(self.chain.seal_row(&stored.row()))
            .bind(number(stored.generation))
            .execute(tx)
            .await?;
        Ok(true)
    }

    async fn renew_delivery(&self, tx: &mut PgConnection, row: &PgRow) -> Result<bool, StoreError> {
        let delivery =
            Row::Delivery { id: row.try_get("id")?, at: row.try_get("at")?, settled: row.try_get("settled")? };
        if !self.is_older(&delivery, row.try_get("seal")?) {
            return Ok(false);
        }
        sqlx::query("UPDATE delivery SET seal = $2 WHERE id = $1")
            .bind(row.try_get::<&str, _>("id")?)
            .bind(self.chain.seal_row(&delivery))
            .execute(tx)
            .await?;
        Ok(true)
    }
}

/// A table, a page at a time; each page is locked while its seals are renewed.
struct Pages {
    query: &'static str,
    /// The columns of its key.
    key: (&'static str, &'static str),
}

const STREAMS: Pages = Pages {
    query: "SELECT id, '' AS none, version, schema, state, head, seal FROM stream \
            WHERE id > $1 AND $2 = '' ORDER BY id LIMIT $3 FOR UPDATE",
    key: ("id", "none"),
};
const WORK: Pages = Pages {
    query: "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work \
            WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3 FOR UPDATE",
    key: ("kind", "key"),
};
const KEPT: Pages = Pages {
    query: "SELECT kind, key, until, body, generation, seal FROM kept \
            WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3 FOR UPDATE",
    key: ("kind", "key"),
};
const DELIVERIES: Pages = Pages {
    query: "SELECT id, '' AS none, at, settled, seal FROM delivery \
            WHERE id > $1 AND $2 = '' ORDER BY id LIMIT $3 FOR UPDATE",
    key: ("id", "none"),
};

async fn whole(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT seal FROM whole WHERE id = 1").fetch_optional(connection).await
}

/// Which migrations were made, by sqlx's own table.
pub(super) async fn tables(connection: &mut PgConnection) -> Result<Tables, sqlx::Error> {
    let there = |table: &'static str| sqlx::query_scalar::<_, bool>("SELECT to_regclass($1) IS NOT NULL").bind(table);
    if !there("_sqlx_migrations").fetch_one(&mut *connection).await? {
        let ours = there("stream").fetch_one(&mut *connection).await?;
        return Ok(if ours { Tables::Foreign } else { Tables::None });
    }
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?;
    let (last, newest) = (last.unwrap_or_default(), newest());
    Ok(match last {
        last if last == newest => Tables::Current,
        last if last > newest => Tables::Newer(last),
        last => Tables::Older(last),
    })
}
