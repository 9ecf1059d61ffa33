//! What a webhook of Sekoia's said, read at Sekoia before it is believed; and samples.
//!
//! Many hints are followed at once: their alerts are one call, and their messages one commit a
//! channel.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::alerts::print;
use super::batch::Batch;
use super::listening::{is_for_all, wait};
use super::scope::Scope;
use super::source::{PollError, RANK, Report, notify_alert};
use crate::bot::Bot;
use crate::bot::inbox::only_store;
use crate::chat::ChannelKey;
use crate::domain::notify::{Card, Occurrence, What};
use crate::pace::retry::wait_after;
use crate::sekoia::{Alert, Id, SekoiaError};
use crate::state::hint::Hint;
use crate::state::kept::decode;
use crate::state::stream::RACES;
use crate::store::{Commit, Finished, StoreError, Work, WorkKind};
use crate::timing::watching::HINT_LONGEST_WAIT;

/// Hints that are followed at once: so many uuids still fit into an address.
const BATCH: u32 = 50;
/// A hint that cannot be followed is tried again for about a day.
const MOST_ATTEMPTS: u32 = 300;

/// What a hint says of an alert.
struct Said {
    work: Work,
    channel: ChannelKey,
    community: Uuid,
    id: Id,
    created: bool,
}

impl Bot {
    /// Follows hints that are due, once: what is told live must not wait for all of them. Whether
    /// there may be more.
    pub(super) async fn follow_hints(&self, scope: &Scope) -> Result<bool, PollError> {
        let due = self.sessions.store().due(WorkKind::Hint, Timestamp::now(), BATCH).await?;
        let more = due.len() == BATCH as usize;
        let mut alerts = Vec::new();
        for work in due {
            match decode::<Hint>(&work) {
                Some(Hint::Sample { channel, rule, occurrence }) => {
                    self.sample(&channel, rule, &occurrence, work.finished()).await?;
                }
                Some(Hint::Webhook { channel, kind, action, uuid, created_at, .. }) => {
                    let home = scope.communities.iter().find(|(_, w)| w.channels.iter().any(|(c, _)| *c == channel));
                    let Some((community, _)) = home.map(|(community, watched)| (*community, watched)) else {
                        info!(channel = channel.as_str(), "a webhook speaks to a channel that is not set up");
                        self.drop_hint(&work).await?;
                        continue;
                    };
                    match Id::parse(&uuid) {
                        Some(id) if &*kind == "alert" => {
                            alerts.push(Said { work, channel, community, id, created: &*action == "created" });
                        }
                        _ => {
                            let id = format!("reported-{kind}-{action}-{uuid}-{}", created_at.as_millisecond());
                            let what = What::Reported { kind, action };
                            let occurrence = of(scope, community, id, created_at, what);
                            self.take_report(scope, only(channel, Some(occurrence), work.finished())).await?;
                        }
                    }
                }
                None => self.drop_hint(&work).await?,
            }
        }
        if alerts.is_empty() {
            return Ok(more);
        }
        match self.follow_alerts(scope, &alerts).await {
            Ok(()) => Ok(more),
            Err(PollError::Store(error)) => Err(error.into()),
            Err(PollError::Sekoia(error)) => {
                self.put_off(&alerts, &error).await?;
                // The others would meet with the same.
                if is_for_all(&error) { Err(error.into()) } else { Ok(more) }
            }
        }
    }

