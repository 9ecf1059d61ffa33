//! What firings leave behind for summaries: counts by the hour, never the firings themselves.
//!
//! Its size is bounded by hours, rules and names, not by how much happened: a million alerts take
//! as much room as a thousand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::band::Bands;
use super::occurrence::{Occurrence, What};
use super::tally::{Tally, Times};

/// Hours that are kept: a week, the week before it, and a day for digests that are late.
pub const KEPT: i64 = 15 * 24;
/// Hours by which two clocks of one deployment may differ.
const AHEAD: i64 = 2;
const HOUR: i64 = 3600;

/// One channel's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Nothing is known of the time before.
    pub since: Timestamp,
    /// By hours since 1970.
    #[serde(default)]
    hours: BTreeMap<i64, Hour>,
}

/// One hour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hour {
    /// By the rule's number.
    #[serde(default)]
    pub rules: BTreeMap<u32, Fired>,
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub entities: Tally,
    /// Intakes that fell silent.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub silent: Tally,
    /// Playbooks that failed.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub playbooks: Tally,
    /// Firings for what another rule had fired for already, by the hour of the firing before:
    /// whoever counts what happened takes them away again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<i64, Bands>,
    /// Alerts that are in `acknowledged` of a further rule too.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub acknowledged_again: Times,
}

/// What one rule did in an hour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fired {
    #[serde(default)]
    pub bands: Bands,
    /// How long alerts that it told of waited until they were acknowledged.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub acknowledged: Times,
    /// Firings for alerts that only a storm's message tells of: nobody sees when they are acknowledged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub swarmed: u32,
    /// How often it could not be evaluated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
}

/// What is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    Fired {
        rule: u32,
        urgency: Option<u8>,
        about: About,
    },
    Acknowledged {
        rule: u32,
        seconds: u64,
    },
    /// A firing, beside its [`Entry::Fired`], was for what another rule had fired for at `before`.
    Again {
        before: Timestamp,
        urgency: Option<u8>,
    },
    /// The same of an [`Entry::Acknowledged`].
    AcknowledgedAgain {
        seconds: u64,
    },
    /// A firing for an alert, beside its [`Entry::Fired`], joined a storm.
    Swarmed {
        rule: u32,
    },
    Failed {
        rule: u32,
    },
}

/// The name that a firing is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum About {
    Nothing,
    Entity(Box<str>),
    Silent(Box<str>),
    Playbook(Box<str>),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Entry {
    /// The entry of a firing; none for what is only the end of something.
    pub fn fired(rule: u32, occurrence: &Occurrence) -> Option<Entry> {
        let (urgency, about) = match &occurrence.what {
            What::Resumed(_) => return None,
            What::AlertRaised(alert) | What::AlertUpdated(alert) => {
                let entity = alert.entity.as_ref().map(|entity| About::Entity(entity.label().into()));
                (alert.urgency, entity.unwrap_or(About::Nothing))
            }
            What::Silent(silence) => (None, About::Silent(silence.intake.label().into())),
            What::PlaybookError(playbook) => (None, About::Playbook(playbook.playbook.label().into())),
            _ => (None, About::Nothing),
        };
        Some(Entry::Fired { rule, urgency, about })
    }

    /// The entries of a firing for what another rule had fired for at `before`.
    pub fn fired_again(rule: u32, occurrence: &Occurrence, before: Timestamp) -> Vec<Entry> {
        let Some(Entry::Fired { urgency, .. }) = Entry::fired(rule, occurrence) else { return Vec::new() };
        // Its name is counted already.
        vec![Entry::Fired { rule, urgency, about: About::Nothing }, Entry::Again { before, urgency }]
    }
}

/// The hour of an instant, since 1970.
pub(super) fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

/// When an hour began.
pub(super) fn began(hour: i64) -> Timestamp {
    Timestamp::from_second(hour.saturating_mul(HOUR)).unwrap_or(Timestamp::MIN)
}

impl Hour {
    /// Firings for what a rule had fired for already, since then.
    pub(super) fn again_since(&self, from: Timestamp) -> Bands {
        let mut again = Bands::default();
        self.again.range(hour_of(from)..).for_each(|(_, bands)| again.add(bands));
        again
    }

    /// What happened: each thing once, whichever rules fired for it since then.
    pub(super) fn happened(&self, from: Timestamp) -> Bands {
        let mut bands = Bands::default();
        self.rules.values().for_each(|fired| bands.add(&fired.bands));
        bands.subtract(&self.again_since(from));
        bands
    }
}

impl Journal {
    pub fn new(since: Timestamp) -> Self {
        Self { since, hours: BTreeMap::new() }
    }

    /// Enters what happens now, at `at`.
    pub fn enter(&mut self, entry: Entry, at: Timestamp) {
        let number = hour_of(at);
        // A clock that was ahead and is right again would leave no room for what comes.
        self.hours.split_off(&(number + AHEAD));
        while self.hours.first_key_value().is_some_and(|(first, _)| *first <= number - KEPT) {
            self.hours.pop_first();
        }
        self.since = self.since.min(at).max(began(number - KEPT + 1));
        let hour = self.hours.entry(number).or_default();
        match entry {
            Entry::Fired { rule, urgency, about } => {
                hour.rules.entry(rule).or_default().bands.count(urgency);
                match about {
                    About::Nothing => {}
                    About::Entity(name) => hour.entities.count(&name, at),
                    About::Silent(name) => hour.silent.count(&name, at),
                    About::Playbook(name) => hour.playbooks.count(&name, at),
                }
            }
            Entry::Acknowledged { rule, seconds } => hour.rules.entry(rule).or_default().acknowledged.count(seconds),
            Entry::Again { before, urgency } => {
                // Never after the hour that it is entered in, whatever the clock showed then.
                let before = hour_of(before).clamp(number - KEPT, number);
                hour.again.entry(before).or_default().count(urgency);
            }
            Entry::AcknowledgedAgain { seconds } => hour.acknowledged_again.count(seconds),
            Entry::Swarmed { rule } => {
                let swarmed = &mut hour.rules.entry(rule).or_default().swarmed;
                *swarmed = swarmed.saturating_add(1);
            }
            Entry::Failed { rule } => {
                let failed = &mut hour.rules.entry(rule).or_default().failed;
                *failed = failed.saturating_add(1);
            }
        }
    }

    /// The hours that begin in this time.
    pub fn within(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = (Timestamp, &Hour)> {
        let (first, end) = (hour_of(from), hour_of(until));
        self.hours.range(first..end.max(first)).map(|(hour, counts)| (began(*hour), counts))
    }

    /// How much it holds: it stays the same however much happens.
    pub fn size(&self) -> usize {
        let names = |hour: &Hour| hour.entities.len() + hour.silent.len() + hour.playbooks.len();
        let again = |hour: &Hour| hour.again.len() + hour.acknowledged_again.len();
        let times = |hour: &Hour| hour.rules.values().map(|fired| 1 + fired.acknowledged.len()).sum::<usize>();
        self.hours.values().map(|hour| 1 + names(hour) + times(hour) + again(hour)).sum()
    }
}
