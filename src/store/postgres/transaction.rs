//! How a connection is waited for, and what is done again when one fails.
//!
//! Until `COMMIT` is sent, whatever fails left nothing behind: a transaction that lost a race or its
//! connection is begun again while there is time. After it, nobody knows: the same transaction is
//! made once more, and finds what it left itself if it was recorded.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::RngExt;
use sqlx::AssertSqlSafe;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, Postgres};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::Shared;
use super::errors::{is_locked, is_lost, is_serialisation};
use crate::store::{CommitError, StoreError};
use crate::timing::store::{LEFT_ALONE, LOST_RACE, SETTLED_WITHIN};

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until `COMMIT` can be sent.
    begin: Duration,
    /// And for its answer.
    end: Duration,
}

impl Patience {
    pub fn until_done(begin: Duration) -> Self {
        Self { begin, end: SETTLED_WITHIN }
    }

    /// A fifth more for what began.
    pub fn of_somebody(begin: Duration) -> Self {
        Self { begin, end: begin / 5 }
    }
}

/// What became of one attempt.
enum Attempt<T> {
    Done(T),
    /// Nothing was recorded, and the same may succeed now.
    Nothing(StoreError),
    /// The answer to `COMMIT` was lost.
    Unknown,
    Failed(CommitError),
}

impl Shared {
    /// Runs `work` in a transaction of its own: all of it is committed, or nothing. It is run again
    /// after a lost race or connection; its last argument says whether an earlier run may have been
    /// committed. What began goes on to its end, whether anybody waits for that or not.
    pub(super) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        patience: Patience,
        work: impl for<'c> Fn(&'c Shared, &'c mut PgConnection, bool) -> BoxFuture<'c, Result<T, CommitError>>
        + Send
        + Sync
        + 'static,
    ) -> Result<T, CommitError> {
        if self.only_looks {
            return Err(StoreError::OnlyLooked.into());
        }
        let by = Instant::now() + patience.begin;
        match timeout_at(by, self.ready()).await {
            Ok(ready) => ready?,
            Err(_) => return Err(StoreError::Silent.into()),
        }
        let shared = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut unknown = false;
            loop {
                let over = match shared.attempt(by, &work, unknown).await {
                    Attempt::Done(done) => return Ok(done),
                    Attempt::Failed(error) => return Err(error),
                    Attempt::Nothing(error) => error,
                    Attempt::Unknown => {
                        unknown = true;
                        StoreError::Unsettled
                    }
                };
                let by = if unknown { by + SETTLED_WITHIN } else { by };
                let pause = LOST_RACE.mul_f64(rand::rng().random_range(0.5..1.5));
                if Instant::now() + pause >= by {
                    return Err(if unknown { StoreError::Unsettled } else { over }.into());
                }
                sleep(pause).await;
            }
        });
        let Ok(ended) = timeout_at(by + patience.end, task).await else {
            return Err(StoreError::Unsettled.into());
        };
        // The process ends.
        ended.unwrap_or_else(|_| Err(StoreError::Unsettled.into()))
    }

    async fn attempt<T>(
        &self,
        by: Instant,
        work: &(impl for<'c> Fn(&'c Shared, &'c mut PgConnection, bool) -> BoxFuture<'c, Result<T, CommitError>> + Sync),
        again: bool,
    ) -> Attempt<T> {
        let by = if again { by + SETTLED_WITHIN } else { by };
        let mut connection = match self.connection(by).await {
            Ok(connection) => connection,
            Err(error) => return Attempt::Nothing(error),
        };
        let begun = async {
            // Nothing that is left in the middle holds others up: what waits for a lock gives up when this
            // process does, and a transaction that is left alone ends.
            let patience = by.saturating_duration_since(Instant::now()).as_millis().max(1);
            let begin = format!(
                "BEGIN; SET LOCAL lock_timeout = {patience}; SET LOCAL idle_in_transaction_session_timeout = {}",
                LEFT_ALONE.as_millis()
            );
            sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
            work(self, &mut connection, again).await
        };
        let done = match timeout_at(by, begun).await {
            Ok(Ok(done)) => done,
            Ok(Err(CommitError::Store(StoreError::Database(error)))) if is_serialisation(&error) => {
                roll_back(connection).await;
                return Attempt::Nothing(StoreError::Contended);
            }
            Ok(Err(CommitError::Store(StoreError::Database(error)))) if is_lost(&error) => {
                drop(connection.detach());
                return Attempt::Nothing(error.into());
            }
            Ok(Err(CommitError::Store(StoreError::Database(error)))) if is_locked(&error) => {
                roll_back(connection).await;
                return Attempt::Nothing(StoreError::Silent);
            }
            Ok(Err(error)) => {
                roll_back(connection).await;
                return Attempt::Failed(error);
            }
            // The server rolls back what it finds nobody behind.
            Err(_) => {
                drop(connection.detach());
                return Attempt::Nothing(StoreError::Silent);
            }
        };
        let answered = sqlx::raw_sql("COMMIT").execute(&mut *connection);
        match timeout_at(Instant::now() + SETTLED_WITHIN, answered).await {
            Ok(Ok(_)) => Attempt::Done(done),
            Ok(Err(error)) if is_serialisation(&error) => {
                roll_back(connection).await;
                Attempt::Nothing(StoreError::Contended)
            }
            Ok(Err(error)) => {
                warn!(%error, "it is unknown whether a commit was recorded; it is looked up");
                drop(connection.detach());
                Attempt::Unknown
            }
            Err(_) => {
                warn!("the database does not answer to a commit; it is looked up whether it was recorded");
                drop(connection.detach());
                Attempt::Unknown
            }
        }
    }

    async fn connection(&self, by: Instant) -> Result<PoolConnection<Postgres>, StoreError> {
        match timeout_at(by, self.pool.acquire()).await {
            Ok(connection) => Ok(connection?),
            Err(_) => Err(StoreError::Silent),
        }
    }

    /// Reads something; once more on another connection if one was lost, while there is time.
    pub(super) async fn read<T>(
        &self,
        ask: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
    ) -> Result<T, StoreError> {
        self.read_within(self.limits.patience, ask).await
    }

    pub(super) async fn read_within<T>(
        &self,
        patience: Duration,
        ask: impl for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
    ) -> Result<T, StoreError> {
        let by = Instant::now() + patience;
        match timeout_at(by, self.ready()).await {
            Ok(ready) => ready?,
            Err(_) => return Err(StoreError::Silent),
        }
        let mut lost = 0;
        loop {
            let error = match timeout_at(by, self.pool.acquire()).await {
                Err(_) => return Err(StoreError::Silent),
                Ok(Err(error)) => error,
                Ok(Ok(mut connection)) => match timeout_at(by, ask(&mut connection)).await {
                    Ok(Ok(read)) => return Ok(read),
                    Ok(Err(error)) => {
                        if is_lost(&error) {
                            drop(connection.detach());
                        }
                        error
                    }
                    Err(_) => {
                        drop(connection.detach());
                        return Err(StoreError::Silent);
                    }
                },
            };
            // As many may have been lost with the server as there are.
            lost += 1;
            if !is_lost(&error) || lost > self.limits.connections || Instant::now() + LOST_RACE >= by {
                return Err(error.into());
            }
            sleep(LOST_RACE).await;
        }
    }
}

/// A connection goes back to the others only when nothing is left of its transaction.
async fn roll_back(mut connection: PoolConnection<Postgres>) {
    let rolled_back = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
    if !matches!(timeout_at(Instant::now() + SETTLED_WITHIN, rolled_back).await, Ok(Ok(_))) {
        drop(connection.detach());
    }
}
