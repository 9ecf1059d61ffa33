//! What a source is, and what becomes of a look at one.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::scope::{Scope, Watched};
use crate::bot::Bot;
use crate::chat::ChannelKey;
use crate::domain::notify::{self, Occurrence, Trigger, What};
use crate::pace::Rank;
use crate::sekoia::{self, SekoiaError};
use crate::state::kept::{decode, keep};
use crate::store::{Finished, Keep, KeptKind, StoreError};

/// Nobody looks at the screen for what a source asks.
pub(super) const RANK: Rank = Rank::Background;

/// Where something may happen that rules wait for.
#[async_trait]
pub(super) trait Source: Send + Sync {
    /// What it can tell of; its health is that of the rules which wait for these.
    fn triggers(&self) -> &'static [Trigger];
    /// Tells its health from that of another source of the same triggers.
    fn name(&self) -> &'static str {
        ""
    }
    /// What happened since the last look.
    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError>;
}

/// Where a source looks.
pub(super) struct PollContext<'a> {
    pub bot: &'a Bot,
    pub community: Uuid,
    pub watched: &'a Watched,
    pub now: Timestamp,
}

/// What a look brought, committed whole.
#[derive(Default)]
pub(in crate::bot) struct Report {
    pub occurrences: Vec<Occurrence>,
    /// How far the source was read.
    pub kept: Vec<Keep>,
    pub finished: Vec<Finished>,
    /// There is more: look again at once.
    pub more: bool,
    /// How far it was read, if there was more than one look brings.
    pub behind: Option<Timestamp>,
    /// Only this channel hears of it: its webhook reported it.
    pub only: Option<ChannelKey>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum PollError {
    #[error(transparent)]
    Sekoia(#[from] SekoiaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PollContext<'_> {
    pub fn occurrence(&self, id: String, at: Timestamp, what: What) -> Occurrence {
        Occurrence {
            id: id.into(),
            at,
            community: self.community,
            community_name: Some(self.watched.name.clone()),
            what,
        }
    }

    /// What was known of a source after the last look.
    pub async fn kept<T: DeserializeOwned>(&self, source: &str) -> Result<Option<T>, StoreError> {
        let kept = self.bot.sessions.store().kept(KeptKind::Source, &self.key(source)).await?;
        Ok(kept.and_then(|kept| decode(&kept)))
    }

    pub fn keep(&self, source: &str, value: &impl Serialize) -> Keep {
        keep(KeptKind::Source, self.key(source), value)
    }

    fn key(&self, source: &str) -> String {
        format!("{source}|{}", self.community)
    }
}

impl Bot {
    /// Looks until there is no more, commits what came, and says how it went.
    pub(super) async fn poll_and_commit(
        &self,
        source: &dyn Source,
        scope: &Scope,
        community: Uuid,
    ) -> Result<(), PollError> {
        let Some(watched) = scope.communities.get(&community) else { return Ok(()) };
        loop {
            let now = Timestamp::now();
            let ground = PollContext { bot: self, community, watched, now };
            let looked = match source.look(&ground).await {
                Ok(report) => {
                    let (more, behind) = (report.more, report.behind);
                    // A rule that was there when it was read is there now: it may be newer than the look.
                    let scope = self.scope().await?;
                    self.take_report(&scope, report).await.map(|()| (more, behind)).map_err(PollError::Store)
                }
                Err(trouble) => Err(trouble),
            };
            let health = &self.notifications.health;
            for trigger in source.triggers().iter().filter(|trigger| watched.waits_for(**trigger)) {
                match &looked {
                    Ok((_, behind)) => health.evaluated(community, *trigger, source.name(), now, *behind),
                    Err(trouble) => health.failed(community, *trigger, source.name(), &trouble.to_string(), now),
                }
            }
            if let Err(PollError::Sekoia(_)) = &looked {
                self.count_failure(watched, source.triggers()).await?;
            }
            if !looked?.0 {
                return Ok(());
            }
        }
    }
}

/// An alert as rules and messages know it.
pub(in crate::bot) fn notify_alert(alert: &sekoia::Alert) -> notify::Alert {
    let text = |text: Option<&str>| text.map(Into::into);
    let named = |named: Option<&sekoia::Named>| {
        named.map(|n| notify::Named { uuid: text(n.uuid.as_deref()), name: text(n.name.as_deref()) })
    };
    let status = alert.status().map(sekoia::AlertStatus::name).or_else(|| alert.status_name());
    notify::Alert {
        uuid: alert.uuid.as_str().into(),
        short_id: text(alert.short_id.as_deref()),
        title: Some(alert.title().into()),
        urgency: alert.urgency(),
        status: text(status),
        rule: named(alert.rule.as_ref()),
        entity: named(alert.entity.as_ref()),
        assets: alert
            .assets
            .iter()
            .take(MOST_ASSETS)
            .map(|uuid| notify::Named { uuid: Some(uuid.as_str().into()), name: None })
            .collect(),
        first_seen: alert.first_seen_at,
        last_seen: alert.last_seen_at,
        acknowledged_after: alert.time_to_acknowledge.and_then(|seconds| u64::try_from(seconds).ok()),
        status_changed: None,
    }
}

/// Assets that are kept of an alert.
const MOST_ASSETS: usize = 50;
