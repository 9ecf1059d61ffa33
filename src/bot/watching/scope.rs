//! What is watched: the communities of the channels that have rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bot::Bot;
use crate::chat::ChannelKey;
use crate::domain::notify::{Rule, RuleSet, Rules, Trigger, is_ahead};
use crate::store::StoreError;
use crate::timing::watching::{NEW_IF_UNKNOWN, RULES_READ_EVERY, SHARED_RULES_READ_EVERY};

/// The rules of all channels, as they were lately.
#[derive(Default)]
pub(in crate::bot) struct Scope {
    pub set: RuleSet,
    pub communities: BTreeMap<Uuid, Watched>,
}

/// A community, and who is told of it.
pub(in crate::bot) struct Watched {
    pub name: Box<str>,
    pub channels: Vec<(ChannelKey, Rules)>,
}

/// The scope as it was last read.
#[derive(Default)]
pub(in crate::bot) struct Scoped(tokio::sync::Mutex<Option<(u64, Instant, Arc<Scope>)>>);

impl Watched {
    /// The rules of this trigger that are not paused.
    pub fn rules(&self, trigger: Trigger) -> impl Iterator<Item = &Rule> {
        let rules = self.channels.iter().flat_map(|(_, rules)| &rules.rules);
        rules.filter(move |rule| rule.watch.trigger == trigger && !rule.paused)
    }

    pub fn waits_for(&self, trigger: Trigger) -> bool {
        self.rules(trigger).next().is_some()
    }

    /// Since when any of these is waited for. A rule that was made while the clock was ahead
    /// is taken for a day old, which is a guess.
    pub fn since(&self, triggers: &[Trigger], now: Timestamp) -> Option<Timestamp> {
        let made = triggers.iter().flat_map(|trigger| self.rules(*trigger)).map(|rule| rule.at);
        made.map(|at| if is_ahead(at, now) { now - NEW_IF_UNKNOWN } else { at }).min()
    }
}

impl Bot {
    pub(super) async fn scope(&self) -> Result<Arc<Scope>, StoreError> {
        let mut kept = self.scoped.0.lock().await;
        let revision = self.notifications.revision();
        let shared = self.sessions.store().is_shared();
        let every = if shared { SHARED_RULES_READ_EVERY } else { RULES_READ_EVERY };
        if let Some((of, at, scope)) = &*kept
            && *of == revision
            && at.elapsed() < self.rhythm().of(every)
        {
            return Ok(Arc::clone(scope));
        }
        let mut scope = Scope::default();
        for channel in self.notifications.channels().await? {
            let Some(session) = readable(self.sessions.read(&channel).await)?.flatten() else { continue };
            let Some(rules) = readable(self.notifications.read(&channel).await)? else { continue };
            let community = session.community.uuid;
            scope.set.set(&channel, &[community], &rules);
            let watched = scope
                .communities
                .entry(community)
                .or_insert_with(|| Watched { name: session.community.name.clone(), channels: Vec::new() });
            watched.channels.push((channel, rules));
        }
        let scope = Arc::new(scope);
        *kept = Some((revision, Instant::now(), Arc::clone(&scope)));
        Ok(scope)
    }

    /// For everything that rules wait for: when the community was looked at that waits longest for
    /// another look. What was never looked at is not there.
    pub(in crate::bot) async fn longest_ago(&self, now: Timestamp) -> Result<Vec<(Trigger, Timestamp)>, StoreError> {
        let (scope, looks) = (self.scope().await?, self.notifications.health.snapshot(now));
        let oldest = |trigger: Trigger| {
            let waiting = scope.communities.iter().filter(move |(_, watched)| watched.waits_for(trigger));
            // What one source cannot read, another does not know.
            let looked = waiting.flat_map(|(community, _)| looks.looks(*community, trigger));
            looked.filter_map(|look| look.evaluated).min().map(|at| (trigger, at))
        };
        Ok(Trigger::all().filter_map(oldest).collect())
    }
}

/// One channel that cannot be read keeps none of the others from being watched.
fn readable<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, "a channel cannot be watched");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::chat::Actor;
    use crate::domain::notify::Watch;

    #[test]
    fn a_rule_that_was_made_while_the_clock_was_ahead_is_heard_all_the_same() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let [watch, ..] = Watch::recommended();
        let trigger = watch.trigger;
        let since = |made: SignedDuration| {
            let (at, watch, by) = (now + made, watch.clone(), Actor::Bot);
            let rule = Rule { number: 1, watch, paused: false, muted_until: None, by, at, sample: None, tested: None };
            let channels = vec![(ChannelKey::web("soc"), Rules { rules: vec![rule], ..Rules::default() })];
            Watched { name: "Nimbus".into(), channels }.since(&[trigger], now)
        };
        let hour = SignedDuration::from_hours(1);
        // Of two machines' clocks one may be a little ahead.
        for made in [-hour * 900, -hour, hour] {
            assert_eq!(since(made), Some(now + made));
        }
        assert_eq!(since(hour * 720), Some(now - NEW_IF_UNKNOWN));
    }
}
