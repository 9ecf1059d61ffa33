//! What `doctor` looks at: whether the database is there and of this release, whether it takes a write, whether
//! what was recorded last hangs together, and the room on its disk.
//!
//! A bot may be using the database meanwhile: nothing is migrated, sealed or set aside here.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row as _};

use super::rows::{self, is_busy, unsigned};
use super::{MIGRATIONS, Shared, SqliteStore};
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::store::audit::Chain;
use crate::store::seal::Row;
use crate::store::{Loaded, Record, State, StoreError, StreamId, heads, place};
use crate::timing::store::{COMMIT_IMPATIENCE, COMMIT_PATIENCE};

const DATABASE: (&str, &str) = ("store.database", "Store: database");
const WRITES: (&str, &str) = ("store.writes", "Store: write and read");
const HISTORY: (&str, &str) = ("store.history", "Store: history");
const DISK: (&str, &str) = ("store.disk", "Store: free disk");
/// Streams whose end is verified, those with the latest records, and records of each.
const STREAMS: u32 = 20;
const RECORDS: u32 = 50;
const MIB: u64 = 1024 * 1024;
/// With less room the bot stops soon; with less still, it may stop in the middle.
const LITTLE_ROOM: u64 = 512 * MIB;
const NO_ROOM: u64 = 64 * MIB;

/// How the tables of a database compare with those of this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    Current,
    /// Of an earlier release, with so many migrations.
    Older(i64),
    Newer(i64),
    /// An empty file, which the bot fills at its start.
    None,
    Foreign,
}

impl SqliteStore {
    /// A database to look at, beside a bot that may be using it: nothing is ever written. It is opened
    /// when something is read.
    ///
    /// # Errors
    /// By what reads: [`StoreError::OtherRelease`] unless its tables are those of this release.
    pub fn to_look_at(path: &Path, chain: Chain) -> Self {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(COMMIT_IMPATIENCE);
        Self::around(path, chain, options.clone(), options, true)
    }
}

impl Shared {
    /// What [`Shared::prepare`] does for a database that is only looked at.
    pub(super) async fn prepare_to_look(&self) -> Result<(), StoreError> {
        let mut connection = self.options.connect().await?;
        match tables(&mut connection).await? {
            Tables::Current => {}
            other => return Err(StoreError::OtherRelease(other)),
        }
        let whole: Option<String> =
            sqlx::query_scalar("SELECT seal FROM whole WHERE id = 1").fetch_optional(&mut connection).await?;
        if let Some(Err(why)) = whole.map(|seal| self.chain.check_row(&Row::Whole, &seal)) {
            return Err(StoreError::Corrupt { place: "the database".into(), why: why.to_string() });
        }
        let remembered = heads::read(&self.path, &self.chain);
        self.take_stock(&mut connection, remembered).await?;
        close(connection).await;
        Ok(())
    }

    pub(super) async fn examine(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        match self.ready().await {
            Ok(()) => {
                checks.push(self.database());
                let (writes, history) = tokio::join!(self.write_and_read(), self.history());
                checks.extend([writes, history]);
            }
            Err(error) => checks.push(self.unusable(&error)),
        }
        checks.extend(self.disk());
        checks
    }

    fn database(&self) -> Check {
        let size = fs::metadata(&self.path).map_or(0, |file| file.len());
        let (shown, size) = (harmless(&self.path.display().to_string()), mebibytes(size));
        let tables = newest();
        Check::pass(DATABASE.0, DATABASE.1, &format!("{shown} is of this release (tables {tables}), {size}."))
    }

