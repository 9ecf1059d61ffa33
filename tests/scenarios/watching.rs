//! What happens at Sekoia, told in the channel: nothing lost, nothing twice, whatever fails.

mod polled;

use std::time::Duration;

use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use sekoia_chatops::chat::ChannelKey;
use sekoia_chatops::domain::notify::Card;
use sekoia_chatops::domain::notify::{self, ChannelLog};
use sekoia_chatops::sandbox::world::AlertStatus;
use sekoia_chatops::sandbox::{AlertChange, Fault, FaultKind, Happening, LiveFault, NewAlert};
use sekoia_chatops::state::feed::{Posted, card_row};
use sekoia_chatops::state::hint::Hint;
use sekoia_chatops::state::kept::decode;
use sekoia_chatops::store::{Commit, KeptKind, WorkKind};
use uuid::Uuid;

use crate::harness::{Call, ChatFault, Platform, SOC, Seen, Setting, Stage, on_both, run, steady};

/// Longer than anything takes that works, on a machine that does other things too.
pub(super) const LONG: Duration = Duration::from_secs(40);

pub(super) fn durable() -> Setting {
    Setting { durable: true, file: true, ..Setting::default() }
}

pub(super) fn soc(s: &Stage) -> ChannelKey {
    let channel = s.chat.platform().channel(SOC);
    match s.chat.platform() {
        Platform::Slack => ChannelKey::slack("T0SOC", &channel),
        Platform::Mattermost => ChannelKey::mattermost(&channel),
    }
}

/// Adds a rule to #soc-setup.
pub(super) async fn rule(s: &Stage, words: &str) {
    let told = s.ask("alice", &format!("notify add {words}")).await;
    assert!(told.text().contains("Rule "), "{told}");
}

/// A channel that is set up, with these rules.
pub(super) async fn set_up(s: &Stage, rules: &[&str]) {
    s.set_up().await;
    for words in rules {
        rule(s, words).await;
    }
}

pub(super) async fn until(what: &str, s: &Stage, so: impl AsyncFn() -> bool) {
    until_within(LONG, what, s, so).await;
}

async fn until_within(time: Duration, what: &str, s: &Stage, so: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(time, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}\n{}", s.chat.dump());
}

/// The messages that stand in the channel and say all of this.
pub(super) fn standing(s: &Stage, says: &[&str]) -> Vec<Seen> {
    let mut all = s.chat.standing(SOC);
    all.retain(|seen| says.iter().all(|word| seen.text().contains(word)));
    all
}

/// Such a message, once there is one.
pub(super) async fn message(s: &Stage, says: &[&str]) -> Seen {
    until(&format!("a message that says {says:?}"), s, async || !standing(s, says).is_empty()).await;
    standing(s, says).remove(0)
}

/// Waits until nothing is owed any more, and reads what came.
pub(super) async fn at_rest(s: &Stage) {
    let store = s.store().await;
    until("everything is told", s, async || {
        let now = Timestamp::now();
        let mut owed = store.due(WorkKind::News, now, 9).await.unwrap().len();
        owed += store.due(WorkKind::Hint, now, 9).await.unwrap().len();
        owed == 0
    })
    .await;
    if s.runs() {
        s.rounds(1).await;
    }
    while !s.chat.unread().is_empty() {
        s.chat.next_where(LONG, "anything", |_| true).await;
    }
}

pub(super) fn alert(s: &Stage, rule: &str, urgency: u8) -> sekoia_chatops::sandbox::world::Alert {
    s.sekoia.raise_alert(&NewAlert { rule: Some(rule.into()), urgency: Some(urgency), ..NewAlert::default() })
}

/// How rule 1 fired, hour by hour, as summaries count it.
pub(super) async fn counted(s: &Stage) -> Vec<notify::Fired> {
    let log: ChannelLog =
        decode(&s.store().await.kept(KeptKind::Fired, soc(s).as_str()).await.unwrap().unwrap()).unwrap();
    let hours = log.journal.within(Timestamp::now() - SignedDuration::from_hours(3), Timestamp::MAX);
    hours.filter_map(|(_, hour)| hour.rules.get(&1).cloned()).collect()
}

