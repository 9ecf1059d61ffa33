//! What follows from what happened: cards begin, change, count and close. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sekoia_chatops::chat::{Actor, ChannelKey, UserId};
use sekoia_chatops::domain::notify::storm::{OWN_CARDS, QUIET, WINDOW};
use sekoia_chatops::domain::notify::{
    Acknowledged, Alert, AlertStatus, Card, ChannelLog, Firing, Missing, Named, Occurrence, Outcome, Playbook, Silence,
    Stored, What, gather, happened,
};
use uuid::Uuid;

fn start() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

/// A channel's cards, its log, and what it was notified of.
struct Channel {
    key: ChannelKey,
    cards: BTreeMap<String, Card>,
    log: ChannelLog,
    known: BTreeSet<Box<str>>,
    now: Timestamp,
    last: Timestamp,
}

impl Stored for Channel {
    fn log(&self) -> Result<&ChannelLog, Missing> {
        Ok(&self.log)
    }

    fn card(&self, key: &str) -> Result<Option<&Card>, Missing> {
        Ok(self.cards.get(key))
    }

    fn is_known(&self, occurrence: &Occurrence) -> Result<bool, Missing> {
        Ok(self.known.contains(&occurrence.id))
    }
}

/// The same, of which only this was read.
struct Read<'a>(&'a Channel, &'a [Missing]);

impl Read<'_> {
    fn read(&self, what: Missing) -> Result<&Channel, Missing> {
        if self.1.contains(&what) { Ok(self.0) } else { Err(what) }
    }
}

impl Stored for Read<'_> {
    fn log(&self) -> Result<&ChannelLog, Missing> {
        self.read(Missing::Log)?.log()
    }

    fn card(&self, key: &str) -> Result<Option<&Card>, Missing> {
        self.read(Missing::Card(key.into()))?.card(key)
    }

    fn is_known(&self, occurrence: &Occurrence) -> Result<bool, Missing> {
        self.read(Missing::Known)?.is_known(occurrence)
    }
}

impl Channel {
    fn new() -> Self {
        let (cards, known, now) = (BTreeMap::new(), BTreeSet::new(), start());
        Self { key: ChannelKey::web("soc"), cards, log: ChannelLog::new(now), known, now, last: now }
    }

    /// What follows, and is stored.
    fn happens(&mut self, occurrence: &Occurrence, rules: &[u32], webhook: bool) -> Outcome {
        let first = self.last.max(self.now) + Duration::from_micros(1);
        let channel = self.key.clone();
        let firing = Firing { channel: &channel, occurrence, rules, webhook };
        let mut read = Vec::new();
        let outcome = loop {
            match happened(&firing, &Read(self, &read), self.now, first) {
                Ok(outcome) => break outcome,
                Err(missing) => {
                    assert!(!read.contains(&missing), "{missing:?} was read");
                    read.push(missing);
                }
            }
        };
        assert_eq!(happened(&firing, self, self.now, first), Ok(outcome.clone()), "however it was read");
        if outcome.begins {
            self.last = first;
            assert!(self.known.insert(occurrence.id.clone()), "{} began before", occurrence.id);
        }
        for (key, card) in outcome.cards.clone() {
            let before = self.cards.insert(key, card.clone());
            assert!(before.is_some() || outcome.begins);
            assert_ne!(before, Some(card), "none is written that stays as it is");
        }
        for noted in outcome.log.clone() {
            self.log.note(noted, outcome.at);
        }
        outcome
    }

    /// How many firings are counted, in all or of a rule; and things, each once.
    fn counted(&self, of: Option<u32>) -> (u32, u32) {
        let hours = self.log.journal.within(start() - minutes(600), self.now + minutes(600));
        hours.fold((0, 0), |(firings, things), (_, hour)| {
            let rules = hour.rules.iter().filter(|(rule, _)| of.is_none_or(|of| of == **rule));
            let fired: u32 = rules.map(|(_, fired)| fired.bands.total()).sum();
            let again: u32 = hour.again.values().map(|bands| bands.total()).sum();
            (firings + fired, things + fired - again.min(fired))
        })
    }

    fn acknowledged(&self) -> u64 {
        let hours = self.log.journal.within(start() - minutes(600), self.now + minutes(600));
        hours.flat_map(|(_, hour)| hour.rules.values()).map(|fired| fired.acknowledged.total()).sum()
    }

    fn storms(&self) -> Vec<&Card> {
        self.cards.values().filter(|card| card.swarm.is_some()).collect()
    }
}