    fn unusable(&self, error: &StoreError) -> Check {
        let (id, subject) = DATABASE;
        let shown = harmless(&self.path.display().to_string());
        let newest = newest();
        match error {
            StoreError::OtherRelease(Tables::None) => Check::warn(
                id,
                subject,
                &format!("{shown} is empty."),
                "The bot fills it when it starts with `sekoia-chatops serve`.",
            ),
            StoreError::OtherRelease(Tables::Older(has)) => Check::warn(
                id,
                subject,
                &format!(
                    "{shown} is of an earlier release (tables {has}, here {newest}). What is in it was not examined."
                ),
                "Make a backup, then start this release with `sekoia-chatops serve`, which brings it up to date.",
            ),
            StoreError::OtherRelease(Tables::Newer(has)) => Check::fail(
                id,
                subject,
                &format!("{shown} is of a later release (tables {has}, here {newest}). This one cannot use it."),
                "Run the release that wrote it, or a later one.",
            ),
            StoreError::OtherRelease(_) => Check::fail(
                id,
                subject,
                &format!("{shown} is no database of this bot."),
                "Set CHATOPS_STORE to the bot's own file.",
            ),
            StoreError::Corrupt { why, .. } => Check::fail(
                id,
                subject,
                &format!("{shown} cannot be trusted: {}.", harmless(why)),
                "Set CHATOPS_SECRET_KEY, or put the key file beside it, as it was when the bot wrote it.",
            ),
            error => Check::fail(
                id,
                subject,
                &format!("{shown} cannot be read: {}.", harmless(&error.to_string())),
                "Run doctor as the bot's own user, who must own the file and its folder. A restored copy needs all of its files.",
            ),
        }
    }

    /// The row that the bot itself writes to see whether it can.
    async fn write_and_read(&self) -> Check {
        let (id, subject) = WRITES;
        match self.write_row().await {
            Ok(()) => Check::pass(id, subject, "A row was written and read back."),
            Err(StoreError::Database(error)) if is_busy(&error) => Check::fail(
                id,
                subject,
                &format!(
                    "Another program holds the database: nothing could be written for {} s.",
                    COMMIT_PATIENCE.as_secs()
                ),
                "End that program. Only the bot writes to its database.",
            ),
            Err(error) => Check::fail(
                id,
                subject,
                &format!("Nothing can be written: {}.", harmless(&error.to_string())),
                &format!(
                    "Let the bot's user (doctor runs as user {}) write to the file and its folder, and make room on the disk.",
                    rustix::process::geteuid().as_raw()
                ),
            ),
        }
    }

    async fn write_row(&self) -> Result<(), StoreError> {
        let options = SqliteConnectOptions::new().filename(&self.path).busy_timeout(COMMIT_PATIENCE);
        let mut connection = options.connect().await?;
        let at = Timestamp::now().as_millisecond();
        sqlx::query("INSERT OR REPLACE INTO probe (id, at) VALUES (1, ?)").bind(at).execute(&mut connection).await?;
        // The bot may have written it again by now.
        let read: i64 = sqlx::query_scalar("SELECT at FROM probe WHERE id = 1").fetch_one(&mut connection).await?;
        close(connection).await;
        if read >= at {
            return Ok(());
        }
        Err(StoreError::Corrupt { place: "a row that was just written".into(), why: "another one was read".into() })
    }

    async fn history(&self) -> Check {
        let (id, subject) = HISTORY;
        match self.verify_ends().await {
            Ok((0, ..)) => Check::pass(id, subject, "Nothing is recorded yet."),
            Ok((streams, records, faults)) if faults.is_empty() => {
                let (streams, records) = (count(streams, "stream", "streams"), count(records, "record", "records"));
                Check::pass(id, subject, &format!("The last {records} of {streams} follow each other, unchanged."))
            }
            Ok((.., faults)) => {
                let more = if faults.len() > 1 { format!(" {} more.", faults.len() - 1) } else { String::new() };
                let first = faults.first().map_or(String::new(), |fault| harmless(fault));
                let advice = "Run `sekoia-chatops audit verify`, which reads everything, and compare with an export kept elsewhere.";
                Check::fail(id, subject, &format!("{first}.{more}"), advice)
            }
            Err(error) => Check::fail(
                id,
                subject,
                &format!("It cannot be read: {}.", harmless(&error.to_string())),
                "Run `sekoia-chatops audit verify`.",
            ),
        }
    }

