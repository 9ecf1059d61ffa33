//! Whose webhook a token is. Looked up in memory by the token's hash, believed only if the
//! channel's rules still say so: another process may have revoked it.

use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::rules::Notifications;
use crate::chat::ChannelKey;
use crate::domain::notify::{Event, token_hash};
use crate::store::StoreError;
use crate::timing::state::READ_AGAIN;

#[derive(Debug, Default)]
pub(super) struct Webhooks {
    by_hash: DashMap<Box<str>, ChannelKey>,
    /// When all rules were read.
    read: Mutex<Option<Timestamp>>,
}

impl Webhooks {
    /// Takes in what was committed.
    pub fn follow(&self, channel: &ChannelKey, events: &[Event]) {
        for event in events {
            match event {
                Event::WebhookMade { hash } => {
                    self.by_hash.retain(|_, of| of != channel);
                    self.by_hash.insert(hash.clone(), channel.clone());
                }
                Event::WebhookRevoked => self.by_hash.retain(|_, of| of != channel),
                _ => {}
            }
        }
    }
}

impl Notifications {
    /// The channel whose webhook this token is; none for one that never was, and for one that is no
    /// more.
    pub async fn channel_of(&self, token: &str, now: Timestamp) -> Result<Option<ChannelKey>, StoreError> {
        let hash = token_hash(token);
        if let Some(channel) = self.confirmed(&hash).await? {
            return Ok(Some(channel));
        }
        {
            let mut read = self.webhooks.read.lock().await;
            if read.is_some_and(|at| now.duration_since(at) < READ_AGAIN && now >= at) {
                return Ok(None);
            }
            for channel in self.channels().await? {
                match self.read(&channel).await {
                    Ok(rules) => {
                        if let Some(webhook) = rules.webhook {
                            self.webhooks.by_hash.insert(webhook.hash, channel);
                        }
                    }
                    // One that cannot be read hides none of the others.
                    Err(StoreError::Corrupt { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            *read = Some(now);
        }
        self.confirmed(&hash).await
    }

    async fn confirmed(&self, hash: &str) -> Result<Option<ChannelKey>, StoreError> {
        let Some(channel) = self.webhooks.by_hash.get(hash).map(|channel| channel.clone()) else { return Ok(None) };
        let current = self.read(&channel).await?.webhook;
        if current.is_some_and(|webhook| *webhook.hash == *hash) {
            return Ok(Some(channel));
        }
        self.webhooks.by_hash.remove(hash);
        Ok(None)
    }
}