fn at(id: String, at: Timestamp, what: What) -> Occurrence {
    Occurrence { id: id.into(), at, community: Uuid::from_u128(1), community_name: Some("Nimbus".into()), what }
}

fn alert(n: u32, status: AlertStatus) -> Alert {
    let status = Some(status.name().into());
    Alert {
        uuid: format!("alert-{n}").into(),
        title: Some("Brute force".into()),
        urgency: Some(80),
        status,
        ..Alert::default()
    }
}

fn raised(n: u32, when: Timestamp) -> Occurrence {
    at(format!("alert-{n}"), when, What::AlertRaised(alert(n, AlertStatus::Pending)))
}

fn updated(n: u32, status: AlertStatus, when: Timestamp) -> Occurrence {
    at(format!("alert-{n}-{}-{when}", status.name()), when, What::AlertUpdated(alert(n, status)))
}

fn silence(intake: u32, since: i64) -> Silence {
    let intake = Named::new(&format!("intake-{intake}"), &format!("Intake {intake}"));
    Silence { intake, minutes: 60, since: Some(start() + minutes(since)) }
}

fn silent(intake: u32, since: i64, when: Timestamp) -> Occurrence {
    at(format!("silent-{intake}-{since}"), when, What::Silent(silence(intake, since)))
}

fn resumed(intake: u32, since: i64, when: Timestamp) -> Occurrence {
    at(format!("resumed-{intake}-{since}"), when, What::Resumed(silence(intake, since)))
}

fn run(n: u32, when: Timestamp) -> Occurrence {
    let playbook = Named::new("playbook-1", "Isolate a host");
    at(
        format!("run-{n}"),
        when,
        What::PlaybookError(Playbook { playbook, run: Some(format!("{n}").into()), ..Playbook::default() }),
    )
}

/// A report of one of a few things.
#[derive(Debug, Clone)]
struct Step {
    kind: u32,
    thing: u32,
    /// Minutes that its date is older.
    old: i64,
    rules: Vec<u32>,
    webhook: bool,
    /// Seconds until it comes.
    pause: i64,
}

impl Step {
    fn occurrence(&self, now: Timestamp) -> Occurrence {
        let (thing, when) = (self.thing, now - minutes(self.old));
        match self.kind {
            0 => raised(thing, when),
            1 => updated(thing, AlertStatus::Pending, when),
            2 => updated(thing, AlertStatus::Acknowledged, when),
            3 => updated(thing, AlertStatus::Closed, when),
            4 => run(thing, when),
            5 => silent(thing % 2, i64::from(thing / 2), when),
            _ => resumed(thing % 2, i64::from(thing / 2), when),
        }
    }

    fn comes(&self, channel: &mut Channel) -> (Occurrence, Outcome) {
        channel.now += SignedDuration::from_secs(self.pause);
        let occurrence = self.occurrence(channel.now);
        let outcome = channel.happens(&occurrence, &self.rules, self.webhook);
        (occurrence, outcome)
    }
}

fn step(kinds: std::ops::Range<u32>, pauses: std::ops::Range<i64>) -> impl Strategy<Value = Step> {
    let rules = subsequence(vec![1, 2, 3], 0..=3);
    (kinds, 0..6u32, 0..90i64, rules, proptest::bool::weighted(0.2), pauses)
        .prop_map(|(kind, thing, old, rules, webhook, pause)| Step { kind, thing, old, rules, webhook, pause })
}

/// So far apart that there are no storms.
const APART: std::ops::Range<i64> = WINDOW.as_secs()..WINDOW.as_secs() * 3;

