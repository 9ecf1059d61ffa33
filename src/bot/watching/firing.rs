//! From what happened to what is said of it: which rules fire, in which message, and what summaries
//! count; all of it in one commit.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::scope::Scope;
use super::source::Report;
use crate::bot::Bot;
use crate::bot::inbox::only_store;
use crate::notifications::{Acknowledged, FiredLog, News, decode};
use crate::notify::storm::Place;
use crate::notify::{Alert, AlertStatus, Entry, Occurrence, What};
use crate::platform::ChannelKey;
use crate::store::{Commit, Finished, Schedule, Store, StoreError, WorkKind};

/// The rule that stands for Sekoia's own ones, of which nothing is known but that they fired.
const SEKOIAS: u32 = 0;

impl Bot {
    /// Commits what a source reported, with everything that follows from it.
    pub(super) async fn take_report(&self, scope: &Scope, report: Report) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        for occurrence in &report.occurrences {
            let Some(watched) = scope.communities.get(&occurrence.community) else { continue };
            let mut fired: HashMap<&ChannelKey, Vec<u32>> = HashMap::new();
            for key in scope.set.fired(occurrence, batch.now) {
                fired.entry(&key.channel).or_default().push(key.number);
            }
            for (channel, _) in &watched.channels {
                if report.only.as_ref().is_some_and(|only| only != channel) {
                    continue;
                }
                let rules = fired.remove(channel).unwrap_or_default();
                batch.happened(channel, occurrence, &rules, report.only.is_some()).await?;
            }
        }
        let fired = std::mem::take(&mut batch.fired);
        batch.commit(report.kept, report.finished).await?;
        for (channel, rule) in fired {
            self.notifications.health.fired(&channel, rule, Timestamp::now());
        }
        self.outbox.wake_news();
        Ok(())
    }
}

/// What a commit changes beside the rules. Whoever makes one holds `Notifications::keeping`.
pub(in crate::bot) struct Batch<'a> {
    store: &'a dyn Store,
    pub now: Timestamp,
    logs: HashMap<ChannelKey, (FiredLog, bool)>,
    news: BTreeMap<String, (Option<News>, bool)>,
    fired: Vec<(ChannelKey, u32)>,
    /// Messages of one batch have an order too.
    next: Timestamp,
}

impl<'a> Batch<'a> {
    pub fn new(store: &'a dyn Store) -> Self {
        let now = Timestamp::now();
        Self { store, now, logs: HashMap::new(), news: BTreeMap::new(), fired: Vec::new(), next: now }
    }

    /// The message of that key, to be changed; none if there is none.
    pub async fn news(&mut self, key: &str) -> Result<Option<&mut News>, StoreError> {
        if !self.news.contains_key(key) {
            let work = self.store.find(WorkKind::News, key).await?;
            self.news.insert(key.to_owned(), (work.and_then(|work| decode(&work)), false));
        }
        Ok(self.news.get_mut(key).and_then(|(news, _)| news.as_mut()))
    }

    /// What is to be shown of it changed.
    pub fn changed(&mut self, key: &str) {
        if let Some((Some(news), changed)) = self.news.get_mut(key) {
            if !*changed {
                news.seq += 1;
            }
            *changed = true;
        }
    }

    pub fn add(&mut self, key: String, news: News) {
        self.news.insert(key, (Some(news), true));
    }

    pub async fn log(&mut self, channel: &ChannelKey) -> Result<&mut FiredLog, StoreError> {
        if !self.logs.contains_key(channel) {
            let work = self.store.find(WorkKind::Fired, channel.as_str()).await?;
            let log = work.and_then(|work| decode(&work)).unwrap_or_else(|| FiredLog::new(self.now));
            self.logs.insert(channel.clone(), (log, false));
        }
        let now = self.now;
        let (log, changed) = self.logs.entry(channel.clone()).or_insert_with(|| (FiredLog::new(now), false));
        *changed = true;
        Ok(log)
    }

    fn first(&mut self) -> Timestamp {
        self.next += Duration::from_micros(1);
        self.next
    }

