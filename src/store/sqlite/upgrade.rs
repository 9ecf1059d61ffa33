//! Seals a database as a whole: once, when a release that seals opens it for the first time, and
//! again after the key was rotated.
//!
//! The first time, what stands in the file is taken for what the earlier release wrote: nothing
//! else can be told then. Whether it was sealed before is told by a row of its own, by the file of
//! heads beside the database, and by any seal in it: afterwards, what has no seal is not ours.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tracing::{error, info};

use super::kept;
use super::rows::{Stored, StoredKept, last_seal, number, unsigned};
use crate::store::audit::Chain;
use crate::store::seal::{Row, Unsealed};
use crate::store::{StoreError, StreamId};

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
