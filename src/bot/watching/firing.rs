//! From what happened to what is said of it: which rules fire, in which message, and what summaries
//! count; all of it in one commit.

use std::collections::HashMap;

use jiff::Timestamp;

use super::batch::Batch;
use super::scope::{Scope, Watched};
use super::source::Report;
use crate::bot::Bot;
use crate::chat::ChannelKey;
use crate::domain::notify::storm::Place;
use crate::domain::notify::{Alert, AlertStatus, Entry, Occurrence, Trigger, What};
use crate::state::feed::{Acknowledged, News};
use crate::state::stream::RACES;
use crate::store::StoreError;

/// The rule that stands for Sekoia's own ones, of which nothing is known but that they fired.
const VENDOR_RULE: u32 = 0;

impl Bot {
    /// Commits what a source reported, with everything that follows from it.
    pub(super) async fn take_report(&self, scope: &Scope, report: Report) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            self.fire(scope, &report, &mut batch).await?;
            for (channel, rule) in std::mem::take(&mut batch.fired) {
                let now = batch.now;
                batch.log(&channel).await?.fired.insert(rule, now);
            }
            if batch.commit(report.kept.clone(), report.finished.clone()).await? {
                self.outbox.wake_news();
                return Ok(());
            }
        }
        Err(StoreError::Contended)
    }

    async fn fire(&self, scope: &Scope, report: &Report, batch: &mut Batch<'_>) -> Result<(), StoreError> {
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
        Ok(())
    }

    /// Counts that rules of these triggers could not be evaluated.
    pub(super) async fn count_failure(&self, watched: &Watched, triggers: &[Trigger]) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            let now = batch.now;
            for (channel, rules) in &watched.channels {
                for rule in rules.rules.iter().filter(|rule| !rule.paused && triggers.contains(&rule.watch.trigger)) {
                    batch.log(channel).await?.journal.enter(Entry::Failed { rule: rule.number }, now);
                }
            }
            if batch.commit(Vec::new(), Vec::new()).await? {
                return Ok(());
            }
        }
        Err(StoreError::Contended)
    }
}

impl Batch<'_> {
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
        } else if self.is_known(channel, occurrence).await? {
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
        let last = news.fired.unwrap_or(news.first);
        // Of each thing, one firing is the first: one of these, if no rule fired before.
        let fresh = usize::from(news.rules.is_empty());
        news.rules.extend(&more);
        news.webhook |= webhook;
        let mut entries: Vec<Entry> = more.iter().take(fresh).filter_map(|r| Entry::fired(*r, occurrence)).collect();
        for (i, rule) in more.iter().enumerate().skip(fresh) {
            entries.extend(Entry::fired_again(*rule, occurrence, if i == 0 { last } else { now }));
        }
        if !more.is_empty() {
            news.fired = Some(now);
        }
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
                        let at = occurrence.at.min(now);
                        news.acknowledged = Some(Acknowledged { by: None, at });
                        entries.extend(acknowledged(news, at));
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
        let sekoias = (webhook && rules.is_empty()).then_some(VENDOR_RULE);
        for (i, rule) in rules.iter().copied().chain(sekoias).enumerate() {
            let entries = match i {
                _ if rule == VENDOR_RULE => Vec::new(),
                0 => Entry::fired(rule, occurrence).into_iter().collect(),
                _ => Entry::fired_again(rule, occurrence, first),
            };
            for entry in entries {
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
                what if what.alert().is_some() && rule != VENDOR_RULE => {
                    log.journal.enter(Entry::Swarmed { rule }, first);
                }
                _ => {}
            }
            if let Some(news) = self.news(&key).await? {
                (news.swarm, news.over) = (Some(swarm), false);
                news.occurrence = occurrence.clone();
                self.changed(&key);
            } else {
                let mut news = News::new(channel, occurrence.clone(), first);
                news.rules = if rule == VENDOR_RULE { Vec::new() } else { vec![rule] };
                news.webhook = rule == VENDOR_RULE;
                news.swarm = Some(swarm);
                self.add(key, news);
            }
        }
        Ok(())
    }
}

/// The same message goes on: what a later report leaves out is as it was.
fn said(before: &Occurrence, now: &Occurrence) -> Occurrence {
    let mut next = now.clone();
    next.community_name = next.community_name.or_else(|| before.community_name.clone());
    let shown = |what: &What| {
        what.alert().map(|alert| Alert { status_changed: None, acknowledged_after: None, ..alert.clone() })
    };
    if shown(&before.what).is_some() && shown(&before.what) == shown(&next.what) {
        // Nothing that is shown: not worth an edit.
        return before.clone();
    }
    next
}

fn status(occurrence: &Occurrence) -> Option<AlertStatus> {
    AlertStatus::find(occurrence.what.alert()?.status.as_deref()?)
}

/// How long each rule's alert waited: as Sekoia says, or else as it was seen.
pub(in crate::bot) fn acknowledged(news: &News, at: Timestamp) -> Vec<Entry> {
    let raised = news.raised.unwrap_or(news.first);
    let seen = u64::try_from(at.duration_since(raised).as_secs()).unwrap_or_default();
    let said = news.occurrence.what.alert().and_then(|alert| alert.acknowledged_after);
    let seconds = said.unwrap_or(seen);
    let mut entries: Vec<Entry> = news.rules.iter().map(|rule| Entry::Acknowledged { rule: *rule, seconds }).collect();
    // One alert, however many rules told of it.
    entries.extend(news.rules.iter().skip(1).map(|_| Entry::AcknowledgedAgain { seconds }));
    entries
}
