//! The embedded store: one SQLite file in WAL mode.

mod audit;
mod backup;
mod commit;
mod examine;
mod files;
mod kept;
mod moving;
mod rows;
mod trust;
mod upgrade;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row as _, SqlStr};
use tokio::sync::OnceCell;
use tracing::{error, warn};

use super::audit::{Chain, Record, instant};
use super::heads::{self, Head, Heads};
use super::moving::{Batch, Carried, Part, Place};
use super::seal::Row;
use super::stored::only_store;
use super::{
    Aside, Backlog, Commit, CommitError, Kept, KeptKind, Loaded, MOST_LEASE, Store, StoreError, StreamId, Work,
    WorkKind,
};
use crate::chat::diagnosis::Check;
use crate::timing::store::{COMMIT_IMPATIENCE, COMMIT_PATIENCE};
pub use backup::{Copied, copy};
pub use examine::Tables;
use rows::{Stored, number, stream_ids};
use writer::{Patience, Writer};

/// Version, name and text of each file in `src/store/migrations`. sqlx's `migrate!` would read the
/// same at compile time, for which SQLite would be compiled twice.
const MIGRATIONS: [(i64, &str, &str); 5] = [
    (1, "streams", include_str!("../migrations/0001_streams.sql")),
    (2, "lease", include_str!("../migrations/0002_lease.sql")),
    (3, "seals", include_str!("../migrations/0003_seals.sql")),
    (4, "kept", include_str!("../migrations/0004_kept.sql")),
    (5, "personal", include_str!("../migrations/0005_personal.sql")),
];

pub struct SqliteStore(Arc<Shared>);

struct Shared {
    path: PathBuf,
    chain: Chain,
    options: SqliteConnectOptions,
    writer: Writer,
    readers: SqlitePool,
    /// The file as it was opened, once its tables are up to date and sealed.
    ready: OnceCell<files::Identity>,
    heads: Mutex<Heads>,
    /// Whether `heads` knows more than the file beside the database.
    unwritten: AtomicBool,
    /// The last stream that was looked over since the start; none if all were.
    looked_over: Mutex<Option<String>>,
    /// What is not to be trusted and stays where it is, by what it is.
    suspects: Mutex<BTreeMap<String, Aside>>,
    /// Nothing is written.
    only_looks: bool,
}

fn migrator() -> Migrator {
    let each = MIGRATIONS.map(|(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, SqlStr::from_static(text), false)
    });
    Migrator::with_migrations(each.into())
}

impl SqliteStore {
    /// Opens or creates the file, brings its tables up to date and seals what an earlier release
    /// left unsealed. A file that cannot be written or is held at present is opened later.
    pub async fn open(path: &Path, chain: Chain) -> Result<Self, StoreError> {
        Self::open_within(path, chain, None).await
    }

