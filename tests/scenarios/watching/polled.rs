//! What is asked for now and then: silence, playbooks; and what `notify` says of how that goes.

use std::time::Duration;

use insta::assert_snapshot;
use sekoia_chatops::sandbox::{Fault, FaultKind, Happening, LiveFault};

use super::{alert, at_rest, durable, message, rule, set_up, standing, until};
use crate::harness::{Platform, Stage, on_both, run, steady};

const GATEWAY: &str = "Payment gateway";
const OTHER: &str = "nimbus-payments";
const ENRICH: &str = "Enrich new alerts with CTI";

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, retry_after: None, body: None }
}

fn falls_silent(s: &Stage, intake: &str) {
    s.sekoia.happen(Happening::IntakeSilent { intake: Some(intake.into()), minutes: Some(150) }).unwrap();
}

/// Calls whose path contains this.
fn asked(s: &Stage, part: &str) -> usize {
    s.sekoia.calls().iter().filter(|call| call.path.contains(part)).count()
}

/// So many more of them are made.
async fn more(s: &Stage, part: &str, times: usize) {
    let before = asked(s, part);
    until(&format!("{times} more of {part}"), s, async || asked(s, part) >= before + times).await;
}

async fn says(s: &Stage, words: &str) {
    until(&format!("`/sekoia notify` says {words:?}"), s, async || {
        s.ask("alice", "notify").await.text().contains(words)
    })
    .await;
}

#[test]
fn without_the_permission_to_search_silence_is_told_after_an_hour() {
    run(Platform::Slack, durable(), async |s| {
        s.set_up().await;
        s.sekoia.faults().add(Fault::new(status(403)).method("POST").on("/search/jobs"));
        falls_silent(s, GATEWAY);
        rule(s, "silent \"Payment gateway\" for 30m").await;
        message(s, &["Silent intake", GATEWAY]).await;
        says(s, "without the permission \"View events\", silence shorter than an hour is reported only after an hour")
            .await;
        at_rest(s).await;
    });
}

#[test]
fn a_search_that_fails_keeps_nothing_else_from_being_told() {
    run(Platform::Slack, durable(), async |s| {
        s.set_up().await;
        let body = r#"{"uuid":"5f0c1e0a-0000-4000-8000-000000000001","status":3}"#;
        let failed = FaultKind::Status { code: 200, retry_after: None, body: Some(body.into()) };
        s.sekoia.faults().add(Fault::new(failed).on("/search/jobs"));
        falls_silent(s, GATEWAY);
        falls_silent(s, "Office firewall");
        rule(s, "silent \"Payment gateway\" for 15m").await;
        // Counted by the hour, so any longer time would depend on the minute at which this runs.
        rule(s, "silent \"Office firewall\" for 1h").await;
        message(s, &["Silent intake", "Office firewall"]).await;
        // Counters alone tell of it, as it is silent for more than an hour.
        message(s, &["Silent intake", GATEWAY]).await;
        at_rest(s).await;
    });
}

#[test]
fn what_fell_silent_during_a_mute_is_told_at_its_end() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["silent \"Payment gateway\" for 1h"]).await;
        s.ask("alice", "notify mute 1 1h").await;
        // Whatever was being looked at before is over.
        more(s, "/conf/intakes", 2).await;
        falls_silent(s, GATEWAY);
        more(s, "/conf/intakes", 3).await;
        at_rest(s).await;
        assert!(standing(s, &["Silent intake"]).is_empty());
        s.ask("alice", "notify resume 1").await;
        message(s, &["Silent intake", GATEWAY]).await;
        // It is told once, and a mute from now on changes nothing.
        s.ask("alice", "notify mute 1 1h").await;
        more(s, "/conf/intakes", 2).await;
        s.ask("alice", "notify resume 1").await;
        more(s, "/conf/intakes", 2).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Silent intake"]).len(), 1);
        // Another channel that comes to wait for the same is told of it too.
        s.ask_in(OTHER, "alice", "setup").await;
        s.ask_in(OTHER, "alice", "notify add silent \"Payment gateway\" for 1h").await;
        let told = || s.chat.standing(OTHER).iter().filter(|seen| seen.text().contains("Silent intake")).count();
        until("the other channel is told", s, async || told() > 0).await;
        more(s, "/conf/intakes", 2).await;
        at_rest(s).await;
        assert_eq!((told(), standing(s, &["Silent intake"]).len()), (1, 1));
    });
}

