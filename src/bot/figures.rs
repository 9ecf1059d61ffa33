//! What is stored and known, for who measures it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Bot;
use crate::domain::approval::Status;
use crate::domain::notify::Card;
use crate::state::rule_health::Live;
use crate::store::{Backlog, KeptKind, StoreError, WorkKind};
use crate::telemetry::{Figures, Waiting};

/// Messages that are tried again when the chat refuses them.
const MESSAGES: [WorkKind; 6] =
    [WorkKind::Progress, WorkKind::Card, WorkKind::Notice, WorkKind::Announce, WorkKind::Welcome, WorkKind::News];

/// The states of a request that is not settled.
const OPEN: [(Status, &str); 7] = [
    (Status::Requested, "requested"),
    (Status::Approved, "approved"),
    (Status::Held, "held"),
    (Status::Executing, "executing"),
    (Status::Handover, "handed_over"),
    (Status::ByHand, "by_hand"),
    (Status::Unknown, "unknown"),
];

impl Bot {
    /// Everything but what costs more with every channel; what cannot be read is left out.
    pub async fn figures(&self, now: Timestamp) -> Figures {
        let store = self.sessions.store();
        let work = store.backlog(&WorkKind::ALL, now).await.map(|all| all.into_iter().map(|of| waiting(of, now)));
        let dead_letters = store.count_kept(KeptKind::DeadLetter).await;
        let open = self.approvals.by_status().await;
        let counted = |of: &BTreeMap<Status, u64>| {
            OPEN.iter().map(|(status, name)| (*name, of.get(status).copied().unwrap_or_default())).collect()
        };
        Figures {
            work: work.map(Iterator::collect).unwrap_or_default(),
            failing: self.failing(),
            approvals: open.as_ref().map(counted).unwrap_or_default(),
            dead_letters: dead_letters.ok(),
            looked: self.ages(now).await,
            live: match self.notifications.health.snapshot(now).live {
                Live::Off => None,
                Live::Connected { .. } => Some(true),
                Live::Lost { .. } => Some(false),
            },
            sekoia_paused: self.sekoia.pause().as_secs_f64(),
            frozen: self.approvals.frozen().await.ok().map(|frozen| frozen.is_some()),
            ..Figures::default()
        }
    }

    /// How many channels have a checklist. Reads as much as there is.
    pub async fn session_count(&self) -> Result<u64, StoreError> {
        self.sessions.count().await
    }

    fn failing(&self) -> Vec<Waiting> {
        let mut all = self.outbox.failing_for();
        for kind in MESSAGES {
            all.entry(kind).or_default();
        }
        let waiting = |(kind, (count, longest)): (WorkKind, (u64, Duration))| Waiting {
            kind: kind.name(),
            count,
            oldest: longest.as_secs_f64(),
        };
        all.into_iter().map(waiting).collect()
    }

    /// By what rules wait for: how long ago the community was looked at that waited longest, in
    /// seconds. Nothing, if another process watches.
    async fn ages(&self, now: Timestamp) -> Vec<(&'static str, f64)> {
        if !self.notifications.health.is_watching() {
            return Vec::new();
        }
        let looks = self.longest_ago(now).await.unwrap_or_default();
        looks.into_iter().map(|(trigger, at)| (trigger.spec().words, seconds(at, now))).collect()
    }
}

/// What a notification is about, as `notify add` names it.
pub(super) fn source(card: &Card) -> &'static str {
    match card.occurrence.what.trigger() {
        _ if card.webhook => "webhook",
        Some(trigger) => trigger.spec().words,
        None => "webhook",
    }
}

fn waiting(of: Backlog, now: Timestamp) -> Waiting {
    let oldest = of.oldest.map(|due| seconds(due, now)).unwrap_or_default();
    Waiting { kind: of.kind.name(), count: of.count, oldest }
}

/// From then to now; clocks may be set back.
fn seconds(from: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_state_is_counted() {
        let settled = [Status::Succeeded, Status::Failed, Status::Rejected, Status::Expired, Status::Cancelled];
        assert!(OPEN.iter().all(|(status, _)| status.is_open()));
        assert!(settled.iter().all(|status| !status.is_open()));
        for (status, name) in OPEN {
            // As cards name it, but for the blanks.
            let expected =
                if status == Status::Handover { "handed_over".into() } else { status.name().replace(' ', "_") };
            assert_eq!(name, expected);
        }
    }
}
