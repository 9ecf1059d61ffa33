//! What a webhook of Sekoia's said, read at Sekoia before it is believed; and samples.

use jiff::Timestamp;
use tracing::{debug, info, warn};
use uuid::Uuid;

use super::alerts::print;
use super::firing::Batch;
use super::scope::Scope;
use super::source::{RANK, Report, Trouble, told};
use crate::bot::Bot;
use crate::bot::inbox::only_store;
use crate::notifications::{Hint, News, decode};
use crate::notify::{Occurrence, Trigger, What};
use crate::platform::ChannelKey;
use crate::sekoia::{Id, SekoiaError};
use crate::store::{Commit, Finished, StoreError, Work, WorkKind};

/// Hints of one round: what is told live waits for it.
const AT_ONCE: u32 = 20;
/// A hint that cannot be followed is tried again for about a day.
const MOST_ATTEMPTS: u32 = 300;

impl Bot {
    /// Follows the hints that are due; whether there may be more.
    pub(super) async fn follow_hints(&self, scope: &Scope) -> Result<bool, StoreError> {
        let now = Timestamp::now();
        let due = self.sessions.store().due(WorkKind::Hint, now, AT_ONCE).await?;
        let more = due.len() == AT_ONCE as usize;
        for work in due {
            let trouble = match self.follow(scope, &work).await {
                Ok(()) => continue,
                Err(Trouble::Store(error)) => return Err(error),
                Err(Trouble::Sekoia(trouble)) => trouble,
            };
            let mut commit = Commit::default();
            if work.attempts >= MOST_ATTEMPTS {
                warn!(error = %trouble, "a hint could not be followed; it is dropped");
                commit.finished.push(work.finished());
            } else {
                let wait = super::listening::wait(&trouble, self.rhythm());
                debug!(error = %trouble, "a hint has to wait");
                commit.postponed.push((work.finished(), Timestamp::now() + wait));
            }
            self.sessions.store().commit(commit).await.map_err(only_store)?;
            if trouble.may_pass() {
                // The others would meet with the same.
                return Ok(false);
            }
        }
        Ok(more)
    }

    async fn follow(&self, scope: &Scope, work: &Work) -> Result<(), Trouble> {
        match decode::<Hint>(work) {
            Some(Hint::Sample { channel, rule, occurrence }) => {
                Ok(self.sample(&channel, rule, occurrence, work.finished()).await?)
            }
            Some(Hint::Webhook { channel, kind, action, uuid, created_at, .. }) => {
                let home = scope.communities.iter().find(|(_, w)| w.channels.iter().any(|(c, _)| *c == channel));
                let Some((community, watched)) = home else {
                    info!(channel = channel.as_str(), "a webhook speaks to a channel that is not set up");
                    return Ok(self.drop_hint(work).await?);
                };
                let of = |id: String, at, what| Occurrence {
                    id: id.into(),
                    at,
                    community: *community,
                    community_name: Some(watched.name.clone()),
                    what,
                };
                if &*kind == "alert" {
                    return self.follow_alert(scope, *community, &channel, &uuid, &action, work, of).await;
                }
                let mut report =
                    Report { finished: vec![work.finished()], only: Some(channel.clone()), ..Report::default() };
                if let Some(trigger) = trigger(&kind, &action) {
                    let what = What::Other { trigger, title: format!("{kind} {action}").into() };
                    report.occurrences.push(of(format!("other-{kind}-{action}-{uuid}"), created_at, what));
                }
                Ok(self.take_report(scope, report).await?)
            }
            None => Ok(self.drop_hint(work).await?),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one hint")]
    async fn follow_alert(
        &self,
        scope: &Scope,
        community: Uuid,
        channel: &ChannelKey,
        uuid: &str,
        action: &str,
        work: &Work,
        of: impl Fn(String, Timestamp, What) -> Occurrence,
    ) -> Result<(), Trouble> {
        let Some(id) = Id::parse(uuid) else { return Ok(self.drop_hint(work).await?) };
        let alert = match self.sekoia.alert(&id, RANK).await {
            Ok(alert) => alert,
            Err(SekoiaError::NotFound { .. }) => {
                return Ok(self.alert_gone(channel, uuid, vec![work.finished()]).await?);
            }
            Err(error) => return Err(error.into()),
        };
        if alert.community_uuid.as_deref().and_then(|c| Uuid::parse_str(c).ok()) != Some(community) {
            warn!(channel = channel.as_str(), "a webhook speaks of an alert of another community; it is ignored");
            return Ok(self.drop_hint(work).await?);
        }
        let news = told(&alert);
        let occurrence = if action == "created" {
            let at = alert.created_at.unwrap_or_else(Timestamp::now);
            of(format!("alert-{}", alert.uuid), at, What::AlertRaised(news))
        } else {
            let at = alert.updated_at.unwrap_or_else(Timestamp::now);
            of(format!("alert-{}-{:016x}", alert.uuid, print(&alert, &news)), at, What::AlertUpdated(news))
        };
        let report = Report {
            occurrences: vec![occurrence],
            finished: vec![work.finished()],
            only: Some(channel.clone()),
            ..Report::default()
        };
        Ok(self.take_report(scope, report).await?)
    }

    /// An alert is gone: its message says so, if there is one.
    pub(in crate::bot) async fn alert_gone(
        &self,
        channel: &ChannelKey,
        uuid: &str,
        finished: Vec<Finished>,
    ) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        let key = News::alert_key(channel, uuid);
        if let Some(news) = batch.news(&key).await?
            && !news.gone
        {
            news.gone = true;
            batch.changed(&key);
        }
        batch.commit(Vec::new(), finished).await?;
        self.outbox.wake_news();
        Ok(())
    }

    async fn sample(
        &self,
        channel: &ChannelKey,
        rule: u32,
        occurrence: Occurrence,
        finished: Finished,
    ) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        let mut batch = Batch::new(&**self.sessions.store());
        let key = News::sample_key(channel, rule, &occurrence);
        if batch.news(&key).await?.is_none() {
            let mut news = News::new(channel, occurrence, batch.now);
            (news.rules, news.sample) = (vec![rule], true);
            batch.add(key, news);
        }
        batch.commit(Vec::new(), vec![finished]).await?;
        self.outbox.wake_news();
        Ok(())
    }

    async fn drop_hint(&self, work: &Work) -> Result<(), StoreError> {
        let commit = Commit { finished: vec![work.finished()], ..Commit::default() };
        self.sessions.store().commit(commit).await.map(|_| ()).map_err(only_store)
    }
}

/// What a rule of Sekoia's own waited for; of these there is nothing that could be read.
fn trigger(kind: &str, action: &str) -> Option<Trigger> {
    match (kind, action) {
        ("rule", "created" | "added") => Some(Trigger::RuleAdded),
        ("rule", "deprecated") => Some(Trigger::RuleDeprecated),
        ("rule", "rate-limited" | "throttled") => Some(Trigger::RuleRateLimited),
        ("report", _) => Some(Trigger::ReportAvailable),
        _ => None,
    }
}
