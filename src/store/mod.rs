//! State, history, due work and what is kept beside them, in one transaction.
//!
//! A stream (`session/slack:T0SOC:C0SOC`) has one state, one version and a chain of audit
//! records. The version is the number of its last record: a change without a record does not
//! exist, and a commit that expected another version loses. What a state means is none of this
//! room's business.

pub mod audit;
pub mod fence;
pub mod heads;
pub mod horizon;
mod kept;
pub mod keyfile;
mod measured;
mod memory;
pub mod moving;
pub mod personal;
mod place;
pub mod postgres;
pub mod seal;
mod sqlite;
mod stored;

pub use crate::timing::store::MOST_LEASE;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chat::diagnosis::Check;
pub use audit::Record;
use heads::Head;
pub use kept::{Keep, Kept, KeptKind, RowKind};
pub use measured::Measured;
pub use memory::MemoryStore;
use moving::{Batch, Carried, Part, Place};
pub use personal::Personal;
pub use place::{Hold, InUse, folder, hold, takes_files, why_not_made};
pub use postgres::PostgresStore;
pub use sqlite::{Copied, SqliteStore, Tables, copy};

/// `session/<channel>`: a family and a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(Arc<str>);

impl StreamId {
    pub fn new(family: &str, key: &str) -> Self {
        Self(format!("{family}/{key}").into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn family(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(family, _)| family)
    }

    pub fn key(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, key)| key)
    }
}

impl From<String> for StreamId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A state as it is stored: versioned JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Of the JSON's shape. A reader that knows only older ones must not write.
    pub schema: u32,
    pub json: String,
}

/// A loaded stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The number of its last record.
    pub version: u64,
    pub state: State,
}

/// One change of one stream.
#[derive(Debug, Clone)]
pub struct Write {
    pub stream: StreamId,
    /// The version that was loaded; 0 for a stream that does not exist yet.
    pub expected: u64,
    pub state: State,
    pub records: Vec<NewRecord>,
    /// What is kept from now on beside earlier records, by their numbers: less than before, because
    /// personal values were erased. One of `records` says so.
    pub beside: Vec<(u64, Personal)>,
}

/// What an audit record says; the store numbers and seals it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub at: Timestamp,
    /// Who did it: a user's id, or `bot`.
    pub actor: String,
    pub kind: &'static str,
    /// JSON.
    pub body: String,
}

/// Kinds of due work. The name is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkKind {
    /// A change that was acknowledged and is not decided yet.
    Inbound,
    /// A progress message that does not show the stored truth yet.
    Progress,
    /// A request's card that does not show the stored truth yet.
    Card,
    /// A request that changed: the channel's checklist and history are to be brought in line with it.
    ChecklistSync,
    /// Something that one person is to be told.
    Notice,
    /// An approved action whose calls are to be made, or whose outcome is to be found out.
    Execute,
    /// A request that is not settled; due when its time runs out.
    Open,
    /// Invitations that are not accepted yet.
    Track,
    /// What a webhook of Sekoia's said: to be read at Sekoia before it is believed.
    Hint,
    /// A message about something at Sekoia, as it is to be shown; kept while more may come of it.
    News,
    /// A channel's digest; due when it is planned.
    Digest,
    /// A channel's done steps are to be verified again.
    Drift,
    /// What every open channel is to be told of the deployment.
    Announce,
    /// A channel that the bot was added to is to be told what it is.
    Welcome,
    /// When somebody is to be reminded of the steps that are theirs, or that this is to be planned anew.
    Reminder,
    /// The page that a platform shows somebody of what waits for them; due when it is looked at again.
    Home,
    /// When those who can decide a request are to be reminded of it.
    VoteReminder,
    /// A request that goes to further approvers unless it is decided.
    Escalation,
}

impl WorkKind {
    pub const ALL: [WorkKind; 18] = [
        WorkKind::Inbound,
        WorkKind::Progress,
        WorkKind::Card,
        WorkKind::ChecklistSync,
        WorkKind::Notice,
        WorkKind::Announce,
        WorkKind::Welcome,
        WorkKind::Execute,
        WorkKind::Open,
        WorkKind::Track,
        WorkKind::Hint,
        WorkKind::News,
        WorkKind::Digest,
        WorkKind::Drift,
        WorkKind::Reminder,
        WorkKind::Home,
        WorkKind::VoteReminder,
        WorkKind::Escalation,
    ];

