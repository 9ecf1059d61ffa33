//! Which intakes fell silent, and which came back.
//!
//! Sekoia lists intakes without their last event and counts events by the hour. An intake's last
//! event is therefore known between two bounds: not before its newest hour with events began, and
//! not after that hour ended, or after the look at which its count had last grown. Looks follow
//! each other by minutes, so the bounds close in while the bot runs. Silence is believed from the
//! later bound on: told late rather than wrongly.
//!
//! Who was told is remembered by rule: one that is made, resumed or no longer muted while an intake
//! is silent is told of that silence too.
//!
//! Instants here are Sekoia's and in UTC: no daylight saving. A clock of the bot's that was set
//! back makes nothing silent.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::occurrence::{Named, Silence, What};
use super::state::Rules;
use super::trigger::Trigger;
use crate::chat::ChannelKey;
use crate::chat::text::fold;

/// Length of a bin of Sekoia's counters.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How far back counters have to be asked for: the longest rule and the hour that it begins in.
pub const REACH: SignedDuration = SignedDuration::from_hours(25);
/// Counters may come later than events; below an hour, one intake is asked for precisely before
/// anything is said.
const PRECISE_BELOW: u16 = 60;

/// An intake that Sekoia lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intake {
    pub uuid: Box<str>,
    pub name: Box<str>,
    /// When it was made, if Sekoia says.
    pub created: Option<Timestamp>,
}

/// What a look at Sekoia brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    pub intakes: Vec<Intake>,
    /// By the intake's identifier: its hours that had events, as when they began and how many. An
    /// intake that is missing had none.
    pub counts: BTreeMap<Box<str>, BTreeMap<Timestamp, u64>>,
    /// By the intake's identifier: the last event, where it was searched for. None: there was none
    /// within the time that was searched.
    pub searched: BTreeMap<Box<str>, Option<Timestamp>>,
    /// Those that could not be searched for: counters alone decide, and are believed from an hour on.
    pub unsearched: BTreeSet<Box<str>>,
}

/// A time of silence that some rule waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchedIntake {
    /// The rule, as no other one is called.
    pub by: Box<str>,
    /// It is muted: told when that ends, if it is still so.
    pub muted: bool,
    /// Name or identifier in lower case; none is every intake.
    pub intake: Option<Box<str>>,
    pub minutes: u16,
}

/// What is remembered from look to look, of the intakes that are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    #[serde(default)]
    intakes: BTreeMap<Box<str>, Track>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Track {
    /// The last event was not later.
    until: Timestamp,
    /// The newest hour with events, and how many it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    newest: Option<(Timestamp, u64)>,
    /// The times for which it is silent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    silent: BTreeSet<u16>,
    /// The rules that were told of it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    told: BTreeSet<Box<str>>,
}

/// What a look led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// [`What::Silent`] and [`What::Resumed`].
    pub changes: Vec<What>,
    /// Probably silent, by counters that may be late: to be searched for, and looked at again with
    /// what was found.
    pub suspects: Vec<Suspect>,
}

/// An intake to be searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub intake: Box<str>,
    /// So many minutes back: all times that it may have reached are decided by one search.
    pub minutes: u16,
}

/// What the rules of a channel wait for.
pub fn wanted(channel: &ChannelKey, rules: &Rules, now: Timestamp) -> impl Iterator<Item = WatchedIntake> {
    let silent = rules.rules.iter().filter(|rule| !rule.paused && rule.watch.trigger == Trigger::NoEvents);
    silent.filter_map(move |rule| {
        let conditions = &rule.watch.conditions;
        let intake = conditions.intake.as_deref().map(|name| fold(name).into_boxed_str());
        let by = format!("{channel}#{}", rule.number).into();
        conditions.silent_for.map(|minutes| WatchedIntake { by, muted: rule.is_muted(now), intake, minutes })
    })
}

