//! What `audit verify` looks at beside the records.

use futures_util::FutureExt;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::Shared;
use super::rows::{self, small, unsigned};
use crate::store::seal::Row;
use crate::store::stored::Untrusted;
use crate::store::{Loaded, State, StoreError, StreamId, WorkKind};

/// Rows that are read at a time.
const PAGE: i64 = 1_000;

impl Shared {
    /// A stream's state as it stands there, to be believed or not.
    pub(super) async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        let id = stream.as_str().to_owned();
        let row = self.read(move |c| {
            sqlx::query("SELECT version, schema, state FROM stream WHERE id = $1")
                .bind(id.clone())
                .fetch_optional(c)
                .boxed()
        });
        let Some(row) = row.await? else { return Ok(None) };
        let state = State { schema: small(&row, "schema")?, json: row.try_get("state")? };
        Ok(Some(Loaded { version: unsigned(&row, "version")?, state }))
    }

    /// Everything that is not sealed or does not belong where it stands, in words.
    pub(super) async fn inspect(&self) -> Result<Vec<String>, StoreError> {
        let shared = self;
        let mut found = Vec::new();
        shared.inspect_streams(&mut found).await?;
        shared.inspect_work(&mut found).await?;
        for row in shared.all("SELECT kind, key, until, body, generation, seal FROM kept ORDER BY kind, key").await? {
            let kind: &str = row.try_get("kind")?;
            let stored = rows::stored_kept(kind, &row)?;
            if let Err(why) = shared.chain.check_row(&stored.row(), &stored.seal) {
                found.push(format!("{kind} {}: {why}", stored.key));
            }
        }
        for row in shared.all("SELECT id, at, settled, seal FROM delivery ORDER BY id").await? {
            let (id, at, settled): (&str, i64, bool) =
                (row.try_get("id")?, row.try_get("at")?, row.try_get("settled")?);
            if let Err(why) = shared.chain.check_row(&Row::Delivery { id, at, settled }, row.try_get("seal")?) {
                found.push(format!("delivery {id}: {why}"));
            }
        }
        for row in shared.all("SELECT name, holder, until, seal FROM lease ORDER BY name").await? {
            let (name, holder, until): (&str, &str, i64) =
                (row.try_get("name")?, row.try_get("holder")?, row.try_get("until")?);
            if let Err(why) = shared.chain.check_row(&Row::Lease { name, holder, until }, row.try_get("seal")?) {
                found.push(format!("lease {name}: {why}"));
            }
        }
        for row in shared.all("SELECT reference, kind, key, why FROM aside ORDER BY at, reference").await? {
            let (reference, kind): (&str, &str) = (row.try_get("reference")?, row.try_get("kind")?);
            let (key, why): (&str, &str) = (row.try_get("key")?, row.try_get("why")?);
            found.push(format!("{kind} {key}: set aside and not done ({reference}): {why}"));
        }
        Ok(found)
    }
}

impl Shared {
    async fn all(&self, query: &'static str) -> Result<Vec<PgRow>, StoreError> {
        self.read(move |c| sqlx::query(query).fetch_all(c).boxed()).await
    }

    async fn inspect_streams(&self, found: &mut Vec<String>) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let first = after.clone();
            // The state and its last record of one moment: bots may write meanwhile.
            let page = self.read(move |c| {
                sqlx::query(
                    "SELECT id, version, schema, state, head, seal, COALESCE((SELECT r.seal FROM record r \
                     WHERE r.stream = stream.id ORDER BY r.seq DESC LIMIT 1), '') AS last \
                     FROM stream WHERE id > $1 ORDER BY id LIMIT $2",
                )
                .bind(first.clone())
                .bind(PAGE)
                .fetch_all(c)
                .boxed()
            });
            let page = page.await?;
            for row in &page {
                let id: &str = row.try_get("id")?;
                match self.state(id, row) {
                    Ok(_) if row.try_get::<&str, _>("head")? == row.try_get::<&str, _>("last")? => {}
                    Ok(_) => found.push(format!("{id}: the state does not belong to its last record")),
                    Err(Untrusted::Store(error)) => return Err(error),
                    Err(Untrusted::Seal(why)) => found.push(format!("{id}: the state: {why}")),
                }
            }
            let Some(last) = page.last() else { return Ok(()) };
            after = last.try_get("id")?;
        }
    }

    async fn inspect_work(&self, found: &mut Vec<String>) -> Result<(), StoreError> {
        let query = "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work ORDER BY kind, key";
        for row in self.all(query).await? {
            let kind: &str = row.try_get("kind")?;
            let stored = rows::stored(kind, &row)?;
            // A bot may have settled it meanwhile, in one commit with its delivery.
            if let Err(why) = self.trusted(WorkKind::Inbound, &stored).await?
                && self.is_still_there(&stored).await?
            {
                found.push(format!("{kind} {}: {why}", stored.key));
            }
        }
        Ok(())
    }
}