pub(super) async fn firings(s: &Stage) -> u32 {
    counted(s).await.iter().map(|fired| fired.bands.total()).sum()
}

fn status(s: &Stage, alert: Uuid) -> AlertStatus {
    s.sekoia.edit(|world| world.alerts.iter().find(|known| known.uuid == alert).unwrap().status)
}

/// A text in which identifiers have names too.
fn nameless(text: &str, alert: &sekoia_chatops::sandbox::world::Alert) -> String {
    let mut text = steady(text.replace(&alert.short_id, "<short id>").replace(&alert.uuid.to_string(), "<uuid>"));
    for (number, asset) in alert.assets.iter().enumerate() {
        text = text.replace(&asset.to_string(), &format!("<asset {number}>"));
    }
    text
}

on_both!(an_alert_that_two_rules_fire_for_is_one_and_is_acknowledged_once);
fn an_alert_that_two_rules_fire_for_is_one_and_is_acknowledged_once(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75", "alert urgency>=60"]).await;
        alert(s, "Impossible travel", 90);
        let card = message(s, &["Impossible travel"]).await;
        s.click("bob", &card, "Acknowledge").await;
        message(s, &["Impossible travel", "Acknowledged by"]).await;
        at_rest(s).await;
        s.stop().await;
        let kept = s.store().await.kept(KeptKind::Fired, soc(s).as_str()).await.unwrap().unwrap();
        let log: ChannelLog = decode(&kept).unwrap();
        let period = notify::Period::last(3, Timestamp::now());
        let summary = notify::summary(&log.journal, &notify::Rules::default(), period, &jiff::tz::TimeZone::UTC);
        assert_eq!((summary.total(), summary.acknowledged), (1, 1));
        let by_rule: Vec<(u32, u32)> = summary.rules.iter().map(|line| (line.number, line.bands.total())).collect();
        assert_eq!(by_rule, [(1, 1), (2, 1)]);
        assert_eq!(summary.slots.iter().map(|slot| slot.bands.total()).sum::<u32>(), 1);
        assert!(summary.entities.iter().all(|entity| entity.count == 1), "{:?}", summary.entities);
    });
}

on_both!(what_fired_is_the_evidence_of_step_7_without_a_sample);
fn what_fired_is_the_evidence_of_step_7_without_a_sample(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75", "alert rule=\"Never\""]).await;
        s.ask("alice", "plan notifications alert").await;
        let told = s.ask("alice", "done notifications").await;
        assert!(told.text().contains("a sample that arrived"), "{told}");
        let one = alert(s, "Ransomware", 80);
        message(s, &[&one.short_id]).await;
        let told = s.ask("alice", "done notifications").await.text();
        assert!(told.contains("confirms it") && told.contains("rule 1 fired on 20"), "{told}");
        assert!(told.contains("1 rule not tested"), "{told}");
        // Whoever pauses it stops what the evidence speaks of.
        s.ask("alice", "reopen notifications").await;
        s.ask("alice", "notify pause 1").await;
        let told = s.ask("alice", "done notifications").await;
        assert!(told.text().contains("resumes one that fired"), "{told}");
        at_rest(s).await;
    });
}

