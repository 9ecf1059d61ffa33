//! What is believed of what is read: only what is sealed, and not put back.
//!
//! Beside a file there is another one that remembers where every stream stood; here each process
//! remembers what it has seen itself. What was put back before it began is found by comparing with
//! an export.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tracing::{error, warn};

use super::Shared;
use super::rows::{self, Doubtful, Stored, small, unsigned};
use super::transaction::Patience;
use crate::store::seal::{Row, Unsealed};
use crate::store::stored::{Untrusted, instant, number, reference};
use crate::store::{Aside, Fence, Loaded, MOST_LEASE, State, StoreError, StreamId, Work, WorkKind, is_free};
use crate::timing::store::{COMMIT_IMPATIENCE, VERSION_PATIENCE};

/// How often a page of work is read again because some of it was set aside.
const ROUNDS: usize = 4;

impl Shared {
    /// The state in a row, if it is sealed.
    pub(super) fn state(&self, id: &str, row: &PgRow) -> Result<Loaded, Untrusted> {
        let (version, schema) = (unsigned(row, "version")?, small(row, "schema")?);
        let (json, head): (String, String) = (row.try_get("state")?, row.try_get("head")?);
        let seal: String = row.try_get("seal")?;
        let sealed = Row::State { stream: id, version, schema, json: &json, head: &head };
        self.chain.check_row(&sealed, &seal).map_err(Untrusted::Seal)?;
        Ok(Loaded { version, state: State { schema, json } })
    }

