//! Seals a database as a whole: once, when a release that seals opens it for the first time, and
//! again after the key was rotated.
//!
//! The first time, what stands in the file is taken for what the earlier release wrote: nothing
//! else can be told then. Whether it was sealed before is told by a row of its own, by the file of
//! heads beside the database, and by any seal in it: afterwards, what has no seal is not ours.
//!
//! What an earlier release kept among the due work is moved after that, each row if its seal fits.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tracing::{error, info};

use super::rows::{Stored, StoredKept, last_seal, number, unsigned};
use super::{Shared, commit, kept};
use crate::store::audit::Chain;
use crate::store::seal::{Row, Unsealed};
use crate::store::stored::reference;
use crate::store::{KeptKind, StoreError, StreamId};

/// Rows that got a seal.
#[derive(Default)]
struct Sealed {
    streams: usize,
    work: usize,
    requests: usize,
}

pub async fn seal(connection: &mut SqliteConnection, chain: &Chain, sealed_before: bool) -> Result<(), StoreError> {
    let whole: Option<String> =
        sqlx::query_scalar("SELECT seal FROM whole WHERE id = 1").fetch_optional(&mut *connection).await?;
    let trust = match &whole {
        Some(seal) => match chain.check_row(&Row::Whole, seal) {
            Ok(()) if chain.is_current(seal) => return Ok(()),
            Ok(()) => false,
            Err(why) => {
                return Err(StoreError::Corrupt { place: "the database".into(), why: why.to_string() });
            }
        },
        None => !sealed_before && !has_seals(connection).await?,
    };
    if whole.is_none() && !trust {
        error!("the mark that this database is sealed was removed; nothing without a seal is acted upon");
    }
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let sealed = everything(connection, chain, trust).await?;
    sqlx::query("INSERT OR REPLACE INTO whole (id, seal) VALUES (1, ?)")
        .bind(chain.seal_row(&Row::Whole))
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
    let Sealed { streams, work, requests } = sealed;
    if trust && streams + work > 0 {
        info!(streams, work, requests, "what an earlier release stored was sealed as it was found");
    } else if streams + work > 0 {
        info!(streams, work, "what was sealed with an older key was sealed with the first one");
    }
    Ok(())
}

async fn has_seals(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM stream WHERE seal <> '') OR EXISTS (SELECT 1 FROM work WHERE seal <> '') \
         OR EXISTS (SELECT 1 FROM delivery WHERE seal <> '') OR EXISTS (SELECT 1 FROM lease WHERE seal <> '') \
         OR EXISTS (SELECT 1 FROM kept)",
    )
    .fetch_one(connection)
    .await
}

/// Whether a row is to be sealed now.
fn wants(chain: &Chain, row: &Row<'_>, seal: &str, trust: bool) -> bool {
    match chain.check_row(row, seal) {
        Ok(()) => !chain.is_current(seal),
        Err(Unsealed::Missing) => trust,
        Err(_) => false,
    }
}