on_both!(an_alert_is_told_and_its_card_follows_it);
fn an_alert_is_told_and_its_card_follows_it(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        alert(s, "Too low to tell", 74);
        let raised = alert(s, "Impossible travel", 90);
        let card = message(s, &["Impossible travel"]).await;
        assert_snapshot!(nameless(&card.text(), &raised));
        // An update edits the card, whatever the rules say.
        s.sekoia.update_alert(raised.uuid, AlertChange::Urgency(20));
        let card = message(s, &["Impossible travel", "Urgency 20 of 100"]).await;
        let told = s.click("bob", &card, "Acknowledge").await;
        assert!(told.text().contains("Acknowledged at Sekoia: *Impossible travel*."), "{told}");
        assert_eq!(status(s, raised.uuid), AlertStatus::Acknowledged);
        let card = message(s, &["Impossible travel", "Acknowledged by"]).await;
        assert!(!card.text().contains("[Acknowledge]"), "{card}");
        assert!(s.ask("bob", &format!("acknowledge {}", raised.short_id)).await.text().contains("already"));
        at_rest(s).await;
        assert_eq!(standing(s, &["alert"]).len(), 1);
        assert_eq!(standing(s, &["Too low"]).len(), 0);
        // It is on record, and it is counted.
        s.stop().await;
        s.verify_audit();
        assert_eq!(firings(s).await, 1);
        assert!(counted(s).await.iter().any(|fired| !fired.acknowledged.is_empty()));
    });
}

on_both!(who_may_acknowledge_and_what);
fn who_may_acknowledge_and_what(on: Platform) {
    run(on, Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..durable() }, async |s| {
        s.ask("alice", "setup \"Rivoli Retail\"").await;
        s.progress().await;
        let other = alert(s, "Not theirs", 90);
        let retail = s.sekoia.edit(|w| w.communities.iter().find(|c| c.name == "Rivoli Retail").unwrap().uuid);
        let ours = s.sekoia.raise_alert(&NewAlert { community: Some(retail), ..NewAlert::default() });
        let say = async |user, words: String| s.ask(user, &words).await.text();
        assert!(say("dan", format!("acknowledge {}", ours.short_id)).await.contains("operator"));
        assert!(say("alice", format!("acknowledge {}", other.short_id)).await.contains("does not belong"));
        assert!(say("alice", "acknowledge ALnowhere".into()).await.contains("knows no alert"));
        assert!(say("alice", "acknowledge ../me".into()).await.contains("not an alert's id"));
        s.sekoia.faults().add(Fault::new(FaultKind::LoseReply).method("PATCH").times(1));
        assert!(say("alice", format!("acknowledge {}", ours.uuid)).await.contains("Acknowledged at Sekoia"));
        s.sekoia.update_alert(ours.uuid, AlertChange::Status(AlertStatus::Closed));
        assert!(say("alice", format!("acknowledge {}", ours.uuid)).await.contains("is Closed"));
        let refused = s.sekoia.raise_alert(&NewAlert { community: Some(retail), ..NewAlert::default() });
        let status = FaultKind::Status { code: 403, retry_after: None, body: None };
        s.sekoia.faults().add(Fault::new(status).method("PATCH").times(1));
        assert!(say("alice", format!("acknowledge {}", refused.uuid)).await.contains("Update alert status"));
        assert_eq!(self::status(s, refused.uuid), AlertStatus::Pending);
        let patches = s.sekoia.calls().iter().filter(|call| call.method == "PATCH").count();
        assert_eq!(patches, 2);
        s.stop().await;
        s.verify_audit();
    });
}

on_both!(whatever_the_live_api_does_nothing_is_lost_or_doubled);
fn whatever_the_live_api_does_nothing_is_lost_or_doubled(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=1 rule=\"First\"", "alert rule=\"Second\"", "alert rule=\"Third\""]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let kinds = [
            LiveFault::Twice,
            LiveFault::Swap,
            LiveFault::Drop,
            LiveFault::Old,
            LiveFault::Garbage,
            LiveFault::Huge,
            LiveFault::Cut,
            LiveFault::Stall,
        ];
        let names = ["First", "Second", "Third"];
        for (number, kind) in kinds.into_iter().enumerate() {
            let fault = Fault::new(FaultKind::Live(kind));
            s.sekoia.faults().add(if kind == LiveFault::Stall { fault } else { fault.times(1) });
            let raised = alert(s, names[number % 3], 80);
            message(s, &[&raised.short_id]).await;
            s.sekoia.faults().clear();
        }
        at_rest(s).await;
        assert_eq!(standing(s, &["Urgency 80"]).len(), kinds.len());
    });
}