    /// Something happened that these rules of the channel fire for, or none of them.
    pub async fn happened(
        &mut self,
        channel: &ChannelKey,
        occurrence: &Occurrence,
        rules: &[u32],
        webhook: bool,
    ) -> Result<(), StoreError> {
        let Some(key) = self.key(channel, occurrence).await? else { return Ok(()) };
        let there = self.news(&key).await?.is_some();
        if !there && rules.is_empty() && !webhook {
            return Ok(());
        }
        if there {
            self.changes(channel, &key, occurrence, rules, webhook).await
        } else if self.log(channel).await?.is_known(&occurrence.id) {
            Ok(())
        } else {
            self.begins(channel, key, occurrence, rules, webhook).await
        }
    }

    /// The message that it belongs to; none if it is the end of something that was not said.
    async fn key(&mut self, channel: &ChannelKey, occurrence: &Occurrence) -> Result<Option<String>, StoreError> {
        let (What::Silent(silence) | What::Resumed(silence)) = &occurrence.what else {
            return Ok(Some(News::key(channel, occurrence)));
        };
        let intake = silence.intake.uuid.clone().unwrap_or_default();
        let running = self.log(channel).await?.silent.get(&intake).cloned();
        if let Some(key) = running
            && self.news(&key).await?.is_some()
        {
            return Ok(Some(key));
        }
        Ok(matches!(occurrence.what, What::Silent(_)).then(|| News::key(channel, occurrence)))
    }

    /// Something of which a message is there.
    async fn changes(
        &mut self,
        channel: &ChannelKey,
        key: &str,
        occurrence: &Occurrence,
        rules: &[u32],
        webhook: bool,
    ) -> Result<(), StoreError> {
        let now = self.now;
        let Some(news) = self.news(key).await? else { return Ok(()) };
        let before = news.clone();
        let more: Vec<u32> = rules.iter().copied().filter(|rule| !news.rules.contains(rule)).collect();
        news.rules.extend(&more);
        news.webhook |= webhook;
        let mut entries: Vec<Entry> = more.iter().filter_map(|rule| Entry::fired(*rule, occurrence)).collect();
        match &occurrence.what {
            What::Resumed(silence) => {
                match &news.swarm {
                    Some(_) => news.again.add(silence.intake.label()),
                    None => news.back = news.back.or(Some(occurrence.at)),
                }
                let intake = silence.intake.uuid.clone().unwrap_or_default();
                self.log(channel).await?.silent.remove(&intake);
            }
            What::Silent(silence) if news.back.is_some() => {
                // It came again as if it had never ended.
                news.back = None;
                news.occurrence = occurrence.clone();
                let intake = silence.intake.uuid.clone().unwrap_or_default();
                self.log(channel).await?.silent.insert(intake, key.to_owned());
            }
            // It was read before it was acknowledged here.
            What::AlertRaised(_) | What::AlertUpdated(_)
                if status(occurrence) == Some(AlertStatus::Pending)
                    && news.acknowledged.as_ref().is_some_and(|done| occurrence.at <= done.at) => {}
            What::AlertRaised(_) | What::AlertUpdated(_) => {
                // Every report is of the alert as it was when it was read.
                news.occurrence = said(&news.occurrence, occurrence);
                news.gone = false;
                match status(occurrence) {
                    Some(AlertStatus::Acknowledged) if news.acknowledged.is_none() => {
                        news.acknowledged = Some(Acknowledged { by: None, at: now });
                        entries.extend(acknowledged(news, now));
                    }
                    Some(AlertStatus::Pending) => news.acknowledged = None,
                    _ => {}
                }
            }
            // Late frames say how it was before.
            _ if occurrence.at >= news.occurrence.at => news.occurrence = said(&news.occurrence, occurrence),
            _ => {}
        }
        if self.news(key).await?.is_some_and(|news| *news != before) {
            self.changed(key);
        }
        self.fired.extend(more.iter().map(|rule| (channel.clone(), *rule)));
        if !entries.is_empty() {
            let log = self.log(channel).await?;
            for entry in entries {
                log.journal.enter(entry, now);
            }
        }
        Ok(())
    }

