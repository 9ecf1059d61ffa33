//! What is kept beside the rules, changed in one commit: messages, what rules counted, and what a
//! channel was told of.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use crate::bot::inbox::only_store;
use crate::chat::ChannelKey;
use crate::domain::notify::{Card, ChannelLog, Firing, Missing, Noted, Occurrence, Stored, happened};
use crate::state::feed::card_row;
use crate::state::fired::log_row;
use crate::state::kept::decode;
use crate::store::{
    Commit, CommitError, Finished, Found, Keep, Kept, KeptKind, RowKind, Store, StoreError, Work, WorkKind,
};
use crate::timing::watching::SAID_KEPT;

/// What a commit changes beside the rules. Whoever makes one holds `Notifications::keeping`, and
/// makes it again if another process was first.
pub(in crate::bot) struct Batch<'a> {
    store: &'a dyn Store,
    pub now: Timestamp,
    logs: HashMap<ChannelKey, Row<ChannelLog>>,
    cards: BTreeMap<String, Row<Option<Card>>>,
    /// Whether a channel was notified of something before, by their key.
    known: BTreeMap<String, Known>,
    /// Messages of one batch have an order too.
    last: Timestamp,
}

#[derive(Clone, Copy, PartialEq)]
enum Known {
    Not,
    Before,
    /// From now on.
    Now,
}