on_both!(a_crash_anywhere_doubles_and_loses_nothing);
fn a_crash_anywhere_doubles_and_loses_nothing(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"First\"", "alert rule=\"Second\""]).await;
        let mut raised = Vec::new();
        for (number, wait) in [0, 150, 250, 350, 500].into_iter().enumerate() {
            raised.push(alert(s, if number % 2 == 0 { "First" } else { "Second" }, 80));
            tokio::time::sleep(Duration::from_millis(wait)).await;
            s.crash().await;
            // What happens meanwhile is found by its date.
            raised.push(alert(s, if number % 2 == 0 { "Second" } else { "First" }, 70));
            if number == 2 {
                s.chat.fault(Call::Post, ChatFault::LosesReply);
            }
            s.start().await;
        }
        let found = async || standing(s, &["Rule"]).len() >= 8 || !standing(s, &["Alert storm"]).is_empty();
        until("all are told", s, found).await;
        at_rest(s).await;
        let texts: Vec<String> = s.chat.standing(SOC).iter().map(Seen::text).collect();
        for alert in &raised {
            let cards = texts.iter().filter(|text| text.contains(&format!("Open {} ", alert.short_id))).count();
            assert_eq!(cards, 1, "{}\n{}", alert.short_id, texts.join("\n\n"));
        }
    });
}

on_both!(a_storm_is_one_message_that_counts);
fn a_storm_is_one_message_that_counts(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let calls = s.sekoia.calls().len();
        s.sekoia.storm(None, 500);
        message(s, &["Alert storm", "495 alerts"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Password spraying", "Open AL"]).len(), 5);
        let storm = standing(s, &["Alert storm"]);
        assert_eq!(storm.len(), 1);
        assert!(storm[0].text().contains("Still counting.\nRules: Password spraying (495)"), "{}", storm[0]);
        let read = s.sekoia.calls().len() - calls;
        assert!(read < 100, "{read} calls");
        let kept = s.store().await.kept(KeptKind::Fired, soc(s).as_str()).await.unwrap().unwrap();
        let log: ChannelLog = decode(&kept).unwrap();
        let hours = log.journal.within(Timestamp::now() - SignedDuration::from_hours(3), Timestamp::MAX);
        assert_eq!(hours.filter_map(|(_, hour)| hour.rules.get(&1)).map(|fired| fired.swarmed).sum::<u32>(), 495);
    });
}

#[test]
fn ten_thousand_events_in_a_minute_are_all_counted() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["alert urgency>=1"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let calls = s.sekoia.calls().len();
        // More than a look reads within what is not settled yet, and more while it is read.
        for _ in 0..10 {
            s.sekoia.storm(None, 1_000);
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        until("it says so", s, async || s.ask("alice", "notify").await.text().contains("more than I may read at once"))
            .await;
        // A hundred alerts are a call, and there are five calls a second.
        let counted = async || !standing(s, &["Alert storm", "9995 alerts"]).is_empty();
        until_within(3 * LONG, "all are counted", s, counted).await;
        at_rest(s).await;
        let listed = s.sekoia.calls()[calls..].iter().filter(|call| call.path.ends_with("/sic/alerts")).count();
        assert!(listed < 250, "{listed} calls");
        assert!(!s.ask("alice", "notify").await.text().contains("more than I may read"));
        assert_eq!(firings(s).await, 10_000);
    });
}