    /// Reads the alerts that hints speak of, all with one call.
    async fn follow_alerts(&self, scope: &Scope, hints: &[Said]) -> Result<(), PollError> {
        let mut ids: Vec<&str> = hints.iter().map(|said| said.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let read = self.sekoia.alerts_named(&ids, RANK).await?;
        let mut reports: BTreeMap<&str, Report> = BTreeMap::new();
        for said in hints {
            let named = |alert: &&Alert| {
                let id = said.id.as_str();
                alert.uuid.eq_ignore_ascii_case(id) || alert.short_id.as_deref() == Some(id)
            };
            let alone;
            let alert = match read.iter().find(named) {
                Some(alert) => alert,
                // A list may lag behind: asked for by itself, it is gone or not.
                None => match self.sekoia.alert(&said.id, RANK).await {
                    Ok(alert) => {
                        alone = alert;
                        &alone
                    }
                    Err(SekoiaError::NotFound { .. }) => {
                        self.alert_gone(&said.channel, said.id.as_str(), vec![said.work.finished()]).await?;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                },
            };
            let community = alert.community_uuid.as_deref().and_then(|community| Uuid::parse_str(community).ok());
            let occurrence = if community == Some(said.community) {
                Some(occurrence(scope, said, alert))
            } else {
                let channel = said.channel.as_str();
                warn!(channel, "a webhook speaks of an alert of another community; it is ignored");
                None
            };
            let report = reports.entry(said.channel.as_str()).or_default();
            report.only = Some(said.channel.clone());
            report.occurrences.extend(occurrence);
            report.finished.push(said.work.finished());
        }
        for (_, report) in reports {
            self.take_report(scope, report).await?;
        }
        Ok(())
    }

    /// They wait, longer each time; what waits for too long is dropped.
    async fn put_off(&self, hints: &[Said], error: &SekoiaError) -> Result<(), StoreError> {
        let mut commit = Commit::default();
        for Said { work, .. } in hints {
            if work.attempts >= MOST_ATTEMPTS {
                warn!(%error, "a hint could not be followed; it is dropped");
                commit.finished.push(work.finished());
                continue;
            }
            let first = wait(error, self.rhythm());
            let wait = wait_after(work.attempts, first, first.max(self.rhythm().of(HINT_LONGEST_WAIT)));
            debug!(%error, "a hint has to wait");
            commit.postponed.push((work.finished(), Timestamp::now() + wait));
        }
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
    }

    /// An alert is gone: its message says so, if there is one.
    pub(in crate::bot) async fn alert_gone(
        &self,
        channel: &ChannelKey,
        uuid: &str,
        finished: Vec<Finished>,
    ) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            let key = Card::alert_key(channel, uuid);
            if batch.card(&key).await?.is_some_and(Card::lose) {
                batch.changed(&key);
            }
            if batch.commit(Vec::new(), finished.clone()).await? {
                self.outbox.wake_news();
                return Ok(());
            }
        }
        Err(StoreError::Contended)
    }

    async fn sample(
        &self,
        channel: &ChannelKey,
        rule: u32,
        occurrence: &Occurrence,
        finished: Finished,
    ) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            let key = Card::sample_key(channel, rule, occurrence);
            if batch.card(&key).await?.is_none() {
                batch.add(key, Card::of_sample(channel, rule, occurrence, batch.now));
            }
            if batch.commit(Vec::new(), vec![finished.clone()]).await? {
                self.outbox.wake_news();
                return Ok(());
            }
        }
        Err(StoreError::Contended)
    }

    async fn drop_hint(&self, work: &Work) -> Result<(), StoreError> {
        let commit = Commit { finished: vec![work.finished()], ..Commit::default() };
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
    }
}

/// What a channel's webhook reported; only that channel is told.
fn only(channel: ChannelKey, occurrence: Option<Occurrence>, finished: Finished) -> Report {
    Report {
        occurrences: occurrence.into_iter().collect(),
        finished: vec![finished],
        only: Some(channel),
        ..Report::default()
    }
}

fn of(scope: &Scope, community: Uuid, id: String, at: Timestamp, what: What) -> Occurrence {
    let community_name = scope.communities.get(&community).map(|watched| watched.name.clone());
    Occurrence { id: id.into(), at, community, community_name, what }
}

/// The same as the lists bring, so that it is known whoever brings it first.
fn occurrence(scope: &Scope, said: &Said, alert: &Alert) -> Occurrence {
    let news = notify_alert(alert);
    let (id, at, what) = if said.created {
        (format!("alert-{}", alert.uuid), alert.created_at, What::AlertRaised(news))
    } else {
        let print = print(alert, &news);
        (format!("alert-{}-{print:016x}", alert.uuid), alert.updated_at, What::AlertUpdated(news))
    };
    of(scope, said.community, id, at.unwrap_or_else(Timestamp::now), what)
}
