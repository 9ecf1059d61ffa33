//! Whose webhook a token is. Looked up in memory by the token's hash, believed only if the
//! channel's rules still say so: another process may have revoked it.

use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::chat::ChannelKey;
use crate::domain::notify::Event;

#[derive(Debug, Default)]
pub(super) struct Webhooks {
    pub by_hash: DashMap<Box<str>, ChannelKey>,
    /// When all rules were read.
    pub read: Mutex<Option<Timestamp>>,
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