on_both!(a_silent_intake_is_told_and_so_is_its_return);
fn a_silent_intake_is_told_and_so_is_its_return(on: Platform) {
    run(on, durable(), async |s| {
        s.set_up().await;
        s.sekoia
            .happen(Happening::IntakeSilent { intake: Some("Payment gateway".into()), minutes: Some(130) })
            .unwrap();
        rule(s, "silent \"Payment gateway\" for 1h").await;
        let card = message(s, &["Silent intake", "Payment gateway"]).await;
        assert_snapshot!(steady(card.text()));
        s.sekoia.happen(Happening::IntakeBack { intake: Some("Payment gateway".into()) }).unwrap();
        message(s, &["Intake sends again", "Payment gateway"]).await;
        // Counted otherwise than before: believed as it is counted now.
        s.sekoia
            .happen(Happening::IntakeSilent { intake: Some("Payment gateway".into()), minutes: Some(150) })
            .unwrap();
        message(s, &["Silent intake", "Payment gateway"]).await;
        at_rest(s).await;
        assert!(standing(s, &["Intake sends again"]).len() < 2);
    });
}

on_both!(failed_playbooks_crashes_connectors_and_cases_are_told);
fn failed_playbooks_crashes_connectors_and_cases_are_told(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["playbook", "connector", "case"]).await;
        until("everything was looked at", s, async || {
            let calls = s.sekoia.calls();
            let logs = calls.iter().filter(|call| call.path.contains("/trigger-configurations/")).count();
            let asked = |part: &str| calls.iter().any(|call| call.path.contains(part));
            logs >= 3 && asked("/connector-configurations") && asked("/playbook-runs") && s.sekoia.listeners().0 == 1
        })
        .await;
        let enrich = Some("Enrich new alerts with CTI".to_owned());
        s.sekoia.happen(Happening::PlaybookFails { playbook: enrich.clone(), times: None }).unwrap();
        let failed = message(s, &["Playbook failed"]).await;
        assert_snapshot!(steady(failed.text()));
        s.sekoia.happen(Happening::TriggerCrashes { playbook: enrich.clone() }).unwrap();
        message(s, &["Playbook crashed", "credentials refused"]).await;
        s.sekoia.happen(Happening::ConnectorFails { connector: Some("Laptops EDR (pull)".into()) }).unwrap();
        message(s, &["Connector error", "Laptops EDR"]).await;
        s.sekoia.edit(|world| world.playbooks.iter_mut().for_each(|playbook| playbook.failures = 4));
        s.sekoia.happen(Happening::PlaybookFails { playbook: enrich, times: None }).unwrap();
        message(s, &["Playbook crashed", "Switched off after 5 failures"]).await;
        let raised = alert(s, "Grouped", 50);
        s.sekoia.open_case(raised.uuid, "Break-in <!channel>").unwrap();
        message(s, &["Break-in"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Break-in"]).len(), 1);
    });
}

on_both!(a_sample_goes_the_way_of_what_happens);
fn a_sample_goes_the_way_of_what_happens(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        let community = s.sekoia.edit(|world| world.root);
        let sample =
            notify::Alert { uuid: "sample".into(), title: Some("A sample".into()), ..notify::Alert::default() };
        let occurrence = notify::Occurrence {
            id: "1".into(),
            at: Timestamp::now(),
            community,
            community_name: None,
            what: notify::What::AlertRaised(sample),
        };
        let hint = Hint::Sample { channel: soc(s), rule: 1, occurrence };
        let commit = Commit { schedule: vec![hint.row(Timestamp::now())], ..Commit::default() };
        s.store().await.commit(commit).await.unwrap();
        let card = message(s, &["This is a sample"]).await;
        assert!(card.text().contains("[It arrived]"), "{card}");
        at_rest(s).await;
    });
}

on_both!(sekoia_that_asks_to_slow_down_is_left_alone_and_caught_up_with);
fn sekoia_that_asks_to_slow_down_is_left_alone_and_caught_up_with(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        let limited = FaultKind::Status { code: 429, retry_after: Some(2), body: None };
        s.sekoia.faults().add(Fault::new(limited).on("/sic/alerts"));
        let raised = alert(s, "While limited", 80);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let asked = s.sekoia.calls().iter().filter(|call| call.status == 429).count();
        assert!((1..=6).contains(&asked), "{asked}");
        s.sekoia.faults().clear();
        message(s, &[&raised.short_id]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["While limited"]).len(), 1);
    });
}