proptest! {
    #[test]
    fn the_same_again_changes_nothing_more(steps in vec(step(0..7, 0..120), 1..60)) {
        let mut channel = Channel::new();
        for step in steps {
            let (occurrence, outcome) = step.comes(&mut channel);
            channel.now += SignedDuration::from_secs(1);
            let again = channel.happens(&occurrence, &step.rules, step.webhook);
            // A silence that began in several storms is followed in one of them, which learns of the
            // others' rules with the next report.
            if outcome.begins && outcome.cards.len() > 1 && step.kind == 5 {
                continue;
            }
            prop_assert_eq!(again, Outcome { cards: Vec::new(), log: Vec::new(), at: channel.now, begins: false });
        }
    }

    #[test]
    fn each_thing_is_counted_once_however_many_rules_fire_for_it(steps in vec(step(0..5, APART), 1..60)) {
        let mut channel = Channel::new();
        for step in steps {
            step.comes(&mut channel);
            let cards = || channel.cards.values();
            prop_assert!(channel.storms().is_empty());
            let fired = u32::try_from(cards().filter(|card| !card.rules.is_empty()).count()).unwrap();
            prop_assert_eq!(channel.counted(None).1, fired);
            for rule in 1..=3 {
                let of_rule = u32::try_from(cards().filter(|card| card.rules.contains(&rule)).count()).unwrap();
                prop_assert_eq!(channel.counted(Some(rule)).0, of_rule);
                prop_assert_eq!(channel.log.fired.contains_key(&rule), of_rule > 0);
            }
        }
    }

    #[test]
    fn what_was_acknowledged_here_is_not_reopened_by_an_older_report(
        offsets in vec((-90..90i64, select(vec![AlertStatus::Pending, AlertStatus::Acknowledged])), 1..12),
        rules in subsequence(vec![1, 2, 3], 1..=3),
    ) {
        let mut channel = Channel::new();
        channel.happens(&raised(1, start()), &rules, false);
        channel.now += minutes(120);
        let (bob, done) = (Actor::Person(UserId::web("bob")), channel.now);
        let card = channel.cards.values_mut().next().unwrap();
        let noted = card.read(alert(1, AlertStatus::Pending), Some(&bob), done);
        for noted in noted {
            channel.log.note(noted, done);
        }
        prop_assert_eq!(channel.acknowledged(), rules.len() as u64);
        for (offset, status) in offsets {
            channel.now += minutes(1);
            // Sekoia's clock and this one may differ.
            let outcome = channel.happens(&updated(1, status, done + minutes(offset)), &rules, false);
            let acknowledged = channel.cards.values().next().unwrap().acknowledged.as_ref();
            if offset > 0 && status == AlertStatus::Pending {
                prop_assert_eq!(acknowledged, None, "somebody reopened it");
                break;
            }
            prop_assert!(outcome.log.is_empty(), "it is counted already");
            prop_assert_eq!(acknowledged, Some(&Acknowledged { by: Some(bob.clone()), at: done }));
        }
    }

    #[test]
    fn a_silence_is_followed_by_the_card_that_says_it(steps in vec(step(5..7, APART), 1..40)) {
        let mut channel = Channel::new();
        for step in steps {
            let before = channel.log.silent.clone();
            let (occurrence, outcome) = step.comes(&mut channel);
            // Of every intake, at most one card says that it is silent, and the log says which.
            let says_so = |card: &Card| match &card.occurrence.what {
                What::Silent(silence) if card.back.is_none() => silence.intake.uuid.clone(),
                _ => None,
            };
            let silent: Vec<_> = channel.cards.iter().filter_map(|(key, card)| Some((says_so(card)?, key.clone()))).collect();
            prop_assert_eq!(silent.len(), channel.log.silent.len());
            prop_assert_eq!(silent.into_iter().collect::<BTreeMap<_, _>>(), channel.log.silent.clone());
            if let What::Resumed(of) = &occurrence.what {
                let intake = of.intake.uuid.as_ref().unwrap();
                prop_assert_eq!(before.contains_key(intake), !outcome.cards.is_empty());
                prop_assert!(!outcome.begins && !channel.log.silent.contains_key(intake));
            }
        }
    }

    #[test]
    fn whatever_order_reports_come_in_a_card_begins_once(
        steps in vec(step(0..7, 0..1), 1..20).prop_flat_map(|steps| {
            let twice = [steps.clone(), steps].concat();
            Just(twice).prop_shuffle()
        }),
        apart in any::<bool>(),
    ) {
        let mut channel = Channel::new();
        let mut begun: Vec<String> = Vec::new();
        for step in &steps {
            channel.now += SignedDuration::from_secs(if apart { APART.start } else { 1 });
            // Sekoia dates what happened, whenever it is reported.
            let occurrence = step.occurrence(start());
            let there: BTreeSet<String> = channel.cards.keys().cloned().collect();
            let outcome = channel.happens(&occurrence, &step.rules, step.webhook);
            begun.extend(outcome.cards.into_iter().map(|(key, _)| key).filter(|key| !there.contains(key)));
        }
        prop_assert_eq!(begun.len(), channel.cards.len());
        prop_assert_eq!(begun.iter().collect::<BTreeSet<_>>().len(), begun.len());
        // Far enough apart, each thing that something fired for has a card of its own.
        if apart {
            let fires = |step: &&Step| step.kind < 5 && (!step.rules.is_empty() || step.webhook);
            let things: BTreeSet<String> =
                steps.iter().filter(fires).map(|step| Card::key(&channel.key, &step.occurrence(start()))).collect();
            prop_assert!(things.iter().all(|key| channel.cards.contains_key(key)));
        }
    }

    #[test]
    fn in_a_storm_no_firing_is_lost(alerts in 1..40u32, both in any::<bool>(), gap in 0..20i64) {
        let mut channel = Channel::new();
        let rules: &[u32] = if both { &[1, 2] } else { &[1] };
        for n in 0..alerts {
            channel.now += SignedDuration::from_secs(gap);
            channel.happens(&raised(n, channel.now), rules, false);
        }
        prop_assume!(i64::from(alerts) * gap < WINDOW.as_secs());
        let own = channel.cards.len() - channel.storms().len();
        prop_assert_eq!(own, OWN_CARDS.min(alerts as usize));
        prop_assert_eq!(channel.counted(None), (alerts * u32::try_from(rules.len()).unwrap(), alerts));
        let storms: Vec<(String, Card)> =
            channel.cards.iter().filter(|(_, card)| card.swarm.is_some()).map(|(k, c)| (k.clone(), c.clone())).collect();
        let in_storms = u64::from(alerts) - own as u64;
        prop_assert_eq!(storms.len(), if in_storms > 0 { rules.len() } else { 0 });
        for (key, mut storm) in storms {
            prop_assert_eq!(storm.swarm.as_ref().unwrap().count, in_storms);
            prop_assert_eq!(storm.rules.len(), 1);
            let ends = storm.ends().unwrap();
            prop_assert!(!storm.close(ends - SignedDuration::from_secs(1)));
            prop_assert!(storm.close(ends));
            prop_assert!(!storm.close(ends + QUIET), "it is over once");
            channel.cards.insert(key, storm);
        }
        // What comes after it begins anew.
        channel.now += QUIET + SignedDuration::from_secs(1);
        let after = channel.happens(&raised(alerts, channel.now), rules, false);
        prop_assert_eq!(after.cards.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), [Card::alert_key(&channel.key, &format!("alert-{alerts}"))]);
    }
}

