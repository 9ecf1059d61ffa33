//! The core of notifications: rules and their words, what fires, storms, digests and summaries.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sekoia_chatops::chat::{Actor, ChannelKey, UserId};
use sekoia_chatops::command::{digest, find, lex, rule};
use sekoia_chatops::domain::notify::chart::{Chart, alt, draw};
use sekoia_chatops::domain::notify::storm::{OWN_CARDS, Place, QUIET, Storm};
use sekoia_chatops::domain::notify::{
    About, Alert, AlertStatus, Case, Command, Conditions, Connector, Digest, Entry, Event, Every, Journal, KEPT, Key,
    MAX_RULES, Named, Occurrence, Period, Playbook, Recorded, Refusal, Rule, RuleSet, Rules, Silence, Trigger, Watch,
    What, Which, decide, matches, silence, summary, token_hash,
};
use sekoia_chatops::state::stream::Folded;
use uuid::Uuid;

fn start() -> Timestamp {
    "2026-10-20T08:00:00.123Z".parse().unwrap()
}

fn typed(text: &str) -> Result<Watch, String> {
    rule(find("notify add").unwrap(), lex(text)).map_err(|fault| fault.to_string())
}

fn watch(text: &str) -> Watch {
    typed(text).unwrap()
}

fn scheduled(text: &str) -> Digest {
    digest(find("notify digest").unwrap(), lex(text)).unwrap()
}

const ASSET: &str = "5f0c1e0a-0000-4000-8000-000000000003";

/// Few, so that they meet; some that mean something to a lexer or a chat.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["Okta", "HQ", "okta", "for", "crashed", "urgency>=75"]).prop_map(String::from),
        2 => select(vec!["a\"b\\", "<@U1>", "R&amp;D & <b>", "“x”", "tab\there", "x=\"y\"", "«»‘’"]).prop_map(String::from),
        3 => "\\PC{1,20}".prop_filter("a name", |name| !name.trim().is_empty()),
    ]
}

/// What somebody may type or choose, possible or not.
fn wanted() -> impl Strategy<Value = Option<Watch>> {
    let value = |key: Key| match key {
        Key::Urgency => (0..=101u8).prop_map(|n| n.to_string()).boxed(),
        Key::Status => vec(select(AlertStatus::ALL.to_vec()), 1..4)
            .prop_map(|all| all.iter().map(|s| s.name()).collect::<Vec<_>>().join(","))
            .boxed(),
        Key::Asset => select(vec![ASSET, "5F0C1E0A000040008000000000000003", "srv-1"]).prop_map(String::from).boxed(),
        Key::For => (10..1500u16).prop_map(|n| format!("{n}m")).boxed(),
        _ => name().boxed(),
    };
    let key = select(Key::ALL.to_vec()).prop_flat_map(move |key| value(key).prop_map(move |value| (key, value)));
    (select(Trigger::all().collect::<Vec<_>>()), vec(key, 0..5)).prop_map(|(trigger, conditions)| {
        let mut watch = Watch::new(trigger);
        for (key, value) in conditions {
            // What is not of this trigger is refused, and nothing changes.
            let before = watch.clone();
            if watch.set(key, &value).is_err() {
                assert_eq!(before, watch);
            }
        }
        watch.finished().ok()
    })
}

fn possible() -> impl Strategy<Value = Watch> {
    wanted().prop_filter_map("possible", |watch| watch)
}

fn plan() -> impl Strategy<Value = Digest> {
    let days = (0..7i8).prop_map(|n| Every::Week { on: Weekday::from_monday_zero_offset(n).unwrap() });
    let every = prop_oneof![Just(Every::Day), days];
    let zones =
        vec!["UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"];
    (every, 0..24i8, 0..60i8, select(zones))
        .prop_map(|(every, h, m, zone)| Digest::new(every, Time::new(h, m, 0, 0).unwrap(), zone).unwrap())
}

fn command() -> impl Strategy<Value = Command> {
    let n = || 1..12u32;
    let at = || (-100_000..3_000_000i64).prop_map(|s| start() + SignedDuration::from_secs(s));
    let which = || select(vec![Which::Daily, Which::Weekly]);
    prop_oneof![
        8 => possible().prop_map(|watch| Command::Add { watch }),
        1 => Just(Command::AddRecommended),
        2 => n().prop_map(|number| Command::Remove { number }),
        2 => n().prop_map(|number| Command::Pause { number }),
        2 => n().prop_map(|number| Command::Resume { number }),
        2 => (n(), at()).prop_map(|(number, until)| Command::Mute { number, until }),
        1 => (n(), "[a-z]{20}").prop_map(|(number, key)| Command::Sample { number, key: key.into() }),
        1 => n().prop_map(|number| Command::Tested { number }),
        1 => "[a-c]".prop_map(|token| Command::MakeWebhook { hash: token_hash(&token) }),
        1 => Just(Command::MakeWebhook { hash: "the token itself".into() }),
        1 => Just(Command::RevokeWebhook),
        2 => plan().prop_map(|digest| Command::SetDigest { digest }),
        1 => which().prop_map(|which| Command::ClearDigest { which }),
        2 => (which(), at()).prop_map(|(which, at)| Command::DigestSent { which, at }),
    ]
}

/// People ask for things; the clock may stand still.
fn story() -> impl Strategy<Value = Vec<(Command, i64)>> {
    vec((command(), 0..50_000i64), 0..40)
}

type Turn = (Command, Rules, Result<Vec<Event>, Refusal>, Rules);

fn play(commands: Vec<(Command, i64)>) -> (Vec<Turn>, Vec<Recorded>) {
    let (mut state, mut at, mut turns, mut history) = (Rules::default(), start(), Vec::new(), Vec::new());
    for (command, seconds) in commands {
        at += SignedDuration::from_secs(seconds);
        let (before, by) = (state.clone(), Actor::Person(UserId::slack("U0BOB")));
        let outcome = decide(&state, command.clone(), at);
        for event in outcome.iter().flatten() {
            let recorded = Recorded { event: event.clone(), by: by.clone(), at };
            state.apply(&recorded);
            history.push(recorded);
        }
        turns.push((command, before, outcome, state.clone()));
    }
    (turns, history)
}

fn reads_well(text: &str) -> bool {
    text.len() > 10 && text.ends_with(['.', '?']) && !text.contains(['\n', '\u{1b}', '\u{202e}'])
}