on_both!(a_chat_that_was_down_is_told_in_order);
fn a_chat_that_was_down_is_told_in_order(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert rule=\"First\"", "alert rule=\"Second\""]).await;
        for _ in 0..30 {
            s.chat.fault(Call::Post, ChatFault::Fails);
        }
        let mut raised = Vec::new();
        for number in 0..6 {
            raised.push(alert(s, if number % 2 == 0 { "First" } else { "Second" }, 80));
            let key = Card::alert_key(&soc(s), &raised[number].uuid.to_string());
            let store = s.store().await;
            until("it waits", s, async || store.find(WorkKind::News, &key).await.unwrap().is_some()).await;
        }
        s.chat.mend();
        message(s, &[&raised[5].short_id]).await;
        let texts: Vec<String> = s.chat.standing(SOC).iter().map(Seen::text).collect();
        let place = |id: &str| texts.iter().position(|text| text.contains(id));
        let places: Vec<_> = raised.iter().map(|alert| place(&alert.short_id).unwrap()).collect();
        assert!(places.is_sorted(), "{places:?}");
        at_rest(s).await;
    });
}

on_both!(what_waited_long_comes_as_one_message);
fn what_waited_long_comes_as_one_message(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        s.stop().await;
        // As if the chat had been down for an hour.
        let store = s.store().await;
        let community = s.sekoia.edit(|world| world.root);
        let mut commit = Commit::default();
        for number in 0..8_u8 {
            let first = Timestamp::now() - SignedDuration::from_mins(60 - 7 * i64::from(number));
            let alert = notify::Alert {
                uuid: format!("waits-{number}").into(),
                title: Some(format!("Waited {number}").into()),
                urgency: Some(80 + number),
                ..notify::Alert::default()
            };
            let what = notify::What::AlertRaised(alert);
            let id = format!("alert-{number}").into();
            let occurrence = notify::Occurrence { id, at: first, community, community_name: None, what };
            let mut news = Card::new(&soc(s), occurrence, first);
            news.rules = vec![1];
            commit.schedule.push(card_row(&news, &Card::alert_key(&soc(s), &format!("waits-{number}")), first));
        }
        store.commit(commit).await.unwrap();
        s.start().await;
        let late = message(s, &["While the chat could not be reached"]).await;
        assert!(late.text().contains("7 alerts") && late.text().contains("87 of 100 (Urgent)"), "{late}");
        at_rest(s).await;
        // Nobody knows whether the first one stood there: it is looked for, and told by itself.
        assert_eq!(standing(s, &["Waited 0"]).len(), 1);
        assert_eq!(s.chat.standing(SOC).len(), 3);
        let posted = store.kept(KeptKind::Posted, &Card::alert_key(&soc(s), "waits-0")).await.unwrap().unwrap();
        assert_eq!(decode::<Posted>(&posted).unwrap().seq, 1);
    });
}

on_both!(one_process_watches_and_another_takes_over);
fn one_process_watches_and_another_takes_over(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        // The built binary on the same store and Sekoia.
        let first = s.address();
        s.start_program_with(&[("CHATOPS_REHEARSE_TIMING", "400,900,100,60000,600")]).await;
        assert_ne!(s.address(), first);
        let one = alert(s, "Both are there", 80);
        message(s, &[&one.short_id]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(s.sekoia.listeners(), (1, 1));
        s.crash().await;
        let two = alert(s, "One is left", 80);
        message(s, &[&two.short_id]).await;
        assert_eq!(s.sekoia.listeners().1, 2);
        at_rest(s).await;
        assert_eq!(standing(s, &["alert"]).len(), 2);
    });
}

