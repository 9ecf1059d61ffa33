//! The rows of a change and nothing else, in the same two transactions: what was asked is recorded, then
//! carried out. Nothing is read, decided, sealed or answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use crate::place::Place;
use crate::seed;

/// As many connections as the bot has.
const CONNECTIONS: u32 = 10;

/// A seal's length, and what the bot records of a request.
const SEAL: &str = "k1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const REQUEST: &str = "{\"actor\":\"slack:U0PERF0000\",\"channel\":\"slack:T0PERF0001:C0PERF000000\",\
     \"words\":{\"typed\":\"due 7 2100-01-01\"},\"at\":\"2026-11-28T12:00:00.000000000Z\",\"by\":\"0123456789abcdef\"}";
const EVENT: &str = "{\"event\":\"due_set\",\"step\":\"notifications\",\"due\":\"2100-01-01\"}";
const AT: &str = "2026-11-28T12:00:00.000Z";
const INSTANT: i64 = 1_796_000_000_000;

pub struct Bare {
    rows: Rows,
    /// The state of each session, as the bot wrote it.
    states: Vec<String>,
    number: AtomicU64,
}

enum Rows {
    /// One writer, for which is queued as the bot does.
    Sqlite(Mutex<SqliteConnection>),
    Postgres(PgPool),
}

impl Bare {
    /// On a place with so many sessions.
    pub async fn new(place: &Place, sessions: usize) -> Self {
        let mut states = Vec::with_capacity(sessions);
        let store = place.store().await;
        for i in 0..sessions {
            let session = store.load(&sekoia_chatops::state::sessions::stream(&seed::channel(i))).await;
            states.push(session.expect("an answer").expect("a session").state.json);
        }
        store.close().await;
        let rows = match place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(5))
                    .pragma("secure_delete", "ON");
                Rows::Sqlite(Mutex::new(options.connect().await.expect("a connection")))
            }
            Place::Postgres(url) => {
                let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
                Rows::Postgres(pool.connect(url).await.expect("a connection"))
            }
        };
        Self { rows, states, number: AtomicU64::new(0) }
    }

    pub async fn change(&self, channel: usize) -> bool {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (request, channel_key) = (format!("slack:1.2.{number}"), seed::channel(channel));
        let (stream, state) = (format!("session/{channel_key}"), self.states[channel].as_str());
        let done = match &self.rows {
            Rows::Sqlite(writer) => sqlite(writer, &request, channel_key.as_str(), &stream, state).await,
            Rows::Postgres(pool) => postgres(pool, &request, channel_key.as_str(), &stream, state).await,
        };
        done.expect("SQL");
        true
    }
}

async fn sqlite(
    writer: &Mutex<SqliteConnection>,
    request: &str,
    channel: &str,
    stream: &str,
    state: &str,
) -> Result<(), sqlx::Error> {
    {
        let mut connection = writer.lock().await;
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO delivery (id, at, settled, seal) VALUES (?, ?, FALSE, ?)")
            .bind(request)
            .bind(INSTANT)
            .bind(SEAL)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO work (kind, key, due, attempts, body, delivered, seal) VALUES ('inbound', ?, ?, 0, ?, TRUE, ?)",
        )
        .bind(request)
        .bind(INSTANT)
        .bind(REQUEST)
        .bind(SEAL)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    let mut connection = writer.lock().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar(
        "UPDATE stream SET version = version + 1, state = ?, head = ?, seal = ? WHERE id = ? RETURNING version",
    )
    .bind(state)
    .bind(SEAL)
    .bind(SEAL)
    .bind(stream)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO record (stream, seq, at, actor, kind, body, personal, key, seal) VALUES (?, ?, ?, 'slack:U0PERF0000', 'due_set', ?, '', 'k1', ?)",
    )
    .bind(stream)
    .bind(version)
    .bind(AT)
    .bind(EVENT)
    .bind(SEAL)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM work WHERE kind = 'inbound' AND key = ?").bind(request).execute(&mut *tx).await?;
    sqlx::query("UPDATE delivery SET settled = TRUE, seal = ? WHERE id = ?")
        .bind(SEAL)
        .bind(request)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT OR REPLACE INTO work (kind, key, due, attempts, body, delivered, seal) VALUES ('progress', ?, ?, 0, '', FALSE, ?)",
    )
    .bind(channel)
    .bind(INSTANT)
    .bind(SEAL)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn postgres(pool: &PgPool, request: &str, channel: &str, stream: &str, state: &str) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("INSERT INTO delivery (id, at, settled, seal) VALUES ($1, $2, FALSE, $3)")
        .bind(request)
        .bind(INSTANT)
        .bind(SEAL)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO work (kind, key, generation, due, attempts, body, delivered, seal) \
         VALUES ('inbound', $1, nextval('generation'), $2, 0, $3, TRUE, $4)",
    )
    .bind(request)
    .bind(INSTANT)
    .bind(REQUEST)
    .bind(SEAL)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut tx = pool.begin().await?;
    let version: i64 = sqlx::query_scalar(
        "UPDATE stream SET version = version + 1, state = $1, head = $2, seal = $3 WHERE id = $4 RETURNING version",
    )
    .bind(state)
    .bind(SEAL)
    .bind(SEAL)
    .bind(stream)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO record (stream, seq, at, actor, kind, body, personal, key, seal) \
         VALUES ($1, $2, $3, 'slack:U0PERF0000', 'due_set', $4, '', 'k1', $5)",
    )
    .bind(stream)
    .bind(version)
    .bind(AT)
    .bind(EVENT)
    .bind(SEAL)
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM work WHERE kind = 'inbound' AND key = $1").bind(request).execute(&mut *tx).await?;
    sqlx::query("UPDATE delivery SET settled = TRUE, seal = $1 WHERE id = $2")
        .bind(SEAL)
        .bind(request)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO work (kind, key, generation, due, attempts, body, delivered, seal) \
         VALUES ('progress', $1, nextval('generation'), $2, 0, '', FALSE, $3) \
         ON CONFLICT (kind, key) DO UPDATE SET generation = EXCLUDED.generation, due = EXCLUDED.due, seal = EXCLUDED.seal",
    )
    .bind(channel)
    .bind(INSTANT)
    .bind(SEAL)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