    pub fn name(self) -> &'static str {
        match self {
            WorkKind::Inbound => "inbound",
            WorkKind::Progress => "progress",
            WorkKind::Card => "card",
            WorkKind::ChecklistSync => "checklist_sync",
            WorkKind::Notice => "notice",
            WorkKind::Execute => "execute",
            WorkKind::Open => "open",
            WorkKind::Track => "track",
            WorkKind::Hint => "hint",
            WorkKind::News => "news",
            WorkKind::Digest => "digest",
            WorkKind::Drift => "drift",
            WorkKind::Announce => "announce",
            WorkKind::Welcome => "welcome",
            WorkKind::Reminder => "reminder",
            WorkKind::Home => "home",
            WorkKind::VoteReminder => "vote_reminder",
            WorkKind::Escalation => "escalation",
        }
    }
}

/// Something to do at or after `due`. There is one of a kind and key: scheduling it again
/// supersedes what was scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub kind: WorkKind,
    pub key: String,
    pub due: Timestamp,
    pub attempts: u32,
    pub body: String,
}

/// Scheduled work as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub kind: WorkKind,
    pub key: String,
    pub due: Timestamp,
    pub attempts: u32,
    pub body: String,
    /// Tells this scheduling from a later one of the same kind and key.
    pub generation: u64,
}

/// How much work of a kind is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    pub kind: WorkKind,
    pub count: u64,
    /// Since when the longest waiting of it is due.
    pub oldest: Option<Timestamp>,
}

/// One scheduling of some work that is done or put off, or one keeping of a row. What was scheduled or
/// kept again meanwhile is not touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub kind: RowKind,
    pub key: String,
    pub generation: u64,
}

/// How a row was found: with that generation, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: RowKind,
    pub key: String,
    pub generation: Option<u64>,
}

impl Found {
    /// As [`CommitError::Conflict`] names it.
    pub fn name(&self) -> String {
        format!("{} {}", self.kind.name(), self.key)
    }

    fn conflict(&self) -> CommitError {
        CommitError::Conflict(self.name())
    }
}

impl Finished {
    /// What a change that ends this rests on. A recorded request is carried out once: by another replica, if
    /// that took it up while this one was halted.
    pub fn basis(&self) -> Option<Found> {
        let found = Found { kind: self.kind, key: self.key.clone(), generation: Some(self.generation) };
        (self.kind == WorkKind::Inbound.into()).then_some(found)
    }
}

impl Work {
    pub fn found(&self) -> Found {
        Found { kind: self.kind.into(), key: self.key.clone(), generation: Some(self.generation) }
    }

    pub fn finished(&self) -> Finished {
        Finished { kind: self.kind.into(), key: self.key.clone(), generation: self.generation }
    }
}

/// Everything that changes together, or not at all.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    pub writes: Vec<Write>,
    pub schedule: Vec<Schedule>,
    pub keep: Vec<Keep>,
    /// Work that is done, and what is kept no longer.
    pub finished: Vec<Finished>,
    /// Work that did not succeed, and when to try it again; one that was scheduled again
    /// meanwhile keeps its own time. Of what is kept: when it may be forgotten.
    pub postponed: Vec<(Finished, Timestamp)>,
    /// Rows that this commit rests on: if one is another one by now, nothing is committed.
    pub rests_on: Vec<Found>,
    /// A request whose second delivery must change nothing, and when it came.
    pub delivery: Option<(String, Timestamp)>,
    /// The lease under which it is made: once another process has it, nothing is committed. Set by the
    /// store for what runs under one.
    pub fence: Option<Fence>,
}

/// What a commit is made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub lease: &'static str,
    pub holder: Arc<str>,
}

