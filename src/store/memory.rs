//! A store that forgets: for tests, and for trying the bot out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::audit::{Chain, Record, instant};
use super::heads::Head;
use super::moving::{Batch, Carried, Carry, Part, Place, Stored, StoredKept};
use super::stored::instant as due_at;
use super::{
    Aside, Backlog, Commit, CommitError, Fence, Kept, KeptKind, Loaded, MOST_LEASE, RowKind, State, Store, StoreError,
    StreamId, Work, WorkKind, is_free,
};
use crate::chat::diagnosis::Check;

pub struct MemoryStore {
    chain: Chain,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    streams: BTreeMap<StreamId, (Loaded, Vec<Record>)>,
    work: BTreeMap<(WorkKind, String), Work>,
    kept: BTreeMap<(KeptKind, String), Kept>,
    deliveries: HashMap<String, Timestamp>,
    /// Who has what, until when.
    leases: HashMap<String, (String, Timestamp)>,
    generation: u64,
}

impl Inner {
    /// The generation of a row, if it is there.
    fn generation_of(&self, kind: RowKind, key: &str) -> Option<u64> {
        match kind {
            RowKind::Work(kind) => self.work.get(&(kind, key.to_owned())).map(|work| work.generation),
            RowKind::Kept(kind) => self.kept.get(&(kind, key.to_owned())).map(|kept| kept.generation),
        }
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }
}

impl MemoryStore {
    pub fn new(chain: Chain) -> Self {
        Self { chain, inner: Mutex::default() }
    }

