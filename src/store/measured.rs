//! A store whose times and failures are counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;

use super::heads::Head;
use super::moving::{Batch, Carried, Part, Place};
use super::{
    Aside, Backlog, Commit, CommitError, Kept, KeptKind, Loaded, Record, Store, StoreError, StreamId, Work, WorkKind,
};
use crate::chat::diagnosis::Check;
use crate::telemetry::Metrics;

/// Does what another store does, and measures it.
pub struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

/// How a store fails.
trait Failing {
    /// None if it was not the store that failed: another commit was first.
    fn failed(&self) -> Option<&'static str>;
}

impl Failing for StoreError {
    fn failed(&self) -> Option<&'static str> {
        Some(self.name())
    }
}

impl Failing for CommitError {
    fn failed(&self) -> Option<&'static str> {
        match self {
            CommitError::Store(error) => Some(error.name()),
            CommitError::Conflict(_) | CommitError::Delivered => None,
        }
    }
}

impl Measured {
    pub fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    async fn timed<T, E: Failing>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let result = work.await;
        self.metrics.store(operation, result.as_ref().err().and_then(Failing::failed), began.elapsed());
        result
    }
}

#[async_trait]
impl Store for Measured {
    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        self.timed("commit", self.store.commit(commit)).await
    }

    async fn commit_within(&self, commit: Commit, patience: Duration) -> Result<Vec<u64>, CommitError> {
        self.timed("commit", self.store.commit_within(commit, patience)).await
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError> {
        self.timed("version", self.store.version(stream)).await
    }

    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.timed("load", self.store.load(stream)).await
    }

    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError> {
        self.timed("streams", self.store.streams(family, after, limit)).await
    }

    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        self.timed("due", self.store.due(kind, now, limit)).await
    }

    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError> {
        self.timed("find", self.store.find(kind, key)).await
    }

    async fn kept(&self, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError> {
        self.timed("find", self.store.kept(kind, key)).await
    }

    async fn all_kept(&self, kind: KeptKind, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, StoreError> {
        self.timed("find", self.store.all_kept(kind, after, limit)).await
    }

    async fn kept_beyond(&self, kind: KeptKind, instant: Timestamp, limit: u32) -> Result<Vec<Kept>, StoreError> {
        self.timed("find", self.store.kept_beyond(kind, instant, limit)).await
    }

    async fn forget_kept(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.timed("forget", self.store.forget_kept(now)).await
    }

    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.timed("lease", self.store.lease(name, holder, now, until)).await
    }

    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.timed("lease", self.store.leases(prefix, now)).await
    }

    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.timed("history", self.store.history(stream, after, limit)).await
    }

    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError> {
        self.timed("streams", self.store.all_streams()).await
    }

    async fn remembering(
        &self,
        before: Timestamp,
        after: Option<&StreamId>,
        limit: u32,
    ) -> Result<Vec<StreamId>, StoreError> {
        self.timed("streams", self.store.remembering(before, after, limit)).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.timed("forget", self.store.forget_deliveries(before)).await
    }

    async fn planned(&self, kind: WorkKind, after: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError> {
        self.timed("due", self.store.planned(kind, after, limit)).await
    }

    // What the measuring itself asks is not measured.
    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
        self.store.backlog(kinds, now).await
    }

    async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError> {
        self.store.count_kept(kind).await
    }

    async fn count(&self, family: &str) -> Result<u64, StoreError> {
        self.store.count(family).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.timed("probe", self.store.probe()).await
    }

    async fn set_aside(&self, limit: u32) -> Result<(u64, Vec<Aside>), StoreError> {
        self.store.set_aside(limit).await
    }

    async fn examine(&self) -> Vec<Check> {
        self.store.examine().await
    }

    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError> {
        self.store.as_stored(stream).await
    }

    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError> {
        self.store.inspect().await
    }

    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError> {
        self.store.head(stream).await
    }

    async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError> {
        self.store.carried(part, after, limit).await
    }

    async fn take_in(&self, batch: Batch) -> Result<(), StoreError> {
        self.store.take_in(batch).await
    }

    async fn maintain(&self) -> Result<(), StoreError> {
        self.timed("maintain", self.store.maintain()).await
    }

    async fn scrub(&self, whole: bool) -> Result<bool, StoreError> {
        self.timed("maintain", self.store.scrub(whole)).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
