//! The plans of channels over the store. A plan is read where a step is verified or somebody looks at
//! it, which is rare: it is not kept in memory.

use std::sync::Arc;

use jiff::Timestamp;

use super::stream::{self, Folded, Next, Streams};
use crate::chat::{Actor, ChannelKey};
use crate::domain::plan::{ChannelPlan, Event, Recorded, Refusal};
use crate::store::{Commit, Store, StoreError};

/// Changes that can be under way at the same time.
const WRITERS: usize = 16;

pub struct Plans {
    streams: Streams<ChannelPlan>,
}

pub type ChangeError = stream::ChangeError<Refusal>;

impl Folded for ChannelPlan {
    const FAMILY: &'static str = "plan";
    const SCHEMA: u32 = 1;
    type Event = Event;
    type Refusal = Refusal;

    fn kind(event: &Event) -> &'static str {
        event.kind()
    }

    fn fold(state: Option<Self>, event: &Event, by: &Actor, at: Timestamp) -> Option<Self> {
        Some(ChannelPlan::apply(state, &Recorded { event: event.clone(), by: by.clone(), at }))
    }
}

impl Plans {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { streams: Streams::new(store, WRITERS) }
    }

    /// The channel's plan; none yet is one that says nothing.
    pub async fn read(&self, channel: &ChannelKey) -> Result<ChannelPlan, StoreError> {
        Ok(self.read_with_version(channel).await?.1)
    }

    /// The same, with the version that it has; 0: nothing was ever planned.
    pub async fn read_with_version(&self, channel: &ChannelKey) -> Result<(u64, ChannelPlan), StoreError> {
        let slot = self.streams.read(channel.as_str()).await?;
        Ok((slot.version, slot.state.map(Arc::unwrap_or_clone).unwrap_or_default()))
    }

    /// Decides on the present plan and commits what follows.
    pub async fn change(
        &self,
        channel: &ChannelKey,
        by: &Actor,
        now: Timestamp,
        decide: impl Fn(Option<&ChannelPlan>) -> Result<Vec<Event>, Refusal> + Send + Sync,
    ) -> Result<ChannelPlan, ChangeError> {
        let nothing = |_: &Next<'_, ChannelPlan>| Commit::default();
        let changed = self.streams.change(channel.as_str(), by, now, decide, nothing).await?;
        Ok(Arc::unwrap_or_clone(changed.state))
    }
}