on_both!(a_community_that_cannot_be_read_keeps_no_other_waiting);
fn a_community_that_cannot_be_read_keeps_no_other_waiting(on: Platform) {
    run(on, Setting { tenant: sekoia_chatops::sandbox::Tenant::Multi, ..durable() }, async |s| {
        s.ask("alice", "setup \"Rivoli Retail\"").await;
        s.progress().await;
        s.ask_in("nimbus-payments", "alice", "setup \"Rivoli Markets\"").await;
        s.progress().await;
        let community = |name: &str| s.sekoia.edit(|w| w.communities.iter().find(|c| c.name == name).unwrap().uuid);
        let (retail, online) = (community("Rivoli Retail"), community("Rivoli Markets"));
        let status = FaultKind::Status { code: 403, retry_after: None, body: None };
        s.sekoia.faults().add(Fault::new(status).on(&retail.to_string()));
        rule(s, "alert").await;
        s.ask_in("nimbus-payments", "alice", "notify add alert").await;
        // The rule waits for alerts that were raised: that the list of changes is refused is nothing to it.
        let refused =
            async || s.sekoia.calls().iter().any(|call| call.status == 403 && call.query.contains("sort=created_at"));
        until("it was refused", s, refused).await;
        // A minute of these rhythms is shorter; a pause for one that fails is not seen.
        for number in 0..4 {
            let wanted = NewAlert { community: Some(online), rule: Some(format!("Here {number}")), urgency: Some(80) };
            let raised = s.sekoia.raise_alert(&wanted);
            let told =
                async || !s.chat.standing("nimbus-payments").iter().all(|seen| !seen.text().contains(&raised.short_id));
            until("it is told", s, told).await;
        }
        let listed = s.ask("alice", "notify").await.text();
        assert!(listed.contains("View alerts"), "{listed}");
        at_rest(s).await;
    });
}

on_both!(cases_do_not_wait_for_sekoia);
fn cases_do_not_wait_for_sekoia(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert", "case"]).await;
        let raised = alert(s, "Grouped", 50);
        message(s, &["Grouped"]).await;
        let limited = FaultKind::Status { code: 429, retry_after: Some(120), body: None };
        s.sekoia.faults().add(Fault::new(limited).on("/sic/alerts"));
        alert(s, "While limited", 80);
        until("it was asked to slow down", s, async || s.sekoia.calls().iter().any(|call| call.status == 429)).await;
        s.sekoia.open_case(raised.uuid, "Break-in").unwrap();
        message(s, &["Break-in"]).await;
        assert_eq!(standing(s, &["While limited"]).len(), 0);
        s.sekoia.faults().clear();
        at_rest(s).await;
    });
}

on_both!(an_acknowledgement_in_another_process_is_shown_and_counted);
fn an_acknowledgement_in_another_process_is_shown_and_counted(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        s.start_program_with(&[("CHATOPS_REHEARSE_TIMING", "400,900,100,60000,600")]).await;
        let raised = alert(s, "Seen by both", 80);
        let card = message(s, &[&raised.short_id]).await;
        // The program takes the press, the other process watches and tells.
        let told = s.click("bob", &card, "Acknowledge").await;
        assert!(told.text().contains("Acknowledged at Sekoia"), "{told}");
        let card = message(s, &[&raised.short_id, "Acknowledged by"]).await;
        assert!(!card.text().contains("[Acknowledge]"), "{card}");
        s.kill_program();
        at_rest(s).await;
        assert_eq!(counted(s).await.iter().map(|fired| fired.acknowledged.len()).sum::<usize>(), 1);
    });
}

on_both!(looks_that_fail_are_in_the_summary);
fn looks_that_fail_are_in_the_summary(on: Platform) {
    run(on, durable(), async |s| {
        s.sekoia
            .faults()
            .add(Fault::new(FaultKind::Status { code: 400, retry_after: None, body: None }).on("/sic/conf/intakes"));
        set_up(s, &["silent \"Payment gateway\" for 1h"]).await;
        until("it failed", s, async || s.sekoia.calls().iter().any(|call| call.status == 400)).await;
        let said = async || {
            let text = s.ask("alice", "notify summary 24h").await.text();
            text.contains("Rule 1 could not be looked at")
        };
        until("the summary says so", s, said).await;
        s.sekoia.faults().clear();
        at_rest(s).await;
    });
}
