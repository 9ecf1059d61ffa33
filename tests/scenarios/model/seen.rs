//! A store that several replicas share, whatever it is made of: it remembers what was committed, lets
//! others go first, and ends its process at a commit.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sekoia_chatops::chat::diagnosis::Check;
use sekoia_chatops::store::heads::Head;
use sekoia_chatops::store::moving::{Batch, Carried, Part, Place};
use sekoia_chatops::store::{
    Aside, Backlog, Commit, CommitError, Kept, KeptKind, Loaded, Record, Store, StoreError, StreamId, Work, WorkKind,
};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// What was committed by anybody, with the generations of what it scheduled, in order.
pub type Log = Arc<Mutex<Vec<(Commit, Vec<u64>)>>>;

/// At which of its commits a process ends, and whether that one is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub at: usize,
    pub recorded: bool,
}

/// What one process has of the store.
pub struct Seen {
    store: Arc<dyn Store>,
    log: Log,
    kill: Mutex<Option<Kill>>,
    pub died: Notify,
    /// Whose turn it is, drawn from a seed; zero: nobody is let go first.
    seed: Mutex<u64>,
}

impl Seen {
    pub fn new(store: Arc<dyn Store>, log: Log) -> Self {
        Self { store, log, kill: Mutex::default(), died: Notify::new(), seed: Mutex::default() }
    }

    pub fn dies(&self, kill: Kill) {
        *self.kill.lock().unwrap() = Some(kill);
    }

    pub fn lets_others_go_first(&self, seed: u64) {
        *self.seed.lock().unwrap() = seed;
    }

    async fn pause(&self) {
        let turns = {
            let mut seed = self.seed.lock().unwrap();
            // Xorshift: zero stays zero.
            *seed ^= *seed << 13;
            *seed ^= *seed >> 7;
            *seed ^= *seed << 17;
            *seed % 4
        };
        for _ in 0..turns {
            yield_now().await;
        }
    }

    /// Whether the next commit is the last thing that this process does.
    fn last(&self) -> Option<Kill> {
        let mut kill = self.kill.lock().unwrap();
        match &mut *kill {
            Some(Kill { at: 0, .. }) => kill.take(),
            Some(Kill { at, .. }) => {
                *at -= 1;
                None
            }
            None => None,
        }
    }

    /// Until its process is gone.
    async fn end<T>(&self) -> T {
        self.died.notify_one();
        pending().await
    }

    async fn committed(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
        let last = self.last();
        if last.is_some_and(|kill| !kill.recorded) {
            return self.end().await;
        }
        let result = self.store.commit(commit.clone()).await;
        if let Ok(generations) = &result {
            self.log.lock().unwrap().push((commit, generations.clone()));
        }
        if last.is_some() { self.end().await } else { result }
    }
}

/// The store under it does it, and others may come before and after.
macro_rules! shared {
    ($(async fn $name:ident(&self $(, $given:ident: $of:ty)*) -> $gives:ty;)*) => {
        #[async_trait]
        impl Store for Seen {
            fn is_shared(&self) -> bool {
                true
            }

            async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError> {
                self.pause().await;
                let result = self.committed(commit).await;
                self.pause().await;
                result
            }

            async fn commit_within(&self, commit: Commit, _: Duration) -> Result<Vec<u64>, CommitError> {
                self.commit(commit).await
            }

            async fn examine(&self) -> Vec<Check> {
                self.store.examine().await
            }

            async fn close(&self) {
                self.store.close().await;
            }

            $(async fn $name(&self $(, $given: $of)*) -> $gives {
                self.pause().await;
                let result = self.store.$name($($given),*).await;
                self.pause().await;
                result
            })*
        }
    };
}

shared! {
    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError>;
    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError>;
    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError>;
    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError>;
    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError>;
    async fn kept(&self, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError>;
    async fn all_kept(&self, kind: KeptKind, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, StoreError>;
    async fn kept_beyond(&self, kind: KeptKind, instant: Timestamp, limit: u32) -> Result<Vec<Kept>, StoreError>;
    async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError>;
    async fn forget_kept(&self, now: Timestamp) -> Result<u64, StoreError>;
    async fn remembering(&self, before: Timestamp, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError>;
    async fn scrub(&self, whole: bool) -> Result<bool, StoreError>;
    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;
    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError>;
    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError>;
    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError>;
    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError>;
    async fn planned(&self, kind: WorkKind, after: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError>;
    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError>;
    async fn count(&self, family: &str) -> Result<u64, StoreError>;
    async fn probe(&self) -> Result<(), StoreError>;
    async fn set_aside(&self, limit: u32) -> Result<(u64, Vec<Aside>), StoreError>;
    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError>;
    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError>;
    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError>;
    async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError>;
    async fn take_in(&self, batch: Batch) -> Result<(), StoreError>;
    async fn maintain(&self) -> Result<(), StoreError>;
}