#[test]
fn a_silence_that_ends_and_begins_again_keeps_its_card() {
    let mut channel = Channel::new();
    let key = Card::key(&channel.key, &silent(1, 0, start()));
    let at = |channel: &mut Channel, minute: i64, occurrence: fn(u32, i64, Timestamp) -> Occurrence, since| {
        channel.now = start() + minutes(minute);
        let outcome = channel.happens(&occurrence(1, since, channel.now), &[1], false);
        (outcome.begins, channel.cards[&key].back.is_some(), channel.log.silent.get("intake-1").cloned())
    };
    assert_eq!(at(&mut channel, 60, silent, 0), (true, false, Some(key.clone())));
    assert_eq!(at(&mut channel, 70, resumed, 0), (false, true, None));
    // The same silence: a late count said that it had ended.
    assert_eq!(at(&mut channel, 80, silent, 0), (false, false, Some(key.clone())));
    assert_eq!(at(&mut channel, 90, resumed, 0), (false, true, None));
    // Another one has a card of its own.
    let other = Card::key(&channel.key, &silent(1, 100, start()));
    assert_eq!(at(&mut channel, 200, silent, 100), (true, true, Some(other)));
    assert_eq!((channel.cards.len(), channel.counted(Some(1))), (2, (2, 2)));
}

#[test]
fn what_no_rule_fires_for_changes_a_card_and_begins_none() {
    let mut channel = Channel::new();
    let closed = |channel: &Channel| updated(1, AlertStatus::Closed, channel.now);
    let ignored = channel.happens(&closed(&channel), &[], false);
    assert!(!ignored.begins && ignored.cards.is_empty() && channel.known.is_empty());
    channel.happens(&raised(1, channel.now), &[2], false);
    channel.now += minutes(5);
    let changed = channel.happens(&closed(&channel), &[], false);
    assert_eq!((changed.begins, changed.cards.len(), changed.log), (false, 1, Vec::new()));
    // Sekoia's own rule fires for it as well: nothing more is counted.
    let known = channel.happens(&closed(&channel), &[], true);
    assert!(known.cards[0].1.webhook && known.log.is_empty());
    assert_eq!(channel.counted(None), (1, 1));
}