#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    #[error("{0} was changed meanwhile")]
    Conflict(String),
    #[error("this request was delivered before")]
    Delivered,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database did not do it: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database's migrations: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the database file {place} cannot be used: {why}")]
    File { place: String, why: std::io::Error },
    /// Nothing was recorded, and nothing will be.
    #[error("another program holds the database; nothing was recorded")]
    Busy,
    /// It was begun, and nobody knows yet how it ends.
    #[error("the database does not answer; it is not known whether this was recorded")]
    Unsettled,
    /// Nothing was recorded, and nothing will be.
    #[error("the database does not answer; nothing was recorded")]
    Silent,
    /// It was to be done under a lease that another process may have by now.
    #[error("another process has taken this over; nothing was recorded")]
    TakenOver,
    #[error("the database file {0} was removed or replaced; put it back, or restart the bot")]
    Gone(String),
    /// It was opened by a command that only looks at it.
    #[error("nothing is written to a database that is only looked at")]
    OnlyLooked,
    #[error("the database is not of this release")]
    OtherRelease(Tables),
    #[error("another process changed the same again and again")]
    Contended,
    #[error("{place} holds what cannot be read: {why}")]
    Corrupt { place: String, why: String },
}

impl StoreError {
    /// What failed, in a word for who counts it.
    pub fn name(&self) -> &'static str {
        match self {
            StoreError::Database(_) => "database",
            StoreError::Migration(_) => "migration",
            StoreError::File { .. } => "file",
            StoreError::Busy => "busy",
            StoreError::Unsettled => "unsettled",
            StoreError::Silent => "silent",
            StoreError::TakenOver => "taken_over",
            StoreError::Gone(_) => "gone",
            StoreError::OnlyLooked => "only_looked",
            StoreError::OtherRelease(_) => "other_release",
            StoreError::Contended => "contended",
            StoreError::Corrupt { .. } => "corrupt",
        }
    }

    /// Whether the storage itself failed, so that the same may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            StoreError::Database(_)
            | StoreError::Migration(_)
            | StoreError::File { .. }
            | StoreError::Busy
            | StoreError::Unsettled
            | StoreError::Silent
            | StoreError::Gone(_) => true,
            StoreError::OnlyLooked
            | StoreError::TakenOver
            | StoreError::OtherRelease(_)
            | StoreError::Contended
            | StoreError::Corrupt { .. } => false,
        }
    }
}

/// Something in the store that the bot did not write, or that was put back. It is never acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Stands in the log.
    pub reference: String,
    /// `inbound D1`, `session/slack:T0SOC:C0SOC`.
    pub what: String,
    pub why: String,
}

/// Whether a lease may be taken by `holder`, as somebody has it until then.
fn is_free(name: &str, has: &str, until: Timestamp, holder: &str, now: Timestamp) -> bool {
    if has == holder || until <= now {
        return true;
    }
    let ahead = until > now + MOST_LEASE;
    if ahead {
        tracing::warn!(name, %until, "a lease ends later than any can: the clock was ahead; it is over");
    }
    ahead
}

