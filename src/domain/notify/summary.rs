//! What the rules of a channel did in a time: counted from the journal.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::band::Bands;
use super::digest::Due;
use super::journal::{Fired, Hour, Journal, began, hour_of};
use super::state::Rules;
use super::tally::{Tally, Times};
use crate::chat::text::shown;
use crate::chat::view::clock;

/// A time in whole hours of the journal: what began before `until`, and not before `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// The summary of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub period: Period,
    /// Later than the period's beginning if the journal is younger.
    pub counted_from: Timestamp,
    /// Of what happened: an alert that several rules fired for is one. Rules count their own.
    pub bands: Bands,
    /// Of the period before, of the same length; none if the journal does not reach back so far.
    pub before: Option<u32>,
    /// Every rule of the channel, and removed ones that fired; the noisiest first.
    pub rules: Vec<RuleLine>,
    /// The noisiest first.
    pub entities: Vec<Count>,
    /// Intakes that fell silent, and how often.
    pub silent: Vec<Count>,
    pub playbooks: Vec<Count>,
    /// Alerts, each once.
    pub acknowledged: u64,
    /// Firings for alerts that came in storms, of all of the same rules: how long these alerts
    /// waited is not known.
    pub swarmed: (u32, u32),
    /// About; none if nothing was acknowledged.
    pub median_to_acknowledge: Option<SignedDuration>,
    /// The period in hours, or in days if it is long.
    pub slots: Vec<Slot>,
}

/// What one rule did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLine {
    pub number: u32,
    /// In plain words, harmless to show; none if the rule is removed.
    pub what: Option<String>,
    pub paused: bool,
    pub bands: Bands,
    pub before: Option<u32>,
    pub median_to_acknowledge: Option<SignedDuration>,
    /// How often it could not be evaluated.
    pub failed: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Harmless to show.
    pub name: String,
    pub count: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub from: Timestamp,
    pub bands: Bands,
}

/// Names that a list shows.
const MOST: usize = 10;
/// Characters of a name.
const NAME: usize = 60;
/// A longer period is shown by days.
const BY_HOURS: SignedDuration = SignedDuration::from_hours(48);

impl Period {
    /// The last so many hours, the running one included.
    pub fn last(hours: u16, now: Timestamp) -> Self {
        let end = hour_of(now).saturating_add(1);
        Self { from: began(end - i64::from(hours.max(1))), until: began(end) }
    }

    /// Of a digest. What happens in the hour in which it is sent belongs to the next one.
    pub fn of(due: &Due) -> Self {
        Self { from: began(hour_of(due.from)), until: began(hour_of(due.at)) }
    }

    pub fn length(&self) -> SignedDuration {
        self.until.duration_since(self.from)
    }

    /// `2026-10-20 08:00 to 2026-10-21 08:00 Europe/Paris`.
    pub fn in_words(&self, zone: &TimeZone) -> String {
        let name = zone.iana_name().unwrap_or("UTC");
        format!("{} to {} {name}", clock(self.from, zone), clock(self.until, zone))
    }

    fn before(&self) -> Self {
        let from = self.from.checked_sub(self.length()).unwrap_or(Timestamp::MIN);
        Self { from, until: self.from }
    }
}

/// Counts what the journal holds of `period`; `zone` decides when its days begin.
pub fn summary(journal: &Journal, rules: &Rules, period: Period, zone: &TimeZone) -> Summary {
    let known = hour_of(journal.since);
    let earlier = period.before();
    let comparable = hour_of(earlier.from) >= known;
    let counted = sums(journal, period);
    let before = sums(journal, earlier);
    let before_of = |number| comparable.then(|| before.rules.get(&number).map_or(0, |fired| fired.bands.total()));
    let line = |number, what, paused| {
        let fired = counted.rules.get(&number).cloned().unwrap_or_default();
        let median_to_acknowledge = fired.acknowledged.median();
        let (before, failed) = (before_of(number), fired.failed);
        RuleLine { number, what, paused, bands: fired.bands, before, median_to_acknowledge, failed }
    };
    let here = rules.rules.iter().map(|rule| line(rule.number, Some(rule.watch.to_string()), rule.paused));
    let removed = counted.rules.keys().filter(|number| rules.rule(**number).is_none());
    let mut lines: Vec<RuleLine> = here.chain(removed.map(|number| line(*number, None, false))).collect();
    lines.sort_by_key(|line| (std::cmp::Reverse(line.bands.total()), line.number));
    let (mut times, mut swarmed) = (Times::default(), (0_u32, 0_u32));
    for fired in counted.rules.values() {
        times.add(&fired.acknowledged);
        if fired.swarmed > 0 {
            swarmed.0 = swarmed.0.saturating_add(fired.swarmed);
            swarmed.1 = swarmed.1.saturating_add(fired.bands.total());
        }
    }
    times.subtract(&counted.acknowledged_again);
    Summary {
        period,
        counted_from: period.from.max(journal.since).min(period.until),
        bands: counted.happened,
        before: comparable.then(|| before.happened.total()),
        rules: lines,
        entities: noisiest(counted.entities),
        silent: noisiest(counted.silent),
        playbooks: noisiest(counted.playbooks),
        acknowledged: times.total(),
        swarmed,
        median_to_acknowledge: times.median(),
        slots: slots(journal, period, zone),
    }
}

