//! What can have happened to a channel's rules, and how it changes the state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::state::{Planned, Rule, Rules, Webhook, Which};
use super::watch::Watch;
use crate::chat::{Actor, Change};

/// Something that happened. Stored as the body of an audit record: a variant or a field is added,
/// never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Added {
        number: u32,
        watch: Watch,
    },
    Removed {
        number: u32,
    },
    Paused {
        number: u32,
    },
    /// Neither paused nor muted any more.
    Resumed {
        number: u32,
    },
    Muted {
        number: u32,
        until: Timestamp,
    },
    /// A sample is on its way; `key`: of its message.
    Sampled {
        number: u32,
        key: Box<str>,
    },
    Tested {
        number: u32,
    },
    /// Also instead of an older token, which is worth nothing from here on.
    WebhookMade {
        hash: Box<str>,
    },
    WebhookRevoked,
    DigestSet {
        digest: Digest,
    },
    DigestCleared {
        which: Which,
    },
    /// `at`: the planned instant.
    DigestSent {
        which: Which,
        at: Timestamp,
    },
    /// An alert is about to be moved at Sekoia. It changes no rule, and neither does what follows.
    AlertMoving {
        alert: Box<str>,
        to: Box<str>,
    },
    /// What became of it.
    AlertMoved {
        alert: Box<str>,
        outcome: Box<str>,
    },
}

/// An event with who and when: without both, nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    pub event: Event,
    pub by: Actor,
    pub at: Timestamp,
}

impl Event {
    /// The record's kind in the audit.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Added { .. } => "rule.added",
            Event::Removed { .. } => "rule.removed",
            Event::Paused { .. } => "rule.paused",
            Event::Resumed { .. } => "rule.resumed",
            Event::Muted { .. } => "rule.muted",
            Event::Sampled { .. } => "rule.sampled",
            Event::Tested { .. } => "rule.tested",
            Event::WebhookMade { .. } => "webhook.made",
            Event::WebhookRevoked => "webhook.revoked",
            Event::DigestSet { .. } => "digest.set",
            Event::DigestCleared { .. } => "digest.cleared",
            Event::DigestSent { .. } => "digest.sent",
            Event::AlertMoving { .. } => "alert.moving",
            Event::AlertMoved { .. } => "alert.moved",
        }
    }
}

impl Rules {
    /// The only way in which anything changes.
    pub fn apply(&mut self, Recorded { event, by, at }: &Recorded) {
        let change = || Change { by: by.clone(), at: *at };
        match event.clone() {
            Event::Added { number, watch } => {
                self.next = self.next.max(number.saturating_add(1));
                let (by, at) = (by.clone(), *at);
                let new = Rule { number, watch, paused: false, muted_until: None, by, at, sample: None, tested: None };
                self.rules.push(new);
            }
            Event::Removed { number } => self.rules.retain(|rule| rule.number != number),
            Event::Paused { number } => self.edit(number, |rule| rule.paused = true),
            Event::Resumed { number } => self.edit(number, |rule| (rule.paused, rule.muted_until) = (false, None)),
            Event::Muted { number, until } => self.edit(number, |rule| rule.muted_until = Some(until)),
            Event::Sampled { number, key } => self.edit(number, |rule| rule.sample = Some(key)),
            Event::Tested { number } => self.edit(number, |rule| rule.tested = Some(change())),
            Event::WebhookMade { hash } => self.webhook = Some(Webhook { hash, made: change() }),
            Event::WebhookRevoked => self.webhook = None,
            Event::DigestSet { digest } => {
                let which = Which::from(digest.every);
                *self.slot(which) = Some(Planned { digest, set: change(), sent: None });
            }
            Event::DigestCleared { which } => *self.slot(which) = None,
            Event::DigestSent { which, at } => {
                if let Some(planned) = self.slot(which) {
                    planned.sent = Some(at);
                }
            }
            Event::AlertMoving { .. } | Event::AlertMoved { .. } => {}
        }
    }

    fn edit(&mut self, number: u32, edit: impl FnOnce(&mut Rule)) {
        if let Some(rule) = self.rules.iter_mut().find(|rule| rule.number == number) {
            edit(rule);
        }
    }

    fn slot(&mut self, which: Which) -> &mut Option<Planned> {
        match which {
            Which::Daily => &mut self.daily,
            Which::Weekly => &mut self.weekly,
        }
    }
}