    pub(super) async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        let id = stream.as_str().to_owned();
        let version = self.read_within(VERSION_PATIENCE.min(self.limits.patience), move |c| {
            sqlx::query_scalar::<_, i64>("SELECT version FROM stream WHERE id = $1")
                .bind(id.clone())
                .fetch_optional(c)
                .boxed()
        });
        Ok(version.await?.unwrap_or_default().unsigned_abs())
    }

    pub(super) async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        // Before the look: another change may be committed meanwhile.
        let known = self.seen.get(stream).unwrap_or_default();
        let id = stream.as_str().to_owned();
        let row = self.read(move |c| {
            sqlx::query("SELECT version, schema, state, head, seal FROM stream WHERE id = $1")
                .bind(id.clone())
                .fetch_optional(c)
                .boxed()
        });
        let loaded = match row.await?.map(|row| self.state(stream.as_str(), &row)).transpose() {
            Ok(loaded) => loaded,
            Err(Untrusted::Store(error)) => return Err(error),
            Err(Untrusted::Seal(why)) => return Err(self.corrupt(stream, &why.to_string())),
        };
        let version = loaded.as_ref().map_or(0, |loaded| loaded.version);
        if version < known {
            let why = format!(
                "it stops at record {version}, and this process has seen record {known}: it was put back or removed. \
                 If you restored a backup, restart every replica"
            );
            return Err(self.corrupt(stream, &why));
        }
        self.saw(stream, version);
        // It was put right again.
        self.suspects().remove(stream.as_str());
        Ok(loaded)
    }

    /// Remembers how far a stream has come.
    pub(super) fn saw(&self, stream: &StreamId, version: u64) {
        if self.seen.get(stream).is_none_or(|known| known < version) {
            self.seen.insert(stream.clone(), version);
        }
    }

    fn corrupt(&self, stream: &StreamId, why: &str) -> StoreError {
        self.suspect(stream.as_str(), why);
        StoreError::Corrupt { place: stream.to_string(), why: why.to_owned() }
    }

    /// Names something that is not to be trusted, once.
    fn suspect(&self, what: &str, why: &str) {
        let mut suspects = self.suspects();
        if !suspects.contains_key(what) {
            let reference = reference();
            error!(reference, what, why, "this is not what the bot stored; it is not acted upon");
            suspects.insert(what.to_owned(), Aside { reference, what: what.to_owned(), why: why.to_owned() });
        }
    }

    /// Whether a lease may be taken. One that no bot sealed is nobody's.
    pub(super) fn is_free(&self, name: &str, has: &PgRow, holder: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (had_by, until): (String, i64) = (has.try_get("holder")?, has.try_get("until")?);
        let seal: String = has.try_get("seal")?;
        match self.chain.check_row(&Row::Lease { name, holder: &had_by, until }, &seal) {
            Ok(()) => Ok(is_free(name, &had_by, instant(until)?, holder, now)),
            Err(Unsealed::UnknownKey(key)) => {
                self.met_stranger(&key);
                // Its time is not vouched for either: one that is none is over.
                Ok(instant(until).map_or(true, |until| is_free(name, &had_by, until, holder, now)))
            }
            Err(why) => {
                error!(reference = reference(), name, %why, "a lease is not what the bot stored; it is over");
                Ok(true)
            }
        }
    }

    /// Whether a lease that has not lapsed counts as held.
    pub(super) fn is_somebodys(&self, lease: &Row<'_>, until: i64, seal: &str, now: Timestamp) -> bool {
        match self.chain.check_row(lease, seal) {
            Ok(()) => true,
            Err(Unsealed::UnknownKey(key)) => {
                self.met_stranger(&key);
                instant(until).is_ok_and(|until| until <= now + MOST_LEASE)
            }
            Err(_) => false,
        }
    }

    /// A lease is sealed with a key that this process does not have. As a rule another replica has one more:
    /// two that take each other's leases for forged would both do what one may do. A forger of such a row
    /// can only keep something from being done, and no longer than a lease lasts.
    fn met_stranger(&self, key: &str) {
        if !self.strangers.swap(true, Ordering::Relaxed) {
            warn!(
                key,
                "a lease is sealed with a key that this process does not have; it is believed until it lapses. Set \
                 CHATOPS_SECRET_KEY to the same keys on every replica; a new key comes after the old one first"
            );
        }
    }

    /// Whether a commit may be made under a lease. One that no bot sealed is nobody's.
    pub(super) fn is_held(&self, fence: &Fence, has: &PgRow) -> Result<bool, StoreError> {
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
        let (mut due, mut room) = (Vec::new(), 0);
        // What is not to be done makes room for what waits behind it.
        for _ in 0..ROUNDS {
            let most = limit.saturating_add(room);
            let rows = self.read(move |c| {
                sqlx::query(rows::DUE)
                    .bind(kind.name())
                    .bind(now.as_millisecond())
                    .bind(i64::from(most))
                    .fetch_all(c)
                    .boxed()
            });
            let rows = rows.await?;
            let mut bad = Vec::new();
            due.clear();
            for row in &rows {
                let stored = rows::stored(kind.name(), row)?;
                match self.trusted(kind, &stored).await? {
                    Ok(work) => due.push(work),
                    Err(why) => bad.push((Doubtful::from(stored), why)),
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

    /// Whether the request that some work came in is not settled yet, or both are gone by now.
    async fn is_open(&self, stored: &Stored) -> Result<bool, StoreError> {
        let key = stored.key.clone();
        let row = self.read(move |c| {
            sqlx::query("SELECT at, settled, seal FROM delivery WHERE id = $1")
                .bind(key.clone())
                .fetch_optional(c)
                .boxed()
        });
        let open = match row.await? {
            None => false,
            Some(row) => {
                let (at, settled, seal): (i64, bool, String) =
                    (row.try_get("at")?, row.try_get("settled")?, row.try_get("seal")?);
                let sealed = Row::Delivery { id: &stored.key, at, settled };
                !settled && self.chain.check_row(&sealed, &seal).is_ok()
            }
        };
        // Another replica may have settled both between the two looks, in one commit. Its number tells, not its
        // seal: that is another one too once it was renewed.
        Ok(open || !self.is_still_there(stored).await?)
    }

    pub(super) async fn is_still_there(&self, stored: &Stored) -> Result<bool, StoreError> {
        let (kind, key, generation) = (stored.kind.clone(), stored.key.clone(), number(stored.generation));
        self.read(move |c| {
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM work WHERE kind = $1 AND key = $2 AND generation = $3)")
                .bind(kind.clone())
                .bind(key.clone())
                .bind(generation)
                .fetch_one(c)
                .boxed()
        })
        .await
    }

    /// Takes rows out of their tables, into one where they are looked at by people alone.
    /// Returns how many have to stay.
    pub(super) async fn put_aside(self: &Arc<Self>, rows: Vec<(Doubtful, Unsealed)>) -> u32 {
        let mut stay = 0;
        for (doubtful, why) in rows {
            let what = format!("{} {}", doubtful.row.kind, doubtful.row.key);
            // With the right key it is in order again.
            if matches!(why, Unsealed::UnknownKey(_)) || self.suspects().contains_key(&what) {
                self.suspect(&what, &why.to_string());
                stay += 1;
                continue;
            }
            let reference = reference();
            let (kept, reason) = (reference.clone(), why.to_string());
            let moved = self.write(Patience::until_done(COMMIT_IMPATIENCE), move |_, tx, _| {
                let (doubtful, kept, reason) = (doubtful.clone(), kept.clone(), reason.clone());
                async move { Ok(super::commit::put_aside(tx, &doubtful, &kept, &reason).await?) }.boxed()
            });
            match moved.await {
                Ok(true) => error!(
                    reference,
                    what,
                    %why,
                    "recorded work is not what the bot stored; it is set aside and not done"
                ),
                // It was done meanwhile, or another replica did this.
                Ok(false) => {}
                Err(error) => {
                    warn!(%error, "work that is not done could not be set aside");
                    self.suspect(&what, &why.to_string());
                    stay += 1;
                }
            }
        }
        stay
    }
}