proptest! {
    #[test]
    fn folding_the_events_gives_the_rules_and_json_keeps_both(commands in story()) {
        let (turns, history) = play(commands);
        let folded = history.iter().fold(None, |state, r| <Rules as Folded>::fold(state, &r.event, &r.by, r.at));
        let last = turns.last().map(|turn| turn.3.clone()).unwrap_or_default();
        prop_assert_eq!(&folded.unwrap_or_default(), &last);
        let json = serde_json::to_string(&last).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Rules>(&json).unwrap(), &last);
        for Recorded { event, .. } in &history {
            let mut json = serde_json::to_value(event).unwrap();
            prop_assert!(json["event"].is_string());
            // A field that a later release stores does not disturb.
            json["from_a_later_release"] = 1.into();
            prop_assert_eq!(&serde_json::from_value::<Event>(json).unwrap(), event);
        }
    }

    #[test]
    fn a_refusal_changes_nothing_and_reads_well(commands in story()) {
        for (command, before, outcome, after) in play(commands).0 {
            match outcome {
                Ok(events) => prop_assert!(!events.is_empty() && before != after, "{:?} did nothing", command),
                Err(refusal) => {
                    prop_assert_eq!(before, after);
                    prop_assert!(reads_well(&refusal.to_string()), "{}", refusal);
                }
            }
        }
    }

    #[test]
    fn numbers_are_given_once_and_no_two_rules_say_the_same(commands in story()) {
        let (turns, history) = play(commands);
        let added = history.iter().filter_map(|r| if let Event::Added { number, .. } = r.event { Some(number) } else { None });
        let added: Vec<u32> = added.collect();
        prop_assert!(added.iter().copied().eq(1..=u32::try_from(added.len()).unwrap()));
        for (.., after) in turns {
            prop_assert!(after.rules.len() <= MAX_RULES);
            for rule in &after.rules {
                prop_assert_eq!(after.rules.iter().filter(|r| r.watch.is_same(&rule.watch)).count(), 1);
                prop_assert_eq!(rule.watch.check(), Ok(()));
            }
        }
    }

    #[test]
    fn the_words_of_a_rule_are_read_as_that_rule(watch in possible()) {
        let words = watch.words();
        prop_assert_eq!(typed(&words), Ok(watch.clone()), "{}", words);
        let plain = watch.to_string();
        prop_assert!(!plain.contains('\u{202e}'), "{}", plain);
    }

    #[test]
    fn a_rule_typed_again_in_capitals_is_known(watch in possible().prop_filter("evaluated here", |w| w.trigger.spec().evaluated)) {
        let (mut rules, by) = (Rules::default(), Actor::Bot);
        rules.apply(&Recorded { event: Event::Added { number: 1, watch: watch.clone() }, by, at: start() });
        let mut again = watch;
        // Not every letter has one capital.
        again.conditions.rule = again.conditions.rule.map(|n| n.to_ascii_uppercase().into());
        again.conditions.intake = again.conditions.intake.map(|n| n.to_ascii_uppercase().into());
        prop_assert_eq!(decide(&rules, Command::Add { watch: again }, start()), Err(Refusal::Duplicate(1)));
    }

    #[test]
    fn whatever_is_typed_is_a_rule_or_a_fault_that_reads_well(text in "\\PC{0,60}", trigger in select(vec!["", "alert ", "silent ", "playbook ", "rule ", "case "])) {
        for text in [format!("{trigger}{text}"), text] {
            match typed(&text) {
                Ok(watch) => prop_assert_eq!(watch.check(), Ok(())),
                Err(fault) => prop_assert!(reads_well(&fault), "{}", fault),
            }
            if let Err(fault) = digest(find("notify digest").unwrap(), lex(&text)) {
                prop_assert!(reads_well(&fault.to_string()), "{}", fault);
            }
        }
    }

    #[test]
    fn the_set_of_all_rules_fires_as_its_conditions_read(
        watches in vec((possible(), any::<bool>(), option::of(-10..10i64)), 0..12),
        occurrences in vec(occurrence(), 1..12),
    ) {
        let mut rules = Rules::default();
        for (number, (watch, paused, muted)) in (1..).zip(watches) {
            let muted_until = muted.map(|m| start() + SignedDuration::from_secs(m));
            rules.rules.push(Rule { number, watch, paused, muted_until, by: Actor::Bot, at: start(), sample: None, tested: None });
        }
        let (here, there) = (ChannelKey::web("here"), ChannelKey::web("there"));
        let mut set = RuleSet::default();
        set.set(&here, &[Uuid::from_u128(1), Uuid::from_u128(1)], &rules);
        set.set(&there, &[Uuid::from_u128(1), Uuid::from_u128(2)], &rules);
        for occurrence in &occurrences {
            let fired = set.fired(occurrence, start());
            for (channel, communities) in [(&here, &[1u128][..]), (&there, &[1, 2])] {
                let about = communities.iter().any(|n| Uuid::from_u128(*n) == occurrence.community);
                let together = fired.iter().filter(|key| key.channel == *channel).map(|key| key.number);
                let alone = rules.rules.iter().filter(|rule| about && matches(rule, occurrence, start())).map(|r| r.number);
                let read = rules.rules.iter().filter(|rule| about && reads_so(rule, occurrence, start())).map(|r| r.number);
                let read: Vec<u32> = read.collect();
                prop_assert_eq!(&together.collect::<Vec<_>>(), &read);
                prop_assert_eq!(&alone.collect::<Vec<_>>(), &read);
            }
            let json = serde_json::to_string(occurrence).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Occurrence>(&json).unwrap(), occurrence);
        }
        set.remove(&there);
        set.remove(&here);
        prop_assert!(!Trigger::all().any(|trigger| set.waits_for(trigger)));
    }

    #[test]
    fn a_storm_loses_no_firing_and_counts_none_twice(gaps in vec((prop_oneof![5 => 0..40i64, 1 => -900..900i64], option::of(0..=100u8)), 0..200)) {
        let (mut storm, mut now) = (Storm::default(), start());
        let (mut cards, mut counted, mut open) = (0, 0, 0);
        for (gap, urgency) in &gaps {
            now += SignedDuration::from_secs(*gap);
            let json = serde_json::to_string(&storm).unwrap();
            prop_assert!(json.len() < 700);
            storm = serde_json::from_str(&json).unwrap();
            let (ended, place) = storm.fired(*urgency, "a rule", now);
            if let Some(ended) = ended {
                prop_assert_eq!(ended.count, std::mem::take(&mut open));
                counted += ended.count;
            }
            match place {
                Place::OwnCard => {
                    prop_assert_eq!(open, 0);
                    cards += 1;
                }
                Place::Starts(swarm) => {
                    prop_assert_eq!((open, swarm.count), (0, 1));
                    open = 1;
                }
                Place::Joins(swarm) => {
                    open += 1;
                    prop_assert_eq!(swarm.count, open);
                }
            }
        }
        if let Some(ended) = storm.over(now + QUIET) {
            counted += ended.count;
        }
        prop_assert_eq!(cards + counted, gaps.len() as u64);
        prop_assert!(storm.ends().is_none());
    }

    #[test]
    fn silence_is_never_told_wrongly_and_never_kept_for_long(
        gaps in vec(prop_oneof![5 => 1..40u32, 2 => 40..200u32, 1 => 200..2000u32], 1..12),
        step in 3..20i64,
        phase in 0..60i64,
        minutes in select(vec![60u16, 90, 240]),
    ) {
        let zero = Timestamp::from_second(1_790_000_000 / 3600 * 3600).unwrap() + SignedDuration::from_mins(phase);
        let mut events = vec![zero];
        for gap in gaps {
            events.push(*events.last().unwrap() + SignedDuration::from_mins(gap.into()));
        }
        let intakes = vec![silence::Intake { uuid: "1".into(), name: "Okta".into(), created: Some(zero) }];
        let wanted = [silence::WatchedIntake { by: "1".into(), muted: false, intake: None, minutes }];
        let (mut memory, mut is_silent, mut now) = (silence::Memory::default(), false, zero);
        while now < *events.last().unwrap() + SignedDuration::from_hours(6) {
            let came = || events.iter().filter(|at| **at <= now);
            let mut hours = BTreeMap::new();
            for at in came().filter(|at| now.duration_since(**at) < silence::REACH) {
                let hour = Timestamp::from_second(at.as_second().div_euclid(3600) * 3600).unwrap();
                *hours.entry(hour).or_insert(0u64) += 1;
            }
            let counts = BTreeMap::from([("1".into(), hours)]);
            let look = silence::Look { intakes: intakes.clone(), counts, ..silence::Look::default() };
            memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
            let found = memory.look(&look, &wanted, now);
            prop_assert!(found.suspects.is_empty());
            let truly = now.duration_since(*came().next_back().unwrap());
            let limit = SignedDuration::from_mins(minutes.into());
            for what in found.changes {
                is_silent = matches!(what, What::Silent(_));
                prop_assert_eq!(truly >= limit, is_silent);
            }
            // A look later, it is known.
            if truly >= limit + SignedDuration::from_mins(step) {
                prop_assert!(is_silent, "silent for {:?}", truly);
            }
            prop_assert!(truly >= limit || !is_silent);
            now += SignedDuration::from_mins(step);
        }
    }

    #[test]
    fn every_day_has_its_digest_whatever_the_clocks_do(digest in plan(), at in 1_735_689_600..1_830_297_600i64) {
        let now = Timestamp::from_second(at).unwrap();
        let (last, next) = (digest.last_before(now).unwrap(), digest.next_after(now).unwrap());
        prop_assert!(last <= now && now < next);
        prop_assert_eq!(digest.next_after(last), Some(next));
        prop_assert_eq!(digest.last_before(next), Some(next));
        let [last_day, next_day] = [last, next].map(|at| at.to_zoned(digest.zone().clone()).date());
        let days = if digest.every == Every::Day { 1 } else { 7 };
        prop_assert_eq!(last_day.checked_add(days.days()).unwrap(), next_day);
        // Periods follow each other without a gap.
        let due = digest.due(last - 1.second(), now).unwrap();
        prop_assert_eq!(due.at, last);
        prop_assert_eq!(digest.due(due.from - 1.second(), due.from).unwrap().at, due.from);
        prop_assert_eq!(digest.due(last, now), None);
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Digest>(&json).unwrap(), &digest);
        prop_assert_eq!(&scheduled(&digest.words()), &digest);
    }

    #[test]
    fn a_summary_counts_what_was_entered(entries in vec((entry(), 0..40_000i64), 0..200), hours in 1..400u16) {
        let (mut journal, mut now) = (Journal::new(start()), start());
        let mut all = Vec::new();
        for (entry, seconds) in entries {
            now += SignedDuration::from_secs(seconds);
            journal.enter(entry.clone(), now);
            all.push((entry, now));
        }
        let json = serde_json::to_string(&journal).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Journal>(&json).unwrap(), &journal);
        let period = Period::last(hours.min(KEPT as u16), now);
        let told = summary(&journal, &Rules::default(), period, &TimeZone::UTC);
        let within: Vec<&Entry> = all.iter().filter(|(_, at)| *at >= period.from).map(|(entry, _)| entry).collect();
        let (mut fired, mut failed, mut times) = (BTreeMap::new(), 0, Vec::new());
        let (mut silent, mut swarmed) = (0, 0);
        for entry in within {
            match entry {
                Entry::Fired { rule, about, .. } => {
                    *fired.entry(*rule).or_insert(0) += 1;
                    silent += u64::from(matches!(about, About::Silent(_)));
                }
                Entry::Acknowledged { seconds, .. } => times.push(*seconds),
                Entry::Swarmed { .. } => swarmed += 1,
                Entry::Failed { .. } => failed += 1,
                Entry::Again { .. } | Entry::AcknowledgedAgain { .. } => {}
            }
        }
        prop_assert_eq!(told.total(), fired.values().sum::<u32>());
        prop_assert_eq!(told.slots.iter().map(|slot| slot.bands.total()).sum::<u32>(), told.total());
        prop_assert_eq!(told.rules.iter().map(|line| line.failed).sum::<u32>(), failed);
        for line in &told.rules {
            prop_assert_eq!(line.bands.total(), fired.get(&line.number).copied().unwrap_or_default());
        }
        prop_assert_eq!(told.silent.iter().map(|c| c.count).sum::<u64>(), silent);
        prop_assert_eq!(told.acknowledged, times.len() as u64);
        prop_assert_eq!(told.swarmed.0, swarmed);
        times.sort_unstable();
        if let Some(exact) = times.get(times.len().saturating_sub(1) / 2) {
            let about = told.median_to_acknowledge.unwrap().as_secs_f64();
            prop_assert!((about - *exact as f64).abs() <= 0.5 + *exact as f64 / 10.0, "{} for {}", about, exact);
        }
        if let Some(before) = told.before {
            let earlier = period.from - period.length();
            let exact = all.iter().filter(|(e, at)| matches!(e, Entry::Fired { .. }) && *at >= earlier && *at < period.from);
            prop_assert_eq!(before as usize, exact.count());
        }
    }
}

