//! Makes a database ready: its tables, and the mark that it is sealed.
//!
//! Replicas that start together do this at the same time: each migration is one transaction with the
//! row that says that it was made, so that of two the second fails and finds it made. A task that waits for
//! this may give up at any time: no transaction is begun here but those that sqlx ends by itself.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use tokio::time::sleep;
use tracing::error;

use super::{Shared, errors};
use crate::store::seal::{Row, Unsealed};
use crate::store::{StoreError, Tables};
use crate::timing::store::LOST_RACE;

const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "tables", include_str!("migrations/0001_tables.sql"))];
/// Attempts to make what another replica makes at the same time.
const ATTEMPTS: usize = 20;

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
        self.check_mark(&mut connection).await
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

    /// The mark that everything in the database is sealed. That of an older key is replaced once nothing is
    /// left that is sealed with it.
    async fn check_mark(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let mut there = whole(connection).await?;
        if there.is_none() {
            let any: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM stream) OR EXISTS (SELECT 1 FROM work)")
                .fetch_one(&mut *connection)
                .await?;
            if any {
                error!("the mark that this database is sealed was removed; nothing without a seal is acted upon");
            }
            sqlx::query("INSERT INTO whole (id, seal) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
                .bind(self.chain.seal_row(&Row::Whole))
                .execute(&mut *connection)
                .await?;
            // A replica that started at the same time may have another key.
            there = whole(connection).await?;
        }
        let corrupt = |why: Unsealed| StoreError::Corrupt { place: "the database".into(), why: why.to_string() };
        self.chain.check_row(&Row::Whole, &there.unwrap_or_default()).map_err(corrupt)
    }
}

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
