//! What an operator measures.

mod prometheus;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sekoia_chatops::sandbox::NewAlert;
use sekoia_chatops::telemetry::{Figures, Metrics, Waiting};

use crate::harness::{Call, ChatFault, Platform, Setting, Stage, by_socket, on_both, on_slack, run};

const LONG: Duration = Duration::from_secs(30);

fn measured() -> Setting {
    Setting { metrics: true, durable: true, file: true, ..Setting::default() }
}

/// One line of what Prometheus reads: name, labels as they stand, value.
fn samples(text: &str) -> Vec<(&str, &str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
            (name, labels.trim_end_matches('}'), value.parse().expect("a number"))
        })
        .collect()
}

/// The sum of a metric's series whose labels hold all of this; none if there is no such series.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let name = format!("sekoia_chatops_{name}");
    let all = samples(text);
    let of: Vec<f64> = all
        .iter()
        .filter(|(of, have, _)| *of == name && labels.iter().all(|label| have.contains(label)))
        .map(|(_, _, value)| *value)
        .collect();
    (!of.is_empty()).then(|| of.iter().sum())
}

/// What is measured, once it is so.
async fn until(s: &Stage, what: &str, so: impl Fn(&str) -> bool) -> String {
    let began = Instant::now();
    loop {
        let text = s.metrics().await;
        if so(&text) {
            return text;
        }
        assert!(began.elapsed() < LONG, "never: {what}\n{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn platform(on: Platform) -> &'static str {
    match on {
        Platform::Slack => "platform=\"slack\"",
        Platform::Mattermost => "platform=\"mattermost\"",
    }
}

on_both!(what_people_and_the_bot_do_is_counted);
fn what_people_and_the_bot_do_is_counted(on: Platform) {
    run(on, measured(), async |s| {
        s.set_up().await;
        s.ask("alice", "frobnicate").await;
        s.request_for("alice", "invite ana@nimbus.example").await;
        s.card("Approval needed").await;
        s.checklist("⏳").await;
        let text = until(s, "a request for approval", |text| {
            value(text, "approvals", &["state=\"requested\""]) == Some(1.0)
                && value(text, "up", &["part=\"sekoia\""]) == Some(1.0)
        })
        .await;
        let route = if on == Platform::Slack { "route=\"/slack/commands\"" } else { "route=\"/mattermost/command\"" };
        let of = |name: &str, labels: &[&str]| value(&text, name, labels).unwrap_or_default();
        assert!(of("requests_total", &[route, "outcome=\"ok\""]) >= 3.0, "{text}");
        assert_eq!(
            of("requests_total", &[route]),
            of("acknowledgement_seconds_count", &[route]),
            "each is timed\n{text}"
        );
        assert_eq!(of("commands_total", &[platform(on), "command=\"setup\""]), 1.0);
        assert_eq!(of("commands_total", &[platform(on), "command=\"unknown\""]), 1.0);
        assert_eq!(of("commands_total", &[platform(on), "command=\"invite\""]), 1.0);
        assert!(of("chat_requests_total", &[platform(on), "outcome=\"ok\""]) >= 2.0);
        assert!(of("chat_request_duration_seconds_count", &[platform(on)]) >= 2.0);
        let validate = ["method=\"GET\"", "operation=\"/v1/auth/validate\"", "status=\"2xx\""];
        assert!(of("sekoia_requests_total", &validate) >= 1.0, "{text}");
        assert!(of("sekoia_request_duration_seconds_count", &validate[..2]) >= 1.0);
        assert!(of("store_operation_duration_seconds_count", &["operation=\"commit\""]) >= 3.0);
        assert_eq!(value(&text, "store_errors_total", &[]), Some(0.0));
        assert_eq!(value(&text, "failed_answers_total", &[]), Some(0.0));
        assert_eq!(of("sessions", &[]), 1.0);
        assert_eq!(value(&text, "frozen", &[]), Some(0.0));
        assert_eq!(value(&text, "messages_set_aside", &[]), Some(0.0));
        assert_eq!(value(&text, "up", &["part=\"store\""]), Some(1.0));
        // It is decided: nothing is left open.
        let card =
            s.chat.standing(crate::harness::SOC).into_iter().find(|seen| seen.text().contains("Approval needed"));
        s.click("bob", &card.expect("the card"), "Approve").await;
        s.card("not accepted yet").await;
        s.direct().await;
        s.checklist_at_rest().await;
        let text = until(s, "the end", |text| value(text, "approvals", &[]) == Some(0.0)).await;
        let invited = ["method=\"POST\"", "status=\"2xx\""];
        assert!(value(&text, "sekoia_requests_total", &invited).unwrap_or_default() >= 1.0, "{text}");
    });
}

on_both!(nothing_that_people_typed_and_nobodys_name_is_in_a_label);
fn nothing_that_people_typed_and_nobodys_name_is_in_a_label(on: Platform) {
    run(on, measured(), async |s| {
        s.set_up().await;
        s.ask("alice", "skip 7 \"canary-reason\"").await;
        s.checklist_at_rest().await;
        s.ask("alice", "canary-command").await;
        let forged = format!("http://{}/hooks/sekoia/canary-token", s.address());
        assert_eq!(s.http.post(forged).json(&serde_json::json!({})).send().await.unwrap().status(), 404);
        let forged = format!("http://{}/canary-path", s.address());
        assert_eq!(s.http.get(forged).send().await.unwrap().status(), 404);
        let text = s.metrics().await;
        assert_eq!(
            value(&text, "requests_total", &["route=\"/hooks/sekoia/{token}\"", "outcome=\"unknown\""]),
            Some(1.0)
        );
        assert_eq!(value(&text, "requests_total", &["route=\"other\"", "outcome=\"unknown\""]), Some(1.0));
        assert_eq!(value(&text, "requests_refused_total", &["reason=\"unknown\""]), Some(1.0));
        let (channel, person) = (s.channel(crate::harness::SOC), s.person("alice"));
        let secret = ["canary", "Nimbus", "nimbus.example", channel.channel(), person.native()];
        for word in secret {
            assert!(!text.contains(word), "{word} in\n{text}");
        }
        let names: BTreeSet<&str> = samples(&text)
            .iter()
            .flat_map(|(_, labels, _)| labels.split("\",").filter_map(|label| label.split_once("=\"")))
            .map(|(name, _)| name)
            .collect();
        let bounded = [
            "cause",
            "command",
            "commit",
            "error",
            "kind",
            "le",
            "method",
            "operation",
            "outcome",
            "part",
            "platform",
            "reason",
            "route",
            "source",
            "state",
            "status",
            "trigger",
            "version",
        ];
        assert!(names.iter().all(|name| bounded.contains(name)), "{names:?}");
    });
}

on_both!(what_waits_for_a_chat_that_fails_is_seen_with_its_age);
fn what_waits_for_a_chat_that_fails_is_seen_with_its_age(on: Platform) {
    run(on, measured(), async |s| {
        s.set_up().await;
        for _ in 0..30 {
            s.chat.fault(Call::Edit, ChatFault::Fails);
        }
        s.ask("alice", "skip 7 \"not now\"").await;
        let text = until(s, "calls that fail", |text| {
            value(text, "chat_requests_total", &[platform(on), "outcome=\"unavailable\""]).unwrap_or_default() >= 2.0
        })
        .await;
        assert!(value(&text, "work_waiting", &["kind=\"progress\""]).is_some());
        let failing = |text: &str, name: &str| value(text, name, &["kind=\"progress\""]).unwrap_or_default();
        let text = until(s, "a message that fails", |text| failing(text, "messages_failing") == 1.0).await;
        let before = failing(&text, "messages_failing_age_seconds");
        until(s, "that it ages", |text| failing(text, "messages_failing_age_seconds") > before + 0.1).await;
        s.chat.mend();
        s.checklist("skipped: not now").await;
        until(s, "nothing waits", |text| {
            value(text, "work_waiting", &["kind=\"progress\""]) == Some(0.0) && failing(text, "messages_failing") == 0.0
        })
        .await;
    });
}

on_both!(a_notification_is_counted_with_its_lag);
fn a_notification_is_counted_with_its_lag(on: Platform) {
    run(on, measured(), async |s| {
        s.set_up().await;
        let told = s.ask("alice", "notify add alert").await;
        assert!(told.text().contains("Rule "), "{told}");
        let rule = Some("Brute force".to_owned());
        s.sekoia.raise_alert(&NewAlert { rule, urgency: Some(90), ..NewAlert::default() });
        s.chat.next_where(LONG, "the alert", |seen| seen.text().contains("Brute force")).await;
        let text = until(s, "a notification", |text| {
            value(text, "notifications_total", &["source=\"alert\""]) == Some(1.0)
                && value(text, "watch_age_seconds", &["trigger=\"alert\""]).is_some()
        })
        .await;
        assert_eq!(value(&text, "notification_lag_seconds_count", &["source=\"alert\""]), Some(1.0));
        let within = value(&text, "notification_lag_seconds_bucket", &["source=\"alert\"", "le=\"60\""]);
        assert_eq!(within, Some(1.0), "{text}");
    });
}

#[test]
fn an_envelope_is_counted_as_a_request_is() {
    by_socket(|| {
        on_slack(measured(), async |s| {
            s.set_up().await;
            assert!(s.ask("alice", "status").await.text().contains("0 of 7 done"));
            let of = ["route=\"socket/slash_commands\"", "outcome=\"ok\""];
            let text = until(s, "both commands", |text| value(text, "requests_total", &of) >= Some(2.0)).await;
            let timed = value(&text, "acknowledgement_seconds_count", &of[..1]);
            assert_eq!(timed, value(&text, "requests_total", &of[..1]), "{text}");
            let in_time = value(&text, "acknowledgement_seconds_bucket", &[of[0], "le=\"3\""]);
            assert_eq!(in_time, timed, "{text}");
        });
    });
}

#[test]
fn a_store_that_fails_is_counted() {
    run(Platform::Slack, measured(), async |s| {
        s.set_up().await;
        until(s, "a store that is well", |text| value(text, "up", &["part=\"store\""]) == Some(1.0)).await;
        s.sql(
            "CREATE TRIGGER full BEFORE INSERT ON work BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END",
        )
        .await;
        let told = s.ask("alice", "skip 7 \"not now\"").await;
        assert!(told.text().contains("I could not record this"), "{told}");
        let text = s.metrics().await;
        assert!(
            value(&text, "store_errors_total", &["operation=\"commit\"", "error=\"database\""]) >= Some(1.0),
            "{text}"
        );
        assert!(value(&text, "failed_answers_total", &["cause=\"store\""]) >= Some(1.0), "{text}");
        s.sql("DROP TRIGGER full").await;
    });
}

#[test]
fn nothing_but_the_metrics_is_served_there_and_they_are_served_nowhere_else() {
    run(Platform::Slack, measured(), async |s| {
        let at = |address: std::net::SocketAddr, path: &str| format!("http://{address}{path}");
        let own = s.metrics_address();
        let shown = s.http.get(at(own, "/metrics")).send().await.unwrap();
        assert_eq!(shown.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        for path in ["/", "/healthz", "/readyz", "/slack/commands"] {
            assert_eq!(s.http.get(at(own, path)).send().await.unwrap().status(), 404, "{path}");
        }
        assert_eq!(s.http.post(at(own, "/metrics")).send().await.unwrap().status(), 405);
        assert_eq!(s.http.get(at(s.address(), "/metrics")).send().await.unwrap().status(), 404);
        // It ends with the rest.
        s.stop().await;
        assert!(tokio::net::TcpStream::connect(own).await.is_err());
        s.start().await;
    });
}

/// Everything that there is to show, once.
fn everything() -> String {
    let (metrics, some) = (Metrics::on("1.2.3", "3f2a9c1d"), Duration::from_millis(7));
    metrics.request("/slack/commands", 200, some);
    metrics.command("slack", "status");
    metrics.failed_answer("sekoia");
    metrics.sekoia("GET", "/v1/auth/validate", "2xx", some);
    metrics.chat("slack", "chat.update", "ok", some);
    metrics.store("commit", Some("busy"), some);
    metrics.notification("alert", some);
    let waiting = Waiting { kind: "progress", count: 1, oldest: 2.0 };
    metrics.text(&Figures {
        work: vec![waiting],
        failing: vec![waiting],
        approvals: vec![("requested", 1)],
        sessions: Some(1),
        dead_letters: Some(0),
        set_aside: 0,
        well: vec![("store", true)],
        refused: vec![("unauthorized", 1)],
        looked: vec![("alert", 3.0)],
        live: Some(true),
        sekoia_paused: 0.0,
        frozen: Some(false),
    })
}

/// By the conventions: names with units, counters that end in `_total`, and help for each.
#[test]
fn names_and_types_follow_the_conventions() {
    let text = everything();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(seen.insert(name), "{name} twice");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
        assert!(name.starts_with("sekoia_chatops_") || name.starts_with("process_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        assert!(!["_ms", "_milliseconds", "_minutes", "_kb"].iter().any(|unit| name.ends_with(unit)), "{name}");
    }
    assert!(seen.len() > 25, "{seen:?}");
}
