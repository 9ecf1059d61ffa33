//! The one connection that writes, and how it is waited for.
//!
//! SQLite has one writer at a time: queueing for it here is fair, waiting for its lock is not.
//! After anything that failed (a full disk makes SQLite roll back by itself, a broken one leaves
//! anything behind) nobody knows in which state a connection is: it is dropped, which rolls back
//! whatever it began, and the next write opens another one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row as _};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Shared;
use super::rows::{is_busy, is_io};
use crate::store::{CommitError, StoreError};
use crate::timing::store::{ATTEMPT_PATIENCE, COMMIT_PATIENCE};

pub struct Writer {
    options: SqliteConnectOptions,
    /// Taken out while something is written: what is not put back is dropped.
    slot: Arc<Mutex<Option<SqliteConnection>>>,
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the beginning.
    begin: Duration,
    /// And for the end of what began; none: however long it takes.
    end: Option<Duration>,
}

impl Patience {
    pub fn until_done(begin: Duration) -> Self {
        Self { begin, end: None }
    }

    /// A fifth more for what began.
    pub fn of_somebody(begin: Duration) -> Self {
        Self { begin, end: Some(begin / 5) }
    }
}

type Slot = OwnedMutexGuard<Option<SqliteConnection>>;

impl Writer {
    pub fn new(options: SqliteConnectOptions) -> Self {
        Self { options: options.busy_timeout(ATTEMPT_PATIENCE), slot: Arc::default() }
    }

