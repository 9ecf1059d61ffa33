//! What is kept beside the rules, changed in one commit: messages, what rules counted, and what a
//! channel was told of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::bot::inbox::only_store;
use crate::chat::ChannelKey;
use crate::domain::notify::Occurrence;
use crate::state::feed::News;
use crate::state::fired::FiredLog;
use crate::state::kept::decode;
use crate::store::{Commit, CommitError, Finished, Found, Schedule, Store, StoreError, Work, WorkKind};

/// For so long it is known what a channel was told of. A hint is tried for about a day.
const KNOWN: SignedDuration = SignedDuration::from_hours(48);

/// What a commit changes beside the rules. Whoever makes one holds `Notifications::keeping`, and
/// makes it again if another process was first.
pub(in crate::bot) struct Batch<'a> {
    store: &'a dyn Store,
    pub now: Timestamp,
    logs: HashMap<ChannelKey, Row<FiredLog>>,
    news: BTreeMap<String, Row<Option<News>>>,
    /// What was not told before, and is now.
    known: BTreeSet<String>,
    pub(super) fired: Vec<(ChannelKey, u32)>,
    /// Messages of one batch have an order too.
    next: Timestamp,
}

/// A row as it is to be.
struct Row<T> {
    value: T,
    /// As it was found, if it was looked for.
    found: Option<Found>,
    changed: bool,
}

impl<'a> Batch<'a> {
    pub fn new(store: &'a dyn Store) -> Self {
        let now = Timestamp::now();
        Self {
            store,
            now,
            logs: HashMap::new(),
            news: BTreeMap::new(),
            known: BTreeSet::new(),
            fired: Vec::new(),
            next: now,
        }
    }

    /// The message of that key, to be changed; none if there is none.
    pub async fn news(&mut self, key: &str) -> Result<Option<&mut News>, StoreError> {
        if !self.news.contains_key(key) {
            let kept = Row::of(self.store, WorkKind::News, key, |work| work.as_ref().and_then(decode)).await?;
            self.news.insert(key.to_owned(), kept);
        }
        Ok(self.news.get_mut(key).and_then(|kept| kept.value.as_mut()))
    }

    /// What is to be shown of it changed.
    pub fn changed(&mut self, key: &str) {
        if let Some(Row { value: Some(news), changed, .. }) = self.news.get_mut(key) {
            if !*changed {
                news.seq += 1;
            }
            *changed = true;
        }
    }

    pub fn add(&mut self, key: String, news: News) {
        let found = self.news.remove(&key).and_then(|kept| kept.found);
        self.news.insert(key, Row { value: Some(news), found, changed: true });
    }

    /// The channel's log, which is changed with this.
    pub async fn log(&mut self, channel: &ChannelKey) -> Result<&mut FiredLog, StoreError> {
        let now = self.now;
        let new = |work: Option<Work>| work.as_ref().and_then(decode).unwrap_or_else(|| FiredLog::new(now));
        if !self.logs.contains_key(channel) {
            let kept = Row::of(self.store, WorkKind::Fired, channel.as_str(), new).await?;
            self.logs.insert(channel.clone(), kept);
        }
        let kept =
            self.logs.entry(channel.clone()).or_insert_with(|| Row { value: new(None), found: None, changed: false });
        kept.changed = true;
        Ok(&mut kept.value)
    }

    /// Whether the channel was told of it before; from now on it was.
    pub(super) async fn is_known(&mut self, channel: &ChannelKey, occurrence: &Occurrence) -> Result<bool, StoreError> {
        let key = format!("{channel}|{}", occurrence.id);
        Ok(self.store.find(WorkKind::Known, &key).await?.is_some() || !self.known.insert(key))
    }

    pub(super) fn first(&mut self) -> Timestamp {
        self.next += Duration::from_micros(1);
        self.next
    }

    /// Commits everything that changed, with these; false if another process changed some of it
    /// meanwhile: then nothing is committed.
    pub async fn commit(self, kept: Vec<Schedule>, finished: Vec<Finished>) -> Result<bool, StoreError> {
        let mut commit = Commit { schedule: kept, finished, ..Commit::default() };
        for (channel, log) in self.logs.into_iter().filter(|(_, log)| log.changed) {
            commit.schedule.push(log.value.row(&channel));
            commit.rests_on.extend(log.found);
        }
        for (key, news) in self.news.into_iter().filter(|(_, news)| news.changed) {
            commit.schedule.extend(news.value.map(|value| value.row(&key, self.now)));
            commit.rests_on.extend(news.found);
        }
        let forget = self.now + KNOWN;
        commit.schedule.extend(self.known.into_iter().map(|key| Schedule {
            kind: WorkKind::Known,
            key,
            due: forget,
            attempts: 0,
            body: String::new(),
        }));
        if commit.schedule.is_empty() && commit.finished.is_empty() {
            return Ok(true);
        }
        match self.store.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(error) => Err(only_store(error)),
        }
    }
}

impl<T> Row<T> {
    async fn of(
        store: &dyn Store,
        kind: WorkKind,
        key: &str,
        value: impl FnOnce(Option<Work>) -> T,
    ) -> Result<Self, StoreError> {
        let work = store.find(kind, key).await?;
        let found = Found { kind, key: key.to_owned(), generation: work.as_ref().map(|work| work.generation) };
        Ok(Self { value: value(work), found: Some(found), changed: false })
    }
}