impl Summary {
    pub fn total(&self) -> u32 {
        self.bands.total()
    }

    /// Rules that could have fired and did not.
    pub fn never_fired(&self) -> impl Iterator<Item = &RuleLine> {
        self.rules.iter().filter(|line| line.bands.total() == 0 && !line.paused && line.what.is_some())
    }

    /// Rules that could not be evaluated all the time.
    pub fn failing(&self) -> impl Iterator<Item = &RuleLine> {
        self.rules.iter().filter(|line| line.failed > 0)
    }

    /// `up 3 from 4`, or nothing that could be compared.
    pub fn change(&self) -> Option<String> {
        change(self.total(), self.before?)
    }
}

impl RuleLine {
    pub fn change(&self) -> Option<String> {
        change(self.bands.total(), self.before?)
    }
}

fn change(now: u32, before: u32) -> Option<String> {
    Some(match now.cmp(&before) {
        std::cmp::Ordering::Greater => format!("up {} from {before}", now - before),
        std::cmp::Ordering::Less => format!("down {} from {before}", before - now),
        std::cmp::Ordering::Equal => "as before".into(),
    })
}

#[derive(Default)]
struct Sums<'a> {
    rules: BTreeMap<u32, Fired>,
    happened: Bands,
    acknowledged_again: Times,
    entities: BTreeMap<&'a str, u64>,
    silent: BTreeMap<&'a str, u64>,
    playbooks: BTreeMap<&'a str, u64>,
}

fn sums(journal: &Journal, period: Period) -> Sums<'_> {
    let mut sums = Sums::default();
    for (_, hour) in journal.within(period.from, period.until) {
        let Hour { rules, entities, silent, playbooks, acknowledged_again, again: _ } = hour;
        sums.happened.add(&hour.happened(period.from));
        sums.acknowledged_again.add(acknowledged_again);
        for (number, fired) in rules {
            let sum = sums.rules.entry(*number).or_default();
            sum.bands.add(&fired.bands);
            sum.acknowledged.add(&fired.acknowledged);
            sum.failed = sum.failed.saturating_add(fired.failed);
            sum.swarmed = sum.swarmed.saturating_add(fired.swarmed);
        }
        add(&mut sums.entities, entities);
        add(&mut sums.silent, silent);
        add(&mut sums.playbooks, playbooks);
    }
    sums
}

fn add<'a>(sums: &mut BTreeMap<&'a str, u64>, tally: &'a Tally) {
    for (name, count) in tally.iter() {
        *sums.entry(name).or_default() += count;
    }
}

fn noisiest(counts: BTreeMap<&str, u64>) -> Vec<Count> {
    let mut all: Vec<(&str, u64)> = counts.into_iter().collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    all.truncate(MOST);
    all.into_iter().map(|(name, count)| Count { name: shown(name, NAME), count }).collect()
}

/// Hours, or days of the calendar of `zone` counted from when the period begins.
fn slots(journal: &Journal, period: Period, zone: &TimeZone) -> Vec<Slot> {
    let by_hours = period.length() <= BY_HOURS;
    let begin = period.from.to_zoned(zone.clone());
    let step = |n: i64| if by_hours { begin.checked_add(n.hours()) } else { begin.checked_add(n.days()) };
    let starts = (0..).map_while(|n| step(n).ok().map(|at| at.timestamp())).take_while(|at| *at < period.until);
    let mut slots: Vec<Slot> = starts.map(|from| Slot { from, bands: Bands::default() }).collect();
    for (at, hour) in journal.within(period.from, period.until) {
        // The slots begin with the period: the first is never after an hour of it.
        let place = slots.partition_point(|slot| slot.from <= at).saturating_sub(1);
        if let Some(slot) = slots.get_mut(place) {
            slot.bands.add(&hour.happened(period.from));
        }
    }
    slots
}
