//! The store of several replicas: a PostgreSQL database that they share.
//!
//! Plain SQL in ordinary transactions: no advisory locks and no notifications, so that a distributed
//! database that speaks PostgreSQL's protocol can take its place. Of two commits on one version
//! exactly one wins by the condition of its `UPDATE`, at every isolation level.

mod audit;
mod commit;
mod errors;
mod examine;
mod kept;
mod moving;
mod prepare;
mod reseal;
mod rows;
mod transaction;
mod trust;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use moka::sync::Cache;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Row as _};
use tokio::sync::OnceCell;
use tracing::{error, warn};

use super::audit::{Chain, Record, instant as sealed};
use super::heads::Head;
use super::moving::{Batch, Carried, Part, Place};
use super::seal::Row;
use super::stored::{NEVER, instant, number, only_store};
use super::{
    Aside, Backlog, Commit, CommitError, Kept, KeptKind, Loaded, MOST_LEASE, Store, StoreError, StreamId, Work,
    WorkKind,
};
use crate::chat::diagnosis::Check;
use crate::timing::store::{COMMIT_IMPATIENCE, COMMIT_PATIENCE};
use reseal::Looks;
use rows::stream_ids;
use transaction::Patience;

pub use errors::is_misconfigured;

/// Streams of which is remembered how far they were seen to have come.
const REMEMBERED: u64 = 50_000;

/// A lease that lapsed so long ago is forgotten.
const LEASES_KEPT: Duration = Duration::from_hours(1);

/// How many connections are open at most, and how long one of them, or an answer, is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub connections: u32,
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10, patience: COMMIT_PATIENCE }
    }
}

pub struct PostgresStore(Arc<Shared>);

struct Shared {
    chain: Chain,
    pool: PgPool,
    limits: Limits,
    /// The tables are up to date and everything in them is sealed.
    ready: OnceCell<()>,
    /// For what is sealed with another key than the first.
    looks: Mutex<Looks>,
    /// How far streams were seen to have come: one that goes back was put back.
    seen: Cache<StreamId, u64>,
    /// What is not to be trusted and stays where it is, by what it is.
    suspects: Mutex<BTreeMap<String, Aside>>,
    /// A lease was found that is sealed with a key that is not configured.
    strangers: AtomicBool,
    /// Nothing is written.
    only_looks: bool,
}

impl PostgresStore {
    /// Opens the database, brings its tables up to date and seals what is sealed with an older key. A
    /// server that does not answer yet is asked again later.
    ///
    /// # Errors
    /// When the server refuses the login or has no such database, and when the database cannot be
    /// trusted or is of a later release.
    pub async fn open(options: PgConnectOptions, limits: Limits, chain: Chain) -> Result<Self, StoreError> {
        let store = Self::around(options, limits, chain, false);
        match store.0.ready().await {
            Ok(()) => store.0.reseal_at_start().await,
            Err(error) if errors::is_passing(&error) => {
                error!(%error, "the database cannot be used yet; it is tried again");
            }
            Err(error) => return Err(error),
        }
        Ok(store)
    }

    /// A database to look at, beside bots that may be using it: nothing is written but the row of
    /// [`Store::probe`].
    ///
    /// # Errors
    /// By what reads: [`StoreError::OtherRelease`] unless its tables are those of this release.
    pub fn to_look_at(options: PgConnectOptions, limits: Limits, chain: Chain) -> Self {
        Self::around(options, limits, chain, true)
    }

    fn around(options: PgConnectOptions, limits: Limits, chain: Chain, only_looks: bool) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections)
            .acquire_timeout(limits.patience)
            // What is read is asked again on another connection, what is written is begun again.
            .test_before_acquire(false);
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name(env!("CARGO_PKG_NAME")),
        };
        // To log a statement it is asked whether that is wanted, and what is asked makes the exporter of spans
        // miss the next one on that thread (tokio-rs/tracing, per-layer filters).
        let options = options.disable_statement_logging();
        Self(Arc::new(Shared {
            chain,
            pool: pool.connect_lazy_with(options),
            limits,
            ready: OnceCell::new(),
            looks: Mutex::default(),
            seen: Cache::new(REMEMBERED),
            suspects: Mutex::default(),
            strangers: AtomicBool::new(false),
            only_looks,
        }))
    }
}

