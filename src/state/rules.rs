//! The rules of every channel over the store, and what is kept beside them: what was said of which
//! occurrence, how rules fired lately, where a source was read up to.
//!
//! Rules are decided and audited like everything that people change. What Sekoia reports is not: it
//! comes by the thousand, so it is kept in rows of its own, one a message, without a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};

use super::stream::{self, Folded, Next, Streams};
use crate::chat::{Actor, ChannelKey};
use crate::domain::notify::{Event, Recorded, Refusal, Rules};
use crate::store::{Commit, Finished, Schedule, Store, StoreError, StreamId};

use super::rule_health::Health;
use super::webhooks;

/// Changes that can be under way at the same time.
const WRITERS: usize = 64;
/// Channels that are read at once.
const PAGE: u32 = 500;

pub struct Notifications {
    streams: Streams<Rules>,
    /// Held by whoever writes what is kept beside the rules: it is read, changed and written whole.
    pub keeping: Mutex<()>,
    /// Rules changed, or something is to be looked at now.
    stirred: Notify,
    /// Counts it.
    revision: AtomicU64,
    /// How the rules do, as whoever watches tells it.
    pub health: Health,
}

pub type Changed = stream::Changed<Rules>;
pub type ChangeError = stream::ChangeError<Refusal>;

/// The stream of a channel's rules.
pub fn stream(channel: &ChannelKey) -> StreamId {
    stream::id::<Rules>(channel.as_str())
}

impl Notifications {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            streams: Streams::new(store, WRITERS),
            keeping: Mutex::default(),
            stirred: Notify::new(),
            revision: AtomicU64::new(0),
            health: Health::default(),
        }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.streams.store()
    }

    /// The channel's rules; none yet is none.
    pub async fn read(&self, channel: &ChannelKey) -> Result<Rules, StoreError> {
        let slot = self.streams.read(channel.as_str()).await?;
        Ok(slot.state.map(Arc::unwrap_or_clone).unwrap_or_default())
    }

    /// Every channel that ever had a rule, a webhook or a digest.
    pub async fn channels(&self) -> Result<Vec<ChannelKey>, StoreError> {
        let mut all: Vec<StreamId> = Vec::new();
        loop {
            let page = self.store().streams(Rules::FAMILY, all.last(), PAGE).await?;
            let last = page.len() < PAGE as usize;
            all.extend(page);
            if last {
                return Ok(all.iter().map(|id| ChannelKey::from(id.key().to_owned())).collect());
            }
        }
    }

    /// Decides on the present rules and commits what follows, with `owed` in the same
    /// commit; `finished` ends with it.
    pub async fn change(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        finished: impl IntoIterator<Item = Finished>,
        decide: impl Fn(&Rules) -> Result<Vec<Event>, Refusal> + Send + Sync,
        owed: impl Fn(&Rules) -> Vec<Schedule> + Send + Sync,
    ) -> Result<Changed, ChangeError> {
        let finished: Vec<Finished> = finished.into_iter().collect();
        let none = Rules::default();
        let decide = |rules: Option<&Rules>| decide(rules.unwrap_or(&none));
        let beside = |next: &Next<'_, Rules>| Commit {
            schedule: owed(next.after),
            keep: webhooks::rows(channel, next.before, next.events, next.at),
            rests_on: finished.iter().filter_map(Finished::basis).collect(),
            finished: finished.clone(),
            ..Commit::default()
        };
        let changed = self.streams.change(channel.as_str(), by, now, decide, beside).await?;
        self.stir();
        Ok(changed)
    }

    /// Rules changed: whoever watches should look now.
    fn stir(&self) {
        self.revision.fetch_add(1, Ordering::Relaxed);
        self.hint();
    }

    /// There is a hint: whoever watches should look now.
    pub fn hint(&self) {
        self.stirred.notify_one();
    }

    /// Changes when rules do.
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    pub async fn stirred(&self) {
        self.stirred.notified().await;
    }
}

impl Folded for Rules {
    const FAMILY: &'static str = "rules";
    const SCHEMA: u32 = 1;
    type Event = Event;
    type Refusal = Refusal;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    /// A channel without rules has none: whatever happens begins with the empty list.
    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        let mut rules = state.unwrap_or_default();
        rules.apply(&Recorded { event: event.clone(), by: by.clone(), at });
        Some(rules)
    }
}