proptest! {
    /// Whichever rules fire for an alert, and whenever: it is one of those that happened in a time if
    /// a rule fired for it then; and each rule has counted its own.
    #[test]
    fn what_several_rules_fire_for_is_counted_once(
        alerts in vec(vec(0..60i64, 1..4), 0..20),
        hours in 1u16..48,
    ) {
        let start: Timestamp = "2026-07-01T08:00:00Z".parse().unwrap();
        let at = |hour: i64| start + SignedDuration::from_hours(hour);
        // In the order of time, as they come.
        let mut firings: Vec<(i64, usize, u32, Option<i64>)> = Vec::new();
        for (alert, times) in alerts.iter().enumerate() {
            let mut times = times.clone();
            times.sort_unstable();
            for (i, hour) in times.iter().enumerate() {
                let before = i.checked_sub(1).map(|before| times[before]);
                firings.push((*hour, alert, u32::try_from(i).unwrap() + 1, before));
            }
        }
        firings.sort_unstable();
        let mut journal = Journal::new(start);
        for (hour, _, rule, before) in &firings {
            let urgency = Some(50);
            journal.enter(Entry::Fired { rule: *rule, urgency, about: About::Nothing }, at(*hour));
            if let Some(before) = before {
                journal.enter(Entry::Again { before: at(*before), urgency }, at(*hour));
            }
        }
        let period = Period::last(hours, at(60));
        let told = summary(&journal, &Rules::default(), period, &TimeZone::UTC);
        let within = |hour: i64| at(hour) >= period.from && at(hour) < period.until;
        let exact = alerts.iter().filter(|times| times.iter().any(|hour| within(*hour))).count();
        prop_assert_eq!(told.total() as usize, exact);
        prop_assert_eq!(told.slots.iter().map(|slot| slot.bands.total()).sum::<u32>(), told.total());
        let fired = firings.iter().filter(|(hour, ..)| within(*hour)).count();
        prop_assert_eq!(told.rules.iter().map(|line| line.bands.total() as usize).sum::<usize>(), fired);
    }
}

