//! Alerts that were raised or changed, read from their list by date.
//!
//! Sekoia's dates are whole seconds and its list may lag a little behind, so a look begins where the
//! list was settled when it was read last, and knows what it saw since.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::source::{PollContext, PollError, RANK, Report, Source, notify_alert};
use crate::domain::notify::{Trigger, What, is_ahead};
use crate::sekoia::{Alert, AlertDate, AlertQuery};
use crate::timing::watching::{CLOCK_AHEAD, FIRST_LOOK_BACK};

const KEPT: &str = "alerts";
/// So many alerts, more or less, are one commit.
const BATCH: usize = 500;
/// Alerts that are remembered beyond those that the next looks bring again, so that it is known
/// what changed of them.
const REMEMBERED: usize = 300;

/// By the date of their creation, or of their last change.
pub(super) struct Alerts(pub AlertDate);

/// How far both lists were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cursor {
    created: Reach,
    updated: Reach,
    #[serde(default)]
    seen: BTreeMap<String, Seen>,
}

/// How far a list was read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Reach {
    /// The date up to which it was settled: the next look begins there.
    settled: Timestamp,
    /// The latest date that was seen.
    seen: Timestamp,
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

    async fn look(&self, ground: &PollContext<'_>) -> Result<Report, PollError> {
        let both = [Trigger::AlertRaised, Trigger::AlertUpdated];
        let Some(since) = ground.watched.since(&both, ground.now) else { return Ok(Report::default()) };
        let kept: Option<Cursor> = ground.kept(KEPT).await?;
        // The first look begins with the rule, and reports nothing from before.
        let first = Reach::from(since.max(ground.now - FIRST_LOOK_BACK));
        let begin = || Cursor { created: first, updated: first, seen: BTreeMap::new() };
        let mut cursor = kept.clone().unwrap_or_else(begin);
        cursor.turn_back(first, ground.now);
        let reach = *cursor.reach(self.0);
        let query = AlertQuery {
            community: ground.community,
            by: self.0,
            from: reach.settled,
            to: ground.now + CLOCK_AHEAD,
            beyond: reach.seen,
        };
        let list = ground.bot.sekoia().alerts(&query, BATCH, RANK).await?;
        let mut report = Report::default();
        for alert in &list.alerts {
            if let Some((id, at, what)) = self.news(&mut cursor, alert, ground.now) {
                report.occurrences.push(ground.occurrence(id, at, what));
            }
        }
        let reach = cursor.reach(self.0);
        reach.settled = list.settled;
        report.behind = (!list.complete).then_some(reach.seen);
        cursor.prune();
        if kept.as_ref() != Some(&cursor) {
            report.kept.push(ground.keep(KEPT, &cursor));
            // Otherwise it would bring the same again.
            report.more = !list.complete;
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
        let reach = cursor.reach(self.0);
        reach.seen = reach.seen.max(at);
        let mut news = notify_alert(alert);
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
            // It changed before it was seen: how it was then nobody knows.
            (None, AlertDate::Created) if alert.updated_at > alert.created_at => {
                Seen { at: latest, print: 0, status: None, raised }
            }
            _ => Seen { at: latest, print, status: news.status.clone(), raised },
        };
        cursor.seen.insert(alert.uuid.clone(), next);
        if !new {
            return None;
        }
        if self.0 == AlertDate::Created {
            return Some((format!("alert-{}", alert.uuid), at, What::AlertRaised(news)));
        }
        news.status_changed = before.and_then(|seen| seen.status).map(|status| Some(status) != news.status);
        Some((format!("alert-{}-{print:016x}", alert.uuid), at, What::AlertUpdated(news)))
    }
}

impl From<Timestamp> for Reach {
    fn from(at: Timestamp) -> Self {
        Self { settled: at, seen: at }
    }
}

impl Cursor {
    /// A list that was read further than now, by a clock that was ahead, is read again from `first`.
    fn turn_back(&mut self, first: Reach, now: Timestamp) {
        for reach in [&mut self.created, &mut self.updated] {
            if is_ahead(reach.settled, now) {
                *reach = first;
            } else if is_ahead(reach.seen, now) {
                reach.seen = reach.settled;
            }
        }
    }

    fn reach(&mut self, by: AlertDate) -> &mut Reach {
        match by {
            AlertDate::Created => &mut self.created,
            AlertDate::Updated => &mut self.updated,
        }
    }

    /// Keeps what the next looks may bring again, and some more.
    fn prune(&mut self) {
        if self.seen.len() <= REMEMBERED {
            return;
        }
        // Whole seconds: the one in which it was settled comes again.
        let needed = self.created.settled.min(self.updated.settled) - SignedDuration::from_secs(1);
        let mut ages: Vec<Timestamp> = self.seen.values().map(|seen| seen.at).collect();
        ages.sort_unstable();
        let from = ages[ages.len() - REMEMBERED].min(needed);
        self.seen.retain(|_, seen| seen.at >= from);
    }
}

/// What a change changes.
pub(super) fn print(alert: &Alert, told: &crate::domain::notify::Alert) -> u64 {
    let text = format!("{:?} {:?} {told:?}", alert.updated_at, alert.similar);
    Sha256::digest(text.as_bytes()).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_read_further_than_now_is_read_again() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let (hour, minute) = (SignedDuration::from_hours(1), SignedDuration::from_mins(1));
        let first = Reach::from(now - FIRST_LOOK_BACK);
        let turned = |settled, seen| {
            let reach = Reach { settled: now + settled, seen: now + seen };
            let mut cursor = Cursor { created: reach, updated: reach, seen: BTreeMap::new() };
            cursor.turn_back(first, now);
            assert_eq!(cursor.created, cursor.updated);
            (cursor.created != reach).then_some(cursor.created)
        };
        assert_eq!(turned(-hour * 48, -hour), None);
        // Sekoia's own dates may be a little ahead.
        assert_eq!(turned(-minute, hour), None);
        assert_eq!(turned(hour * 24 * 30, hour * 24 * 30), Some(first));
        assert_eq!(turned(-minute, hour * 24), Some(Reach::from(now - minute)));
    }
}
