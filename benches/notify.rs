//! What a second of a busy deployment costs: 100 occurrences against 1,000 rules. One core has
//! room for it if a second of them takes far less than a second.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::checklist::Actor;
use sekoia_chatops::notify::chart::{Chart, draw};
use sekoia_chatops::notify::storm::Storm;
use sekoia_chatops::notify::{
    About, Alert, Entry, Journal, Named, Occurrence, Period, Rule, RuleSet, Rules, Trigger, Watch, What, summary,
};
use sekoia_chatops::platform::ChannelKey;
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

fn evaluate(c: &mut Criterion) {
    let mut group = c.benchmark_group("1,000 rules, 100 occurrences");
    group.throughput(Throughput::Elements(100));
    for communities in [40, 1] {
        let (set, occurrences) = (set(communities), occurrences(communities));
        group.bench_function(BenchmarkId::new("communities", communities), |b| {
            b.iter(|| occurrences.iter().map(|o| set.fired(black_box(o), now()).len()).sum::<usize>());
        });
    }
    let (rules, mut all) = (rules(7), set(40));
    group.bench_function("a channel's rules change", |b| {
        b.iter(|| all.set(&ChannelKey::web("client-7"), &[Uuid::from_u128(7)], black_box(&rules)));
    });
    group.finish();
}

/// A million of them: the journal is as large after the last quarter as before it.
fn journal(c: &mut Criterion) {
    let fired = |n: u32| Entry::Fired {
        rule: n % 25,
        urgency: u8::try_from(n % 101).ok(),
        about: About::Entity(format!("host {}", n % 5_000).into()),
    };
    let mut journal = Journal::new(now());
    let mut sizes = Vec::new();
    for n in 0..1_000_000u32 {
        journal.enter(fired(n), now() + SignedDuration::from_secs(i64::from(n) * 3));
        if n % 250_000 == 249_999 {
            sizes.push((journal.size(), serde_json::to_string(&journal).map_or(0, |json| json.len())));
        }
    }
    println!("journal after each quarter of 1,000,000 (entries, bytes of JSON): {sizes:?}");
    let at = now() + SignedDuration::from_secs(3_000_000);
    c.bench_function("enter a firing", |b| b.iter(|| journal.enter(fired(black_box(7)), at)));
    c.bench_function("place a firing", |b| {
        let mut storm = Storm::default();
        b.iter(|| storm.fired(black_box(Some(80)), "a rule", at));
    });
    let rules = rules(0);
    let week = || summary(&journal, &rules, Period::last(7 * 24, at), &TimeZone::UTC);
    c.bench_function("summary of a busy week", |b| b.iter(week));
    let week = week();
    c.bench_function("chart", |b| b.iter(|| draw(black_box(&week), Chart::ByRule, &TimeZone::UTC)));
}

criterion_group!(benches, evaluate, journal);
criterion_main!(benches);
