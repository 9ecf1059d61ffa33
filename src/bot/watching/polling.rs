//! What Sekoia tells nobody of: looked at in turn, as often as the budget of background work
//! allows.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{error, warn};
use uuid::Uuid;

use super::connectors::Connectors;
use super::listening::wait;
use super::playbooks::{Crashes, Failures};
use super::scope::Scope;
use super::silence::Silences;
use super::source::{PollError, Source};
use crate::bot::Bot;
use crate::bot::inbox::only_store;
use crate::domain::notify::Trigger;
use crate::domain::notify::budget::{Interval, Load, Polled, intervals};
use crate::sekoia::SekoiaError;
use crate::state::kept::decode;
use crate::state::rule_health::{Counted, HEALTH, Live, Snapshot};
use crate::store::{Commit, KeptKind, StoreError};
use crate::timing::watching::{
    HEALTH_REPEATED_EVERY, HEALTH_STALE_AFTER, HEALTH_STORED_EVERY, POLL_LONGEST_WAIT, POLL_TICK,
};

fn source(kind: Polled) -> &'static dyn Source {
    match kind {
        Polled::Silence => &Silences,
        Polled::PlaybookErrors => &Failures,
        Polled::PlaybookCrashes => &Crashes,
        Polled::ConnectorErrors => &Connectors,
    }
}

impl Bot {
    /// Looks, and stores how the rules do, until it is dropped.
    pub(super) async fn poll(&self) {
        match self.stored_health().await {
            Ok(before) => self.notifications.health.restore(before),
            Err(error) => warn!(%error, "how the rules did is not known"),
        }
        let _watching = self.notifications.health.watch();
        tokio::join!(self.look_in_turn(), self.store_health());
    }

    async fn look_in_turn(&self) {
        let rhythm = self.rhythm();
        // When each was looked at last, and when it is tried again if that failed.
        let mut looked: HashMap<(Uuid, Polled), (Instant, Option<Instant>)> = HashMap::new();
        let mut not_before = Instant::now();
        let turns = self.rounds.of("polling");
        loop {
            let turn = turns.round();
            let scope = match self.scope().await {
                Ok(scope) => scope,
                Err(error) => {
                    error!(%error, "the rules could not be read");
                    drop(turn);
                    tokio::time::sleep(rhythm.of(POLL_TICK * 10)).await;
                    continue;
                }
            };
            looked.retain(|(community, _), _| scope.communities.contains_key(community));
            let mut due: Vec<(Instant, Uuid, Interval)> = Vec::new();
            for (community, all) in self.plan(&scope, |community| self.notifications.health.counted(community)) {
                for interval in all {
                    let last = looked.get(&(community, interval.kind));
                    let at = last.map_or_else(Instant::now, |(last, again)| again.unwrap_or(*last + interval.every));
                    due.push((at, community, interval));
                }
            }
            due.sort_by_key(|(at, ..)| *at);
            let tick = Instant::now() + rhythm.of(POLL_TICK).max(Duration::from_millis(20));
            let first = due.into_iter().next().filter(|(at, ..)| (*at).max(not_before) <= tick);
            let Some((at, community, Interval { kind, every, .. })) = first else {
                drop(turn);
                tokio::time::sleep_until(tick).await;
                continue;
            };
            tokio::time::sleep_until(at.max(not_before)).await;
            let soon = every.min(rhythm.of(POLL_LONGEST_WAIT));
            let mut again = None;
            match self.poll_and_commit(source(kind), &scope, community).await {
                Ok(()) => {}
                Err(PollError::Sekoia(error)) => {
                    warn!(%error, ?kind, "Sekoia could not be looked at; again later");
                    let wait = wait(&error, rhythm);
                    again = Some(Instant::now() + wait.max(soon));
                    if matches!(
                        error,
                        SekoiaError::RateLimited { .. } | SekoiaError::Paused { .. } | SekoiaError::Busy { .. }
                    ) {
                        // Hardly anything was asked.
                        again = Some(Instant::now() + wait + rhythm.of(POLL_TICK));
                        not_before = Instant::now() + wait;
                    }
                }
                Err(PollError::Store(error)) => {
                    error!(%error, ?kind, "what was seen at Sekoia could not be kept; again later");
                    again = Some(Instant::now() + soon);
                }
            }
            looked.insert((community, kind), (Instant::now(), again));
        }
    }

    /// How often what somebody waits for is looked at, in every community.
    fn plan(&self, scope: &Scope, counted: impl Fn(Uuid) -> Counted) -> BTreeMap<Uuid, Vec<Interval>> {
        let loads = scope.communities.iter().map(|(community, watched)| {
            let counted = counted(*community);
            let load = Load {
                intakes: counted.intakes,
                playbooks: counted.playbooks,
                triggers: counted.triggers,
                connectors: counted.connectors,
                silence: watched.waits_for(Trigger::NoEvents),
                playbook_errors: watched.waits_for(Trigger::PlaybookError),
                connector_errors: watched.waits_for(Trigger::ConnectorError),
            };
            (*community, load)
        });
        intervals(&loads.collect(), self.rhythm().minute)
    }

    /// How often it is looked at in a community, by what is known of all.
    pub(in crate::bot) async fn polled(&self, health: &Snapshot, of: Uuid) -> Result<Vec<Interval>, StoreError> {
        let scope = self.scope().await?;
        Ok(self.plan(&scope, |community| health.counted(community)).remove(&of).unwrap_or_default())
    }

    /// How the rules do: as this process knows if it watches, else as whoever does has stored it.
    pub(in crate::bot) async fn health_now(&self) -> Result<Snapshot, StoreError> {
        let now = Timestamp::now();
        let health = &self.notifications.health;
        if health.is_watching() {
            return Ok(health.snapshot(now));
        }
        let mut stored = self.stored_health().await?;
        let gone = SignedDuration::try_from(self.rhythm().of(HEALTH_STALE_AFTER)).unwrap_or(SignedDuration::MAX);
        if now.duration_since(stored.at) > gone {
            stored.live = Live::Off;
        }
        Ok(stored)
    }

    async fn stored_health(&self) -> Result<Snapshot, StoreError> {
        let kept = self.sessions.store().kept(KeptKind::Source, HEALTH).await?;
        Ok(kept.and_then(|kept| decode(&kept)).unwrap_or_default())
    }

    async fn store_health(&self) {
        let rhythm = self.rhythm();
        let mut stored: Option<(Snapshot, Instant)> = None;
        loop {
            tokio::time::sleep(rhythm.of(HEALTH_STORED_EVERY).max(Duration::from_millis(200))).await;
            // Nothing to tell without a rule.
            if !self.scope().await.is_ok_and(|scope| !scope.communities.is_empty()) {
                continue;
            }
            let health = self.notifications.health.snapshot(Timestamp::now());
            let known = stored
                .as_ref()
                .is_some_and(|(last, at)| last.says_what(&health) && at.elapsed() < rhythm.of(HEALTH_REPEATED_EVERY));
            if known {
                continue;
            }
            let commit = Commit { keep: vec![health.row()], ..Commit::default() };
            match self.sessions.store().commit(commit).await.map_err(only_store) {
                Ok(_) => stored = Some((health, Instant::now())),
                Err(error) => warn!(%error, "how the rules do could not be stored"),
            }
        }
    }
}