#[test]
fn an_alert_that_two_rules_told_of_is_acknowledged_once() {
    let now: Timestamp = "2026-07-01T08:30:00Z".parse().unwrap();
    let mut journal = Journal::new(now);
    for rule in [1, 2] {
        journal.enter(Entry::Acknowledged { rule, seconds: 60 }, now);
    }
    journal.enter(Entry::AcknowledgedAgain { seconds: 60 }, now);
    let told = summary(&journal, &Rules::default(), Period::last(1, now), &TimeZone::UTC);
    assert_eq!(told.acknowledged, 1);
    assert!(told.rules.iter().all(|line| line.median_to_acknowledge.is_some()));
}

fn entry() -> impl Strategy<Value = Entry> {
    let about = prop_oneof![
        Just(About::Nothing),
        select(vec!["HQ", "Lab"]).prop_map(|n| About::Entity(n.into())),
        select(vec!["Okta", "EDR"]).prop_map(|n| About::Silent(n.into())),
        Just(About::Playbook("Enrich".into())),
    ];
    prop_oneof![
        4 => (1..4u32, option::of(0..=100u8), about).prop_map(|(rule, urgency, about)| Entry::Fired { rule, urgency, about }),
        2 => (1..4u32, 0..1_000_000u64).prop_map(|(rule, seconds)| Entry::Acknowledged { rule, seconds }),
        1 => (1..4u32).prop_map(|rule| Entry::Swarmed { rule }),
        1 => (1..4u32).prop_map(|rule| Entry::Failed { rule }),
    ]
}

fn named() -> impl Strategy<Value = Named> {
    (option::of(select(vec!["u-1", "okta"])), option::of(select(vec!["Okta", " hq ", "for"])))
        .prop_map(|(uuid, name)| Named { uuid: uuid.map(Into::into), name: name.map(Into::into) })
}

fn alert() -> impl Strategy<Value = Alert> {
    let status = option::of(select(vec!["Pending", "closed", "Odd"]));
    let asset = select(vec![ASSET, "5F0C1E0A-0000-4000-8000-000000000003", "5f0c1e0a-0000-4000-8000-000000000004"]);
    let asset = asset.prop_map(|uuid| Named { uuid: Some(uuid.into()), name: None });
    let about = (option::of(named()), option::of(named()), vec(asset, 0..3));
    (option::of(0..=100u8), status, about, option::of(any::<bool>())).prop_map(
        |(urgency, status, (rule, entity, assets), status_changed)| {
            let status = status.map(Into::into);
            Alert { uuid: "a".into(), urgency, status, rule, entity, assets, status_changed, ..Alert::default() }
        },
    )
}

/// A rule as somebody reads it who knows nothing of how it is compared.
fn reads_so(rule: &Rule, occurrence: &Occurrence, now: Timestamp) -> bool {
    let c = &rule.watch.conditions;
    let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
    let is = |wanted: &Option<Box<str>>, found: Option<&Named>| {
        let Some(wanted) = wanted else { return true };
        let Some(found) = found else { return false };
        [&found.name, &found.uuid].into_iter().flatten().any(|found| same(found, wanted))
    };
    if rule.paused || rule.muted_until.is_some_and(|until| until > now) {
        return false;
    }
    let name = occurrence.community_name.clone();
    let community = Named { uuid: Some(occurrence.community.to_string().into()), name };
    if !is(&c.community, Some(&community)) {
        return false;
    }
    match (rule.watch.trigger, &occurrence.what) {
        (Trigger::AlertRaised, What::AlertRaised(alert)) | (Trigger::AlertUpdated, What::AlertUpdated(alert)) => {
            let urgent = match (c.urgency, alert.urgency) {
                (None, _) => true,
                (Some(least), Some(urgency)) => urgency >= least,
                (Some(_), None) => false,
            };
            let status = alert.status.as_deref().unwrap_or_default();
            let stands =
                c.status.iter().any(|wanted| same(wanted.name(), status)) && alert.status_changed != Some(false);
            urgent
                && (stands || c.status.is_empty())
                && is(&c.rule, alert.rule.as_ref())
                && is(&c.entity, alert.entity.as_ref())
                && (c.asset.is_none() || alert.assets.iter().any(|asset| is(&c.asset, Some(asset))))
        }
        (Trigger::NoEvents, What::Silent(silence) | What::Resumed(silence)) => {
            c.silent_for == Some(silence.minutes) && is(&c.intake, Some(&silence.intake))
        }
        (Trigger::PlaybookError, What::PlaybookError(failed)) => {
            is(&c.playbook, Some(&failed.playbook)) && (failed.crashed || !c.crashed)
        }
        (Trigger::CaseCreated, What::CaseCreated(case)) | (Trigger::CaseEdited, What::CaseUpdated(case)) => {
            case.manual != Some(true)
        }
        (Trigger::ConnectorError, What::ConnectorError(_)) => true,
        (waits, What::Other { trigger, .. }) => waits == *trigger,
        _ => false,
    }
}

/// What happened at `Nimbus`, the second community.
fn at_nimbus(what: What) -> Occurrence {
    let community = Uuid::from_u128(2);
    Occurrence { id: "x".into(), at: start(), community, community_name: Some("Nimbus".into()), what }
}

fn brute_force() -> Alert {
    Alert {
        uuid: "a".into(),
        urgency: Some(75),
        status: Some("Closed".into()),
        rule: Some(Named::new("r-1", "Brute force")),
        entity: Some(Named::new("e-1", "HQ")),
        assets: vec![Named { uuid: Some(ASSET.into()), name: None }],
        status_changed: Some(true),
        ..Alert::default()
    }
}