impl Memory {
    /// Compares a look with what is remembered. `now` is the end of the counted window.
    pub fn look(&mut self, look: &Look, wanted: &[WatchedIntake], now: Timestamp) -> Found {
        let mut found = Found::default();
        let mut before = std::mem::take(&mut self.intakes);
        for intake in &look.intakes {
            let newest = look.counts.get(&intake.uuid).and_then(newest);
            let searched = look.searched.get(&intake.uuid).copied();
            let mut track = match before.remove(&intake.uuid) {
                Some(track) => track.looked(newest, now),
                None => Track::new(intake, newest, now),
            };
            if let Some(last) = searched.flatten() {
                // Between the counters' bounds, or after them: counters may be late.
                track.until = if last > track.until { last.min(now) } else { last.max(track.began()) };
            }
            let silence = now.duration_since(track.until);
            let named = (fold(&intake.name), fold(&intake.uuid));
            let for_it = |w: &&WatchedIntake| w.intake.as_deref().is_none_or(|n| n == named.0 || n == named.1);
            let wanted: Vec<&WatchedIntake> = wanted.iter().filter(for_it).collect();
            let times: BTreeSet<u16> = wanted.iter().map(|w| w.minutes).collect();
            // Nobody waits for these any more.
            track.silent.retain(|minutes| times.contains(minutes));
            track.told.retain(|by| wanted.iter().any(|w| w.by == *by));
            let what = |minutes| {
                let intake = Named::new(&intake.uuid, &intake.name);
                Silence { intake, minutes, since: Some(track.until) }
            };
            let blind = look.unsearched.contains(&intake.uuid);
            let mut silent = BTreeSet::new();
            let mut suspect = None;
            for minutes in times {
                let was = track.silent.contains(&minutes);
                let least = if blind && !was { minutes.max(PRECISE_BELOW) } else { minutes };
                let reached = silence >= SignedDuration::from_mins(least.into());
                if reached && !was && minutes < PRECISE_BELOW && searched.is_none() && !blind {
                    suspect = suspect.max(Some(minutes));
                    continue;
                }
                let waits = wanted.iter().filter(|w| w.minutes == minutes);
                if reached {
                    silent.insert(minutes);
                    let news: Vec<&Box<str>> =
                        waits.filter(|w| !w.muted && !track.told.contains(&w.by)).map(|w| &w.by).collect();
                    if !news.is_empty() {
                        found.changes.push(What::Silent(what(minutes)));
                        track.told.extend(news.into_iter().cloned());
                    }
                } else if was {
                    found.changes.push(What::Resumed(what(minutes)));
                    waits.for_each(|w| {
                        track.told.remove(&w.by);
                    });
                }
            }
            found.suspects.extend(suspect.map(|minutes| Suspect { intake: intake.uuid.clone(), minutes }));
            track.silent = silent;
            self.intakes.insert(intake.uuid.clone(), track);
        }
        found
    }

    /// Whether anything is remembered of an intake.
    pub fn knows(&self, intake: &str) -> bool {
        self.intakes.contains_key(intake)
    }

    /// Sekoia counts an intake otherwise than it did: what was learnt of it is not believed.
    pub fn forget(&mut self, intake: &str) {
        self.intakes.remove(intake);
    }

    /// The intakes that are silent now, for some time that a rule waits for or for `long`, with
    /// since when.
    pub fn silent(&self, long: SignedDuration, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        let silent = move |track: &Track| !track.silent.is_empty() || now.duration_since(track.until) >= long;
        self.intakes.iter().filter(move |(_, track)| silent(track)).map(|(uuid, track)| (&**uuid, track.until))
    }
}

fn newest(hours: &BTreeMap<Timestamp, u64>) -> Option<(Timestamp, u64)> {
    hours.iter().rev().find(|(_, count)| **count > 0).map(|(began, count)| (*began, *count))
}

/// By the hour alone: events of a running hour may have come until now.
fn ended(began: Timestamp, now: Timestamp) -> Timestamp {
    began.checked_add(HOUR).map_or(now, |end| end.min(now))
}

impl Track {
    /// An intake that was not listed before.
    fn new(intake: &Intake, newest: Option<(Timestamp, u64)>, now: Timestamp) -> Self {
        let until = match newest {
            Some((began, _)) => ended(began, now),
            // It never had events, or none for so long: its silence begins when it was made, or
            // now, if nobody knows when. Nothing that was made a minute ago is late.
            None => intake.created.map_or(now, |created| created.min(now)),
        };
        Self { until, newest, silent: BTreeSet::new(), told: BTreeSet::new() }
    }

