//! What is known of a channel beside its messages: counts for summaries, storms, silent intakes, when
//! rules fired.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::{Entry, Journal};
use super::state::LastFired;
use super::storm::Storm;

/// Stored: a field is added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelLog {
    pub journal: Journal,
    /// By the rule's number.
    #[serde(default)]
    pub storms: BTreeMap<u32, Storm>,
    /// Intakes that are silent, with the key of the message that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent: BTreeMap<Box<str>, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fired: LastFired,
}

/// What the log takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    Entry(Entry),
    /// How the rule fires now.
    Storm {
        rule: u32,
        storm: Storm,
    },
    /// The message with this key says that the intake is silent.
    Silent {
        intake: Box<str>,
        key: String,
    },
    /// The intake sends again.
    Resumed {
        intake: Box<str>,
    },
    /// What the message with the key `from` says is said in another one now.
    Moved {
        from: String,
        to: String,
    },
    Fired {
        rule: u32,
    },
}

impl ChannelLog {
    /// Nothing is known of the time before.
    pub fn new(since: Timestamp) -> Self {
        Self { journal: Journal::new(since), storms: BTreeMap::new(), silent: BTreeMap::new(), fired: LastFired::new() }
    }

    pub fn note(&mut self, noted: Noted, at: Timestamp) {
        match noted {
            Noted::Entry(entry) => self.journal.enter(entry, at),
            Noted::Storm { rule, storm } => drop(self.storms.insert(rule, storm)),
            Noted::Silent { intake, key } => drop(self.silent.insert(intake, key)),
            Noted::Resumed { intake } => drop(self.silent.remove(&intake)),
            Noted::Moved { from, to } => {
                self.silent.values_mut().filter(|key| **key == from).for_each(|key| key.clone_from(&to));
            }
            Noted::Fired { rule } => drop(self.fired.insert(rule, at)),
        }
    }
}
