//! What `audit verify` looks at beside the records.

use sqlx::Row as _;

use super::rows::{Stored, StoredKept, last_seal, unsigned};
use super::{Shared, heads};
use crate::store::heads::HeadsError;
use crate::store::seal::Row;
use crate::store::stored::Untrusted;
use crate::store::{Loaded, State, StoreError, StreamId, WorkKind};

const WORK_THERE: &str = "SELECT EXISTS (SELECT 1 FROM work WHERE generation = ? AND seal = ?)";
const KEPT_THERE: &str = "SELECT EXISTS (SELECT 1 FROM kept WHERE generation = ? AND seal = ?)";

impl Shared {
    /// A stream's state as it stands there, to be believed or not.
    pub(super) async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.ready().await?;
        let row = sqlx::query("SELECT version, schema, state FROM stream WHERE id = ?")
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let state = State { schema: row.try_get("schema")?, json: row.try_get("state")? };
        Ok(Some(Loaded { version: unsigned(&row, "version")?, state }))
    }

    /// Everything that is not sealed, does not belong where it stands, or is less than was
    /// remembered, in words; and what was remembered.
    pub(super) async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        self.ready().await?;
        let mut found = Vec::new();
        self.inspect_streams(&mut found).await?;
        self.inspect_work(&mut found).await?;
        self.inspect_kept(&mut found).await?;
        let shared = self;
        for row in sqlx::query("SELECT id, at, settled, seal FROM delivery").fetch_all(&shared.readers).await? {
            let (id, at, settled): (String, i64, bool) =
                (row.try_get("id")?, row.try_get("at")?, row.try_get("settled")?);
            if let Err(why) = shared.chain.check_row(&Row::Delivery { id: &id, at, settled }, row.try_get("seal")?) {
                found.push(format!("delivery {id}: {why}"));
            }
        }
        for row in sqlx::query("SELECT name, holder, until, seal FROM lease").fetch_all(&shared.readers).await? {
            let (name, holder, until): (String, String, i64) =
                (row.try_get("name")?, row.try_get("holder")?, row.try_get("until")?);
            let lease = Row::Lease { name: &name, holder: &holder, until };
            if let Err(why) = shared.chain.check_row(&lease, row.try_get("seal")?) {
                found.push(format!("lease {name}: {why}"));
            }
        }
        let aside = sqlx::query("SELECT reference, kind, key, why FROM aside ORDER BY at, reference");
        for row in aside.fetch_all(&shared.readers).await? {
            let (reference, kind): (String, String) = (row.try_get("reference")?, row.try_get("kind")?);
            let (key, why): (String, String) = (row.try_get("key")?, row.try_get("why")?);
            found.push(format!("{kind} {key}: set aside and not done ({reference}): {why}"));
        }
        let remembered = match heads::read(&shared.path, &shared.chain) {
            Ok(Some(heads)) => heads.streams.len(),
            Ok(None) => 0,
            Err(error) => {
                let file = heads::path(&shared.path);
                let why = match error {
                    HeadsError::Seal(why) => why.to_string(),
                    error => error.to_string(),
                };
                found.push(format!("{}: {why}", file.display()));
                0
            }
        };
        Ok((found, remembered))
    }

    async fn inspect_streams(&self, found: &mut Vec<String>) -> Result<(), StoreError> {
        let shared = self;
        let known = heads::read(&shared.path, &shared.chain).ok().flatten().unwrap_or_default();
        let rows = sqlx::query("SELECT id, version, schema, state, head, seal FROM stream ORDER BY id")
            .fetch_all(&shared.readers)
            .await?;
        for row in &rows {
            let id: String = row.try_get("id")?;
            match shared.state(&id, row) {
                Ok(_) => {}
                Err(Untrusted::Store(error)) => return Err(error),
                Err(Untrusted::Seal(why)) => {
                    found.push(format!("{id}: the state: {why}"));
                    continue;
                }
            }
            // The bot may have written meanwhile: both are read in one look.
            let look = sqlx::query("SELECT head FROM stream WHERE id = ?").bind(&id);
            let mut snapshot = shared.readers.begin().await?;
            let head: Option<String> =
                look.fetch_optional(&mut *snapshot).await?.map(|r| r.try_get("head")).transpose()?;
            let last = last_seal(&mut *snapshot, &id).await?;
            if head.is_some_and(|head| head != last) {
                found.push(format!("{id}: the state does not belong to its last record"));
            }
        }
        for (id, head) in &known.streams {
            let row = rows.iter().find(|row| row.try_get::<&str, _>("id").is_ok_and(|there| there == id));
            let version: i64 = row.map_or(Ok(0), |row| row.try_get("version"))?;
            let seal: Option<String> = sqlx::query_scalar("SELECT seal FROM record WHERE stream = ? AND seq = ?")
                .bind(id)
                .bind(super::number(head.0))
                .fetch_optional(&shared.readers)
                .await?;
            if version.unsigned_abs() < head.0 {
                let what = if row.is_none() { "it was removed whole" } else { "it was put back" };
                found.push(format!("{id}: {what}: record {} is remembered beside the database", head.0));
            } else if seal.is_some_and(|seal| seal != head.1) {
                found.push(format!("{id}: record {} is another one than is remembered beside the database", head.0));
            }
        }
        Ok(())
    }

    async fn inspect_work(&self, found: &mut Vec<String>) -> Result<(), StoreError> {
        let rows = sqlx::query(
            "SELECT kind, key, due, attempts, body, generation, delivered, seal FROM work ORDER BY kind, key",
        );
        for row in rows.fetch_all(&self.readers).await? {
            let kind: String = row.try_get("kind")?;
            let stored = Stored::read(&kind, &row)?;
            // The bot may have settled it meanwhile, in one commit with its delivery.
            if let Err(why) = self.trusted(WorkKind::Inbound, &stored).await?
                && self.is_still_there(WORK_THERE, stored.generation, &stored.seal).await?
            {
                found.push(format!("{kind} {}: {why}", stored.key));
            }
        }
        Ok(())
    }

    async fn inspect_kept(&self, found: &mut Vec<String>) -> Result<(), StoreError> {
        let rows = sqlx::query("SELECT kind, key, until, body, generation, seal FROM kept ORDER BY kind, key");
        for row in rows.fetch_all(&self.readers).await? {
            let kind: String = row.try_get("kind")?;
            let stored = StoredKept::read(&kind, &row)?;
            // The bot may have kept it anew, or set it aside, meanwhile.
            if let Err(why) = self.chain.check_row(&stored.row(), &stored.seal)
                && self.is_still_there(KEPT_THERE, stored.generation, &stored.seal).await?
            {
                found.push(format!("{kind} {}: {why}", stored.key));
            }
        }
        Ok(())
    }

    async fn is_still_there(&self, query: &'static str, generation: u64, seal: &str) -> Result<bool, StoreError> {
        let there = sqlx::query_scalar(query).bind(super::number(generation)).bind(seal);
        Ok(there.fetch_one(&self.readers).await?)
    }
}