    fn looked(mut self, newest: Option<(Timestamp, u64)>, now: Timestamp) -> Self {
        // The clock was set back: nothing that was learnt by it is believed.
        if self.until > now {
            (self.until, self.newest) = (now, None);
        }
        let Some((began, count)) = newest else { return self };
        let grown = self.newest.is_none_or(|(b, n)| began > b || (began == b && count > n));
        if grown {
            self.until = self.until.max(ended(began, now));
            self.newest = newest;
        }
        self
    }

    /// The last event was not before.
    fn began(&self) -> Timestamp {
        self.newest.map_or(Timestamp::MIN, |(began, _)| began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "2026-10-25T00:00:00Z";

    fn at(minutes: i64) -> Timestamp {
        START.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn look(counts: &[(i64, u64)]) -> Look {
        let intakes = vec![Intake { uuid: "1".into(), name: "Okta".into(), created: Some(at(-6000)) }];
        let hours: BTreeMap<_, _> = counts.iter().map(|(hour, n)| (at(hour * 60), *n)).collect();
        let counts = if hours.is_empty() { BTreeMap::new() } else { BTreeMap::from([("1".into(), hours)]) };
        Look { intakes, counts, ..Look::default() }
    }

    fn by(by: &str, minutes: u16) -> WatchedIntake {
        WatchedIntake { by: by.into(), muted: false, intake: None, minutes }
    }

    fn every(minutes: u16) -> Vec<WatchedIntake> {
        vec![by("a#1", minutes)]
    }

    fn said(found: &Found) -> Vec<String> {
        let say = |what: &What| match what {
            What::Silent(s) => format!("silent {}", s.minutes),
            What::Resumed(s) => format!("back {}", s.minutes),
            _ => "?".into(),
        };
        found.changes.iter().map(say).collect()
    }

    #[test]
    fn silence_is_told_once_and_so_is_its_end() {
        let (mut memory, rules) = (Memory::default(), every(60));
        assert_eq!(memory.look(&look(&[(0, 10)]), &rules, at(30)), Found::default());
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(40)), Found::default());
        // The count last grew before minute 40: no hour of silence before minute 100.
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(99)), Found::default());
        assert_eq!(said(&memory.look(&look(&[(0, 20)]), &rules, at(100))), ["silent 60"]);
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(300)), Found::default());
        let silent = |memory: &Memory, now| memory.silent(SignedDuration::from_hours(24), now).count();
        assert_eq!(silent(&memory, at(300)), 1);
        assert_eq!(said(&memory.look(&look(&[(0, 20), (5, 1)]), &rules, at(305))), ["back 60"]);
        assert_eq!(silent(&memory, at(305)), 0);
        // Longer than any rule waits.
        assert_eq!(silent(&memory, at(305 + 1440)), 1);
    }

    #[test]
    fn hours_alone_tell_no_more_than_an_hour() {
        // After a start nothing is remembered: the last event may have come at minute 59.
        let fresh = |now| Memory::default().look(&look(&[(0, 20)]), &every(60), at(now));
        assert_eq!(fresh(119), Found::default());
        assert_eq!(said(&fresh(120)), ["silent 60"]);
    }

    #[test]
    fn an_intake_that_never_had_events_is_late_only_after_its_time() {
        let (mut memory, rules) = (Memory::default(), every(60));
        let mut new = look(&[]);
        new.intakes[0].created = Some(at(0));
        assert_eq!(memory.look(&new, &rules, at(59)), Found::default());
        assert_eq!(said(&memory.look(&new, &rules, at(60))), ["silent 60"]);
        new.intakes[0].created = None;
        let mut unknown = Memory::default();
        assert_eq!(unknown.look(&new, &rules, at(600)), Found::default());
        assert_eq!(said(&unknown.look(&new, &rules, at(660))), ["silent 60"]);
    }

    #[test]
    fn below_an_hour_somebody_searches_first() {
        let (mut memory, rules) = (Memory::default(), every(15));
        memory.look(&look(&[(0, 20)]), &rules, at(20));
        let found = memory.look(&look(&[(0, 20)]), &rules, at(40));
        let suspect = Suspect { intake: "1".into(), minutes: 15 };
        assert_eq!((found.changes.len(), &*found.suspects), (0, &[suspect][..]));
        // The counters were late.
        let mut searched = look(&[(0, 20)]);
        searched.searched.insert("1".into(), Some(at(38)));
        assert_eq!(memory.look(&searched, &rules, at(40)), Found::default());
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(52)), Found::default());
        searched.searched.insert("1".into(), Some(at(38)));
        assert_eq!(said(&memory.look(&searched, &rules, at(54))), ["silent 15"]);
    }

    #[test]
    fn one_search_decides_every_time_that_was_reached() {
        let (mut memory, rules) = (Memory::default(), [by("a#1", 15), by("b#1", 45), by("c#1", 59)]);
        memory.look(&look(&[(0, 20)]), &rules, at(10));
        let found = memory.look(&look(&[(0, 20)]), &rules, at(56));
        assert_eq!(found.suspects, [Suspect { intake: "1".into(), minutes: 45 }]);
        let mut searched = look(&[(0, 20)]);
        searched.searched.insert("1".into(), None);
        assert_eq!(said(&memory.look(&searched, &rules, at(56))), ["silent 15", "silent 45"]);
    }

    #[test]
    fn without_a_search_counters_are_believed_from_an_hour_on() {
        let (mut memory, rules) = (Memory::default(), every(30));
        memory.look(&look(&[(0, 20)]), &rules, at(10));
        let mut blind = look(&[(0, 20)]);
        blind.unsearched.insert("1".into());
        assert_eq!(memory.look(&blind, &rules, at(69)), Found::default());
        assert_eq!(said(&memory.look(&blind, &rules, at(70))), ["silent 30"]);
        // Once it is said, it is so until events come.
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(80)), Found::default());
        assert_eq!(said(&memory.look(&look(&[(0, 20), (1, 3)]), &rules, at(81))), ["back 30"]);
    }

    #[test]
    fn whoever_was_not_told_of_a_silence_is_told_when_they_may_be() {
        let muted = WatchedIntake { muted: true, ..by("a#1", 60) };
        let mut memory = Memory::default();
        let silent = look(&[(0, 20)]);
        assert_eq!(memory.look(&silent, std::slice::from_ref(&muted), at(300)), Found::default());
        assert_eq!(memory.silent(SignedDuration::from_hours(24), at(300)).count(), 1);
        // The mute ends; then another channel makes a rule.
        assert_eq!(said(&memory.look(&silent, &every(60), at(310))), ["silent 60"]);
        assert_eq!(memory.look(&silent, &[muted], at(320)), Found::default());
        let both = [by("a#1", 60), by("b#7", 60)];
        assert_eq!(said(&memory.look(&silent, &both, at(330))), ["silent 60"]);
        assert_eq!(memory.look(&silent, &both, at(340)), Found::default());
        // The next silence is another one, for both.
        assert_eq!(said(&memory.look(&look(&[(0, 20), (5, 1)]), &both, at(341))), ["back 60"]);
        assert_eq!(said(&memory.look(&look(&[(0, 20), (5, 1)]), &both, at(401))), ["silent 60"]);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_silent() {
        let (mut memory, rules) = (Memory::default(), every(60));
        memory.look(&look(&[(0, 20)]), &rules, at(50));
        assert_eq!(memory.look(&look(&[]), &rules, at(-600)), Found::default());
        assert_eq!(memory.look(&look(&[(0, 20)]), &rules, at(50)).changes.len(), 0);
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_forgotten() {
        let mut memory = Memory::default();
        assert_eq!(said(&memory.look(&look(&[(0, 20)]), &every(60), at(300))), ["silent 60"]);
        assert_eq!(memory.look(&look(&[(0, 20)]), &[], at(301)), Found::default());
        let okta = [WatchedIntake { intake: Some("okta".into()), ..by("a#2", 120) }];
        assert_eq!(said(&memory.look(&look(&[(0, 20)]), &okta, at(302))), ["silent 120"]);
        assert_eq!(memory.look(&Look::default(), &okta, at(303)), Found::default());
        assert_eq!(memory, Memory::default());
    }
}
