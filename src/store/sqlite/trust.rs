//! What is believed of what is read: only what is sealed, and not put back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use tracing::{error, warn};

use super::rows::{self, Doubtful, Stored, unsigned};
use super::writer::Patience;
use super::{Shared, commit};
use crate::store::heads::{self, Head, Heads, HeadsError};
use crate::store::seal::{Row, Unsealed};
use crate::store::stored::{Untrusted, reference};
use crate::store::{Aside, Fence, Loaded, State, StoreError, StreamId, Work, WorkKind, is_free};
use crate::timing::store::COMMIT_IMPATIENCE;

/// How often a page of work is read again because some of it was set aside.
const ROUNDS: usize = 4;

/// Streams that are looked over at a time.
const PAGE: usize = 500;

impl Shared {
    /// Remembers where every stream stood, as far as it was noted beside the database. No stream is read:
    /// each is checked when it is, and all of them are looked over by and by.
    pub(super) async fn take_stock(
        &self,
        connection: &mut SqliteConnection,
        remembered: Result<Option<Heads>, HeadsError>,
    ) -> Result<(), StoreError> {
        let mut known = remembered.ok().flatten().unwrap_or_default();
        known.settled = known.settled.max(rows::settled_before(connection).await?);
        self.heads().merge(known);
        self.unwritten.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Looks over the next streams, once each after a start: names those that are not to be trusted, and
    /// remembers where the others stand.
    pub(super) async fn look_over(&self) -> Result<(), StoreError> {
        let Some(after) = self.looked_over().clone() else { return Ok(()) };
        // Before the look: others may be committed meanwhile.
        let known: BTreeMap<String, u64> = {
            let heads = self.heads();
            let rest = heads.streams.range::<str, _>((Bound::Excluded(&*after), Bound::Unbounded));
            rest.map(|(id, head)| (id.clone(), head.0)).collect()
        };
        let rows =
            sqlx::query("SELECT id, version, schema, state, head, seal FROM stream WHERE id > ? ORDER BY id LIMIT ?")
                .bind(&after)
                .bind(u32::try_from(PAGE).unwrap_or(u32::MAX))
                .fetch_all(&self.readers)
                .await?;
        let mut there = BTreeSet::new();
        for row in &rows {
            let id: String = row.try_get("id")?;
            let head = Head(unsigned(row, "version")?, row.try_get("head")?);
            match self.state(&id, row) {
                Ok(_) if known.get(&id).is_none_or(|known| *known <= head.0) => {
                    self.heads().follow(id.clone(), head);
                }
                Ok(_) => self.suspect(&id, &self.put_back(&self.heads(), &id, head.0)),
                Err(why) => self.suspect(&id, &why.to_string()),
            }
            there.insert(id);
        }
        let next = if rows.len() < PAGE { None } else { there.iter().next_back().cloned() };
        // Whatever is remembered up to here and not there is gone.
        let passed = |id: &String| next.as_ref().is_none_or(|next| id <= next);
        for id in known.keys().filter(|id| passed(id) && !there.contains(*id)) {
            self.suspect(id, &self.put_back(&self.heads(), id, 0));
        }
        *self.looked_over() = next;
        self.unwritten.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn put_back(&self, known: &Heads, stream: &str, version: u64) -> String {
        let remembered = known.streams.get(stream).map_or(0, |head| head.0);
        let file = heads::path(&self.path);
        format!(
            "it stops at record {version}, and {} remembers record {remembered}: it was put back or removed. \
             If you restored a backup, remove that file and restart",
            file.display()
        )
    }

    /// The state in a row, if it is sealed.
    pub(super) fn state(&self, id: &str, row: &SqliteRow) -> Result<Loaded, Untrusted> {
        let (version, schema) = (unsigned(row, "version")?, row.try_get("schema")?);
        let (json, head): (String, String) = (row.try_get("state")?, row.try_get("head")?);
        let seal: String = row.try_get("seal")?;
        let sealed = Row::State { stream: id, version, schema, json: &json, head: &head };
        self.chain.check_row(&sealed, &seal).map_err(Untrusted::Seal)?;
        Ok(Loaded { version, state: State { schema, json } })
    }

    pub(super) async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.ready().await?;
        // Before the look: another change may be committed meanwhile.
        let known = self.heads().version(stream);
        let row = sqlx::query("SELECT version, schema, state, head, seal FROM stream WHERE id = ?")
            .bind(stream.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let loaded = match row.map(|row| self.state(stream.as_str(), &row)).transpose() {
            Ok(loaded) => loaded,
            Err(Untrusted::Store(error)) => return Err(error),
            Err(Untrusted::Seal(why)) => return Err(self.corrupt(stream, &why.to_string())),
        };
        let version = loaded.as_ref().map_or(0, |loaded| loaded.version);
        if version < known {
            let why = self.put_back(&self.heads(), stream.as_str(), version);
            return Err(self.corrupt(stream, &why));
        }
        // It was put right again.
        self.suspects().remove(stream.as_str());
        Ok(loaded)
    }

    fn corrupt(&self, stream: &StreamId, why: &str) -> StoreError {
        self.suspect(stream.as_str(), why);
        StoreError::Corrupt { place: stream.to_string(), why: why.to_owned() }
    }

    /// Names something that is not to be trusted, once.
    pub(super) fn suspect(&self, what: &str, why: &str) {
        let mut suspects = self.suspects();
        if !suspects.contains_key(what) {
            let reference = reference();
            error!(reference, what, why, "this is not what the bot stored; it is not acted upon");
            suspects.insert(what.to_owned(), Aside { reference, what: what.to_owned(), why: why.to_owned() });
        }
    }

    /// Whether a lease may be taken. One that no bot sealed is nobody's.
    pub(super) fn is_free(
        &self,
        name: &str,
        has: &SqliteRow,
        holder: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (had_by, until): (String, i64) = (has.try_get("holder")?, has.try_get("until")?);
        let seal: String = has.try_get("seal")?;
        if let Err(why) = self.chain.check_row(&Row::Lease { name, holder: &had_by, until }, &seal) {
            error!(reference = reference(), name, %why, "a lease is not what the bot stored; it is over");
            return Ok(true);
        }
        Ok(is_free(name, &had_by, rows::instant(until)?, holder, now))
    }

    /// Whether a commit may be made under a lease. One that no bot sealed is nobody's.
    pub(super) fn is_held(&self, fence: &Fence, has: &SqliteRow) -> Result<bool, StoreError> {
        let (holder, until): (String, i64) = (has.try_get("holder")?, has.try_get("until")?);
        let row = Row::Lease { name: fence.lease, holder: &holder, until };
        let sealed = self.chain.check_row(&row, has.try_get("seal")?).is_ok();
        Ok(sealed && *holder == *fence.holder)
    }

    pub(super) async fn due(
        self: &Arc<Self>,
        kind: WorkKind,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Work>, StoreError> {
        self.ready().await?;
        let (mut due, mut room) = (Vec::new(), 0);
        // What is not to be done makes room for what waits behind it.
        for _ in 0..ROUNDS {
            let most = limit.saturating_add(room);
            let rows = sqlx::query(rows::DUE)
                .bind(kind.name())
                .bind(now.as_millisecond())
                .bind(most)
                .fetch_all(&self.readers)
                .await?;
            let mut bad = Vec::new();
            due.clear();
            for row in &rows {
                let stored = Stored::read(kind.name(), row)?;
                match self.trusted(kind, &stored).await? {
                    Ok(work) => due.push(work),
                    Err(why) => bad.push((stored.into(), why)),
                }
            }
            due.truncate(limit as usize);
            if bad.is_empty() {
                break;
            }
            room = self.put_aside(bad).await;
            if rows.len() < most as usize || due.len() == limit as usize {
                break;
            }
        }
        Ok(due)
    }

    /// The work in a row, or why it is not to be done.
    pub(super) async fn trusted(&self, kind: WorkKind, stored: &Stored) -> Result<Result<Work, Unsealed>, StoreError> {
        if let Err(why) = self.chain.check_row(&stored.row(), &stored.seal) {
            return Ok(Err(why));
        }
        if stored.delivered && !self.is_open(stored).await? {
            return Ok(Err(Unsealed::Replayed));
        }
        stored.work(kind).map(Ok)
    }

    /// Whether the request that some work came in is not settled yet.
    async fn is_open(&self, stored: &Stored) -> Result<bool, StoreError> {
        if stored.generation < self.heads().settled {
            return Ok(false);
        }
        let row = sqlx::query("SELECT at, settled, seal FROM delivery WHERE id = ?")
            .bind(&stored.key)
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let (at, settled, seal): (i64, bool, String) =
            (row.try_get("at")?, row.try_get("settled")?, row.try_get("seal")?);
        let sealed = Row::Delivery { id: &stored.key, at, settled };
        Ok(!settled && self.chain.check_row(&sealed, &seal).is_ok())
    }

    /// Takes rows out of their tables, into one where they are looked at by people alone. Returns how
    /// many have to stay.
    pub(super) async fn put_aside(self: &Arc<Self>, rows: Vec<(Doubtful, Unsealed)>) -> u32 {
        let mut stay = 0;
        for (row, why) in rows {
            let what = format!("{} {}", row.kind, row.key);
            // With the right key it is in order again.
            if matches!(why, Unsealed::UnknownKey(_)) || self.suspects().contains_key(&what) {
                self.suspect(&what, &why.to_string());
                stay += 1;
                continue;
            }
            let reference = reference();
            let kept = reference.clone();
            let reason = why.to_string();
            let moved = self.write(Patience::until_done(COMMIT_IMPATIENCE), move |_, tx| {
                async move { Ok(commit::put_aside(tx, &row, &kept, &reason).await?) }.boxed()
            });
            match moved.await {
                Ok(true) => error!(
                    reference,
                    what,
                    %why,
                    "this is not what the bot stored; it is set aside and not acted upon"
                ),
                // It was done meanwhile.
                Ok(false) => {}
                Err(error) => {
                    warn!(%error, "what is not acted upon could not be set aside");
                    self.suspect(&what, &why.to_string());
                    stay += 1;
                }
            }
        }
        stay
    }
}