    /// How many streams and records were verified, and what is wrong with them.
    async fn verify_ends(&self) -> Result<(usize, usize, Vec<String>), StoreError> {
        let latest = sqlx::query(
            "SELECT s.id AS id, s.version AS version FROM stream s JOIN record r ON r.stream = s.id AND r.seq = s.version \
             ORDER BY r.at DESC, s.id LIMIT ?",
        )
        .bind(STREAMS)
        .fetch_all(&self.readers)
        .await?;
        let (mut verified, mut faults) = (0, Vec::new());
        for row in &latest {
            let stream = StreamId::from(row.try_get::<String, _>("id")?);
            // One before the first has the seal that it follows.
            let after = unsigned(row, "version")?.saturating_sub(u64::from(RECORDS) + 1);
            let (records, state) = self.end_of(&stream, after).await?;
            let (previous, records) = match records.split_first() {
                Some((first, rest)) if after > 0 => ((first.seq, &*first.seal), rest),
                _ => ((0, ""), &*records),
            };
            verified += records.len();
            let found = self.chain.verify_after(&stream, previous, records, state.as_ref());
            faults.extend(found.iter().map(ToString::to_string));
        }
        Ok((latest.len(), verified, faults))
    }

    /// The records after a number and the state, of one moment: the bot may be writing.
    async fn end_of(&self, stream: &StreamId, after: u64) -> Result<(Vec<Record>, Option<Loaded>), StoreError> {
        let mut snapshot = self.readers.begin().await?;
        let rows = sqlx::query(
            "SELECT seq, at, actor, kind, body, personal, key, seal FROM record WHERE stream = ? AND seq > ? ORDER BY seq",
        )
        .bind(stream.as_str())
        .bind(rows::number(after))
        .fetch_all(&mut *snapshot)
        .await?;
        let records = rows.iter().map(|row| rows::record(stream, row)).collect::<Result<Vec<_>, _>>()?;
        let row = sqlx::query("SELECT version, schema, state FROM stream WHERE id = ?").bind(stream.as_str());
        let state = match row.fetch_optional(&mut *snapshot).await? {
            Some(row) => {
                let state = State { schema: row.try_get("schema")?, json: row.try_get("state")? };
                Some(Loaded { version: unsigned(&row, "version")?, state })
            }
            None => None,
        };
        Ok((records, state))
    }

    fn disk(&self) -> Option<Check> {
        let disk = rustix::fs::statvfs(place::folder(&self.path)).ok()?;
        Some(room(disk.f_bavail.saturating_mul(disk.f_frsize)))
    }
}

/// What there is to say of so many bytes that are free.
fn room(free: u64) -> Check {
    let (id, subject) = DISK;
    let found = format!("{} are free.", mebibytes(free));
    let advice =
        "Make room on the disk of CHATOPS_STORE. A full disk stops the bot; nothing that it acknowledged is lost.";
    if free < NO_ROOM {
        return Check::fail(id, subject, &found, advice);
    }
    if free < LITTLE_ROOM {
        return Check::warn(id, subject, &found, advice);
    }
    Check::pass(id, subject, &found)
}

fn mebibytes(bytes: u64) -> String {
    match bytes {
        ..MIB => format!("{} KiB", bytes.div_ceil(1024)),
        bytes if bytes < 10 * 1024 * MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{} GiB", bytes / (1024 * MIB)),
    }
}

/// The last migration of this release.
fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// Which migrations were made, by sqlx's own table.
async fn tables(connection: &mut SqliteConnection) -> Result<Tables, sqlx::Error> {
    let named = "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
    let ours: i64 = sqlx::query_scalar(named).fetch_one(&mut *connection).await?;
    if ours == 0 {
        let any: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema").fetch_one(connection).await?;
        return Ok(if any == 0 { Tables::None } else { Tables::Foreign });
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

async fn close(connection: SqliteConnection) {
    if let Err(error) = tokio::time::timeout(Duration::from_secs(1), connection.close()).await {
        tracing::debug!(%error, "a connection to look at the database is dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::diagnosis::Verdict;

    #[test]
    fn little_room_is_said_before_there_is_none() {
        let verdict = |free| room(free).verdict;
        assert_eq!(verdict(0), Verdict::Fail);
        assert_eq!(verdict(NO_ROOM - 1), Verdict::Fail);
        assert_eq!(verdict(NO_ROOM), Verdict::Warn);
        assert_eq!(verdict(LITTLE_ROOM), Verdict::Pass);
        assert_eq!(room(LITTLE_ROOM + MIB).found, "513 MiB are free.");
        assert_eq!(room(20 * 1024 * MIB).found, "20 GiB are free.");
    }
}
