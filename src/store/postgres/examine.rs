//! What `doctor` looks at: whether the server is there, its tables are of this release, it takes a
//! write, and whether what was recorded last hangs together.

use futures_util::FutureExt;
use sqlx::Row as _;

use super::prepare::newest;
use super::rows::{self, small, unsigned};
use super::{Shared, is_in_the_clear, shown};
use crate::chat::diagnosis::{Check, harmless};
use crate::chat::text::count;
use crate::store::stored::number;
use crate::store::{Loaded, State, StoreError, StreamId, Tables};

const DATABASE: (&str, &str) = ("store.database", "Store: database");
const TLS: (&str, &str) = ("store.tls", "Store: encryption");
const WRITES: (&str, &str) = ("store.writes", "Store: write and read");
const HISTORY: (&str, &str) = ("store.history", "Store: history");
/// Streams whose end is verified, and records of each.
const STREAMS: i64 = 20;
const RECORDS: u64 = 50;

impl Shared {
    pub(super) async fn examine(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        match self.ready().await {
            Ok(()) => {
                checks.push(self.database().await);
                checks.push(self.encryption());
                checks.push(self.writes().await);
                checks.push(self.history().await);
            }
            Err(error) => {
                checks.push(self.unusable(&error));
                checks.push(self.encryption());
            }
        }
        checks
    }

    async fn database(&self) -> Check {
        let (id, subject) = DATABASE;
        let asked = self.read(|c| {
            sqlx::query(
                "SELECT current_setting('server_version') AS server, pg_database_size(current_database()) AS size",
            )
            .fetch_one(c)
            .boxed()
        });
        let (server, size) = match asked.await {
            Ok(row) => (row.try_get("server").unwrap_or_default(), row.try_get::<i64, _>("size").unwrap_or_default()),
            // Another database that speaks the protocol.
            Err(_) => (String::from("unknown"), 0),
        };
        let (place, server) = (harmless(&shown(&self.pool.connect_options())), harmless(&server));
        let size = size.unsigned_abs() / (1024 * 1024);
        let found = format!("{place} is of this release (tables {}), server {server}, {size} MiB.", newest());
        Check::pass(id, subject, &found)
    }

    fn encryption(&self) -> Check {
        let (id, subject) = TLS;
        if is_in_the_clear(&self.pool.connect_options()) {
            let found =
                "The connection to the database need not be encrypted, nor is the server's certificate checked.";
            return Check::warn(id, subject, found, "Add ?sslmode=verify-full to CHATOPS_STORE.");
        }
        Check::pass(id, subject, "The connection is encrypted, or does not leave this machine.")
    }

    fn unusable(&self, error: &StoreError) -> Check {
        let (id, subject) = DATABASE;
        let place = harmless(&shown(&self.pool.connect_options()));
        let newest = newest();
        match error {
            StoreError::OtherRelease(Tables::None) => Check::warn(
                id,
                subject,
                &format!("{place} has no tables yet."),
                "The bot makes them when it starts with `sekoia-chatops serve`.",
            ),
            StoreError::OtherRelease(Tables::Older(has)) => Check::warn(
                id,
                subject,
                &format!(
                    "{place} is of an earlier release (tables {has}, here {newest}). What is in it was not examined."
                ),
                "Make a backup with pg_dump, then start this release with `sekoia-chatops serve`, which brings it up to date.",
            ),
            StoreError::OtherRelease(Tables::Newer(has)) => Check::fail(
                id,
                subject,
                &format!("{place} is of a later release (tables {has}, here {newest}). This one cannot use it."),
                "Run the release that wrote it, or a later one.",
            ),
            StoreError::OtherRelease(_) => Check::fail(
                id,
                subject,
                &format!("{place} has a table `stream` that is not this bot's."),
                "Set CHATOPS_STORE to a database or a schema of the bot's own.",
            ),
            StoreError::Corrupt { why, .. } => Check::fail(
                id,
                subject,
                &format!("{place} cannot be trusted: {}.", harmless(why)),
                "Set CHATOPS_SECRET_KEY as it was when the bot wrote it.",
            ),
            error => Check::fail(
                id,
                subject,
                &format!("{place} cannot be used: {}.", harmless(&error.to_string())),
                "Check the address, the user, the password and the database's name in CHATOPS_STORE, and that the server takes connections from here.",
            ),
        }
    }

    async fn writes(&self) -> Check {
        let (id, subject) = WRITES;
        let written = self.read(|c| {
            async move {
                let at = jiff::Timestamp::now().as_millisecond();
                sqlx::query(
                    "INSERT INTO probe (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = EXCLUDED.at",
                )
                .bind(at)
                .execute(&mut *c)
                .await?;
                // A bot may have written it again by now.
                let read: i64 = sqlx::query_scalar("SELECT at FROM probe WHERE id = 1").fetch_one(&mut *c).await?;
                Ok(read >= at)
            }
            .boxed()
        });
        match written.await {
            Ok(true) => Check::pass(id, subject, "A row was written and read back."),
            Ok(false) => Check::fail(
                id,
                subject,
                "A row was written, and an older one was read.",
                "Set CHATOPS_STORE to the primary server: a replica of the database that lags behind cannot serve the bot.",
            ),
            Err(error) => Check::fail(
                id,
                subject,
                &format!("Nothing can be written: {}.", harmless(&error.to_string())),
                "Set CHATOPS_STORE to the primary server, and let the user write to the bot's tables.",
            ),
        }
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
        let latest = self.read(|c| {
            sqlx::query("SELECT id, version, schema, state FROM stream ORDER BY version DESC, id LIMIT $1")
                .bind(STREAMS)
                .fetch_all(c)
                .boxed()
        });
        let latest = latest.await?;
        let (mut verified, mut faults) = (0, Vec::new());
        for row in &latest {
            let stream = StreamId::from(row.try_get::<String, _>("id")?);
            let version = unsigned(row, "version")?;
            let state = State { schema: small(row, "schema")?, json: row.try_get("state")? };
            // One before the first has the seal that it follows. What came after the state is left out.
            let after = version.saturating_sub(RECORDS + 1);
            let records = self.read({
                let id = stream.as_str().to_owned();
                move |c| {
                    sqlx::query(rows::HISTORY)
                        .bind(id.clone())
                        .bind(number(after))
                        .bind(number(version - after))
                        .fetch_all(c)
                        .boxed()
                }
            });
            let records = records.await?;
            let records = records.iter().map(|row| rows::record(&stream, row)).collect::<Result<Vec<_>, _>>()?;
            let (previous, records) = match records.split_first() {
                Some((first, rest)) if after > 0 => ((first.seq, &*first.seal), rest),
                _ => ((0, ""), &*records),
            };
            verified += records.len();
            let found = self.chain.verify_after(&stream, previous, records, Some(&Loaded { version, state }));
            faults.extend(found.iter().map(ToString::to_string));
        }
        Ok((latest.len(), verified, faults))
    }
}
