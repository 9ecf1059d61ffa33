//! What a second of a busy deployment costs: 100 occurrences against 1,000 rules. One core has
//! room for it if a second of them takes far less than a second.

use std::hint::black_box;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::{Actor, ChannelKey};
use sekoia_chatops::domain::notify::chart::{Chart, draw};
use sekoia_chatops::domain::notify::storm::Storm;
use sekoia_chatops::domain::notify::{
    About, Alert, Entry, Journal, Named, Occurrence, Period, Rule, RuleSet, Rules, Trigger, Watch, What, summary,
};
use uuid::Uuid;

const RULES: u32 = 1_000;
const A_CHANNEL: u32 = 25;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50)
}

/// A channel's rules: urgencies, names of rules, entities and assets.
fn rules(channel: u32) -> Rules {
    let rules = (1..=A_CHANNEL).map(|number| {
        let n = channel * A_CHANNEL + number;
        let trigger = if n.is_multiple_of(2) { Trigger::AlertRaised } else { Trigger::AlertUpdated };
        let mut watch = Watch::new(trigger);
        watch.conditions.urgency = Some(u8::try_from(n % 100).unwrap_or_default());
        watch.conditions.rule = n.is_multiple_of(3).then(|| format!("Detection rule {}", n % 90).into());
        watch.conditions.entity = n.is_multiple_of(5).then(|| format!("Entity {}", n % 20).into());
        watch.conditions.asset = n.is_multiple_of(7).then(|| asset(n % 40).to_string().into());
        Rule { number, watch, paused: false, muted_until: None, by: Actor::Bot, at: now(), sample: None, tested: None }
    });
    Rules { rules: rules.collect(), next: A_CHANNEL + 1, ..Rules::default() }
}

fn asset(n: u32) -> Uuid {
    Uuid::from_u128(n.into())
}

/// `communities` 1: everybody watches the same one, which is the worst.
fn set(communities: u32) -> RuleSet {
    let mut set = RuleSet::default();
    for channel in 0..RULES / A_CHANNEL {
        let community = Uuid::from_u128(u128::from(channel % communities));
        set.set(&ChannelKey::web(&format!("client-{channel}")), &[community], &rules(channel));
    }
    set
}

fn occurrences(communities: u32) -> Vec<Occurrence> {
    (0..100u32)
        .map(|n| {
            let named = |what: &str, m: u32| Named::new(&Uuid::from_u128(m.into()).to_string(), &format!("{what} {m}"));
            let alert = Alert {
                uuid: format!("{n}").into(),
                title: Some("Brute force against a server".into()),
                urgency: u8::try_from(n % 101).ok(),
                status: Some("Pending".into()),
                rule: Some(named("Detection rule", n % 90)),
                entity: Some(named("Entity", n % 20)),
                assets: [n % 40, n % 37].map(|m| Named { uuid: Some(asset(m).to_string().into()), name: None }).into(),
                ..Alert::default()
            };
            let what = if n.is_multiple_of(2) { What::AlertRaised(alert) } else { What::AlertUpdated(alert) };
            let community = Uuid::from_u128(u128::from(n % communities));
            Occurrence { id: format!("alert {n}").into(), at: now(), community, community_name: None, what }
        })
        .collect()
}

/// 100 occurrences against 1,000 rules, which so many communities share.
#[divan::bench(args = [40, 1])]
fn a_second_of_alerts(bencher: Bencher, communities: u32) {
    let (set, occurrences) = (set(communities), occurrences(communities));
    bencher
        .counter(ItemsCount::new(occurrences.len()))
        .bench(|| occurrences.iter().map(|o| set.fired(black_box(o), now()).len()).sum::<usize>());
}

#[divan::bench]
fn a_channels_rules_change(bencher: Bencher) {
    let (rules, mut all) = (rules(7), set(40));
    bencher.bench_local(|| all.set(&ChannelKey::web("client-7"), &[Uuid::from_u128(7)], black_box(&rules)));
}

fn firing(n: u32) -> Entry {
    let about = About::Entity(format!("host {}", n % 5_000).into());
    Entry::Fired { rule: n % 25, urgency: u8::try_from(n % 101).ok(), about }
}

/// A million firings: the journal is as large after the last quarter as before it.
fn busy() -> (Journal, Timestamp) {
    let mut journal = Journal::new(now());
    let mut sizes = Vec::new();
    for n in 0..1_000_000u32 {
        journal.enter(firing(n), now() + SignedDuration::from_secs(i64::from(n) * 3));
        if n % 250_000 == 249_999 {
            sizes.push((journal.size(), serde_json::to_string(&journal).map_or(0, |json| json.len())));
        }
    }
    println!("journal after each quarter of 1,000,000 (entries, bytes of JSON): {sizes:?}");
    (journal, now() + SignedDuration::from_secs(3_000_000))
}

static BUSY: LazyLock<(Journal, Timestamp)> = LazyLock::new(busy);

#[divan::bench]
fn enter_a_firing(bencher: Bencher) {
    let (mut journal, at) = BUSY.clone();
    bencher.bench_local(|| journal.enter(firing(black_box(7)), at));
}

#[divan::bench]
fn place_a_firing(bencher: Bencher) {
    let mut storm = Storm::default();
    bencher.bench_local(|| storm.fired(black_box(Some(80)), "a rule", BUSY.1));
}

#[divan::bench]
fn summary_of_a_busy_week(bencher: Bencher) {
    let (rules, (journal, at)) = (rules(0), &*BUSY);
    bencher.bench(|| summary(journal, &rules, Period::last(7 * 24, *at), &TimeZone::UTC));
}

#[divan::bench]
fn chart(bencher: Bencher) {
    let (journal, at) = &*BUSY;
    let week = summary(journal, &rules(0), Period::last(7 * 24, *at), &TimeZone::UTC);
    bencher.bench(|| draw(black_box(&week), Chart::ByRule, &TimeZone::UTC));
}

fn main() {
    divan::main();
}
