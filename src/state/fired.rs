//! How a channel's rules fired lately, and what summaries count: one row a channel, written in the
//! commit of the messages that it speaks of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kept::row;
use crate::chat::ChannelKey;
use crate::domain::notify::Journal;
use crate::domain::notify::storm::Storm;
use crate::store::{Schedule, WorkKind};

/// The body of a [`WorkKind::Fired`] row, whose key is the channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FiredLog {
    pub journal: Journal,
    /// By the rule's number.
    #[serde(default)]
    pub storms: BTreeMap<u32, Storm>,
    /// Intakes that are silent, with the key of the message that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent: BTreeMap<Box<str>, String>,
    /// By the rule's number, when it fired last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fired: BTreeMap<u32, Timestamp>,
}

impl FiredLog {
    pub fn new(since: Timestamp) -> Self {
        Self { journal: Journal::new(since), storms: BTreeMap::new(), silent: BTreeMap::new(), fired: BTreeMap::new() }
    }

    pub fn row(&self, channel: &ChannelKey) -> Schedule {
        row(WorkKind::Fired, channel.as_str(), self)
    }
}