#[test]
fn every_condition_rejects_what_it_does_not_name() {
    let updated = |change: fn(&mut Alert)| {
        let mut alert = brute_force();
        change(&mut alert);
        at_nimbus(What::AlertUpdated(alert))
    };
    let silent =
        |uuid, name, minutes| at_nimbus(What::Silent(Silence { intake: Named::new(uuid, name), minutes, since: None }));
    let failed = |name, crashed| {
        let playbook = Named::new("p-1", name);
        at_nimbus(What::PlaybookError(Playbook { playbook, crashed, ..Playbook::default() }))
    };
    let case = |manual| at_nimbus(What::CaseCreated(Case { manual, ..Case::default() }));
    let elsewhere = |mut occurrence: Occurrence| {
        (occurrence.community, occurrence.community_name) = (Uuid::from_u128(3), Some("Other".into()));
        occurrence
    };
    let nothing: fn(&mut Alert) = |_| {};
    // The rule, what it fires for, and what it does not fire for: one thing at a time.
    let table: Vec<(&str, Vec<Occurrence>, Vec<Occurrence>)> = vec![
        (
            "alert updated urgency>=75",
            vec![updated(nothing), updated(|a| a.urgency = Some(100))],
            vec![updated(|a| a.urgency = Some(74)), updated(|a| a.urgency = None)],
        ),
        (
            "alert updated status=Closed,Rejected",
            vec![
                updated(nothing),
                updated(|a| a.status = Some(" closed ".into())),
                updated(|a| a.status_changed = None),
            ],
            vec![
                updated(|a| a.status = Some("Ongoing".into())),
                updated(|a| a.status = Some("Odd".into())),
                updated(|a| a.status = None),
                // It was closed before; something else changed.
                updated(|a| a.status_changed = Some(false)),
            ],
        ),
        (
            "alert updated rule=\"brute FORCE\"",
            vec![updated(nothing)],
            vec![updated(|a| a.rule = Some(Named::new("r-2", "Brute force attack"))), updated(|a| a.rule = None)],
        ),
        (
            "alert updated rule=R-1",
            vec![updated(nothing)],
            vec![updated(|a| a.rule = Some(Named::new("r-2", "Brute force")))],
        ),
        (
            "alert updated entity=HQ",
            vec![updated(nothing), updated(|a| a.entity = Some(Named { uuid: None, name: Some("hq".into()) }))],
            vec![updated(|a| a.entity = Some(Named::new("e-2", "HQ 2"))), updated(|a| a.entity = None)],
        ),
        (
            "alert updated entity=e-1",
            vec![updated(nothing)],
            vec![updated(|a| a.entity = Some(Named::new("e-2", "HQ")))],
        ),
        (
            "alert updated asset=5F0C1E0A-0000-4000-8000-000000000003",
            vec![updated(nothing), updated(|a| a.assets.insert(0, Named { uuid: Some("another".into()), name: None }))],
            vec![
                updated(|a| a.assets.clear()),
                updated(|a| a.assets[0].uuid = Some("5f0c1e0a-0000-4000-8000-000000000004".into())),
            ],
        ),
        ("alert updated community=nimbus", vec![updated(nothing)], vec![elsewhere(updated(nothing))]),
        (
            "alert updated community=00000000-0000-0000-0000-000000000002",
            vec![updated(nothing)],
            vec![elsewhere(updated(nothing))],
        ),
        ("alert", vec![at_nimbus(What::AlertRaised(brute_force()))], vec![updated(nothing), case(None)]),
        (
            "silent Okta for 1h",
            vec![silent("i-1", "okta", 60), silent("i-1", " Okta ", 60)],
            vec![silent("i-2", "Okta 2", 60), silent("i-1", "Okta", 30), silent("i-1", "Okta", 90)],
        ),
        ("silent i-1", vec![silent("i-1", "Okta", 60)], vec![silent("i-2", "Okta", 60)]),
        (
            "playbook \"Enrich IPs\"",
            vec![failed("Enrich IPs", false), failed("enrich ips", true)],
            vec![failed("Enrich", false), failed("Enrich IPs 2", true)],
        ),
        ("playbook crashed", vec![failed("Enrich", true)], vec![failed("Enrich", false)]),
        (
            "case",
            vec![case(Some(false)), case(None)],
            vec![case(Some(true)), at_nimbus(What::CaseUpdated(Case::default()))],
        ),
        (
            "connector community=Nimbus",
            vec![at_nimbus(What::ConnectorError(Connector::default()))],
            vec![elsewhere(at_nimbus(What::ConnectorError(Connector::default()))), case(None)],
        ),
    ];
    let channel = ChannelKey::web("here");
    for (words, takes, rejects) in table {
        let rule = |paused, muted_until| {
            let watch = watch(words);
            Rule { number: 1, watch, paused, muted_until, by: Actor::Bot, at: start(), sample: None, tested: None }
        };
        let fires = |rule: Rule, occurrence: &Occurrence| {
            let alone = matches(&rule, occurrence, start());
            let mut set = RuleSet::default();
            set.set(&channel, &[occurrence.community], &Rules { rules: vec![rule], ..Rules::default() });
            assert_eq!(set.fired(occurrence, start()).len(), usize::from(alone), "{words}: {occurrence:?}");
            alone
        };
        for occurrence in &takes {
            assert!(fires(rule(false, None), occurrence), "{words}: {occurrence:?}");
            // Muted until this instant is over.
            assert!(fires(rule(false, Some(start())), occurrence), "{words}");
            assert!(!fires(rule(true, None), occurrence), "{words}, paused");
            assert!(!fires(rule(false, Some(start() + 1.second())), occurrence), "{words}, muted");
        }
        for occurrence in &rejects {
            assert!(!fires(rule(false, None), occurrence), "{words}: {occurrence:?}");
        }
    }
}

fn occurrence() -> impl Strategy<Value = Occurrence> {
    let what = prop_oneof![
        alert().prop_map(What::AlertRaised),
        alert().prop_map(What::AlertUpdated),
        (named(), select(vec![15, 60])).prop_map(|(intake, minutes)| What::Silent(Silence {
            intake,
            minutes,
            since: None
        })),
        (named(), any::<bool>()).prop_map(|(playbook, crashed)| What::PlaybookError(Playbook {
            playbook,
            crashed,
            ..Playbook::default()
        })),
        option::of(any::<bool>()).prop_map(|manual| What::CaseCreated(Case { manual, ..Case::default() })),
        named().prop_map(|connector| What::ConnectorError(Connector { connector, error: None })),
        Just(What::Other { trigger: Trigger::ReportAvailable, title: "A report".into() }),
    ];
    (what, 1..3u128, option::of(select(vec!["Okta", "HQ"]))).prop_map(|(what, n, name)| Occurrence {
        id: "x".into(),
        at: start(),
        community: Uuid::from_u128(n),
        community_name: name.map(Into::into),
        what,
    })
}

