//! What Sekoia tells nobody of: looked at in turn, as often as the budget of background work
//! allows.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

use super::connectors::Connectors;
use super::listening::wait;
use super::playbooks::{Crashes, Failures};
use super::scope::Watched;
use super::silence::Silences;
use super::source::{Source, Trouble};
use crate::bot::Bot;
use crate::notify::Trigger;
use crate::notify::budget::{Load, Polled, intervals};
use crate::sekoia::SekoiaError;

/// How often it is asked whether something is due.
const TICK: Duration = Duration::from_secs(2);

fn source(kind: Polled) -> &'static dyn Source {
    match kind {
        Polled::Silence => &Silences,
        Polled::PlaybookErrors => &Failures,
        Polled::PlaybookCrashes => &Crashes,
        Polled::ConnectorErrors => &Connectors,
    }
}

impl Bot {
    /// Looks until it is dropped.
    pub(super) async fn poll(&self) {
        let rhythm = self.rhythm();
        // When each was looked at last, and when it is tried again if that failed.
        let mut looked: HashMap<(Uuid, Polled), (Instant, Option<Instant>)> = HashMap::new();
        let mut not_before = Instant::now();
        loop {
            let scope = match self.scope().await {
                Ok(scope) => scope,
                Err(error) => {
                    error!(%error, "the rules could not be read");
                    tokio::time::sleep(rhythm.of(TICK * 10)).await;
                    continue;
                }
            };
            looked.retain(|(community, _), _| scope.communities.contains_key(community));
            let mut due: Vec<(Instant, Uuid, Polled)> = Vec::new();
            for (community, watched) in &scope.communities {
                for interval in intervals(&self.to_look_at(*community, watched)) {
                    // The budget is one for all communities: each has its share.
                    let shares = u32::try_from(scope.communities.len()).unwrap_or(u32::MAX);
                    let every = rhythm.of(interval.every.saturating_mul(shares));
                    let last = looked.get(&(*community, interval.kind));
                    let at = last.map_or_else(Instant::now, |(last, again)| again.unwrap_or(*last + every));
                    due.push((at, *community, interval.kind));
                }
            }
            due.sort_by_key(|(at, ..)| *at);
            let tick = Instant::now() + rhythm.of(TICK).max(Duration::from_millis(20));
            let Some((at, community, kind)) = due.first().copied().filter(|(at, ..)| (*at).max(not_before) <= tick)
            else {
                tokio::time::sleep_until(tick).await;
                continue;
            };
            tokio::time::sleep_until(at.max(not_before)).await;
            let mut again = None;
            match self.see(source(kind), &scope, community).await {
                Ok(()) => {}
                Err(Trouble::Sekoia(error)) => {
                    warn!(%error, ?kind, "Sekoia could not be looked at; again later");
                    again = Some(Instant::now() + wait(&error, rhythm) + rhythm.of(TICK));
                    if matches!(error, SekoiaError::RateLimited { .. } | SekoiaError::Paused { .. }) {
                        not_before = Instant::now() + wait(&error, rhythm);
                    }
                }
                Err(Trouble::Store(error)) => {
                    error!(%error, ?kind, "what was seen at Sekoia could not be kept; again later");
                    again = Some(Instant::now() + rhythm.of(TICK * 10));
                }
            }
            looked.insert((community, kind), (Instant::now(), again));
        }
    }

    /// What there is to look at in a community.
    fn to_look_at(&self, community: Uuid, watched: &Watched) -> Load {
        let counted = self.notifications.health.count(community);
        let playbook_errors = watched.waits_for(Trigger::PlaybookError);
        Load {
            intakes: counted.map_or(0, |counted| counted.intakes),
            playbooks: counted.map_or(0, |counted| counted.playbooks),
            connectors: 0,
            silence: watched.waits_for(Trigger::NoEvents),
            playbook_errors,
            crashes: playbook_errors,
            connector_errors: watched.waits_for(Trigger::ConnectorError),
            others: 0,
        }
    }
}