    /// The same for a database that never grows beyond so many pages, or beyond what it has.
    pub async fn open_within(path: &Path, chain: Chain, pages: Option<u32>) -> Result<Self, StoreError> {
        files::make(path).map_err(|why| StoreError::File { place: path.display().to_string(), why })?;
        files::tighten(path);
        let mut options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged change survives a power cut, not only a crash.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(COMMIT_IMPATIENCE)
            // What is erased or done is overwritten, not only free to be.
            .pragma("secure_delete", "ON");
        let readers = options.clone().read_only(true);
        if let Some(pages) = pages {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let store = Self::around(path, chain, options, readers, false);
        match store.0.ready().await {
            Ok(()) => {}
            Err(error) if rows::is_passing(&error) => {
                error!(%error, "the database cannot be used yet; it is tried again");
            }
            Err(error) => return Err(error),
        }
        Ok(store)
    }

    fn around(
        path: &Path,
        chain: Chain,
        options: SqliteConnectOptions,
        readers: SqliteConnectOptions,
        only_looks: bool,
    ) -> Self {
        // A connection to a file does not age. And without these times sqlx 0.9 has no reaper, whose
        // count of idle connections can be below zero for an instant: then it counts for ever.
        let pool = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None);
        Self(Arc::new(Shared {
            path: path.to_owned(),
            chain,
            writer: Writer::new(options.clone()),
            options,
            readers: pool.max_connections(2).connect_lazy_with(readers),
            ready: OnceCell::new(),
            heads: Mutex::default(),
            unwritten: AtomicBool::new(false),
            looked_over: Mutex::new(Some(String::new())),
            suspects: Mutex::default(),
            only_looks,
        }))
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// One process serves a file.
    fn is_shared(&self) -> bool {
        false
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        self.0.commit(commit.fenced(), Patience::until_done(COMMIT_PATIENCE)).await
    }

    async fn commit_within(&self, commit: Commit, patience: Duration) -> Result<Vec<u64>, CommitError> {
        self.0.commit(commit.fenced(), Patience::of_somebody(patience)).await
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        self.0.ready().await?;
        let version: Option<i64> = sqlx::query_scalar("SELECT version FROM stream WHERE id = ?")
            .bind(stream.as_str())
            .fetch_optional(&self.0.readers)
            .await?;
        Ok(version.unwrap_or_default().unsigned_abs())
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.0.load(stream).await
    }

    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError> {
        self.0.ready().await?;
        // Ids of a family lie between `family/` and `family0`: `0` follows `/`.
        let start = format!("{family}/");
        let first = after.map_or(start.as_str(), |a| a.as_str()).max(&start).to_owned();
        let rows = sqlx::query("SELECT id FROM stream WHERE id > ? AND id < ? ORDER BY id LIMIT ?")
            .bind(first)
            .bind(format!("{family}0"))
            .bind(limit)
            .fetch_all(&self.0.readers)
            .await?;
        stream_ids(&rows)
    }

    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        self.0.due(kind, now, limit).await
    }

    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError> {
        self.0.ready().await?;
        let row = sqlx::query(rows::FIND).bind(kind.name()).bind(key).fetch_optional(&self.0.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let stored = Stored::read(kind.name(), &row)?;
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
        let taken = self.0.write(Patience::until_done(COMMIT_IMPATIENCE), move |shared, tx| {
            async move {
                let has = sqlx::query("SELECT holder, until, seal FROM lease WHERE name = ?")
                    .bind(&name)
                    .fetch_optional(&mut *tx)
                    .await?;
                if let Some(has) = has
                    && !shared.is_free(&name, &has, &holder, now)?
                {
                    return Ok(false);
                }
                let row = Row::Lease { name: &name, holder: &holder, until: until.as_millisecond() };
                let seal = shared.chain.seal_row(&row);
                sqlx::query("INSERT OR REPLACE INTO lease (name, holder, until, seal) VALUES (?, ?, ?, ?)")
                    .bind(&name)
                    .bind(&holder)
                    .bind(until.as_millisecond())
                    .bind(seal)
                    .execute(&mut *tx)
                    .await?;
                Ok(true)
            }
            .boxed()
        });
        taken.await.map_err(only_store)
    }

    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.0.ready().await?;
        let rows = sqlx::query(
            "SELECT name, holder, until, seal FROM lease WHERE substr(name, 1, length(?1)) = ?1 AND until > ?2 ORDER BY name",
        )
        .bind(prefix)
        .bind(now.as_millisecond())
        .fetch_all(&self.0.readers)
        .await?;
        let mut names = Vec::with_capacity(rows.len());
        for row in &rows {
            let (name, holder, until): (String, &str, i64) =
                (row.try_get("name")?, row.try_get("holder")?, row.try_get("until")?);
            if self.0.chain.check_row(&Row::Lease { name: &name, holder, until }, row.try_get("seal")?).is_ok() {
                names.push(name);
            }
        }
        Ok(names)
    }

    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.0.ready().await?;
        let rows = sqlx::query(
            "SELECT seq, at, actor, kind, body, personal, key, seal FROM record WHERE stream = ? AND seq > ? \
             ORDER BY seq LIMIT ?",
        )
        .bind(stream.as_str())
        .bind(number(after))
        .bind(limit)
        .fetch_all(&self.0.readers)
        .await?;
        rows.iter().map(|row| rows::record(stream, row)).collect()
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        self.0.ready().await?;
        let rows = sqlx::query("SELECT id FROM stream UNION SELECT DISTINCT stream FROM record ORDER BY 1")
            .fetch_all(&self.0.readers)
            .await?;
        stream_ids(&rows)
    }

    async fn remembering(
        &self,
        before: Timestamp,
        after: Option<&StreamId>,
        limit: u32,
    ) -> Result<Vec<StreamId>, StoreError> {
        self.0.ready().await?;
        let rows = sqlx::query(
            "SELECT DISTINCT stream FROM record WHERE personal <> '' AND at < ? AND stream > ? ORDER BY stream LIMIT ?",
        )
        .bind(instant(before))
        .bind(after.map_or("", StreamId::as_str))
        .bind(limit)
        .fetch_all(&self.0.readers)
        .await?;
        stream_ids(&rows)
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self.0.write(Patience::until_done(COMMIT_PATIENCE), move |_, tx| {
            async move {
                let gone = sqlx::query(
                    "DELETE FROM delivery WHERE at < ? AND NOT EXISTS \
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
        self.0.ready().await?;
        let rows = sqlx::query(rows::PLANNED)
            .bind(kind.name())
            .bind(after.as_millisecond())
            .bind(rows::NEVER)
            .bind(limit)
            .fetch_all(&self.0.readers)
            .await?;
        let mut planned = Vec::with_capacity(rows.len());
        for row in &rows {
            // What is not to be trusted is set aside when it is due.
            if let Ok(work) = self.0.trusted(kind, &Stored::read(kind.name(), row)?).await? {
                planned.push(work);
            }
        }
        Ok(planned)
    }

    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        self.0.ready().await?;
        let mut connection = self.0.readers.acquire().await?;
        let mut all = Vec::with_capacity(kinds.len());
        for kind in kinds {
            // Answered by the index alone.
            let row = sqlx::query("SELECT COUNT(*), MIN(due) FROM work WHERE kind = ? AND due <= ?")
                .bind(kind.name())
                .bind(now.as_millisecond())
                .fetch_one(&mut *connection)
                .await?;
            let (count, oldest): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
            let oldest = oldest.map(rows::instant).transpose()?;
            all.push(Backlog { kind: *kind, count: count.unsigned_abs(), oldest });
        }
        Ok(all)
    }

    async fn count(&self, family: &str) -> Result<u64, StoreError> {
        self.0.ready().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM stream WHERE id > ? AND id < ?")
            .bind(format!("{family}/"))
            .bind(format!("{family}0"))
            .fetch_one(&self.0.readers)
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let written = self.0.write(Patience::of_somebody(COMMIT_IMPATIENCE), |_, tx| {
            async move {
                sqlx::query("INSERT OR REPLACE INTO probe (id, at) VALUES (1, ?)")
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
        self.0.ready().await?;
        let mut all: Vec<Aside> = self.0.suspects().values().cloned().collect();
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM aside").fetch_one(&self.0.readers).await?;
        let count = count.unsigned_abs() + all.len() as u64;
        let rows = sqlx::query("SELECT reference, kind, key, why FROM aside ORDER BY at DESC, reference LIMIT ?")
            .bind(limit)
            .fetch_all(&self.0.readers)
            .await?;
        for row in &rows {
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

    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.0.as_stored(stream).await
    }

    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        self.0.inspect().await
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

    async fn maintain(&self) -> Result<(), StoreError> {
        self.0.ready().await?;
        self.0.look_over().await?;
        self.0.write_heads().await;
        self.0.writer.checkpoint("PRAGMA wal_checkpoint(PASSIVE)").await
    }

    async fn scrub(&self, whole: bool) -> Result<bool, StoreError> {
        self.0.is_there().await?;
        if self.0.only_looks {
            return Err(StoreError::OnlyLooked);
        }
        self.0.writer.scrub(whole).await
    }

    async fn close(&self) {
        self.0.write_heads().await;
        if let Err(error) = self.0.writer.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)").await {
            warn!(%error, "the log of the database stays beside it");
        }
        self.0.writer.close().await;
        self.0.readers.close().await;
    }
}

impl Shared {
    /// The file is there, its tables are up to date and everything in them is sealed.
    async fn ready(&self) -> Result<(), StoreError> {
        self.ready.get_or_try_init(|| self.prepare()).await.map(|_| ())
    }

    async fn prepare(&self) -> Result<files::Identity, StoreError> {
        if self.only_looks {
            self.prepare_to_look().await?;
            return self.identity();
        }
        let (path, chain) = (self.path.clone(), self.chain.clone());
        // With thousands of streams it takes as long as all the rest: beside it.
        let remembered = tokio::task::spawn_blocking(move || heads::read(&path, &chain));
        let mut connection = self.options.clone().busy_timeout(COMMIT_PATIENCE).connect().await?;
        migrator().run_direct(None, &mut connection, false).await?;
        let remembered = remembered.await.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked).into()));
        if let Err(error) = &remembered {
            self.suspect(&heads::path(&self.path).display().to_string(), &error.to_string());
        }
        let sealed_before = !matches!(remembered, Ok(None));
        upgrade::seal(&mut connection, &self.chain, sealed_before).await?;
        self.move_kept(&mut connection).await?;
        self.take_stock(&mut connection, remembered).await?;
        let identity = self.identity()?;
        files::tighten(&self.path);
        if let Err(error) = connection.close().await {
            warn!(%error, "a connection could not be closed");
        }
        Ok(identity)
    }

    fn identity(&self) -> Result<files::Identity, StoreError> {
        files::identity(&self.path).map_err(|why| StoreError::File { place: self.path.display().to_string(), why })
    }

    /// Whether the file that was opened still is the database.
    async fn is_there(&self) -> Result<(), StoreError> {
        self.ready().await?;
        match self.identity() {
            Ok(identity) if self.ready.get() == Some(&identity) => Ok(()),
            _ => Err(StoreError::Gone(self.path.display().to_string())),
        }
    }

    async fn write_heads(&self) {
        if !self.unwritten.swap(false, Ordering::Relaxed) {
            return;
        }
        let (path, chain, heads) = (self.path.clone(), self.chain.clone(), self.heads().clone());
        let written = tokio::task::spawn_blocking(move || heads::write(&path, &chain, &heads)).await;
        if let Ok(Err(error)) = written {
            self.unwritten.store(true, Ordering::Relaxed);
            let file = heads::path(&self.path);
            warn!(%error, file = %file.display(), "where the history ends could not be remembered beside the database");
        }
    }

    // Each is changed whole under its lock: a poisoned lock guards sound data.
    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn looked_over(&self) -> MutexGuard<'_, Option<String>> {
        self.looked_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspects(&self) -> MutexGuard<'_, BTreeMap<String, Aside>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        CommitError::Store(error.into())
    }
}