/// What of a batch is one channel's.
struct OfChannel<'a, 'b> {
    batch: &'a Batch<'b>,
    channel: &'a ChannelKey,
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
        Self { store, now, logs: HashMap::new(), cards: BTreeMap::new(), known: BTreeMap::new(), last: now }
    }

    /// Something happened: what follows from it is part of the batch.
    pub(super) async fn happened(&mut self, firing: &Firing<'_>) -> Result<(), StoreError> {
        let first = self.last + Duration::from_micros(1);
        let outcome = loop {
            let stored = OfChannel { batch: self, channel: firing.channel };
            match happened(firing, &stored, self.now, first) {
                Ok(outcome) => break outcome,
                Err(Missing::Log) => self.read_log(firing.channel).await?,
                Err(Missing::Card(key)) => self.read_card(&key).await?,
                Err(Missing::Known) => self.read_known(firing.channel, firing.occurrence).await?,
            }
        };
        if outcome.begins {
            self.last = first;
            self.known.insert(known_key(firing.channel, firing.occurrence), Known::Now);
        }
        for (key, card) in outcome.cards {
            match self.card(&key).await? {
                Some(before) => {
                    *before = card;
                    self.changed(&key);
                }
                None => self.add(key, card),
            }
        }
        self.note(firing.channel, outcome.log, outcome.at).await
    }

    /// The message of that key, to be changed; none if there is none.
    pub async fn card(&mut self, key: &str) -> Result<Option<&mut Card>, StoreError> {
        self.read_card(key).await?;
        Ok(self.cards.get_mut(key).and_then(|row| row.value.as_mut()))
    }

    /// What is to be shown of it changed.
    pub fn changed(&mut self, key: &str) {
        if let Some(Row { value: Some(card), changed, .. }) = self.cards.get_mut(key) {
            if !*changed {
                card.seq += 1;
            }
            *changed = true;
        }
    }

    pub fn add(&mut self, key: String, card: Card) {
        let found = self.cards.remove(&key).and_then(|row| row.found);
        self.cards.insert(key, Row { value: Some(card), found, changed: true });
    }

    /// The channel's log takes this in.
    pub async fn note(&mut self, channel: &ChannelKey, all: Vec<Noted>, at: Timestamp) -> Result<(), StoreError> {
        if !all.is_empty() {
            let log = self.log(channel).await?;
            for noted in all {
                log.note(noted, at);
            }
        }
        Ok(())
    }

    /// The channel's log, which is changed with this.
    pub async fn log(&mut self, channel: &ChannelKey) -> Result<&mut ChannelLog, StoreError> {
        self.read_log(channel).await?;
        let now = self.now;
        let new = || Row { value: ChannelLog::new(now), found: None, changed: false };
        let row = self.logs.entry(channel.clone()).or_insert_with(new);
        row.changed = true;
        Ok(&mut row.value)
    }

    async fn read_card(&mut self, key: &str) -> Result<(), StoreError> {
        if !self.cards.contains_key(key) {
            let work = self.store.find(WorkKind::News, key).await?;
            let found = work.as_ref().map_or_else(|| absent(WorkKind::News, key), Work::found);
            let value = work.as_ref().and_then(decode);
            self.cards.insert(key.to_owned(), Row { value, found: Some(found), changed: false });
        }
        Ok(())
    }

    async fn read_log(&mut self, channel: &ChannelKey) -> Result<(), StoreError> {
        if !self.logs.contains_key(channel) {
            let kept = self.store.kept(KeptKind::Fired, channel.as_str()).await?;
            let found = kept.as_ref().map_or_else(|| absent(KeptKind::Fired, channel.as_str()), Kept::found);
            let value = kept.as_ref().and_then(decode).unwrap_or_else(|| ChannelLog::new(self.now));
            self.logs.insert(channel.clone(), Row { value, found: Some(found), changed: false });
        }
        Ok(())
    }

    async fn read_known(&mut self, channel: &ChannelKey, occurrence: &Occurrence) -> Result<(), StoreError> {
        let key = known_key(channel, occurrence);
        if !self.known.contains_key(&key) {
            let found = self.store.kept(KeptKind::Known, &key).await?;
            self.known.insert(key, if found.is_some() { Known::Before } else { Known::Not });
        }
        Ok(())
    }

    /// Commits everything that changed, with these; false if another process changed some of it
    /// meanwhile: then nothing is committed.
    pub async fn commit(self, kept: Vec<Keep>, finished: Vec<Finished>) -> Result<bool, StoreError> {
        let mut commit = Commit { keep: kept, finished, ..Commit::default() };
        for (channel, log) in self.logs {
            // Also if it was only read: it says which message an intake's silence belongs to.
            commit.rests_on.extend(log.found);
            if log.changed {
                commit.keep.push(log_row(&log.value, &channel));
            }
        }
        for (key, card) in self.cards.into_iter().filter(|(_, card)| card.changed) {
            commit.schedule.extend(card.value.map(|value| card_row(&value, &key, self.now)));
            commit.rests_on.extend(card.found);
        }
        let forget = self.now + SAID_KEPT;
        let now_known = self.known.into_iter().filter(|(_, known)| *known == Known::Now);
        commit.keep.extend(now_known.map(|(key, _)| Keep {
            kind: KeptKind::Known,
            key,
            body: String::new(),
            until: Some(forget),
        }));
        if commit.schedule.is_empty() && commit.keep.is_empty() && commit.finished.is_empty() {
            return Ok(true);
        }
        match self.store.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(error) => Err(only_store(error)),
        }
    }
}

/// How a row is found that is not there.
fn absent(kind: impl Into<RowKind>, key: &str) -> Found {
    Found { kind: kind.into(), key: key.to_owned(), generation: None }
}

impl Stored for OfChannel<'_, '_> {
    fn log(&self) -> Result<&ChannelLog, Missing> {
        self.batch.logs.get(self.channel).map(|row| &row.value).ok_or(Missing::Log)
    }

    fn card(&self, key: &str) -> Result<Option<&Card>, Missing> {
        let row = self.batch.cards.get(key).ok_or_else(|| Missing::Card(key.to_owned()))?;
        Ok(row.value.as_ref())
    }

    fn is_known(&self, occurrence: &Occurrence) -> Result<bool, Missing> {
        let known = self.batch.known.get(&known_key(self.channel, occurrence)).ok_or(Missing::Known)?;
        Ok(*known != Known::Not)
    }
}

fn known_key(channel: &ChannelKey, occurrence: &Occurrence) -> String {
    format!("{channel}|{}", occurrence.id)
}
