//! Alerts that were raised or changed, read from their list by date.
//!
//! Sekoia's dates are whole seconds and its lists may lag a little behind, so every look begins some
//! seconds before the last one ended, and knows what it saw there.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source::{Ground, RANK, Report, Source, Trouble, told};
use crate::notify::{Trigger, What};
use crate::sekoia::{Alert, AlertDate, AlertQuery};

const KEPT: &str = "alerts";
/// Every look begins so long before what was seen last.
const OVERLAP: SignedDuration = SignedDuration::from_secs(5);
/// Sekoia's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// A rule is told of nothing from before, however late it is first looked at.
const FIRST: SignedDuration = SignedDuration::from_hours(24);
/// So many alerts, more or less, are one commit.
const AT_ONCE: usize = 500;
/// Alerts that are remembered beyond the overlap, so that it is known what changed of them.
const REMEMBERED: usize = 300;

/// By the date of their creation, or of their last change.
pub(super) struct Alerts(pub AlertDate);

/// How far both lists were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    created: Timestamp,
    updated: Timestamp,
    #[serde(default)]
    seen: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Seen {
    at: Timestamp,
    /// Of what is said of it: another one means that it changed.
    print: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Box<str>>,
    /// Its beginning was reported.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    raised: bool,
}

#[async_trait]
impl Source for Alerts {
    fn triggers(&self) -> &'static [Trigger] {
        match self.0 {
            AlertDate::Created => &[Trigger::AlertRaised],
            AlertDate::Updated => &[Trigger::AlertUpdated],
        }
    }

    async fn look(&self, ground: &Ground<'_>) -> Result<Report, Trouble> {
        let both = [Trigger::AlertRaised, Trigger::AlertUpdated];
        let Some(since) = ground.watched.since(&both) else { return Ok(Report::default()) };
        let kept: Option<Cursor> = ground.kept(KEPT).await?;
        let mut cursor = kept.clone().unwrap_or_else(|| {
            let since = since.max(ground.now - FIRST);
            Cursor { created: since, updated: since, seen: BTreeMap::new() }
        });
        let last = match self.0 {
            AlertDate::Created => cursor.created,
            AlertDate::Updated => cursor.updated,
        };
        // The first look begins with the rule, and reports nothing from before.
        let from = if kept.is_some() { last - OVERLAP } else { last };
        let query =
            AlertQuery { community: ground.community, by: self.0, from, to: ground.now + AHEAD, least_urgency: None };
        let mut most = AT_ONCE;
        let list = loop {
            let list = ground.bot.sekoia().alerts(&query, most, RANK).await?;
            let passed = list.alerts.last().and_then(|alert| self.0.of(alert)).is_some_and(|at| at > last);
            if list.complete || passed || list.alerts.len() < most {
                break list;
            }
            // The overlap alone holds so many: what is behind it would never be reached.
            most *= 2;
        };
        let mut report = Report { more: !list.complete, ..Report::default() };
        for alert in &list.alerts {
            if let Some((id, at, what)) = self.news(&mut cursor, alert, ground.now) {
                report.occurrences.push(ground.occurrence(id, at, what));
            }
        }
        cursor.prune();
        if kept.as_ref() == Some(&cursor) {
            // It would bring the same again.
            report.more = false;
        } else {
            report.kept.push(ground.keep(KEPT, &cursor));
        }
        Ok(report)
    }
}

impl Alerts {
    fn news(&self, cursor: &mut Cursor, alert: &Alert, now: Timestamp) -> Option<(String, Timestamp, What)> {
        let at = match self.0 {
            AlertDate::Created => alert.created_at,
            AlertDate::Updated => alert.updated_at,
        };
        let at = at.unwrap_or(now);
        let last = match self.0 {
            AlertDate::Created => &mut cursor.created,
            AlertDate::Updated => &mut cursor.updated,
        };
        // A clock that is ahead must not hide what comes until it is right.
        *last = (*last).max(at.min(now));
        let mut news = told(alert);
        let print = print(alert, &news);
        let before = cursor.seen.get(&alert.uuid).cloned();
        let raised = before.as_ref().is_some_and(|seen| seen.raised);
        let (raised, new) = match self.0 {
            AlertDate::Created => (true, !raised),
            AlertDate::Updated => (raised, before.as_ref().is_none_or(|seen| seen.print != print)),
        };
        let latest = before.as_ref().map_or(at, |seen| seen.at.max(at));
        let next = match (&before, self.0) {
            // That it changed is for the list of changes to tell.
            (Some(seen), AlertDate::Created) => Seen { at: latest, raised, ..seen.clone() },
            _ => Seen { at: latest, print, status: news.status.clone(), raised },
        };
        cursor.seen.insert(alert.uuid.clone(), next);
        if !new {
            return None;
        }
        if self.0 == AlertDate::Created {
            return Some((format!("alert-{}", alert.uuid), at, What::AlertRaised(news)));
        }
        news.status_changed = before.map(|seen| seen.status != news.status);
        Some((format!("alert-{}-{print:016x}", alert.uuid), at, What::AlertUpdated(news)))
    }
}

impl Cursor {
    /// Keeps what the next looks may bring again, and some more.
    fn prune(&mut self) {
        if self.seen.len() <= REMEMBERED {
            return;
        }
        let needed = self.created.min(self.updated.max(self.created - OVERLAP)) - OVERLAP - OVERLAP;
        let mut ages: Vec<Timestamp> = self.seen.values().map(|seen| seen.at).collect();
        ages.sort_unstable();
        let from = ages[ages.len() - REMEMBERED].min(needed);
        self.seen.retain(|_, seen| seen.at >= from);
    }
}

/// What a change changes.
pub(super) fn print(alert: &Alert, told: &crate::notify::Alert) -> u64 {
    let text = format!("{:?} {:?} {told:?}", alert.updated_at, alert.similar);
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
