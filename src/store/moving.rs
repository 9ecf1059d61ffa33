//! Moving everything from one store to another.
//!
//! Records go as they are, with their seals: the chain that holds at the source holds at the target. What
//! is sealed by its place (states, due work, what is kept, deliveries) is sealed anew there, in the source's
//! order. Everything goes in pages, and from the first page to the last the target holds a mark that it is
//! half a copy, so that no bot serves it. Streams that are there already are continued; a target that went
//! another way is left as it is.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::audit::{Chain, Record};
use super::personal::{self, Erasure, Personal};
use super::seal::Row;
pub use super::stored::{Stored, StoredKept};
use super::{Commit, CommitError, KeptKind, Loaded, Store, StoreError, StreamId};
use crate::timing::store::MOST_LEASE;

/// Rows, or records, in one transaction.
const PAGE: u32 = 1_000;
/// Which copy has a store that several processes may write to.
const LEASE: &str = "store-copy";

/// The tables beside the streams, in the order in which they are carried: work that came in a delivery needs
/// that delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Deliveries,
    Work,
    Kept,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::Deliveries, Part::Work, Part::Kept];
}

/// A row as it is carried. Its generation and its seal are those of the store that it was read from.
#[derive(Debug, Clone)]
pub enum Carried {
    /// `at`: milliseconds since 1970.
    Delivery {
        id: String,
        at: i64,
        settled: bool,
    },
    Work(Stored),
    Kept(StoredKept),
}

/// Where a page of rows ended: work and what is kept by generation, deliveries by their id.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub generation: u64,
    pub id: String,
}

impl Carried {
    fn place(&self) -> Place {
        match self {
            Carried::Delivery { id, .. } => Place { generation: 0, id: id.clone() },
            Carried::Work(Stored { generation, .. }) | Carried::Kept(StoredKept { generation, .. }) => {
                Place { generation: *generation, id: String::new() }
            }
        }
    }

    /// Whether a bot wrote it. The verification before a move finds what none did.
    pub(super) fn check(&self, chain: &Chain, seal: &str) -> Result<(), StoreError> {
        let (row, place) = match self {
            Carried::Delivery { id, at, settled } => {
                (Row::Delivery { id, at: *at, settled: *settled }, format!("delivery {id}"))
            }
            Carried::Work(work) => (work.row(), format!("{} {}", work.kind, work.key)),
            Carried::Kept(kept) => (kept.row(), format!("{} {}", kept.kind, kept.key)),
        };
        chain.check_row(&row, seal).map_err(|why| StoreError::Corrupt { place, why: why.to_string() })
    }

    /// What is the same on both sides.
    fn digest(&self, digest: &mut Sha256) {
        let text = match self {
            Carried::Delivery { id, at, settled } => format!("{:?}", (id, at, settled)),
            Carried::Work(work) => {
                let Stored { kind, key, due, attempts, body, delivered, generation: _, seal: _ } = work;
                format!("{:?}", (kind, key, due, attempts, body, delivered))
            }
            Carried::Kept(kept) => {
                let StoredKept { kind, key, until, body, generation: _, seal: _ } = kept;
                format!("{:?}", (kind, key, until, body))
            }
        };
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
}

/// Records that follow what is there, with their seals.
#[derive(Debug, Clone)]
pub struct Carry {
    pub stream: StreamId,
    pub records: Vec<Record>,
    /// What the last of them leads to; none while more of them follow.
    pub state: Option<Loaded>,
    /// What is left beside earlier records, where these say that personal values were erased there.
    pub beside: Vec<(u64, Personal)>,
}

/// What is taken in together, or not at all. Taken in twice it is there once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// First everything goes but streams, leases and what was set aside.
    pub clear: bool,
    pub streams: Vec<Carry>,
    pub rows: Vec<Carried>,
}

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "{stream}: the target has record {target}, and the source stops at record {source_has}. A bot has served the target \
         since it was copied: go on with the target, or copy to an empty store. Nothing was copied"
    )]
    WentOn { stream: StreamId, target: u64, source_has: u64 },
    #[error(
        "{stream}: record {seq} of the target is not record {seq} of the source, which stops at record {source_has}. The \
         target is another store: copy to an empty one. Nothing was copied"
    )]
    Another { stream: StreamId, seq: u64, source_has: u64 },
    #[error(
        "The source is half a copy itself: a copy to it did not end. Run that copy again, or copy from the store that it was \
         made of. Nothing was copied"
    )]
    HalfCopy,
    #[error("Another copy is under way, or both addresses lead to the same database. Nothing was copied")]
    Taken,
}

