//! Whose webhook a token is: a row by the token's hash, kept in the commit that makes the webhook. It is
//! believed only if the channel's rules still say so.

use jiff::Timestamp;

use super::kept::{decode, keep, keep_until};
use super::rules::Notifications;
use crate::chat::ChannelKey;
use crate::domain::notify::{Event, Rules, token_hash};
use crate::store::{Commit, CommitError, Keep, KeptKind, StoreError};

/// The row that says that the webhooks of releases without rows have theirs. No hash is such a word.
const INDEXED: &str = "indexed";

/// What is kept of a channel's webhook because of these events.
pub(super) fn rows(channel: &ChannelKey, before: Option<&Rules>, events: &[Event], now: Timestamp) -> Vec<Keep> {
    let mut rows = Vec::new();
    for event in events {
        if matches!(event, Event::WebhookMade { .. } | Event::WebhookRevoked)
            && let Some(gone) = before.and_then(|rules| rules.webhook.as_ref())
        {
            rows.push(keep_until(KeptKind::Webhook, &*gone.hash, channel, now));
        }
        if let Event::WebhookMade { hash } = event {
            rows.push(keep(KeptKind::Webhook, &**hash, channel));
        }
    }
    rows
}

impl Notifications {
    /// The channel whose webhook this token is; none for one that never was, and for one that is no
    /// more.
    pub async fn channel_of(&self, token: &str) -> Result<Option<ChannelKey>, StoreError> {
        let hash = token_hash(token);
        let Some(row) = self.store().kept(KeptKind::Webhook, &hash).await? else { return Ok(None) };
        let Some(channel) = decode::<ChannelKey>(&row) else { return Ok(None) };
        let current = self.read(&channel).await?.webhook;
        Ok(current.is_some_and(|webhook| *webhook.hash == *hash).then_some(channel))
    }

    /// Keeps a row for each webhook that an earlier release made, once.
    pub async fn index_webhooks(&self) -> Result<(), StoreError> {
        if self.store().kept(KeptKind::Webhook, INDEXED).await?.is_some() {
            return Ok(());
        }
        let mut rows = vec![keep(KeptKind::Webhook, INDEXED, &true)];
        for channel in self.channels().await? {
            match self.read(&channel).await {
                Ok(rules) => {
                    rows.extend(rules.webhook.map(|webhook| keep(KeptKind::Webhook, &*webhook.hash, &channel)));
                }
                // One that cannot be read hides none of the others.
                Err(StoreError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match self.store().commit(Commit { keep: rows, ..Commit::default() }).await {
            Ok(_) | Err(CommitError::Conflict(_) | CommitError::Delivered) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
        }
    }
}