    async fn connection(&self, by: Instant) -> Result<(Slot, SqliteConnection), StoreError> {
        let mut slot = timeout_at(by, Arc::clone(&self.slot).lock_owned()).await.map_err(|_| StoreError::Busy)?;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => timeout_at(by, self.options.connect()).await.map_err(|_| StoreError::Busy)??,
        };
        Ok((slot, connection))
    }

    /// A connection that holds SQLite's lock for writing. Given up, nothing of it is left.
    async fn begin(&self, by: Instant) -> Result<(Slot, SqliteConnection), StoreError> {
        let (mut slot, mut connection) = self.connection(by).await?;
        loop {
            // IMMEDIATE: another process that writes is waited for here, not in the middle.
            match sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await {
                Ok(_) => return Ok((slot, connection)),
                Err(error) if is_busy(&error) && Instant::now() < by => {}
                Err(error) if is_busy(&error) => {
                    *slot = Some(connection);
                    return Err(StoreError::Busy);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves what stands in the log into the database.
    pub async fn checkpoint(&self, how: &'static str) -> Result<(), StoreError> {
        let (mut slot, mut connection) = self.connection(Instant::now() + COMMIT_PATIENCE).await?;
        sqlx::raw_sql(how).execute(&mut connection).await?;
        *slot = Some(connection);
        Ok(())
    }

    /// Empties the log into the database; before it, writes the database anew if the `whole` of it is
    /// wanted. False if somebody uses it.
    pub async fn scrub(&self, whole: bool) -> Result<bool, StoreError> {
        let by = Instant::now() + COMMIT_PATIENCE;
        let (mut slot, mut connection) = self.connection(by).await?;
        let mut done = true;
        if whole {
            // What SQLite leaves behind inside its pages is not in the new ones.
            loop {
                match sqlx::raw_sql("VACUUM").execute(&mut connection).await {
                    Ok(_) => break,
                    Err(error) if is_busy(&error) && Instant::now() < by => {}
                    Err(error) if is_busy(&error) => {
                        done = false;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        loop {
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
            let busy: i64 = row.try_get(0)?;
            if busy == 0 || Instant::now() >= by {
                *slot = Some(connection);
                return Ok(done && busy == 0);
            }
        }
    }

    pub async fn close(&self) {
        let Ok(mut slot) = timeout_at(Instant::now() + COMMIT_PATIENCE, self.slot.lock()).await else { return };
        if let Some(connection) = slot.take()
            && let Err(error) = connection.close().await
        {
            warn!(%error, "the writer's connection could not be closed");
        }
    }
}

impl Shared {
    /// Runs `work` in a transaction of its own: all of it is committed, or nothing.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        patience: Patience,
        work: impl for<'c> FnOnce(&'c Shared, &'c mut SqliteConnection) -> BoxFuture<'c, Result<T, CommitError>>
        + Send
        + 'static,
    ) -> Result<T, CommitError> {
        self.write_then(patience, work, |_, done| done).await
    }

    /// The same; `then` follows the commit at once. What began goes on to its end, whether anybody
    /// waits for that or not.
    pub(super) async fn write_then<T: Send + 'static, U: Send + 'static>(
        self: &Arc<Self>,
        patience: Patience,
        work: impl for<'c> FnOnce(&'c Shared, &'c mut SqliteConnection) -> BoxFuture<'c, Result<T, CommitError>>
        + Send
        + 'static,
        then: impl FnOnce(&Shared, T) -> U + Send + 'static,
    ) -> Result<U, CommitError> {
        if self.only_looks {
            return Err(StoreError::OnlyLooked.into());
        }
        let by = Instant::now() + patience.begin;
        match timeout_at(by, self.is_there()).await {
            Ok(there) => there?,
            Err(_) => return Err(StoreError::Busy.into()),
        }
        let (mut slot, mut connection) = self.writer.begin(by).await?;
        let shared = Arc::clone(self);
        let ended = tokio::spawn(async move {
            let done = match work(&shared, &mut connection).await {
                Ok(done) => done,
                Err(error @ CommitError::Store(_)) => return Err(error),
                Err(lost) => {
                    if sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.is_ok() {
                        *slot = Some(connection);
                    }
                    return Err(lost);
                }
            };
            match sqlx::raw_sql("COMMIT").execute(&mut connection).await {
                Ok(_) => *slot = Some(connection),
                // It may stand in the log although the disk did not say so.
                Err(error) if is_io(&error) => {
                    warn!(%error, "it is unknown whether a commit is on the disk");
                    return Err(StoreError::Unsettled.into());
                }
                Err(error) => return Err(error.into()),
            }
            Ok(then(&shared, done))
        });
        let ended = match patience.end {
            None => ended.await,
            Some(end) => match timeout_at(Instant::now() + end, ended).await {
                Ok(ended) => ended,
                Err(_) => return Err(StoreError::Unsettled.into()),
            },
        };
        // The process ends.
        ended.unwrap_or_else(|_| Err(StoreError::Unsettled.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    use crate::store::audit::Chain;
    use crate::store::{SqliteStore, Store};

    #[tokio::test]
    async fn what_began_and_does_not_end_in_time_may_still_be_recorded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bot.db");
        let store = SqliteStore::open(&path, Chain::new(&[vec![1; 32].into()])).await.unwrap();
        let (goes_on, held) = tokio::sync::oneshot::channel::<()>();
        // A disk that hangs after the first byte was written.
        let slow = store.0.write(Patience::of_somebody(Duration::from_secs(1)), move |_, tx| {
            async move {
                sqlx::raw_sql("CREATE TABLE written (x)").execute(tx).await.map_err(StoreError::from)?;
                let _ = held.await;
                Ok(())
            }
            .boxed()
        });
        assert!(matches!(slow.await, Err(CommitError::Store(StoreError::Unsettled))));
        let second = Patience::of_somebody(Duration::from_millis(300));
        let busy = store.0.write(second, |_, _| async { Ok(()) }.boxed()).await;
        assert!(matches!(busy, Err(CommitError::Store(StoreError::Busy))), "nothing of it began");
        // It runs to its end, although no one waits for it any more.
        goes_on.send(()).unwrap();
        let after = Patience::until_done(Duration::from_secs(10));
        let read = store.0.write(after, |_, tx| {
            async move {
                sqlx::raw_sql("INSERT INTO written VALUES (1)").execute(tx).await.map_err(StoreError::from)?;
                Ok(())
            }
            .boxed()
        });
        assert!(read.await.is_ok());
        store.close().await;
    }
}