    // Every change is made whole under the lock or not at all: a poisoned lock guards sound data.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn commit_within(&self, commit: Commit, _: Duration) -> Result<Vec<u64>, CommitError> {
        self.commit(commit).await
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        let commit = commit.fenced();
        let mut inner = self.inner();
        if let Some(Fence { lease, holder }) = &commit.fence {
            let has = inner.leases.get(*lease);
            if has.is_none_or(|(has, _)| **has != **holder) {
                return Err(StoreError::TakenOver.into());
            }
        }
        if commit.delivery.as_ref().is_some_and(|(id, _)| inner.deliveries.contains_key(id)) {
            return Err(CommitError::Delivered);
        }
        for (i, write) in commit.writes.iter().enumerate() {
            if commit.writes[..i].iter().any(|earlier| earlier.stream == write.stream) {
                return Err(CommitError::Conflict(write.stream.to_string()));
            }
            let version = inner.streams.get(&write.stream).map_or(0, |(loaded, _)| loaded.version);
            if version != write.expected {
                return Err(CommitError::Conflict(write.stream.to_string()));
            }
        }
        for found in &commit.rests_on {
            if inner.generation_of(found.kind, &found.key) != found.generation {
                return Err(found.conflict());
            }
        }
        for write in commit.writes {
            let entry = inner
                .streams
                .entry(write.stream.clone())
                .or_insert_with(|| (Loaded { version: 0, state: write.state.clone() }, Vec::new()));
            for (seq, personal) in write.beside {
                if let Some(record) = entry.1.iter_mut().find(|record| record.seq == seq) {
                    record.personal = personal;
                }
            }
            let last = entry.1.last().map_or("", |record| &record.seal);
            let sealed = self.chain.seal(&write.stream, write.expected, last, &write.records);
            entry.0 = Loaded { version: write.expected + sealed.len() as u64, state: write.state };
            entry.1.extend(sealed);
        }
        for done in commit.finished {
            if inner.generation_of(done.kind, &done.key) != Some(done.generation) {
                continue;
            }
            match done.kind {
                RowKind::Work(kind) => {
                    inner.work.remove(&(kind, done.key));
                }
                RowKind::Kept(kind) => {
                    inner.kept.remove(&(kind, done.key));
                }
            }
        }
        for (put_off, then) in commit.postponed {
            if inner.generation_of(put_off.kind, &put_off.key) != Some(put_off.generation) {
                continue;
            }
            match put_off.kind {
                RowKind::Work(kind) => {
                    if let Some(work) = inner.work.get_mut(&(kind, put_off.key)) {
                        work.due = then;
                        work.attempts += 1;
                    }
                }
                RowKind::Kept(kind) => {
                    if let Some(kept) = inner.kept.get_mut(&(kind, put_off.key)) {
                        kept.until = Some(then);
                    }
                }
            }
        }
        let mut generations = Vec::with_capacity(commit.schedule.len() + commit.keep.len());
        for new in commit.schedule {
            let generation = inner.next_generation();
            generations.push(generation);
            let work = Work {
                kind: new.kind,
                key: new.key.clone(),
                due: new.due,
                attempts: new.attempts,
                body: new.body,
                generation,
            };
            inner.work.insert((new.kind, new.key), work);
        }
        for new in commit.keep {
            let generation = inner.next_generation();
            generations.push(generation);
            let kept = Kept { kind: new.kind, key: new.key.clone(), body: new.body, until: new.until, generation };
            inner.kept.insert((new.kind, new.key), kept);
        }
        if let Some((id, at)) = commit.delivery {
            inner.deliveries.insert(id, at);
        }
        Ok(generations)
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        Ok(self.inner().streams.get(stream).map_or(0, |(loaded, _)| loaded.version))
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.inner().streams.get(stream).map(|(loaded, _)| loaded.clone()))
    }

    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError> {
        let inner = self.inner();
        let of_family = inner.streams.keys().filter(|id| id.family() == family && after.is_none_or(|a| *id > a));
        Ok(of_family.take(limit as usize).cloned().collect())
    }

    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        let mut due: Vec<Work> =
            self.inner().work.values().filter(|w| w.kind == kind && w.due <= now).cloned().collect();
        due.sort_by_key(|work| (work.due, work.generation));
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError> {
        Ok(self.inner().work.get(&(kind, key.to_owned())).cloned())
    }

    async fn kept(&self, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError> {
        Ok(self.inner().kept.get(&(kind, key.to_owned())).cloned())
    }

    async fn all_kept(&self, kind: KeptKind, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        let inner = self.inner();
        let of_kind = inner.kept.values().filter(|kept| kept.kind == kind && after.is_none_or(|a| *kept.key > *a));
        Ok(of_kind.take(limit as usize).cloned().collect())
    }

    async fn kept_beyond(&self, kind: KeptKind, instant: Timestamp, limit: u32) -> Result<Vec<Kept>, StoreError> {
        let inner = self.inner();
        let beyond = inner.kept.values().filter(|kept| kept.kind == kind && kept.until.is_some_and(|u| u > instant));
        Ok(beyond.take(limit as usize).cloned().collect())
    }

    async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError> {
        Ok(self.inner().kept.values().filter(|kept| kept.kind == kind).count() as u64)
    }

    async fn forget_kept(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let had = inner.kept.len();
        inner.kept.retain(|_, kept| kept.until.is_none_or(|until| until > now));
        Ok((had - inner.kept.len()) as u64)
    }

    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut inner = self.inner();
        let free = inner.leases.get(name).is_none_or(|(has, until)| is_free(name, has, *until, holder, now));
        if free {
            inner.leases.insert(name.to_owned(), (holder.to_owned(), until.min(now + MOST_LEASE)));
        }
        Ok(free)
    }

    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let inner = self.inner();
        let held = inner.leases.iter().filter(|(name, (_, until))| name.starts_with(prefix) && *until > now);
        let mut names: Vec<String> = held.map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let inner = self.inner();
        let records = inner.streams.get(stream).map(|(_, records)| records.as_slice()).unwrap_or_default();
        Ok(records.iter().filter(|r| r.seq > after).take(limit as usize).cloned().collect())
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        Ok(self.inner().streams.keys().cloned().collect())
    }

    async fn remembering(
        &self,
        before: Timestamp,
        after: Option<&StreamId>,
        limit: u32,
    ) -> Result<Vec<StreamId>, StoreError> {
        let (inner, before) = (self.inner(), instant(before));
        let old = |record: &Record| !record.personal.is_empty() && record.at < before;
        let streams =
            inner.streams.iter().filter(|(id, (_, all))| after.is_none_or(|a| *id > a) && all.iter().any(old));
        Ok(streams.map(|(id, _)| id.clone()).take(limit as usize).collect())
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut inner = self.inner();
        let had = inner.deliveries.len();
        let Inner { deliveries, work, .. } = &mut *inner;
        deliveries.retain(|id, at| *at >= before || work.contains_key(&(WorkKind::Inbound, id.clone())));
        Ok((had - deliveries.len()) as u64)
    }

    async fn planned(&self, kind: WorkKind, after: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        let inner = self.inner();
        let planned = inner.work.values().filter(|w| w.kind == kind && w.due > after && w.due < Timestamp::MAX);
        Ok(planned.take(limit as usize).cloned().collect())
    }

    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        let inner = self.inner();
        let of_kind = |kind: &WorkKind| {
            let due: Vec<Timestamp> =
                inner.work.values().filter(|w| w.kind == *kind && w.due <= now).map(|w| w.due).collect();
            Backlog { kind: *kind, count: due.len() as u64, oldest: due.into_iter().min() }
        };
        Ok(kinds.iter().map(of_kind).collect())
    }

    async fn count(&self, family: &str) -> Result<u64, StoreError> {
        Ok(self.inner().streams.keys().filter(|id| id.family() == family).count() as u64)
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nobody else can write here.
    async fn set_aside(&self, _: u32) -> Result<(u64, Vec<Aside>), StoreError> {
        Ok((0, Vec::new()))
    }

    async fn examine(&self) -> Vec<Check> {
        vec![Check::warn(
            "store.database",
            "Store: database",
            "Everything is kept in memory and forgotten when the bot stops.",
            "Set CHATOPS_STORE=sqlite:PATH to keep it.",
        )]
    }

    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.load(stream).await
    }

    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        Ok((Vec::new(), 0))
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError> {
        let inner = self.inner();
        let last = inner.streams.get(stream).and_then(|(_, records)| records.last());
        Ok(last.map(|record| Head(record.seq, record.seal.clone())))
    }

    async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError> {
        let inner = self.inner();
        let mut rows: Vec<Carried> = match part {
            Part::Deliveries => {
                let mut all: Vec<_> = inner.deliveries.iter().filter(|(id, _)| **id > after.id).collect();
                all.sort_unstable();
                let is_settled = |id: &String| !inner.work.contains_key(&(WorkKind::Inbound, id.clone()));
                let row = |(id, at): (&String, &Timestamp)| Carried::Delivery {
                    id: id.clone(),
                    at: at.as_millisecond(),
                    settled: is_settled(id),
                };
                all.into_iter().map(row).collect()
            }
            Part::Work => {
                let mut all: Vec<&Work> = inner.work.values().filter(|w| w.generation > after.generation).collect();
                all.sort_unstable_by_key(|work| work.generation);
                let is_delivered =
                    |work: &Work| work.kind == WorkKind::Inbound && inner.deliveries.contains_key(&work.key);
                let row = |work: &Work| Stored {
                    kind: work.kind.name().into(),
                    key: work.key.clone(),
                    generation: work.generation,
                    due: work.due.as_millisecond(),
                    attempts: work.attempts,
                    body: work.body.clone(),
                    delivered: is_delivered(work),
                    seal: String::new(),
                };
                all.into_iter().map(|work| Carried::Work(row(work))).collect()
            }
            Part::Kept => {
                let mut all: Vec<&Kept> = inner.kept.values().filter(|k| k.generation > after.generation).collect();
                all.sort_unstable_by_key(|kept| kept.generation);
                let row = |kept: &Kept| StoredKept {
                    kind: kept.kind.name().into(),
                    key: kept.key.clone(),
                    generation: kept.generation,
                    until: kept.until.map(Timestamp::as_millisecond),
                    body: kept.body.clone(),
                    seal: String::new(),
                };
                all.into_iter().map(|kept| Carried::Kept(row(kept))).collect()
            }
        };
        rows.truncate(limit as usize);
        Ok(rows)
    }

    async fn take_in(&self, batch: Batch) -> Result<(), StoreError> {
        let unknown = |kind: &str| StoreError::Corrupt { place: kind.to_owned(), why: "there is no such kind".into() };
        let mut inner = self.inner();
        // What cannot be read is found before anything is changed.
        let (mut deliveries, mut work, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for row in batch.rows {
            match row {
                Carried::Delivery { id, at, .. } => deliveries.push((id, due_at(at)?)),
                Carried::Work(row) => {
                    let kind = WorkKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
                    work.push(row.work(kind.ok_or_else(|| unknown(&row.kind))?)?);
                }
                Carried::Kept(row) => {
                    let kind = KeptKind::ALL.into_iter().find(|kind| kind.name() == row.kind);
                    let kind = kind.ok_or_else(|| unknown(&row.kind))?;
                    kept.push(row.kept(kind)?);
                }
            }
        }
        if batch.clear {
            inner.deliveries.clear();
            inner.work.clear();
            inner.kept.clear();
        }
        for Carry { stream, records, state, beside } in batch.streams {
            let behind = Loaded { version: 0, state: State { schema: 0, json: String::new() } };
            let entry = inner.streams.entry(stream).or_insert_with(|| (behind, Vec::new()));
            let last = entry.1.last().map_or(0, |record| record.seq);
            entry.1.extend(records.into_iter().filter(|record| record.seq > last));
            for (seq, personal) in beside {
                if let Some(record) = entry.1.iter_mut().find(|record| record.seq == seq) {
                    record.personal = personal;
                }
            }
            if let Some(state) = state {
                entry.0 = state;
            }
        }
        inner.deliveries.extend(deliveries);
        for mut row in work {
            row.generation = inner.next_generation();
            inner.work.insert((row.kind, row.key.clone()), row);
        }
        for mut row in kept {
            row.generation = inner.next_generation();
            inner.kept.insert((row.kind, row.key.clone()), row);
        }
        Ok(())
    }

    async fn maintain(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn scrub(&self, _: bool) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn close(&self) {}
}
