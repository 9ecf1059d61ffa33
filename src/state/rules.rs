//! The rules of every channel over the store, and what is kept beside them: what was said of which
//! occurrence, how rules fired lately, where a source was read up to.
//!
//! Rules are decided and audited like everything that people change. What Sekoia reports is not: it
//! comes by the thousand, so it is kept as due work, one row a message, without a record.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::{Mutex, Notify};

use super::stream::{self, Folded, RACES};
use crate::chat::{Actor, ChannelKey};
use crate::domain::notify::{Event, Recorded, Refusal, Rules};
use crate::store::{Commit, CommitError, Finished, Schedule, Store, StoreError, StreamId, Work, WorkKind};

use super::rule_health::Health;
use super::webhooks::Webhooks;

/// Changes that can be under way at the same time.
const WRITERS: usize = 64;
/// Channels that are read at once.
const PAGE: u32 = 500;

pub struct Notifications {
    store: Arc<dyn Store>,
    /// Held by whoever changes a channel's rules.
    writers: Box<[Mutex<()>]>,
    /// Held by whoever writes what is kept beside the rules: it is read, changed and written whole.
    pub keeping: Mutex<()>,
    /// Rules changed, or something is to be looked at now.
    stirred: Notify,
    /// Counts it.
    revision: AtomicU64,
    pub(super) webhooks: Webhooks,
    /// How the rules do, as whoever watches tells it.
    pub health: Health,
}

/// A change that was committed.
#[derive(Debug, Clone)]
pub struct Changed {
    pub version: u64,
    pub rules: Rules,
    pub events: Vec<Event>,
}

pub type ChangeError = stream::ChangeError<Refusal>;

/// The stream of a channel's rules.
pub fn stream(channel: &ChannelKey) -> StreamId {
    stream::id::<Rules>(channel.as_str())
}

impl Notifications {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let writers = (0..WRITERS).map(|_| Mutex::default()).collect();
        Self {
            store,
            writers,
            keeping: Mutex::default(),
            stirred: Notify::new(),
            webhooks: Webhooks::default(),
            revision: AtomicU64::new(0),
            health: Health::default(),
        }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The channel's rules; none yet is none.
    pub async fn read(&self, channel: &ChannelKey) -> Result<Rules, StoreError> {
        let slot = stream::load::<Rules>(&*self.store, channel.as_str()).await?;
        Ok(slot.state.unwrap_or_default())
    }

    /// Every channel that ever had a rule, a webhook or a digest.
    pub async fn channels(&self) -> Result<Vec<ChannelKey>, StoreError> {
        let mut all: Vec<StreamId> = Vec::new();
        loop {
            let page = self.store.streams(Rules::FAMILY, all.last(), PAGE).await?;
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
        let now = stream::sealed(now);
        let finished: Vec<Finished> = finished.into_iter().collect();
        let _turn = self.writer(channel).lock().await;
        for _ in 0..RACES {
            let slot = stream::load::<Rules>(&*self.store, channel.as_str()).await?;
            if slot.newer {
                return Err(ChangeError::Newer);
            }
            let before = slot.state.unwrap_or_default();
            let events = decide(&before).map_err(ChangeError::Refused)?;
            let Some((write, next)) = stream::write(channel.as_str(), slot.version, Some(before), &events, by, now)
            else {
                return Err(ChangeError::Contended);
            };
            let commit =
                Commit { writes: vec![write], schedule: owed(&next), finished: finished.clone(), ..Commit::default() };
            match self.store.commit(commit).await {
                Ok(_) => {
                    let version = slot.version + events.len() as u64;
                    self.webhooks.follow(channel, &events);
                    self.stir();
                    return Ok(Changed { version, rules: next, events });
                }
                // Another process was first.
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
                // Never asked for here.
                Err(CommitError::Delivered) => return Err(ChangeError::Contended),
            }
        }
        Err(ChangeError::Contended)
    }

    /// Forgets what channels were told of long ago.
    pub async fn forget(&self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let old = self.store.due(WorkKind::Known, now, PAGE).await?;
            let last = old.len() < PAGE as usize;
            let commit = Commit { finished: old.iter().map(Work::finished).collect(), ..Commit::default() };
            match self.store.commit(commit).await {
                Ok(_) if last => return Ok(()),
                Ok(_) => {}
                Err(CommitError::Store(error)) => return Err(error),
                // Nothing that it could conflict with.
                Err(CommitError::Conflict(_) | CommitError::Delivered) => return Ok(()),
            }
        }
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

    fn writer(&self, channel: &ChannelKey) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        channel.hash(&mut hasher);
        let place = hasher.finish() % self.writers.len() as u64;
        // Smaller than the number of writers, which is a usize.
        &self.writers[usize::try_from(place).unwrap_or_default()]
    }
}

impl Folded for Rules {
    const FAMILY: &'static str = "rules";
    const SCHEMA: u32 = 1;
    type Event = Event;

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
