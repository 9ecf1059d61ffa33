//! Messages about what happens at Sekoia, as they are stored: what they say, and where they stand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kept::{keep, row_due};
use crate::chat::MessageId;
use crate::domain::notify::Card;
use crate::store::{Keep, KeptKind, Schedule, WorkKind};

/// The body of a [`KeptKind::Posted`] row, of the same key. Only who posts writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    pub message: MessageId,
    /// What of the news is shown there.
    pub seq: u64,
    /// The earlier message that it replaces, because that one could not be edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<MessageId>,
    /// When it was posted, if it replaces one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Posted {
    pub fn row(&self, key: &str) -> Keep {
        keep(KeptKind::Posted, key, self)
    }
}

/// The row of a card that is to be shown now: a [`WorkKind::News`], due while it is not shown, kept for a
/// while after.
pub fn card_row(card: &Card, key: &str, now: Timestamp) -> Schedule {
    row_due(WorkKind::News, key, card, now)
}