async fn everything(tx: &mut SqliteConnection, chain: &Chain, trust: bool) -> Result<Sealed, StoreError> {
    if trust {
        // A request that waits came in a delivery of its id.
        sqlx::raw_sql(
            "UPDATE work SET delivered = 1 WHERE kind = 'inbound' AND key IN (SELECT id FROM delivery); \
             UPDATE delivery SET settled = id NOT IN (SELECT key FROM work WHERE kind = 'inbound')",
        )
        .execute(&mut *tx)
        .await?;
    }
    let mut sealed = Sealed::default();
    for row in all(tx, "SELECT id, version, schema, state, head, seal FROM stream").await? {
        sealed.streams += usize::from(stream(tx, chain, trust, &row).await?);
    }
    for row in all(tx, "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work").await? {
        let kind: String = row.try_get("kind")?;
        let stored = Stored::read(&kind, &row)?;
        if wants(chain, &stored.row(), &stored.seal, trust) {
            sqlx::query("UPDATE work SET seal = ? WHERE generation = ?")
                .bind(chain.seal_row(&stored.row()))
                .bind(number(stored.generation))
                .execute(&mut *tx)
                .await?;
            sealed.work += 1;
            sealed.requests += usize::from(kind == "inbound");
        }
    }
    // No release ever kept anything here without a seal.
    for row in all(tx, "SELECT kind, key, until, body, generation, seal FROM kept").await? {
        let kind: String = row.try_get("kind")?;
        let stored = StoredKept::read(&kind, &row)?;
        if wants(chain, &stored.row(), &stored.seal, false) {
            kept::seal(tx, chain, &stored).await?;
        }
    }
    for row in all(tx, "SELECT id, at, settled, seal FROM delivery").await? {
        let (id, at, settled): (String, i64, bool) = (row.try_get("id")?, row.try_get("at")?, row.try_get("settled")?);
        let delivery = Row::Delivery { id: &id, at, settled };
        if wants(chain, &delivery, row.try_get("seal")?, trust) {
            sqlx::query("UPDATE delivery SET seal = ? WHERE id = ?")
                .bind(chain.seal_row(&delivery))
                .bind(&id)
                .execute(&mut *tx)
                .await?;
        }
    }
    // Leases last for seconds: whoever wants one takes it anew.
    sqlx::raw_sql("DELETE FROM lease").execute(&mut *tx).await?;
    Ok(sealed)
}

impl Shared {
    /// Moves what an earlier release kept among the due work into its own table. What is not as that
    /// release sealed it is set aside, and so is what was put back after it was moved.
    pub(super) async fn move_kept(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut old = Vec::new();
        for kind in KeptKind::ALL {
            let rows = sqlx::query(
                "SELECT key, due, attempts, body, generation, delivered, seal FROM work WHERE kind = ? ORDER BY generation",
            );
            for row in rows.bind(kind.name()).fetch_all(&mut *connection).await? {
                old.push((kind, Stored::read(kind.name(), &row)?));
            }
        }
        if old.is_empty() {
            return Ok(());
        }
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        let (mut moved, mut aside) = (0_usize, 0_usize);
        for (kind, stored) in old {
            let what = format!("{} {}", stored.kind, stored.key);
            let why = match self.chain.check_row(&stored.row(), &stored.seal) {
                Ok(()) if !kept::is_there(connection, kind, &stored.key).await? => {
                    kept::take_over(connection, &self.chain, kind, &stored).await?;
                    moved += 1;
                    continue;
                }
                Ok(()) => Unsealed::Replayed,
                // With the right key it is in order again, and is moved then.
                Err(why @ Unsealed::UnknownKey(_)) => {
                    self.suspect(&what, &why.to_string());
                    continue;
                }
                Err(why) => why,
            };
            let reference = reference();
            commit::put_aside(connection, &stored.into(), &reference, &why.to_string()).await?;
            error!(reference, what, %why, "this is not what the bot stored; it is set aside and not acted upon");
            aside += 1;
        }
        sqlx::raw_sql("COMMIT").execute(&mut *connection).await?;
        info!(moved, aside, "what an earlier release kept among the due work was moved");
        Ok(())
    }
}

async fn stream(tx: &mut SqliteConnection, chain: &Chain, trust: bool, row: &SqliteRow) -> Result<bool, StoreError> {
    let id: String = row.try_get("id")?;
    let (version, schema) = (unsigned(row, "version")?, row.try_get("schema")?);
    let (json, mut head): (String, String) = (row.try_get("state")?, row.try_get("head")?);
    let state =
        |head: &str| -> String { chain.seal_row(&Row::State { stream: &id, version, schema, json: &json, head }) };
    if !wants(
        chain,
        &Row::State { stream: &id, version, schema, json: &json, head: &head },
        row.try_get("seal")?,
        trust,
    ) {
        return Ok(false);
    }
    if head.is_empty() {
        head = last_seal(&mut *tx, StreamId::from(id.clone()).as_str()).await?;
    }
    sqlx::query("UPDATE stream SET head = ?, seal = ? WHERE id = ?")
        .bind(&head)
        .bind(state(&head))
        .bind(&id)
        .execute(tx)
        .await?;
    Ok(true)
}

async fn all(tx: &mut SqliteConnection, query: &'static str) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(query).fetch_all(tx).await
}