#[test]
fn rules_in_plain_words() {
    let typed = [
        "alert urgency>=75",
        "alert urgency >= 80 rule=\"Brute force\" entity=“HQ” asset=5F0C1E0A-0000-4000-8000-000000000003",
        "alert urgency&gt;=75 community=\"Nimbus Payments\"",
        "alert urgency>=0",
        "ALERT updated status=closed,Rejected",
        "silent \"Okta\" for 30m",
        "silent Okta SSO for 90 minutes",
        "silent for 1h",
        "silent",
        "silent for 24h intake=\"for\"",
        "playbook crashed",
        "playbook \"Enrich IPs\"",
        "case",
        "case edited",
        "connector community=Nimbus",
        "rule limited",
        "report",
    ];
    let said: Vec<String> = typed.iter().map(|t| watch(t)).map(|w| format!("{w} | {}", w.words())).collect();
    assert_snapshot!(said.join("\n"), @r#"
    Alert raised, urgency 75 or more | alert urgency>=75
    Alert raised, urgency 80 or more, rule "Brute force", entity "HQ", asset "5f0c1e0a-0000-4000-8000-000000000003" | alert urgency>=80 rule="Brute force" entity="HQ" asset="5f0c1e0a-0000-4000-8000-000000000003"
    Alert raised, urgency 75 or more, community "Nimbus Payments" | alert urgency>=75 community="Nimbus Payments"
    Alert raised | alert
    Alert updated, status Rejected or Closed | alert updated status=Rejected,Closed
    No events from intake "Okta" for 30 minutes | silent "Okta" for 30m
    No events from intake "Okta SSO" for 90 minutes | silent "Okta SSO" for 90m
    No events from any intake for 1 hour | silent for 1h
    No events from any intake for 1 hour | silent for 1h
    No events from intake "for" for 24 hours | silent "for" for 24h
    Crash of any playbook | playbook crashed
    Error of playbook "Enrich IPs" | playbook "Enrich IPs"
    Case created automatically | case
    Automatic case edited | case edited
    Connector error, community "Nimbus" | connector community="Nimbus"
    Detection rule rate-limited | rule limited
    Report available | report
    "#);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let typed_badly = [
        "",
        "alrt urgency>=75",
        "nonsense",
        "alert updatd",
        "alert urgency>=101",
        "alert urgency>75",
        "alert urgency=75",
        "alert urgency<50",
        "alert urgency>=",
        "alert urgncy>=75",
        "alert urgency>=75 urgency>=80",
        "alert asset=\"srv-1\"",
        "alert status=Closed",
        "alert updated status=Clsed",
        "alert updated status=open",
        "alert \"Brute force\"",
        "alert rule>=x",
        "alert rule=\"\"",
        "alert for 30m",
        "silent \"Okta\" for 5m",
        "silent for 3 days",
        "silent for 90s",
        "silent for a while",
        "silent for",
        "silent urgency>=75",
        "playbook crashd",
        "playbook \"a\" \"b\"",
        "case urgency>=50",
        "rule limited rule=\"x\"",
        "alert <@U0BOB|bob>",
    ];
    let faults: Vec<String> = typed_badly.iter().map(|t| typed(t).unwrap_err()).collect();
    assert_snapshot!(faults.join("\n"), @r#"
    "notify add" needs to know what to wait for, such as `alert`, `silent` or `playbook`.
    "alrt" is not something to wait for: did you mean `alert`?
    "nonsense" is not something to wait for: write `alert`, `alert updated`, `case`, `case edited`, `silent`, `playbook`, `connector`.
    "updatd" is not a condition of this trigger: did you mean `alert updated`?
    "101" is not an urgency: give a number from 0 to 100, such as `urgency>=75`.
    "urgency>75" is not how urgencies are compared: write `urgency>=76`.
    "urgency=75" is not how urgencies are compared: a rule has a least urgency: `urgency>=75`.
    "urgency<50" is not how urgencies are compared: a rule has a least urgency: `urgency>=50`.
    "" is not an urgency: give a number from 0 to 100, such as `urgency>=75`.
    "urgncy" is not a condition of this trigger: did you mean `urgency>=75`?
    "urgency 80" is not possible here: `urgency` was given already.
    "srv-1" is not the UUID of an asset: Sekoia's alerts carry the UUIDs of their assets, not the names; an alert's message here shows them under "Assets".
    "status=Closed" is not possible when an alert is raised: it begins as Pending; write `alert updated status=Closed`.
    "Clsed" is not a status of alerts: did you mean `status=Closed`?
    "open" is not a status of alerts: Sekoia's are Pending, Acknowledged, Ongoing, Rejected, Closed.
    "Brute force" is not a condition of this trigger: `alert` takes `urgency>=75`, `status=Pending`, `rule="Brute force"`, `entity="HQ"`, `asset=<UUID>`, `community="Nimbus"`.
    "rule>=x" is not a condition: write `rule="Brute force"`.
    "" is not a name: give the name that Sekoia shows, in quotes.
    "for 30m" is not a condition of this trigger: `alert` takes `urgency>=75`, `status=Pending`, `rule="Brute force"`, `entity="HQ"`, `asset=<UUID>`, `community="Nimbus"`.
    "5m" is not a time of silence: the shortest is 15 minutes: `for 15m`.
    "3days" is not a time of silence: the longest is 24 hours: `for 24h`.
    "90s" is not a time of silence: the shortest is 15 minutes: `for 15m`.
    "a" is not a time of silence: write `for 30m` or `for 2h`, from 15 minutes to 24 hours.
    "notify add" needs to know for how long, such as `for 30m`.
    "urgency 75" is not a condition of this trigger: `silent` takes `intake="Okta"`, `for 30m`, `community="Nimbus"`.
    "crashd" is not a condition: did you mean `crashed`? A name like that goes in quotes.
    "playbook b" is not possible here: `playbook` was given already.
    "urgency 50" is not a condition of this trigger: `case` takes `community="Nimbus"`.
    "rule x" is not a condition of this trigger: Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how.
    "@bob" is not a condition of this trigger: `alert` takes `urgency>=75`, `status=Pending`, `rule="Brute force"`, `entity="HQ"`, `asset=<UUID>`, `community="Nimbus"`.
    "#);
}

#[test]
fn digests_that_cannot_be_kept_are_refused() {
    let fault = |text: &str| digest(find("notify digest").unwrap(), lex(text)).unwrap_err().to_string();
    let typed = [
        "",
        "hourly 08:30",
        "daily",
        "daily 25:00",
        "daily 8am",
        "weekly 08:30 Pariss",
        "weekly 08:30 GMT+2",
        "daily 08:30 Mars/Base",
        "daily 08:30 UTC sharp",
    ];
    assert_snapshot!(typed.map(fault).join("\n"), @r#"
    "notify digest" needs to know how often: `daily` or `weekly`.
    "hourly" is not how often a digest comes: write `daily` or `weekly`.
    "notify digest" needs to know at what time, such as 08:30.
    "25:00" is not a time of day: write hours and minutes, from 00:00 to 23:59, such as 08:30.
    "8am" is not a time of day: write hours and minutes, from 00:00 to 23:59, such as 08:30.
    "Pariss" is not a time zone: did you mean `Europe/Paris`?
    "GMT+2" is not a place's time zone: write a region and city such as `Europe/Paris`.
    "Mars/Base" is not a time zone: write a region and city such as `Europe/Paris`, or `UTC`.
    "notify digest" does not take "sharp".
    "#);
    let plans = ["daily at 8:30 europe/paris", "weekly 08:30", "weekly fri 18:00 new york"];
    assert_snapshot!(plans.map(|text| format!("{} | {}", scheduled(text), scheduled(text).words())).join("\n"), @"
    Every day at 08:30 (Europe/Paris) | daily 08:30 Europe/Paris
    Every Monday at 08:30 (UTC) | weekly monday 08:30 UTC
    Every Friday at 18:00 (America/New_York) | weekly friday 18:00 America/New_York
    ");
}

#[test]
fn refusals_say_what_to_do_instead() {
    let add = |text: &str| (Command::Add { watch: watch(text) }, 0);
    let sent = |which| (Command::DigestSent { which, at: start() }, 0);
    let mut odd = Watch::new(Trigger::CaseCreated);
    odd.conditions = Conditions { urgency: Some(75), ..Conditions::default() };
    let stories = [
        vec![(Command::Add { watch: odd }, 0)],
        vec![add("report")],
        vec![add("alert urgency>=75"), (Command::Tested { number: 1 }, 0)],
        vec![add("alert urgency>=75"), add("alert urgency>=75")],
        vec![add("alert"), (Command::Pause { number: 1 }, 0), add("alert")],
        (0..=MAX_RULES).map(|n| add(&format!("alert urgency>={}", n + 1))).collect(),
        vec![(Command::AddRecommended, 0), (Command::AddRecommended, 0)],
        vec![(Command::Remove { number: 1 }, 0)],
        vec![add("alert"), (Command::Pause { number: 2 }, 0)],
        vec![add("alert"), (Command::Pause { number: 1 }, 0), (Command::Pause { number: 1 }, 0)],
        vec![add("alert"), (Command::Resume { number: 1 }, 0)],
        vec![add("alert"), (Command::Mute { number: 1, until: start() }, 0)],
        vec![(Command::RevokeWebhook, 0)],
        vec![(Command::ClearDigest { which: Which::Weekly }, 0)],
        vec![(Command::SetDigest { digest: scheduled("daily 08:30") }, 0), sent(Which::Daily)],
    ];
    let refused = stories.map(|story| play(story).0.pop().unwrap().2.unwrap_err().to_string());
    assert_snapshot!(refused.join("\n"), @r#"
    "urgency>=75" is not a condition of this trigger: `case` takes `community="Nimbus"`.
    A rule for "Report available" could never fire here. Sekoia's API does not tell of this; make a notification rule in Sekoia's console that posts to this channel's webhook: what it posts is shown here. `/sekoia notify webhook` shows how.
    No sample of rule 1 has come here. `/sekoia notify test 1` sends one.
    Rule 1 says that already. `/sekoia notify` lists the rules.
    Rule 1 says that already, but it is paused. `/sekoia notify resume 1` resumes it.
    A channel may have 50 rules. `/sekoia notify remove <n>` makes room.
    The three rules that Sekoia recommends are here already. `/sekoia notify` lists them.
    There is no rule 1. This channel has none yet: `/sekoia notify recommended` adds three.
    There is no rule 2. `/sekoia notify` lists them.
    Rule 1 is paused already. `/sekoia notify resume 1` resumes it.
    Rule 1 is neither paused nor muted.
    A rule is muted until a time to come, for 30 days at most. `/sekoia notify pause 1` stops it until someone resumes it.
    There is no webhook to revoke. `/sekoia notify webhook` makes one.
    There is no weekly digest here. `/sekoia notify digest weekly 08:30 Europe/Paris` sets one.
    That digest was sent already.
    "#);
}

#[test]
fn the_recommended_rules_are_sekoias_and_only_the_missing_ones_are_added() {
    let (turns, _) = play(vec![(Command::Add { watch: watch("silent for 60m") }, 0), (Command::AddRecommended, 0)]);
    let rules = &turns.last().unwrap().3;
    let said: Vec<String> = rules.rules.iter().map(|rule| format!("{}. {}", rule.number, rule.watch)).collect();
    assert_snapshot!(said.join("\n"), @"
    1. No events from any intake for 1 hour
    2. Alert raised, urgency 75 or more
    3. Error of any playbook
    ");
}

#[test]
fn a_digest_on_the_days_when_clocks_change() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let paris = scheduled("daily 02:30 Europe/Paris");
    // 2026-03-29: there is no 02:30; it comes an hour of the clock later, and once.
    assert_eq!(paris.next_after(at("2026-03-28T02:00:00Z")), Some(at("2026-03-29T01:30:00Z")));
    assert_eq!(paris.next_after(at("2026-03-29T01:30:00Z")), Some(at("2026-03-30T00:30:00Z")));
    // 2026-10-25: there are two; the first counts.
    assert_eq!(paris.next_after(at("2026-10-24T12:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
    assert_eq!(paris.next_after(at("2026-10-25T00:30:00Z")), Some(at("2026-10-26T01:30:00Z")));
    let weekly = scheduled("weekly sunday 08:00 Europe/Paris");
    assert_eq!(weekly.next_after(at("2026-10-18T06:00:00Z")), Some(at("2026-10-25T07:00:00Z")));
    // A week of downtime owes one digest, about all of it.
    let by = Actor::Bot;
    let mut rules = Rules::default();
    let sent = at("2026-10-20T00:30:00Z");
    let events = [Event::DigestSet { digest: paris }, Event::DigestSent { which: Which::Daily, at: sent }];
    for event in events {
        rules.apply(&Recorded { event, by: by.clone(), at: at("2026-10-18T12:00:00Z") });
    }
    let planned = rules.planned(Which::Daily).unwrap();
    assert_eq!(planned.due(at("2026-10-21T00:29:59Z")), None);
    let due = planned.due(at("2026-10-27T12:00:00Z")).unwrap();
    assert_eq!((due.from, due.at), (sent, at("2026-10-27T01:30:00Z")));
    assert_eq!(Period::of(&due).length(), SignedDuration::from_hours(7 * 24 + 1));
    let years = planned.due(at("2028-01-01T12:00:00Z")).unwrap();
    assert_eq!(Period::of(&years).length(), SignedDuration::from_hours(14 * 24));
}

#[test]
fn a_storm_begins_after_a_few_cards_and_ends_when_it_is_quiet() {
    let mut storm = Storm::default();
    let at = |seconds| start() + SignedDuration::from_secs(seconds);
    for second in 0..OWN_CARDS as i64 {
        assert_eq!(storm.fired(Some(50), "a rule", at(second)), (None, Place::OwnCard));
    }
    assert!(matches!(storm.fired(Some(60), "a rule", at(10)).1, Place::Starts(s) if s.count == 1));
    assert!(
        matches!(storm.fired(Some(90), "a rule", at(11)).1, Place::Joins(s) if s.count == 2 && s.worst == Some(90))
    );
    assert_eq!(storm.over(at(600)), None);
    assert_eq!(storm.over(at(611)).unwrap().count, 2);
    assert_eq!(storm.fired(None, "a rule", at(612)), (None, Place::OwnCard));
}

/// A week of a busy channel, with names that somebody chose badly.
fn busy() -> (Journal, Rules, Timestamp) {
    let mut rules = Rules::default();
    let long = "A detection rule whose name does not end, because nobody ever thought that it would be drawn";
    let watches = [
        watch("alert urgency>=75"),
        watch(&format!("alert rule=\"{long}\"")),
        watch("silent \"\u{202e}atkO\u{202c} 日本 ☃\" for 30m"),
        watch("playbook crashed"),
        watch("case"),
    ];
    for (number, watch) in (1..).zip(watches) {
        rules.apply(&Recorded { event: Event::Added { number, watch }, by: Actor::Bot, at: start() });
    }
    let mut journal = Journal::new(start());
    let mut now = start();
    for i in 0..2_000u32 {
        now += SignedDuration::from_secs(i64::from(i % 7) * 180 + if i % 300 == 0 { 20_000 } else { 0 });
        let rule = [1, 2, 2, 2, 1, 3, 4, 9][(i.wrapping_mul(2_654_435_761) >> 16) as usize % 8];
        let urgency = (rule < 3).then_some((i.wrapping_mul(40_503) % 101) as u8);
        let about = match rule {
            1 | 2 => About::Entity(format!("Site {}", i % 13).into()),
            3 => About::Silent("Okta".into()),
            _ => About::Playbook("Enrich IPs".into()),
        };
        journal.enter(Entry::Fired { rule, urgency, about }, now);
        if i % 3 == 0 {
            journal.enter(Entry::Acknowledged { rule, seconds: u64::from(i % 900) }, now);
        }
    }
    journal.enter(Entry::Failed { rule: 4 }, now);
    (journal, rules, now)
}

#[test]
fn a_summary_and_its_charts() {
    let (journal, rules, now) = busy();
    let zone = scheduled("daily 08:00 Europe/Paris").zone().clone();
    let day = summary(&journal, &rules, Period::last(24, now), &zone);
    let week = summary(&journal, &rules, Period::last(7 * 24, now), &zone);
    let quiet = summary(&Journal::new(start()), &rules, Period::last(24, start()), &zone);
    assert_snapshot!(alt(&week, Chart::ByTime, &zone), @"Notifications, 2026-10-27 12:00 to 2026-11-03 12:00 Europe/Paris, bar chart: 1008 notifications, 133 Urgent, 121 Major, 125 High, 123 Moderate, 125 Low, 381 without urgency. Most at Tue 27: 22 Urgent, 21 Major, 17 High, 19 Moderate, 19 Low, 63 without urgency.");
    assert_snapshot!(alt(&day, Chart::ByTime, &zone), @"Notifications, 2026-11-02 12:00 to 2026-11-03 12:00 Europe/Paris, bar chart: 160 notifications, 21 Urgent, 19 Major, 24 High, 19 Moderate, 18 Low, 59 without urgency. Most at 10:00: 4 High, 1 Moderate, 2 without urgency.");
    assert_snapshot!(alt(&week, Chart::ByRule, &zone), @"Notifications, 2026-10-27 12:00 to 2026-11-03 12:00 Europe/Paris, bar chart by rule: 1008 notifications; rule 2: 81 Urgent, 72 Major, 75 High, 72 Moderate, 76 Low; rule 1: 52 Urgent, 49 Major, 50 High, 51 Moderate, 49 Low; rule 3: 132 without urgency; rule 9: 127 without urgency; rule 4: 122 without urgency.");
    assert_snapshot!(alt(&quiet, Chart::ByRule, &zone), @"Notifications, 2026-10-19 11:00 to 2026-10-20 11:00 Europe/Paris: nothing fired.");
    assert_eq!((day.slots.len(), week.slots.len()), (24, 7));
    assert_eq!(quiet.never_fired().count(), 5);
    assert_eq!(week.failing().map(|line| line.number).collect::<Vec<_>>(), [4]);
    assert!(week.median_to_acknowledge.is_some() && week.change().is_some());
    for (name, summary) in [("day", &day), ("week", &week), ("quiet", &quiet)] {
        for chart in [Chart::ByTime, Chart::ByRule] {
            let png = draw(summary, chart, &zone).unwrap();
            let picture = tiny_skia::Pixmap::decode_png(&png).unwrap();
            assert_eq!(picture.width(), 1000);
            assert!(png.len() < 100_000, "{}", png.len());
            if let Ok(folder) = std::env::var("NOTIFY_CHARTS") {
                std::fs::write(format!("{folder}/{name}-{chart:?}.png"), &png).unwrap();
            }
        }
    }
}

#[test]
fn the_journal_stays_small_however_much_happens() {
    let mut journal = Journal::new(start());
    let mut sizes = Vec::new();
    for i in 0..100_000i64 {
        let at = start() + SignedDuration::from_secs(i * 30);
        let about = About::Entity(format!("host {}", i % 5000).into());
        journal.enter(Entry::Fired { rule: (i % 50) as u32, urgency: Some((i % 101) as u8), about }, at);
        if i % 50_000 == 49_999 {
            sizes.push(journal.size());
        }
    }
    assert!(sizes[1] <= sizes[0] + 100, "{sizes:?}");
    // A clock that was ahead for a moment does not keep the rest out.
    let now = start() + SignedDuration::from_secs(100_000 * 30);
    let fired = || Entry::Fired { rule: 1, urgency: None, about: About::Nothing };
    journal.enter(fired(), now + SignedDuration::from_hours(24 * 365));
    journal.enter(fired(), now);
    assert_eq!(summary(&journal, &Rules::default(), Period::last(1, now), &TimeZone::UTC).total(), 1);
}