#[test]
fn failed_runs_are_read_since_the_last_look_and_told_since_the_rule() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["playbook"]).await;
        let reads = async || {
            let calls = s.sekoia.calls();
            let runs = calls.iter().filter(|call| call.path.ends_with("/playbook-runs"));
            // The beginning of the stretch of time.
            let since = |query: &str| query.split("started_at").nth(1)?.get(..30).map(str::to_owned);
            runs.filter_map(|call| since(&call.query)).collect::<Vec<_>>()
        };
        until("it is read thrice", s, async || reads().await.len() >= 3).await;
        let since = reads().await;
        assert!(since[0] < since[2], "{since:?}");
        // What fails while nobody waits for it is no news for whoever does later.
        s.ask("alice", "notify remove 1").await;
        s.rounds(2).await;
        s.sekoia.happen(Happening::PlaybookFails { playbook: Some(ENRICH.into()), times: None }).unwrap();
        // Sekoia dates by the second: the rule is of a later one.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        rule(s, "playbook").await;
        more(s, "/playbook-runs", 2).await;
        s.sekoia.happen(Happening::PlaybookFails { playbook: Some(ENRICH.into()), times: None }).unwrap();
        message(s, &["Playbook failed"]).await;
        at_rest(s).await;
        assert_eq!(standing(s, &["Playbook failed"]).len(), 1);
    });
}

#[test]
fn a_log_that_cannot_be_read_hides_no_other_crash() {
    run(Platform::Slack, durable(), async |s| {
        s.set_up().await;
        let first = s.sekoia.edit(|world| world.playbook(ENRICH).unwrap().trigger_uuid.to_string());
        s.sekoia.faults().add(Fault::new(status(400)).on(&format!("/trigger-configurations/{first}")));
        rule(s, "playbook").await;
        until("the others are read", s, async || asked(s, "/trigger-configurations/") >= 3).await;
        s.sekoia.happen(Happening::TriggerCrashes { playbook: Some("Notify the fraud desk".into()) }).unwrap();
        message(s, &["Playbook crashed", "Notify the fraud desk"]).await;
        // Failed runs, which are read well, do not hide that.
        more(s, "/playbook-runs", 2).await;
        says(s, "1 trigger's log could not be read (Sekoia refuses the request (400)").await;
        // And it is not asked for more often than the others.
        let calls = s.sekoia.calls();
        let logs = |path: &str| path.contains("/trigger-configurations/");
        let all = calls.iter().filter(|call| logs(&call.path)).count();
        let of_it = calls.iter().filter(|call| logs(&call.path) && call.path.contains(&first)).count();
        assert!(of_it * 3 <= all + 3, "{of_it} of {all}");
        // What happened meanwhile is told when it can be read.
        s.sekoia.happen(Happening::TriggerCrashes { playbook: Some(ENRICH.into()) }).unwrap();
        more(s, "/trigger-configurations/", 3).await;
        s.sekoia.faults().clear();
        message(s, &["Playbook crashed", ENRICH]).await;
        at_rest(s).await;
    });
}