/// Where the database is, for people: without its password.
pub fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres: {database} at {}", socket.display()),
        None => format!("postgres: {database} at {}:{}", options.get_host(), options.get_port()),
    }
}

/// Whether what is said to the database could be read on its way.
pub fn is_in_the_clear(options: &PgConnectOptions) -> bool {
    let here = options.get_socket().is_some() || matches!(options.get_host(), "localhost" | "127.0.0.1" | "::1");
    let plain = matches!(options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer);
    plain && !here && !options.get_host().starts_with('/')
}

#[async_trait]
impl Store for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        self.0.commit(commit.fenced(), Patience::until_done(self.0.limits.patience)).await
    }

    async fn commit_within(&self, commit: Commit, patience: Duration) -> Result<Vec<u64>, CommitError> {
        self.0.commit(commit.fenced(), Patience::of_somebody(patience)).await
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        self.0.version(stream).await
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.0.load(stream).await
    }

    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError> {
        // Ids of a family lie between `family/` and `family0`: `0` follows `/`.
        let start = format!("{family}/");
        let first = after.map_or(start.as_str(), |a| a.as_str()).max(&start).to_owned();
        let end = format!("{family}0");
        let rows = self.0.read(move |c| {
            sqlx::query("SELECT id FROM stream WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3")
                .bind(first.clone())
                .bind(end.clone())
                .bind(i64::from(limit))
                .fetch_all(c)
                .boxed()
        });
        stream_ids(&rows.await?)
    }

    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        self.0.due(kind, now, limit).await
    }

    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError> {
        let wanted = key.to_owned();
        let row = self
            .0
            .read(move |c| sqlx::query(rows::FIND).bind(kind.name()).bind(wanted.clone()).fetch_optional(c).boxed());
        let Some(row) = row.await? else { return Ok(None) };
        let stored = rows::stored(kind.name(), &row)?;
        match self.0.trusted(kind, &stored).await? {
            Ok(work) => Ok(Some(work)),
            Err(why) => {
                self.0.put_aside(vec![(stored.into(), why)]).await;
                Ok(None)
            }
        }
    }

    async fn kept(&self, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError> {
        self.0.kept(kind, key).await
    }

    async fn all_kept(&self, kind: KeptKind, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        self.0.all_kept(kind, after, limit).await
    }

    async fn kept_beyond(&self, kind: KeptKind, instant: Timestamp, limit: u32) -> Result<Vec<Kept>, StoreError> {
        self.0.kept_beyond(kind, instant, limit).await
    }

    async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError> {
        self.0.count_kept(kind).await
    }

    async fn forget_kept(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.0.forget_kept(now).await
    }

    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let until = until.min(now + MOST_LEASE);
        let taken = self.0.write(Patience::until_done(COMMIT_IMPATIENCE), move |shared, tx, _| {
            let (name, holder) = (name.clone(), holder.clone());
            async move { shared.take_lease(tx, &name, &holder, now, until).await }.boxed()
        });
        taken.await.map_err(only_store)
    }

    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let prefix = prefix.to_owned();
        let rows = self.0.read(move |c| {
            sqlx::query(
                "SELECT name, holder, until, seal FROM lease WHERE starts_with(name, $1) AND until > $2 ORDER BY name",
            )
            .bind(prefix.clone())
            .bind(now.as_millisecond())
            .fetch_all(c)
            .boxed()
        });
        let rows = rows.await?;
        let mut names = Vec::with_capacity(rows.len());
        for row in &rows {
            let (name, holder, until): (&str, &str, i64) =
                (row.try_get("name")?, row.try_get("holder")?, row.try_get("until")?);
            if self.0.is_somebodys(&Row::Lease { name, holder, until }, until, row.try_get("seal")?, now) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let id = stream.as_str().to_owned();
        let rows = self.0.read(move |c| {
            sqlx::query(rows::HISTORY).bind(id.clone()).bind(number(after)).bind(i64::from(limit)).fetch_all(c).boxed()
        });
        rows.await?.iter().map(|row| rows::record(stream, row)).collect()
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        let rows = self.0.read(|c| {
            sqlx::query("SELECT id FROM stream UNION SELECT DISTINCT stream FROM record ORDER BY 1")
                .fetch_all(c)
                .boxed()
        });
        stream_ids(&rows.await?)
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self.0.write(Patience::until_done(COMMIT_PATIENCE), move |_, tx, _| {
            async move {
                let gone = sqlx::query(
                    "DELETE FROM delivery WHERE at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM work WHERE kind = 'inbound' AND key = delivery.id)",
                )
                .bind(before.as_millisecond())
                .execute(&mut *tx)
                .await?;
                Ok(gone.rows_affected())
            }
            .boxed()
        });
        gone.await.map_err(only_store)
    }

    async fn planned(&self, kind: WorkKind, after: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        let rows = self.0.read(move |c| {
            sqlx::query(rows::PLANNED)
                .bind(kind.name())
                .bind(after.as_millisecond())
                .bind(NEVER)
                .bind(i64::from(limit))
                .fetch_all(c)
                .boxed()
        });
        let rows = rows.await?;
        let mut planned = Vec::with_capacity(rows.len());
        for row in &rows {
            // What is not to be trusted is set aside when it is due.
            if let Ok(work) = self.0.trusted(kind, &rows::stored(kind.name(), row)?).await? {
                planned.push(work);
            }
        }
        Ok(planned)
    }

    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        let names: Vec<String> = kinds.iter().map(|kind| kind.name().to_owned()).collect();
        let rows = self.0.read(move |c| {
            // Answered by the index alone.
            sqlx::query("SELECT kind, COUNT(*), MIN(due) FROM work WHERE kind = ANY($1) AND due <= $2 GROUP BY kind")
                .bind(names.clone())
                .bind(now.as_millisecond())
                .fetch_all(c)
                .boxed()
        });
        let rows = rows.await?;
        let of_kind = |kind: &WorkKind| -> Result<Backlog, StoreError> {
            let row = rows.iter().find(|row| row.try_get::<&str, _>(0).is_ok_and(|name| name == kind.name()));
            let Some(row) = row else { return Ok(Backlog { kind: *kind, count: 0, oldest: None }) };
            let (count, oldest): (i64, Option<i64>) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Backlog { kind: *kind, count: count.unsigned_abs(), oldest: oldest.map(instant).transpose()? })
        };
        kinds.iter().map(of_kind).collect()
    }

    async fn count(&self, family: &str) -> Result<u64, StoreError> {
        let (first, end) = (format!("{family}/"), format!("{family}0"));
        let count = self.0.read(move |c| {
            sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM stream WHERE id > $1 AND id < $2")
                .bind(first.clone())
                .bind(end.clone())
                .fetch_one(c)
                .boxed()
        });
        Ok(count.await?.unsigned_abs())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let written = self.0.write(Patience::of_somebody(COMMIT_IMPATIENCE), |_, tx, _| {
            async move {
                sqlx::query(
                    "INSERT INTO probe (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = EXCLUDED.at",
                )
                .bind(Timestamp::now().as_millisecond())
                .execute(&mut *tx)
                .await?;
                Ok(())
            }
            .boxed()
        });
        written.await.map_err(only_store)
    }

    async fn set_aside(&self, limit: u32) -> Result<(u64, Vec<Aside>), StoreError> {
        let mut all: Vec<Aside> = self.0.suspects().values().cloned().collect();
        let count =
            self.0.read(|c| sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM aside").fetch_one(c).boxed()).await?;
        let count = count.unsigned_abs() + all.len() as u64;
        let rows = self.0.read(move |c| {
            sqlx::query("SELECT reference, kind, key, why FROM aside ORDER BY at DESC, reference LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(c)
                .boxed()
        });
        for row in &rows.await? {
            let (kind, key): (String, String) = (row.try_get("kind")?, row.try_get("key")?);
            let what = format!("{kind} {key}");
            all.push(Aside { reference: row.try_get("reference")?, what, why: row.try_get("why")? });
        }
        all.truncate(limit as usize);
        Ok((count, all))
    }

    async fn examine(&self) -> Vec<Check> {
        self.0.examine().await
    }

    async fn remembering(
        &self,
        before: Timestamp,
        after: Option<&StreamId>,
        limit: u32,
    ) -> Result<Vec<StreamId>, StoreError> {
        let (before, after) = (sealed(before), after.map_or("", StreamId::as_str).to_owned());
        let rows = self.0.read(move |c| {
            sqlx::query(
                "SELECT DISTINCT stream FROM record WHERE personal <> '' AND at < $1 AND stream > $2 \
                 ORDER BY stream LIMIT $3",
            )
            .bind(before.clone())
            .bind(after.clone())
            .bind(i64::from(limit))
            .fetch_all(c)
            .boxed()
        });
        stream_ids(&rows.await?)
    }

    async fn scrub(&self, whole: bool) -> Result<bool, StoreError> {
        self.0.scrub(whole).await
    }

    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.0.as_stored(stream).await
    }

    /// Nothing is remembered beside a server.
    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        Ok((self.0.inspect().await?, 0))
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError> {
        self.0.head(stream).await
    }

    async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError> {
        self.0.carried(part, after, limit).await
    }

    async fn take_in(&self, batch: Batch) -> Result<(), StoreError> {
        self.0.take_in(batch).await
    }

    /// Leases of processes that are long gone are removed; what another key sealed is sealed with the first.
    async fn maintain(&self) -> Result<(), StoreError> {
        let gone = (Timestamp::now() - LEASES_KEPT).as_millisecond();
        let swept = self.0.write(Patience::until_done(COMMIT_IMPATIENCE), move |_, tx, _| {
            async move {
                sqlx::query("DELETE FROM lease WHERE until < $1").bind(gone).execute(&mut *tx).await?;
                Ok(())
            }
            .boxed()
        });
        swept.await.map_err(only_store)?;
        self.0.reseal_if_due().await
    }

    async fn close(&self) {
        self.0.pool.close().await;
    }
}