#[test]
fn stored_cards_and_logs_of_earlier_releases_are_read_and_written_as_they_were() {
    let full = concat!(
        r#"{"channel":"slack:T0SOC:C0SOC","occurrence":{"id":"alert-1","at":"2026-09-21T14:13:20Z","community":"#,
        r#""00000000-0000-0000-0000-000000000001","what":{"what":"alert_raised","uuid":"1","urgency":80}},"#,
        r#""rules":[1,2],"fired":"2026-09-21T14:14:00Z","webhook":true,"seq":3,"swarm":{"count":7,"first":"#,
        r#""2026-09-21T14:13:20Z","last":"2026-09-21T14:14:20Z","worst":80,"names":{"last":[["Brute force",7]],"total":7}},"#,
        r#""late":true,"over":true,"again":{"last":[["Okta",1]],"total":1},"acknowledged":{"by":{"person":"slack:U0BOB"},"at":"#,
        r#""2026-09-21T14:20:00Z"},"gone":true,"back":"2026-09-21T14:21:00Z","sample":true,"raised":"#,
        r#""2026-09-21T14:13:19Z","first":"2026-09-21T14:13:20.000001Z"}"#
    );
    let bare = concat!(
        r#"{"channel":"web:demo:soc","occurrence":{"id":"run-1","at":"2026-09-21T14:13:20Z","community":"#,
        r#""00000000-0000-0000-0000-000000000001","what":{"what":"playbook_error","playbook":{"name":"Isolate"},"#,
        r#""crashed":false}},"seq":1,"first":"2026-09-21T14:13:20Z"}"#
    );
    for stored in [full, bare] {
        let card: Card = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&card).unwrap(), stored);
    }
    let log = concat!(
        r#"{"journal":{"since":"2026-09-21T14:00:00Z","hours":{}},"storms":{"1":{"own":["2026-09-21T14:13:20Z"]}},"#,
        r#""silent":{"intake-1":"web:demo:soc|silent-intake-1-1790000000"},"fired":{"1":"2026-09-21T14:13:20Z"}}"#
    );
    let read: ChannelLog = serde_json::from_str(log).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), log);
}

proptest! {
    #[test]
    fn what_waited_for_the_chat_is_gathered_and_nothing_of_it_is_lost(
        rules in vec(1..3u32, 1..20),
        intakes in any::<bool>(),
    ) {
        let mut channel = Channel::new();
        for (n, rule) in (0..).zip(&rules) {
            channel.now += SignedDuration::from_secs(APART.start);
            let occurrence = if intakes { silent(n, 0, channel.now) } else { raised(n, channel.now) };
            channel.happens(&occurrence, &[*rule], false);
        }
        let first = |cards: &BTreeMap<String, Card>| {
            let mut waiting: Vec<(String, Card)> = cards.clone().into_iter().collect();
            waiting.sort_by_key(|(_, card)| card.first);
            waiting
        };
        let waiting = first(&channel.cards);
        let rows: Vec<(&str, &Card)> = waiting.iter().map(|(key, card)| (&**key, card)).collect();
        let many = |rule: u32| rules.iter().skip(1).filter(|of| **of == rule).count();
        let Some(late) = gather(&channel.key, &rows) else {
            prop_assert!(many(1) <= OWN_CARDS && many(2) <= OWN_CARDS);
            return Ok(());
        };
        let rule = late.card.rules[0];
        let swarm = late.card.swarm.clone().unwrap();
        prop_assert_eq!((swarm.count, swarm.names.total()), (many(rule) as u64, many(rule) as u64));
        prop_assert_eq!(late.replaces.len(), many(rule));
        // The first that waits may be posted already.
        prop_assert!(!late.replaces.contains(&waiting[0].0));
        prop_assert_eq!(late.card.ends(), None, "it does not count on");
        for noted in late.log {
            channel.log.note(noted, channel.now);
        }
        for key in &late.replaces {
            channel.cards.remove(key);
        }
        channel.cards.insert(late.key.clone(), late.card);
        // An intake that sends again is followed by the message that says now that it was silent.
        for key in channel.log.silent.clone().into_values() {
            prop_assert!(channel.cards.contains_key(&key));
        }
        let resumed = resumed(u32::try_from(rules.len() - 1).unwrap(), 0, channel.now);
        let outcome = channel.happens(&resumed, &[], false);
        prop_assert_eq!(outcome.cards.len(), usize::from(intakes));
        // Gathered once more with what comes later.
        let waiting = first(&channel.cards);
        let rows: Vec<(&str, &Card)> = waiting.iter().map(|(key, card)| (&**key, card)).collect();
        if let Some(again) = gather(&channel.key, &rows) {
            prop_assert_ne!(again.card.rules[0], rule);
        }
    }
}