/// How much of a part there is, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    digest: [u8; 32],
}

/// What was carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    pub streams: u64,
    pub records: u64,
}

/// One move. The caller makes sure that no bot serves either store meanwhile.
pub struct Move<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    name: String,
}

impl fmt::Debug for Move<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Move").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Move<'a> {
    pub fn new(from: &'a dyn Store, to: &'a dyn Store) -> Self {
        Self { from, to, name: format!("{:016x}", rand::random::<u64>()) }
    }

    /// Which streams the target lacks, or lacks something of.
    ///
    /// # Errors
    /// When the target holds what the source does not.
    pub async fn compare(&self) -> Result<Vec<StreamId>, MoveError> {
        if is_half_copy(self.from).await? {
            return Err(MoveError::HalfCopy);
        }
        self.keep_leases().await?;
        let mut missing = Vec::new();
        let mut all = self.from.all_streams().await?;
        all.extend(self.to.all_streams().await?);
        all.sort_unstable();
        all.dedup();
        for stream in all {
            let source = self.from.head(&stream).await?.unwrap_or_default();
            let target = self.to.head(&stream).await?.unwrap_or_default();
            if target.0 > source.0 {
                return Err(MoveError::WentOn { stream, target: target.0, source_has: source.0 });
            }
            if target.0 > 0 && self.seal_of(&stream, target.0).await?.as_ref() != Some(&target.1) {
                return Err(MoveError::Another { stream, seq: target.0, source_has: source.0 });
            }
            if target.0 < source.0 || self.from.as_stored(&stream).await? != self.to.as_stored(&stream).await? {
                missing.push(stream);
            }
        }
        Ok(missing)
    }

    async fn seal_of(&self, stream: &StreamId, seq: u64) -> Result<Option<String>, StoreError> {
        let record = self.from.history(stream, seq.saturating_sub(1), 1).await?.pop();
        Ok(record.filter(|record| record.seq == seq).map(|record| record.seal))
    }

    /// From here on the target is half a copy, and nothing but its streams is left of it.
    pub async fn begin(&self) -> Result<(), MoveError> {
        let mark = StoredKept {
            kind: KeptKind::HalfCopy.name().into(),
            key: String::new(),
            generation: 0,
            until: None,
            body: "{}".into(),
            seal: String::new(),
        };
        self.take_in(Batch { clear: true, rows: vec![Carried::Kept(mark)], ..Batch::default() }).await
    }

    /// Carries what the target lacks of these streams.
    pub async fn streams(&self, missing: &[StreamId]) -> Result<Moved, MoveError> {
        let (mut moved, mut batch, mut room) = (Moved::default(), Batch::default(), PAGE);
        for stream in missing {
            let state = self.from.load(stream).await?;
            let mut after = self.to.head(stream).await?.unwrap_or_default().0;
            loop {
                let records = self.from.history(stream, after, room).await?;
                let is_full = records.len() == room as usize;
                moved.records += records.len() as u64;
                after = records.last().map_or(after, |record| record.seq);
                let is_last = !is_full || state.as_ref().is_some_and(|state| state.version <= after);
                room -= u32::try_from(records.len()).unwrap_or(room).min(room);
                let state = state.clone().filter(|_| is_last);
                let beside = self.erased(stream, &records).await?;
                batch.streams.push(Carry { stream: stream.clone(), records, state, beside });
                if room == 0 {
                    self.take_in(std::mem::take(&mut batch)).await?;
                    room = PAGE;
                }
                if is_last {
                    break;
                }
            }
            moved.streams += 1;
        }
        self.take_in(batch).await?;
        Ok(moved)
    }

    /// What the source has left beside the records in which these say that something was erased.
    async fn erased(&self, stream: &StreamId, records: &[Record]) -> Result<Vec<(u64, Personal)>, StoreError> {
        let mut left = Vec::new();
        for record in records.iter().filter(|record| record.kind == personal::KIND) {
            let erased = serde_json::from_str::<Erasure>(&record.body).map(|erasure| erasure.records);
            for (seq, _) in erased.unwrap_or_default() {
                let earlier = self.from.history(stream, seq.saturating_sub(1), 1).await?.pop();
                left.extend(earlier.filter(|earlier| earlier.seq == seq).map(|earlier| (seq, earlier.personal)));
            }
        }
        Ok(left)
    }

    /// Carries one of the tables beside the streams.
    pub async fn rows(&self, part: Part) -> Result<(), MoveError> {
        let mut after = Place::default();
        loop {
            let rows = self.from.carried(part, &after, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.place();
            self.take_in(Batch { rows, ..Batch::default() }).await?;
        }
    }

    /// The target is whole.
    pub async fn end(&self) -> Result<(), MoveError> {
        self.keep_leases().await?;
        if let Some(mark) = self.to.kept(KeptKind::HalfCopy, "").await? {
            let done = Commit { finished: vec![mark.finished()], ..Commit::default() };
            self.to.commit(done).await.map_err(|error| match error {
                CommitError::Store(error) => error,
                CommitError::Conflict(_) | CommitError::Delivered => StoreError::Contended,
            })?;
        }
        Ok(())
    }

    /// Other copies may begin.
    pub async fn let_go(&self) {
        let now = Timestamp::now();
        for (store, holder) in self.held() {
            // It lapses by itself otherwise.
            let _ = store.lease(LEASE, &holder, now, now).await;
        }
    }

    async fn take_in(&self, batch: Batch) -> Result<(), MoveError> {
        self.keep_leases().await?;
        Ok(self.to.take_in(batch).await?)
    }

    /// Two names: a database that is both sides refuses the second one.
    fn held(&self) -> impl Iterator<Item = (&'a dyn Store, String)> {
        let both = [(self.from, format!("{}-from", self.name)), (self.to, format!("{}-to", self.name))];
        both.into_iter().filter(|(store, _)| store.is_shared())
    }

    async fn keep_leases(&self) -> Result<(), MoveError> {
        for (store, holder) in self.held() {
            let now = Timestamp::now();
            if !store.lease(LEASE, &holder, now, now + MOST_LEASE).await? {
                return Err(MoveError::Taken);
            }
        }
        Ok(())
    }
}

/// Whether a copy to a store did not end.
pub async fn is_half_copy(store: &dyn Store) -> Result<bool, StoreError> {
    Ok(store.kept(KeptKind::HalfCopy, "").await?.is_some())
}

/// What there is of each part, in their order, but the mark of half a copy.
pub async fn tally(store: &dyn Store) -> Result<[Tally; 3], StoreError> {
    let mut all = Part::ALL.map(|_| Tally { count: 0, digest: [0; 32] });
    for (part, tally) in Part::ALL.into_iter().zip(&mut all) {
        let (mut after, mut digest) = (Place::default(), Sha256::new());
        loop {
            let rows = store.carried(part, &after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = last.place();
            let is_mark = |row: &&Carried| matches!(row, Carried::Kept(k) if k.kind == KeptKind::HalfCopy.name());
            for row in rows.iter().filter(|row| !is_mark(row)) {
                tally.count += 1;
                row.digest(&mut digest);
            }
        }
        tally.digest = digest.finalize().into();
    }
    Ok(all)
}
