//! How a channel's rules fired lately, and what summaries count: one row a channel, written in the
//! commit of the messages that it speaks of.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::row;
use crate::notify::Journal;
use crate::notify::storm::Storm;
use crate::platform::ChannelKey;
use crate::store::{Schedule, WorkKind};

/// Occurrences that are remembered; older ones are known by their message or their date.
const REMEMBERED: usize = 500;

/// The body of a [`WorkKind::Fired`] row, whose key is the channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FiredLog {
    pub journal: Journal,
    /// By the rule's number.
    #[serde(default)]
    pub storms: BTreeMap<u32, Storm>,
    /// What was reported of late, by the first eight bytes of a hash of its id.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub last: VecDeque<u64>,
    /// Intakes that are silent, with the key of the message that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent: BTreeMap<Box<str>, String>,
    /// By the rule's number, when it fired last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fired: BTreeMap<u32, Timestamp>,
}

impl FiredLog {
    pub fn new(since: Timestamp) -> Self {
        Self {
            journal: Journal::new(since),
            storms: BTreeMap::new(),
            last: VecDeque::new(),
            silent: BTreeMap::new(),
            fired: BTreeMap::new(),
        }
    }

    /// Whether an occurrence was reported before; from now on it was.
    pub fn is_known(&mut self, id: &str) -> bool {
        let short = short(id);
        if self.last.contains(&short) {
            return true;
        }
        self.last.push_back(short);
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
        false
    }

    pub fn row(&self, channel: &ChannelKey) -> Schedule {
        row(WorkKind::Fired, channel.as_str(), self)
    }
}

fn short(id: &str) -> u64 {
    let hash = Sha256::digest(id.as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reported_is_known_for_a_while() {
        let mut log = FiredLog::new(Timestamp::UNIX_EPOCH);
        assert!(!log.is_known("0"));
        for other in 1..REMEMBERED {
            assert!(!log.is_known(&other.to_string()));
        }
        assert!(log.is_known("0"));
        assert!(!log.is_known("new"));
        assert_eq!(log.last.len(), REMEMBERED);
        assert!(!log.is_known("0"));
        let kept: FiredLog = serde_json::from_str(&crate::streams::encode(&log)).unwrap();
        assert_eq!(kept.last, log.last);
    }
}