    /// Something that nothing was said of yet.
    async fn begins(
        &mut self,
        channel: &ChannelKey,
        key: String,
        occurrence: &Occurrence,
        rules: &[u32],
        webhook: bool,
    ) -> Result<(), StoreError> {
        let first = self.first();
        let urgency = occurrence.what.alert().and_then(|alert| alert.urgency);
        let log = self.log(channel).await?;
        let mut own = false;
        let mut swarms = Vec::new();
        let sekoias = (webhook && rules.is_empty()).then_some(SEKOIAS);
        for rule in rules.iter().copied().chain(sekoias) {
            if rule != SEKOIAS
                && let Some(entry) = Entry::fired(rule, occurrence)
            {
                log.journal.enter(entry, first);
            }
            match log.storms.entry(rule).or_default().fired(urgency, occurrence.what.name(), first).1 {
                Place::OwnCard => own = true,
                Place::Starts(swarm) | Place::Joins(swarm) => swarms.push((rule, swarm)),
            }
        }
        if own && let What::Silent(silence) = &occurrence.what {
            log.silent.insert(silence.intake.uuid.clone().unwrap_or_default(), key.clone());
        }
        self.fired.extend(rules.iter().map(|rule| (channel.clone(), *rule)));
        if own {
            let mut news = News::new(channel, occurrence.clone(), first);
            news.rules = rules.to_vec();
            news.webhook = webhook;
            if let What::AlertRaised(_) = occurrence.what {
                news.raised = Some(occurrence.at);
            }
            if status(occurrence) == Some(AlertStatus::Acknowledged) {
                news.acknowledged = Some(Acknowledged { by: None, at: occurrence.at });
            }
            self.add(key, news);
            return Ok(());
        }
        for (rule, swarm) in swarms {
            let key = News::storm_key(channel, rule, &swarm);
            let log = self.log(channel).await?;
            match &occurrence.what {
                What::Silent(silence) => {
                    log.silent.insert(silence.intake.uuid.clone().unwrap_or_default(), key.clone());
                }
                // Its end is not followed.
                what if what.alert().is_some() && rule != SEKOIAS => log.journal.enter(Entry::Swarmed { rule }, first),
                _ => {}
            }
            if let Some(news) = self.news(&key).await? {
                (news.swarm, news.over) = (Some(swarm), false);
                news.occurrence = occurrence.clone();
                self.changed(&key);
            } else {
                let mut news = News::new(channel, occurrence.clone(), first);
                news.rules = if rule == SEKOIAS { Vec::new() } else { vec![rule] };
                news.webhook = rule == SEKOIAS;
                news.swarm = Some(swarm);
                self.add(key, news);
            }
        }
        Ok(())
    }

    /// Commits everything that changed, with these.
    pub async fn commit(self, kept: Vec<Schedule>, finished: Vec<Finished>) -> Result<(), StoreError> {
        let mut schedule = kept;
        for (channel, (log, changed)) in &self.logs {
            if *changed {
                schedule.push(log.row(channel));
            }
        }
        for (key, (news, changed)) in &self.news {
            if let (Some(news), true) = (news, changed) {
                schedule.push(news.row(key, self.now));
            }
        }
        if schedule.is_empty() && finished.is_empty() {
            return Ok(());
        }
        let commit = Commit { schedule, finished, ..Commit::default() };
        self.store.commit(commit).await.map(|_| ()).map_err(only_store)
    }
}

/// The same message goes on: what a later report leaves out is as it was.
fn said(before: &Occurrence, now: &Occurrence) -> Occurrence {
    let mut next = now.clone();
    next.community_name = next.community_name.or_else(|| before.community_name.clone());
    let shown = |what: &What| what.alert().map(|alert| Alert { status_changed: None, ..alert.clone() });
    if shown(&before.what).is_some() && shown(&before.what) == shown(&next.what) {
        // Nothing that is shown: not worth an edit.
        return before.clone();
    }
    next
}

fn status(occurrence: &Occurrence) -> Option<AlertStatus> {
    AlertStatus::find(occurrence.what.alert()?.status.as_deref()?)
}

/// How long each rule's alert waited.
pub(in crate::bot) fn acknowledged(news: &News, at: Timestamp) -> Vec<Entry> {
    let raised = news.raised.unwrap_or(news.first);
    let seconds = u64::try_from(at.duration_since(raised).as_secs()).unwrap_or_default();
    news.rules.iter().map(|rule| Entry::Acknowledged { rule: *rule, seconds }).collect()
}
