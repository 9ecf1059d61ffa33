//! From what happened to what is said of it: which rules fire, and what follows, all of it in one commit.

use std::collections::HashMap;

use super::batch::Batch;
use super::scope::{Scope, Watched};
use super::source::Report;
use crate::bot::Bot;
use crate::chat::ChannelKey;
use crate::domain::notify::{Entry, Firing, Trigger};
use crate::state::stream::RACES;
use crate::store::StoreError;

impl Bot {
    /// Commits what a source reported, with everything that follows from it.
    pub(super) async fn take_report(&self, scope: &Scope, report: Report) -> Result<(), StoreError> {
        let _keeping = self.notifications.keeping.lock().await;
        for _ in 0..RACES {
            let mut batch = Batch::new(&**self.sessions.store());
            self.fire(scope, &report, &mut batch).await?;
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
                let rules = &*fired.remove(channel).unwrap_or_default();
                let webhook = report.only.is_some();
                batch.happened(&Firing { channel, occurrence, rules, webhook }).await?;
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
