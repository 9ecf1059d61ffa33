//! What whoever watches is told to look at: by a webhook of Sekoia's, or by somebody who tests a
//! rule. Kept as a row of `WorkKind::Hint` until it is seen to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::kept::row_due;
use crate::chat::ChannelKey;
use crate::domain::notify::Occurrence;
use crate::store::{Schedule, WorkKind};

/// Hints that wait for a channel at the same time. Sekoia's own storms are smaller; whoever else has
/// the address cannot fill the store. The first come are kept, later ones are dropped.
pub const MOST_WAITING: usize = 2_000;

/// Stored: a variant or a field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hint", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "it lives as a row of JSON; none is kept in memory")]
pub enum Hint {
    /// A sample that a rule fires for: it goes the way of what really happened.
    Sample { channel: ChannelKey, rule: u32, occurrence: Occurrence },
    /// What a rule of Sekoia's own posted. Only a hint: it is read at Sekoia before it is believed.
    Webhook {
        channel: ChannelKey,
        /// `alert`, `content-proposal`, as Sekoia says it.
        kind: Box<str>,
        /// `created`, `updated`, `deleted`.
        action: Box<str>,
        uuid: Box<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        short_id: Option<Box<str>>,
        created_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        community: Option<Uuid>,
    },
}

impl Hint {
    pub fn channel(&self) -> &ChannelKey {
        match self {
            Hint::Sample { channel, .. } | Hint::Webhook { channel, .. } => channel,
        }
    }

    /// The row's key. What Sekoia says twice is one row; every sample is another.
    pub fn key(&self) -> String {
        let mut hasher = Sha256::new();
        // Each part behind its length: no two lists of parts are one text.
        let mut part = |text: &str| {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        match self {
            Hint::Sample { channel, rule, occurrence } => {
                part("sample");
                part(channel.as_str());
                part(&rule.to_string());
                part(&occurrence.id);
            }
            Hint::Webhook { channel, kind, action, uuid, created_at, .. } => {
                part("webhook");
                part(channel.as_str());
                for text in [kind, action, uuid] {
                    part(text);
                }
                part(&created_at.to_string());
            }
        }
        hex::encode(hasher.finalize())
    }

    /// As it is scheduled: to be seen to at once.
    pub fn row(&self, now: Timestamp) -> Schedule {
        row_due(WorkKind::Hint, self.key(), self, now)
    }
}
