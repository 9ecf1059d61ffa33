//! Notifications: the rules of a channel, what they fire for, and what is made of it.
//!
//! Pure: no clock, no I/O. [`decide()`] turns a command into events or refuses it with a reason,
//! [`Rules::apply`] is the only way in which an event changes the rules. Everything else here is
//! computed from what it is given: whether a rule fires, what becomes of a card then, which intakes
//! are silent, when many firings are one message, when a digest is due, what it says, and its chart. Where occurrences
//! come from and how they reach a channel is not known here.

mod band;
pub mod budget;
mod card;
pub mod chart;
mod decide;
mod describe;
mod digest;
mod event;
mod happened;
mod journal;
mod late;
mod log;
mod matching;
mod occurrence;
mod sample;
pub mod silence;
mod state;
pub mod storm;
mod summary;
mod tally;
mod trigger;
mod values;
mod watch;
pub mod zone;

pub use band::{Band, Bands, band};
pub use card::{Acknowledged, Card};
pub use decide::{Command, MAX_RULES, Refusal, decide};
pub use describe::minutes;
pub use digest::{Digest, Due, Every};
pub use event::{Event, Recorded};
pub use happened::{Firing, Missing, Outcome, Stored, happened};
pub use journal::{About, Entry, Fired, Hour, Journal, KEPT};
pub use late::{Late, gather};
pub use log::{ChannelLog, Noted};
pub use matching::{RuleKey, RuleSet, matches};
pub use occurrence::{Alert, Case, Connector, Named, Occurrence, Playbook, Silence, What};
pub use sample::sample;
pub use state::{LONGEST_MUTE, LastFired, Planned, Proof, Rule, Rules, Webhook, Which, is_ahead, token_hash};
pub use summary::{Count, Period, RuleLine, Slot, Summary, summary};
pub use tally::{MOST_NAMES, Tally, Times};
pub use trigger::{Key, TRIGGERS, Trigger, TriggerSpec};
pub use values::{AlertStatus, Impossible, MAX_NAME, SILENCE};
pub use watch::{Conditions, Watch};
pub use zone::Place;