on_both!(notify_tells_how_the_rules_do);
fn notify_tells_how_the_rules_do(on: Platform) {
    run(on, durable(), async |s| {
        set_up(s, &["alert urgency>=75", "silent for 1h", "playbook"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        alert(s, "Impossible travel", 90);
        message(s, &["Impossible travel"]).await;
        until("all is looked at", s, async || {
            let told = s.ask("alice", "notify").await.text();
            !told.contains("not evaluated")
                && !told.contains("so often. How")
                && told.matches("last fired").count() == 2
        })
        .await;
        assert_snapshot!(steady(s.ask("alice", "notify").await.text()), @"
        Notifications
        *Nimbus Payments* · 3 rules, all active
        • *1* Alert raised, urgency 75 or more · by @alice · LiveAPI, last evaluated <date> <time> UTC · last fired <date> <time> UTC · not tested
        • *2* No events from any intake for 1 hour · by @alice · polled, last evaluated <date> <time> UTC · last fired <date> <time> UTC · not tested
        • *3* Error of any playbook · by @alice · polled, last evaluated <date> <time> UTC · not fired yet · not tested
        How they are evaluated:
        • Alerts and cases: Sekoia's LiveAPI tells of them at once; connected since <date> <time> UTC
        • Silence of 5 intakes: looked at every 5 seconds, so a rule `for 1h` tells you up to 5 seconds after that hour.
        • Failed runs of 3 playbooks: looked at every 5 seconds, so you are told up to 5 seconds after it happened.
        • Crashes of 3 playbooks: looked at every 10 seconds, so you are told up to 10 seconds after it happened.
        • No digest: `/sekoia notify digest daily <time> Europe/Paris` sets one.
        • No webhook for Sekoia's own rules: `/sekoia notify webhook` makes one.
        See: Notifications <https://docs.sekoia.com/getting_started/notification_concept/>, Examples <https://docs.sekoia.com/getting_started/notifications-Examples/>
        [Add a rule…] [Summary] [Test a rule ▾] [Pause a rule ▾] [Remove a rule ▾] [Done]! [Open step 7 (notifications)]
        ");
        s.sekoia.faults().add(Fault::new(status(500)).on("/conf/intakes"));
        says(s, "⚠️ Sekoia failed (500)").await;
        s.sekoia.faults().clear();
        until("it is well again", s, async || !s.ask("alice", "notify").await.text().contains("(500)")).await;
        s.sekoia.faults().add(Fault::new(FaultKind::Live(LiveFault::Deny)));
        s.sekoia.faults().add(Fault::new(FaultKind::Live(LiveFault::Cut)));
        alert(s, "It is cut", 10);
        says(s, "Sekoia's LiveAPI is not connected since").await;
        let told = steady(s.ask("alice", "notify").await.text());
        let lost = "Sekoia's LiveAPI is not connected since <date> <time> UTC (";
        assert!(told.contains(lost) && told.contains("); until it is, I poll for alerts"), "{told}");
        at_rest(s).await;
    });
}

#[test]
fn the_poller_keeps_what_notify_says() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["silent for 1h"]).await;
        // Three minutes, of 600 milliseconds here.
        says(s, "Silence of 5 intakes: looked at every 2 seconds").await;
        let before = asked(s, "/conf/intakes");
        tokio::time::sleep(Duration::from_secs(9)).await;
        let looks = asked(s, "/conf/intakes") - before;
        assert!((3..=5).contains(&looks), "{looks}");
        at_rest(s).await;
    });
}

#[test]
fn another_process_tells_how_the_rules_do_and_so_does_the_next() {
    run(Platform::Slack, durable(), async |s| {
        set_up(s, &["alert urgency>=75", "silent for 1h"]).await;
        until("it listens", s, async || s.sekoia.listeners().0 == 1).await;
        alert(s, "Impossible travel", 90);
        message(s, &["Impossible travel"]).await;
        says(s, "last fired").await;
        // The built binary on the same store, which does not watch.
        s.start_program_with(&[("CHATOPS_REHEARSE_TIMING", "400,900,100,60000,600")]).await;
        let well = async |s: &Stage| {
            let told = s.ask("alice", "notify").await.text();
            let all =
                ["last evaluated", "last fired", "connected since", "Silence of 5 intakes: looked at every 2 seconds"];
            all.iter().all(|words| told.contains(words)) && !told.contains("not evaluated")
        };
        until("it tells as much", s, async || well(s).await).await;
        s.kill_program();
        s.crash().await;
        s.start().await;
        let told = s.ask("alice", "notify").await.text();
        assert!(told.contains("last fired") && told.contains("last evaluated"), "{told}");
        at_rest(s).await;
    });
}