impl Shared {
    /// The tables are there and up to date, and everything in them is sealed.
    async fn ready(&self) -> Result<(), StoreError> {
        self.ready.get_or_try_init(|| self.prepare()).await?;
        Ok(())
    }

    /// The server keeps rows that were erased or replaced until it cleans up; its log and backups keep them
    /// for longer. False where it has no such statement, or somebody uses a table for too long.
    async fn scrub(&self, whole: bool) -> Result<bool, StoreError> {
        if self.only_looks {
            return Err(StoreError::OnlyLooked);
        }
        self.ready().await?;
        let mut connection = self.pool.acquire().await?;
        for table in ["stream", "record", "work", "kept"] {
            let statement = if whole { format!("VACUUM FULL {table}") } else { format!("VACUUM {table}") };
            match sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await {
                Ok(_) => {}
                Err(error) if errors::is_lost(&error) => return Err(error.into()),
                Err(error) => {
                    warn!(%error, table, "what was erased may still be in free places of the database");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn take_lease(
        &self,
        tx: &mut sqlx::PgConnection,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, CommitError> {
        let seal = self.chain.seal_row(&Row::Lease { name, holder, until: until.as_millisecond() });
        // The first one makes the row; whoever comes at the same time waits for it here.
        let made = sqlx::query(
            "INSERT INTO lease (name, holder, until, seal) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(holder)
        .bind(until.as_millisecond())
        .bind(&seal)
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() > 0 {
            return Ok(true);
        }
        let has = sqlx::query("SELECT holder, until, seal FROM lease WHERE name = $1 FOR UPDATE")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(has) = &has
            && !self.is_free(name, has, holder, now)?
        {
            return Ok(false);
        }
        sqlx::query("UPDATE lease SET holder = $2, until = $3, seal = $4 WHERE name = $1")
            .bind(name)
            .bind(holder)
            .bind(until.as_millisecond())
            .bind(&seal)
            .execute(&mut *tx)
            .await?;
        Ok(true)
    }

    // Changed whole under its lock: a poisoned lock guards sound data.
    fn suspects(&self) -> MutexGuard<'_, BTreeMap<String, Aside>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