/// Where state and history live.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whether other processes write to it at the same time: what is kept in memory has to be compared
    /// with it.
    fn is_shared(&self) -> bool;
    /// All of it or nothing; returns the generations of what was scheduled, then of what is kept, in order.
    async fn commit(&self, commit: Commit) -> Result<Vec<u64>, CommitError>;
    /// The same for somebody who waits. [`StoreError::Busy`]: it did not begin within `patience`,
    /// and never will. [`StoreError::Unsettled`]: it began, and did not end in time.
    async fn commit_within(&self, commit: Commit, patience: Duration) -> Result<Vec<u64>, CommitError>;
    /// The number of a stream's last record; 0 for one that does not exist. One read of an index, given
    /// up sooner than others: what is in memory can be shown instead.
    async fn version(&self, stream: &StreamId) -> Result<u64, StoreError>;
    async fn load(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError>;
    /// Streams of a family, in the order of their ids, after one of them.
    async fn streams(&self, family: &str, after: Option<&StreamId>, limit: u32) -> Result<Vec<StreamId>, StoreError>;
    /// Work that is due, the longest waiting first.
    async fn due(&self, kind: WorkKind, now: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError>;
    /// The work of a kind and key, due or not.
    async fn find(&self, kind: WorkKind, key: &str) -> Result<Option<Work>, StoreError>;
    /// What is kept of a kind and key.
    async fn kept(&self, kind: KeptKind, key: &str) -> Result<Option<Kept>, StoreError>;
    /// What is kept of a kind, in the order of the keys, after one of them.
    async fn all_kept(&self, kind: KeptKind, after: Option<&str>, limit: u32) -> Result<Vec<Kept>, StoreError>;
    /// What is kept of a kind until later than an instant, but not for good.
    async fn kept_beyond(&self, kind: KeptKind, instant: Timestamp, limit: u32) -> Result<Vec<Kept>, StoreError>;
    /// How much is kept of a kind. None of it is read.
    async fn count_kept(&self, kind: KeptKind) -> Result<u64, StoreError>;
    /// Forgets everything that was to be kept until now or earlier; returns how much.
    async fn forget_kept(&self, now: Timestamp) -> Result<u64, StoreError>;
    /// Takes or keeps what only one holder may have at a time, until then; false if another one has it.
    async fn lease(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;
    /// The names of the leases that begin like this and have not lapsed, in order.
    async fn leases(&self, prefix: &str, now: Timestamp) -> Result<Vec<String>, StoreError>;
    /// A stream's records after a number, in order.
    async fn history(&self, stream: &StreamId, after: u64, limit: u32) -> Result<Vec<Record>, StoreError>;
    /// Every stream that has a state or a record, for an audit.
    async fn all_streams(&self) -> Result<Vec<StreamId>, StoreError>;
    /// Streams with personal values in records before an instant, in the order of their ids, after one of them.
    async fn remembering(
        &self,
        before: Timestamp,
        after: Option<&StreamId>,
        limit: u32,
    ) -> Result<Vec<StreamId>, StoreError>;
    /// Forgets deliveries before an instant whose request is settled; returns how many.
    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, StoreError>;
    /// Work of a kind that is planned for after an instant, but not for never.
    async fn planned(&self, kind: WorkKind, after: Timestamp, limit: u32) -> Result<Vec<Work>, StoreError>;
    /// How much work of these kinds is due, in their order. None of it is read.
    async fn backlog(&self, kinds: &[WorkKind], now: Timestamp) -> Result<Vec<Backlog>, StoreError>;
    /// How many streams a family has.
    async fn count(&self, family: &str) -> Result<u64, StoreError>;
    /// Writes something that means nothing: whether anything can be written now.
    async fn probe(&self) -> Result<(), StoreError>;
    /// How much was set aside in all, and the first of it.
    async fn set_aside(&self, limit: u32) -> Result<(u64, Vec<Aside>), StoreError>;
    /// What an operator should know of the store. At most the row of [`probe`](Self::probe) is written.
    async fn examine(&self) -> Vec<Check>;
    /// A stream's state as it stands there, to be believed or not.
    async fn as_stored(&self, stream: &StreamId) -> Result<Option<Loaded>, StoreError>;
    /// Everything that is not sealed, does not belong where it stands, or is less than is remembered
    /// beside the store, in words; and of how many streams that is remembered.
    async fn inspect(&self) -> Result<(Vec<String>, usize), StoreError>;
    /// For moving alone: a stream's last record.
    async fn head(&self, stream: &StreamId) -> Result<Option<Head>, StoreError>;
    /// For moving alone: the rows of a part after a place.
    async fn carried(&self, part: Part, after: &Place, limit: u32) -> Result<Vec<Carried>, StoreError>;
    /// For moving alone: takes in what another store held, all of it or nothing. Records keep their seals,
    /// rows get new ones, and generations in this order. Nothing of what is there is compared with it.
    async fn take_in(&self, batch: Batch) -> Result<(), StoreError>;
    /// What is to be done now and then, beside everything else.
    async fn maintain(&self) -> Result<(), StoreError>;
    /// Nothing of what was erased is left in places of the storage that are free. `whole`: everything is
    /// written anew for that, which others wait for. False if others use it: it is to be done again.
    async fn scrub(&self, whole: bool) -> Result<bool, StoreError>;
    /// Everything is on the disk in one place, and nothing more is written.
    async fn close(&self);
}
